import type { ComparisonName } from "./comparison.ts";
import type { MarkedBuckets } from "./revision.ts";
import type { Sources } from "./source.ts";
import type { View, Window } from "./view.ts";

/** What the feed reads and sends, as values. Pure. */

/** Columns by name: `t` holds bucket starts (ascending, seconds), the others the figures of the same buckets. Absent buckets are zero. */
export type Series = Readonly<Record<string, readonly number[]>> & { readonly t: readonly number[] };

/** Card values by name; null where there is nothing to divide or compare, or the value is not known. */
export type Cards = Readonly<Record<string, number | null>>;

/** A row of a breakdown: its key (null: all others) and the domain's two numbers. */
export type BreakdownRow = Readonly<Record<string, string | number | null>>;

export interface Breakdown {
  readonly dimension: string;
  /** How many keys have anything, those in the last row included. */
  readonly total_keys: number;
  readonly rows: readonly BreakdownRow[];
}

/** A state's line, by field; `position` is that of its newest event. */
export type Line = Readonly<Record<string, string | number | null>> & { readonly position: number };

/** A view that is watched, and its window at this time. */
export interface Watched {
  readonly view: View;
  readonly window: Window;
}

/** A window's series and cards, and for each bucket the position that changed it last. */
export interface WindowFigures {
  readonly window: Window;
  readonly series: Series;
  readonly changed_at: readonly number[];
  readonly cards: Cards;
}

/** What cells say of a view: read anew whenever the log has moved. */
export interface Board extends WindowFigures {
  /** Empty under a filter: cells have one dimension. */
  readonly breakdowns: readonly Breakdown[];
  /** What the marks of late corrections were made from. */
  readonly marked: MarkedBuckets;
}

/** What is read at one moment from cells and the log: one snapshot of the database, so that all of it belongs to one position. */
export interface Reading {
  readonly log_id: string;
  readonly position: number;
  /** The newest event time in the log, milliseconds. */
  readonly newest_event_ms: number | null;
  /** The newest states, newest first. */
  readonly lines: readonly Line[];
  /** Boards by view key; of those views that cells answer. */
  readonly boards: ReadonlyMap<string, Board>;
  /** When positions that subscribers resume from were recorded, milliseconds. */
  readonly recorded_ms: ReadonlyMap<number, number>;
}

/** What is read of a view in the slow lane, at one moment. */
export interface LaneFigures {
  readonly log_id: string;
  readonly position: number;
  readonly read_ms: number;
  readonly window: Window;
  /** Series and cards, where no cells answer the view. */
  readonly own: WindowFigures | null;
  /** Cards that the view's cells do not have. */
  readonly cards: Cards;
  readonly breakdowns: readonly Breakdown[];
  /** The newest states of the filter, newest first, and the position that changed this list; null without a filter. */
  readonly lines: { readonly list: readonly Line[]; readonly changed_at: number } | null;
  /** Why a part of it was not computed; null when all was. */
  readonly missing: string | null;
}

/** The cards of a stretch [from_s, to_s) that a window is held against. */
export interface ComparedCards {
  readonly from_s: number;
  readonly to_s: number;
  /** Null: the log held events before it, so it lies wholly in the log. Else from when on it does, seconds; `to_s`: nothing of it does. */
  readonly since_s: number | null;
  /** How many trips have to be under a figure of then before a change is told as a percent. */
  readonly least_base: number;
  /** Empty where nothing is known of then. */
  readonly cards: Cards;
}

/** A view's comparisons: the cards of each, and the series of the one it shows, moved into the present. */
export interface Compared {
  readonly log_id: string;
  readonly position: number;
  readonly cards: Readonly<Record<ComparisonName, ComparedCards>>;
  readonly series: Readonly<Record<string, unknown>>;
}

/** All that subscribers of a view are shown at some time. */
export interface ShownBoard extends WindowFigures {
  readonly view: View;
  /** The position that series and cards belong to. */
  readonly position: number;
  /** Whether series and cards are known yet. */
  readonly known: boolean;
  readonly breakdowns: readonly Breakdown[];
  readonly lines: readonly Line[];
  /** The position that changed the lines last; below 0 while they are not known. */
  readonly lines_at: number;
  readonly sources: Sources;
  /** Of what was read from states. */
  readonly states: { readonly position: number; readonly read_ms: number } | null;
  readonly failed: string | null;
  readonly compared: Compared | null;
  /** Moves with everything that no position tells: figures from the slow lane. */
  readonly version: number;
  /** Moves when the series of the comparison may have changed. */
  readonly compared_version: number;
}
