import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { link_checkout } from "../support/checkout.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_verb, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** Domains whose logs cannot be opened at the start: the others work, it is said, tried again with growing waits, and heals without a restart. */

const TOKEN = "t".repeat(16);
const AS_HOLDER = { authorization: `Bearer ${TOKEN}` };
const LATER = "insert into schema_migrations (version, name, checksum) values (99, 'later', '')";

/** One event of each domain, by where it is posted. */
const EVENTS = {
  trips: ["", { trip_id: "a", type: "trip.completed", fare: "10.00" }],
  payments: ["payments/", { payment_id: "b", type: "payment.captured", amount: "5.00" }],
  trades: ["trades/", { trade_id: "c", type: "trade.executed", ticker: "A", price: 1, volume: 2 }],
} as const;

async function posted(url: string, domain: keyof typeof EVENTS, event_id: string): Promise<number> {
  const [base, event] = EVENTS[domain];
  const response = await fetch(`${url}${base}api/v1/events`, {
    method: "POST",
    headers: { ...AS_HOLDER, "content-type": "application/json" },
    body: JSON.stringify({ ...event, event_id, occurred_at: "2026-03-01T10:00:00Z" }),
  });
  await response.body?.cancel();
  return response.status;
}

/** What a probe says, to who holds the token. */
async function readiness(url: string) {
  const response = await fetch(`${url}readyz`, { headers: AS_HOLDER });
  const said = await response.json() as { domains?: unknown; errors?: { path: string; detail: string }[] };
  const errors = said.errors ?? [];
  return {
    status: response.status,
    domains: said.domains,
    of: (path: string) => errors.find((each) => each.path === path)?.detail,
  };
}

