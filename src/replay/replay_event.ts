import type { Sorted } from "../sort/mod.ts";

/** Before every event time there is: where rows stand whose time is not known yet. */
export const BEFORE_ALL_US = Number.MIN_SAFE_INTEGER;

/** The type of events that take a trip back. */
export const VOIDED = "trip.voided";

/** Where an event stands in the order of a replay: event time, turn, then file, line and place among the events of its row. */
export interface ReplayPoint {
  readonly at_us: number;
  /** 1 for what takes a trip back: it comes after all else of its instant, so that the trip is known by then. 0 for all else. */
  readonly turn: number;
  /** Index of its file. */
  readonly file: number;
  readonly line: number;
  readonly nth: number;
}

/** What is sent for a row, or for one of its events. */
export interface ReplayEvent extends ReplayPoint {
  /** The message's key: the trip id where there is one. */
  readonly key: string;
  /** The message's value: the event as JSON, or a bad row as it stands. */
  readonly value: string;
  /** What it is among the events of its row: its type, and of several of one type which one. Blank for a bad row. */
  readonly kind: string;
  /** What is wrong with a bad row, as JSON of a `Fault`; null for an event. */
  readonly fault: string | null;
  /** Which one of equal rows of its file it is of, from 1; where rows are not numbered there is none. */
  readonly number?: number;
}

/** Orders points: negative when `a` is first. No two events of a replay are equal. */
export const compare_points = (a: ReplayPoint, b: ReplayPoint): number =>
  a.at_us - b.at_us || a.turn - b.turn || a.file - b.file || a.line - b.line || a.nth - b.nth;

type Line = [
  at_us: number,
  turn: number,
  file: number,
  line: number,
  nth: number,
  key: string,
  value: string,
  kind: string,
  fault: string | null,
];

/** Events of a replay, as its sort puts them into order. */
export const REPLAY_ORDER: Sorted<ReplayEvent> = {
  compare: compare_points,
  encode: ({ at_us, turn, file, line, nth, key, value, kind, fault }) =>
    JSON.stringify([at_us, turn, file, line, nth, key, value, kind, fault] satisfies Line),
  decode: (text) => {
    const [at_us, turn, file, line, nth, key, value, kind, fault] = JSON.parse(text) as Line;
    return { at_us, turn, file, line, nth, key, value, kind, fault };
  },
  characters: ({ key, value }) => key.length + value.length,
};
