import { bucket_end, bucket_start, type Days, type Micros } from "../kpi/mod.ts";
import { STEP_S } from "../feed/mod.ts";
import { is_relative, type Rule } from "./rule.ts";

/**
 * The windows of event time that a rule looks at, one after the other, and what they make of it: a state machine.
 *
 *     ok ──beyond──► pending ──for so long──► firing ──over──► resolved ──► ok
 *                       └──────in silence──► silenced ──over──► ok, resolved if it was told to fire
 *
 * It knows event time alone: the same windows end in the same state, whenever they are looked at. Pure.
 */

/** The windows of a rule in [from_us, to_us), both ends of windows. */
export function windows_between(
  { window }: Pick<Rule, "window">,
  from_us: number,
  to_us: number,
  days: Days,
): Micros[] {
  const windows: Micros[] = [];
  for (let at = from_us; at < to_us;) {
    const end = bucket_end(window, at, days);
    windows.push({ from_us: at, to_us: end });
    at = end;
  }
  return windows;
}

/** The end of the last window that may be looked at when event time has come to `clock_us`. */
export const last_end = ({ window, wait_us }: Pick<Rule, "window" | "wait_us">, clock_us: number, days: Days): number =>
  bucket_start(window, clock_us - wait_us, days);

/** Whether more than so many windows lie in [from_us, to_us), both ends of windows. */
export function more_than(
  many: number,
  { window }: Pick<Rule, "window">,
  { from_us, to_us }: Micros,
  days: Days,
): boolean {
  let at = from_us;
  for (let i = 0; at < to_us; i++) {
    if (i === many) return true;
    at = bucket_end(window, at, days);
  }
  return false;
}

/** The window that lies so many windows before the one that ends at `end_us`: its start. */
function windows_before({ window }: Pick<Rule, "window">, end_us: number, many: number, days: Days): number {
  let at = end_us;
  for (let i = 0; i < many; i++) at = bucket_start(window, at - 1, days);
  return at;
}

/** The window of so many weeks before by the clock of the business time zone. */
export function weeks_before(
  { window }: Pick<Rule, "window">,
  { from_us, to_us }: Micros,
  days: Days,
  weeks: number,
): Micros {
  // By noon: a midnight may be skipped.
  if (window === "1d") return spanning(days.day_of(days.days_before(from_us + 43_200e6, 7 * weeks)));
  const width = to_us - from_us;
  const end_us = Math.floor(days.days_before(to_us, 7 * weeks) / width) * width;
  return { from_us: end_us - width, to_us: end_us };
}

const spanning = ({ start_us, end_us }: { readonly start_us: number; readonly end_us: number }): Micros => ({
  from_us: start_us,
  to_us: end_us,
});

/** Nothing is looked at that lies further back than event time that is later by so much than now: a wrong clock. */
const MOST_IDLE_US = 86_400e6;

/**
 * How far event time has come for a rule: to the newest event of the log, or where nothing came for so long as the rule says, along with the
 * clock, so long behind it; at most a day after the newest event, so that an old log which was only read in is no outage.
 * @param recorded_us when the newest event was recorded
 */
export function clock_of(
  { idle_us }: Pick<Rule, "idle_us">,
  { watermark_us, recorded_us, now_us }: {
    readonly watermark_us: number;
    readonly recorded_us: number;
    readonly now_us: number;
  },
): number {
  if (idle_us === null || now_us - recorded_us <= idle_us || now_us - watermark_us > MOST_IDLE_US) return watermark_us;
  return Math.max(watermark_us, now_us - idle_us);
}

/** Most windows that a rule is begun with. */
const MOST_FIRST = 200;

/** From which window a rule that is looked at for the first time begins: so far back that what has lasted long enough fires at once. */
export const first_window = (rule: Rule, end_us: number, days: Days): number =>
  windows_before(rule, end_us, Math.min(MOST_FIRST, Math.ceil(rule.for_us / (STEP_S[rule.window] * 1e6)) + 1), days);

/** How a rule stands. `silenced`: it would fire, and nobody is told; `resolved`: it has fired, and is over since this window. */
export const PHASES = ["ok", "pending", "firing", "silenced", "resolved"] as const;
export type Phase = typeof PHASES[number];

/** Where a rule stands after a window. */
export interface AlertState {
  readonly phase: Phase;
  /** When the first of the windows begins that were beyond without a break, microseconds; null where the last was not. */
  readonly since_us: number | null;
  /** Whether it was told to fire, and not yet to be over. */
  readonly told: boolean;
}

/** A rule that nothing was looked at for. */
export const BEGINNING: AlertState = { phase: "ok", since_us: null, told: false };

/** What a rule sees of a window. */
export interface WindowValue extends Micros {
  /** The figure; null where it is not known, as a mean of nothing. */
  readonly figure: number | null;
  /** A week before, or what is usual, of rules that hold it against that. */
  readonly then: number | null;
  /** What is held against the threshold: the figure, how far it rose or fell, or how far it lies from the usual; null where that is not known. */
  readonly value: number | null;
}

/** Why a state changed: by the next window, by late events in windows that had been looked at, or since the rule itself is another one or gone. */
export type Why = "window" | "corrected" | "changed" | "removed";

/** A change of state. */
export interface Change {
  readonly from: Phase;
  readonly to: Phase;
  readonly why: Why;
  /** The window that it came with; null where it came with none. */
  readonly window: WindowValue | null;
  /** Since when windows were beyond, microseconds. */
  readonly since_us: number | null;
}

