import type { Queryable } from "../database/mod.ts";
import type { BoardDeclaration, DomainBoard } from "../domains/mod.ts";
import {
  dimension_of,
  figure_number,
  figure_of,
  type Filter,
  filter_sql,
  Parameters,
  type StatesRelation,
  sum_figure,
  sum_text,
  with_items,
} from "../feed/mod.ts";
import { format_time, type Micros, UNKNOWN } from "../kpi/mod.ts";

/**
 * Single streams that lie far from their own kind: what one adds to a sum against what those of the same keys added in the weeks before.
 *
 * What holds: a filter says which streams are looked at and changes nothing of what is usual; half of a kind may be unusual itself before the median
 * moves, and one in a hundred before anything else does; a kind of too few streams has no unusual ones; nothing is kept for it.
 *
 * Decision: quantiles of the states themselves, exact, rather than of sketches. Sketches are kept of single dimensions and not by every domain, a kind
 * is the keys of several, and boards of then and of tables that others write have none. The price is bounded: the newest `most` values before the
 * range are read by the index of their date. Of a log with more than that in its weeks, usual is what was usual last. Of 800,000 states of 18 kinds,
 * three values over a day of 14,000 took 3 s on two busy cores, over a week of 109,000 5 s; with twice as many before the range a day took 4.2 s.
 */

/** By which rule a stream is called unusual. */
export const ITEM_RULE = {
  /** What is usual is of so many days before the range, and of so many values at most, the newest. */
  days: 28,
  most: 100_000,
  /** Kinds of fewer values have no usual. */
  least: 100,
  /** From this score on: so many times as far from the median as the 95th (below it the 5th) of a hundred, in factors. */
  score: 2.5,
  /** No factor is taken for less: nobody's kinds are more alike. */
  factor: 1.2,
} as const;

/** Of a kind, ascending: beyond the outer two is one of a hundred each. A trifle less than each: ranks are of doubles. */
const QUANTILES = [0.01, 0.05, 0.5, 0.95, 0.99].map((q) => q - 1e-14);

/** What is held against its kind, as a board declares it. */
export type ItemsDeclaration = NonNullable<BoardDeclaration["unusual_items"]>[number];

/** A stream that is unusual by what it adds to a figure. Values are in the unit of the figure's measure. */
export interface UnusualStream {
  readonly figure: string;
  readonly id: string;
  /** When it added that, microseconds. */
  readonly at_us: number;
  readonly value: bigint;
  /** The keys that its kind has, as they are declared. */
  readonly kind: readonly string[];
  /** What is usual there: the 5th of a hundred, the median, the 95th; and of how many. */
  readonly usual: {
    readonly low: bigint;
    readonly median: bigint;
    readonly high: bigint;
    readonly streams: number;
  };
  /** How many times as far from the median it lies as what is usual does, in factors. */
  readonly score: number;
}

/** What was looked at, and what of it is unusual. */
export interface UnusualStreams {
  /** Values in the range, and those of them whose kind has too few before it. */
  readonly values: number;
  readonly without_usual: number;
  readonly found: number;
  /** The most unusual first; of equal scores the latest. */
  readonly streams: readonly UnusualStream[];
}

/** Which streams are looked at: of a filter, in a stretch of event time; and how many are told, behind how many. */
export interface UnusualAsked {
  readonly filter: Filter;
  readonly window: Micros;
  readonly limit: number;
  readonly offset: number;
}

/** From when on what is usual of a range is known, microseconds. */
export const usual_from_us = ({ from_us }: Micros): number => from_us - ITEM_RULE.days * 86_400e6;

/**
 * Reads the streams that are unusual by anything that the board declares, a statement for each. To be called within a transaction; how long one may
 * take is set by the caller (statement_timeout).
 */
export async function read_unusual_items(
  reading: Queryable,
  board: DomainBoard,
  states: StatesRelation,
  asked: UnusualAsked,
): Promise<UnusualStreams> {
  const all: UnusualStreams[] = [], end = asked.offset + asked.limit;
  for (const declared of board.unusual_items ?? []) {
    all.push(await read_one(reading, board, states, declared, { ...asked, end }));
  }
  const sum = (of: (each: UnusualStreams) => number) => all.reduce((sum, each) => sum + of(each), 0);
  return {
    values: sum(({ values }) => values),
    without_usual: sum(({ without_usual }) => without_usual),
    found: sum(({ found }) => found),
    streams: all.flatMap(({ streams }) => streams).sort(by_score).slice(asked.offset, end),
  };
}

const by_score = (a: UnusualStream, b: UnusualStream): number =>
  b.score - a.score || b.at_us - a.at_us || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

