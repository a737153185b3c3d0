import type { Queryable } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import type { RecordedEvent } from "./chain.ts";
import { require_kept } from "./archives.ts";
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

/**
 * The streams that have events on both sides of a position, folded from those up to it. All others stand as their rows have them, or
 * did not exist.
 * @param most_folded events that are folded anew, at most
 * Throws TooMuchChangedSince past them, EventsArchived where it takes events that are.
 */
export async function read_past_streams(
  reading: Queryable,
  domain: Domain,
  position: number,
  most_folded: number,
): Promise<PastStream[]> {
  await require_kept(reading, position);
  const streams = await changed_since(reading, domain, position, most_folded);
  const events = streams.reduce((sum, { positions }) => sum + positions.length, 0);
  if (events > most_folded) {
    throw new TooMuchChangedSince(
      `read ${domain.tables.states} as of position ${position}: what changed since has more than ${most_folded} events ` +
        "up to there, and no more are folded anew",
    );
  }
  const past: PastStream[] = [];
  for (const page of pages_of_streams(streams, ({ positions }) => positions.length)) {
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

/** The log in blocks of so many bits of a position: see the index that has the streams of several. */
const BLOCK_BITS = 16;

/** Finds those of one block through what it has after the position of streams that did not begin there, those of several by their index. */
async function changed_since(
  reading: Queryable,
  { tables: { states }, stream_column }: Pick<Domain, "tables" | "stream_column">,
  position: number,
  most: number,
): Promise<Changed[]> {
  const first = "s.positions[1]", last = "s.positions[cardinality(s.positions)]";
  const spans = `(${first} >> ${BLOCK_BITS}) <> (${last} >> ${BLOCK_BITS})`;
  const found = `select s.${stream_column} as stream_id,
    array(select p::text from unnest(s.positions) p where p <= $1) as positions from ${states} s`;
  const both = `${first} <= $1::bigint and ${last} > $1::bigint`;
  // They are asked for as a list, so that the state table is not read whole.
  const rows = await reading.query<{ stream_id: string; positions: string[] }>(
    `${found} where ${spans} and ${both} union all ${found} where not (${spans}) and ${both} and s.${stream_column} = any(array(
       select stream_id from events where position > $1 and position <= $2 group by stream_id having min(revision) > 1
     )) limit ${most + 1}`,
    [position, block_end(position)],
  );
  return rows.map(({ stream_id, positions }) => ({ stream_id, positions: positions.map(Number) }));
}

/** The last position of a position's block. */
function block_end(position: number): number {
  const size = 2 ** BLOCK_BITS;
  return (Math.floor(position / size) + 1) * size - 1;
}

/**
 * Streams in pages whose events can be read at once, each of one stream at least.
 * @param events_of how many are read of a stream
 */
export function* pages_of_streams<S>(streams: readonly S[], events_of: (stream: S) => number): Iterable<S[]> {
  let page: S[] = [], events = 0;
  for (const stream of streams) {
    const own = events_of(stream);
    if (events > 0 && events + own > PAGE_EVENTS) {
      yield page;
      page = [];
      events = 0;
    }
    page.push(stream);
    events += own;
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
