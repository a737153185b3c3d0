import type { Database } from "../database/mod.ts";
import { canonical_json, parse_json } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { type BatchHeader, content_hash, FIRST_LINK, next_link } from "./chain.ts";
import { event_line } from "./event_line.ts";
import { type Head, read_head } from "./head.ts";
import { read_after, type RecordedEvent } from "./read.ts";

/** One thing that is not as the log says it must be, as a sentence that names the place. */
export type Inconsistency = string;

const PAGE_BATCHES = 200;
const PAGE_EVENTS = 10_000;

const canonical = (json: string, above = 0): string => canonical_json(parse_json(json), above);
const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** The stored event as the line that was hashed when it was appended. */
function line_of(event: RecordedEvent): string {
  const { data, metadata, recorded_at_us } = event;
  // What metadata holds of a message lies one level deeper there than in the message, whose depth was limited.
  const canonical_parts = { data: canonical(data), metadata: canonical(metadata, -1) };
  return event_line({ ...event, ...canonical_parts }, format_time(recorded_at_us));
}

/** Events of the log from a position on, read in pages, each once. */
class EventReader {
  #page: RecordedEvent[] = [];
  #at = 0;
  #position: number;
  constructor(readonly database: Database, after: number) {
    this.#position = after;
  }

  /** The next event if its position is at most `last`; null otherwise. */
  async next(last: number): Promise<RecordedEvent | null> {
    if (this.#at === this.#page.length) {
      this.#page = await read_after(this.database, this.#position, PAGE_EVENTS);
      this.#at = 0;
      this.#position = this.#page.at(-1)?.position ?? this.#position;
    }
    const event = this.#page[this.#at];
    if (event === undefined || event.position > last) return null;
    this.#at++;
    return event;
  }
}

const cursors_text = (cursors: unknown): string =>
  canonical_json(
    (cursors as Record<string, unknown>[]).map(({ from, partition, to, topic }) => ({ from, partition, to, topic })),
  );

const header_of = (row: Record<string, unknown>): BatchHeader => ({
  batch: Number(row.batch),
  kind: row.kind as BatchHeader["kind"],
  first_position: Number(row.first_position),
  last_position: Number(row.last_position),
  messages_read: Number(row.messages_read),
  admitted: Number(row.admitted),
  duplicates: Number(row.duplicates),
  quarantined: Number(row.quarantined),
  late: Number(row.late),
  cursors: cursors_text(row.cursors),
  note: row.note === null ? null : canonical_json(row.note),
  recorded_at: format_time(Number(row.recorded_at_us)),
});

const COUNTED = ["messages_read", "duplicates", "quarantined", "late"] as const;

/** What the head has to count, added up from the batches. What is retried was read and quarantined by a batch before. */
class Account {
  readonly #sums = { messages_read: 0, duplicates: 0, quarantined: 0, late: 0 };

  add({ kind, messages_read, duplicates, quarantined, late }: BatchHeader): void {
    const again = kind === "retried" ? messages_read : 0;
    this.#sums.messages_read += messages_read - again;
    this.#sums.duplicates += duplicates;
    this.#sums.quarantined += quarantined - again;
    this.#sums.late += late;
  }

  faults(head: Head): Inconsistency[] {
    const { messages_read, position, duplicates, quarantined } = head;
    const faults = COUNTED.filter((name) => head[name] !== this.#sums[name]).map((name) =>
      `the head counts ${name} ${head[name]}, its batches add up to ${this.#sums[name]}`
    );
    if (messages_read !== position + duplicates + quarantined) {
      faults.push(
        `the head does not add up: ${messages_read} messages read, ${position} admitted, ${duplicates} duplicates, ${quarantined} quarantined`,
      );
    }
    return faults;
  }
}

const SELECT =
  `select batch, kind, first_position, last_position, messages_read, admitted, duplicates, quarantined, late, cursors, note,
  (extract(epoch from recorded_at) * 1000000)::bigint as recorded_at_us, content_hash, link
  from batches where batch > $1 and batch <= $2 order by batch limit ${PAGE_BATCHES}`;

/**
 * Recomputes the hash chain from the stored events, batch by batch, and with it that positions and batch numbers are gapless and that
 * the head agrees: with position, link and account (messages read = position + duplicates + quarantined). Stops at the first broken link: everything after it is unproven.
 * @param progress hears how many events were read
 */
export async function verify_chain(
  database: Database,
  signal: AbortSignal,
  progress: (events: number) => void,
): Promise<{ readonly events: number; readonly batches: number; readonly faults: readonly Inconsistency[] }> {
  const head = await read_head(database);
  const [{ link: head_link } = {}] = await database.query<{ link: Uint8Array }>("select link from log_head");
  const reader = new EventReader(database, 0);
  const account = new Account();
  let link: Uint8Array = FIRST_LINK;
  let batch = 0, position = 0;
  const found = (fault: Inconsistency) => ({ events: position, batches: batch, faults: [fault] });
  while (batch < head.batch) {
    signal.throwIfAborted();
    const rows = await database.query(SELECT, [batch, head.batch]);
    if (rows.length === 0) return found(`batch ${batch + 1} is missing; the head counts ${head.batch} batches`);
    for (const row of rows) {
      const header = header_of(row);
      if (header.batch !== batch + 1) {
        return found(`batch ${batch + 1} is missing; after ${batch} comes ${header.batch}`);
      }
      if (header.first_position !== position + 1) {
        return found(`batch ${header.batch} begins at position ${header.first_position}, expected ${position + 1}`);
      }
      const lines: string[] = [];
      while (position < header.last_position) {
        const event = await reader.next(header.last_position);
        if (event === null || event.position !== position + 1) {
          return found(`event ${position + 1} of batch ${header.batch} is missing`);
        }
        position = event.position;
        lines.push(line_of(event));
      }
      const content = content_hash(lines);
      if (!same(content, row.content_hash as Uint8Array)) {
        return found(
          `events ${header.first_position} to ${header.last_position} (batch ${header.batch}) are not what was appended: their hash differs`,
        );
      }
      link = next_link(link, content, header);
      if (!same(link, row.link as Uint8Array)) {
        return found(`batch ${header.batch} is not what was appended: its link differs`);
      }
      batch = header.batch;
      account.add(header);
      progress(lines.length);
    }
  }
  if (position !== head.position) {
    return found(`the head says position ${head.position}, the batches end at ${position}`);
  }
  // The head may have moved on while its batches were read; then its link is that of a later batch.
  const unmoved = (await read_head(database)).batch === head.batch;
  if (unmoved && !same(link, head_link ?? FIRST_LINK)) return found(`the head's link is not that of batch ${batch}`);
  return { events: position, batches: batch, faults: account.faults(head) };
}
