import type { CellShape, Micros } from "../kpi/mod.ts";
import type { BoardWords } from "./board_words.ts";
import type { FieldType } from "./fields.ts";

/**
 * What a domain declares about its board: which figures the page and the API show and where they come from. Data only;
 * the feed turns it into SQL and frames. A measure is named by its column in the cells table.
 */

/** What a figure counts in. Money is the deployment's currency; a percent is a hundredth of a count. */
export type Unit = "count" | "money" | "km" | "min" | "percent";

/**
 * A figure over a set of cells. `per` is how many of the measure's unit make one of the figure's (micros: 1,000,000).
 * A mean is the measure over the count, or over several counts together, null when that is 0: in percent it is a share.
 */
export type SummedFigure =
  & (
    | { readonly kind: "total"; readonly unit: Unit; readonly measure: string; readonly per: number }
    | {
      readonly kind: "mean";
      readonly unit: Unit;
      readonly measure: string;
      readonly count: string | readonly string[];
      readonly per: number;
    }
  )
  & MaybeUnknown;

/** Of a board of a log that lacks what a figure is made of (`lacking`): its value is null, whatever the tables say. */
interface MaybeUnknown {
  readonly unknown?: true;
}

/** The figure that is a measure as it is, counted. */
export const count_of = (measure: string) => ({ kind: "total", unit: "count", measure, per: 1 } as const);
/** The micros of an amount of one. */
export const MICROS = 1_000_000;
/** The figure that is a measure in micros, as money. */
export const money_of = (measure: string) => ({ kind: "total", unit: "money", measure, per: MICROS } as const);

/** The quantile `q` (0 to 1) of a measure that is a sketch, by nearest rank, to 2 %; null over nothing. `per` as for sums. */
export interface QuantileFigure extends MaybeUnknown {
  readonly kind: "quantile";
  readonly unit: Unit;
  readonly sketch: string;
  readonly q: number;
  readonly per: number;
  /** The measures that hold the least and the greatest of the same values, in the same unit, where there are such. */
  readonly within?: { readonly min: string; readonly max: string };
}

/**
 * How many keys of a dimension have anything of a count in the range and filter: exact, and corrected as the count is. What nobody named (`unknown`)
 * is none of them: nobody knows how many that are. It cannot be added up, so it is a card or asked for over time, never a column of the series.
 * Cells answer it where the dimension keeps the window's grain and the filter has no condition on another; states else, in the slow lane and
 * within its limits: so always of a dimension that keeps nothing but totals.
 */
export interface DistinctFigure extends MaybeUnknown {
  readonly kind: "distinct";
  readonly unit: "count" | "percent";
  readonly dimension: string;
  /** A measure of kind count. */
  readonly count: string;
  /** In place of how many they are: what they have of a measure, which is added where the count is, over them and the hours of the bucket. No card. */
  readonly each_hour?: { readonly measure: string; readonly per: number };
}

/** A figure of a board: what is added up, a quantile, or how many keys there are. */
export type BoardFigure = SummedFigure | QuantileFigure | DistinctFigure;

/**
 * A card: a figure over the shown range, or how many states have one status key now, whatever the range. With `since`, a column of theirs that dates
 * facts, it is how long the oldest of these has been so: minutes from then to the newest event; null where none is.
 */
export type BoardCard =
  | { readonly name: string; readonly figure: string }
  | { readonly name: string; readonly now: string; readonly since?: string };

/** The card of a figure, under its name. */
export const card_of = (figure: string): BoardCard => ({ name: figure, figure });

/** A breakdown: rows by the keys of a dimension, ordered by `count`: a measure, or an SQL expression over a cell's key and measures. */
export interface BoardBreakdown {
  readonly dimension: string;
  readonly count: string;
}

/** A field of a line. `sql` is an expression over the state table; time is given in milliseconds. */
export interface BoardField {
  readonly name: string;
  readonly sql: string;
  readonly kind: "text" | "time" | "number";
  /** For numbers: how many of the column's unit make one of the field's. */
  readonly per: number;
}

/** A column that dates facts: between which times, in SQL over a state's row, they lie; of a list those of its first and last. */
export interface StateDate {
  readonly column: string;
  readonly first: string;
  readonly last: string;
}

/**
 * A dated part of a state, in SQL over its row (named `states`): what the domain's `contribution` says of one fact slot. A
 * measure's addition is an integer expression, null where the state adds nothing to it.
 */
export interface StateFact {
  /** When: a timestamptz expression; null where a state has no such fact. It is always the value of one of the board's `dates`. */
  readonly at: string;
  /** Of a fact that a state may have several times: the relation that has a row (named `item`) for each of them. */
  readonly each?: string;
  /** The id of the event that dates it; absent: none is known. */
  readonly by?: string;
  /** The condition that a state which has such a time has the fact, too. */
  readonly counts: string;
  readonly adds: Readonly<Record<string, string>>;
}

