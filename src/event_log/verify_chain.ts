import { number_or_null, type Queryable } from "../database/mod.ts";
import type { CursorAdvance } from "./append.ts";
import { type Archive, read_archives } from "./archives.ts";
import { type BatchHeader, ContentHash, FIRST_LINK, next_link, retried_in, same_hash } from "./chain.ts";
import { type Head, read_cursors, read_head, type StoredCursor } from "./head.ts";
import { batches_between, events_between, type ParsedEvent, type RecordedBatch } from "./read.ts";
import { partition_name, type TopicPartition } from "./source_message.ts";
import { Faults, type QuarantineCheck, type VerifiedQuarantine } from "./verify_quarantine.ts";

const COUNTED = ["messages_read", "duplicates", "quarantined", "tombstones", "skipped", "late"] as const;

/** What the head has to count, added up from the batches. Messages that are retried were read and quarantined by a batch before. */
class HeadAccount {
  readonly #sums = { messages_read: 0, duplicates: 0, quarantined: 0, tombstones: 0, skipped: 0, late: 0 };

  add({ kind, messages_read, duplicates, quarantined, tombstones, skipped, late, note }: BatchHeader): void {
    const again = retried_in({ kind, note });
    this.#sums.messages_read += messages_read - again;
    this.#sums.duplicates += duplicates;
    this.#sums.quarantined += quarantined - again;
    this.#sums.tombstones += tombstones;
    this.#sums.skipped += skipped;
    this.#sums.late += late;
  }

  /** Compares with the head, once all batches were added. */
  compare(head: Head, faults: Faults): void {
    for (const name of COUNTED) {
      if (head[name] !== this.#sums[name]) {
        faults.add(`the head counts ${name} ${head[name]}, its batches add up to ${this.#sums[name]}`);
      }
    }
  }
}

/** What the head counts has to add up by itself. */
function verify_head(head: Head, faults: Faults): void {
  const { messages_read, position, duplicates, quarantined, tombstones, skipped } = head;
  if (messages_read === position + duplicates + quarantined + tombstones + skipped) return;
  faults.add(
    `the head does not add up: ${messages_read} messages read, ${position} admitted, ${duplicates} duplicates, ${quarantined} quarantined, ${tombstones} tombstones, ${skipped} skipped`,
  );
}

const name_of = (cursor: TopicPartition): string => `the cursor of ${partition_name(cursor)}`;

/** Follows what batches did to the cursors of the source partitions: each goes on where the one before it left off. */
class CursorTrail {
  readonly #left_at = new Map<string, number>();

  /** @param whole whether the batches begin with the first one; if not, where a cursor stood before is taken from its first advance */
  constructor(readonly whole: boolean, readonly faults: Faults) {}

  /** Takes in the advances of the next batch. */
  follow(batch: number, advances: readonly CursorAdvance[]): void {
    for (const advance of advances) {
      const name = name_of(advance);
      const left_at = this.#left_at.get(name) ?? null;
      if ((this.whole || left_at !== null) && advance.from !== left_at) {
        this.faults.add(
          `batch ${batch}: ${name} goes on from ${advance.from}, the batches before left it at ${left_at}`,
        );
      }
      this.#left_at.set(name, advance.to);
    }
  }

  /**
   * Compares with where the cursors stand; those that no batch here moved can only be judged when the batches are all.
   * @returns how many were compared
   */
  settle(
    cursors: readonly (TopicPartition & { readonly next_offset: number })[],
  ): number {
    const missing = new Map(this.#left_at);
    for (const cursor of cursors) {
      const name = name_of(cursor);
      const left_at = this.#left_at.get(name) ?? null;
      if (cursor.next_offset < 0) this.faults.add(`${name} stands at ${cursor.next_offset}`);
      else if (left_at === null && this.whole) this.faults.add(`${name} is there, no batch moved it`);
      else if (left_at !== null && cursor.next_offset !== left_at) {
        this.faults.add(`${name} stands at ${cursor.next_offset}, the batches left it at ${left_at}`);
      }
      missing.delete(name);
    }
    for (const [name, left_at] of missing) this.faults.add(`${name} is missing, the batches left it at ${left_at}`);
    return this.#left_at.size;
  }
}

/** The gaps that are on record, accepted by an operator or by TACHO_START, in words: the first few of them, and how many there are more. */
class RecordedGaps {
  static readonly MOST = 6;
  readonly #told: string[] = [];
  #more = 0;

