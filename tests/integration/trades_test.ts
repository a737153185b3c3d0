import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { start_ingest } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import {
  as_message,
  at,
  by_date,
  type Priced,
  priced,
  some_trades,
  standings,
  type Told,
  TRADES_DOMAIN,
  with_trades,
} from "../support/told_trades.ts";
import { verified } from "../support/verified_log.ts";

interface Cell {
  trades: number;
  volume: bigint;
  notional_cents: bigint;
  cents: number;
  least: number;
  most: number;
  first: Priced | null;
  last: Priced | null;
  busted: number;
}

const NOTHING: Cell = {
  trades: 0,
  volume: 0n,
  notional_cents: 0n,
  cents: 0,
  least: 0,
  most: 0,
  first: null,
  last: null,
  busted: 0,
};

/** What the cells of a grain have to say, by dimension, key and bucket: folded here anew, from what was told. */
function expected_cells(told: readonly Told[], minutes: number): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const { keys, busted, volume, ...dated } of standings(told)) {
    const { cents } = dated;
    const bucket = at(Math.floor(dated.minute / minutes) * minutes);
    for (const [dimension, key] of Object.entries(keys)) {
      const name = `${dimension} ${key} ${bucket}`;
      const cell = cells.get(name) ??
        { ...NOTHING, least: Infinity };
      cells.set(name, cell);
      if (busted) cell.busted++;
      else {
        cell.trades++;
        cell.volume += BigInt(volume);
        cell.notional_cents += BigInt(cents) * BigInt(volume);
        cell.cents += cents;
        cell.least = Math.min(cell.least, cents);
        cell.most = Math.max(cell.most, cents);
        const priced = { minute: dated.minute, id: dated.id, cents };
        if (cell.first === null || by_date(priced, cell.first) < 0) cell.first = priced;
        if (cell.last === null || by_date(priced, cell.last) > 0) cell.last = priced;
      }
    }
  }
  return cells;
}

async function found_cells(database: Database, grain: string): Promise<Map<string, Cell>> {
  const rows = await database.query<Record<string, string | null>>(
    `select dimension, key, to_char(bucket at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') as bucket, trades, volume, notional_micros,
      price_sum_micros, price_min_micros, price_max_micros, price_first_micros, price_first_micros_by, price_last_micros,
      price_last_micros_by, busted from trade_cells where grain = $1 and trades + busted > 0`,
    [grain],
  );
  return new Map(rows.map((row) => [`${row.dimension} ${row.key} ${row.bucket}`, {
    trades: Number(row.trades),
    volume: BigInt(row.volume!),
    notional_cents: BigInt(row.notional_micros!) / 10_000n,
    cents: Number(row.price_sum_micros) / 10_000,
    least: row.price_min_micros === null ? Infinity : Number(row.price_min_micros) / 10_000,
    most: Number(row.price_max_micros ?? 0) / 10_000,
    first: priced(row.price_first_micros!, row.price_first_micros_by!),
    last: priced(row.price_last_micros!, row.price_last_micros_by!),
    busted: Number(row.busted),
  }]));
}

const audit = { domain: TRADES_DOMAIN, days: days_in("UTC") };

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
        const running = start_ingest(database, source, { domain: TRADES_DOMAIN, time_zone: "UTC", batch_messages });
        try {
          await running.caught_up();
        } finally {
          await running.stop();
        }
        for (const [grain, minutes] of [["1m", 1], ["5m", 5], ["1h", 60]] as const) {
          assert.deepEqual(await found_cells(database, grain), expected_cells(told, minutes), grain);
        }
        assert.deepEqual((await verified(database, {}, audit)).faults, []);
        const [head] = await database.query("select position, duplicates, held from log_head");
        assert.deepEqual(head, { position: String(told.length), duplicates: String(told.length), held: "0" });
      }),
  });
}
