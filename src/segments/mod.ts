/**
 * Segments: the keys of a dimension (drivers, shops) told apart by how lately, how often and for how much they were there, each in fifths.
 *
 * What holds: keys that are alike have the same scores; nothing is held against a clock, for how lately is by event time, among the keys; the same
 * states give the same answer, as of now and as of any position; nothing is kept for it, and an answer has at most 125 groups and a page of keys.
 *
 * Decision: added up from states when asked for, over the range and filter that the reader looks at, rather than kept for each key of all of time: a
 * time of the latest beside each total would cost a row's rewrite more of the hot path, and who was best two years ago would count as today.
 */
import { plain_array, type Queryable } from "../database/mod.ts";
import type { DomainBoard } from "../domains/mod.ts";
import {
  dimension_of,
  figure_of,
  type Filter,
  filter_sql,
  Parameters,
  shown_key_sql,
  states_touching,
  type StatesRelation,
  with_items,
} from "../feed/mod.ts";
import { format_time, type Micros, UNKNOWN } from "../kpi/mod.ts";

/** How a key does against the others, each from 1 to 5: in which fifth it lies, 5 the latest, the most often, the most. */
export interface Scores {
  readonly recency: number;
  readonly frequency: number;
  readonly value: number;
}

/** The segments, from those that one is glad of to those that are lost: of who was there lately, then of who was not, each from much to little. */
export const SEGMENTS = [
  { name: "best", label: "Best", says: "there lately, and much" },
  { name: "regular", label: "Regular", says: "there lately, of middling count and value" },
  { name: "rare", label: "New or rare", says: "there lately, and little so far" },
  { name: "slipping", label: "Slipping away", says: "much, but not lately" },
  { name: "fading", label: "Fading", says: "of middling count and value, and not lately" },
  { name: "lost", label: "Lost or passing", says: "little, and not lately" },
] as const;

export type SegmentName = typeof SEGMENTS[number]["name"];

/** What the words of segments mean, in a sentence. */
export const SEGMENTS_HOW =
  "Lately: not among the two fifths of keys that were last there longest ago. Much: the fifths of count and of value add up to 8 or more of 10; little: to 4 or less.";

/** Of fewer keys there are no fifths, and nothing is told. */
export const LEAST_KEYS = 5;

/** The segment of scores. Pure. */
export function segment_of({ recency, frequency, value }: Scores): SegmentName {
  const use = frequency + value, size = use >= 8 ? 0 : use >= 5 ? 1 : 2;
  return SEGMENTS[(recency >= 3 ? 0 : 3) + size]!.name;
}

/** The keys of equal scores: how many they are, and what they have together. */
export interface SegmentGroup extends Scores {
  readonly keys: number;
  readonly count: bigint;
  readonly amount: bigint;
}

/** A key with its scores: when it was last there, microseconds, how often and for how much, in the measure's unit. */
export interface SegmentKey extends Scores {
  readonly key: string;
  readonly last_us: number;
  readonly count: bigint;
  readonly amount: bigint;
}

export interface Segments {
  /** How many keys there are. */
  readonly count: number;
  readonly groups: readonly SegmentGroup[];
  /** What lies between the fifths: a key has 1 and one more for each of these that it lies beyond. */
  readonly borders: {
    readonly last_us: readonly number[];
    readonly count: readonly bigint[];
    readonly amount: readonly bigint[];
  };
  /** Those of the page. */
  readonly keys: readonly SegmentKey[];
}

/** Whose segments: a dimension that the board declares them of, under a filter, in a stretch of event time. */
export interface SegmentsAsked {
  readonly dimension: string;
  readonly filter: Filter;
  readonly window: Micros;
}

/** Which keys: of a segment, null: of all; by what, falling: the latest, or those with the most, first. Equal ones by key. */
export interface SegmentsPage {
  readonly segment: SegmentName | null;
  readonly by: "last" | "count" | "amount";
  readonly falling: boolean;
  readonly limit: number;
  readonly offset: number;
}

/** A trifle less than each fifth: ranks are of doubles, and of 5 keys 0.6 would be the fourth. */
const FIFTHS = [0.2, 0.4, 0.6, 0.8].map((q) => q - 1e-14);
const MEASURED = { last: "recency", count: "frequency", amount: "value" } as const;

const scores_of = (row: Readonly<Record<string, unknown>>): Scores => ({
  recency: Number(row.recency),
  frequency: Number(row.frequency),
  value: Number(row.value),
});

/**
 * Reads the segments of a dimension's keys: of those that anything is counted of, without what nobody named. To be called within a transaction. How
 * long it may take is set by the caller (statement_timeout).
 */
