import assert from "node:assert/strict";
import { type Database, migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { trades_domain } from "../../src/domains/trades/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { shared_postgres } from "../support/postgres.ts";
import { message } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

const TERMS = { time_zone: "UTC", currency: "USD" };
const DOMAIN = trades_domain(TERMS);

/** What was told of trades, in words of this test's own: prices in cents. */
interface Told {
  readonly trade: string;
  readonly id: string;
  readonly minute: number;
  readonly what:
    | {
      readonly kind: "executed";
      readonly ticker: string;
      readonly side: string | null;
      readonly cents: number;
      readonly volume: number;
    }
    | { readonly kind: "corrected"; readonly cents: number | null; readonly volume: number | null }
    | { readonly kind: "busted" };
}

/** The same pseudo-random numbers every time (a linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

function some_trades(seed: number, trades: number): Told[] {
  const draw = numbers(seed);
  const told: Told[] = [];
  for (let t = 0; t < trades; t++) {
    const trade = `X-${t}`, minute = draw(180);
    if (draw(20) > 0) {
      const ticker = ["AAPL", "MSFT", "TSLA"][draw(3)]!, side = ["buy", "sell", null][draw(3)]!;
      told.push({
        trade,
        id: "a",
        minute,
        what: { kind: "executed", ticker, side, cents: 1 + draw(50_000), volume: 1 + draw(1_000_000_000) },
      });
    }
    for (let c = draw(3); c > 0; c--) {
      const cents = draw(2) === 0 ? null : 1 + draw(50_000), volume = draw(2) === 0 ? null : 1 + draw(1_000);
      told.push({ trade, id: `c${c}`, minute: minute + draw(60), what: { kind: "corrected", cents, volume } });
    }
    if (draw(8) === 0) told.push({ trade, id: "z", minute: minute + draw(60), what: { kind: "busted" } });
  }
  // Any order of arrival.
  for (let i = told.length - 1; i > 0; i--) {
    const j = draw(i + 1);
    [told[i], told[j]] = [told[j]!, told[i]!];
  }
  return told;
}

const START_MS = Date.UTC(2026, 2, 1, 6);
const at = (minute: number) => new Date(START_MS + minute * 60_000).toISOString();
const as_message = ({ trade, id, minute, what }: Told) => {
  const { kind, ...said } = what;
  const data = "cents" in said
    ? { ...said, price: said.cents === null ? null : (said.cents / 100).toFixed(2), cents: undefined }
    : said;
  return message(0, { trade_id: trade, event_id: id, type: `trade.${kind}`, occurred_at: at(minute), ...data });
};

interface Cell {
  trades: number;
  volume: bigint;
  notional_cents: bigint;
  cents: number;
  least: number;
  most: number;
  busted: number;
}

/** What the cells of a grain have to say, by dimension, key and bucket: folded here anew, from what was told. */
function expected_cells(told: readonly Told[], minutes: number): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const of_trade of Map.groupBy(told, ({ trade }) => trade).values()) {
    const in_order = of_trade.toSorted((a, b) => a.minute - b.minute || (a.id < b.id ? -1 : 1));
    const busted = in_order.findLast(({ what }) => what.kind === "busted");
    const executed = in_order.findLast(({ what }) => what.kind === "executed");
    const dated = busted ?? executed;
    if (dated === undefined) continue;
    const execution = executed?.what.kind === "executed" ? executed.what : null;
    let cents = execution?.cents ?? 0, volume = execution?.volume ?? 0;
    for (const { what } of in_order) {
      if (what.kind !== "corrected") continue;
      cents = what.cents ?? cents;
      volume = what.volume ?? volume;
    }
    const status = busted === undefined ? "executed" : "busted";
    const keys = { none: "all", status, ticker: execution?.ticker ?? "unknown", side: execution?.side ?? "unknown" };
    const bucket = at(Math.floor(dated.minute / minutes) * minutes);
    for (const [dimension, key] of Object.entries({ ...keys, venue: "unknown" })) {
      const name = `${dimension} ${key} ${bucket}`;
      const cell = cells.get(name) ??
        { trades: 0, volume: 0n, notional_cents: 0n, cents: 0, least: Infinity, most: 0, busted: 0 };
      cells.set(name, cell);
      if (busted !== undefined) cell.busted++;
      else {
        cell.trades++;
        cell.volume += BigInt(volume);
        cell.notional_cents += BigInt(cents) * BigInt(volume);
        cell.cents += cents;
        cell.least = Math.min(cell.least, cents);
        cell.most = Math.max(cell.most, cents);
      }
    }
  }
  return cells;
}

