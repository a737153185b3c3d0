import { parse_json, type Reversal } from "../domains/mod.ts";
import type { ReplayedDomain, ReplayEvent } from "./account.ts";

/** Different rows of one instant, those that end at it and those that take back, each: about 250 bytes. */
const MOST_AT_ONE_INSTANT = 1_000_000;
const TOO_MANY = `number equal rows: expected at most ${MOST_AT_ONE_INSTANT} at one instant`;
const AMOUNT = /^-?\d+(?:\.\d{1,6})?$/;

/** Micros of an amount as mappings write it; null for anything else. */
function micros_of(amount: unknown): bigint | null {
  const text = typeof amount === "number" ? String(amount) : amount;
  if (typeof text !== "string" || !AMOUNT.test(text)) return null;
  const [whole, decimals = ""] = text.split(".");
  return BigInt(whole! + decimals.padEnd(6, "0"));
}

/** An amount of an event, told without parsing its JSON where it is text, as mappings write it. A short text of its own: of so many, whole events are not kept. */
function amount_of(value: string, name: string): unknown {
  const key = `"${name}":`;
  const at = value.indexOf(key);
  if (at < 0) return null;
  const from = at + key.length + 1;
  return value[from - 1] === '"'
    ? value.slice(from, value.indexOf('"', from))
    : (parse_json(value) as Record<string, unknown>)[name];
}

/** Rows of a file that take back what the file does not have. */
export interface WaitingVoids {
  readonly count: number;
  /** What they take back, where their events say it as `amount`: negative. */
  readonly sum_micros: bigint;
}

/** The equal rows of one id at an instant that may be taken back, in their order, and what takes them back. */
class Reversible {
  readonly #count: number;
  readonly #taken = new Set<number>();
  /** Those of each amount that are left, the first one last. */
  readonly #left = new Map<bigint | null, number[]>();
  #first_left = 0;
  #waiting = 0;

  /** @param amounts that of each */
  constructor(amounts: readonly unknown[]) {
    this.#count = amounts.length;
    for (let i = amounts.length - 1; i >= 0; i--) {
      const micros = micros_of(amounts[i]);
      const same = this.#left.get(micros);
      if (same === undefined) this.#left.set(micros, [i]);
      else same.push(i);
    }
  }

  /** The number of the row that an amount takes back, any one where it is not known; null when there is none. */
  take(amount_micros: bigint | null): number | null {
    while (this.#taken.has(this.#first_left)) this.#first_left++;
    const some = this.#first_left < this.#count ? this.#first_left : undefined;
    const same = amount_micros === null ? undefined : this.#left.get(-amount_micros);
    while (same !== undefined && same.length > 0 && this.#taken.has(same.at(-1)!)) same.pop();
    const row = amount_micros === null ? some : same?.pop();
    if (row === undefined) return null;
    this.#taken.add(row);
    return row + 1;
  }

  /** The number of what takes none of them back: no row has it. */
  wait(): number {
    return this.#count + ++this.#waiting;
  }
}

/**
 * Tells equal rows of a file apart by their number among their equals: the first keeps its ids, the second has `-2` behind them.
 *
 * Rows that come to one stream id have their events at the same times (a mapping that says otherwise is refused), so that events in the order
 * of the replay need only be looked at instant by instant; within one they come in the order of their lines, so that a row has the same
 * number each time the file is replayed, and for each of its events.
 *
 * A row that takes another back comes after the others of its instant. It belongs to the first of its equals with the amount that it takes
 * back, and has that one's number; where it says no amount, to the first that is left. One without such a row waits, under a number of its own.
 */
export class EqualRows {
  readonly #numbered: ReadonlySet<number>;
  #at_us = NaN;
  readonly #met = new Map<string, number>();
  /** The amounts of what may be taken back at the instant, by file and id. */
  readonly #amounts = new Map<string, unknown[]>();
  #reversibles = 0;
  readonly #taken = new Map<string, Reversible>();
  readonly #waiting = new Map<number, WaitingVoids>();

  /** @param numbered indexes of the files whose rows are numbered */
  constructor(numbered: ReadonlySet<number>, readonly domain: ReplayedDomain) {
    this.#numbered = numbered;
  }

  /** The event with its number; events come in the order of the replay. Throws when too many rows have their events at one instant. */
  numbered(event: ReplayEvent): ReplayEvent {
    const { at_us, file, kind, key, value, fault } = event;
    if (fault !== null || !this.#numbered.has(file)) return event;
    if (at_us !== this.#at_us) {
      this.#at_us = at_us;
      this.#met.clear();
      this.#amounts.clear();
      this.#reversibles = 0;
      this.#taken.clear();
    }
    const { stream_column, reversal } = this.domain;
    if (reversal !== null && kind === reversal.type) return this.#take_back(event, reversal);
    const equals = `${file} ${kind} ${key}`;
    const number = (this.#met.get(equals) ?? 0) + 1;
    this.#met.set(equals, number);
    if (number === 1 && this.#met.size > MOST_AT_ONE_INSTANT) throw new Error(TOO_MANY);
    if (kind === reversal?.of_type) {
      const amount = amount_of(value, reversal.of_amount);
      if (number === 1) this.#amounts.set(equals, [amount]);
      else this.#amounts.get(equals)!.push(amount);
      if (++this.#reversibles > MOST_AT_ONE_INSTANT) throw new Error(TOO_MANY);
    }
    return with_number(event, number, stream_column);
  }

  /** What takes back in a file, among the events so far, what was not there. */
  waiting_voids(file: number): WaitingVoids {
    return this.#waiting.get(file) ?? { count: 0, sum_micros: 0n };
  }

  /** What may be taken back: that of a file, id and instant. */
  #reversible(equals: string): Reversible {
    let rows = this.#taken.get(equals);
    if (rows === undefined) {
      this.#taken.set(equals, rows = new Reversible(this.#amounts.get(equals) ?? []));
      if (this.#taken.size > MOST_AT_ONE_INSTANT) throw new Error(TOO_MANY);
    }
    return rows;
  }

  #take_back(event: ReplayEvent, reversal: Reversal): ReplayEvent {
    const { file, key, value } = event, { stream_column } = this.domain;
    const rows = this.#reversible(`${file} ${reversal.of_type} ${key}`);
    const amount = micros_of((parse_json(value) as Record<string, unknown>)[reversal.amount]);
    const row = rows.take(amount);
    if (row !== null) return with_number(event, row, stream_column);
    const { count, sum_micros } = this.waiting_voids(file);
    this.#waiting.set(file, { count: count + 1, sum_micros: sum_micros + (amount ?? 0n) });
    return with_number(event, rows.wait(), stream_column);
  }
}

function with_number(event: ReplayEvent, number: number, id_name: string): ReplayEvent {
  if (number === 1) return { ...event, number };
  const { [id_name]: stream_id, event_id, ...rest } = parse_json(event.value) as Record<string, unknown>;
  const key = `${stream_id}-${number}`;
  const value = JSON.stringify({ event_id: `${event_id}-${number}`, [id_name]: key, ...rest });
  return { ...event, number, key, value };
}
