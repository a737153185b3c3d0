import { number_or_null, plain_array, type Queryable, text_array, us_of } from "../database/mod.ts";
import { canonical_json, type Domain, parse_json } from "../domains/mod.ts";
import { format_time, parse_time } from "../kpi/mod.ts";
import type { CursorAdvance } from "./append.ts";
import { events_archived, read_archived, require_kept, require_log } from "./archives.ts";
import type { BatchHeader, RecordedEvent } from "./chain.ts";
import { watermark_is_void } from "./head.ts";
import type { WrittenRow } from "./quarantine.ts";

/** An event with its data, parsed. */
export type ParsedEvent = RecordedEvent & { readonly content: Readonly<Record<string, unknown>> };

const COLUMNS = `position, stream_id, revision, event_id, type, schema_version,
  ${us_of("occurred_at")},
  ${us_of("recorded_at")}, data::text as data, metadata::text as metadata`;
const SELECT = `select ${COLUMNS} from events`;

const recorded = (row: Record<string, unknown>): RecordedEvent => ({
  position: Number(row.position),
  stream_id: row.stream_id as string,
  revision: row.revision as number,
  event_id: row.event_id as string,
  type: row.type as string,
  schema_version: row.schema_version as number,
  occurred_at_us: Number(row.occurred_at_us),
  recorded_at_us: Number(row.recorded_at_us),
  data: row.data as string,
  metadata: row.metadata as string,
});

/** Those of the events at these positions that are in the table, in order of position: for who looks whether they are there. */
export async function find_at(database: Queryable, positions: readonly number[]): Promise<RecordedEvent[]> {
  const text = `${SELECT} where position = any($1::bigint[]) order by position`;
  return (await database.query({ name: "events_at", text }, [plain_array(positions)])).map(recorded);
}

/** The events at these positions, each named once, that are not archived, in order of position; and how far the log is archived where some are. */
export async function read_kept(
  database: Queryable,
  positions: readonly number[],
): Promise<{ readonly events: RecordedEvent[]; readonly archived: number }> {
  const events = await find_at(database, positions);
  if (events.length === positions.length) return { events, archived: 0 };
  const archived = await read_archived(database), there = new Set(events.map(({ position }) => position));
  const lost = positions.find((position) => position > archived && !there.has(position));
  if (lost !== undefined) throw new Error(`read event ${lost}: it is not in the log`);
  return { events, archived };
}

/** The events at these positions, each named once, in order of position. Throws EventsArchived where one of them is. */
export async function read_at(database: Queryable, positions: readonly number[]): Promise<RecordedEvent[]> {
  const { events, archived } = await read_kept(database, positions);
  if (archived > 0) throw await events_archived(database, Math.min(...positions));
  return events;
}

/** Which events are asked for. */
interface EventsWanted {
  /** Those after this position, up to `last`. */
  readonly after: number;
  readonly last: number;
  /** Of these types; null: of all. */
  readonly types: readonly string[] | null;
  /** At most so many, and no further one once these hold so many bytes, as PostgreSQL keeps them. */
  readonly limit: number;
  readonly bytes: number;
}

/** Events in order of position, and the position up to which there are no others of those wanted. */
interface EventsFound {
  readonly events: readonly RecordedEvent[];
  readonly through: number;
}

/** The events after a position that are wanted, in order; at least one where there are any. Throws EventsArchived where they are. */
export async function read_after(database: Queryable, wanted: EventsWanted): Promise<EventsFound> {
  const { after, last, types, limit, bytes } = wanted;
  const rows = await database.query({
    name: "events_after",
    text: `select ${COLUMNS}, found from (
        select *, count(*) over () as found, sum(size) over (order by position) - size as before from (
          select *, pg_column_size(data) + pg_column_size(metadata) as size from events
          where position > $1 and position <= $2 and ($3::text[] is null or type = any($3)) order by position limit $4
        ) wanted
      ) sized where before < $5 order by position`,
  }, [after, last, types === null ? null : text_array(types), limit, bytes]);
  if (after < last && Number(rows[0]?.position) !== after + 1) await require_kept(database, after);
  const events = rows.map(recorded), found = Number(rows[0]?.found ?? 0);
  const all = found < limit && events.length === found;
  return { events, through: all ? Math.max(after, last) : events.at(-1)!.position };
}

