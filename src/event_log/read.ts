import { plain_array, type Queryable } from "../database/mod.ts";
import { canonical_json, parse_json } from "../domains/mod.ts";
import { parse_time } from "../kpi/mod.ts";

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

/** An event with its data, parsed. */
export type ParsedEvent = RecordedEvent & { readonly content: Readonly<Record<string, unknown>> };

const SELECT = `select position, stream_id, revision, event_id, type, schema_version,
  (extract(epoch from occurred_at) * 1000000)::bigint as occurred_at_us,
  (extract(epoch from recorded_at) * 1000000)::bigint as recorded_at_us, data::text as data, metadata::text as metadata from events`;

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

/** The events at these positions, in order of position. */
export async function read_at(database: Queryable, positions: readonly number[]): Promise<RecordedEvent[]> {
  const text = `${SELECT} where position = any($1::bigint[]) order by position`;
  return (await database.query({ name: "events_at", text }, [plain_array(positions)])).map(recorded);
}

/** The events after a position, at most `limit`, in order. */
export async function read_after(database: Queryable, position: number, limit: number): Promise<RecordedEvent[]> {
  const text = `${SELECT} where position > $1 order by position limit $2`;
  return (await database.query({ name: "events_after", text }, [position, limit])).map(recorded);
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

/**
 * The events after a position up to another, in order, in pages, with `data` and `metadata` in canonical form; the next page is asked for
 * while one is worked on. What is recorded does not change: no transaction is held.
 */
export async function* events_between(database: Queryable, after: number, last: number): AsyncGenerator<ParsedEvent[]> {
  const statement = {
    name: "events_between",
    text: `select string_agg(${EVENT_JSON}, E'\\n') filter (where before < ${PAGE_BYTES}) as lines,
      max(position) filter (where before < ${PAGE_BYTES}) as through, max(position) as found
      from (select *, sum(pg_column_size(data)) over (order by position) - pg_column_size(data) as before
        from events where position > $1 and position <= $2 order by position) e`,
  };
  const ask = (from: number) => {
    const to = Math.min(from + PAGE_EVENTS, last);
    const answer = database.query<{ lines: string | null; through: string; found: string }>(statement, [from, to]);
    // Met when it is its turn, if it ever is.
    answer.catch(() => {});
    return { to, answer };
  };
  let ahead = after < last ? ask(after) : null;
  while (ahead !== null) {
    const [page] = await ahead.answer;
    const { lines, through, found } = page!;
    const to: number = through === found ? ahead.to : Number(through);
    ahead = to < last ? ask(to) : null;
    if (lines !== null) yield lines.split("\n").map(line_reader());
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
