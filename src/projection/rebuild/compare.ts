import { type Queryable, snapshot } from "../../database/mod.ts";
import { model_tables } from "../../domains/mod.ts";
import { read_head } from "../../event_log/mod.ts";
import { format_time, type Kept, kept_by_both } from "../../kpi/mod.ts";
import { beside, find_read_model, type RebuildSource } from "./read_model.ts";

/** How a read model differs from the live one, in what did not change since the position that it has come to. */
export interface Difference {
  /** The position that it has come to. */
  readonly position: number;
  /** Rows of both that were compared; what changed since is not. */
  readonly compared: number;
  readonly changed_since: number;
  /** Rows that differ. */
  readonly different: number;
  /** The least position that changed one of them last: since when it can be. Null where none does, or none says. */
  readonly since: number | null;
  /** The first of them, in words. */
  readonly examples: readonly string[];
}

const MOST_EXAMPLES = 20;

/** Compares a read model with the live one, row by row, at one moment. Others may append meanwhile. */
export function compare_read_models(
  { database, domain }: Pick<RebuildSource, "database" | "domain">,
  name: string,
): Promise<Difference> {
  const tables = model_tables(domain), others = tables.map((table) => beside(table, name));
  return snapshot(
    database,
    async (reading) => {
      const model = await find_read_model(reading, name);
      if (model === null) throw new Error(`compare ${name}: there is no read model of that name`);
      const kept = kept_by_both(model.kept, (await read_head(reading)).kept);
      let all: Difference = {
        position: model.position,
        compared: 0,
        changed_since: 0,
        different: 0,
        since: null,
        examples: [],
      };
      for (const [i, table] of tables.entries()) {
        const cells = table === domain.tables.sketches ? domain.tables.cells : null;
        const found = await compare_tables(reading, [table, others[i]!], model.position, cells, kept);
        all = {
          position: model.position,
          compared: all.compared + found.compared,
          changed_since: all.changed_since + found.changed_since,
          different: all.different + found.different,
          since: all.since === null || found.since === null
            ? all.since ?? found.since
            : Math.min(all.since, found.since),
          examples: [...all.examples, ...found.examples].slice(0, MOST_EXAMPLES),
        };
      }
      return all;
    },
    [...tables, ...others],
    0,
  );
}

/** Rows of what both keep, as SQL: of a table with grains. */
function kept_rows(table: string, kept: Kept, has_grains: boolean): string {
  const passed = Object.entries(kept).map(([grain, from_us]) =>
    `grain = '${grain}' and bucket < '${format_time(from_us)}'`
  );
  return passed.length === 0 || !has_grains ? table : `(select * from ${table} where not (${passed.join(" or ")}))`;
}

/**
 * Compares two tables of the same columns by their primary key. A row that changed after the position is not compared, nor one that the live
 * table has not known the position of; the position by which a cell was seen first follows from how events came in, and says nothing here.
 * @param dated_by a table of the same key that says which position changed a row last; null: the rows say it themselves
 */
async function compare_tables(
  reading: Queryable,
  [table, other]: readonly [string, string],
  position: number,
  dated_by: string | null,
  kept: Kept,
): Promise<Omit<Difference, "position">> {
  const columns = await reading.query<{ name: string; is_key: boolean }>(
    `select a.attname as name, coalesce(a.attnum = any (i.indkey), false) as is_key from pg_attribute a
      left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
      where a.attrelid = '${table}'::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
  );
  const key = columns.filter(({ is_key }) => is_key).map(({ name }) => name);
  const of = (name: string) => kept_rows(name, kept, key.includes("grain"));
  const said = columns.filter(({ name, is_key }) => !is_key && name !== "first_position").map(({ name }) => name);
  const differs = said.map((name) =>
    name === "last_position"
      ? "(live.last_position is distinct from made.last_position and live.last_position <> 0)"
      : `live.${name} is distinct from made.${name}`
  );
  // A row that is missing here or there has nothing to say of itself.
  const last = dated_by === null ? "coalesce(live.last_position, made.last_position)" : "dated.last_position";
  const cell_key = key.filter((name) => name !== "sketch");
  const dated = dated_by === null
    ? ""
    : `left join ${dated_by} dated on ${
      cell_key.map((name) => `dated.${name} = coalesce(live.${name}, made.${name})`).join(" and ")
    }`;
  const shown = (side: "live" | "made") =>
    `(select string_agg(concat(e.key, ' ', coalesce(e.value, 'null')), ', ') from jsonb_each_text(to_jsonb(compared.${side})) e
      where e.key = any (array[${said.map((name) => `'${name}'`).join(", ")}])
        and to_jsonb(compared.live)->e.key is distinct from to_jsonb(compared.made)->e.key)`;
  const lacks = (side: "live" | "made") => `${side}.${key[0]} is null`;
  const is_different = `(${[lacks("live"), lacks("made"), ...differs].join(" or ")})`;
  const compared_text = `with compared as (
      select ${key.map((name) => `coalesce(live.${name}, made.${name}) as ${name}`).join(", ")}, ${last} as last,
        coalesce(${last} > $1, false) as changed_since, ${is_different} as differs,
        case when ${lacks("live")} then 'it is missing in the live one' when ${
    lacks("made")
  } then 'it is in the live one alone' end as missing,
        case when ${is_different} then live end as live, case when ${is_different} then made end as made
      from ${of(table)} live full join ${of(other)} made on ${
    key.map((name) => `live.${name} = made.${name}`).join(" and ")
  } ${dated}
    )`;
  const [row] = await reading.query(
    `${compared_text} select count(*) filter (where not changed_since) as compared, count(*) filter (where changed_since) as changed_since,
      count(*) filter (where differs and not changed_since) as different,
      min(last) filter (where differs and not changed_since and last > 0) as since from compared`,
    [position],
  );
  const different = Number(row?.different);
  const examples = different === 0 ? [] : await reading.query<{ example: string }>(
    `${compared_text} select concat('${table} ', ${key.join(", ' ', ")}, ': ', coalesce(missing,
      concat('live has ', ${shown("live")}, '; made anew ', ${shown("made")}))) as example
      from compared where differs and not changed_since order by ${key.join(", ")} limit ${MOST_EXAMPLES}`,
    [position],
  );
  return {
    compared: Number(row?.compared),
    changed_since: Number(row?.changed_since),
    different,
    since: row?.since == null ? null : Number(row.since),
    examples: examples.map(({ example }) => example),
  };
}