/** Events of a page: at most so many, fewer where they are large; two pages are held at a time. */
const PAGE_EVENTS = 5_000;
/** Of the data in a page, as PostgreSQL keeps it: it may have compressed it. */
const PAGE_BYTES = 4 << 20;

/**
 * An event as a line of JSON, data and metadata inside it: a page of them is one text, which costs the driver a tenth of as many rows with a
 * column for each of their parts.
 */
const EVENT_JSON =
  `concat('[', position, ',', to_json(stream_id), ',', revision, ',', to_json(event_id), ',', to_json(type), ',',
  schema_version, ',"', occurred_at, '","', recorded_at, '",', data, ',', metadata, ']')`;

type EventTuple = readonly [
  position: number,
  stream_id: string,
  revision: number,
  event_id: string,
  type: string,
  schema_version: number,
  occurred_at: string,
  recorded_at: string,
  content: Readonly<Record<string, unknown>>,
  metadata: unknown,
];

/** A time as PostgreSQL writes it in UTC; NaN for one that no event has. */
function time_us(text: string): number {
  const time = parse_time(text.endsWith("+00") ? `${text.slice(0, -3)}Z` : text);
  return time.ok ? time.us : NaN;
}

/** Reads lines of one page; events of a batch have one time of recording. */
function line_reader(): (line: string) => ParsedEvent {
  let recorded_at = "", recorded_at_us = NaN;
  return (line) => {
    const [position, stream_id, revision, event_id, type, schema_version, occurred, recorded, content, metadata] =
      parse_json(line) as EventTuple;
    if (recorded !== recorded_at) recorded_at_us = time_us(recorded_at = recorded);
    return {
      position,
      stream_id,
      revision,
      event_id,
      type,
      schema_version,
      occurred_at_us: time_us(occurred),
      recorded_at_us,
      data: canonical_json(content),
      // What it holds of a message lies one level deeper there than in the message, whose depth was limited.
      metadata: canonical_json(metadata, -1),
      content,
    };
  };
}

/** What folding takes of an event of the log, with its data, parsed. */
export type FoldableEvent =
  & Pick<ParsedEvent, "position" | "stream_id" | "revision" | "event_id" | "type" | "schema_version">
  & Pick<ParsedEvent, "occurred_at_us" | "content">;

const FOLDABLE_JSON =
  `concat('[', position, ',', to_json(stream_id), ',', revision, ',', to_json(event_id), ',', to_json(type), ',',
  schema_version, ',"', occurred_at, '",', data, ']')`;

function read_foldable(line: string): FoldableEvent {
  const [position, stream_id, revision, event_id, type, schema_version, occurred, content] = parse_json(
    line,
  ) as readonly [number, string, number, string, string, number, string, FoldableEvent["content"]];
  return { position, stream_id, revision, event_id, type, schema_version, occurred_at_us: time_us(occurred), content };
}

/**
 * The events after a position up to another, in order, in pages, with `data` and `metadata` in canonical form; the next page is asked for
 * while one is worked on. What is recorded does not change: no transaction is held. Throws EventsArchived where some of them are.
 */
export const events_between = (database: Queryable, after: number, last: number): AsyncGenerator<ParsedEvent[]> =>
  pages_between(database, after, last, { name: "events_between", json: EVENT_JSON, reader: line_reader });

/** As `events_between`, of each event what folding takes. @param page_events of a page, at most */
export const foldable_between = (
  database: Queryable,
  after: number,
  last: number,
  page_events = PAGE_EVENTS,
): AsyncGenerator<FoldableEvent[]> =>
  pages_between(database, after, last, {
    ...{ name: "foldable_between", json: FOLDABLE_JSON, reader: () => read_foldable },
    page_events: Math.min(page_events, PAGE_EVENTS),
  });

