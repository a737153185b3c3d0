import { bucket_end, type Days, format_time, is_extreme } from "../kpi/mod.ts";
import { plain_array, text_array } from "../database/mod.ts";
import type { BoardBreakdown, DomainBoard, QuantileFigure, StateFact } from "./domain_board.ts";
import { ranked_keys_sql, TOP } from "./breakdown.ts";
import type { Filter } from "./filter.ts";
import { figure_of } from "./measures.ts";
import { quantile_cards } from "./quantiles.ts";
import { filter_sql, key_sql, Parameters, type StatesRelation } from "./states_relation.ts";
import type { ViewGrain } from "./view.ts";

/** The statement that computes figures from states instead of cells: SQL made from what the board declares of their facts. Pure. */

/** A stretch of event time: [from_us, to_us), microseconds. */
export interface Stretch {
  readonly from_us: number;
  readonly to_us: number;
}

/** What is computed from states. */
export interface StatesWanted {
  readonly filter: Filter;
  /** What totals and quantiles are of, and series unless they have a stretch of their own. */
  readonly stretch: Stretch;
  /** Totals alone, or by buckets too; `none`: neither. */
  readonly by: ViewGrain | "all" | "none";
  readonly series?: Stretch;
  /** Further stretches that totals and quantiles are wanted of, too. */
  readonly others?: readonly Stretch[];
  readonly breakdowns: readonly {
    readonly breakdown: BoardBreakdown;
    readonly stretch: Stretch;
    /** Whether the filter's condition on its own dimension, which there has to be, is left out. */
    readonly crossed?: boolean;
  }[];
  /** Conditions on their dimensions whose keys have a row whatever their place. */
  readonly named: Filter;
  /** Whether the quantiles among the board's cards are, over the same stretch as totals. */
  readonly quantiles: boolean;
}

export interface StatesStatement {
  readonly text: string;
  readonly values: Parameters["values"];
}

/**
 * One statement: the states that the stretches touch are read once, as few columns as possible, then each fact slot is
 * summed by itself. Measured over 1,000,000 trips and 30 days in hours, CPU time: slots one by one 1.6 s, five rows of
 * every trip by `union all` 3.1 s, by `cross join lateral (values …)` 12.8 s. A breakdown that leaves a condition out is of the same
 * reading: that takes in the states that miss the conditions on one such dimension, and notes which.
 */
export function states_statement(
  board: DomainBoard,
  relation: StatesRelation,
  wanted: StatesWanted,
  days: Days,
): StatesStatement {
  const { by, stretch, series = stretch, others = [] } = wanted;
  const parameters = new Parameters(relation.values);
  const time = (us: number): string => `${parameters.add(format_time(us))}::timestamptz`;
  const within = ({ from_us, to_us }: Stretch): Within => {
    const from = time(from_us), to = time(to_us);
    return (at) => `${at} >= ${from} and ${at} < ${to}`;
  };
  const dimensions = [...new Set(wanted.breakdowns.flatMap((each) => each.crossed ? [each.breakdown.dimension] : []))];
  // Where breakdowns leave a condition out, what meets all of them is kept apart: it may be little of what was read.
  const crossing = dimensions.length > 0;
  const of = (stretch: Stretch): Chosen => ({
    within: within(stretch),
    from: crossing ? "chosen states" : "states",
    counted: "true",
  });
  const parts: string[] = [];
  if (by !== "none") {
    const apart = series.from_us !== stretch.from_us || series.to_us !== stretch.to_us;
    if (by !== "all") {
      parts.push(`${rows_sql(series_sql(board, bucket_sql(by, series, days, parameters), of(series)))} as series`);
    }
    if (by === "all" || apart) parts.push(`${rows_sql(totals_sql(board, of(stretch)))} as totals`);
  }
  const sketches = Map.groupBy(quantile_cards(board), ([, figure]) => figure.sketch);
  const quantiles = (stretch: Stretch): string =>
    `json_build_array(${
      [...sketches].map(([sketch, cards]) => quantiles_sql(board, sketch, cards, of(stretch))).join(", ")
    })`;
  if (wanted.quantiles) parts.push(`${quantiles(stretch)} as quantiles`);
  if (others.length > 0) {
    const each = others.map((other) =>
      `json_build_object('totals', ${rows_sql(totals_sql(board, of(other)))}, 'quantiles', ${quantiles(other)})`
    );
    parts.push(`json_build_array(${each.join(", ")}) as others`);
  }
  if (wanted.breakdowns.length > 0) {
    const totals = alike(wanted.breakdowns).map((group) => {
      if (!group.crossed) return keys_sql(board, group, of(group.stretch));
      const place = dimensions.indexOf(group.dimensions[0]!) + 1;
      const counted = `missed in (0, ${place})`;
      return keys_sql(board, group, { within: within(group.stretch), from: "states", counted });
    });
    const named = wanted.named.map(({ dimension, keys }) =>
      `dimension = '${dimension}' and key = any (${parameters.add(text_array(keys))}::text[])`
    );
    const ranked = ranked_keys_sql(String(TOP), ["false", ...named].join(" or "), "::text");
    parts.push(`(with summed as (${totals.join(" union all ")}) select json_agg(rows) from (${ranked}) rows) as keys`);
  }
  const text = parts.join(", ");
  const stretches = [
    ...by === "none" && !wanted.quantiles ? [] : [stretch],
    ...by === "none" ? [] : [series],
    ...wanted.breakdowns.map(({ stretch }) => stretch),
  ];
  const touched = together([...stretches, ...others]).map(within);
  const { sql: filter, missed } = crossing_filter(board, wanted.filter, dimensions, parameters);
  const columns = [...new Set(text.matchAll(/\bstates\.(\w+)/g).map(([column]) => column))];
  const dates = board.dates.map((date) => `states.${date}`).filter((date) => columns.includes(date));
  return {
    // What only one part reads need not be kept.
    text: `with states as ${crossing || text.split("from states").length > 2 ? "materialized" : "not materialized"} (
        select ${[...columns, ...missed].join(", ")} from ${relation.sql} states
        where (${dates.flatMap((date) => touched.map((touch) => `(${touch(date)})`)).join(" or ")}) and ${filter}
      )${crossing ? ", chosen as materialized (select * from states where missed = 0)" : ""} select ${text}`,
    values: parameters.values,
  };
}

