import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import type { DeclaredDomain } from "../../src/domains/mod.ts";
import { PAYMENTS } from "../../src/domains/payments/mod.ts";
import { TRADES } from "../../src/domains/trades/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import {
  export_table,
  FolderPlace,
  type MadeOfTheLog,
  type SnapshotExport,
  type TableFormat,
} from "../../src/export/mod.ts";
import { open_record_file } from "../../src/files/mod.ts";
import { tacho_test } from "../support/available.ts";
import { invented, log_template, make_log, take_in } from "../support/generated_log.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_python } from "../support/pyarrow.ts";
import { message } from "../support/trip_pipeline.ts";

/** States, cells and totals as files: what others read of them adds up to what the tables hold. */

const TERMS = { time_zone: "UTC", currency: "USD", h3_resolution: 8 };
/** A refund and a second one, of what the generator may not have come to. */
const REFUNDS = ["0.000001", "12.5"].map((amount, i) =>
  JSON.stringify({
    ...{
      event_id: `r${i}`,
      payment_id: 'P, "1"',
      type: "payment.refunded",
      occurred_at: "2026-03-02T11:30:00.000001Z",
    },
    amount,
  })
);

interface World {
  readonly database: Database;
  readonly folder: string;
  readonly place: FolderPlace;
  /** Exports a table; gives the file's path, rows and position. */
  readonly run: (
    what: MadeOfTheLog,
    format: TableFormat,
    other?: Partial<SnapshotExport>,
  ) => Promise<{ path: string; rows: number; position: number }>;
}

async function with_world(declared: DeclaredDomain, work: (world: World) => Promise<void>): Promise<void> {
  const made = new GuardedFolder("snapshots");
  await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
  const { url } = await (await shared_postgres()).create_database(log_template(declared));
  const database = await make_log(
    url,
    declared,
    [...invented(declared, 1), ...declared === PAYMENTS ? REFUNDS : []],
    400,
  );
  const place = new FolderPlace(made.path, Date.now);
  try {
    await work({
      database,
      folder: made.path,
      place,
      async run(what, format, other = {}) {
        const { name, ...came } = await export_table({
          ...{ database, place, form: { format, packing: null }, domain: declared.make(TERMS), log_id: "L", what },
          ...{ filters: [], grain: null, from_us: null, to_us: null, signal: new AbortController().signal },
          progress: () => {},
          ...other,
        });
        return { path: `${made.path}/${name}`, ...came };
      },
    });
  } finally {
    await database.close();
  }
}

/** Of each column: how many rows have none, and the sum of the others: of texts their bytes, of times microseconds, of lists all that is in them. */
const SUMS = `
import json, sys
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
t = pq.read_table(sys.argv[1])
sums = {}
for field, column in zip(t.schema, t.columns):
    nulls = column.null_count
    if pa.types.is_list(field.type): column = pc.list_flatten(column)
    if pa.types.is_timestamp(column.type): column = pc.cast(column, pa.int64())
    if pa.types.is_string(column.type): column = pc.binary_length(column)
    # Arrow's own sum of whole numbers wraps around.
    total = sum(column.drop_null().to_pylist()) if pa.types.is_integer(column.type) and len(column) > nulls else pc.sum(column).as_py()
    if pa.types.is_floating(column.type) and total is not None: total = round(total, 3)
    sums[field.name] = [str(field.type), nulls, None if total is None else str(total)]
print(json.dumps(sums))
`;

/** The same by SQL, by the names that the columns have in the file. */
async function sums_of(database: Database, table: string): Promise<Record<string, unknown>> {
  const columns = await database.query<{ name: string; type: string }>(
    "select attname::text as name, format_type(atttypid, null) as type from pg_attribute where attrelid = to_regclass($1) and attnum > 0 order by attnum",
    [table],
  );
  const sums: Record<string, unknown> = {};
  for (const { name, type } of columns) {
    if (name === "positions" || name === "event_hashes") continue;
    const micros = name.endsWith("_micros"), list = type.endsWith("[]");
    const of = list ? `unnest(${name})` : name;
    const each = type.startsWith("timestamp")
      ? "(extract(epoch from v) * 1000000)::bigint"
      : type === "text"
      ? "octet_length(v)"
      : micros
      ? "(v::numeric / 1000000)::numeric(38, 6)"
      : type === "double precision"
      ? "v"
      : "v::numeric";
    const total = type === "double precision" ? "round(sum(v)::numeric, 3)::double precision" : `sum(${each})`;
    const [row] = await database.query<{ nulls: number; total: string | null }>(
      `select (select count(*)::int from ${table} where ${name} is null) as nulls,
        (select ${total}::text from (select ${of} as v from ${table}) e) as total`,
    );
    const arrow = type.startsWith("timestamp")
      ? "timestamp[us, tz=UTC]"
      : type === "text"
      ? "string"
      : micros
      ? "decimal128(38, 6)"
      : type === "numeric"
      ? "decimal128(38, 0)"
      : type === "double precision"
      ? "double"
      : "int64";
    const outside = micros ? name.replace("_micros", list ? "s" : "") : name;
    sums[outside] = [list ? `list<element: ${arrow} not null>` : arrow, row!.nulls, row!.total];
  }
  return sums;
}