/** The changes that are told to receivers; the others are on record alone. */
export const is_told = ({ to }: Pick<Change, "to">): boolean => to === "firing" || to === "resolved";

const held = ({ phase }: AlertState): boolean => phase === "firing" || phase === "silenced";
/** Phases in which nothing is the matter. */
const calm = (phase: Phase): boolean => phase === "ok" || phase === "resolved";

/** Whether a value is beyond the threshold; of a rule that is held already, whether it is not over. */
function is_beyond(rule: Rule, value: number, is_held: boolean): boolean {
  const limit = is_held ? rule.clear : rule.threshold;
  return rule.comparison === "below" ? value < limit : value > limit;
}

/**
 * The state after a window.
 * @param fresh whether it ended so short a time ago that the rule may begin to fire
 */
export function after_window(rule: Rule, state: AlertState, window: WindowValue, fresh: boolean): AlertState {
  const silent = rule.silence_until_us !== null && window.to_us <= rule.silence_until_us;
  const { value } = window, is_held = held(state);
  // What is not known neither begins nor ends it.
  const beyond = value === null ? is_held : is_beyond(rule, value, is_held);
  if (!beyond) {
    const over = state.phase === "firing" || (state.phase === "silenced" && state.told);
    return { phase: over ? "resolved" : "ok", since_us: null, told: false };
  }
  const since_us = state.since_us ?? window.from_us;
  const may_fire = is_held ? fresh || state.phase === "firing" : fresh && window.to_us - since_us >= rule.for_us;
  const phase = is_held || may_fire ? silent || !may_fire ? "silenced" : "firing" : "pending";
  return { phase, since_us, told: phase === "firing" || state.told };
}

/** How far a rule was looked at. */
export interface Course {
  /** The state after the last window that is closed, and that window's end: from there on windows are looked at again, for late events correct them. */
  readonly anchor: AlertState;
  readonly anchor_us: number;
  /** How it stands, and the end of the last window that was looked at. */
  readonly state: AlertState;
  readonly through_us: number;
}

/** A course that begins at the end of a window. */
export const begin_at = (through_us: number, state: AlertState = BEGINNING): Course => ({
  anchor: state,
  anchor_us: through_us,
  state,
  through_us,
});

/**
 * Goes on with a rule.
 * @param windows from the course's anchor on, without a hole, as they stand now
 * @param times from which end on a window is fresh, and up to which one it is closed, microseconds
 * @returns the course after them, and the changes of state on the way, in order
 */
export function advance(
  rule: Rule,
  course: Course,
  windows: readonly WindowValue[],
  { fresh_us, settled_us }: { readonly fresh_us: number; readonly settled_us: number },
): { readonly course: Course; readonly changes: readonly Change[] } {
  const changes: Change[] = [];
  let { anchor, anchor_us, through_us } = course, state = anchor, seen: WindowValue | null = null;
  let told = course.state;
  const correct = () => {
    const corrected = correction(told, state);
    for (const to of corrected.phases) {
      changes.push({ from: told.phase, to, why: "corrected", window: seen, since_us: state.since_us ?? told.since_us });
      told = { ...told, phase: to };
    }
    state = corrected.state;
  };
  let again = true;
  for (const window of windows) {
    if (again && window.to_us > course.through_us) {
      again = false;
      correct();
    }
    const before = state;
    // What fires already does so by windows that were fresh when they were looked at first.
    state = after_window(rule, state, window, (again && held(course.state)) || window.to_us >= fresh_us);
    if (!again) {
      through_us = window.to_us;
      if (state.phase !== before.phase) {
        const since_us = state.since_us ?? before.since_us;
        changes.push({ from: before.phase, to: state.phase, why: "window", window, since_us });
      }
    }
    seen = window;
    if (window.to_us <= settled_us) [anchor, anchor_us] = [state, window.to_us];
  }
  if (again) correct();
  return { course: { anchor, anchor_us, state, through_us }, changes };
}

/**
 * What becomes of a state when the windows that led to it are others by now.
 * @param told the state as it is on record
 * @param found what the same windows make of it now
 */
function correction(told: AlertState, found: AlertState): { readonly phases: Phase[]; readonly state: AlertState } {
  if (held(found)) {
    const state = { ...found, told: found.phase === "firing" || told.told };
    return { phases: found.phase === told.phase ? [] : [found.phase], state };
  }
  if (told.told) {
    const phase = found.phase === "pending" ? "pending" : "resolved";
    return {
      phases: phase === "pending" ? ["resolved", "pending"] : ["resolved"],
      state: { ...found, phase, told: false },
    };
  }
  // Of what was fired and over within windows that were corrected there is nothing to tell.
  const phase = calm(found.phase) ? calm(told.phase) ? told.phase : "ok" : found.phase;
  return { phases: phase === told.phase ? [] : [phase], state: { ...found, phase, told: false } };
}

/** What a rule that is no longer as it was, or gone, leaves behind: it is over for whoever was told that it fires. */
export function ended(state: AlertState, why: "changed" | "removed"): Change | null {
  if (!state.told) return null;
  return { from: state.phase, to: "resolved", why, window: null, since_us: state.since_us };
}

/** What is held against the threshold. @param share whether the figure is a percentage: it moves in points */
export function value_of_rule(
  rule: Pick<Rule, "comparison">,
  figure: number | null,
  then: number | null,
  share: boolean,
): number | null {
  if (!is_relative(rule)) return figure;
  if (figure === null || then === null || (!share && !(then > 0))) return null;
  const rise = share ? figure - then : (figure - then) / then * 100;
  return rule.comparison === "falls" ? -rise : rise;
}
