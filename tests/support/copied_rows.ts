import type { Database } from "../../src/database/mod.ts";
import { ALL_CELLS } from "./all_cells.ts";

const PAGE_ROWS = 5_000;

/** What a log and its read models consist of; cells as they once were, totals among them. */
export const LOG_TABLES = ["log_head", "events", "batches", "source_cursors", "trips", "trip_cells"] as const;

/**
 * Makes tables of one database hold the rows of another one's, in the columns that both have: so that a schema of long ago gets rows as the
 * program of then wrote them.
 * @param superuser the database to write, as one who may turn its triggers off
 */
export async function copy_rows(from: Database, superuser: Database, tables: readonly string[]): Promise<void> {
  const columns_of = async (
    database: Database,
    table: string,
  ) => (await database.query<{ attname: string; attnotnull: boolean }>(
    `select attname, attnotnull from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''
        order by attnum`,
    [table],
  ));
  for (const table of tables) {
    const relation = table === "trip_cells" ? `${ALL_CELLS} c` : table;
    const theirs = new Map((await columns_of(from, table)).map(({ attname, attnotnull }) => [attname, attnotnull]));
    const both = (await columns_of(superuser, table)).filter(({ attname }) => theirs.has(attname));
    const columns = both.map(({ attname }) => attname).join(", ");
    // What may be null since is a number: 0 stands for it.
    const read = both.map(({ attname, attnotnull }) =>
      attnotnull && !theirs.get(attname) ? `coalesce(${attname}, 0) as ${attname}` : attname
    ).join(", ");
    await superuser.script(`set session_replication_role = replica; delete from ${table}`);
    for (let at = 0;; at += PAGE_ROWS) {
      const [page] = await from.query(
        `select count(*)::int as rows, json_agg(t)::text as json from
          (select ${read} from ${relation} order by ${
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
