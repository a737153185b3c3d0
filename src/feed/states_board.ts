import type { Queryable } from "../database/mod.ts";
import { bin_of, type Days, value_of } from "../kpi/mod.ts";
import type { Breakdown, Cards, Series } from "./board.ts";
import { type BucketRow, cards_of, series_of } from "./board_figures.ts";
import { breakdowns_of, dimension_of, key_totals, type KeyTotals, read_breakdowns, tiles_of } from "./breakdown.ts";
import type { BoardBreakdown, DomainBoard } from "./domain_board.ts";
import { quantile_number, type Totals } from "./figure.ts";
import type { Filter } from "./filter.ts";
import { totals_of } from "./measures.ts";
import { quantile_cards } from "./quantiles.ts";
import { filter_sql, is_present, Parameters, type StatesRelation } from "./states_relation.ts";
import { states_statement, type StatesWanted, type Stretch } from "./states_sql.ts";
import type { Window } from "./view.ts";

/** Figures computed from states: of any filter, of any set of states. The same figures as the cells give, to the bit. */

/** What was computed from states. */
export interface StatesRead {
  /** Buckets that anything lies in, ascending. Empty unless they were wanted. */
  readonly buckets: readonly BucketRow[];
  /** Sums over the whole stretch; zeros unless totals were wanted. */
  readonly totals: Totals;
  readonly keys: readonly KeyTotals[];
  /** By card; none unless they were wanted. */
  readonly quantiles: ReadonlyMap<string, number | null>;
  /** Of the further stretches that were wanted. */
  readonly others: readonly Pick<StatesRead, "totals" | "quantiles">[];
}

type QuantileRows = readonly Readonly<Record<string, string | null>>[];

/**
 * Computes figures from a set of states, in one statement. To be called within a transaction: it sets that one up for
 * such statements. How long they may take is set by the caller (statement_timeout).
 */
export async function read_states(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  wanted: StatesWanted,
  days: Days,
): Promise<StatesRead> {
  // Compiling these statements takes longer than running them; what fits in memory is not written to files.
  await queryable.query("select set_config('jit', 'off', true), set_config('work_mem', '64MB', true)");
  const { text, values } = states_statement(board, relation, wanted, days);
  const [found] = await queryable.query<{
    series?: readonly BucketRow[];
    totals?: readonly BucketRow[];
    keys?: readonly BucketRow[] | null;
    quantiles?: QuantileRows;
    others?: readonly { readonly totals: readonly BucketRow[]; readonly quantiles: QuantileRows }[];
  }>(text, values);
  // Where totals are not apart, they are the first row of the series.
  const [first, ...buckets] = found?.series ?? [];
  return {
    buckets,
    totals: totals_of(board, found?.totals?.[0] ?? first ?? {}),
    keys: (found?.keys ?? []).map(key_totals),
    quantiles: quantiles_of(board, found?.quantiles ?? []),
    others: (found?.others ?? []).map(({ totals, quantiles }) => ({
      totals: totals_of(board, totals[0] ?? {}),
      quantiles: quantiles_of(board, quantiles),
    })),
  };
}

/** Quantiles from exact values: what stands for the bin that holds each, as sketches tell it. */
function quantiles_of(board: DomainBoard, rows: QuantileRows): StatesRead["quantiles"] {
  const values: Readonly<Record<string, string | null>> = Object.assign({}, ...rows);
  return new Map(
    [...quantile_cards(board)].map(([card, figure]) => {
      const value = values[card] ?? null;
      return [card, quantile_number(figure, value === null ? null : value_of(bin_of(BigInt(value))))];
    }),
  );
}

/** The breakdowns that come from states: those of the board, and those whose dimensions keep no windows in cells. */
export const breakdowns_of_states = (board: DomainBoard): readonly BoardBreakdown[] => [
  ...board.breakdowns,
  ...board.states_breakdowns,
];

/** The breakdowns of a window, each over the stretch that it has when it is read from cells: those widened to whole buckets. */
export function wanted_breakdowns(
  board: DomainBoard,
  breakdowns: readonly BoardBreakdown[],
  window: Window,
  days: Days,
): StatesWanted["breakdowns"] {
  const own = stretch_of(window);
  return breakdowns.map((breakdown) => {
    const tiles = tiles_of(board, breakdown.dimension, { ...own, finest_s: window.step_s }, days);
    const first = tiles[0], last = tiles.at(-1);
    const stretch = first === undefined || last === undefined ? own : { from_us: first.from_us, to_us: last.to_us };
    return { breakdown, stretch };
  });
}

/** What of a board is wanted besides breakdowns and how things are now; all else is left empty, zero or null. */
export type BoardParts = Pick<StatesWanted, "by" | "quantiles">;

/** The figures of a board, computed from states. */
export interface StatesBoard {
  readonly series: Series;
  readonly cards: Cards;
  readonly breakdowns: readonly Breakdown[];
}

/**
 * A window's whole board under a filter: series, cards and all breakdowns. A dimension that the filter has a condition on is
 * broken down by all other conditions, so that what else could be picked there stays in sight.
 * @param relation which states; the `now` cards count those of them that are in such a state
 * @param parts all unless given
 */
