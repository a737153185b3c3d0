import { plain_array, type Queryable, text_array } from "../../database/mod.ts";
import { type BoardBreakdown, type DomainBoard, table_names } from "../../domains/mod.ts";
import {
  ALL_KEPT,
  bucket_end,
  bucket_start,
  cells_grain,
  column_measures,
  type Days,
  format_time,
  type Grain,
  is_kept,
  type Kept,
  type Micros,
  type Tile,
  tile,
} from "../../kpi/mod.ts";
import { dimension_of, figure_number, figure_of, integer, totals_of } from "./figure.ts";
import { type Chosen, has_one_sql, key_sql, once_sql, Parameters, type Within } from "./states_relation.ts";
import { type Condition, finest_s, micros, type ViewGrain, type Window } from "./view.ts";

/** Breakdowns: the keys of a dimension over a stretch of event time, the greatest by count, and all others in one row. */

/** Keys that have a row of their own on the board: so many of the greatest by count, and as many by amount, so that a page may sort by either. */
export const TOP = 16;

/** A row of a breakdown: its key (null: all others) and the domain's two numbers. */
type BreakdownRow = Readonly<Record<string, string | number | null>>;

export interface Breakdown {
  readonly dimension: string;
  /** How many keys have anything, those in the last row included. */
  readonly total_keys: number;
  readonly rows: readonly BreakdownRow[];
}

/** One row as it was read; `key` is null for all others together. */
export interface KeyTotals {
  readonly dimension: string;
  readonly key: string | null;
  readonly keys: number;
  readonly count: bigint;
  readonly amount: bigint;
}

/** What a dimension keeps of all of time, as SQL that a further condition may follow: its cells, or its totals. */
export function all_time_of(board: DomainBoard, name: string): string {
  const { cells, totals } = board.tables;
  return dimension_of(board, name)?.totals === undefined
    ? `${cells} cells where grain = 'all' and bucket = to_timestamp(0) and dimension = '${name}'`
    : `${totals} totals where dimension = '${name}'`;
}

/** The measure that keys of a dimension are counted by of all of time: the board's, or where their totals do not keep it the first that they do. */
export function count_of_keys(board: DomainBoard, name: string): string {
  const { default_count } = board, totals = dimension_of(board, name)?.totals;
  return totals === undefined || totals.includes(default_count) ? default_count : totals[0] ?? default_count;
}

/** A currency that anything was counted in, and how much of what the domain's keys are counted by, of all of time; null: not told. */
export interface CurrencyCount {
  readonly currency: string;
  readonly count: number | null;
}

/** Reads which currencies there are, the greatest first: a cell of each. */
export async function read_currencies(queryable: Queryable, board: DomainBoard): Promise<CurrencyCount[]> {
  const { whole: { dimension, key }, measures, default_count } = board, { cells } = table_names(board);
  const counts = measures.flatMap(({ name, kind }) => kind === "count" ? [`${name} > 0`] : []).join(" or ");
  const rows = await queryable.query<{ currency: string; count: string }>({
    name: `feed_currencies_${cells}`,
    text: `select currency, ${default_count} as count from ${cells}
           where grain = 'all' and dimension = $1 and key = $2 and bucket = to_timestamp(0) and (${counts})
           order by 2 desc, 1`,
  }, [dimension, key]);
  return rows.map(({ currency, count }) => ({ currency, count: Number(count) }));
}

/**
 * The tiles of a dimension over a stretch of time; its all-time cells when the stretch is null.
 * @param stretch.kept given where coarser grains will do for those that are not kept over all of it
 */
export function tiles_of(
  board: DomainBoard,
  name: string,
  stretch: {
    readonly from_us: number;
    readonly to_us: number;
    readonly finest_s: number;
    readonly kept?: Kept | undefined;
  } | null,
  days: Days,
): Tile[] {
  if (stretch === null) return [{ grain: "all", from_us: 0, to_us: 1 }];
  const { kept = ALL_KEPT, from_us, finest_s } = stretch;
  const windows = (dimension_of(board, name)?.grains ?? []).filter((grain) => grain !== "all")
    .filter((grain) => is_kept(kept, grain, bucket_start(grain, from_us, days)));
  const fits = windows.filter((grain) => grain === "1d" || SECONDS[grain] >= finest_s);
  if (board.unsettled === undefined) return tile(stretch.from_us, stretch.to_us, fits, days);
  // Beside what is not settled finer ones are wanted, too; what they cover is the same.
  const whole = tile(stretch.from_us, stretch.to_us, fits.slice(0, 1), days, board.unsettled);
  const [first, last] = [whole[0], whole.at(-1)];
  return first === undefined || last === undefined
    ? []
    : tile(first.from_us, last.to_us, windows, days, board.unsettled);
}