/**
 * The condition of states that miss the conditions on one of some dimensions at most, and the column that says which: its place from 1, 0 of none.
 */
function crossing_filter(board: DomainBoard, filter: Filter, dimensions: readonly string[], parameters: Parameters) {
  const others = filter.filter(({ dimension }) => !dimensions.includes(dimension));
  const own = dimensions.map((name) => {
    const conditions = filter.filter(({ dimension }) => dimension === name);
    return filter_sql(board, conditions, parameters);
  });
  if (own.length === 0) return { sql: filter_sql(board, filter, parameters), missed: [] };
  const all_but = (left_out: number) => own.filter((_, i) => i !== left_out).join(" and ");
  const one_at_most = own.length === 1 ? "true" : `(${own.map((_, i) => `(${all_but(i)})`).join(" or ")})`;
  const places = own.map((condition, i) => `when ${condition} is not true then ${i + 1}`);
  return {
    sql: `${filter_sql(board, others, parameters)} and ${one_at_most}`,
    missed: [`case ${places.join(" ")} else 0 end as missed`],
  };
}

/** Stretches as few as cover the same: those that overlap or meet are one. */
function together(stretches: readonly Stretch[]): Stretch[] {
  const merged: Stretch[] = [];
  for (const { from_us, to_us } of stretches.toSorted((a, b) => a.from_us - b.from_us)) {
    const last = merged.at(-1);
    if (last !== undefined && from_us <= last.to_us) {
      merged[merged.length - 1] = { from_us: last.from_us, to_us: Math.max(last.to_us, to_us) };
    } else merged.push({ from_us, to_us });
  }
  return merged;
}

/** The rows of a select, as one value. */
const rows_sql = (select: string): string => `(select json_agg(rows) from (${select}) rows)`;

/** The bucket of a time, by its start. Buckets of the clock come from arithmetic, which takes two thirds of a search among borders. */
function bucket_sql(by: ViewGrain, { from_us, to_us }: Stretch, days: Days, parameters: Parameters) {
  if (by !== "1d") return (at: string) => `date_bin('${WIDTH[by]}', ${at}, timestamptz '1900-01-01 00:00:00+00')`;
  const starts: string[] = [];
  for (let start_us = from_us; start_us < to_us; start_us = bucket_end(by, start_us, days)) {
    starts.push(format_time(start_us));
  }
  const borders = `${parameters.add(plain_array(starts))}::timestamptz[]`;
  return (at: string) => `(${borders})[width_bucket(${at}, ${borders})]`;
}

const WIDTH = { "1m": "1 minute", "5m": "5 minutes", "1h": "1 hour" } as const;

type Within = (at: string) => string;

/** Which of the states that were read count in a part, and which of their times. */
interface Chosen {
  readonly within: Within;
  readonly from: string;
  readonly counted: string;
}

/**
 * The values of nearest rank that the quantiles of one sketch are, by card, in one sorting; null of none. `percentile_disc` takes a rank from
 * doubles (of 100 values and 0.55 the 56th): a trifle less makes it that of `nearest_rank`, for a q of four decimals and less than 1e10 values.
 */
