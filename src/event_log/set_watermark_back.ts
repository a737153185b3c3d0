import { type Database, type Queryable } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { record_decision } from "./decision.ts";

/**
 * The watermark: how far event time has come. An event of a wrong clock that was admitted moves it years ahead, and closes every window
 * before: all that comes is late then. The event stays, the log is append-only; the watermark is set back, on record.
 */

/** Whether the watermark of a batch is not believed any more, as SQL; `batch` names its row. */
export const watermark_is_void = (batch: string): string =>
  `exists (select from batches decision where decision.kind = 'watermark_set_back' and decision.batch > ${batch}.batch
    and (decision.note->>'since_batch')::bigint <= ${batch}.batch)`;

/** A watermark that lies too far ahead, and what is known of it. Times in microseconds. */
export interface SpoiltWatermark {
  readonly from_us: number;
  /** The greatest event time of the log that is believed; null: there is none. */
  readonly to_us: number | null;
  /** Event times later than this are not believed. */
  readonly latest_us: number;
  /** The first batch that says a watermark which is not believed. */
  readonly since_batch: number;
  /** How many events are not believed. They stay in the log. */
  readonly events: number;
}

/** Who sets the watermark back, and why. */
export interface SetBack {
  readonly latest_us: number;
  readonly by: string;
  readonly reason: string;
}

/** The greatest believed event time behind a position, and how many events are not believed there. */
async function read_events(queryable: Queryable, after: number, latest_us: number) {
  const [row] = await queryable.query<{ to_us: string | null; beyond: string }>(
    `select (extract(epoch from max(occurred_at) filter (where occurred_at <= $2::timestamptz)) * 1000000)::bigint as to_us,
       count(*) filter (where occurred_at > $2::timestamptz) as beyond
     from events where position > $1`,
    [after, format_time(latest_us)],
  );
  return {
    to_us: row?.to_us === null || row === undefined ? null : Number(row.to_us),
    events: Number(row?.beyond ?? 0),
  };
}

const later = (a: number | null, b: number | null): number | null => a === null || (b !== null && b > a) ? b : a;

/**
 * Looks whether the watermark lies later than is believed: null when it does not. Reads the events since the batch that spoilt it.
 * @param read_to the position up to which that has been looked at, with what was found
 */
export async function spoilt_watermark(
  queryable: Queryable,
  latest_us: number,
  read_to: { readonly position: number; readonly found: SpoiltWatermark } | null = null,
): Promise<SpoiltWatermark | null> {
  const [head] = await queryable.query<{ from_us: string }>(
    `select (extract(epoch from watermark) * 1000000)::bigint as from_us from log_head where watermark > $1::timestamptz`,
    [format_time(latest_us)],
  );
  if (head === undefined) return null;
  const from_us = Number(head.from_us);
  if (read_to !== null) {
    const { found } = read_to;
    const { to_us, events } = await read_events(queryable, read_to.position, latest_us);
    return { ...found, from_us, to_us: later(found.to_us, to_us), events: found.events + events };
  }
  const [spoilt] = await queryable.query<{ batch: string; after: string; before_us: string | null }>(
    `select own.batch, own.first_position - 1 as after, (extract(epoch from before.watermark) * 1000000)::bigint as before_us
     from batches own left join batches before on before.batch = own.batch - 1
     where own.watermark > $1::timestamptz and not ${watermark_is_void("own")} order by own.batch limit 1`,
    [format_time(latest_us)],
  );
  // Batches from before they kept watermarks do not say how far event time had come: then all events are asked.
  const { batch = "1", after = "0", before_us = null } = spoilt ?? {};
  const known_us = before_us === null ? null : Number(before_us);
  const { to_us, events } = await read_events(queryable, known_us === null ? 0 : Number(after), latest_us);
  return { from_us, to_us: later(known_us, to_us), latest_us, since_batch: Number(batch), events };
}

/**
 * Sets the watermark back to the greatest event time that is believed, and records who did, when and why as a batch of its own in the
 * hash chain. Appenders wait while the events are read that came since the first look; running programs take it over with their next
 * batch.
 * @returns what was done and the number of the batch; null when the watermark is believed: nothing is written then
 */
export async function set_watermark_back(
  database: Database,
  { latest_us, by, reason }: SetBack,
  recorded_at_us: number,
): Promise<SpoiltWatermark & { readonly batch: number } | null> {
  // The long look is taken before the head is locked.
  const [head] = await database.query<{ position: string }>("select position from log_head");
  const first = await spoilt_watermark(database, latest_us);
  if (first === null || head === undefined) return null;
  return await database.transaction(async (tx) => {
    await tx.query("select 1 from log_head for update");
    const found = await spoilt_watermark(tx, latest_us, { position: Number(head.position), found: first });
    if (found === null) return null;
    const { from_us, to_us, since_batch, events } = found;
    const to = to_us === null ? null : format_time(to_us);
    await tx.execute("update log_head set watermark = $1::timestamptz", [to]);
    const note = { by, events, from: format_time(from_us), not_after: format_time(latest_us), reason, since_batch, to };
    const batch = await record_decision(tx, { kind: "watermark_set_back", cursors: [], note }, recorded_at_us);
    return { ...found, batch };
  });
}