async function* pages_between<T>(
  database: Queryable,
  after: number,
  last: number,
  { name, json, reader, page_events = PAGE_EVENTS }: {
    readonly name: string;
    readonly json: string;
    readonly reader: () => (line: string) => T;
    readonly page_events?: number;
  },
): AsyncGenerator<T[]> {
  const statement = {
    name,
    text: `select string_agg(${json}, E'\\n') filter (where before < ${PAGE_BYTES}) as lines,
      max(position) filter (where before < ${PAGE_BYTES}) as through, max(position) as found
      from (select *, sum(pg_column_size(data)) over (order by position) - pg_column_size(data) as before
        from events where position > $1 and position <= $2 order by position) e`,
  };
  const ask = (from: number) => {
    const to = Math.min(from + page_events, last);
    const answer = database.query<{ lines: string | null; through: string; found: string }>(statement, [from, to]);
    // Met when it is its turn, if it ever is.
    answer.catch(() => {});
    return { to, answer };
  };
  let ahead = after < last ? ask(after) : null, from = after;
  while (ahead !== null) {
    const [page] = await ahead.answer;
    const { lines, through, found } = page!;
    const to: number = through === found ? ahead.to : Number(through);
    ahead = to < last ? ask(to) : null;
    const events = lines === null ? [] : lines.split("\n").map(reader());
    if (events.length < to - from) await require_kept(database, from);
    from = to;
    if (events.length > 0) yield events;
  }
}

/** The first event of each stream that begins after a position, up to another. */
export async function streams_begun(
  database: Queryable,
  after: number,
  last: number,
): Promise<{ readonly stream_id: string; readonly position: number }[]> {
  const rows = await database.query(
    "select stream_id, position from events where position > $1 and position <= $2 and revision = 1",
    [after, last],
  );
  return rows.map(({ stream_id, position }) => ({ stream_id: stream_id as string, position: Number(position) }));
}

/** The positions of the events that streams had before a position, in order. */
export async function positions_before(
  database: Queryable,
  { tables: { states }, stream_column }: Pick<Domain, "tables" | "stream_column">,
  stream_ids: readonly string[],
  position: number,
): Promise<number[]> {
  const rows = await database.query<{ position: string }>(
    `select p::text as position from unnest($1::text[]) wanted(id)
      cross join lateral (select positions from ${states} where ${stream_column} = wanted.id limit 1) found
      cross join lateral unnest(found.positions) p where p < $2 order by p`,
    [text_array(stream_ids), position],
  );
  return rows.map(({ position }) => Number(position));
}

/** Moments of the log: which position it had come to at a time, and when a position was recorded. */

/** A position of the log and what is known of it. Times in microseconds. */
export interface Moment {
  readonly position: number;
  /** When the event at the position was recorded; null at position 0, before the first event. */
  readonly recorded_at_us: number | null;
  /** The greatest event time up to the position; null at position 0, and where batches do not tell it. */
  readonly watermark_us: number | null;
}

const BEGINNING: Moment = { position: 0, recorded_at_us: null, watermark_us: null };

/**
 * How far apart in the log and by the clock two batches may lie the wrong way round: their processes have clocks of their own, and
 * a batch gets its time before its turn.
 */
const SKEW = "1 minute";

/**
 * The moment at which the log stood at a time: the last batch that was recorded by then. Position 0 before the first.
 * @param at_us microseconds since the Unix epoch
 */
export async function moment_at_time(queryable: Queryable, at_us: number): Promise<Moment> {
  await require_log(queryable);
  const [batch] = await queryable.query<{ last_position: string }>({
    name: "batch_at_time",
    text: `select last_position from batches
           where recorded_at <= $1::timestamptz and recorded_at >= (
             select max(recorded_at) - interval '${SKEW}' from batches where recorded_at <= $1::timestamptz
           ) order by batch desc limit 1`,
  }, [format_time(at_us)]);
  return await moment_at_position(queryable, Number(batch?.last_position ?? 0));
}

