import type { DeclaredDomain, Fault, Validation } from "../domains/mod.ts";
import type { FileRow } from "../files/mod.ts";
import { parse_time } from "../kpi/mod.ts";
import type { BareEvent, SourceRecord } from "../mapping/mod.ts";
import type { Sorted } from "../sort/mod.ts";

/** Records that were refused for one reason. */
export interface Refusal {
  /** The reason's code and the field, or `negative` and the field of an amount. */
  readonly reason: string;
  readonly count: number;
  /** How many of the refused fields held an amount, and their sum in micros. */
  readonly amounts: number;
  readonly sum_micros: bigint;
}

/** What the records of one file came to. A record is skipped on purpose, or refused whole, or comes to events. */
export interface FileCounts {
  readonly path: string;
  readonly records: number;
  readonly skipped: number;
  /** Records that came to no event, or of whose events one at least was refused on arrival. */
  readonly refused: number;
  /** Why, the most frequent first. What is refused on arrival counts by event here, as it lies in quarantine. */
  readonly refusals: readonly Refusal[];
  /** What was wrong with the first record that came to no event, in words: it often names the option that reads it. */
  readonly first_fault: string | null;
  /** Events that were made, and how many of them were not refused on arrival. */
  readonly events: number;
  readonly passed: number;
}

/** Events that were refused on arrival for one reason, as a replay notes them: file, place in the record, reason, count, amounts, their sum in micros. */
export type Arrival = readonly [
  file: number,
  nth: number,
  reason: string,
  count: number,
  amounts: number,
  sum_micros: string,
];

/** Reasons that are told apart in a file. */
const MOST_REASONS = 100;
/** What comes with further reasons counts under this one. */
export const OTHER_REASONS = "other reasons";
const LONGEST_FIELD = 60;
const LONGEST_FAULT = 300;
const DAY_US = 86_400e6;

/** The name that a fault counts under. */
export function reason_of({ reason, path }: Fault, amount_micros: bigint | null): string {
  if (path === null) return reason;
  const field = path.length > LONGEST_FIELD ? `${path.slice(0, LONGEST_FIELD)}…` : path;
  return amount_micros !== null && amount_micros < 0n ? `negative ${field}` : `${reason} ${field}`;
}

/** Refusals by reason, and the amounts among them. */
class Refusals {
  readonly #by_reason = new Map<string, { count: number; amounts: number; sum_micros: bigint }>();

  add(reason: string, count: number, amounts: number, sum_micros: bigint): void {
    const name = this.#by_reason.has(reason) || this.#by_reason.size < MOST_REASONS ? reason : OTHER_REASONS;
    const sum = this.#by_reason.get(name) ?? { count: 0, amounts: 0, sum_micros: 0n };
    this.#by_reason.set(name, sum);
    sum.count += count;
    sum.amounts += amounts;
    sum.sum_micros += sum_micros;
  }

  list(): Refusal[] {
    return Array.from(this.#by_reason, ([reason, sum]) => ({ reason, ...sum })).sort((a, b) => b.count - a.count);
  }
}

/** Keeps count of what the records of a file come to. */
export class FileAccount {
  #records = 0;
  #skipped = 0;
  #refused = 0;
  #events = 0;
  #first_fault: string | null = null;
  readonly #refusals = new Refusals();

  constructor(readonly path: string) {}

  /** The next record was skipped on purpose. */
  skipped(): void {
    this.#records++;
    this.#skipped++;
  }

  /**
   * The next record was refused.
   * @param amount_micros what the field in fault holds, where that is an amount
   */
  refused(fault: Fault, amount_micros: bigint | null): void {
    this.#records++;
    this.#refused++;
    this.#first_fault ??= fault.detail.slice(0, LONGEST_FAULT);
    this.#refusals.add(reason_of(fault, amount_micros), 1, amount_micros === null ? 0 : 1, amount_micros ?? 0n);
  }

  /** The next record came to so many events. */
  made(events: number): void {
    this.#records++;
    this.#events += events;
  }

