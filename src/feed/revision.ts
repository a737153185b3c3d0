import { plain_array, type Queryable } from "../database/mod.ts";
import { bucket_end, closes_at, type Days } from "../kpi/mod.ts";
import type { Series } from "./board.ts";
import type { Window } from "./view.ts";

/** Late corrections: which buckets were changed after they had closed, and when. */

/** Buckets as they were read: start (seconds) and the position that changed each last. */
export interface ChangedBuckets {
  readonly t: readonly number[];
  readonly changed_at: readonly number[];
}

/** Buckets with their marks: when they were revised, milliseconds; 0 where they were not. */
export interface MarkedBuckets extends ChangedBuckets {
  readonly revised_ms: readonly number[];
}

/** When a batch was recorded, and how far event time had come before it. */
interface Recorded {
  readonly recorded_ms: number;
  readonly watermark_s: number;
}

/** A series with its column of marks. */
export function mark_series(series: Series, marked: MarkedBuckets): Series {
  const marks = new Map(marked.t.map((t, i) => [t, marked.revised_ms[i]!]));
  return { ...series, revised_ms: series.t.map((t) => marks.get(t) ?? 0) };
}

/**
 * Says of each bucket when it was changed last, if it was closed by then. Only buckets that changed since the last time are
 * looked up, and of those only the closed: a few rows of `batches` by its index. Batches recorded before they kept
 * how far event time had come are never told as late.
 * @param newest_event_s the newest event time in the log, seconds; null when there is none
 * @param known the buckets as they were marked before
 */
export async function read_revised(
  queryable: Queryable,
  days: Days,
  window: Window,
  buckets: ChangedBuckets,
  newest_event_s: number | null,
  known: MarkedBuckets | null,
): Promise<number[]> {
  const closed_s = (t: number): number => closes_at(bucket_end(window.grain, t * 1e6, days)) / 1e6;
  const before = new Map(known?.t.map((t, i) => [t, i]));
  const kept = (t: number, changed_at: number): number | undefined => {
    const at = before.get(t);
    return at !== undefined && known!.changed_at[at] === changed_at ? known!.revised_ms[at] : undefined;
  };
  const marks = buckets.t.map((t, i) =>
    newest_event_s === null || newest_event_s < closed_s(t) ? 0 : kept(t, buckets.changed_at[i]!)
  );
  const asked = new Set(buckets.changed_at.filter((_, i) => marks[i] === undefined));
  const recorded = asked.size === 0 ? new Map<number, Recorded>() : await read_recorded(queryable, [...asked]);
  return marks.map((mark, i) => {
    if (mark !== undefined) return mark;
    const batch = recorded.get(buckets.changed_at[i]!);
    return batch !== undefined && batch.watermark_s >= closed_s(buckets.t[i]!) ? batch.recorded_ms : 0;
  });
}

async function read_recorded(queryable: Queryable, positions: readonly number[]): Promise<Map<number, Recorded>> {
  const rows = await queryable.query<{ position: string; recorded_ms: string; watermark_s: string }>({
    name: "feed_recorded_batches",
    text: `select changed.position, floor(extract(epoch from batch.recorded_at) * 1000)::bigint as recorded_ms,
             floor(extract(epoch from before.watermark))::bigint as watermark_s
           from unnest($1::bigint[]) as changed(position)
           cross join lateral (select batch, recorded_at from batches where last_position >= changed.position
                               order by last_position, batch limit 1) batch
           join batches before on before.batch = batch.batch - 1
           where before.watermark is not null`,
  }, [plain_array(positions)]);
  return new Map(
    rows.map((row) => [
      Number(row.position),
      { recorded_ms: Number(row.recorded_ms), watermark_s: Number(row.watermark_s) },
    ]),
  );
}
