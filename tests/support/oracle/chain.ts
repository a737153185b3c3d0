import { createHash } from "node:crypto";
import { canonical_text, type Json } from "./json.ts";
import { bigint_in, PAGE_ROWS, type Query, text_in, text_or_null } from "./query.ts";

/** How far the chain was followed: the last batch, its last position and its link. */
export type ChainEnd = { batch: number; position: number; link: Uint8Array };

/** The chain before its first batch. */
export const CHAIN_START: ChainEnd = { batch: 0, position: 0, link: new Uint8Array(32) };

const instant = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const canonical = (text: string): string => {
  const value: Json = JSON.parse(text);
  return canonical_text(value);
};
/** A text as COPY writes it. */
const field = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll("\t", "\\t").replaceAll("\n", "\\n").replaceAll("\r", "\\r");

/**
 * Follows the hash chain on from where it was followed to, in the plainest way: positions and batches without a gap, each batch's content hash
 * that of its events as COPY lines, each link made of the one before, the head's link the last one. The database must be at rest.
 * @returns where the chain ends, and the first fault in a sentence; null when there is none
 */
export async function follow_chain(query: Query, from: ChainEnd): Promise<{ end: ChainEnd; fault: string | null }> {
  let end = from;
  for (;;) {
    const batches = await query(`
      select batch::text as batch, kind, first_position::text as first_position, last_position::text as last_position,
        messages_read::text as messages_read, admitted::text as admitted, duplicates::text as duplicates,
        quarantined::text as quarantined, late::text as late, tombstones::text as tombstones, skipped::text as skipped, cursors::text as cursors, note::text as note,
        ${
      instant("recorded_at")
    } as recorded_at, encode(content_hash, 'hex') as content_hash, encode(link, 'hex') as link
      from batches where batch > ${end.batch} order by batches.batch limit 1000`);
    if (batches.length === 0) break;
    const last = batches.reduce((most, row) => Math.max(most, number_in(row, "last_position")), end.position);
    const lines = await lines_of(query, end.position, last);
    for (const row of batches) {
      const [batch, position] = [number_in(row, "batch"), number_in(row, "last_position")];
      const wanted = `batch ${end.batch + 1} from position ${end.position + 1}`;
      if (batch !== end.batch + 1 || number_in(row, "first_position") !== end.position + 1) {
        return { end, fault: `chain: expected ${wanted}, found batch ${batch} from ${text_in(row, "first_position")}` };
      }
      const content = createHash("sha256");
      for (let at = end.position + 1; at <= position; at++) {
        const line = lines.get(at);
        if (line === undefined) return { end, fault: `chain: event ${at} of batch ${batch} is missing` };
        content.update(line);
      }
      const content_hash = content.digest();
      const link = createHash("sha256").update(end.link).update(content_hash).update(header_of(row)).digest();
      for (const [what, found] of [["content_hash", content_hash], ["link", link]] as const) {
        if (found.toString("hex") !== text_in(row, what)) {
          return { end, fault: `chain: batch ${batch} has another ${what}` };
        }
      }
      end = { batch, position, link };
    }
  }
  const [head = {}] = await query("select batch::text as batch, encode(link, 'hex') as link from log_head");
  const agrees = number_in(head, "batch") === end.batch && text_in(head, "link") === end.link.toHex();
  return { end, fault: agrees ? null : `chain: the head is not the end of batch ${end.batch}` };
}

const number_in = (row: Record<string, unknown>, column: string): number => Number(bigint_in(row, column));

/** The events behind a position up to another, as the lines that were hashed, by position. */
async function lines_of(query: Query, after: number, last: number): Promise<Map<number, string>> {
  const lines = new Map<number, string>();
  for (let from = after; from < last; from += PAGE_ROWS) {
    const rows = await query(`
      select position::text as position, stream_id, revision::text as revision, event_id, type,
        schema_version::text as schema_version, ${instant("occurred_at")} as occurred_at,
        ${instant("recorded_at")} as recorded_at, data::text as data, metadata::text as metadata
      from events where position > ${from} and position <= ${Math.min(last, from + PAGE_ROWS)}`);
    for (const row of rows) {
      const text = (column: string) => text_in(row, column);
      const fields = [
        field(text("stream_id")),
        text("revision"),
        field(text("event_id")),
        text("type"),
        text("schema_version"),
        text("occurred_at"),
        text("recorded_at"),
        field(canonical(text("data"))),
        field(canonical(text("metadata"))),
      ];
      lines.set(number_in(row, "position"), `${fields.join("\t")}\n`);
    }
  }
  return lines;
}

function header_of(row: Record<string, unknown>): string {
  const note = text_or_null(row, "note");
  return JSON.stringify([
    number_in(row, "batch"),
    text_in(row, "kind"),
    ...["first_position", "last_position", "messages_read", "admitted", "duplicates", "quarantined", "late"]
      .map((column) => number_in(row, column)),
    canonical(text_in(row, "cursors")),
    note === null ? null : canonical(note),
    text_in(row, "recorded_at"),
    ...tail_of(number_in(row, "tombstones"), number_in(row, "skipped")),
  ]);
}

/** What came to headers later: nothing where nothing is counted, as before it came. */
function tail_of(tombstones: number, skipped: number): number[] {
  if (skipped > 0) return [tombstones, skipped];
  return tombstones > 0 ? [tombstones] : [];
}