const SECONDS = { "1m": 60, "5m": 300, "1h": 3_600 } as const;

/** The cells of a condition, as SQL; the values it needs are its dimension and its keys. */
export const matching = ({ excluded }: Condition, dimension: string, keys: string): string =>
  `dimension = ${dimension} and ${excluded ? `key <> all(${keys}::text[])` : `key = any(${keys}::text[])`}`;

/** The bucket of a time, by its start. Buckets of the clock come from arithmetic, which takes two thirds of a search among borders. */
export function bucket_sql(by: ViewGrain, { from_us, to_us }: Micros, days: Days, parameters: Parameters) {
  if (by !== "1d") return (at: string) => `date_bin('${WIDTH[by]}', ${at}, timestamptz '1900-01-01 00:00:00+00')`;
  const starts: string[] = [];
  for (let start_us = from_us; start_us < to_us; start_us = bucket_end(by, start_us, days)) {
    starts.push(format_time(start_us));
  }
  const borders = `${parameters.add(plain_array(starts))}::timestamptz[]`;
  return (at: string) => `(${borders})[width_bucket(${at}, ${borders})]`;
}

const WIDTH = { "1m": "1 minute", "5m": "5 minutes", "15m": "15 minutes", "1h": "1 hour" } as const;

/** Buckets of a window that are read from a board's cells. */
interface Buckets {
  readonly board: DomainBoard;
  readonly days: Days;
  readonly window: Window;
}

/** Whether each day of a window begins with a bucket of a grain, so that none of these lies in two days. */
function begins_days(grain: Grain, { from_us, to_us }: Micros, days: Days): boolean {
  for (let start_us = from_us; start_us < to_us; start_us = days.day_of(start_us).end_us) {
    if (bucket_start(grain, start_us, days) !== start_us) return false;
  }
  return true;
}

/** The cells that make up a window's buckets as of before, each with the `start` of its bucket: of its grain, finer ones, and pieces of then. */
export function bucketed_sql(
  { board, days, window: { grain, from_s, to_s } }: Buckets,
  dimension: string,
  matches: string,
  parameters: Parameters,
): string {
  const grains = (dimension_of(board, dimension)?.grains ?? []).filter((each) => each !== "all");
  const window = micros({ from_s, to_s }), start = bucket_sql(grain, window, days, parameters);
  // Days of a zone that is half an hour off begin inside an hour: what lies in that hour is told by finer ones.
  const within = grains.slice(0, grains.indexOf(cells_grain(grain)) + 1)
    .filter((each, i) => i === 0 || grain !== "1d" || each === "1d" || begins_days(each, window, days));
  const tiles = tile(window.from_us, window.to_us, within, days, board.unsettled);
  return tiles.map(({ grain, from_us, to_us }) =>
    `select ${start("cells.bucket")} as start, cells.* from ${board.tables.cells} cells
     where grain = ${parameters.add(grain)} and ${matches} and bucket >= ${
      parameters.add(format_time(from_us))
    }::timestamptz
       and bucket < ${parameters.add(format_time(to_us))}::timestamptz`
  ).join(" union all ");
}

/** What is read of a breakdown. */
interface Wanted extends Cover {
  readonly breakdown: BoardBreakdown;
}

/**
 * Reads the totals of the greatest keys of several dimensions, each over what covers a stretch: ordered by count, then key. Each tile is a range of
 * the cells' primary key.
 * @param limit keys that get a row of their own; null: those that a board has
 * @param named keys that get one whatever their place
 */
export async function read_key_totals(
  queryable: Queryable,
  board: DomainBoard,
  wanted: readonly Wanted[],
  limit: number | null,
  named: readonly string[] = [],
): Promise<KeyTotals[]> {
  const parameters = new Parameters([limit ?? TOP, text_array(named)]);
  const amount = figure_of(board, board.breakdown_row.amount).measure;
  const tiles = wanted.flatMap(({ breakdown, tiles }) =>
    tiles.map(({ grain, from_us, to_us }) => {
      const columns = `select dimension, key, ${breakdown.count} as count, ${amount} as amount`;
      if (grain === "all") return `${columns} from ${all_time_of(board, breakdown.dimension)}`;
      const [dimension, of] = [parameters.add(breakdown.dimension), parameters.add(grain)];
      const [from, to] = [from_us, to_us].map((us) => `${parameters.add(format_time(us))}::timestamptz`);
      return `${columns} from ${board.tables.cells} cells
              where dimension = ${dimension} and grain = ${of} and bucket >= ${from} and bucket < ${to}`;
    })
  );
  const parts = [...tiles, ...states_parts(board, wanted, parameters)];
  if (parts.length === 0) return [];
  const rows = await queryable.query<Record<string, string | null>>(
    `with summed as (
       select dimension, key, sum(count) as count, sum(amount) as amount from (${parts.join(" union all ")}) cells
       group by dimension, key
     ) ${
      ranked_keys_sql(board, "$1::bigint", `${limit === null ? GREATEST_OF_AMOUNT : "false"} or key = any ($2::text[])`)
    }`,
    parameters.values,
  );
  return rows.map(key_totals);
}

