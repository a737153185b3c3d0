import type { Queryable } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import type { RecordedEvent } from "./chain.ts";
import { fold_recorded } from "./fold_recorded.ts";
import { read_at } from "./read.ts";

/** Streams as they stood at a position of the log. */

/** A stream that had begun by then and has changed since, as it stood then. */
export interface PastStream {
  readonly stream_id: string;
  readonly state: unknown;
  /** The position of the newest of its events up to there. */
  readonly position: number;
  /** Time of its last event in order of (time, event id), microseconds. */
  readonly last_us: number;
}

/** Most events that are folded for one moment: seconds of work, and memory for as many states. */
export const MOST_FOLDED = 200_000;

/** More streams changed since a position than are folded anew. */
export class TooMuchChangedSince extends Error {
  override readonly name = "TooMuchChangedSince";
}

const PAGE_EVENTS = 5_000;
/** Reading an event after the position costs as much as looking at so many rows of the state table. */
const ROWS_AN_EVENT = 4;

/**
 * The streams that have events on both sides of a position, folded from those up to it. All others stand as their rows have them, or
 * did not exist.
 * @param head the head's position
 * @param most_folded events that are folded anew, at most
 * Throws TooMuchChangedSince past them.
 */
export async function read_past_streams(
  reading: Queryable,
  domain: Domain,
  position: number,
  head: number,
  most_folded: number = MOST_FOLDED,
): Promise<PastStream[]> {
  const streams = await changed_since(reading, domain, position, head, most_folded);
  const events = streams.reduce((sum, { positions }) => sum + positions.length, 0);
  if (events > most_folded) {
    throw new TooMuchChangedSince(
      `read ${domain.tables.states} as of position ${position}: what changed since has more than ${most_folded} events ` +
        "up to there, and no more are folded anew",
    );
  }
  const past: PastStream[] = [];
  for (const page of pages_of(streams)) {
    const found = await read_at(reading, page.flatMap(({ positions }) => positions));
    const by_stream = Map.groupBy(found, ({ stream_id }) => stream_id);
    for (const { stream_id, positions } of page) {
      past.push(fold_past(domain, stream_id, positions.at(-1)!, by_stream.get(stream_id) ?? []));
    }
  }
  return past;
}

interface Changed {
  readonly stream_id: string;
  /** Of its events up to the position. */
  readonly positions: readonly number[];
}

/** Finds them through the events since, or where these are many, by looking at every row: whichever is less. */
async function changed_since(
  reading: Queryable,
  { tables: { states }, stream_column }: Pick<Domain, "tables" | "stream_column">,
  position: number,
  head: number,
  most: number,
): Promise<Changed[]> {
  const [estimate] = await reading.query<{ rows: number }>(
    "select reltuples::double precision as rows from pg_class where oid = $1::regclass",
    [states],
  );
  const through_events = (head - position) * ROWS_AN_EVENT < Number(estimate?.rows ?? 0);
  const rows = await reading.query<{ stream_id: string; positions: string[] }>(
    `select s.${stream_column} as stream_id, array(select p::text from unnest(s.positions) p where p <= $1) as positions
     from ${states} s ${
      through_events
        ? `join (select distinct stream_id from events where position > $1) since on since.stream_id = s.${stream_column}`
        : ""
    } where s.positions[1] <= $1 and s.positions[cardinality(s.positions)] > $1 limit ${most + 1}`,
    [position],
  );
  return rows.map(({ stream_id, positions }) => ({ stream_id, positions: positions.map(Number) }));
}

/** Streams in pages that do not hold too many events. */
function* pages_of(streams: readonly Changed[]): Iterable<Changed[]> {
  let page: Changed[] = [], events = 0;
  for (const stream of streams) {
    if (events > 0 && events + stream.positions.length > PAGE_EVENTS) {
      yield page;
      page = [];
      events = 0;
    }
    page.push(stream);
    events += stream.positions.length;
  }
  if (page.length > 0) yield page;
}

function fold_past(
  domain: Domain,
  stream_id: string,
  position: number,
  events: readonly RecordedEvent[],
): PastStream {
  const folded = fold_recorded(domain, events);
  if (!folded.ok) throw new Error(`fold stream ${JSON.stringify(stream_id)}: ${folded.fault}`);
  return { stream_id, state: folded.state, position, last_us: folded.last?.occurred_at_us ?? 0 };
}
