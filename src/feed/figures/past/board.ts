import type { Queryable } from "../../../database/mod.ts";
import type { BoardCard } from "../../../domains/mod.ts";
import { read_head, TooMuchChangedSince } from "../../../event_log/mod.ts";
import { draw, type ShownBoard, with_own } from "../board.ts";
import { read_currencies } from "../breakdown.ts";
import { figures_of_cells, read_ages } from "../cells.ts";
import { read_comparisons } from "../comparisons.ts";
import { mark_series } from "../corrections.ts";
import { keyed_series, NO_KEYED, with_keyed } from "../keyed.ts";
import {
  type Asked,
  cells_question,
  is_too_long,
  of_view,
  type Question,
  sources_of,
  states_question,
  too_long_words,
  whole_question,
} from "../question.ts";
import { find_counted, left_out, so_far } from "../readings.ts";
import { figures_of_states, is_long, read_lines } from "../states.ts";
import type { StatesRelation } from "../states_relation.ts";
import { comparisons_of, DAY_S, LONGEST_FROM_STATES_S, reached_ms, type Watched } from "../view.ts";
import { board_of_then } from "./cells.ts";

/** Boards as of a position of the log. */

/** How long what cells do not say of a long window may take: the rest of the board is there, and is not to wait for seconds. */
const LONG_PART_MS = 500;

/**
 * Reads a view's board as of a position: series and cards from the cells of then where these answer it, all else from states. Marks of late
 * corrections are not kept for the past: there are none. Comparisons, and what cells do not have of a long window or beside them, are left out
 * where they cannot be computed in time, and the board says so.
 * @param reading a transaction
 * @param all states as of the position, of the view's currency
 * @param then the position, its newest event time, and the time that it is looked at from, milliseconds
 */
export async function read_past_board(
  reading: Queryable,
  given: Asked,
  asked: Watched,
  all: StatesRelation,
  then: { readonly position: number; readonly newest_event_ms: number | null; readonly now_ms: number },
): Promise<ShownBoard> {
  const { position, newest_event_ms, now_ms } = then, { figures_id: log_id, kept } = await read_head(reading);
  const source = { ...of_view(given, asked.view), kept };
  const { watched, states, arrived } = await find_counted(reading, source, asked, all, then);
  const { view, window } = watched;
  const comparisons = comparisons_of(window, reached_ms(now_ms, newest_event_ms), source.days);
  const cells = arrived === null ? await board_of_then(reading, source, watched, all, comparisons) : null;
  const own = cells === null ? source : { ...source, board: cells };
  const late: string[] = [];
  const in_time = <T>(what: string, read: () => Promise<T>): Promise<T | null> => so_far(reading, late, what, read);
  if (cells === null && is_too_long(view, window)) {
    throw new TooMuchChangedSince(
      `read a board as of position ${position}: its range is of more than ${
        LONGEST_FROM_STATES_S / DAY_S
      } days, of which more changed since`,
    );
  }
  const { first, now, rest } = past_questions(own, watched, cells !== null);
  const figures = cells === null
    ? await figures_of_states(reading, first, states)
    : await figures_of_cells(reading, first);
  const of_now = await figures_of_states(reading, now, states);
  // By arrival everything happened when it was recorded: that is nobody's age.
  const ages = arrived === null ? await read_ages(reading, own.board, view.filter, { states, newest_event_ms }) : [];
  const { cards: now_cards } = draw(now, { ...of_now, now: new Map([...of_now.now ?? [], ...ages]) });
  const board = draw(first, figures), keyed = keyed_series(first, figures, {});
  // How many there were then would take counting all states.
  const currencies = source.board.by_currency === undefined ? null : await read_currencies(reading, source.board);
  const lines = await read_lines(reading, source.board, all, view.filter, { position, arrived });
  const compared = arrived === null
    ? await in_time("comparisons", () => read_comparisons(reading, own, watched, states, comparisons))
    : null;
  const slow = await in_time("breakdowns", async () => {
    if (is_long(window)) await reading.query(`set local statement_timeout = ${LONG_PART_MS}`);
    const figures = await figures_of_states(reading, rest, states);
    return { ...draw(rest, figures), keyed: keyed_series(rest, figures, {}) };
  });
  const series = { series: mark_series(board.series, null), changed_at: board.changed_at };
  return {
    ...board,
    cards: Object.fromEntries(
      source.board.cards.map(({ name }) => [name, board.cards[name] ?? now_cards[name] ?? slow?.cards[name] ?? null]),
    ),
    ...currencies === null
      ? {}
      : { currencies: with_own(currencies.map(({ currency }) => ({ currency, count: null })), view, null) },
    view,
    log_id,
    newest_event_ms,
    position,
    series: with_keyed(with_keyed(series, keyed), slow?.keyed ?? NO_KEYED).series,
    changed_at: board.series.t.map(() => position),
    breakdowns: [...board.breakdowns, ...slow?.breakdowns ?? []],
    lines_of: { ...keyed.lines, ...slow?.keyed.lines },
    lines_version: "",
    lines,
    lines_at: position,
    sources: cells === null
      ? { cards: "states", breakdowns: "states" }
      : sources_of({ board: cells, kept }, view, window),
    states: { position, read_ms: now_ms },
    failed: left_out(late) ??
      (view.filter.length > 0 && is_too_long(view, window) ? too_long_words(source.board) : null),
    arrived,
    compared: compared && { log_id, position, ...compared },
    version: 0,
    compared_version: 0,
  };
}

/**
 * What is asked of a board of then at first, of how many states had which key then, and of states when there is time.
 * @param of_cells whether the first is answered from cells
 */
function past_questions(asked: Asked, watched: Watched, of_cells: boolean): Record<"first" | "now" | "rest", Question> {
  const is_now = (card: BoardCard) => "now" in card;
  const without_now = (question: Question): Question => {
    const { cards = [] } = question.wants;
    return { ...question, wants: { ...question.wants, cards: cards.filter((card) => !is_now(card)) } };
  };
  const now_of = (...questions: readonly Question[]): Question => {
    const cards = questions.flatMap(({ wants: { cards = [] } }) => cards.filter(is_now));
    return { ...questions[0]!, wants: { cards } };
  };
  if (of_cells) {
    const first = cells_question(asked, watched)!, rest = states_question(asked, watched);
    return { first: without_now(first), now: now_of(first, rest), rest: without_now(rest) };
  }
  const whole = whole_question(asked, watched), { breakdowns = [] } = whole.wants;
  const apart = is_long(watched.window) ? asked.board.states_breakdowns : [];
  const kept = breakdowns.filter((each) => !apart.includes(each));
  return {
    first: without_now({ ...whole, wants: { ...whole.wants, breakdowns: kept } }),
    now: now_of(whole),
    rest: { ...whole, wants: { breakdowns: apart } },
  };
}
