import { type Database, type Queryable, snapshot, text_array } from "../../database/mod.ts";
import type { Domain } from "../../domains/mod.ts";
import { column_measures } from "../../kpi/mod.ts";
import { find_read_model, gone, LOCK_TIMEOUT_MS } from "./read_model.ts";
import { beside, exchange_tables, make_beside, table_columns, type TableColumn } from "./tables.ts";

/**
 * Read models that Flink jobs write: all tables of a domain that a job writes, states and how far it has read among them. Each job writes through a
 * door, a schema of views on its own tables, which stay on these whatever they are called: two jobs write beside each other, and
 * go on when their tables exchange their names.
 */

/** What a job writes through. */
export interface Door {
  readonly number: number;
  /** The schema of PostgreSQL that has its views. */
  readonly schema: string;
}

/** What read models are made of. */
type FlinkSource = { readonly database: Database; readonly domain: Domain };

/** The name of what is live, as doors know it. */
export const LIVE = "";

/** Cells and totals. */
const cell_tables = ({ tables: { cells, totals } }: Domain): string[] => [cells, ...totals === null ? [] : [totals]];

/** The tables that a job of a domain writes, that of states first. */
const written_tables = (domain: Domain): string[] => [domain.tables.states, ...cell_tables(domain), "flink_progress"];

/** The door to the tables of a read model; null where there is none. */
export async function find_door(queryable: Queryable, name: string): Promise<Door | null> {
  const [found] = await queryable.query<{ number: number; schema: string }>(
    "select number, format('%s_flink_%s', current_schema(), number) as schema from flink_doors where read_model = $1",
    [name],
  );
  return found ?? null;
}

/** Opens the door to the live tables, where it is not open yet. It makes a schema: for who owns the tables. */
export async function open_live_door({ database, domain }: FlinkSource): Promise<void> {
  await database.query("select open_flink_door($1, $2::text[])", [LIVE, text_array(written_tables(domain))]);
}

/** Makes tables beside the live ones, empty, and opens a door to them. It makes tables and a schema: for who owns those that there are. */
export function begin_flink_model({ database, domain }: FlinkSource, name: string): Promise<void> {
  return database.transaction(async (tx) => {
    // How far it has come its job says: nobody is told that it is rebuilt.
    await tx.execute(
      "insert into read_models (name, changed_at, time_zone) select $1, '-infinity', time_zone from log_head",
      [name],
    );
    for (const table of written_tables(domain)) await make_beside(tx, table, name);
    const placed = (table: string, how: string) =>
      tx.execute(
        `create trigger flink_is_placed before insert or update on ${
          beside(table, name)
        } for each row execute function ${how}`,
      );
    await placed(domain.tables.states, "flink_state()");
    for (const table of cell_tables(domain)) {
      await placed(table, "flink_cell()");
      await tx.execute(
        `create trigger flink_empties before delete on ${
          beside(table, name)
        } for each row execute function flink_empties()`,
      );
    }
    await tx.execute(
      `create trigger flink_progress_is_dated before insert or update on ${
        beside("flink_progress", name)
      } for each row execute function flink_read()`,
    );
    await tx.query("select open_flink_door($1, $2::text[])", [name, text_array(written_tables(domain))]);
  });
}

/**
 * Exchanges the tables of a read model with the live ones, in one transaction: whoever reads sees all of one or all of the other, and each job goes
 * on writing its own. What was live is the replaced one. Positions are those of another read model from then on.
 */