/** What a stream of a domain is called: in the words of faults (`order`), and its id in events and as a column (`order_id`). */
export interface StreamNames {
  readonly noun: string;
  readonly stream_column: string;
}

/** A field of a state as the API tells it. */
export interface ShownField {
  readonly name: string;
  readonly column: string;
  readonly kind: FieldType["shown"];
  /** How many of the column's unit make one of the field's. */
  readonly per: number;
  /** All that it may be; null: that is no list. */
  readonly values: readonly string[] | null;
  /** Whether it is never unknown. */
  readonly always: boolean;
  /** Whether it is a list. */
  readonly many?: true;
  /** What it says, where its kind does not. */
  readonly says: string | null;
}

/** A domain's tables; null: it keeps no such. */
export interface DomainTables {
  readonly states: string;
  readonly cells: string;
  readonly totals: string | null;
  readonly sketches: string | null;
}

/** The board of a domain as the feed knows it: what it declares, and the tables and cells that it is read from. */
export interface DomainBoard extends Omit<BoardDeclaration, "lines">, StreamNames, CellShape {
  /** What is read: tables, or rows of them, which are named where they are. */
  readonly tables: DomainTables;
  /** The fields of its states. */
  readonly fields: readonly ShownField[];
  /** What states add up to, and the columns that date it: so that a board of any set of states can be computed. */
  readonly facts: readonly StateFact[];
  readonly dates: readonly StateDate[];
  /** Of a domain by currency: the one it is of, and the names of the tables that `tables` are rows of; see `in_currency`. */
  readonly currency?: string;
  readonly names?: DomainTables;
  /** Of a board as of before: what the cells are not those of then of, ascending; `tables` have pieces of it under the grain `then`. */
  readonly unsettled?: readonly Micros[];
  /** Dimensions of persons: their ids are shown where the log has an alias, and filters by an id find what has its alias. Absent: keys are shown as they are. */
  readonly persons?: readonly string[];
  /** No event is in the database, its log lies elsewhere: the newest states are found by themselves. Absent: the log is there. */
  readonly log_elsewhere?: true;
  /** What the deployment gives for places of kind `zone`; absent: nothing. */
  readonly zones?: GivenZones;
  /** The newest states: the event they are sent as, the name of their list, and their fields. */
  readonly lines: Omit<BoardDeclaration["lines"], "fields"> & { readonly fields: readonly BoardField[] };
}

/** What a deployment gives for the zones of a domain: areas by key, the lines of what lies behind them, and what keys are called. */
export interface GivenZones {
  readonly areas: ReadonlyMap<string, { readonly name: string; readonly rings: readonly (readonly number[])[] }>;
  readonly backdrop: readonly (readonly number[])[];
  readonly names: ReadonlyMap<string, string>;
}

/** The places that a map shows: of zones those that areas are given of. */
export const places_shown = ({ map, zones }: Pick<DomainBoard, "map" | "zones">): MapDeclaration["places"] =>
  (map?.places ?? []).filter(({ kind }) => kind === "h3" || (zones?.areas.size ?? 0) > 0);

/** What the deployment calls the keys of a dimension; undefined where they are no zones, or nothing calls them. */
export const names_of_keys = (
  { map, zones }: Pick<DomainBoard, "map" | "zones">,
  dimension: string,
): GivenZones["names"] | undefined =>
  map?.places.some((place) => place.kind === "zone" && place.dimension === dimension) ? zones?.names : undefined;

/** A figure under the name that an answer has for it, rounded to so many decimals. */
export interface NamedFigure {
  readonly name: string;
  readonly figure: string;
  readonly decimals: number;
  /** What it says, where its name does not. */
  readonly says?: string;
}

/** All-time figures of the keys of dimensions, by the names that their readers know. */
export interface EntitiesDeclaration {
  /** What is counted, in words; keys without any are not told. */
  readonly counted: string;
  /** Each with its dimension, and the name that a key has in an answer. */
  readonly of: readonly { readonly name: string; readonly dimension: string; readonly id_name: string }[];
  /** The first one counts. */
  readonly figures: readonly NamedFigure[];
  /** An answer, of the first entity. */
  readonly example: Readonly<Record<string, string | number>>;
}

/** The figures of a day, as one document. */
export interface DailyDeclaration {
  readonly says: string;
  /** What is counted; of nothing, figures that would not be known are 0. */
  readonly count: NamedFigure;
  readonly metrics: readonly NamedFigure[];
  readonly example: Readonly<Record<string, unknown>>;
}

/** Dimensions whose keys are places, and what a map shows of them. */
export interface MapDeclaration {
  /** Of kind `h3` a key is an H3 cell; of kind `zone` the id of an area that a deployment may give the border of. */
  readonly places: readonly { readonly dimension: string; readonly kind: "h3" | "zone" }[];
  /** Figures that add up over keys, or are means of such; the first unless another is asked for. */
  readonly figures: readonly string[];
  /** What is shown of a log and not here, and why, in words; absent: nothing. */
  readonly lacks?: string;
}

