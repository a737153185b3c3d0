import { plain_array, type Queryable } from "../../database/mod.ts";
import { watermark_is_void } from "../../event_log/mod.ts";
import { ALL_KEPT, bucket_end, cells_grain, closed_before, closes_at, kept_from } from "../../kpi/mod.ts";
import { bucket_of_cell, type BucketRow, integer, prepared, type Series } from "./figure.ts";
import { table_names } from "../../domains/mod.ts";
import type { Question } from "./question.ts";

/**
 * Corrections: which buckets were changed after somebody could have seen them settled, and when.
 *
 * A bucket is marked when it had closed before the batch that changed it last, and had been there for 3 s when that was recorded; and
 * when the event that changed it came in a late message (see `windows.ts` of `kpi`), or happened in another bucket: then it corrects what was
 * told before. So a stream that goes on, a record of a whole one that tells its start at its end, buckets that a backfill fills, and
 * partitions of a backlog that are read at different speeds are no corrections. A mark says what the last change was: a bucket that is
 * changed in time after it was corrected bears none.
 */

/** Buckets as they were read: start (seconds), the position that changed each last, and one of the batch that filled it first (0: not known). */
interface ChangedBuckets {
  readonly t: readonly number[];
  readonly changed_at: readonly number[];
  readonly first_at: readonly number[];
}

/** Buckets with their marks: when they were corrected, milliseconds; 0 where they were not. */
export interface MarkedBuckets extends ChangedBuckets {
  readonly revised_ms: readonly number[];
}

/** How a bucket was changed last. Times in microseconds. */
interface Change {
  readonly recorded_us: number;
  /** How far event time had come before. */
  readonly watermark_us: number;
  /** When the event happened that changed it, and the newest that its message told. */
  readonly occurred_us: number;
  readonly told_us: number;
  /** When the bucket was filled first; null: not known. */
  readonly filled_us: number | null;
}

/**
 * A series with its column of marks.
 * @param marked null: without any
 * @param touched which of its buckets bear the mark that theirs has; all unless given
 */
export function mark_series(series: Series, marked: MarkedBuckets | null, touched?: readonly boolean[]): Series {
  const marks = new Map(marked?.t.map((t, i) => [t, marked.revised_ms[i]!]));
  return { ...series, revised_ms: series.t.map((t, i) => touched?.[i] === false ? 0 : marks.get(t) ?? 0) };
}

/**
 * Reads which position changed each bucket of the whole last, and says when it was corrected; 0 where it was not. Only buckets that changed
 * since the last time are looked up, and of those only the closed: a few rows of `batches` and `events` each, by their indexes. Batches
 * recorded before they kept how far event time had come never tell a correction.
 * @param newest_event_s the newest event time in the log, seconds; null when there is none
 * @param known the buckets as they were marked before
 */
export async function read_marked(
  queryable: Queryable,
  question: Question,
  newest_event_s: number | null,
  known: MarkedBuckets | null,
): Promise<MarkedBuckets> {
  const buckets = await read_changed_buckets(queryable, question);
  const end_us = (t: number): number => bucket_end(question.window.grain, t * 1e6, question.days);
  const newest_us = (newest_event_s ?? -Infinity) * 1e6;
  const before = new Map(known?.t.map((t, i) => [t, i]));
  const kept = (t: number, changed_at: number): number | undefined => {
    const at = before.get(t);
    return at !== undefined && known!.changed_at[at] === changed_at ? known!.revised_ms[at] : undefined;
  };
  const marks = buckets.t.map((t, i) => newest_us < closes_at(end_us(t)) ? 0 : kept(t, buckets.changed_at[i]!));
  const asked = marks.flatMap((mark, i) => mark === undefined ? [i] : []);
  const changes = asked.length === 0 ? new Map<number, Change>() : await read_changes(
    queryable,
    asked.map((i) => ({
      bucket: i,
      position: buckets.changed_at[i]!,
      first: buckets.first_at[i]!,
      closes_us: closes_at(end_us(buckets.t[i]!)),
    })),
  );
  const revised_ms = marks.map((mark, i) => {
    if (mark !== undefined) return mark;
    const change = changes.get(i), t = buckets.t[i]!;
    return change !== undefined && is_correction(t * 1e6, end_us(t), change)
      ? Math.floor(change.recorded_us / 1000)
      : 0;
  });
  return { ...buckets, revised_ms };
}

