import type { GeneratedMessage, GeneratedMessages } from "../declared.ts";
import { type Breakable, event_id, type JsonObject, malform, write_event } from "./message.ts";
import type { Random } from "./random.ts";

/** Options of a generator, as far as they are checked. */
interface Checked {
  readonly rate: number;
}

/**
 * Refuses options of a generator that are out of range, with the value.
 * @param whole names of those that are whole numbers
 * @param shares names of those that are from 0 to 1
 */
export function check_options<Options extends Checked>(
  noun: string,
  options: Options,
  whole: readonly (keyof Options & string)[],
  shares: readonly (keyof Options & string)[],
): void {
  const refuse = (name: string, expected: string, value: unknown): never => {
    throw new Error(`starting the ${noun} generator: expected ${expected} as ${name}, got "${value}"`);
  };
  for (const name of whole) {
    if (!Number.isSafeInteger(options[name])) refuse(name, "a whole number", options[name]);
  }
  for (const name of shares) {
    const share = options[name];
    if (!(typeof share === "number" && share >= 0 && share <= 1)) refuse(name, "a number from 0 to 1", share);
  }
  const { rate } = options;
  if (!(rate > 0 && rate <= 1e5)) refuse("rate", "a number above 0 and up to 100,000", rate);
}

/** The options that were given of those that may be: ids follow from what is asked for alone. */
export const given_options = <Options extends Readonly<Record<string, unknown>>>(asked: Options): Partial<Options> =>
  Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as Partial<Options>;

/** Something to be delivered at a time. `order` is unique and settles equal times. */
interface Delivery {
  readonly deliver_us: number;
  readonly order: number;
}

/**
 * A binary heap: the earliest delivery first, the lower `order` among equals. Push and pop cost log(size).
 * The times are kept a second time in a row of plain numbers, so that comparing them touches no object: with 200,000 waiting
 * the whole generator makes 111 thousand messages a second of processor time instead of 99 thousand.
 */
class DeliveryHeap<D extends Delivery> {
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

/**
 * One stream as planned, from its first event to its last: what its envelopes say. Kept small, because thousands a second may be open for a
 * quarter of an hour each: whole numbers in small units.
 */
export interface Course {
  readonly stream_id: string;
  /** Under which key, and from which counter on, its event ids are made: one counter a step. */
  readonly id_key: number;
  readonly id_counter: number;
  /** CloudEvents source. */
  readonly source: string;
  /** Sent as bare JSON (an older app) and not as a CloudEvent. */
  readonly bare: boolean;
  /** The types of its events, in order, and how many milliseconds after `base_us` (a whole millisecond) each happens. */
  readonly steps: readonly string[];
  readonly after_ms: readonly number[];
  readonly base_us: number;
  /** No message is delivered before this time. */
  readonly not_before_us: number;
}

/** The event time of a step, microseconds. */
export function step_us({ base_us, after_ms }: Pick<Course, "base_us" | "after_ms">, step: number): number {
  return base_us + (after_ms[step] ?? 0) * 1_000;
}

/** How a domain invents its streams, in the order in which they begin. */
export interface Invention<C extends Course> {
  /** When the next one begins. */
  next_us(): number;
  /** Plans it. */
  next(): C;
  /** What the event of a step says. */
  data(course: C, step: number): JsonObject;
  /** When a message that is due gets through: later, where an outage holds it back. */
  delivered_us?(course: C, due_us: number): number;
}

/** Shares (0 to 1) of good messages that are sent minutes late, sent a second time, or follow a broken copy of themselves. */
interface Mishaps {
  readonly late: number;
  readonly duplicates: number;
  readonly malformed: number;
}

/** The shares of a run, none unless given. Refuses these and what a plan has that are out of range; `shares` names the plan's own, beside its variability. */
export function checked_mishaps<Plan extends Checked & Readonly<Record<"seed" | "start_us" | "variability", number>>>(
  noun: string,
  plan: Plan,
  { late = 0, duplicates = 0, malformed = 0 }: Partial<Mishaps>,
  shares: readonly (keyof Plan & string)[],
): Mishaps {
  const mishaps = { late, duplicates, malformed };
  const all = ["variability", "late", "duplicates", "malformed", ...shares] as const;
  check_options<Plan & Mishaps>(noun, { ...plan, ...mishaps }, ["seed", "start_us"], all);
  return mishaps;
}

/** One message of a stream, waiting for its time. Only a `prompt` one brings on the next step. */
interface PlannedMessage<C> extends Delivery {
  readonly course: C;
  readonly step: number;
  readonly sort: "prompt" | "late" | "again" | "malformed";
}

const no_headers: Readonly<Record<string, string>> = Object.freeze({});

/**
 * The messages of invented streams, without end, in order of delivery.
 *
 * The same invention and random numbers give the same bytes, however and whenever they are taken: nothing is drawn at random but in
 * the order of delivery. History and live are one stream: take all up to now at once, then go on by the clock. Late,
 * duplicate and malformed messages are laid over the same streams: the shares change none. Memory holds one planned
 * message for each open stream, and those that are late or sent again.
 */
export class EventStream<C extends Course> implements GeneratedMessages, IterableIterator<GeneratedMessage, never> {
  readonly #domain: Breakable;
  readonly #invention: Invention<C>;
  readonly #random: Random;
  readonly #mishaps: Mishaps;
  readonly #waiting = new DeliveryHeap<PlannedMessage<C>>();
  #order = 0;
  #next_us: number;

