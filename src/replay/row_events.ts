import type { FileRow } from "../files/mod.ts";
import type { DeclaredDomain, Fault, Validation } from "../domains/mod.ts";
import { parse_time } from "../kpi/mod.ts";
import type { BareEvent, SourceRecord } from "../mapping/mod.ts";
import type { EventTimes, FileAccount } from "./account.ts";
import type { Sorted } from "../sort/mod.ts";

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
  #last_us = BEFORE_ALL_US;

  /**
   * @param file the file's index
   * @param text_of a record as it stands in the file
   * @param account keeps count of what the rows come to
   * @param times hears when the events happened
   * @param foretells whether what will be refused on arrival counts as refused by now: where nobody tells of it later
   */
  constructor(
    readonly file: number,
    readonly reading: RecordReading,
    readonly text_of: (record: SourceRecord) => string,
    readonly account: FileAccount,
    readonly times: EventTimes,
    readonly foretells = false,
  ) {}

  /** One event or several, none for a row that is skipped; for a bad row one that says what is wrong. What has no time goes where the row before it goes. */
  of(row: FileRow): ReplayEvent[] {
    const { line } = row, { stream_column, reversal } = this.reading.domain;
    if (row.record === null) {
      this.account.refused(row.fault, null);
      return [this.#bad(line, "", row.text, row.fault)];
    }
    const mapped = this.reading.events_of(row.record, line);
    if (!mapped.ok) {
      const { path } = mapped.fault;
      this.account.refused(mapped.fault, path === null ? null : this.reading.amount_of(row.record, path));
      const { [stream_column]: stream_id } = row.record;
      return [this.#bad(line, typeof stream_id === "string" ? stream_id : "", this.text_of(row.record), mapped.fault)];
    }
    const { fault_of } = this.reading;
    const fault = this.foretells && fault_of !== undefined
      ? mapped.value.map(fault_of).find((each) => each !== null) ?? null
      : null;
    if (fault !== null) {
      this.account.refused(fault, fault.path === null ? null : this.reading.amount_of(row.record, fault.path));
    } else if (mapped.value.length === 0) this.account.skipped();
    else this.account.made(mapped.value.length);
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
    if (is_sound) this.times.add(time.us);
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