/** Reads which position changed each bucket of the whole last, and since when it has anything. */
async function read_changed_buckets(
  queryable: Queryable,
  { board, kept = ALL_KEPT, window: { grain, from_s, to_s } }: Question,
): Promise<ChangedBuckets> {
  const quarters = grain === "15m";
  const columns = quarters
    ? `floor(extract(epoch from ${bucket_of_cell(grain)}))::bigint as t, max(last_position) as last_position,
       min(first_position) as first_position`
    : "floor(extract(epoch from bucket))::bigint as t, last_position, first_position";
  const statement = prepared(
    board,
    `feed_changed_${table_names(board).cells}${quarters ? "_quarters" : ""}`,
    `select ${columns} from ${board.tables.cells} cells
           where grain = $1 and dimension = $2 and key = $3
             and bucket >= to_timestamp($4::double precision) and bucket < to_timestamp($5::double precision)
           ${quarters ? "group by 1 order by 1" : "order by bucket"}`,
  );
  // What is not kept any more has no marks.
  const since_s = Math.max(from_s, kept_from(kept, grain) / 1e6);
  const values = [cells_grain(grain), board.whole.dimension, board.whole.key, since_s, to_s];
  const rows = await queryable.query<BucketRow>(statement, values);
  return {
    t: rows.map((row) => integer(row.t)),
    changed_at: rows.map((row) => integer(row.last_position)),
    first_at: rows.map((row) => integer(row.first_position ?? "0")),
  };
}

/**
 * How long a bucket has to have been there before somebody could have taken it for settled, microseconds: some readings of the feed, and
 * longer than the batches of a backfill take that fill it.
 */
const SEEN_AFTER_US = 3e6;

/** Whether a change of a bucket, from `start_us` to `end_us`, corrects what could have been seen of it. */
function is_correction(start_us: number, end_us: number, change: Change): boolean {
  const { recorded_us, watermark_us, occurred_us, told_us, filled_us } = change;
  if (watermark_us < closes_at(end_us)) return false;
  if (filled_us !== null && recorded_us - filled_us < SEEN_AFTER_US) return false;
  const happened_elsewhere = occurred_us < start_us || occurred_us >= end_us;
  return happened_elsewhere || told_us < closed_before(watermark_us);
}

/** Events of one message follow one another, in the order of their times; a record makes a few. */
const MOST_OF_A_MESSAGE = 16;

/** What is asked of a bucket: the position that changed it, one of the batch that filled it first, and the watermark that closes it. */
interface Asked {
  readonly bucket: number;
  readonly position: number;
  readonly first: number;
  readonly closes_us: number;
}

/** Reads how buckets were changed last that had closed before. */
async function read_changes(queryable: Queryable, asked: readonly Asked[]): Promise<Map<number, Change>> {
  const micros = (time: string) => `(extract(epoch from ${time}) * 1000000)::bigint`;
  const of_position = (position: string) =>
    `(select batch, recorded_at from batches where last_position >= ${position} order by last_position, batch limit 1)`;
  const rows = await queryable.query<Record<string, string | null>>({
    name: "feed_bucket_changes",
    text: `select changed.bucket, ${micros("own.recorded_at")} as recorded_us, ${
      micros("before.watermark")
    } as watermark_us,
             ${micros("event.occurred_at")} as occurred_us, ${micros("told.newest")} as told_us,
             ${micros("filled.recorded_at")} as filled_us
           from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) as changed(bucket, position, first, closes_s)
           cross join lateral ${of_position("changed.position")} own
           join batches before on before.batch = own.batch - 1
           join events event on event.position = changed.position
           cross join lateral (
             select max(other.occurred_at) as newest from events other
             where other.position >= changed.position and other.position < changed.position + ${MOST_OF_A_MESSAGE}
               and other.metadata->'offset' = event.metadata->'offset'
               and other.metadata->'partition' = event.metadata->'partition'
               and other.metadata->'topic' = event.metadata->'topic'
           ) told
           left join lateral ${of_position("changed.first")} filled on changed.first > 0
           where before.watermark >= to_timestamp(changed.closes_s) and not ${watermark_is_void("before")}`,
  }, [
    plain_array(asked.map(({ bucket }) => bucket)),
    plain_array(asked.map(({ position }) => position)),
    plain_array(asked.map(({ first }) => first)),
    plain_array(asked.map(({ closes_us }) => closes_us / 1e6)),
  ]);
  return new Map(
    rows.map((row) => [Number(row.bucket), {
      recorded_us: Number(row.recorded_us),
      watermark_us: Number(row.watermark_us),
      occurred_us: Number(row.occurred_us),
      told_us: Number(row.told_us ?? row.occurred_us),
      filled_us: row.filled_us === null || row.filled_us === undefined ? null : Number(row.filled_us),
    }]),
  );
}