  /**
   * @param random of the delivery alone
   * @param open streams of an earlier run, which are finished first
   */
  constructor(domain: Breakable, invention: Invention<C>, random: Random, mishaps: Mishaps, open: readonly C[] = []) {
    this.#domain = domain;
    this.#invention = invention;
    this.#random = random;
    this.#mishaps = mishaps;
    for (const course of open) this.#plan_step(course, 0);
    this.#next_us = invention.next_us();
  }

  /** How many messages are planned and not yet taken. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** When the next message is due. */
  next_deliver_us(): number {
    return this.#first().deliver_us;
  }

  /** The next message. */
  take(): GeneratedMessage {
    const planned = this.#first();
    this.#waiting.pop();
    const { course, step, sort } = planned;
    if (sort === "prompt") this.#plan_step(course, step + 1);
    const message = this.#message_of(course, step);
    const value = sort === "malformed"
      ? malform(message, this.#random.whole(0, 0x1_0000_0000), this.#domain)
      : JSON.stringify(message);
    return { deliver_us: planned.deliver_us, key: course.stream_id, value, headers: no_headers };
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

  /** The earliest planned message, once all streams that begin before it are planned too. */
  #first(): PlannedMessage<C> {
    for (;;) {
      const first = this.#waiting.peek();
      if (first !== undefined && first.deliver_us < this.#next_us) return first;
      this.#plan_step(this.#invention.next(), 0);
      this.#next_us = this.#invention.next_us();
    }
  }

  /** Plans the delivery of a step, if the stream has it. */
  #plan_step(course: C, step: number): void {
    if (step >= course.steps.length) return;
    const random = this.#random;
    const { late, duplicates, malformed } = this.#mishaps;
    const sent_us = step_us(course, step) + random.whole(60, 900) * 1_000;
    const is_late = random.chance(late);
    // Two minutes and more; half of them under seven, few over half an hour.
    const delay_us = is_late ? Math.floor(Math.min(45, 2 + 7 * random.exponential()) * 60_000) * 1_000 : 0;
    const due_us = Math.max(course.not_before_us, sent_us) + delay_us;
    const deliver_us = this.#invention.delivered_us?.(course, due_us) ?? due_us;
    if (random.chance(malformed)) this.#plan(deliver_us, course, step, "malformed");
    this.#plan(deliver_us, course, step, is_late ? "late" : "prompt");
    if (random.chance(duplicates)) {
      this.#plan(deliver_us + Math.floor(1_000 * 600 ** random.fraction()) * 1_000, course, step, "again");
    }
    // A late message does not hold up the stream: the next step may be delivered before it.
    if (is_late) this.#plan_step(course, step + 1);
  }

  #plan(deliver_us: number, course: C, step: number, sort: PlannedMessage<C>["sort"]): void {
    this.#waiting.push({ deliver_us, order: this.#order++, course, step, sort });
  }

  #message_of(course: C, step: number): JsonObject {
    const { stream_id, id_key, id_counter, source, bare, steps } = course;
    return write_event({
      stream_id,
      id: event_id(id_key, id_counter + step),
      type: steps[step],
      at_us: step_us(course, step),
      source: bare ? null : source,
      data: this.#invention.data(course, step),
    }, this.#domain.stream_column);
  }
}
