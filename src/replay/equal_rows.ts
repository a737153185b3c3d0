import { parse_json } from "../domains/mod.ts";
import type { ReplayEvent } from "./replay_event.ts";

/** Different rows of one instant that are looked for at the same time: about 150 bytes each. */
const MOST_AT_ONE_INSTANT = 1_000_000;

/**
 * Tells equal rows of a file apart by their number among their equals: the first keeps its ids, the second has `-2` behind them.
 *
 * Rows that come to one trip id have their events at the same times (a mapping that says otherwise is refused), so that events in the order
 * of the replay need only be looked at instant by instant; within one they come in the order of their lines, so that a row has the same
 * number each time the file is replayed, and for each of its events.
 */
export class EqualRows {
  readonly #numbered: ReadonlySet<number>;
  #at_us = NaN;
  readonly #met = new Map<string, number>();

  /** @param numbered indexes of the files whose rows are numbered */
  constructor(numbered: ReadonlySet<number>) {
    this.#numbered = numbered;
  }

  /** The event with its number; events come in the order of the replay. Throws when too many rows have their events at one instant. */
  numbered(event: ReplayEvent): ReplayEvent {
    const { at_us, file, nth, key, value, fault } = event;
    if (fault !== null || !this.#numbered.has(file)) return event;
    if (at_us !== this.#at_us) {
      this.#at_us = at_us;
      this.#met.clear();
    }
    const equals = `${file} ${nth} ${key}`;
    const number = (this.#met.get(equals) ?? 0) + 1;
    this.#met.set(equals, number);
    if (number === 1) {
      if (this.#met.size <= MOST_AT_ONE_INSTANT) return { ...event, number };
      throw new Error(`number equal rows: expected at most ${MOST_AT_ONE_INSTANT} different ones at one instant`);
    }
    const { trip_id, event_id, ...rest } = parse_json(value) as Record<string, unknown>;
    const ids = { event_id: `${event_id}-${number}`, trip_id: `${trip_id}-${number}` };
    return { ...event, number, key: ids.trip_id, value: JSON.stringify({ ...ids, ...rest }) };
  }
}
