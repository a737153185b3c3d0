import { type DomainBoard, has_gaps } from "../../domains/mod.ts";
import type { Kept } from "../../kpi/mod.ts";
import { type Breakdown, breakdowns_of, type CurrencyCount } from "./breakdown.ts";
import type { Compared } from "./comparisons.ts";
import { type Cards, cards_of, type Series, series_of } from "./figure.ts";
import { mark_series } from "./corrections.ts";
import { type KeyedSeries, type KeyLinesOf, with_keyed } from "./keyed.ts";
import { type Figures, type Question, type Sources, sources_of } from "./question.ts";
import type { Line } from "./states.ts";
import type { Arrived } from "./states_relation.ts";
import { counts_all, is_whole, type View, type Watched, type Window } from "./view.ts";

/** Boards: figures as they are shown. One reading answers a part of a view's board, two are joined into what subscribers see. Pure. */

/** What one reading says of a view. */
export interface Board {
  readonly window: Window;
  /** Whether series are; where not, there is no bucket. */
  readonly known: boolean;
  readonly series: Series;
  /** For each bucket the position that changed it last; 0 where that is not told. */
  readonly changed_at: readonly number[];
  /** All cards; null too where they are not known from here. */
  readonly cards: Cards;
  readonly breakdowns: readonly Breakdown[];
  /** Which key has which line, of dimensions that are known here. */
  readonly lines_of: KeyLinesOf;
}

/** The newest states that a view counts, newest first, and the position that changed this list. */
export interface NewestLines {
  readonly list: readonly Line[];
  readonly changed_at: number;
}

/** What states say of a view, in the slow lane. */
export interface LaneBoard extends Board {
  /** Lines by key: with the series where that is known, else beside that of the cells. */
  readonly keyed: KeyedSeries;
  readonly log_id: string;
  readonly position: number;
  readonly read_ms: number;
  /** The newest states of the view; null of all there is. */
  readonly lines: NewestLines | null;
  /** What a view by arrival is of; null by event time. */
  readonly arrived: Arrived | null;
  /** Why a part of it was not computed; null when all was. */
  readonly missing: string | null;
}

/** All that subscribers of a view are shown at some time. */
export interface ShownBoard extends Board {
  readonly view: View;
  readonly log_id: string;
  /** The position that series and cards belong to. */
  readonly position: number;
  /** The newest event time in the log, milliseconds. */
  readonly newest_event_ms: number | null;
  readonly lines: readonly Line[];
  /** The position that changed the lines last; below 0 while they are not known. */
  readonly lines_at: number;
  /** Of a domain by currency: which there are in the log, the greatest first. */
  readonly currencies?: readonly CurrencyCount[];
  readonly sources: Sources;
  /** Of what was read from states. */
  readonly states: { readonly position: number; readonly read_ms: number } | null;
  readonly failed: string | null;
  /** What a view by arrival is of; null by event time, and while it is not known. */
  readonly arrived: Arrived | null;
  readonly compared: Compared | null;
  /** Moves with everything that no position tells: figures from the slow lane. */
  readonly version: number;
  /** Moves when the series of the comparison may have changed. */
  readonly compared_version: number;
  /** Differs when lines may be of other keys, or were computed anew: all of them are told then. */
  readonly lines_version: string;
}

/** What is known of a view in the slow lane. */
export interface LaneState {
  readonly board: LaneBoard | null;
  readonly compared: Compared | null;
  /** Whether its figures were tried at least once. */
  readonly tried: boolean;
  /** Why the last try of something gave nothing; null when it did. */
  readonly failed: string | null;
  /** Moves with every change of the above. */
  readonly version: number;
  readonly compared_version: number;
}

/** The board that the figures of a question make, without lines by key: cards are of its first stretch. */
export function draw({ board, window, wants }: Question, { buckets, stretches, now, keys }: Figures): Board {
  const { series = false, cards = [], breakdowns = [] } = wants;
  const asked = new Set(cards.map(({ name }) => name));
  const { totals, unsummed } = stretches[0] ?? { totals: {}, unsummed: new Map() };
  const drawn = cards_of(board, totals, now, unsummed);
  return {
    window,
    known: series,
    series: series_of(board, buckets),
    changed_at: buckets.map(({ changed_at }) => Number(changed_at ?? 0)),
    cards: Object.fromEntries(board.cards.map(({ name }) => [name, asked.has(name) ? drawn[name]! : null])),
    breakdowns: breakdowns_of(board, breakdowns, keys),
    lines_of: {},
  };
}

/** The newest reading of what cells and the log say: where it stands, which currencies there are, and the lines of all that there is. */
interface Newest {
  /** What cells of fine grains are kept; absent: all. */
  readonly kept?: Kept;
  readonly currencies?: readonly CurrencyCount[];
  readonly log_id: string;
  readonly position: number;
  readonly newest_event_ms: number | null;
  readonly lines: readonly Line[];
}

