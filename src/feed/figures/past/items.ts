import type { Queryable } from "../../../database/mod.ts";
import type { BoardFigure, DomainBoard, SummedFigure } from "../../../domains/mod.ts";
import { format_time, is_dated, is_extreme, UNKNOWN } from "../../../kpi/mod.ts";
import { states_columns, states_touching } from "../breakdown.ts";
import { declared_figure, dimension_of, integer, measures_in, type Totals } from "../figure.ts";
import type { Stretch } from "../question.ts";
import { facts_sql, filter_sql, Parameters, type StatesRelation, type Within } from "../states_relation.ts";
import { type Filter, micros } from "../view.ts";

/** What a figure is made of: each stream that adds to it, with what it adds; all of them together are the figure, to its smallest unit. */

/** A figure that has items: a sum, or a mean, which is a sum over a count; or how many streams have a key now. */
export type ItemFigure = SummedFigure | { readonly kind: "now"; readonly key: string };

/** A stream that adds to a figure: what it adds to each measure, when the last of that happened, and its line. */
export interface Item {
  readonly id: string;
  /** Microseconds since the Unix epoch. */
  readonly at_us: number;
  readonly totals: Totals;
  readonly line: Readonly<Record<string, string | number | null>>;
}

/** A page of items, and what all of them add up to. */
export interface Items {
  readonly count: number;
  readonly totals: Totals;
  readonly page: readonly Item[];
}

/** Which page: by what is added, or by time; `falling`: the greatest or the latest first. */
export interface ItemsPage {
  readonly by: "value" | "time";
  readonly falling: boolean;
  readonly limit: number;
  readonly offset: number;
}

/** The figure of a name, which may be that of a card of how things are now; the words of why it has no items; null: there is no such figure. */
export function item_figure(board: DomainBoard, name: string): ItemFigure | string | null {
  const card = board.cards.find((card) => card.name === name && "now" in card);
  if (card !== undefined && "now" in card) {
    if (card.since === undefined) return { kind: "now", key: card.now };
    return "it is how long one stream has been so, the oldest of all, not a sum of several";
  }
  if (!Object.hasOwn(board.figures, name)) return null;
  const figure = declared_figure(board, name);
  if (figure.unknown) return "it is being filled in, and not known yet";
  return "measure" in figure ? of_measure(board, figure) : WHY_NONE[figure.kind];
}

const WHY_NONE: Readonly<Record<Exclude<BoardFigure["kind"], "total" | "mean">, string>> = {
  quantile: "a percentile is the place of one value among all, not a sum of any",
  distinct: "it counts keys, each once, however many streams have it: the list of keys has them",
};

function of_measure(board: DomainBoard, figure: SummedFigure): ItemFigure | string {
  const kind = board.measures.find(({ name }) => name === figure.measure)?.kind;
  if (is_extreme(kind)) return "it is the value of one stream, the least or the greatest of all, not a sum of several";
  return is_dated(kind) ? "it is the value of one stream, the first or the last of all, not a sum of several" : figure;
}

/** The measures of a figure's items: what is added up, and of a mean what it is over. */
const measures_of_items = (board: DomainBoard, figure: ItemFigure): readonly string[] =>
  figure.kind === "now" ? [board.now.measure] : [...new Set(measures_in(figure))];

/**
 * Reads a page of the streams that add to a figure over a stretch under a filter; of how things are now over all of time. To be called within a
 * transaction. How long it may take is set by the caller (statement_timeout).
 */
export async function read_items(
  reading: Queryable,
  board: DomainBoard,
  states: StatesRelation,
  { figure, filter, stretch }: {
    readonly figure: ItemFigure;
    readonly filter: Filter;
    readonly stretch: Stretch;
  },
  { by, falling, limit, offset }: ItemsPage,
): Promise<Items> {
  const parameters = new Parameters(states.values), window = micros(stretch);
  const names = measures_of_items(board, figure), [first] = names;
  const is_now = figure.kind === "now";
  const [from, to] = [window.from_us, window.to_us].map((us) => format_time(us));
  const bounds = is_now ? null : [from!, to!].map((at) => `${parameters.add(at)}::timestamptz`);
  const within: Within = (at, last = at) =>
    bounds === null ? `${at} is not null` : `${last} >= ${bounds[0]} and ${at} < ${bounds[1]}`;
  const id = `states.${board.stream_column}`;
  const own = `select id, max(bucket) as at, ${names.map((name) => `sum(${name}) as ${name}`).join(", ")} from (${
    facts_sql(board, names, (at) => `${id} as id, max(${at}) as bucket`, "1", {
      within,
      from: "states",
      counted: "true",
    })
  }) facts group by id having ${names.map((name) => `${has_sql(board, name)}`).join(" or ")}`;
  const now = is_now
    ? ` and coalesce(states.${dimension_of(board, board.now.dimension)?.column}, '${UNKNOWN}') = ${
      parameters.add(figure.key)
    }`
    : "";
  const touching = is_now ? "true" : states_touching(board, own, [window], parameters);
  const lines = board.lines.fields.map(({ name, sql, kind }) =>
    `${kind === "time" ? `floor(extract(epoch from ${sql}) * 1000)::bigint` : sql}::text as "line.${name}"`
  );
  const columns = [...new Set([id, ...states_columns(own), ...states_columns(lines.join())])];
  const direction = falling ? "desc" : "asc";
  const order = (row: string) =>
    `${by === "time" ? `${row}.at` : `coalesce(${row}.${first}, 0)`} ${direction}, ${row}.id ${direction}`;
  const sums = names.map((name) => `(select sum(${name}) from items)::text as "sum.${name}"`);
  const rows = await reading.query<Readonly<Record<string, string | null>>>(
    `with states as materialized (
       select ${columns.join(", ")} from ${states.sql} states
       where ${touching}${now} and ${filter_sql(board, filter, parameters)}
     ), items as materialized (${own}),
     page as (select * from items order by ${order("items")} limit ${parameters.add(limit)} offset ${
      parameters.add(offset)
    })
     select (select count(*) from items)::text as items, ${sums.join(", ")}, page.id,
       (extract(epoch from page.at) * 1000000)::bigint::text as at_us,
       ${names.map((name) => `page.${name}::text as ${name}`).join(", ")}, ${lines.join(", ")}
     from (select 1) one left join page on true left join states on ${id} = page.id
     order by ${order("page")}`,
    parameters.values,
  );
  const totals = (row: Readonly<Record<string, string | null>>, prefix: string): Totals =>
    Object.fromEntries(names.map((name) => [name, BigInt(row[`${prefix}${name}`] ?? 0)]));
  const [any] = rows;
  return {
    count: integer(any?.items ?? 0),
    totals: any === undefined ? {} : totals(any, "sum."),
    page: rows.flatMap((row) =>
      row.id == null ? [] : [{
        id: row.id,
        at_us: Number(row.at_us),
        totals: totals(row, ""),
        line: Object.fromEntries(board.lines.fields.map(({ name, kind, per }) => {
          const value = row[`line.${name}`] ?? null;
          return [name, value === null || kind === "text" ? value : Number(value) / per];
        })),
      }]
    ),
  };
}

/** The condition that something adds to a measure: to a sum also nothing, where it is known that it is nothing; a count counts. */
function has_sql(board: DomainBoard, name: string): string {
  const kind = board.measures.find((measure) => measure.name === name)?.kind;
  return kind === "count" ? `coalesce(sum(${name}), 0) <> 0` : `sum(${name}) is not null`;
}
