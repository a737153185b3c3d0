import type { Window } from "./view.ts";

/** What the feed reads and sends, as values. Pure. */

/** Columns by name: `t` holds bucket starts (ascending, seconds), the others the figures of the same buckets. Absent buckets are zero. */
export type Series = Readonly<Record<string, readonly number[]>> & { readonly t: readonly number[] };

/** Card values by name; null where there is nothing to divide or compare. */
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

/** A view's figures at a position of the log. */
export interface Board {
  readonly window: Window;
  readonly series: Series;
  /** For each bucket of the series the position that changed it last. */
  readonly changed_at: readonly number[];
  readonly cards: Cards;
  readonly breakdowns: readonly Breakdown[];
}

/** Everything that is read at one moment: one snapshot of the database, so that all of it belongs to one position. */
export interface Reading {
  readonly log_id: string;
  readonly position: number;
  /** The newest event time in the log, milliseconds. */
  readonly newest_event_ms: number | null;
  /** The newest states, newest first. */
  readonly lines: readonly Line[];
  /** Boards by view key. */
  readonly boards: ReadonlyMap<string, Board>;
  /** When positions that subscribers resume from were recorded, milliseconds. */
  readonly recorded_ms: ReadonlyMap<number, number>;
}
