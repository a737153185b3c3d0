import { plain_array, type Queryable, text_array } from "../../database/mod.ts";
import { type DomainBoard, type SummedFigure, table_names } from "../../domains/mod.ts";
import { cells_grain, format_time, is_extreme } from "../../kpi/mod.ts";
import { bucketed_sql, cover_of, type KeyTotals, read_key_totals } from "./breakdown.ts";
import {
  type BucketRow,
  figure_number,
  figure_of,
  integer,
  measures_in,
  prepared,
  sum_columns,
  totals_of,
} from "./figure.ts";
import { Parameters } from "./states_relation.ts";
import type { Condition } from "./view.ts";
import {
  breakdown_of,
  type Figures,
  keyed_charts,
  keyed_dimensions,
  type KeyedFigures,
  type KeyedRow,
  type Question,
  type WantedKeys,
} from "./question.ts";

/**
 * Charts with a line for each of the greatest keys of a dimension. Their columns are among those of the series: the key of line 2 of the chart
 * `price` is in `price.2`, all others in `price.others`; null where nothing is counted. Which key has which line is told beside them, and a key
 * keeps its line as long as it is among the greatest: so lines keep their colours, and columns stay as few however keys come and go.
 */

/** What is told of the lines of a dimension: the key of each line, null of none, and how many other keys there are. */
export interface KeyLines {
  readonly keys: readonly (string | null)[];
  readonly others: number;
}

/** By dimension; of those that are known. */
export type KeyLinesOf = Readonly<Record<string, KeyLines>>;

/** Columns of lines by key, as those of a series: `t` ascending, for each bucket the position that changed it last (0: not told). */
export interface KeyedSeries {
  readonly lines: KeyLinesOf;
  readonly t: readonly number[];
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
  readonly changed_at: readonly number[];
}

export const NO_KEYED: KeyedSeries = { lines: {}, t: [], columns: {}, changed_at: [] };

/** The figures of a dimension's charts, and the measures that they are made of. */
const figures_by = (board: DomainBoard, dimension: string, others = false): SummedFigure[] =>
  keyed_charts(board).filter((chart) => chart.by === dimension && (!others || chart.others)).map(({ figure }) =>
    figure_of(board, figure)
  );
const measures_of = (figures: readonly SummedFigure[]): string[] => [
  ...new Set(figures.flatMap(measures_in)),
];

/** The measures that the charts of a dimension are made of. */
export const measures_by = (board: DomainBoard, dimension: string): string[] =>
  measures_of(figures_by(board, dimension));

/** A figure of a bucket, which may not be there: null for an extreme or a mean of nothing. Sums are divided as doubles, as those of series. */
function value_of(board: DomainBoard, figure: SummedFigure, row: BucketRow | undefined): number | null {
  if (figure.unknown) return null;
  if (figure.kind === "mean") return figure_number(figure, totals_of(board, row ?? {}));
  const value = row?.[figure.measure] ?? null;
  if (value !== null) return Number(value) / figure.per;
  return is_extreme(board.measures.find(({ name }) => name === figure.measure)?.kind) ? null : 0;
}

/** Which key has which line: who had one keeps it, newcomers take those that are free, by name. Pure. */
export function assign_lines(
  keys: readonly string[],
  before: readonly (string | null)[],
  lines: number,
): (string | null)[] {
  const kept = Array.from({ length: lines }, (_, i) => {
    const key = before[i] ?? null;
    return key !== null && keys.includes(key) ? key : null;
  });
  const newcomers = keys.filter((key) => !kept.includes(key)).slice(0, lines).sort();
  return kept.map((key) => key ?? newcomers.shift() ?? null);
}

