import type { CopyLines } from "../database/mod.ts";
import type { DomainEvent } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";

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
 * Writes an event as a COPY line, without its position: what is written is also what the chain hashes, so that hashing costs no
 * second encoding and `verify` needs nothing but the stored row.
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