async function read_one(
  reading: Queryable,
  board: DomainBoard,
  states: StatesRelation,
  { figure, of }: ItemsDeclaration,
  { filter, window, end }: Pick<UnusualAsked, "filter" | "window"> & { readonly end: number },
): Promise<UnusualStreams> {
  const { measure } = figure_of(board, figure), slot = board.facts.find(({ adds }) => measure in adds)!;
  const { most, least, score, factor } = ITEM_RULE;
  const parameters = new Parameters(states.values), value = slot.adds[measure]!;
  const [before, from, to] = [usual_from_us(window), window.from_us, window.to_us].map((us) =>
    `${parameters.add(format_time(us))}::timestamptz`
  );
  const keys = of.map((dimension) => `coalesce(states.${dimension_of(board, dimension)!.column}, '${UNKNOWN}')`);
  const id = `states.${board.stream_column}`;
  const values = (from: string, to: string, counted: string) =>
    `select ${id} as id, ${slot.at} as at, array[${keys.join(", ")}] as kind, (${value})::numeric as value
     from ${with_items(`${states.sql} states`, slot)}
     where ${slot.at} >= ${from} and ${slot.at} < ${to} and ${slot.counts} and ${value} is not null and ${counted}`;
  const [low, median, high] = [2, 3, 4].map((i) => `usual.quantiles[${i}]`), hundredth = `${median} / 100`;
  // How far a value lies above one that is less, in factors as a logarithm. A value of nothing counts as a hundredth of the median.
  const apart = (of: string, above: string) =>
    `ln((greatest(${of}, ${hundredth}) / greatest(${above}, ${hundredth}))::double precision)`;
  const against = (far: string, usual: string) => `${far} / greatest(${usual}, ln(${factor}::double precision))`;
  const rows = await reading.query<Readonly<Record<string, string | null>>>(
    `with past as materialized (
       ${values(before!, from!, "true")} order by at desc, id desc limit ${most}
     ), usual as materialized (
       select kind, count(*) as streams,
         percentile_disc(array[${QUANTILES.join(", ")}]::double precision[]) within group (order by value) as quantiles
       from past group by kind having count(*) >= ${least}
     ), looked_at as materialized (${values(from!, to!, filter_sql(board, filter, parameters))}),
     scored as materialized (
       select looked_at.*, usual.streams, usual.quantiles,
         case when value > usual.quantiles[5] then ${against(apart("value", median!), apart(high!, median!))}
           when value < usual.quantiles[1] then ${against(apart(median!, "value"), apart(median!, low!))}
           else 0 end as score
       from looked_at join usual using (kind) where ${median} > 0
     ), page as (select * from scored where score >= ${score} order by score desc, at desc, id collate "C" desc limit ${
      parameters.add(end)
    })
     select (select count(*) from looked_at)::text as "values", (select count(*) from scored)::text as known,
       (select count(*) from scored where score >= ${score})::text as found, page.id,
       (extract(epoch from page.at) * 1000000)::bigint::text as at_us, page.value::text as value,
       to_json(page.kind)::text as kind, page.streams::text as streams, page.score::text as score,
       ${[2, 3, 4].map((i) => `page.quantiles[${i}]::text as q${i}`).join(", ")}
     from (select 1) one left join page on true order by page.score desc, page.at desc, page.id desc`,
    parameters.values,
  );
  const [any] = rows, of_all = (name: string) => Number(any?.[name] ?? 0);
  return {
    values: of_all("values"),
    without_usual: of_all("values") - of_all("known"),
    found: of_all("found"),
    streams: rows.flatMap((row) =>
      row.id == null ? [] : [{
        ...{ figure, id: row.id, at_us: Number(row.at_us), value: BigInt(row.value!), score: Number(row.score) },
        kind: JSON.parse(row.kind!) as string[],
        usual: {
          ...{ low: BigInt(row.q2!), median: BigInt(row.q3!), high: BigInt(row.q4!) },
          streams: Number(row.streams),
        },
      }]
    ),
  };
}

/** A value in the unit of its figure, as decimal text; exact to a millionth. */
export function item_value(board: DomainBoard, name: string, value: bigint): string {
  const figure = figure_of(board, name);
  return sum_text(figure, { [figure.measure]: value });
}

const many = (count: number): string => count.toLocaleString("en-US");

/** A value for a reader: money to the last digit, kilometres and minutes to a tenth. */
function said_value(board: DomainBoard, name: string, value: bigint): string {
  const figure = figure_of(board, name);
  if (figure.unit === "money") {
    return item_value(board, name, value).replace(/\d+/, (whole) => BigInt(whole).toLocaleString("en-US"));
  }
  return many(figure_number(sum_figure(figure), { [figure.measure]: value }, figure.unit === "count" ? 0 : 1)!);
}

/** Why a stream is unusual, in words: `amount 412.00 USD; usually 9.50 to 38.20 (median 17.30) of 1,240 orders, city Berlin`. Pure. */
export function item_reason(
  board: DomainBoard,
  currency: string,
  { figure, value, kind, usual }: Pick<UnusualStream, "figure" | "value" | "kind" | "usual">,
): string {
  const { says, of } = board.unusual_items!.find((each) => each.figure === figure)!;
  const { unit } = figure_of(board, figure), said = (each: bigint) => said_value(board, figure, each);
  const in_unit = unit === "money" ? ` ${currency}` : unit === "count" ? "" : ` ${unit}`;
  const { low, median, high, streams } = usual;
  const names = of.map((dimension, i) =>
    `${board.words.dimensions[dimension]?.label ?? dimension.replaceAll("_", " ")} ${kind[i]}`
  );
  return `${says} ${said(value)}${in_unit}; usually ${said(low)} to ${said(high)} (median ${said(median)}) of ${
    many(streams)
  } ${board.words.many}, ${names.join(", ")}`;
}
