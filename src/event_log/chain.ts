import { createHash } from "node:crypto";
import { CopyLines, CopyRows } from "../database/mod.ts";
import type { DomainEvent } from "../domains/mod.ts";
import { format_time, parse_time } from "../kpi/mod.ts";

/** An event as the log gives it back. `data` and `metadata` are JSON text, as PostgreSQL writes jsonb unless it is said otherwise. */
export interface RecordedEvent {
  readonly position: number;
  readonly stream_id: string;
  readonly revision: number;
  readonly event_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly occurred_at_us: number;
  readonly recorded_at_us: number;
  readonly data: string;
  readonly metadata: string;
}

/** Columns of `events`, in the order of an event line. */
export const EVENT_COLUMNS = [
  "position",
  "stream_id",
  "revision",
  "event_id",
  "type",
  "schema_version",
  "occurred_at",
  "recorded_at",
  "data",
  "metadata",
] as const;

/** What the line of an event is made of, beside its position. `data` is canonical JSON. */
type LineOf = Pick<DomainEvent, "stream_id" | "event_id" | "type" | "schema_version" | "occurred_at_us" | "data">;

/**
 * Writes an event as a line of COPY's text form, without its position: what the chain hashes, so that `verify` needs nothing but the stored row.
 * @param revision the event's place in its stream, from 1
 * @param metadata canonical JSON
 * @param recorded_at the batch's time, as `format_time` writes it
 */
export function write_event_line(
  lines: CopyLines,
  event: LineOf,
  revision: number,
  metadata: string,
  recorded_at: string,
): void {
  lines.text(event.stream_id).plain(`${revision}`).text(event.event_id).plain(event.type)
    .plain(`${event.schema_version}`).plain(format_time(event.occurred_at_us)).plain(recorded_at)
    .text(event.data).text(metadata).end_line();
}

/**
 * The hash chain over batches. content_hash = SHA-256 of the batch's event lines in order of position; link = SHA-256 of the
 * previous link, the content hash and the batch's header. Whoever changes a stored event, or a batch's account, breaks every
 * link after it.
 */

/** The link before the first batch. */
export const FIRST_LINK: Uint8Array = new Uint8Array(32);

/** What the header of a batch says; written to `batches` and hashed. */
export interface BatchHeader {
  readonly batch: number;
  readonly kind: "append" | "retried" | "gap_accepted" | "discarded" | "watermark_set_back" | "forgotten";
  readonly first_position: number;
  readonly last_position: number;
  readonly messages_read: number;
  readonly admitted: number;
  readonly duplicates: number;
  readonly quarantined: number;
  /** Messages without a value. */
  readonly tombstones: number;
  /** Messages whose mapping skips their records. */
  readonly skipped: number;
  readonly late: number;
  /** Canonical JSON of what the cursors did: `[{"from":0,"partition":0,"to":5,"topic":"t"}]`. */
  readonly cursors: string;
  /** Canonical JSON or null. */
  readonly note: string | null;
  /** As `format_time` writes it. */
  readonly recorded_at: string;
}

/** The line of a recorded event, with its line break. */
export function event_line(event: RecordedEvent): string {
  one_line.clear();
  write_event_line(one_line, event, event.revision, event.metadata, format_time(event.recorded_at_us));
  return new TextDecoder().decode(one_line.bytes);
}
/** Holds the line that is being written. */
const one_line = new CopyLines();

const ESCAPED: Readonly<Record<string, string>> = { "\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r" };

