import type { Database } from "../../src/database/mod.ts";

const PAGE_ROWS = 5_000;

/** What a log and its read models consist of. */
export const LOG_TABLES = ["log_head", "events", "batches", "source_cursors", "trips", "trip_cells"] as const;

/**
 * Makes tables of one database hold the rows of another one's, in the columns that both have: so that a schema of long ago gets rows as the
 * program of then wrote them.
 * @param superuser the database to write, as one who may turn its triggers off
 */
export async function copy_rows(from: Database, superuser: Database, tables: readonly string[]): Promise<void> {
  const columns_of = async (database: Database, table: string) =>
    (await database.query(
      `select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''
        order by attnum`,
      [table],
    )).map(({ attname }) => String(attname));
  for (const table of tables) {
    const theirs = await columns_of(from, table);
    const columns = (await columns_of(superuser, table)).filter((name) => theirs.includes(name)).join(", ");
    await superuser.script(`set session_replication_role = replica; delete from ${table}`);
    for (let at = 0;; at += PAGE_ROWS) {
      const [page] = await from.query(
        `select count(*)::int as rows, json_agg(t)::text as json from
          (select ${columns} from ${table} order by ${
          columns.split(", ").slice(0, 4).join(", ")
        } offset $1 limit $2) t`,
        [at, PAGE_ROWS],
      );
      if (page?.rows === 0) break;
      await superuser.execute(
        `insert into ${table} (${columns}) select ${columns} from json_populate_recordset(null::${table}, $1::json)`,
        [String(page?.json)],
      );
    }
  }
  await superuser.script("set session_replication_role = origin");
}
