import { number_or_null, type Queryable, snapshot } from "../../database/mod.ts";
import { model_tables } from "../../domains/mod.ts";
import { read_deployment, read_head, same_settings, type Settings } from "../../event_log/mod.ts";
import { format_time, type Kept, kept_by_both } from "../../kpi/mod.ts";
import { find_read_model, type RebuildSource } from "./read_model.ts";
import { beside, table_columns } from "./tables.ts";

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
  /** What the live one is made by, where that is something else: what follows from it is not compared. */
  readonly live: Settings | null;
}

const MOST_EXAMPLES = 20;

/**
 * Compares a read model with the live one, row by row, at one moment. Others may append meanwhile. Of one that is made by other settings
 * what they say nothing of is compared: all but days where the time zone is another, all but places where the H3 resolution is.
 */
export function compare_read_models(
  { database, domain, places: own_places = [] }: Pick<RebuildSource, "database" | "domain" | "places">,
  name: string,
): Promise<Difference> {
  const tables = model_tables(domain), others = tables.map((table) => beside(table, name));
  return snapshot(
    database,
    async (reading) => {
      const model = await find_read_model(reading, name);
      if (model === null) throw new Error(`compare ${name}: there is no read model of that name`);
      const head = await read_head(reading), kept = kept_by_both(model.kept, head.kept);
      const deployment = await read_deployment(reading), { settings } = model;
      const live = deployment === null || settings === null || same_settings(settings, deployment) ? null : deployment;
      const days_differ = live !== null && live.time_zone !== settings?.time_zone;
      const places = live === null || live.h3_resolution === settings?.h3_resolution ? [] : own_places;
      let all: Difference = {
        live,
        position: model.position,
        compared: 0,
        changed_since: 0,
        different: 0,
        since: null,
        examples: [],
      };
      for (const [i, table] of tables.entries()) {
        const dated_by = DATED[table === domain.tables.states ? "states" : "cells"];
        const found = await compare_tables(reading, [table, others[i]!], {
          position: model.position,
          head: head.position,
          dating: table === domain.tables.sketches ? { ...dated_by, table: domain.tables.cells } : dated_by,
          kept,
          days_differ,
          places,
        });
        all = {
          live,
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

/** What says which position changed a row last. */
interface Dating {
  /** Of a row by its name, as SQL. */
  readonly last: (row: string) => string;
  /** A table of the same key whose rows say it; null: the rows say it themselves. */
  readonly table: string | null;
}

const DATED: Readonly<Record<"states" | "cells", Dating>> = {
  states: { last: (row) => `${row}.positions[cardinality(${row}.positions)]`, table: null },
  cells: { last: (row) => `${row}.last_position`, table: null },
};

/** What of two tables is compared. */
interface Compared {
  /** What changed after it, up to the head, is not. */
  readonly position: number;
  readonly head: number;
  readonly dating: Dating;
  /** What both keep of fine grains; the rest is not. */
  readonly kept: Kept;
  /** Whether days are others, and which dimensions are of other keys: those are not. */
  readonly days_differ: boolean;
  readonly places: NonNullable<RebuildSource["places"]>;
}

/** The rows of a table with such a key that are compared, as SQL. */
function compared_rows(
  table: string,
  key: readonly string[],
  { kept, days_differ, places }: Pick<Compared, "kept" | "days_differ" | "places">,
): string {
  const passed = Object.entries(kept).map(([grain, from_us]) =>
    `grain = '${grain}' and bucket < '${format_time(from_us)}'`
  );
  const left_out = [
    ...key.includes("grain") ? [...passed, ...days_differ ? ["grain = '1d'"] : []] : [],
    ...key.includes("dimension") ? places.map(({ name }) => `dimension = '${name}'`) : [],
  ];
  return left_out.length === 0 ? table : `(select * from ${table} where not (${left_out.join(" or ")}))`;
}

/**
 * Compares two tables of the same columns by their primary key. A row that changed after the position is not compared, nor one that the live
 * table has not known the position of; the position by which a cell was seen first follows from how events came in, and says nothing here.
 */
async function compare_tables(
  reading: Queryable,
  [table, other]: readonly [string, string],
  { position, head, dating, ...which }: Compared,
): Promise<Omit<Difference, "position" | "live">> {
  const columns = await table_columns(reading, table);
  const key = columns.filter(({ is_key }) => is_key).map(({ name }) => name);
  const of = (name: string) => compared_rows(name, key, which);
  const not_said = ["first_position", ...which.places.map(({ column }) => column)];
  const said = columns.filter(({ name, is_key }) => !is_key && !not_said.includes(name)).map(({ name }) => name);
  const differs = said.map((name) =>
    name === "last_position"
      ? "(live.last_position is distinct from made.last_position and live.last_position <> 0)"
      : `live.${name} is distinct from made.${name}`
  );
  // A row that is missing here or there has nothing to say of itself.
  const last = dating.table === null
    ? `coalesce(${dating.last("live")}, ${dating.last("made")})`
    : dating.last("dated");
  const cell_key = key.filter((name) => name !== "sketch");
  const dated = dating.table === null
    ? ""
    : `left join ${dating.table} dated on ${
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
        coalesce(${last} > $1 and ${last} <= $2, false) as changed_since, ${is_different} as differs,
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
    [position, head],
  );
  const different = Number(row?.different);
  const examples = different === 0 ? [] : await reading.query<{ example: string }>(
    `${compared_text} select concat('${table} ', ${key.join(", ' ', ")}, ': ', coalesce(missing,
      concat('live has ', ${shown("live")}, '; made anew ', ${shown("made")})),
      case when last > 0 then concat('; since position ', last) end) as example
      from compared where differs and not changed_since order by ${key.join(", ")} limit ${MOST_EXAMPLES}`,
    [position, head],
  );
  return {
    compared: Number(row?.compared),
    changed_since: Number(row?.changed_since),
    different,
    since: number_or_null(row?.since),
    examples: examples.map(({ example }) => example),
  };
}