async function found_cells(database: Database, grain: string): Promise<Map<string, Cell>> {
  const rows = await database.query<Record<string, string | null>>(
    `select dimension, key, to_char(bucket at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') as bucket, trades, volume, notional_micros,
      price_sum_micros, price_min_micros, price_max_micros, busted from trade_cells where grain = $1 and trades + busted > 0`,
    [grain],
  );
  return new Map(rows.map((row) => [`${row.dimension} ${row.key} ${row.bucket}`, {
    trades: Number(row.trades),
    volume: BigInt(row.volume!),
    notional_cents: BigInt(row.notional_micros!) / 10_000n,
    cents: Number(row.price_sum_micros) / 10_000,
    least: row.price_min_micros === null ? Infinity : Number(row.price_min_micros) / 10_000,
    most: Number(row.price_max_micros ?? 0) / 10_000,
    busted: Number(row.busted),
  }]));
}

/** Lends a log of trades in a schema of its own. */
async function with_trades(work: (database: Database) => Promise<void>): Promise<void> {
  const { url } = await (await shared_postgres()).create_database();
  const database = await open_database({ url, data_dir: null, connections: 3, schema: "trades" });
  try {
    await migrate(database, migrations_of("trades"));
    await settle_deployment(database, TERMS);
    await work(database);
  } finally {
    await database.close();
  }
}

const audit = { domain: DOMAIN, days: days_in("UTC") };

for (const [seed, batch_messages, trades] of [[1, 7, 120], [2, 200, 120], [3, 1, 30]] as const) {
  tacho_test({
    name:
      `trades in any order, batches of ${batch_messages}: every cell is what was told of them, to the cent, and the log verifies`,
    needs: ["postgres"],
    fn: () =>
      with_trades(async (database) => {
        const told = some_trades(seed, trades);
        // Each message comes twice.
        const source = new MemorySource("trades", [[...told, ...told].map(as_message)]);
        const running = start_ingest(database, source, { domain: DOMAIN, time_zone: "UTC", batch_messages });
        try {
          await running.caught_up();
        } finally {
          await running.stop();
        }
        for (const [grain, minutes] of [["1m", 1], ["5m", 5], ["1h", 60]] as const) {
          assert.deepEqual(await found_cells(database, grain), expected_cells(told, minutes), grain);
        }
        // What boards compute from the rows of trades is what the cells keep.
        const sums = DOMAIN.measures.map(({ name, kind }) => {
          const parts = DOMAIN.board.facts.filter(({ adds }) => name in adds).map(({ at, counts, adds }) =>
            `(select ${kind === "min" || kind === "max" ? kind : "sum"}(${
              adds[name]
            }) from trades states where ${at} is not null and ${counts})`
          );
          assert.equal(parts.length, 1, name);
          return `coalesce(${parts[0]}, 0)::text as ${name}`;
        });
        const [kept] = await database.query(
          `select ${
            DOMAIN.measures.map(({ name }) => `coalesce(${name}, 0)::text as ${name}`).join(", ")
          } from trade_cells
            where grain = 'all' and dimension = 'none'`,
        );
        assert.deepEqual(await database.query(`select ${sums.join(", ")}`), [kept]);
        assert.deepEqual((await verified(database, {}, audit)).faults, []);
        const [head] = await database.query("select position, duplicates, held from log_head");
        assert.deepEqual(head, { position: String(told.length), duplicates: String(told.length), held: "0" });
      }),
  });
}
