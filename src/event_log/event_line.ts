import { copy_text } from "../database/mod.ts";
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

/** What the line of an event is made of, beside its position. `data` and `metadata` are canonical JSON. */
export type LineOf =
  & Pick<DomainEvent, "stream_id" | "event_id" | "type" | "schema_version" | "occurred_at_us" | "data">
  & { readonly revision: number; readonly metadata: string };

/**
 * An event as a COPY line, without its position: what is written is also what the chain hashes, so that hashing costs no
 * second encoding and `verify` needs nothing but the stored row.
 * @param recorded_at the batch's time, as `format_time` writes it
 * @returns the line after the position's tab, ended by a line break
 */
export function event_line(event: LineOf, recorded_at: string): string {
  return copy_text(event.stream_id) + "\t" + event.revision + "\t" + copy_text(event.event_id) + "\t" + event.type +
    "\t" +
    event.schema_version + "\t" + format_time(event.occurred_at_us) + "\t" + recorded_at + "\t" +
    copy_text(event.data) +
    "\t" + copy_text(event.metadata) + "\n";
}