  /**
   * What they came to.
   * @param arrivals what was refused on arrival, of this file
   */
  counts(arrivals: readonly Arrival[]): FileCounts {
    const refusals = new Refusals();
    for (const { reason, count, amounts, sum_micros } of this.#refusals.list()) {
      refusals.add(reason, count, amounts, sum_micros);
    }
    // Of a record, each event may have been refused: the events of one place come from different records.
    const of_place = new Map<number, number>();
    let refused_events = 0;
    for (const [, nth, reason, count, amounts, sum] of arrivals) {
      refusals.add(reason, count, amounts, BigInt(sum));
      of_place.set(nth, (of_place.get(nth) ?? 0) + count);
      refused_events += count;
    }
    return {
      path: this.path,
      records: this.#records,
      skipped: this.#skipped,
      refused: this.#refused + Math.max(0, ...of_place.values()),
      refusals: refusals.list(),
      first_fault: this.#first_fault,
      events: this.#events,
      passed: this.#events - refused_events,
    };
  }
}

/** A stretch of event time, microseconds: from the first to the last, both in it. */
export interface Stretch {
  readonly first_us: number;
  readonly last_us: number;
}

/** When events happened: the first, the last, and how many on each day of UTC. */
export class EventTimes {
  #first_us = Infinity;
  #last_us = -Infinity;
  /** By day since the Unix epoch. Event times lie in the years 1900 to 2254: so many days at most. */
  readonly #by_day = new Map<number, number>();

  /** @param latest_us later times are those of events that will be refused for them: they count for nothing */
  constructor(readonly latest_us = Infinity) {}

