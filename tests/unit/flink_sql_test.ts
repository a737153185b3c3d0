import { deepEqual, equal, fail, match, throws } from "node:assert/strict";
import type { Domain } from "../../src/domains/mod.ts";
import { flink_sql, type FlinkPlaces } from "../../src/flink/mod.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { bills } from "../support/bill_domain.ts";

/** What a declaration is compiled to. `tests/golden/flink` has it of each domain: a change of a catalog changes the file with it. */

const PLACES: FlinkPlaces = {
  brokers: "kafka:9092",
  topics: ["events"],
  group: "tacho",
  quarantine_topic: "events.quarantine",
  database: { host: "postgres:5432", name: "tacho", user: "flink", password: "it's" },
  schema: null,
  time_zone: "America/New_York",
  future_limit_ms: 3_600_000,
  max_message_bytes: 1_048_576,
};

const of = (name: string): Domain => DOMAINS.find((each) => each.name === name)!.make({ currency: "USD" });
const OUTPUT = new URL("../output", import.meta.url).pathname;
const golden = (name: string) => Deno.readTextFileSync(new URL(`../golden/flink/${name}.sql`, import.meta.url));
const script = (domain: Domain) => `${flink_sql(domain, PLACES).join(";\n\n")};\n`;

Deno.test("what each domain is compiled to is what its golden file has", () => {
  for (const { name } of DOMAINS) {
    const made = script(of(name));
    if (made === golden(name)) continue;
    Deno.mkdirSync(OUTPUT, { recursive: true });
    Deno.writeTextFileSync(`${OUTPUT}/${name}.sql`, made);
    fail(`${name}: expected tests/golden/flink/${name}.sql; what it is compiled to now is in tests/output/${name}.sql`);
  }
});

Deno.test("what only code can do is refused by its name, all of it at once", () => {
  const [trips] = DOMAINS;
  throws(
    () => flink_sql(trips.make({ currency: "USD", h3_resolution: 8 }), PLACES),
    /compile trips to Flink SQL: expected what a declaration says in full, got a fold by code of its own/,
  );
  throws(() => flink_sql(bills, PLACES), /a fold by code.*; what is derived as currency, by code/);
  const domain = of("trades"), { declared } = domain;
  const { type, get } = declared.derived.status!, derived = { ...declared.derived, status: { type, get } };
  throws(
    () => flink_sql({ ...domain, declared: { ...declared, derived } }, PLACES),
    /got what is derived as status, by code$/,
  );
});

Deno.test("days begin by the time zone of the session; in UTC they are counted", () => {
  const [first] = flink_sql(of("trades"), PLACES).filter((each) => each.includes("local-time-zone"));
  equal(first, "SET 'table.local-time-zone' = 'America/New_York'");
  match(flink_sql(of("trades"), { ...PLACES, time_zone: "UTC" }).join(), /at_us \/ 86400000000 \* 86400000000/);
});

Deno.test("texts are quoted, and tables in a schema of their own are found there", () => {
  const made = flink_sql(of("trades"), { ...PLACES, schema: "trades", topics: ["a", "b"] }).join("\n");
  match(made, /'password' = 'it''s'/);
  match(made, /stringtype=unspecified&currentSchema=trades&/);
  match(made, /'topic' = 'a;b'/);
});

Deno.test("how brokers are spoken to is in both tables of Kafka, a login in quotes that it cannot leave", () => {
  const of_kafka = (security: FlinkPlaces["security"] & object) =>
    flink_sql(of("trades"), { ...PLACES, security }).filter((each) => each.includes("'connector' = 'kafka'"));
  for (const table of of_kafka({ tls: true, sasl: null })) match(table, /'properties\.security\.protocol' = 'SSL'/);
  const sasl = { mechanism: "scram-sha-256", username: "job", password: `a"b\\c'd` } as const;
  for (const tls of [false, true]) {
    const tables = of_kafka({ tls, sasl });
    equal(tables.length, 2);
    for (const table of tables) {
      match(
        table,
        tls ? /'properties\.security\.protocol' = 'SASL_SSL'/ : /'properties\.security\.protocol' = 'SASL_PLAINTEXT'/,
      );
      match(table, /'properties\.sasl\.mechanism' = 'SCRAM-SHA-256'/);
      match(table, /scram\.ScramLoginModule required username="job" password="a\\"b\\\\c''d";'/);
    }
  }
  equal(flink_sql(of("trades"), PLACES).join().includes("security"), false);
});

Deno.test("every view and table is made before it is read", () => {
  const made = new Set<string>();
  for (const statement of flink_sql(of("trips"), PLACES)) {
    const reads = [...statement.matchAll(/\b(?:FROM|INTO) `?([a-z_]+)`?/g)].map((found) => found[1]!);
    for (const [, name] of statement.matchAll(/^(?:WITH )?`([a-z_]+)` AS \($/gm)) made.add(name!);
    deepEqual(reads.filter((name) => !made.has(name) && /^[a-z]/.test(name)), [], statement.slice(0, 60));
    const [, name] = /^CREATE TEMPORARY (?:VIEW|TABLE) `?([a-z_]+)`?/.exec(statement) ?? [];
    if (name !== undefined) made.add(name);
  }
});
