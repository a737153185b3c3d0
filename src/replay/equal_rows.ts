import { parse_json } from "../domains/mod.ts";
import { type ReplayEvent, VOIDED } from "./row_events.ts";

/** Different rows of one instant, rides that end at it and rows that take back, each: about 250 bytes. */
const MOST_AT_ONE_INSTANT = 1_000_000;
const TOO_MANY = `number equal rows: expected at most ${MOST_AT_ONE_INSTANT} at one instant`;
const COMPLETED = "trip.completed";
const AMOUNT = /^-?\d+(?:\.\d{1,6})?$/;

/** Micros of an amount as mappings write it; null for anything else. */
function micros_of(amount: unknown): bigint | null {
  const text = typeof amount === "number" ? String(amount) : amount;
  if (typeof text !== "string" || !AMOUNT.test(text)) return null;
  const [whole, decimals = ""] = text.split(".");
  return BigInt(whole! + decimals.padEnd(6, "0"));
}

const FARE = '"fare":';
/** The fare of an event, told without parsing its JSON where it is text, as mappings write it. A short text of its own: of so many, whole events are not kept. */
function fare_of(value: string): unknown {
  const at = value.indexOf(FARE);
  if (at < 0) return null;
  const from = at + FARE.length + 1;
  return value[from - 1] === '"'
    ? value.slice(from, value.indexOf('"', from))
    : (parse_json(value) as Record<string, unknown>).fare;
}

/** Rows of a file that take a ride back which the file does not have. */
export interface WaitingVoids {
  readonly count: number;
  /** What they take back, where their events say it as `amount`: negative. */
  readonly sum_micros: bigint;
}

/** The rides of one id at an instant, in their order, and what takes them back. */
class Rides {
  readonly #count: number;
  readonly #taken = new Set<number>();
  /** The rides of each fare that are left, the first one last. */
  readonly #left = new Map<bigint | null, number[]>();
  #first_left = 0;
  #waiting = 0;

  /** @param fares that of each */
  constructor(fares: readonly unknown[]) {
    this.#count = fares.length;
    for (let i = fares.length - 1; i >= 0; i--) {
      const micros = micros_of(fares[i]);
      const same = this.#left.get(micros);
      if (same === undefined) this.#left.set(micros, [i]);
      else same.push(i);
    }
  }

  /** The number of the ride that an amount takes back, any one where it is not known; null when there is none. */
  take(amount_micros: bigint | null): number | null {
    while (this.#taken.has(this.#first_left)) this.#first_left++;
    const some = this.#first_left < this.#count ? this.#first_left : undefined;
    const same = amount_micros === null ? undefined : this.#left.get(-amount_micros);
    while (same !== undefined && same.length > 0 && this.#taken.has(same.at(-1)!)) same.pop();
    const ride = amount_micros === null ? some : same?.pop();
    if (ride === undefined) return null;
    this.#taken.add(ride);
    return ride + 1;
  }

  /** The number of a void that takes none of them back: no ride has it. */
  wait(): number {
    return this.#count + ++this.#waiting;
  }
}

/**
 * Tells equal rows of a file apart by their number among their equals: the first keeps its ids, the second has `-2` behind them.
 *
 * Rows that come to one trip id have their events at the same times (a mapping that says otherwise is refused), so that events in the order
 * of the replay need only be looked at instant by instant; within one they come in the order of their lines, so that a row has the same
 * number each time the file is replayed, and for each of its events.
 *
 * A row that takes a ride back comes after the rides of its instant. It belongs to the first of its equals with the fare that it takes back,
 * and has that one's number; where it says no `amount`, to the first that is left. One without such a ride waits, under a number of its own.
 */
export class EqualRows {
  readonly #numbered: ReadonlySet<number>;
  #at_us = NaN;
  readonly #met = new Map<string, number>();
  /** The fares of what completed at the instant, by file and id. */
  readonly #fares = new Map<string, unknown[]>();
  #completed = 0;
  readonly #rides = new Map<string, Rides>();
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
      this.#at_us = at_us;
      this.#met.clear();
      this.#fares.clear();
      this.#completed = 0;
      this.#rides.clear();
    }
    if (kind === VOIDED) return this.#void(event);
    const equals = `${file} ${kind} ${key}`;
    const number = (this.#met.get(equals) ?? 0) + 1;
    this.#met.set(equals, number);
    if (number === 1 && this.#met.size > MOST_AT_ONE_INSTANT) throw new Error(TOO_MANY);
    if (kind === COMPLETED) {
      if (number === 1) this.#fares.set(equals, [fare_of(value)]);
      else this.#fares.get(equals)!.push(fare_of(value));
      if (++this.#completed > MOST_AT_ONE_INSTANT) throw new Error(TOO_MANY);
    }
    return with_number(event, number);
  }

  /** The voids of a file, among the events so far, whose rides were not there. */
  waiting_voids(file: number): WaitingVoids {
    return this.#waiting.get(file) ?? { count: 0, sum_micros: 0n };
  }

  /** The rides that a void may take back: those of its file, id and instant. */
  #rides_of(file: number, key: string): Rides {
    const equals = `${file} ${COMPLETED} ${key}`;
    let rides = this.#rides.get(equals);
    if (rides === undefined) {
      this.#rides.set(equals, rides = new Rides(this.#fares.get(equals) ?? []));
      if (this.#rides.size > MOST_AT_ONE_INSTANT) throw new Error(TOO_MANY);
    }
    return rides;
  }

  #void(event: ReplayEvent): ReplayEvent {
    const { file, key, value } = event;
    const rides = this.#rides_of(file, key);
    const amount = micros_of((parse_json(value) as Record<string, unknown>).amount);
    const ride = rides.take(amount);
    if (ride !== null) return with_number(event, ride);
    const { count, sum_micros } = this.waiting_voids(file);
    this.#waiting.set(file, { count: count + 1, sum_micros: sum_micros + (amount ?? 0n) });
    return with_number(event, rides.wait());
  }
}

function with_number(event: ReplayEvent, number: number): ReplayEvent {
  if (number === 1) return { ...event, number };
  const { trip_id, event_id, ...rest } = parse_json(event.value) as Record<string, unknown>;
  const ids = { event_id: `${event_id}-${number}`, trip_id: `${trip_id}-${number}` };
  return { ...event, number, key: ids.trip_id, value: JSON.stringify({ ...ids, ...rest }) };
}