/** What states add to what cells say, or take off it: a select for those that count the same of the same stretches. */
function states_parts(board: DomainBoard, wanted: readonly Wanted[], parameters: Parameters): string[] {
  const groups = Map.groupBy(
    wanted.filter(({ states }) => states.length > 0),
    ({ breakdown: { count }, tiles, states }) => JSON.stringify([count, tiles.length === 0, states]),
  );
  return [...groups.values()].map((group) => {
    const { breakdown: { count }, tiles, states } = group[0]!, each = states.map(within_of(parameters));
    const sign = tiles.length === 0 ? "" : "-";
    const dimensions = group.map(({ breakdown: { dimension } }) => dimension);
    const within: Within = (at, last) => `(${each.map((lies) => lies(at, last)).join(" or ")})`;
    const text = keys_sql(board, { count, dimensions }, { within, from: "states", counted: "true" });
    return `select dimension, key collate "C" as key, ${sign}count as count, ${sign}amount as amount from (
              with states as not materialized (
                select ${states_columns(text).join(", ")} from ${board.tables.states} states
                where ${states_touching(board, text, states, parameters)}
              ) ${text}
            ) counted`;
  });
}

/** SQL: the condition of keys that have a row on the board for their amount. */
export const GREATEST_OF_AMOUNT = `place_of_amount <= ${TOP}`;

/**
 * The greatest keys of each dimension out of totals that are named `summed` (dimension, key, count, amount), and all
 * others in one row: ordered by count, then key.
 * @param limit SQL: keys that get a row of their own
 * @param named SQL: the condition of those that get one whatever their place
 * @param cast put after each number
 */
export function ranked_keys_sql({ persons = [] }: DomainBoard, limit: string, named: string, cast = ""): string {
  const own = `case when place <= ${limit} or ${named} then key end`;
  const ranked = `select dimension, ${own} as key, count(*)${cast} as keys,
       sum(count)${cast} as count, sum(amount)${cast} as amount${persons.length === 0 ? "" : ", min(place) as place"}
     from (
       select *, row_number() over (partition by dimension order by count desc, key) as place,
         row_number() over (partition by dimension order by amount desc nulls last, key) as place_of_amount
       from summed where count <> 0 or amount <> 0
     ) ranked group by dimension, ${own}
     order by dimension, ${own} is null, min(place)`;
  if (persons.length === 0) return ranked;
  // A person is shown by its id, unless it is forgotten.
  const id = `(select person_id from persons where alias = named.key)`;
  const shown = `case when dimension in (${
    persons.map((name) => `'${name}'`).join(", ")
  }) then coalesce(${id}, key) else key end`;
  return `select dimension, ${shown} as key, keys, count, amount from (${ranked}) named order by dimension, named.key is null, place`;
}

/** Reads a row of `ranked_keys_sql`. */
export function key_totals(row: Readonly<Record<string, string | null>>): KeyTotals {
  return {
    dimension: String(row.dimension),
    key: row.key ?? null,
    keys: integer(row.keys),
    count: BigInt(row.count ?? 0),
    amount: BigInt(row.amount ?? 0),
  };
}

/** The tiles of a dimension over a window, by cells as fine as its buckets are made of; where it keeps none so fine they reach beyond the window. */
export const tiles_over = (
  { board, days }: Pick<Buckets, "board" | "days">,
  name: string,
  window: Window,
): Tile[] => tiles_of(board, name, { ...micros(window), finest_s: finest_s(window) }, days);

/** What says the totals of a dimension's keys: tiles, less what states say of some stretches; without tiles what states say of these. */
export interface Cover {
  readonly tiles: readonly Tile[];
  readonly states: readonly Micros[];
}

/**
 * What covers a window of a dimension, to the bit. A window of minutes that begins within a cell of five has up to four of them too many before
 * its first, which few states fall into; past the end of one that goes on nothing has happened yet. Where that is longer than the window itself,
 * the states of the window say it.
 */