/** The moment at which the log stood at one of its positions. Throws for one that it has not come to. */
export async function moment_at_position(queryable: Queryable, position: number): Promise<Moment> {
  await require_log(queryable);
  if (position === 0) return BEGINNING;
  const [row] = await queryable.query<{ recorded_us: string; watermark_us: string | null }>({
    name: "moment_at_position",
    // The first batch that ends there or later holds the position; inside of it event time is looked up in the events.
    text: `select (extract(epoch from own.recorded_at) * 1000000)::bigint as recorded_us, (extract(epoch from
             case when ${watermark_is_void("own")} then null
                  when own.last_position = $1 then own.watermark
                  when own.first_position = 1 or before.watermark is not null then greatest(before.watermark, (
                    select max(occurred_at) from events where position >= own.first_position and position <= $1
                  )) end
           ) * 1000000)::bigint as watermark_us
           from (select * from batches where last_position >= $1 order by last_position, batch limit 1) own
           left join batches before on before.batch = own.batch - 1`,
  }, [position]);
  if (row === undefined) throw new Error(`find position ${position} of the log: it has not come so far`);
  return {
    position,
    recorded_at_us: Number(row.recorded_us),
    watermark_us: number_or_null(row.watermark_us),
  };
}

/** A batch as the log gives it back. */
export interface RecordedBatch {
  readonly header: BatchHeader;
  readonly advances: readonly CursorAdvance[];
  /** The rows of the quarantine that it wrote; null when it does not say, as batches of earlier versions. */
  readonly written: readonly WrittenRow[] | null;
  readonly content_hash: Uint8Array;
  readonly link: Uint8Array;
}

/** A batch that set aside all it read notes a row for each of its 20,000 messages: 34 bytes each. */
const PAGE_BATCHES = 50;

const SELECT_BATCHES =
  `select batch, kind, first_position, last_position, messages_read, admitted, duplicates, quarantined, tombstones, skipped, late, cursors, note,
  ${us_of("recorded_at")}, content_hash, link
  from batches where batch > $1 and batch <= $2 order by batch`;

const recorded_batch = (row: Record<string, unknown>): RecordedBatch => {
  const advances = (row.cursors as CursorAdvance[]).map(({ from, partition, to, topic }) => ({
    from,
    partition,
    to,
    topic,
  }));
  return {
    header: {
      batch: Number(row.batch),
      kind: row.kind as BatchHeader["kind"],
      first_position: Number(row.first_position),
      last_position: Number(row.last_position),
      messages_read: Number(row.messages_read),
      admitted: Number(row.admitted),
      duplicates: Number(row.duplicates),
      quarantined: Number(row.quarantined),
      tombstones: Number(row.tombstones),
      skipped: Number(row.skipped),
      late: Number(row.late),
      cursors: canonical_json(advances),
      note: row.note === null ? null : canonical_json(row.note),
      recorded_at: format_time(Number(row.recorded_at_us)),
    },
    advances,
    written: (row.note as { readonly quarantine?: WrittenRow[] } | null)?.quarantine ?? null,
    content_hash: row.content_hash as Uint8Array,
    link: row.link as Uint8Array,
  };
};

/** The batches after a batch up to another, in order. What is recorded does not change: no transaction is held. */
export async function* batches_between(
  database: Queryable,
  after: number,
  last: number,
): AsyncGenerator<RecordedBatch> {
  for (let from = after; from < last; from += PAGE_BATCHES) {
    const rows = await database.query(SELECT_BATCHES, [from, Math.min(from + PAGE_BATCHES, last)]);
    for (const row of rows) yield recorded_batch(row);
  }
}

/** Batches that events are looked up in, at a time. */
const PAGE_ENDS = 5_000;

/** Tells which batch an event came in; asked in the order of positions. */
export function batches_of_events(database: Queryable): (position: number) => Promise<number> {
  let page: readonly { readonly batch: number; readonly last: number }[] = [], at = 0;
  return async (position) => {
    for (;;) {
      while (at < page.length && page[at]!.last < position) at++;
      if (at < page.length) return page[at]!.batch;
      const rows = await database.query({
        name: "batches_of_events",
        // A batch without events ends where the one before it does.
        text: `select batch, last_position from batches where last_position >= $1 and first_position <= last_position
          order by last_position, batch limit ${PAGE_ENDS}`,
      }, [position]);
      page = rows.map((row) => ({ batch: Number(row.batch), last: Number(row.last_position) }));
      if (page.length === 0) throw new Error(`find the batch of event ${position}: there is none`);
      at = 0;
    }
  };
}