/** Reads an event back from its line, without the line break; null for a line that none has. @param position where it is in the log */
export function read_event_line(line: string, position: number): RecordedEvent | null {
  const fields = line.split("\t").map((field) => field.replace(/\\[\\tnr]/g, (each) => ESCAPED[each]!));
  if (fields.length !== EVENT_COLUMNS.length - 1) return null;
  const [stream_id, revision, event_id, type, version, occurred, recorded, data, metadata] = fields;
  const [occurred_at, recorded_at] = [parse_time(occurred!), parse_time(recorded!)];
  if (!occurred_at.ok || !recorded_at.ok) return null;
  const event: RecordedEvent = {
    position,
    stream_id: stream_id!,
    revision: Number(revision),
    event_id: event_id!,
    type: type!,
    schema_version: Number(version),
    occurred_at_us: occurred_at.us,
    recorded_at_us: recorded_at.us,
    data: data!,
    metadata: metadata!,
  };
  return event_line(event) === `${line}\n` ? event : null;
}

/** SHA-256 of the lines of events that come one by one. */
export class ContentHash {
  readonly #hash = createHash("sha256");
  readonly #lines = new CopyLines();

  add(event: RecordedEvent): void {
    this.line(event, event.revision, event.metadata, format_time(event.recorded_at_us));
  }

  /** As `write_event_line`. */
  line(event: LineOf, revision: number, metadata: string, recorded_at: string): void {
    write_event_line(this.#lines, event, revision, metadata, recorded_at);
    // In pieces: one update per line costs more than the hashing, one of all costs memory.
    if (this.#lines.count === 1000) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#lines.bytes);
    this.#lines.clear();
  }

  /** The hash of all lines; once. */
  digest(): Uint8Array {
    this.#flush();
    return this.#hash.digest();
  }
}

/** What a batch admits, written out as rows of COPY, and hashed. */
export class EventRows {
  readonly rows = new CopyRows();
  readonly #hash = new ContentHash();
  readonly #recorded_at_us: number;
  readonly #recorded_at: string;

  /** @param recorded_at_us the batch's time */
  constructor(recorded_at_us: number) {
    this.#recorded_at_us = recorded_at_us;
    this.#recorded_at = format_time(recorded_at_us);
  }

  /**
   * The next event.
   * @param revision its place in its stream, from 1
   * @param metadata canonical JSON
   */
  add(event: LineOf, revision: number, metadata: string): void {
    this.#hash.line(event, revision, metadata, this.#recorded_at);
    const { rows } = this;
    rows.row(EVENT_COLUMNS.length).position(rows.count).text(event.stream_id).value("integer", revision)
      .text(event.event_id).text(event.type).value("smallint", event.schema_version)
      .value("timestamptz", event.occurred_at_us).value("timestamptz", this.#recorded_at_us)
      .jsonb(event.data).jsonb(metadata);
  }

  /** The hash of all lines; once. */
  digest(): Uint8Array {
    return this.#hash.digest();
  }
}

/** Whether two hashes, of contents or links, are the same. */
export const same_hash = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

/** SHA-256 of the event lines of a batch, as bytes. */
export const content_hash = (lines: Uint8Array): Uint8Array => createHash("sha256").update(lines).digest();

/** What of a header is hashed. */
export const header_text = (header: BatchHeader): string =>
  JSON.stringify([
    header.batch,
    header.kind,
    header.first_position,
    header.last_position,
    header.messages_read,
    header.admitted,
    header.duplicates,
    header.quarantined,
    header.late,
    header.cursors,
    header.note,
    header.recorded_at,
    // Headers from before there were any stay what they were.
    ...header.skipped > 0 ? [header.tombstones, header.skipped] : header.tombstones > 0 ? [header.tombstones] : [],
  ]);

/** The link of a batch whose header has that text. */
export const link_of = (previous: Uint8Array, content: Uint8Array, text: string): Uint8Array =>
  createHash("sha256").update(previous).update(content).update(text).digest();

/** The link of a batch. */
export const next_link = (previous: Uint8Array, content: Uint8Array, header: BatchHeader): Uint8Array =>
  link_of(previous, content, header_text(header));

/** How many held messages a batch tried again. */
export const retried_in = ({ kind, note }: Pick<BatchHeader, "kind" | "note">): number =>
  kind === "retried" && note !== null ? Number(JSON.parse(note).count) : 0;