/** The rows of a file as texts, as the program itself reads it. */
async function texts_of(path: string): Promise<string[]> {
  const texts: string[] = [];
  const text = (value: unknown): string =>
    Array.isArray(value) ? JSON.stringify(value) : value === null || value === undefined ? "" : String(value);
  for await (const { rows } of (await open_record_file(path)).rows()) {
    for (const row of rows) {
      assert.ok(row.record !== null, path);
      texts.push(JSON.stringify(Object.entries(row.record).map(([name, value]) => [name, text(value)])));
    }
  }
  return texts;
}

for (const declared of [TRIPS, PAYMENTS, TRADES]) {
  const { tables } = declared.make(TERMS);
  const made = (["states", "cells", "totals"] as const).filter((what) => tables[what] !== null);
  tacho_test({
    name: `${
      made.join(", ")
    } of ${declared.name} as Parquet add up to what the tables hold, column by column; text says the same`,
    needs: ["postgres", "pyarrow"],
    fn: () =>
      with_world(declared, async ({ database, run }) => {
        for (const what of made) {
          const parquet = await run(what, "parquet");
          const sums = await sums_of(database, tables[what]!);
          assert.deepEqual(await run_python(SUMS, parquet.path), sums);
          const [{ rows }] = await database.query<{ rows: number }>(
            `select count(*)::int as rows from ${tables[what]}`,
          ) as [{ rows: number }];
          assert.ok(rows > 10);
          assert.equal(parquet.rows, rows);
          const told = await texts_of(parquet.path);
          assert.equal(told.length, rows);
          assert.deepEqual(await texts_of((await run(what, "ndjson")).path), told);
          assert.deepEqual(await texts_of((await run(what, "csv")).path), told);
        }
      }),
  });
}

tacho_test({
  name:
    "a table is exported as of one moment, whatever is appended meanwhile; one that is not written to its end leaves the file of before",
  needs: ["postgres"],
  fn: () =>
    with_world(TRADES, async ({ database, folder, place, run }) => {
      const before = await run("states", "ndjson");
      const first = Deno.readTextFileSync(before.path);
      const trade = JSON.stringify({
        ...{ event_id: "n", trade_id: "new", type: "trade.executed", ticker: "NEW", price: "1", volume: 1 },
        occurred_at: "2026-03-02T11:00:00Z",
      });
      let appended = false;
      const meanwhile = Object.assign(Object.create(place), {
        async begin(name: string) {
          if (!appended) await take_in(database, TRADES.make(TERMS), "others", [message(0, trade)], 1);
          appended = true;
          return await place.begin(name);
        },
      });
      const during = await run("states", "ndjson", { place: meanwhile });
      assert.deepEqual([during.position, during.rows], [before.position, before.rows]);
      assert.equal(Deno.readTextFileSync(during.path), first);
      const gone = new Error("gone");
      await assert.rejects(
        run("states", "ndjson", {
          progress: () => {
            throw gone;
          },
        }),
        (error) => error === gone,
      );
      assert.equal(Deno.readTextFileSync(before.path), first);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["trades.ndjson"]);
      const after = await run("states", "ndjson");
      assert.deepEqual([after.position, after.rows], [before.position + 1, before.rows + 1]);
    }),
});

tacho_test({
  name: "rows are chosen by values of dimensions, grain and time",
  needs: ["postgres"],
  fn: () =>
    with_world(TRADES, async ({ database, run }) => {
      const count = async (from: string) =>
        (await database.query<{ n: number }>(`select count(*)::int as n from ${from}`))[0]!.n;
      const filters = [{ dimension: "ticker", key: "AAPL" }];
      const states = await run("states", "csv", { filters: [...filters, { dimension: "side", key: "buy" }] });
      assert.equal(states.rows, await count("trades where ticker = 'AAPL' and side = 'buy'"));
      assert.ok(states.rows > 0);
      // Of one dimension either, as on boards.
      const either = await run("states", "csv", {
        filters: [...filters, { dimension: "ticker", key: "MSFT" }, { dimension: "side", key: "buy" }],
      });
      assert.equal(either.rows, await count("trades where ticker in ('AAPL', 'MSFT') and side = 'buy'"));
      assert.ok(either.rows > states.rows);
      const unknown = await run("states", "csv", { filters: [{ dimension: "venue", key: "unknown" }] });
      assert.equal(unknown.rows, await count("trades where venue is null"));
      // Whoever names it so is counted with what nobody named, as on boards.
      await database.execute(
        "update trades set venue = 'unknown' where trade_id in (select trade_id from trades where venue is not null limit 2)",
      );
      const named = await run("states", "csv", { filters: [{ dimension: "venue", key: "unknown" }] });
      assert.equal(named.rows, unknown.rows + 2);
      const from_us = Date.UTC(2026, 2, 2, 11, 10) * 1_000, to_us = Date.UTC(2026, 2, 2, 11, 40) * 1_000;
      const cells = await run("cells", "csv", { filters, grain: "5m", from_us, to_us });
      const rows = "grain = '5m' and bucket between '2026-03-02T11:10:00Z' and '2026-03-02T11:40:00Z'";
      assert.equal(cells.rows, await count(`trade_cells where dimension = 'ticker' and key = 'AAPL' and ${rows}`));
      assert.ok(cells.rows > 3);
    }),
});
