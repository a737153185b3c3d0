import type { GeneratedMessage } from "../../declared.ts";
import { outage_end_us } from "./arrivals.ts";
import { Arrivals } from "./arrivals.ts";
import type { City } from "./city.ts";
import { Dispatcher } from "./dispatcher.ts";
import { malform } from "./message.ts";
import { message_of } from "./message.ts";
import { Random } from "./random.ts";
import { resume_trip } from "./ride.ts";
import { type OpenTrip, step_us, type Trip } from "./message.ts";

/** Something to be delivered at a time. `order` is unique and settles equal times. */
export interface Delivery {
  readonly deliver_us: number;
  readonly order: number;
}

/**
 * A binary heap: the earliest delivery first, the lower `order` among equals. Push and pop cost log(size).
 * The times are kept a second time in a row of plain numbers, so that comparing them touches no object: with 200,000 waiting
 * the whole generator makes 111 thousand messages a second of processor time instead of 99 thousand.
 */
export class DeliveryHeap<D extends Delivery> {
  readonly #deliveries: D[] = [];
  readonly #times: number[] = [];

  get size(): number {
    return this.#deliveries.length;
  }

  /** The earliest delivery, left where it is; undefined when the heap is empty. */
  peek(): D | undefined {
    return this.#deliveries[0];
  }

  push(delivery: D): void {
    let hole = this.#deliveries.length;
    this.#put(hole, delivery);
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = this.#deliveries[above];
      if (parent === undefined || this.#precedes(above, delivery.deliver_us, delivery)) break;
      this.#put(hole, parent);
      hole = above;
    }
    this.#put(hole, delivery);
  }

  /** Takes the earliest delivery out; undefined when the heap is empty. */
  pop(): D | undefined {
    const deliveries = this.#deliveries;
    const first = deliveries[0];
    const last = deliveries.pop();
    this.#times.pop();
    if (last === undefined || deliveries.length === 0) return first;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      const right = deliveries[child + 1];
      if (right !== undefined && !this.#precedes(child, this.#times[child + 1] ?? Infinity, right)) child++;
      const earliest = deliveries[child];
      if (earliest === undefined || !this.#precedes(child, last.deliver_us, last)) break;
      this.#put(hole, earliest);
      hole = child;
    }
    this.#put(hole, last);
    return first;
  }

  #put(index: number, delivery: D): void {
    this.#deliveries[index] = delivery;
    this.#times[index] = delivery.deliver_us;
  }

  /** Whether the delivery at an index comes before another one, whose time is given beside it. */
  #precedes(index: number, other_us: number, other: D): boolean {
    const time_us = this.#times[index] ?? Infinity;
    if (time_us !== other_us) return time_us < other_us;
    return (this.#deliveries[index]?.order ?? Infinity) < other.order;
  }
}

export interface TripStreamOptions {
  readonly seed: number;
  /** Where the stream begins, microseconds since the epoch. */
  readonly start_us: number;
  /** Trips requested per second of event time, on the average of a week. Each makes about three messages. */
  readonly rate: number;
  /** 0: evenly spaced. 1 (default): the city's demand by hour and weekday, with gusts and random gaps. */
  readonly variability?: number;
  /** The number in the first trip's id. Default 1. A run that goes on where another ended starts past its last number. */
  readonly first_trip_number?: number;
  /** What stands before the number in trip ids. Default "T-". Runs that share a log without sharing numbers need one each. */
  readonly trip_prefix?: string;
  /** Trips still open from an earlier run: they are finished first. */
  readonly open?: readonly OpenTrip[];
  /** Shares (0 to 1, default 0) of good messages that are sent minutes late, sent a second time, or follow a broken copy of themselves. */
  readonly late?: number;
  readonly duplicates?: number;
  readonly malformed?: number;
  /** Share (0 to 1, default 0.012) of completed trips whose fare is corrected within six hours: tolls, waiting time, refunds. */
  readonly corrections?: number;
  /** Shares (0 to 1, default 0) of completed trips that are taken back within a day or two, and whose completion says no fare. */
  readonly voids?: number;
  readonly without_fare?: number;
  /** Spikes, outages, fraud-like trips and completions after cancellations. Default false. */
  readonly anomalies?: boolean;
  /** Currency of all amounts. Default "USD". */
  readonly currency?: string;
}

/** One message of a trip, waiting for its time. Only a `prompt` one brings on the trip's next step. */
interface PlannedMessage extends Delivery {
  readonly trip: Trip;
  readonly step: number;
  readonly sort: "prompt" | "late" | "again" | "malformed";
}

const no_headers: Readonly<Record<string, string>> = Object.freeze({});

/**
 * The messages of a city, without end, in order of delivery.
 *
 * The same city and options give the same bytes, however and whenever they are taken: nothing is drawn at random but in
 * the order of delivery. History and live are one stream: take all up to now at once, then go on by the clock. Late,
 * duplicate and malformed messages are laid over the same trips: the shares change no trip. Memory holds one planned
 * message for each open trip, and those that are late or sent again.
 */
export class TripStream implements IterableIterator<GeneratedMessage, never> {
  readonly #city: City;
  readonly #options: Required<TripStreamOptions>;
  readonly #arrivals: Arrivals;
  readonly #dispatcher: Dispatcher;
  readonly #random: Random;
  readonly #waiting = new DeliveryHeap<PlannedMessage>();
  #order = 0;
  #trip_number: number;
  #next_request_us: number;

