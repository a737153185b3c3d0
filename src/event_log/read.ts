import { plain_array, type Queryable } from "../database/mod.ts";
import { parse_json } from "../domains/mod.ts";

/** An event as the log gives it back. `data` and `metadata` are JSON text as PostgreSQL writes jsonb. */
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

/** Parses the data of an event. */
export const parsed_event = (event: RecordedEvent): ParsedEvent => ({
  ...event,
  content: parse_json(event.data) as Record<string, unknown>,
});

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

/** Events of a page, each as large as a message may be; two pages are held at a time. */
const PAGE_EVENTS = 5_000;

/**
 * The events after a position up to another, in order, in pages; the next page is asked for while one is worked on. What is recorded does not
 * change: no transaction is held.
 */
export async function* events_between(
  database: Queryable,
  after: number,
  last: number,
): AsyncGenerator<RecordedEvent[]> {
  const statement = {
    name: "events_between",
    text: `${SELECT} where position > $1 and position <= $2 order by position`,
  };
  const page = (from: number) => {
    const events = database.query(statement, [from, Math.min(from + PAGE_EVENTS, last)]);
    // Met when it is its turn, if it ever is.
    events.catch(() => {});
    return events;
  };
  let ahead = after < last ? page(after) : null;
  for (let from = after; ahead !== null; from += PAGE_EVENTS) {
    const rows = await ahead;
    ahead = from + PAGE_EVENTS < last ? page(from + PAGE_EVENTS) : null;
    yield rows.map(recorded);
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