export async function read_segments(
  reading: Queryable,
  board: DomainBoard,
  states: StatesRelation,
  { dimension, filter, window }: SegmentsAsked,
  { segment, by, falling, limit, offset }: SegmentsPage,
): Promise<Segments> {
  const { count, value } = board.segments!,
    [counted, valued] = [count, value].map((name) => figure_of(board, name).measure);
  const slot = board.facts.find(({ adds }) => counted! in adds)!, parameters = new Parameters(states.values);
  const [from, to] = [window.from_us, window.to_us].map((us) => `${parameters.add(format_time(us))}::timestamptz`);
  // The column as it stands: a state that nobody named a key for is none of any.
  const key = `states.${dimension_of(board, dimension)!.column}`;
  const totals = `select ${key} as key, max(${slot.at}) as last, sum(${slot.adds[counted!]}) as count,
      coalesce(sum(${slot.adds[valued!]}), 0) as amount
    from ${with_items(`${states.sql} states`, slot)}
    where ${slot.at} >= ${from} and ${slot.at} < ${to} and ${slot.counts} and ${key} <> '${UNKNOWN}'`;
  const touching = states_touching(board, totals, [window], parameters);
  const columns = Object.entries(MEASURED);
  const borders = columns.map(([name]) =>
    `percentile_disc(array[${FIFTHS.join(", ")}]::double precision[]) within group (order by ${name}) as ${name}`
  );
  const scores = columns.map(([name, score]) =>
    `1 + ${FIFTHS.map((_, i) => `(totals.${name} > borders.${name}[${i + 1}])::int`).join(" + ")} as ${score}`
  );
  const codes = segment === null ? null : parameters.add(plain_array(codes_of(segment)));
  const direction = falling ? "desc" : "asc";
  const us = (at: string) => `(extract(epoch from ${at}) * 1000000)::bigint::text`;
  const [row] = await reading.query<Readonly<Record<string, string | null>>>(
    `with totals as materialized (
       ${totals} and ${touching} and ${filter_sql(board, filter, parameters)}
       group by 1 having sum(${slot.adds[counted!]}) > 0
     ), borders as materialized (select count(*) as keys, ${borders.join(", ")} from totals),
     scored as materialized (
       select totals.*, ${scores.join(", ")} from totals cross join borders where borders.keys >= ${LEAST_KEYS}
     ), page as (
       select * from scored where ${
      codes === null ? "true" : `recency * 100 + frequency * 10 + value = any (${codes}::int[])`
    }
       order by ${by} ${direction}, key ${direction} limit ${parameters.add(limit)} offset ${parameters.add(offset)}
     )
     select (select json_agg(groups) from (
         select recency, frequency, value, count(*) as keys, sum(count)::text as count, sum(amount)::text as amount
         from scored group by 1, 2, 3 order by 1, 2, 3
       ) groups)::text as groups,
       (select json_agg(keys) from (
         select ${shown_key_sql(board, dimension)} as key, ${
      us("last")
    } as last_us, count::text, amount::text, recency, frequency, value
         from page order by page.${by} ${direction}, page.key ${direction}
       ) keys)::text as keys,
       (select json_build_array(keys, array(select ${
      us("at")
    } from unnest(last) at), coalesce(count::text[], '{}'), coalesce(amount::text[], '{}'))
         from borders)::text as borders`,
    parameters.values,
  );
  const rows = (name: string): readonly Readonly<Record<string, string>>[] => JSON.parse(row?.[name] ?? "[]");
  const exact = (text: string) => BigInt(text);
  const summed = (each: Readonly<Record<string, string>>) => ({
    ...scores_of(each),
    count: exact(each.count!),
    amount: exact(each.amount!),
  });
  const [all = 0, last = [], counts = [], amounts = []] = JSON.parse(row?.borders ?? "[]") as [number, ...string[][]];
  return {
    count: all,
    groups: rows("groups").map((each) => ({ ...summed(each), keys: Number(each.keys) })),
    borders: { last_us: last.map(Number), count: counts.map(exact), amount: amounts.map(exact) },
    keys: rows("keys").map((each) => ({ ...summed(each), key: each.key!, last_us: Number(each.last_us) })),
  };
}

const ONE_TO_FIVE = [1, 2, 3, 4, 5];

/** The scores of a segment, as one number each. */
const codes_of = (segment: SegmentName): number[] =>
  ONE_TO_FIVE.flatMap((recency) =>
    ONE_TO_FIVE.flatMap((frequency) =>
      ONE_TO_FIVE.flatMap((value) =>
        segment_of({ recency, frequency, value }) === segment ? [recency * 100 + frequency * 10 + value] : []
      )
    )
  );