export async function read_states_board(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  filter: Filter,
  window: Window,
  days: Days,
  parts: BoardParts = { by: window.grain, quantiles: true },
): Promise<StatesBoard> {
  const apart = await read_breakdowns_of_all(queryable, board, relation, filter, window, days);
  const listed = breakdowns_of_states(board).filter(({ dimension }) => !apart.has(dimension));
  const long = parts.by !== "none" && is_long(window);
  const breakdowns = long ? [] : crossed_breakdowns(board, filter, wanted_breakdowns(board, listed, window, days));
  const named = named_in(listed, filter);
  const wanted = { ...parts, filter, stretch: stretch_of(window), breakdowns, named };
  const { buckets, totals, keys, quantiles } = await read_states(queryable, board, relation, wanted, days);
  const now = await read_states_now(queryable, board, relation, filter);
  const own = long
    ? await read_states_breakdowns(queryable, board, relation, filter, window, days, listed, named)
    : breakdowns_of(board, listed, keys);
  for (const breakdown of own) apart.set(breakdown.dimension, breakdown);
  return {
    series: series_of(board, buckets),
    cards: cards_of(board, totals, now, quantiles),
    breakdowns: breakdowns_of_states(board).flatMap(({ dimension }) => apart.get(dimension) ?? []),
  };
}

const named_in = (listed: readonly BoardBreakdown[], filter: Filter): Filter =>
  filter.filter((condition) => listed.some(({ dimension }) => dimension === condition.dimension));

/**
 * Breakdowns of the board leave their own conditions out; dimensions without windows in cells keep theirs: without it every state of the
 * range would have to be added up.
 */
const crossed_breakdowns = (
  board: DomainBoard,
  filter: Filter,
  wanted: StatesWanted["breakdowns"],
): StatesWanted["breakdowns"] =>
  wanted.map((each) => ({
    ...each,
    crossed: board.breakdowns.includes(each.breakdown) &&
      filter.some(({ dimension }) => dimension === each.breakdown.dimension),
  }));

/** The breakdown by the only dimension that a filter has conditions on: of all there is, which the cells know of the present. */
async function read_breakdowns_of_all(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  filter: Filter,
  window: Window,
  days: Days,
): Promise<Map<string, Breakdown>> {
  const listed = filter.length === 1
    ? board.breakdowns.filter(({ dimension }) => dimension === filter[0]!.dimension)
    : [];
  if (listed.length === 0) return new Map();
  const breakdowns = is_present(board, relation)
    ? await read_breakdowns(queryable, board, days, window, listed, filter[0]!.keys)
    : await read_states_breakdowns(queryable, board, relation, [], window, days, listed, filter);
  return new Map(breakdowns.map((breakdown) => [breakdown.dimension, breakdown]));
}

/**
 * Past this, seconds, breakdowns are a statement of their own, that each may take as long as a statement may. Of 1,000,000 trips in 30 days the
 * two take 3.1 s and 3.8 s of CPU time, where one takes 6.2 s.
 */
const LONG_S = 7 * 86_400;

/** Whether a window is so long that its parts are statements of their own. */
export const is_long = ({ from_s, to_s }: Seconds): boolean => to_s - from_s > LONG_S;

/**
 * Some breakdowns of a window under a filter.
 * @param listed those of `breakdowns_of_states` that are wanted
 * @param named conditions whose keys have a row whatever their place
 */
export async function read_states_breakdowns(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  filter: Filter,
  window: Window,
  days: Days,
  listed: readonly BoardBreakdown[],
  named: Filter = [],
): Promise<Breakdown[]> {
  const breakdowns = crossed_breakdowns(board, filter, wanted_breakdowns(board, listed, window, days));
  const wanted = { filter, stretch: stretch_of(window), by: "none", breakdowns, named, quantiles: false } as const;
  return breakdowns_of(board, listed, (await read_states(queryable, board, relation, wanted, days)).keys);
}

/**
 * The cards over some stretches under a filter, those that say how things are now null; and the series of a window. One statement.
 * @param window null: no series
 */
export async function read_states_figures(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  filter: Filter,
  stretches: readonly Seconds[],
  window: Window | null,
  days: Days,
): Promise<{ readonly cards: readonly Cards[]; readonly series: Series }> {
  const [first, ...others] = stretches.map(stretch_of);
  if (first === undefined && window === null) return { cards: [], series: series_of(board, []) };
  const series = window === null ? first! : stretch_of(window);
  const read = await read_states(queryable, board, relation, {
    filter,
    stretch: first ?? series,
    by: window?.grain ?? "all",
    series,
    others,
    breakdowns: [],
    named: [],
    quantiles: first !== undefined,
  }, days);
  const cards = first === undefined ? [] : [read, ...read.others];
  return {
    cards: cards.map(({ totals, quantiles }) => cards_of(board, totals, null, quantiles)),
    series: series_of(board, read.buckets),
  };
}

interface Seconds {
  readonly from_s: number;
  readonly to_s: number;
}

const stretch_of = ({ from_s, to_s }: Seconds): Stretch => ({
  from_us: from_s * 1e6,
  to_us: to_s * 1e6,
});

/** How many states have each key of the board's `now` dimension that a card shows. */
export async function read_states_now(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  filter: Filter,
): Promise<Map<string, number>> {
  const parameters = new Parameters(relation.values);
  const fact = board.facts.find(({ adds }) => board.now.measure in adds);
  if (fact === undefined) throw new Error(`count states now: no fact adds to ${board.now.measure}`);
  const keys = board.cards.flatMap((card) => "now" in card ? [`'${card.now}'`] : []);
  // Without a case for unknown keys: then an index on the states of these keys serves.
  const column = `states.${dimension_of(board, board.now.dimension)?.column}`;
  const rows = await queryable.query<{ key: string; value: string }>(
    `select ${column} as key, sum(${fact.adds[board.now.measure]})::bigint as value from ${relation.sql} states
     where ${column} in (${keys.join(", ")}) and ${fact.at} is not null and ${fact.counts} and ${
      filter_sql(board, filter, parameters)
    }
     group by 1`,
    parameters.values,
  );
  return new Map(rows.map((row) => [row.key, Number(row.value)]));
}
