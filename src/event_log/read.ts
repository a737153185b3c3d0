import { plain_array, type Queryable, type Snapshot } from "../database/mod.ts";

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

/** All events after a position, in order, in pages. */
export async function* events_after(reading: Snapshot, position: number): AsyncGenerator<RecordedEvent[]> {
  const select = `${SELECT} where position > $1 order by position`;
  for await (const page of reading.pages(select, [position], PAGE_EVENTS)) yield page.map(recorded);
}