export function cover_of(asked: Pick<Buckets, "board" | "days">, name: string, window: Window): Cover {
  const tiles = tiles_over(asked, name, window), own = micros(window), { from_us, to_us } = own;
  const first = tiles[0], last = tiles.at(-1);
  if (first === undefined || last === undefined) return { tiles, states: [] };
  const before_us = from_us - first.from_us, after_us = last.to_us - to_us;
  if (before_us + after_us > to_us - from_us) return { tiles: [], states: [own] };
  const beyond = [{ from_us: first.from_us, to_us: from_us }, { from_us: to_us, to_us: last.to_us }];
  return { tiles, states: beyond.filter(({ from_us, to_us }) => from_us < to_us) };
}

/** Reads the totals of the greatest keys of some breakdowns over a window. */
export function read_keys(
  queryable: Queryable,
  { board, days, window }: Buckets,
  breakdowns: readonly BoardBreakdown[],
  { named, most }: { readonly named: readonly string[]; readonly most?: number | undefined },
): Promise<KeyTotals[]> {
  const wanted = breakdowns.map((breakdown) => ({
    breakdown,
    ...cover_of({ board, days }, breakdown.dimension, window),
  }));
  return read_key_totals(queryable, board, wanted, most ?? null, named);
}

/** The condition of a stretch: that a time lies in it; of a first and a last time, that some of those between them may. */
export const within_of = (parameters: Parameters) => ({ from_us, to_us }: Micros): Within => {
  const [from, to] = [from_us, to_us].map((us) => `${parameters.add(format_time(us))}::timestamptz`);
  return (at, last = at) => `${last} >= ${from} and ${at} < ${to}`;
};

/** The columns of states that a text reads. */
export const states_columns = (
  text: string,
): string[] => [...new Set(text.matchAll(/\bstates\.(\w+)/g).map(([column]) => column))];

/** The condition that a time which a text dates facts by may lie in one of some stretches: each column by its own index. */
export function states_touching(
  board: DomainBoard,
  text: string,
  stretches: readonly Micros[],
  parameters: Parameters,
): string {
  const columns = states_columns(text), touched = stretches.map(within_of(parameters));
  const dates = board.dates.filter(({ column }) => columns.includes(`states.${column}`));
  return `(${dates.flatMap(({ first, last }) => touched.map((touch) => `(${touch(first, last)})`)).join(" or ")})`;
}

/** The totals of every key of some dimensions: count and amount, as the board's breakdowns have them. All slots in one pass: none has a bucket. */
export function keys_sql(
  board: DomainBoard,
  { count, dimensions }: { readonly count: string; readonly dimensions: readonly string[] },
  { within, from, counted }: Chosen,
): string {
  const amount = figure_of(board, board.breakdown_row.amount).measure;
  // A count is a measure or an expression over measures: the slots that add to none of them need not be looked at.
  const needed = column_measures(board.measures).map(({ name }) => name)
    .filter((name) => name === amount || new RegExp(`\\b${name}\\b`).test(count));
  const keys = dimensions.map((dimension) => key_sql(board, dimension));
  const named = dimensions.map((dimension, i) => `when grouping(${keys[i]}) = 0 then '${dimension}'`);
  // A set of its own is no grouping set: processes then share the work.
  const [dimension, key, group] = dimensions.length === 1 ? [`'${dimensions[0]}'`, keys[0], keys[0]] : [
    `case ${named.join(" ")} end`,
    `coalesce(${keys.join(", ")})`,
    `grouping sets (${keys.map((key) => `(${key})`).join(", ")})`,
  ];
  const slots = board.facts.filter(({ adds }) => needed.some((name) => name in adds));
  const sums = needed.map((name) => `coalesce(${once_sql(board, name, slots, within)}, 0)::numeric as ${name}`);
  return `select dimension, key, ${count} as count, ${amount} as amount from (
            select ${dimension} as dimension, ${key} as key, ${sums.join(", ")} from ${from}
            where ${counted} and ${has_one_sql(slots, within)} group by ${group}
          ) cells`;
}

/** Breakdowns out of the totals of their keys. */
export function breakdowns_of(
  board: DomainBoard,
  breakdowns: readonly BoardBreakdown[],
  totals: readonly KeyTotals[],
): Breakdown[] {
  return breakdowns.map(({ dimension }) => {
    const own = totals.filter((row) => row.dimension === dimension);
    return {
      dimension,
      total_keys: own.reduce((sum, row) => sum + row.keys, 0),
      rows: own.map((row) => breakdown_row(board, row)),
    };
  });
}

function breakdown_row(board: DomainBoard, row: KeyTotals): BreakdownRow {
  const figure = figure_of(board, board.breakdown_row.amount);
  return {
    key: row.key,
    [board.breakdown_row.count]: Number(row.count),
    [board.breakdown_row.amount]: figure_number(figure, totals_of(board, { [figure.measure]: row.amount })),
  };
}
