import type { Queryable } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { watermark_is_void } from "./set_watermark_back.ts";

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
    watermark_us: row.watermark_us === null ? null : Number(row.watermark_us),
  };
}