/** The columns of lines by key, in the lines that keys had before. Pure. */
export function keyed_series(
  { board }: Pick<Question, "board">,
  { keyed }: Pick<Figures, "keyed">,
  before: KeyLinesOf,
): KeyedSeries {
  if (keyed.length === 0) return NO_KEYED;
  const changed = new Map<number, number>();
  for (const row of keyed.flatMap(({ rows }) => rows)) {
    const t = integer(row.t);
    changed.set(t, Math.max(changed.get(t) ?? 0, Number(row.changed_at ?? 0)));
  }
  const t = [...changed.keys()].sort((a, b) => a - b);
  const lines: Record<string, KeyLines> = {}, columns: Record<string, (number | null)[]> = {};
  for (const { dimension, keys, others, rows } of keyed) {
    const { top } = keyed_dimensions(board).find((each) => each.dimension === dimension)!;
    const of_lines = assign_lines(keys, before[dimension]?.keys ?? [], top);
    lines[dimension] = { keys: of_lines, others };
    const found = new Map<string | null, Map<number, BucketRow>>(
      [...Map.groupBy(rows, ({ key }) => key)].map(([key, own]) => [key, by_start(own)]),
    );
    for (const { name, by, top, figure, others } of keyed_charts(board)) {
      if (by !== dimension) continue;
      const declared = figure_of(board, figure);
      const column = (key: string | null) => t.map((at) => value_of(board, declared, found.get(key)?.get(at)));
      of_lines.slice(0, top).forEach((key, i) => {
        columns[`${name}.${i}`] = key === null ? t.map(() => null) : column(key);
      });
      if (others) columns[`${name}.others`] = column(null);
    }
  }
  return { lines, t, columns, changed_at: t.map((at) => changed.get(at)!) };
}

const by_start = (rows: readonly BucketRow[]): Map<number, BucketRow> =>
  new Map(rows.map((row) => [integer(row.t), row]));

/** A series, and the position that changed each of its buckets last, with the columns of lines by key beside its own. Pure. */
export function with_keyed<S extends { readonly t: readonly number[] }>(
  { series, changed_at }: { readonly series: S; readonly changed_at: readonly number[] },
  keyed: KeyedSeries,
): { readonly series: S; readonly changed_at: readonly number[] } {
  const names = Object.keys(keyed.columns);
  if (names.length === 0) return { series, changed_at };
  const place = new Map(keyed.t.map((t, i) => [t, i]));
  const rows = series.t.map((t) => place.get(t));
  const columns = names.map((name) => {
    const column = keyed.columns[name]!;
    return [name, rows.map((row) => row === undefined ? null : column[row]!)] as const;
  });
  return {
    series: { ...series, ...Object.fromEntries(columns) },
    changed_at: changed_at.map((at, i) => rows[i] === undefined ? at : Math.max(at, keyed.changed_at[rows[i]]!)),
  };
}

/**
 * Reads the lines of keys of dimensions from cells: one statement, of the buckets that anything lies in and the keys that have lines; each is a
 * row by the cells' primary key, however many keys there are. All others are the whole without those, to the bit.
 * @param condition what the cells of the whole are of: of them all, or of keys of the one dimension that is wanted
 * @param buckets those of the condition, ascending
 * @param totals of the keys by breakdown; what is not among them is ranked by a statement of its own
 */
