import { parse_json } from "../domains/mod.ts";
import type { ReplayEvent } from "./replay_event.ts";

/** Different rows of one instant that are looked for at the same time: about 150 bytes each. */
const MOST_AT_ONE_INSTANT = 1_000_000;
const COMPLETED = "trip.completed", VOIDED = "trip.voided";
/** An amount as mappings write it. */
const AMOUNT = /^-?\d+\.\d{6}$/;

/** Rows of a file that take a ride back which the file does not have. */
export interface WaitingVoids {
  readonly count: number;
  /** What they take back, where their events say it as `amount`: negative. */
  readonly sum_micros: bigint;
}

/**
 * Tells equal rows of a file apart by their number among their equals: the first keeps its ids, the second has `-2` behind them.
 *
 * Rows that come to one trip id have their events at the same times (a mapping that says otherwise is refused), so that events in the order
 * of the replay need only be looked at instant by instant; within one they come in the order of their lines, so that a row has the same
 * number each time the file is replayed, and for each of its events. Numbers are by kind of event: the second row that takes a ride back
 * has the number of the second ride.
 */
export class EqualRows {
  readonly #numbered: ReadonlySet<number>;
  #at_us = NaN;
  readonly #met = new Map<string, number>();
  /** Of the instant: what each void takes back, by file and id. */
  readonly #voids = new Map<string, { readonly file: number; readonly amounts_micros: bigint[] }>();
  readonly #waiting = new Map<number, WaitingVoids>();

  /** @param numbered indexes of the files whose rows are numbered */
  constructor(numbered: ReadonlySet<number>) {
    this.#numbered = numbered;
  }

  /** The event with its number; events come in the order of the replay. Throws when too many rows have their events at one instant. */
  numbered(event: ReplayEvent): ReplayEvent {
    const { at_us, file, kind, key, value, fault } = event;
    if (fault !== null || !this.#numbered.has(file)) return event;
    if (at_us !== this.#at_us) {
      this.#settle();
      this.#at_us = at_us;
      this.#met.clear();
    }
    const equals = `${file} ${kind} ${key}`;
    const number = (this.#met.get(equals) ?? 0) + 1;
    this.#met.set(equals, number);
    if (number === 1 && this.#met.size > MOST_AT_ONE_INSTANT) {
      throw new Error(`number equal rows: expected at most ${MOST_AT_ONE_INSTANT} different ones at one instant`);
    }
    if (number === 1 && kind !== VOIDED) return { ...event, number };
    const { trip_id, event_id, ...rest } = parse_json(value) as Record<string, unknown>;
    if (kind === VOIDED) this.#void(file, key, rest.amount);
    if (number === 1) return { ...event, number };
    const ids = { event_id: `${event_id}-${number}`, trip_id: `${trip_id}-${number}` };
    return { ...event, number, key: ids.trip_id, value: JSON.stringify({ ...ids, ...rest }) };
  }

  /** The voids of a file, among the events so far, whose rides were not there at their instant; the last one is taken to be over. */
  waiting_voids(file: number): WaitingVoids {
    this.#settle();
    return this.#waiting.get(file) ?? { count: 0, sum_micros: 0n };
  }

  #void(file: number, key: string, amount: unknown): void {
    const place = `${file} ${key}`;
    const voids = this.#voids.get(place) ?? { file, amounts_micros: [] };
    voids.amounts_micros.push(typeof amount === "string" && AMOUNT.test(amount) ? BigInt(amount.replace(".", "")) : 0n);
    this.#voids.set(place, voids);
  }

  /** Ends an instant: what voids are more than there are rides waits. */
  #settle(): void {
    for (const [place, { file, amounts_micros }] of this.#voids) {
      const rides = this.#met.get(`${file} ${COMPLETED} ${place.slice(`${file} `.length)}`) ?? 0;
      const waiting = amounts_micros.slice(rides);
      const { count, sum_micros } = this.#waiting.get(file) ?? { count: 0, sum_micros: 0n };
      const sum = waiting.reduce((sum, micros) => sum + micros, sum_micros);
      if (waiting.length > 0) this.#waiting.set(file, { count: count + waiting.length, sum_micros: sum });
    }
    this.#voids.clear();
  }
}