/** What a domain says of its board; what follows from the rest of its declaration, `DomainBoard` has beside it. */
export interface BoardDeclaration {
  /** What the page says, and in which order. */
  readonly words: BoardWords;
  /** Dimension and key of the cells that hold everything. */
  readonly whole: { readonly dimension: string; readonly key: string };
  readonly figures: Readonly<Record<string, BoardFigure>>;
  /** The figures that are columns of the series; sums and means alone. */
  readonly series: readonly string[];
  /** Those of them that are shown of a period it is compared with, too. */
  readonly compared_series: readonly string[];
  readonly cards: readonly BoardCard[];
  /** The all-time cells that say how many states have each key now. */
  readonly now: { readonly dimension: string; readonly measure: string };
  readonly breakdowns: readonly BoardBreakdown[];
  /** Breakdowns of dimensions that keep no windows in cells: read from states alone. */
  readonly states_breakdowns: readonly BoardBreakdown[];
  /** What other dimensions' keys are counted by. */
  readonly default_count: string;
  /** Names of a breakdown row's two numbers, and the figure of the second. */
  readonly breakdown_row: { readonly count: string; readonly amount: string };
  /** The newest states: the event they are sent as, the name of their list, and their fields by the API's names; `at_ms`: the latest of their dates. */
  readonly lines: { readonly event: string; readonly list: string; readonly fields: readonly string[] };
  /** What is told of keys and of days to who knows them by other names; absent: nothing. */
  readonly entities?: EntitiesDeclaration;
  readonly daily?: DailyDeclaration;
  /** Absent: nothing of it has a place. */
  readonly map?: MapDeclaration;
  /**
   * What is watched for more or less than is usual: figures that count something, each with the dimensions whose keys are known by the time it is
   * counted, other than that of `now`: what is named later would be told as missing. Absent: nothing.
   */
  readonly unusual?: readonly { readonly figure: string; readonly by: readonly string[] }[];
  /**
   * What single streams are held against others of their kind by: what each adds to a sum, in a figure of it, which is called so in a sentence; its
   * kind is all that have the same keys of these dimensions. Absent: nothing.
   */
  readonly unusual_items?: readonly {
    readonly figure: string;
    readonly says: string;
    readonly of: readonly string[];
  }[];
  /** Whose keys are told apart by how lately, how often and for how much they were there: figures that one fact adds to. Absent: nobody's. */
  readonly segments?: { readonly of: readonly string[]; readonly count: string; readonly value: string };
}

/** The board of a currency, of a domain by currency; of any other the board as it is. Its tables want a name after them, and are planned as those that they are rows of. */
export function in_currency(board: DomainBoard, currency: string | undefined): DomainBoard {
  if (board.by_currency === undefined || currency === undefined) return board;
  if (board.currency === currency && board.unsettled !== undefined) return board;
  // It becomes a part of statements.
  if (!/^[A-Z]{3}$/.test(currency)) {
    throw new Error(`show a board: expected a currency, got ${JSON.stringify(currency)}`);
  }
  const names = table_names(board);
  const rows = (table: string) => rows_of(currency, table);
  const { states, cells, totals, sketches } = names;
  const tables = {
    states: rows(states),
    cells: rows(cells),
    totals: totals && rows(totals),
    sketches: sketches && rows(sketches),
  };
  return { ...board, currency, names, tables };
}

const NO_HEXAGONS = "No hexagons here: a Flink job writes this database, and SQL cannot make H3 cells.";

/**
 * A board over tables that a Flink job writes: no event is in the database, and since the job writes no sketches, percentiles are made from states,
 * exact and within the bounds of what is. Cells may be behind states: nothing is called unusual by them.
 * @param without_h3 whether places are H3 cells where a log is written
 */
export const without_log = (board: DomainBoard, without_h3: boolean): DomainBoard => ({
  ...board,
  ...board.map === undefined || !without_h3 ? {} : { map: { ...board.map, lacks: NO_HEXAGONS } },
  log_elsewhere: true,
  unusual: [],
  dimensions: board.dimensions.map(({ sketches: _, ...kept }) => kept),
});

/** The rows of a currency, which want a name after them. */
export const rows_of = (currency: string, table: string): string =>
  `(select * from ${table} where currency = '${currency}')`;

/** The names of a board's tables. */
export const table_names = ({ names, tables }: Pick<DomainBoard, "names" | "tables">): DomainTables => names ?? tables;

/** The tables that are exchanged for others of the same name when another read model is switched in. */
export function model_tables(of: Pick<DomainBoard, "names" | "tables">): string[] {
  const { states, cells, totals, sketches } = table_names(of);
  return [states, cells, totals, sketches].filter((table) => table !== null);
}