  /** Takes in a batch: only a decision about gaps has any. */
  follow({ header: { kind, note, recorded_at }, advances }: RecordedBatch): void {
    if (kind !== "gap_accepted") return;
    const { begun = [] } = note === null ? {} : JSON.parse(note) as { begun?: readonly { passed_over: number }[] };
    for (const [i, { from, to, ...of }] of advances.entries()) {
      if (this.#told.length === RecordedGaps.MOST) this.#more++;
      else {
        this.#told.push(
          from === null
            ? `${partition_name(of)} begun at offset ${to} at ${recorded_at}, ${
              begun[i]?.passed_over ?? "?"
            } passed over`
            : `the gap of ${partition_name(of)} from ${from} to ${to} accepted at ${recorded_at}`,
        );
      }
    }
  }

  told(): readonly string[] {
    return this.#more === 0 ? this.#told : [...this.#told, `${this.#more} more`];
  }
}

/** What of the chain was looked at. */
export interface VerifiedChain extends VerifiedQuarantine {
  readonly events: number;
  readonly batches: number;
  /** The batch whose stored link was trusted; 0 when the chain was followed from its beginning. */
  readonly trusted_batch: number;
  readonly cursors: number;
  /** What `RecordedGaps` tells. */
  readonly gaps: readonly string[];
  /** How many gaps were noticed and are not accepted. */
  readonly open_gaps: number;
}

/** A place in the chain: after this batch. `link` null: what is stored next has to be believed. */
interface Place {
  readonly batch: number;
  readonly position: number;
  readonly link: Uint8Array | null;
}

const BEGINNING: Place = { batch: 0, position: 0, link: FIRST_LINK };

const range = (first: number, last: number): string => first === last ? `${first} is` : `${first} to ${last} are`;

/** Events of the log in order, each once. */
class EventReader {
  readonly #pages: AsyncIterator<ParsedEvent[]>;
  #page: ParsedEvent[] = [];
  #at = 0;
  constructor(pages: AsyncIterable<ParsedEvent[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  /** The next event if its position is at most `last`; null otherwise. */
  async next(last: number): Promise<ParsedEvent | null> {
    while (this.#at === this.#page.length) {
      const { value, done } = await this.#pages.next();
      if (done) return null;
      this.#page = value;
      this.#at = 0;
    }
    const event = this.#page[this.#at]!;
    if (event.position > last) return null;
    this.#at++;
    return event;
  }
}

/** The events between two positions, page by page; `seen` is given each before it goes on. */
async function* passing(
  database: Queryable,
  after: number,
  last: number,
  seen: (events: readonly ParsedEvent[]) => Promise<void>,
): AsyncGenerator<ParsedEvent[]> {
  for await (const page of events_between(database, after, last)) {
    await seen(page);
    yield page;
  }
}

/**
 * Where the chain is followed from, for what begins at a position: the place before the batch that holds it. Null, and a fault, when it
 * cannot be told.
 */
export async function chain_start(database: Queryable, position: number, faults: Faults): Promise<Place | null> {
  return position <= 1 ? BEGINNING : await place_before(database, position, faults);
}

/** The place before the batch that holds a position; null, and a fault, when it cannot be told. */
async function place_before(database: Queryable, position: number, faults: Faults): Promise<Place | null> {
  const [row] = await database.query<{ batch: string; before: string | null; link: Uint8Array | null }>(
    `select b.batch, p.last_position as before, p.link from batches b left join batches p on p.batch = b.batch - 1
      where $1 between b.first_position and b.last_position order by b.batch limit 1`,
    [position],
  );
  if (row?.batch === "1") return BEGINNING;
  if (row !== undefined && row.before !== null) {
    return { batch: Number(row.batch) - 1, position: Number(row.before), link: row.link };
  }
  faults.add(row === undefined ? `no batch holds position ${position}` : `batch ${Number(row.batch) - 1} is missing`);
  return null;
}

/** What the tables of the log said at one moment. What is recorded up to the head does not change any more. */
interface LogMoment {
  readonly head: Head;
  readonly cursors: readonly StoredCursor[];
  readonly archives: readonly Archive[];
  /** Batch and event past those that the head knows, which there must not be; null when there is none. */
  readonly beyond: { readonly batch: number | null; readonly position: number | null };
}

/** Reads what `verify_chain` compares the log with. @param reading sees one moment */
export async function read_log_moment(reading: Queryable): Promise<LogMoment> {
  const head = await read_head(reading);
  const cursors = await read_cursors(reading), archives = await read_archives(reading);
  const [beyond] = await reading.query<{ batch: string | null; position: string | null }>(
    "select (select max(batch) from batches where batch > $1) as batch, (select min(position) from events where position > $2) as position",
    [head.batch, head.position],
  );
  return {
    head,
    cursors,
    archives,
    beyond: { batch: number_or_null(beyond?.batch), position: number_or_null(beyond?.position) },
  };
}

/** What a check of the chain works with. */
interface ChainCheck {
  /** Is shown what each batch wrote there, and compares in the end. */
  readonly quarantine: QuarantineCheck;
  readonly faults: Faults;
  readonly signal: AbortSignal;
  /** Is given the events, page by page. */
  readonly seen: (events: readonly ParsedEvent[]) => Promise<void>;
  /** Hears how many events were read. */
  readonly progress: (events: number) => void;
}

/**
 * Recomputes the hash chain from the stored events, batch by batch, and with it that positions and batch numbers are gapless, that every
 * batch accounts for what it read, that cursors join up, and that the head agrees: with position, link and account. After a fault it goes on with what is stored, so that
 * each place is told by itself. Memory: two pages of events, however large a batch is. It holds no transaction: batches and events up to the
 * head are what they were. Of batches whose events are archived it recomputes the link alone: their content is the archive's to prove.
 * @param start where it begins; the link there is trusted
 */
export async function verify_chain(
  database: Queryable,
  { head, cursors, archives, beyond }: LogMoment,
  start: Place,
  check: ChainCheck,
): Promise<VerifiedChain> {
  const { quarantine, faults, seen } = check;
  const whole = start === BEGINNING;
  const trail = new CursorTrail(whole, faults);
  const archived = verify_archives(archives, faults);
  const reader = new EventReader(passing(database, Math.max(start.position, archived), head.position, seen));
  const account = new HeadAccount(), gaps = new RecordedGaps();
  let place = start, batches = 0;
  for await (const batch of batches_between(database, start.batch, head.batch)) {
    place = await verify_batch(batch, place, archived, reader, check);
    const last = archives.find(({ last_batch }) => last_batch === batch.header.batch);
    if (last !== undefined && !(last.last_position === place.position && same_hash(last.link, batch.link))) {
      faults.add(`the archive in ${last.place} is said to end otherwise than batch ${last.last_batch} does`);
    }
    trail.follow(batch.header.batch, batch.advances);
    account.add(batch.header);
    gaps.follow(batch);
    await quarantine.follow(batch);
    batches++;
    if (faults.enough) break;
  }
  if (!faults.enough) {
    await verify_end(place, head, beyond, reader, faults);
    if (whole) account.compare(head, faults);
    verify_head(head, faults);
  }
  return {
    events: place.position - start.position,
    batches,
    trusted_batch: start.batch,
    cursors: trail.settle(cursors),
    gaps: gaps.told(),
    open_gaps: cursors.filter(({ gap = null }) => gap !== null).length,
    ...await quarantine.compare(whole),
  };
}

/** Archives are the beginning of the log, without a gap. @returns how far they go */
function verify_archives(archives: readonly Archive[], faults: Faults): number {
  let position = 0, batch = 0;
  for (const { first_position, last_position, first_batch, last_batch, place } of archives) {
    if (first_position !== position + 1 || first_batch !== batch + 1) {
      faults.add(
        `the archive in ${place} begins at position ${first_position}, batch ${first_batch}, expected ${
          position + 1
        } and ${batch + 1}`,
      );
    }
    position = last_position;
    batch = last_batch;
  }
  return position;
}

async function verify_batch(
  { header, content_hash, link }: RecordedBatch,
  place: Place,
  archived: number,
  reader: EventReader,
  { faults, signal, progress }: ChainCheck,
): Promise<Place> {
  const { batch, first_position, last_position, admitted } = header;
  let before = place;
  if (batch !== place.batch + 1) {
    faults.add(`batch ${range(place.batch + 1, batch - 1)} missing`);
    before = { batch: batch - 1, position: first_position - 1, link: null };
  }
  if (header.messages_read !== admitted + header.duplicates + header.quarantined + header.tombstones + header.skipped) {
    faults.add(
      `batch ${batch} read ${header.messages_read} messages and accounts for ${admitted} + ${header.duplicates} + ${header.quarantined} + ${header.tombstones} + ${header.skipped}`,
    );
  }
  if (last_position - first_position + 1 !== admitted) {
    faults.add(`batch ${batch} admitted ${admitted} events and names positions ${first_position} to ${last_position}`);
  }
  if (first_position !== before.position + 1) {
    faults.add(`batch ${batch} begins at position ${first_position}, expected ${before.position + 1}`);
  }
  if (last_position <= archived) return linked(before, { header, content_hash, link }, faults);
  const hash = new ContentHash();
  let expected = first_position, missing: number | null = null, read = 0;
  for (let event; (event = await reader.next(last_position)) !== null;) {
    if (event.position < first_position) continue;
    if (event.position !== expected) missing ??= expected;
    expected = event.position + 1;
    hash.add(event);
    if (++read % 1_000 === 0) {
      progress(1_000);
      signal.throwIfAborted();
    }
  }
  progress(read % 1_000);
  signal.throwIfAborted();
  if (missing !== null || expected <= last_position) {
    const events = last_position - first_position + 1;
    faults.add(`event ${missing ?? expected} of batch ${batch} is missing; it has ${read} of its ${events} events`);
  } else if (!same_hash(hash.digest(), content_hash)) {
    faults.add(
      `events ${first_position} to ${last_position} (batch ${batch}) are not what was appended: their hash differs`,
    );
  }
  return linked(before, { header, content_hash, link }, faults);
}

/** The place after a batch, whose link has to follow from the one before. */
function linked(
  before: Place,
  { header, content_hash, link }: Pick<RecordedBatch, "header" | "content_hash" | "link">,
  faults: Faults,
): Place {
  const { batch, last_position } = header;
  if (before.link !== null && !same_hash(next_link(before.link, content_hash, header), link)) {
    faults.add(`batch ${batch} is not what was appended: its link differs`);
  }
  return { batch, position: Math.max(last_position, before.position), link };
}

/** The last batch and its last event are those that the head says. */
async function verify_end(
  { batch, position, link }: Place,
  head: Head,
  beyond: LogMoment["beyond"],
  reader: EventReader,
  faults: Faults,
): Promise<void> {
  if (batch < head.batch) {
    faults.add(`batch ${range(batch + 1, head.batch)} missing; the head counts ${head.batch} batches`);
  }
  if (beyond.batch !== null) faults.add(`batch ${beyond.batch} is there, the head counts ${head.batch} batches`);
  if (position !== head.position) {
    faults.add(`the head says position ${head.position}, the batches end at ${position}`);
  }
  if (batch === head.batch && link !== null && !same_hash(link, head.link)) {
    faults.add(`the head's link is not that of batch ${batch}`);
  }
  const rest = (await reader.next(Infinity))?.position ?? beyond.position;
  if (rest !== null) faults.add(`event ${rest}, after the last batch, belongs to no batch`);
  // Whoever goes along with the log gets to see all of it.
  while (await reader.next(Infinity) !== null);
}