async function logs_open(url: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}metrics`, { headers: AS_HOLDER })).text();
  return Object.fromEntries(
    [...text.matchAll(/^tacho_log_open\{domain="(\w+)"\} (\d)$/gm)].map(([, name, open]) => [name!, Number(open)]),
  );
}

const page = async (url: string, headers: HeadersInit = AS_HOLDER) => {
  const response = await fetch(url, { headers });
  return { status: response.status, refresh: response.headers.get("refresh"), text: await response.text() };
};

/** The waits that a domain's tries announced, in order. */
const waits_of = ({ stderr }: ServingProgram, domain: string): number[] =>
  stderr.split("\n").filter((line) => line.includes("cannot be opened") && line.includes(`domain=${domain}`))
    .map((line) => Number(/next_try_ms=(\d+)/.exec(line)![1]));

tacho_test({
  name:
    "logs that cannot be opened at the start, for want of rights or for a schema of later: the others go on, all says so, and each heals without a restart",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const server = await shared_postgres();
    const { url: database_url, superuser_url, name } = await server.create_database();
    const role = `program_${name.slice(5, 20)}`;
    const domains = { TACHO_DOMAINS: "trips,payments,trades", TACHO_TOKEN: TOKEN };
    const of_owner = { ...domains, DATABASE_URL: database_url };
    const env = { ...domains, DATABASE_URL: database_url.replace("//tacho@", `//${role}@`) };
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    const owner = await open_database({ url: database_url, data_dir: null, connections: 1 });
    const give = (schema: string) => owner.script(`set search_path = ${schema}; select grant_to_program('${role}')`);
    try {
      await superuser.script(`create role ${role} login`);
      for (const domain of ["trips", "payments", "trades"]) {
        await run_verb(["migrate", "--domain", domain], { env: of_owner });
      }
      await give("public");
      await give("trades");
      await owner.script(`set search_path = trades; ${LATER}`);

      await using program = await TachoProgram.serve("start", { env });
      const { url } = program;
      await program.brings(
        until("trips are taken in", async () => await posted(url, "trips", "1") === 200, 60_000),
      );
      await program.brings(
        until(
          "the others were tried again",
          () => ["payments", "trades"].every((domain) => waits_of(program, domain).length > 2),
          60_000,
        ),
      );
      for (const domain of ["payments", "trades"]) {
        const ceilings = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
        for (const [i, wait_ms] of waits_of(program, domain).entries()) {
          const ceiling = ceilings[Math.min(i, 5)]!;
          assert.ok(wait_ms >= ceiling / 2 && wait_ms <= ceiling, `${domain}: wait ${i + 1} is ${wait_ms} ms`);
        }
      }
      const said = await readiness(url);
      assert.deepEqual(
        [said.status, said.domains],
        [503, { trips: "ok", payments: "not ready", trades: "not ready" }],
      );
      const no_right =
        /^cannot be opened since 2\S+Z: .*right to use the schema "payments".*grant usage on schema payments/;
      assert.match(said.of("payments: log")!, no_right);
      assert.match(said.of("trades: log")!, /^cannot be opened since 2\S+Z: .*later.*run a newer tacho/);
      assert.deepEqual(await logs_open(url), { trips: 1, payments: 0, trades: 0 });
      const shut = await page(`${url}payments/`);
      assert.deepEqual([shut.status, shut.refresh], [503, "5"]);
      assert.match(shut.text, /right to use the schema &#34;payments&#34;.*<a class="link" href="\/">trips<\/a>/s);
      // Strangers hear that it is so, and since when.
      const stranger = await page(`${url}payments/`, {});
      assert.match(stranger.text, /cannot be opened since 2\S+Z</);
      assert.doesNotMatch(stranger.text, /schema/);
      assert.equal(await posted(url, "payments", "1"), 503);

      await give("payments");
      await program.brings(
        until("payments heal", async () => await posted(url, "payments", "1") === 200, 90_000),
      );
      assert.deepEqual(await logs_open(url), { trips: 1, payments: 1, trades: 0 });
      assert.deepEqual((await readiness(url)).domains, { trips: "ok", payments: "ok", trades: "not ready" });
      const open = await page(`${url}payments/`);
      assert.equal(open.status, 200);
      assert.match(open.text, /Latest transactions/);

      await owner.script("set search_path = trades; delete from schema_migrations where version = 99");
      await program.brings(until("trades heal", async () => await posted(url, "trades", "1") === 200, 90_000));
      await until("all is well", async () => (await readiness(url)).status === 200, 30_000);
      assert.equal(await posted(url, "trips", "2"), 200);
      assert.match(program.stderr, /the log of a domain is open domain=payments attempt=\d/);

      // Migrated past the program while it runs.
      await owner.script(`set search_path = trades; ${LATER}; update log_head set schema_number = 99`);
      await program.brings(until("trades are shut", async () => (await page(`${url}trades/`)).status === 503, 60_000));
      await until("it is said why", async () => /later/.test((await readiness(url)).of("trades: log") ?? ""), 60_000);
      assert.deepEqual((await readiness(url)).domains, { trips: "ok", payments: "ok", trades: "not ready" });
      assert.deepEqual(await logs_open(url), { trips: 1, payments: 1, trades: 0 });
      assert.match(
        program.stderr,
        /a log is one of a later version, or of other settings; the other domains go on domain=trades/,
      );
      assert.deepEqual([await posted(url, "trips", "3"), await posted(url, "payments", "2")], [200, 200]);
      assert.equal(await posted(url, "trades", "2"), 503);
      await owner.script(`set search_path = trades; delete from schema_migrations where version = 99;
        update log_head set schema_number = (select max(version) from schema_migrations)`);
      await program.brings(until("trades heal again", async () => await posted(url, "trades", "2") === 200, 90_000));
      assert.equal(await program.term(), 0);
      for (const domain of ["trips", "payments", "trades"]) {
        assert.match(
          (await run_verb(["verify", "--domain", domain], { env: of_owner })).stdout,
          /^consistent: \d events? in /,
        );
      }
    } finally {
      await owner.close();
      await superuser.close();
    }
  },
});

tacho_test({
  name:
    "in the embedded database a first domain whose log cannot be opened holds up no other; when none can be, the program ends",
  needs: [],
  limit_ms: 180_000,
  async fn() {
    const checkout = await link_checkout(), folder = checkout.path;
    await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
    const env = { TACHO_DOMAINS: "trips,trades", TACHO_TOKEN: TOKEN };
    const spoil = async (domain: string, schema: string) => {
      await run_verb(["migrate", "--domain", domain], { env, folder });
      const database = await open_database({ url: null, data_dir: `${folder}/.tacho`, connections: 1 });
      await database.script(`set search_path = ${schema}; ${LATER}`).finally(() => database.close());
    };
    await spoil("trips", "public");
    {
      await using program = await TachoProgram.serve("start", { env, folder });
      const { url } = program;
      await program.brings(until("trades are taken in", async () => await posted(url, "trades", "1") === 200, 60_000));
      await program.brings(until("trips are tried again", () => waits_of(program, "trips").length > 1, 60_000));
      assert.deepEqual(await logs_open(url), { trips: 0, trades: 1 });
      assert.equal(await posted(url, "trades", "2"), 200);
      assert.equal(await program.term(), 0);
    }
    await spoil("trades", "trades");
    await using program = await TachoProgram.serve("start", { env, folder });
    assert.equal(await program.ended, 2);
    assert.match(program.stderr, /tacho: .*later.*run a newer tacho/s);
  },
});