export async function read_keyed(
  queryable: Queryable,
  question: Question,
  condition: Condition,
  buckets: readonly BucketRow[],
  totals: readonly KeyTotals[],
): Promise<KeyedFigures[]> {
  const { board, window, wants: { keyed = [] } } = question;
  if (keyed.length === 0) return [];
  const ranked = await Promise.all(
    keyed.map(async (wanted) => ({ ...wanted, ...await ranked_keys(queryable, question, condition, wanted, totals) })),
  );
  const measures = [...new Set(keyed.flatMap(({ dimension }) => measures_by(board, dimension)))];
  const answer = (rows: readonly (KeyedRow & { readonly dimension: string })[]) =>
    ranked.map(({ dimension, keys, others }) => {
      const own = rows.filter((row) => row.dimension === dimension);
      return { dimension, keys, others, rows: [...own, ...others_of(board, dimension, buckets, own)] };
    });
  if (board.unsettled !== undefined) {
    const parameters = new Parameters();
    const cells = ranked.map(({ dimension, keys }) => {
      const own = `dimension = '${dimension}' and key = any(${parameters.add(text_array(keys))}::text[])`;
      return bucketed_sql(question, dimension, own, parameters);
    });
    const rows = await queryable.query<KeyedRow & { readonly dimension: string }>(
      `select dimension, key, floor(extract(epoch from start))::bigint as t, max(last_position) as changed_at, ${
        sum_columns(board)
      } from (${cells.join(" union all ")}) cells group by dimension, key, start order by start`,
      parameters.values,
    );
    return answer(rows);
  }
  const quarters = window.grain === "15m";
  const kept = (at: string) =>
    `select * from ${board.tables.cells} kept where grain = $4 and dimension = line.dimension and ${at}
             and key = line.key offset 0`;
  const statement = prepared(
    board,
    `feed_keyed_${table_names(board).cells}${quarters ? "_quarters" : ""}`,
    // Bucket by bucket, each by the primary key: the fence keeps the planner to that order.
    `select cells.dimension, cells.key, floor(extract(epoch from cells.bucket))::bigint as t,
             cells.last_position as changed_at, ${measures.map((name) => `cells.${name}`).join(", ")}
           from unnest($1::text[], $2::text[]) as line(dimension, key)
           cross join unnest($3::timestamptz[]) as at(bucket)
           cross join lateral (${
      quarters
        ? `select dimension, key, at.bucket, max(last_position) as last_position, ${sum_columns(board)} from (
             ${kept("bucket >= at.bucket and bucket < at.bucket + interval '15 minutes'")}
           ) cells group by dimension, key`
        : kept("bucket = at.bucket")
    }) cells`,
  );
  const rows = await queryable.query<KeyedRow & { readonly dimension: string }>(statement, [
    text_array(ranked.flatMap(({ dimension, keys }) => keys.map(() => dimension))),
    text_array(ranked.flatMap(({ keys }) => keys)),
    plain_array(buckets.map(({ t }) => format_time(integer(t) * 1e6))),
    cells_grain(window.grain),
  ]);
  return answer(rows);
}

/** The greatest keys of a dimension among those that a condition leaves, and how many others there are. */
async function ranked_keys(
  queryable: Queryable,
  { board, days, window, wants: { breakdowns = [] } }: Question,
  condition: Condition,
  { dimension, top }: WantedKeys,
  totals: readonly KeyTotals[],
): Promise<{ readonly keys: readonly string[]; readonly others: number }> {
  const { keys: named, excluded } = condition;
  const own = condition.dimension === dimension;
  if (own && !excluded && named.length <= top) return { keys: named, others: 0 };
  const breakdown = breakdown_of(board, dimension);
  const asked = own || !breakdowns.includes(breakdown);
  const found = asked
    ? await read_key_totals(
      queryable,
      board,
      [{ breakdown, ...cover_of({ board, days }, dimension, window) }],
      top + (own && excluded ? named.length : 0),
      own ? named : [],
    )
    : totals.filter((each) => each.dimension === dimension);
  const all = found.reduce((sum, { keys }) => sum + keys, 0);
  const ranked = found.flatMap(({ key }) => key === null ? [] : [key]);
  const left = ranked.filter((key) => !own || named.includes(key) !== excluded);
  const counted = !own ? all : excluded ? all - (ranked.length - left.length) : left.length;
  const keys = left.slice(0, top);
  return { keys, others: Math.max(counted - keys.length, 0) };
}

/** All other keys, bucket by bucket: what is left of the whole without those that have lines, of measures that add up. */
function others_of(
  board: DomainBoard,
  dimension: string,
  buckets: readonly BucketRow[],
  rows: readonly KeyedRow[],
): KeyedRow[] {
  const measures = measures_of(figures_by(board, dimension, true));
  if (measures.length === 0) return [];
  const of_bucket = Map.groupBy(rows, ({ t }) => t);
  return buckets.map((whole) => {
    const own = of_bucket.get(whole.t!) ?? [];
    const left = measures.map((name) => [
      name,
      String(own.reduce((total, row) => total - BigInt(row[name] ?? 0), BigInt(whole[name] ?? 0))),
    ]);
    return { ...Object.fromEntries(left), t: whole.t!, changed_at: whole.changed_at ?? null, key: null };
  });
}
