import { type Queryable, took_too_long } from "../database/mod.ts";
import { read_head } from "../event_log/mod.ts";
import type { LaneFigures, Reading, ShownBoard, Watched } from "./board.ts";
import { comparisons_of, reached_ms } from "./comparison.ts";
import { type LaneSource, read_compared, read_comparisons, read_lane_figures } from "./lane_reading.ts";
import { read_lines } from "./lines.ts";
import { mark_series } from "./revision.ts";
import { shown_board } from "./shown.ts";
import { read_boards, type SnapshotSource } from "./snapshot.ts";
import { sources_of } from "./source.ts";
import { read_states_board } from "./states_board.ts";
import type { StatesRelation } from "./states_relation.ts";

/** A view's whole board, read at once for one who asks for it and does not follow: as of now, or as of a position of the log. */

/** A board, and what is said of the log it belongs to. */
export interface WholeBoard {
  readonly reading: Pick<Reading, "log_id" | "newest_event_ms">;
  readonly board: ShownBoard;
}

/**
 * Reads a view's board as it is now, from where the live feed reads it. What is computed from states may belong to a later position.
 * Where series and cards come from cells, what cannot be computed in time is left out and the board says so.
 */
export async function read_whole_board(source: LaneSource, watched: Watched, now_ms: number): Promise<WholeBoard> {
  const reading = await read_boards(source, new Map([["", watched]]), [], null);
  const compared = await read_compared(source, watched, reached_ms(now_ms, reading.newest_event_ms));
  const from_cells = sources_of(source.board, watched.view.filter, watched.window.grain).cards === "cells";
  let figures: LaneFigures | null = null, failed: string | null = null;
  try {
    figures = await read_lane_figures(source, watched, null, now_ms);
  } catch (error) {
    if (!from_cells || !took_too_long(error)) throw error;
    failed = "the breakdowns took too long; take a shorter range";
  }
  const lane = { figures, compared, tried: true, failed, version: 0, compared_version: 0 };
  const board = shown_board(source.board, watched, reading, reading.boards.get("") ?? null, lane, false);
  if (board === null) throw new Error("read a whole board: a view that cells answer was not read from them");
  return { reading, board };
}

/**
 * Computes a view's board as of a position, all of it from states. Marks of late corrections are not kept for the past: there are none.
 * @param states those as of the position
 * @param then the position, its newest event time, and the time that it is looked at from, milliseconds
 */
export async function read_past_board(
  reading: Queryable,
  { board, days }: Pick<SnapshotSource, "board" | "days">,
  watched: Watched,
  states: StatesRelation,
  then: { readonly position: number; readonly newest_event_ms: number | null; readonly now_ms: number },
): Promise<WholeBoard> {
  const { view, window } = watched;
  const { filter } = view;
  const { position, newest_event_ms, now_ms } = then;
  const { log_id } = await read_head(reading);
  const figures = await read_states_board(reading, board, states, filter, window, days);
  const comparisons = comparisons_of(window, reached_ms(now_ms, newest_event_ms), days);
  const compared = await read_comparisons(reading, { board, days }, watched, states, comparisons);
  return {
    reading: { log_id, newest_event_ms },
    board: {
      view,
      position,
      known: true,
      window,
      series: mark_series(figures.series, { t: [], changed_at: [], first_at: [], revised_ms: [] }),
      changed_at: figures.series.t.map(() => position),
      cards: figures.cards,
      breakdowns: figures.breakdowns,
      lines: await read_lines(reading, board, states, filter, position),
      lines_at: position,
      sources: { cards: "states", breakdowns: "states" },
      states: { position, read_ms: now_ms },
      failed: null,
      compared: { log_id, position, ...compared },
      version: 0,
      compared_version: 0,
    },
  };
}
