import { canonical_json, JsonFault, parse_json } from "../domains/mod.ts";
import { ContentHash, EVENT_COLUMNS, type RecordedEvent } from "../event_log/mod.ts";
import { FileError, type FileRow } from "../files/mod.ts";
import { parse_time } from "../kpi/mod.ts";
import type { SourceRecord } from "../mapping/mod.ts";

/** The events that came in one batch, as an export of the log has them. */
export interface ExportedBatch {
  readonly batch: number;
  readonly events: readonly RecordedEvent[];
}

/** Whether a record is an event of an exported log: no producer's event says its position. */
export const is_exported_event = (record: SourceRecord): boolean =>
  EVENT_COLUMNS.every((name) => Object.hasOwn(record, name));

/** Events of a batch. One of 20,000 messages comes to few more, unless a mapping makes many of each. */
const MOST_EVENTS = 1_000_000;

/** Puts the events of an exported log together again as they came: by batches. */
export class ExportedLog {
  #path = "";
  #batch: number | null = null;
  #events: RecordedEvent[] = [];
  #next: number | null = null;

  /** Takes the rows of a file; gives the batches that are whole. Throws FileError for what is no export of a log, in order and without a gap. */
  *batches_of(path: string, rows: readonly FileRow[]): Generator<ExportedBatch> {
    this.#path = path;
    for (const row of rows) {
      if (row.record === null) throw this.#fault(row.line, row.fault.detail);
      const { batch, event } = this.#read(row.record, row.line);
      const expected = this.#next ?? event.position;
      if (event.position !== expected) {
        throw this.#fault(row.line, `expected position ${expected}, got ${event.position}; is a file missing?`);
      }
      if (this.#batch !== null && batch !== this.#batch) yield* this.rest();
      if (this.#events.length === MOST_EVENTS) {
        throw this.#fault(row.line, `expected at most ${MOST_EVENTS} events of a batch`);
      }
      this.#batch = batch;
      this.#events.push(event);
      this.#next = event.position + 1;
    }
  }

  /** The batch that no other followed. */
  *rest(): Generator<ExportedBatch> {
    if (this.#batch === null) return;
    yield { batch: this.#batch, events: this.#events };
    this.#batch = null;
    this.#events = [];
  }

  #fault(line: number, what: string): FileError {
    return new FileError(`read ${JSON.stringify(this.#path)}: line ${line}: ${what}`);
  }

  #read(record: SourceRecord, line: number): { readonly batch: number; readonly event: RecordedEvent } {
    const expected = (name: string, what: string) =>
      this.#fault(line, `${name}: expected ${what}, got ${JSON.stringify(record[name] ?? null)?.slice(0, 80)}`);
    const whole = (name: string): number => {
      const value = Number(record[name]);
      if (record[name] === "" || record[name] === null || !Number.isSafeInteger(value) || value < 1) {
        throw expected(name, "a whole number from 1 on");
      }
      return value;
    };
    const text = (name: string): string => {
      const value = record[name];
      if (typeof value !== "string") throw expected(name, "text");
      return value;
    };
    const time = (name: string): number => {
      const value = parse_time(String(record[name]));
      if (!value.ok) throw expected(name, "an RFC 3339 time with zone");
      return value.us;
    };
    const json = (name: string, above: number): string => {
      const value = record[name];
      try {
        const parsed = typeof value === "string" ? parse_json(value) : value;
        if (typeof parsed === "object" && parsed !== null) return canonical_json(parsed, above);
      } catch (error) {
        if (!(error instanceof JsonFault)) throw error;
      }
      throw expected(name, "a JSON object");
    };
    if (!Object.hasOwn(record, "batch")) {
      throw this.#fault(
        line,
        "expected events with their batches, as all of a log has them, got an export of some types",
      );
    }
    const event: RecordedEvent = {
      position: whole("position"),
      stream_id: text("stream_id"),
      revision: whole("revision"),
      event_id: text("event_id"),
      type: text("type"),
      schema_version: whole("schema_version"),
      occurred_at_us: time("occurred_at"),
      recorded_at_us: time("recorded_at"),
      data: json("data", 0),
      // As where it is read from the log: what it holds of a message lies one level deeper there.
      metadata: json("metadata", -1),
    };
    return { batch: whole("batch"), event };
  }
}

/** The hash of a batch's events, as the chain has it. */
export function hash_of({ events }: ExportedBatch): Uint8Array {
  const hash = new ContentHash();
  for (const event of events) hash.add(event);
  return hash.digest();
}