  add(us: number): void {
    if (us > this.latest_us) return;
    if (us < this.#first_us) this.#first_us = us;
    if (us > this.#last_us) this.#last_us = us;
    const day = Math.floor(us / DAY_US);
    this.#by_day.set(day, (this.#by_day.get(day) ?? 0) + 1);
  }

  /** All of it; null without events. */
  get covered(): Stretch | null {
    return this.#by_day.size === 0 ? null : { first_us: this.#first_us, last_us: this.#last_us };
  }

  /**
   * The stretch worth looking at: all of it where that is short enough. Otherwise a few events lie far from most, as of a clock that stood
   * wrong: then the shortest stretch with 99 % of what the best one of so many days holds.
   */
  most_within(days: number): Stretch | null {
    const all = this.covered;
    if (all === null || all.last_us - all.first_us <= days * DAY_US) return all;
    const by_day = [...this.#by_day].sort(([a], [b]) => a - b);
    let most = 0;
    for (const { length, events } of stretches(by_day, (length) => length > days)) {
      if (length <= days && events > most) most = events;
    }
    let best = { from: 0, to: 0, length: Infinity };
    for (const stretch of stretches(by_day, (_, events) => events >= most * 0.99)) {
      if (stretch.events >= most * 0.99 && stretch.length < best.length) best = stretch;
    }
    return {
      first_us: Math.max(all.first_us, best.from * DAY_US),
      last_us: Math.min(all.last_us, (best.to + 1) * DAY_US - 1),
    };
  }
}

/**
 * The stretches up to each day, each as short as it can be.
 * @param too_much whether a stretch of so many days and events can do without its first day
 */
function* stretches(
  by_day: readonly (readonly [day: number, events: number])[],
  too_much: (length: number, events: number) => boolean,
) {
  let at = 0, events = 0;
  for (const [to, count] of by_day) {
    events += count;
    for (;;) {
      const [from, of_first] = by_day[at]!;
      yield { from, to, length: to - from + 1, events };
      if (from === to || !too_much(to - from + 1, events)) break;
      events -= of_first;
      at++;
    }
  }
}

/** Before every event time there is: where rows stand whose time is not known yet. */
export const BEFORE_ALL_US = Number.MIN_SAFE_INTEGER;

/** What a replay asks of a domain. */
export type ReplayedDomain = Pick<DeclaredDomain, "stream_column" | "reversal">;

/** Where an event stands in the order of a replay: event time, turn, then file, line and place among the events of its row. */
export interface ReplayPoint {
  readonly at_us: number;
  /** 1 for what takes another event back: it comes after all else of its instant, so that that is known by then. 0 for all else. */
  readonly turn: number;
  /** Index of its file. */
  readonly file: number;
  readonly line: number;
  readonly nth: number;
}

/** What is sent for a row, or for one of its events. */
export interface ReplayEvent extends ReplayPoint {
  /** The message's key: the id of its stream where there is one. */
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

/** How the records of a file become events. */
export interface RecordReading {
  /** The domain whose events they become. */
  readonly domain: ReplayedDomain;
  /** The name of the mapping, or of what goes as it stands. */
  readonly name: string;
  /** The zone whose clocks its times are told by, where the mapping names one. */
  readonly zone?: string | undefined;
  /** Whether rows with one stream id are told apart by their number among their equals. */
  readonly number_equal_rows: boolean;
  /**
   * The events of the record on a line, none where it is skipped on purpose, or why it is refused. Each of them travels by itself, the first long before the last: a record
   * has to be refused here if any of them would be on arrival.
   */
  readonly events_of: (record: SourceRecord, line: number) => Validation<readonly BareEvent[]>;
  /** What an event of a sound record will be refused for on arrival, as far as that can be known now; absent: for nothing. */
  readonly fault_of?: (event: BareEvent) => Fault | null;
  /** The amount in a field of the record, in micros, as far as it can be read at all; null where the field is none for amounts, or holds none. */
  readonly amount_of: (record: SourceRecord, field: string) => bigint | null;
}

/** What is kept of a bad row, in characters: enough to find it in its file. */
const LONGEST_BAD_ROW = 200_000;

/** Turns the rows of one file, in their order, into what is sent for them. */
export class RowEvents {
  readonly #account: FileAccount;
  readonly #times: EventTimes;
  #last_us = BEFORE_ALL_US;

  /**
   * @param file the file's index
   * @param text_of a record as it stands in the file
   * @param heard.account keeps count of what the rows come to
   * @param heard.times hears when the events happened
   * @param foretells whether what will be refused on arrival counts as refused by now: where nobody tells of it later
   */
  constructor(
    readonly file: number,
    readonly reading: RecordReading,
    readonly text_of: (record: SourceRecord) => string,
    { account, times }: { readonly account: FileAccount; readonly times: EventTimes },
    readonly foretells = false,
  ) {
    this.#account = account;
    this.#times = times;
  }

  /** One event or several, none for a row that is skipped; for a bad row one that says what is wrong. What has no time goes where the row before it goes. */
  of(row: FileRow): ReplayEvent[] {
    const { line } = row, { stream_column, reversal } = this.reading.domain;
    if (row.record === null) {
      this.#account.refused(row.fault, null);
      return [this.#bad(line, "", row.text, row.fault)];
    }
    const mapped = this.reading.events_of(row.record, line);
    if (!mapped.ok) {
      const { path } = mapped.fault;
      this.#account.refused(mapped.fault, path === null ? null : this.reading.amount_of(row.record, path));
      const { [stream_column]: stream_id } = row.record;
      return [this.#bad(line, typeof stream_id === "string" ? stream_id : "", this.text_of(row.record), mapped.fault)];
    }
    const { fault_of } = this.reading;
    const fault = this.foretells && fault_of !== undefined
      ? mapped.value.map(fault_of).find((each) => each !== null) ?? null
      : null;
    if (fault !== null) {
      this.#account.refused(fault, fault.path === null ? null : this.reading.amount_of(row.record, fault.path));
    } else if (mapped.value.length === 0) this.#account.skipped();
    else this.#account.made(mapped.value.length);
    return mapped.value.map((event, nth, all) => ({
      at_us: this.#time_of(event, fault === null),
      turn: event.type === reversal?.type ? 1 : 0,
      file: this.file,
      line,
      nth,
      key: String(event[stream_column] ?? event.subject ?? ""),
      value: JSON.stringify(event),
      kind: kind_of(all, nth),
      fault: null,
    }));
  }

  /** The time of a bare event, or of a CloudEvent that goes as it stands. */
  #time_of({ occurred_at, time: cloud_time }: BareEvent, is_sound: boolean): number {
    const text = occurred_at ?? cloud_time;
    const time = typeof text === "string" ? parse_time(text) : null;
    if (time?.ok !== true) return this.#last_us;
    if (is_sound) this.#times.add(time.us);
    return this.#last_us = time.us;
  }

  #bad(line: number, key: string, text: string, fault: Fault): ReplayEvent {
    const cut = text.length > LONGEST_BAD_ROW;
    const value = cut ? text.slice(0, LONGEST_BAD_ROW) : text;
    if (cut) fault = { ...fault, detail: `${fault.detail}; of its ${text.length} characters the first are kept` };
    const [at_us, file] = [this.#last_us, this.file];
    return { at_us, turn: 0, file, line, nth: 0, key, value, kind: "", fault: JSON.stringify(fault) };
  }
}

/** What an event is among those of its row: its type, with its number where it is not the first of that type. */
function kind_of(events: readonly BareEvent[], nth: number): string {
  const type = String(events[nth]!.type ?? "");
  const before = events.reduce((count, each, i) => i < nth && each.type === events[nth]!.type ? count + 1 : count, 0);
  return before === 0 ? type : `${type} ${before + 1}`;
}
