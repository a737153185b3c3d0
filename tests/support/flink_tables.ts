import type { Database } from "../../src/database/mod.ts";

/** Stands in for a Flink job: writes rows into the tables that are its, in the way that its JDBC sink does. */

/** What a job does not know: positions are the database's. */
const NOT_WRITTEN = ["positions", "event_hashes", "first_position", "last_position"];
const ROWS = 1_000;

/** A table's columns that a job writes, and those of its key. */
async function columns_of(database: Database, table: string) {
  const rows = await database.query<{ name: string; is_key: boolean }>(
    `select attname::text as name, exists (select from pg_index where indrelid = attrelid and indisprimary and attnum = any(indkey)) as is_key
      from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped and attname <> all($2) order by attnum`,
    [table, `{${NOT_WRITTEN.join(",")}}`],
  );
  return { all: rows.map(({ name }) => name), key: rows.filter(({ is_key }) => is_key).map(({ name }) => name) };
}

/**
 * Upserts rows of a table, given as a JSON array of rows with the same columns, in one transaction, as one flush of a sink is.
 * @param through the schema of the door that it writes through; absent: the table by its name
 */
export async function upsert_as_flink(
  database: Database,
  table: string,
  rows: string,
  through?: string,
): Promise<void> {
  const { all: known, key } = await columns_of(database, table);
  const [first] = JSON.parse(rows) as Record<string, unknown>[];
  const all = known.filter((name) => Object.hasOwn(first!, name));
  const rest = all.filter((name) => !key.includes(name));
  await database.execute(
    `insert into ${through === undefined ? "" : `${through}.`}${table} (${all.join(", ")}) select ${
      all.join(", ")
    } from json_populate_recordset(null::${table}, $1::json)
      on conflict (${key.join(", ")}) do update set ${rest.map((name) => `${name} = excluded.${name}`).join(", ")}`,
    [rows],
  );
}

/**
 * Writes all that a table of a log has into that of a database that Flink writes.
 * @param into the table there; that of the same name unless given
 * @returns how many rows
 */
export async function copy_as_flink(
  from: Database,
  to: Database,
  table: string,
  into = table,
): Promise<number> {
  const { key } = await columns_of(from, table);
  for (let at = 0;; at += ROWS) {
    const [page] = await from.query<{ rows: number; json: string | null }>(
      `select count(*)::int as rows, json_agg(t)::text as json from
        (select * from ${table} order by ${key.join(", ")} offset $1 limit $2) t`,
      [at, ROWS],
    );
    if (page?.json != null) await upsert_as_flink(to, into, page.json);
    if ((page?.rows ?? 0) < ROWS) return at + (page?.rows ?? 0);
  }
}

/** A range that all of what is invented lies in. */
export const RANGE = "from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z";

type Json = Record<string, unknown>;

/** A board without what names a place in the log, and without when it was read. */
export function of_board(board: Json): Json {
  const { log_id: _, position: _p, now_ms: _n, computed, currencies: _c, ...rest } = board;
  const { failed } = computed as Json;
  const list = Object.entries(rest).find(([, value]) => Array.isArray(value) && (value[0] as Json)?.at_ms)?.[0] ?? "";
  const { series, [list]: lines, ...same } = rest;
  // Marks of late corrections are made from the log.
  const { revised: _r, ...columns } = series as Json;
  return { ...same, columns, failed, lines: (lines as unknown[] ?? []).length > 0 };
}