function quantiles_sql(
  board: DomainBoard,
  sketch: string,
  cards: readonly (readonly [card: string, figure: QuantileFigure])[],
  { within, from, counted }: Chosen,
): string {
  const declared = board.sketches.find(({ name }) => name === sketch);
  const slot = declared && board.facts.find(({ adds }) => declared.of in adds && declared.count in adds);
  if (declared === undefined || slot === undefined) {
    throw new Error(`compute quantiles of ${sketch}: no fact adds to it`);
  }
  const values = cards.map(([card], i) => `'${card}', (ranked.value)[${i + 1}]::text`);
  const ranks = cards.map(([, { q }]) => Math.max(q - 1e-14, 0));
  return `(select json_build_object(${values.join(", ")}) from (
             select percentile_disc(array[${ranks.join(", ")}]::double precision[])
               within group (order by ${slot.adds[declared.of]}) as value
             from ${from} where ${counted} and ${within(slot.at)} and ${slot.counts} and ${
    slot.adds[declared.count]
  } > 0
           ) ranked)`;
}

/** A row of totals, without a bucket, then a row for each bucket. */
function series_sql(board: DomainBoard, bucket: (at: string) => string, { within, from, counted }: Chosen): string {
  const names = board.measures.map(({ name }) => name);
  const slots = board.facts.map(({ at, counts, adds }) =>
    `select ${bucket(at)} as bucket, ${sums_sql(board, names, adds)} from ${from} where ${counted} and ${
      within(at)
    } and ${counts} group by 1`
  );
  const merged = names.map((name) => `${merge_of(board, name)}(${name})::text as ${name}`);
  return `select floor(extract(epoch from bucket))::bigint as t, ${merged.join(", ")}
          from (${slots.join(" union all ")}) facts group by grouping sets ((bucket), ()) order by bucket nulls first`;
}

interface AlikeBreakdowns {
  readonly count: string;
  readonly crossed: boolean;
  readonly stretch: Stretch;
  readonly dimensions: readonly string[];
}

/** Breakdowns that count the same over the same stretch: computed in one pass. */
function alike(breakdowns: StatesWanted["breakdowns"]): AlikeBreakdowns[] {
  const groups = Map.groupBy(
    breakdowns,
    ({ breakdown: { count, dimension }, stretch: { from_us, to_us }, crossed = false }) =>
      JSON.stringify([count, from_us, to_us, crossed ? dimension : null]),
  );
  return [...groups.values()].map((group) => ({
    count: group[0]!.breakdown.count,
    crossed: group[0]!.crossed ?? false,
    stretch: group[0]!.stretch,
    dimensions: group.map(({ breakdown }) => breakdown.dimension),
  }));
}

/** The totals of every key of some dimensions: count and amount, as the board's breakdowns have them. All slots in one pass: none has a bucket. */
function keys_sql(
  board: DomainBoard,
  { count, dimensions }: AlikeBreakdowns,
  { within, from, counted }: Chosen,
): string {
  const amount = figure_of(board, board.breakdown_row.amount).measure;
  // A count is a measure or an expression over measures: the slots that add to none of them need not be looked at.
  const needed = board.measures.map(({ name }) => name)
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

/** What all fact slots add to the measures, as a row. */
function totals_sql(board: DomainBoard, { within, from, counted }: Chosen): string {
  const sums = board.measures.map(({ name }) => `${once_sql(board, name, board.facts, within)}::text as ${name}`);
  return `select ${sums.join(", ")} from ${from} where ${counted}`;
}

const has_sql = ({ at, counts }: StateFact, within: Within): string => `${within(at)} and ${counts}`;

/** The condition that a state has a fact, where there is but one slot: else the sums ask, each by itself. */
const has_one_sql = (slots: readonly StateFact[], within: Within): string =>
  slots.length === 1 ? has_sql(slots[0]!, within) : "true";

/** A measure over all slots in one pass, for states that meet `has_one_sql`; null where none adds to it. */
function once_sql(board: DomainBoard, name: string, slots: readonly StateFact[], within: Within): string {
  const merge = merge_of(board, name);
  const own = slots.filter(({ adds }) => name in adds).map((slot) => {
    const merged = `${merge}(${slot.adds[name]})`;
    return slots.length === 1 ? merged : `${merged} filter (where ${has_sql(slot, within)})`;
  });
  if (own.length < 2) return own[0] ?? "null";
  return merge === "sum"
    ? own.map((each) => `coalesce(${each}, 0)`).join(" + ")
    : `${merge === "min" ? "least" : "greatest"}(${own.join(", ")})`;
}

/** What a fact slot adds to some measures, summed; null for those that it has nothing of. */
function sums_sql(board: DomainBoard, names: readonly string[], adds: Readonly<Record<string, string>>): string {
  return names.map((name) => {
    const addition = adds[name];
    return `${addition === undefined ? "null" : `${merge_of(board, name)}(${addition})`}::numeric as ${name}`;
  }).join(", ");
}

function merge_of(board: DomainBoard, name: string): "sum" | "min" | "max" {
  const kind = board.measures.find((measure) => measure.name === name)?.kind;
  return is_extreme(kind) ? kind : "sum";
}
