import { type Queryable, text_array } from "../../database/mod.ts";
import type { DomainBoard } from "../../domains/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import {
  type Asked,
  condition_of_cells,
  ends_on,
  has_own_ends,
  matching,
  micros,
  of_view,
  Parameters,
  STEP_S,
  tiles_of,
  type View,
  VIEW_GRAINS,
  type ViewGrain,
  type Window,
  window_at,
} from "../figures/mod.ts";

/**
 * How wide the buckets of a view are that names no grain: as is meant for the length of its range, and wider where so little happens that each
 * bucket would be chance. What happens is counted by the coarsest cells that make up the window, a few dozen rows.
 */

/** So many a bucket has to have, on average; and so many buckets a window, whatever it has. */
const ENOUGH = 4, LEAST_BUCKETS = 12;
/** What so few are told by makes no picture: they stay where they happened. */
const LEAST_COUNTED = 12;
/** A grain that is in use gives way to a wider one below this part of enough, to a finer one above that: so none goes to and fro. */
const LOW = 0.5, HIGH = 1.5;
/** Anew no more often than this, while the view is watched. */
const RECOUNT_MS = 60_000;
/** Cells are counted by no finer ones, seconds: all dimensions that keep windows have these. */
const FINEST_S = 300;

/** What happened in a window so far: how much, and since when, seconds; null: nothing did. */
export interface Counted {
  readonly counted: number;
  readonly first_s: number | null;
}

/**
 * The grain for a window that is cut by the one that is meant for its length. Pure.
 * @param now_s what lies after it is yet to come
 * @param fits whether a coarser grain may be taken
 * @param before the grain in use; null: none is
 */
export function grain_for(
  window: Window,
  { counted, first_s }: Counted,
  now_s: number,
  fits: (grain: ViewGrain) => boolean,
  before: ViewGrain | null,
): ViewGrain {
  const { from_s, to_s, grain: meant } = window;
  const wider = VIEW_GRAINS.slice(VIEW_GRAINS.indexOf(meant) + 1)
    .filter((grain) => (to_s - from_s) / STEP_S[grain] >= LEAST_BUCKETS && fits(grain));
  const grains = [meant, ...wider], at = before === null ? -1 : grains.indexOf(before);
  if (first_s === null || counted < LEAST_COUNTED * (at > 0 ? LOW : 1)) return meant;
  const passed_s = Math.max(Math.min(now_s, to_s) - Math.max(first_s, from_s), STEP_S[meant]);
  const with_enough = (enough: number) => {
    const found = grains.findIndex((grain) => counted * STEP_S[grain] / passed_s >= enough);
    return found < 0 ? grains.length - 1 : found;
  };
  if (at < 0) return grains[with_enough(ENOUGH)]!;
  const finer = with_enough(ENOUGH * HIGH), coarser = with_enough(ENOUGH * LOW);
  return grains[finer < at ? finer : coarser > at ? coarser : at]!;
}

/** Whether the width of a view's buckets is nobody's choice: by arrival it goes by how long the events took to come. */
const is_open = ({ range, grain, order }: View): boolean =>
  grain === undefined && order === undefined && range !== "last";

/** What the streams of a board are counted by. */
const counted_measure = ({ measures, default_count }: DomainBoard): string | null => {
  const counts = measures.filter(({ kind }) => kind === "count").map(({ name }) => name);
  return counts.find((name) => name === default_count) ?? counts[0] ?? null;
};

/**
 * Finds the window of a view: by its own grain, or by one that goes by how much there is in it, as cells know it now. What no cell of its filter
 * tells keeps the grain that is meant for its length.
 * @param now_ms the time that it is looked at from
 */
export async function read_window(
  queryable: Queryable,
  given: Asked,
  view: View,
  now_ms: number,
): Promise<Window> {
  return window_at(with_grain(view, await read_grain(queryable, given, view, now_ms, null)), now_ms, given.days);
}

/** Finds the grain of such a window. @param before the grain in use; null: none is */
async function read_grain(
  queryable: Queryable,
  given: Asked,
  view: View,
  now_ms: number,
  before: ViewGrain | null,
): Promise<ViewGrain> {
  const { board, days } = of_view(given, view), window = window_at(view, now_ms, days);
  const condition = condition_of_cells(board, view.filter, "1h"), count = counted_measure(board);
  if (!is_open(view) || condition === null || count === null) return window.grain;
  const tiles = tiles_of(board, condition.dimension, { ...micros(window), finest_s: FINEST_S }, days);
  if (tiles.length === 0) return window.grain;
  const parameters = new Parameters([condition.dimension, text_array(condition.keys)]);
  const parts = tiles.map(({ grain, from_us, to_us }) =>
    `select bucket, ${count} as counted from ${board.tables.cells} cells
     where grain = ${parameters.add(grain)} and ${matching(condition, "$1", "$2")}
       and bucket >= ${parameters.add(format_time(from_us))}::timestamptz
       and bucket < ${parameters.add(format_time(to_us))}::timestamptz`
  );
  const [row] = await queryable.query<{ counted: string | null; first_s: string | null }>(
    `select sum(counted)::text as counted, floor(extract(epoch from min(bucket) filter (where counted > 0)))::bigint as first_s
     from (${parts.join(" union all ")}) cells`,
    parameters.values,
  );
  const first_s = row?.first_s == null ? null : Number(row.first_s);
  // How much there is does not change what of it is told: whole days stay so.
  const is_of_days = has_own_ends(view) && ends_on("1d", window, days);
  const fits = (grain: ViewGrain) =>
    condition_of_cells(board, view.filter, grain) !== null && (!is_of_days || ends_on(grain, window, days));
  return grain_for(window, { counted: Number(row?.counted ?? 0), first_s }, now_ms / 1000, fits, before);
}

/** A view with a grain. */
const with_grain = (view: View, grain: ViewGrain | undefined): View =>
  is_open(view) && grain !== undefined ? { ...view, grain } : view;

/** The grains of the views that are watched. */
export class Grains {
  readonly #found = new Map<string, { readonly grain: ViewGrain; readonly at_ms: number }>();

  constructor(private readonly source: Asked & { readonly database: Queryable }) {}

  /** The window of a view, by the grain that was found for it last. */
  window(key: string, view: View, now_ms: number): Window {
    return window_at(with_grain(view, this.#found.get(key)?.grain), now_ms, this.source.days);
  }

  /** Forgets the grains of views that are not watched; says which have to be found: those that are new, and others once a minute. */
  due(views: ReadonlyMap<string, View>, now_ms: number): (readonly [key: string, view: View])[] {
    for (const key of [...this.#found.keys()]) if (!views.has(key)) this.#found.delete(key);
    return [...views].filter(([key, view]) => {
      const before = this.#found.get(key);
      return is_open(view) && (before === undefined || Math.abs(now_ms - before.at_ms) >= RECOUNT_MS);
    });
  }

  /** Finds the grains of views. Throws when the database does. */
  async find(views: readonly (readonly [key: string, view: View])[], now_ms: number): Promise<void> {
    for (const [key, view] of views) {
      const before = this.#found.get(key)?.grain ?? null;
      const grain = await read_grain(this.source.database, this.source, view, now_ms, before);
      this.#found.set(key, { grain, at_ms: now_ms });
    }
  }
}