  /** Throws when an option is out of its range. */
  constructor(city: City, options: TripStreamOptions) {
    this.#city = city;
    this.#options = with_defaults(options);
    this.#arrivals = new Arrivals(city, this.#options);
    this.#dispatcher = new Dispatcher(city, this.#options);
    this.#random = new Random(this.#options.seed, this.#options.start_us, this.#options.first_trip_number, 51);
    this.#trip_number = this.#options.first_trip_number;
    for (const open of this.#options.open) {
      this.#plan_step(resume_trip(city, this.#options.seed, this.#options.start_us, open), 0);
    }
    this.#next_request_us = this.#arrivals.next();
  }

  /** How many messages are planned and not yet taken. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The number the next planned trip will have; a later run starts here. */
  get next_trip_number(): number {
    return this.#trip_number;
  }

  /** When the next message is due. */
  next_deliver_us(): number {
    return this.#first().deliver_us;
  }

  /** The next message. */
  take(): GeneratedMessage {
    const planned = this.#first();
    this.#waiting.pop();
    const { trip, step, sort } = planned;
    if (sort === "prompt") this.#plan_step(trip, step + 1);
    const message = message_of(trip, step, this.#options.currency);
    const value = sort === "malformed"
      ? malform(message, this.#random.whole(0, 0x1_0000_0000))
      : JSON.stringify(message);
    return { deliver_us: planned.deliver_us, key: trip.trip_id, value, headers: no_headers };
  }

  /** The messages due at or before a time, at most `limit` of them (default: all; a day at a high rate is millions). */
  take_due(now_us: number, limit = Infinity): GeneratedMessage[] {
    const due: GeneratedMessage[] = [];
    while (due.length < limit && this.next_deliver_us() <= now_us) due.push(this.take());
    return due;
  }

  next(): IteratorYieldResult<GeneratedMessage> {
    return { done: false, value: this.take() };
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** The earliest planned message, once all trips requested before it are planned too. */
  #first(): PlannedMessage {
    for (;;) {
      const first = this.#waiting.peek();
      if (first !== undefined && first.deliver_us < this.#next_request_us) return first;
      this.#plan_step(this.#dispatcher.plan(this.#trip_number++, this.#next_request_us), 0);
      this.#next_request_us = this.#arrivals.next();
    }
  }

  /** Plans the delivery of a step, if the trip has it. */
  #plan_step(trip: Trip, step: number): void {
    if (step >= trip.steps.length) return;
    const random = this.#random;
    const { late, duplicates, malformed } = this.#options;
    const sent_us = step_us(trip, step) + random.whole(60, 900) * 1_000;
    const is_late = random.chance(late);
    // Two minutes and more; half of them under seven, few over half an hour.
    const delay_us = is_late ? Math.floor(Math.min(45, 2 + 7 * random.exponential()) * 60_000) * 1_000 : 0;
    const deliver_us = this.#after_outage(trip, Math.max(trip.not_before_us, sent_us) + delay_us);
    if (random.chance(malformed)) this.#plan(deliver_us, trip, step, "malformed");
    this.#plan(deliver_us, trip, step, is_late ? "late" : "prompt");
    if (random.chance(duplicates)) {
      this.#plan(deliver_us + Math.floor(1_000 * 600 ** random.fraction()) * 1_000, trip, step, "again");
    }
    // A late message does not hold up the trip: the next step may be delivered before it.
    if (is_late) this.#plan_step(trip, step + 1);
  }

  #plan(deliver_us: number, trip: Trip, step: number, sort: PlannedMessage["sort"]): void {
    this.#waiting.push({ deliver_us, order: this.#order++, trip, step, sort });
  }

  #after_outage(trip: Trip, deliver_us: number): number {
    if (!this.#options.anomalies) return deliver_us;
    const place = this.#city.places.findIndex(({ source }) => source === trip.source);
    return outage_end_us(this.#options.seed, place, deliver_us) ?? deliver_us;
  }
}

function with_defaults(options: TripStreamOptions): Required<TripStreamOptions> {
  const complete: Required<TripStreamOptions> = {
    variability: 1,
    first_trip_number: 1,
    trip_prefix: "T-",
    open: [],
    late: 0,
    duplicates: 0,
    malformed: 0,
    corrections: 0.012,
    voids: 0,
    without_fare: 0,
    anomalies: false,
    currency: "USD",
    ...options,
  };
  const refuse = (name: string, expected: string, value: number): never => {
    throw new Error(`starting the trip generator: expected ${expected} as ${name}, got "${value}"`);
  };
  for (const name of ["seed", "start_us", "first_trip_number"] as const) {
    if (!Number.isSafeInteger(complete[name])) refuse(name, "a whole number", complete[name]);
  }
  for (
    const name of ["variability", "late", "duplicates", "malformed", "corrections", "voids", "without_fare"] as const
  ) {
    if (!(complete[name] >= 0 && complete[name] <= 1)) refuse(name, "a number from 0 to 1", complete[name]);
  }
  if (!(complete.rate > 0 && complete.rate <= 1e5)) refuse("rate", "a number above 0 and up to 100,000", complete.rate);
  return complete;
}