export function switch_flink_model({ database, domain }: FlinkSource, name: string): Promise<void> {
  return database.transaction(async (tx) => {
    await tx.execute(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await tx.execute("set local statement_timeout = 0");
    if (await find_read_model(tx, name) === null) throw gone(name);
    const tables = written_tables(domain);
    // What was submitted before there were doors wrote the tables that lie behind this one from now on.
    const [live] = await tx.query("select open_flink_door($1, $2::text[]) as door", [LIVE, text_array(tables)]);
    await tx.execute("update flink_jobs set door = $1 where door is null", [Number(live?.door)]);
    // Before the head: a job that holds it has its table already.
    await exchange_tables(tx, tables, name);
    // What is live takes turns, so that its positions are seen in the order of commits; what lies beside is nobody's but its own job's.
    for (const table of [domain.tables.states, ...cell_tables(domain)]) {
      await tx.execute(`drop trigger flink_takes_its_turn on ${beside(table, name)}`);
      await tx.execute(
        `create trigger flink_takes_its_turn before insert or update or delete on ${table} for each statement execute function flink_turn()`,
      );
    }
    await tx.execute(
      "update flink_doors set read_model = case read_model when $1 then $2 else $1 end where read_model in ($1, $2)",
      [LIVE, name],
    );
    await tx.execute("update read_models set state = 'replaced', changed_at = now() where name = $1", [name]);
    await tx.execute("update log_head set read_model = read_model + 1, recorded_at = clock_timestamp()");
  });
}

/** Removes the tables of a read model that is not live, its door, and what is known of its jobs. */
export function drop_flink_model({ database, domain }: FlinkSource, name: string): Promise<void> {
  return database.transaction(async (tx) => {
    const door = await find_door(tx, name);
    if (await tx.execute("delete from read_models where name = $1", [name]) !== 1) throw gone(name);
    if (door !== null) {
      await tx.execute(`drop schema ${door.schema} cascade`);
      await tx.execute("delete from flink_jobs where door = $1", [door.number]);
      await tx.execute("delete from flink_doors where number = $1", [door.number]);
    }
    for (const table of written_tables(domain)) await tx.execute(`drop table ${beside(table, name)}`);
  });
}

/** How far the jobs of a read model and of the live one have read: messages, of all partitions. */
export async function read_both(
  { database }: Pick<FlinkSource, "database">,
  name: string,
): Promise<{ readonly live: number; readonly made: number }> {
  const [row] = await database.query(
    `select (select coalesce(sum(next_offset), 0) from flink_progress) as live,
      (select coalesce(sum(next_offset), 0) from ${beside("flink_progress", name)}) as made`,
  );
  return { live: Number(row?.live), made: Number(row?.made) };
}

/** How the rows of a table, or of one dimension of it, differ from those of the live one. */
export interface PartDifference {
  /** The table, and the dimension where it has some. */
  readonly part: string;
  readonly compared: number;
  /** Rows that are not equal, those that only one has among them. */
  readonly different: number;
  readonly in_live_alone: number;
  readonly in_made_alone: number;
  /** The first of those that both have, in words. */
  readonly examples: readonly string[];
}

const MOST_EXAMPLES = 5;
/** What only says where a row was written. */
const PLACES = ["first_position", "last_position", "positions", "event_hashes"];

/** Compares a read model with the live one, row by row, at one moment; where nothing is in a cell any more it counts as none. */
export function compare_flink_models({ database, domain }: FlinkSource, name: string): Promise<PartDifference[]> {
  const tables = [domain.tables.states, ...cell_tables(domain)];
  const sums = column_measures(domain.measures).filter(({ kind }) => kind === "count" || kind === "sum");
  return snapshot(
    database,
    async (reading) => {
      const parts: PartDifference[] = [];
      for (const table of tables) {
        const columns = (await table_columns(reading, table)).filter(({ name }) => !PLACES.includes(name));
        const kept = sums.filter(({ name }) => columns.some((column) => column.name === name));
        const some = table === domain.tables.states ? "true" : kept.map(({ name }) => `${name} <> 0`).join(" or ");
        parts.push(...await compare_parts(reading, [table, beside(table, name)], columns, some));
      }
      return parts;
    },
    tables.flatMap((table) => [table, beside(table, name)]),
    0,
  );
}

/** @param some the condition that something is in a row */
async function compare_parts(
  reading: Queryable,
  [table, other]: readonly [string, string],
  columns: readonly TableColumn[],
  some: string,
): Promise<PartDifference[]> {
  const key = columns.filter(({ is_key }) => is_key).map(({ name }) => name);
  const said = columns.filter(({ is_key }) => !is_key).map(({ name }) => name);
  const part = key.includes("dimension")
    ? `concat('${table} ', coalesce(live.dimension, made.dimension))`
    : `'${table}'`;
  const lacks = (side: "live" | "made") => `${side}.${key[0]} is null`;
  const shown = (side: "live" | "made") =>
    `(select string_agg(concat(e.key, ' ', coalesce(e.value, 'null')), ', ' order by e.key) from jsonb_each_text(to_jsonb(${side})) e
      where e.key = any (array[${said.map((name) => `'${name}'`).join(", ")}])
        and to_jsonb(live)->e.key is distinct from to_jsonb(made)->e.key)`;
  const rows = await reading.query(
    `with compared as (
      select ${part} as part, concat_ws(' ', ${
      key.map((name) => `coalesce(live.${name}, made.${name})`).join(", ")
    }) as name,
        ${lacks("live")} as no_live, ${lacks("made")} as no_made,
        case when ${said.map((name) => `live.${name} is distinct from made.${name}`).join(" or ")} then
          case when live.${key[0]} is not null and made.${key[0]} is not null
            then concat('live has ', ${shown("live")}, '; the other ', ${shown("made")}) else '' end end as differs
      from (select * from ${table} where ${some}) live full join (select * from ${other} where ${some}) made
        on ${key.map((name) => `live.${name} = made.${name}`).join(" and ")}
    ), placed as (
      select *, row_number() over (partition by part order by coalesce(differs, '') = '', name) as place from compared
    )
    select part, count(*) as compared, count(*) filter (where differs is not null or no_live or no_made) as different,
      count(*) filter (where no_made) as in_live_alone, count(*) filter (where no_live) as in_made_alone,
      coalesce(json_agg(concat(name, ': ', differs) order by place) filter (where differs <> '' and place <= ${MOST_EXAMPLES}), '[]') as examples
    from placed group by part order by part`,
  );
  return rows.map((row) => ({
    part: String(row.part),
    compared: Number(row.compared),
    different: Number(row.different),
    in_live_alone: Number(row.in_live_alone),
    in_made_alone: Number(row.in_made_alone),
    examples: row.examples as unknown as string[],
  }));
}
