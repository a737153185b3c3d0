import assert from "node:assert/strict";
import { migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { PAYMENTS as PAYMENTS_DOMAIN } from "../../src/domains/payments/mod.ts";
import { TRADES as TRADES_DOMAIN } from "../../src/domains/trades/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { type LoadMessage, LoadStream, TIME_ZONE } from "../chaos/load.ts";
import { PAYMENTS } from "../chaos/payments.ts";
import { TRADES } from "../chaos/trades.ts";
import { tacho_test } from "../support/available.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { shared_postgres } from "../support/postgres.ts";

/** The judge of chaos for domains other than trips: it agrees with what was ingested well, and names what is not. */

const PARTITIONS = 3;
const LOAD = { messages: 400, duplicates: 0.2, reordered: 0.5, late: 0.1, malformed: 0.1 };

const HARM_TO_PAYMENTS: readonly (readonly [sql: string, says: RegExp])[] = [
  [
    "update transaction_cells set captured_sum_micros = captured_sum_micros + 1 where currency = 'EUR'",
    /cell .*=EUR\|.* captured_sum_micros:/,
  ],
  [
    "update transaction_cells set currency = 'CHF' where currency = 'JPY' and grain = '1d'",
    /cell 1d .*=CHF\|.*: expected null/,
  ],
  [
    "update transaction_sketches set bins[1] = bins[1] - 1 where currency = 'EUR' and dimension = 'merchant' and bins <> '{}'",
    /sketch of cell .* merchant=EUR\|.*: expected \d+: \d+.*, found/,
  ],
  [
    "update transaction_sketches set currency = 'CHF' where currency = 'JPY' and grain = '1d'",
    /sketch of cell 1d .*=JPY\|.*: expected \d+: \d+.*, found $/,
  ],
  [
    "update transaction_totals set refunds_sum_micros = refunds_sum_micros + 1",
    /total payer \w+ .* refunds_sum_micros:/,
  ],
  [
    "update transactions set refund_micros[1] = refund_micros[1] + 1 where refund_micros is not null",
    /transactions "P-.*" refund_micros:/,
  ],
  [
    "update transactions set refunded_ats[1] = refunded_ats[1] - interval '1 us' where refunded_ats is not null",
    /transactions "P-.*" refunded_ats:/,
  ],
  ["update transactions set status = 'captured' where status = 'partially_refunded'", /transactions "P-.*" status:/],
  ["update transactions set currency = 'CHF' where currency = 'EUR'", /transactions "P-.*" currency:/],
];

const HARM_TO_TRADES: readonly (readonly [sql: string, says: RegExp])[] = [
  ["update trade_cells set notional_micros = notional_micros + 1 where grain = '1d'", /cell 1d .* notional_micros:/],
  ["delete from trade_cells where grain = '1m' and dimension = 'ticker'", /cell 1m .* ticker=.*: missing/],
  ["update trades set price_micros = price_micros + 1 where status = 'executed'", /trades "X-.*" price_micros:/],
  ["update trades set volume = null where status = 'executed'", /trades "X-.*" volume: expected \d+, found null/],
  ["delete from trades where status = 'busted'", /trades "X-.*": missing/],
  ["update log_head set duplicates = duplicates - 1", /log_head duplicates:/],
  ["update quarantine set status = 'discarded'", /expected in quarantine/],
  ["update events set data = '{}' where type = 'trade.executed'", /event .* data:/],
];

const JUDGED = [
  { chaos: TRADES, declared: TRADES_DOMAIN, harm: HARM_TO_TRADES },
  { chaos: PAYMENTS, declared: PAYMENTS_DOMAIN, harm: HARM_TO_PAYMENTS },
];

for (const { chaos: { name, messages, start_truth }, declared, harm } of JUDGED) {
  tacho_test({
    name: `the oracle of ${name} agrees with a log of ${name} with every trouble of chaos, and names whatever is off`,
    needs: ["postgres"],
    async fn() {
      const { url, superuser_url } = await (await shared_postgres()).create_database();
      const at = { data_dir: null, connections: 2, schema: name };
      const database = await open_database({ url, ...at });
      const superuser = await open_database({ url: superuser_url, ...at, connections: 1 });
      try {
        await migrate(database, migrations_of(name));
        await settle_deployment(database, { time_zone: TIME_ZONE, currency: "USD" });
        const stream = new LoadStream(3, messages(3));
        const placed = [1, 2, 3].flatMap((round) => stream.take(round, LOAD)).map((each) =>
          stream.place(each, PARTITIONS)
        );
        const as_message = ({ partition, key, value, timestamp_ms }: LoadMessage, offset: number) => ({
          topic: name,
          partition,
          offset,
          key: new TextEncoder().encode(key),
          value: typeof value === "string" ? new TextEncoder().encode(value) : value,
          headers: {},
          timestamp_ms,
          timestamp_is_brokers: false,
        });
        const partitions = Array.from(
          { length: PARTITIONS },
          (_, partition) => placed.filter((each) => each.partition === partition).map(as_message),
        );
        const oracle = start_truth();
        for (const message of partitions.flat()) oracle.take(message);
        const source = new MemorySource(name, partitions);
        const domain = declared.make({ currency: "USD" });
        const running = start_ingest(database, source, {
          domain,
          time_zone: TIME_ZONE,
          batch_messages: 50,
          now_ms: Date.now,
        });
        try {
          await running.caught_up();
        } finally {
          await running.stop();
        }
        const query = (sql: string) => superuser.query(sql);
        const { differences, counts } = await oracle.compare(query, new Map());
        assert.deepEqual(differences, []);
        assert.ok(counts.events > 1_000 && counts.duplicates > 100 && counts.quarantined > 50, JSON.stringify(counts));
        await superuser.script("set session_replication_role = replica");
        for (const [sql, says] of harm) {
          await superuser.script(`begin; ${sql}`);
          const anew = start_truth();
          for (const message of partitions.flat()) anew.take(message);
          const found = (await anew.compare(query, new Map())).differences;
          await superuser.script("rollback");
          assert.ok(found.some((each) => says.test(each)), `${sql}: ${found.join("\n")}`);
        }
      } finally {
        await superuser.close();
        await database.close();
      }
    },
  });
}