/** The currencies that there are, that of a view among them: of one that nothing was counted in yet `count`. */
export const with_own = (
  currencies: readonly CurrencyCount[],
  { currency }: View,
  count: CurrencyCount["count"],
): readonly CurrencyCount[] =>
  currency === undefined || currencies.some((each) => each.currency === currency)
    ? currencies
    : [...currencies, { currency, count }];

/**
 * Joins what was read of a view in both lanes into what its subscribers are shown.
 * @param cells what its cells say; null where they do not answer it, or have not been read
 * @param wait whether the slow lane is waited for until it has tried the view
 * @returns null while there is nothing to show
 */
export function shown_board(
  declared: DomainBoard,
  { view, window }: Watched,
  newest: Newest,
  { cells, lane, wait }: {
    /** `own_lines`: those of its currency. */
    readonly cells: Board & { readonly own_lines?: NewestLines | null } | null;
    readonly lane: LaneState | null;
    readonly wait: boolean;
  },
): ShownBoard | null {
  const whole = is_whole(view);
  const { kept } = newest, sources = sources_of({ board: declared, kept }, view, window);
  if (sources.cards === "cells" && cells === null) return null;
  if (wait && (!whole || sources.cards === "states") && lane?.tried !== true) return null;
  const slow = lane?.board?.log_id === newest.log_id ? lane.board : null, compared = lane?.compared ?? null;
  const own = cells ?? (slow?.known ? slow : null);
  const lines = counts_all(view)
    ? { list: newest.lines, changed_at: newest.position }
    : whole
    ? cells?.own_lines
    : slow?.lines;
  const lines_of = { ...slow?.keyed.lines, ...cells?.lines_of };
  const computed = Object.keys(slow?.keyed.lines ?? {}).length > 0;
  const drawn = own ?? { series: mark_series(series_of(declared, []), null), changed_at: [] };
  return {
    view,
    log_id: newest.log_id,
    newest_event_ms: newest.newest_event_ms,
    position: cells === null && slow !== null ? slow.position : newest.position,
    window: own?.window ?? window,
    known: own !== null,
    ...cells !== null && slow !== null ? with_keyed(drawn, slow.keyed) : drawn,
    // What one knows the other was not asked.
    cards: Object.fromEntries(declared.cards.map(({ name }) => [name, own?.cards[name] ?? slow?.cards[name] ?? null])),
    breakdowns: [...cells?.breakdowns ?? [], ...slow?.breakdowns ?? []],
    lines: lines?.list ?? [],
    lines_at: lines?.changed_at ?? -1,
    ...newest.currencies === undefined ? {} : { currencies: with_own(newest.currencies, view, 0) },
    sources,
    states: slow === null ? null : { position: slow.position, read_ms: slow.read_ms },
    failed: lane?.failed ?? slow?.missing ?? null,
    arrived: slow?.arrived ?? null,
    compared: compared?.log_id === newest.log_id && compared.step_s === (own?.window ?? window).step_s
      ? compared
      : null,
    version: lane?.version ?? 0,
    compared_version: lane?.compared_version ?? 0,
    lines_of,
    lines_version: Object.keys(lines_of).length === 0 ? "" : JSON.stringify([lines_of, computed && lane?.version]),
  };
}

/**
 * A series as it was read at a position, with what is known from the reading before: buckets with equal figures changed
 * when they had. Buckets that are gone stay, as those of nothing, so that whoever has them is told.
 * @param from_s buckets before it are dropped
 * @param last the reading before; null when there is none, then all changed now
 */
export function changed_since(
  board: DomainBoard,
  fresh: Series,
  position: number,
  from_s: number,
  last: Pick<Board, "series" | "changed_at"> | null,
): Pick<Board, "series" | "changed_at"> {
  const names = Object.keys(fresh);
  const nothing = names.map((name) => board.series.includes(name) && has_gaps(board, name) ? null : 0);
  const row_of = (series: Series, i: number): Row => names.map((name, n) => series[name]?.[i] ?? nothing[n]!);
  const rows = new Map<number, { row: Row; at: number }>();
  last?.series.t.forEach((t, i) => {
    if (t >= from_s) rows.set(t, { row: row_of(last.series, i), at: last.changed_at[i]! });
  });
  const seen = new Set(fresh.t);
  for (const [t, { row }] of rows) {
    const gone = names.map((name, n) => name === "t" ? t : nothing[n]!);
    if (!seen.has(t) && !same_row(row, gone)) rows.set(t, { row: gone, at: position });
  }
  fresh.t.forEach((t, i) => {
    const row = row_of(fresh, i);
    const before = rows.get(t);
    rows.set(t, before !== undefined && same_row(before.row, row) ? before : { row, at: position });
  });
  const sorted = [...rows].sort(([a], [b]) => a - b).map(([, each]) => each);
  const columns = names.map((name, n) => [name, sorted.map(({ row }) => row[n]!)] as const);
  return {
    series: { ...Object.fromEntries(columns), t: sorted.map(({ row }) => row[names.indexOf("t")] ?? 0) },
    changed_at: sorted.map(({ at }) => at),
  };
}

type Row = readonly (number | null)[];

const same_row = (a: Row, b: Row): boolean => a.every((value, i) => value === b[i]);
