import type { Queryable } from "../database/mod.ts";
import { foldable_between } from "../event_log/mod.ts";
import { CellChanges, type Days, type Integer, type Micros } from "../kpi/mod.ts";
import type { FoldedStep, LogFold } from "../projection/mod.ts";
import { type ChangedStream, first_open, type Publication } from "./messages.ts";

/** What a stretch of the log changes in what is published: a function of the log alone, however often it is asked. */

/** A window that events of the stretch touched. */
export interface TouchedWindow {
  readonly bucket_us: number;
  readonly dimension: string;
  /** As contributions have it: by currency it begins with its code. */
  readonly key: string;
  /** The position of the last event that touched it. */
  readonly version: number;
  /** What was added to each of the publication's measures. */
  readonly added: readonly Integer[];
}

/** Windows that begin in [from_us, to_us): an event at the position closed them. */
export interface Closing extends Micros {
  readonly position: number;
}

/** What the events after a position up to another changed. */
export interface Gathered {
  readonly after: number;
  readonly through: number;
  /** The newest event time by then, microseconds; null before the first event. */
  readonly watermark_us: number | null;
  readonly windows: readonly TouchedWindow[];
  readonly closings: readonly Closing[];
  readonly streams: readonly ChangedStream[];
}

/** A place in the log that is gathered from. */
export interface Place {
  readonly position: number;
  readonly watermark_us: number | null;
}

/**
 * Gathers what the events after a place up to a position change.
 * @param fold has taken all events up to the place that it was given before, and none after
 */
export async function gather(
  reading: Queryable,
  { publication, days }: { readonly publication: Publication; readonly days: Days },
  fold: LogFold,
  from: Place,
  through: number,
): Promise<Gathered> {
  const { position: after } = from, changes = new CellChanges(publication.shape, days);
  const streams = new Map<string, ChangedStream>(), closings: Closing[] = [];
  let { watermark_us } = from;
  for await (const page of foldable_between(reading, after, through)) {
    const heard = ({ event, before, after: { keys }, state }: FoldedStep) => {
      const { stream_id, position, revision } = event;
      const known = streams.get(stream_id);
      const first = known === undefined ? before?.keys ?? null : known.before;
      streams.set(stream_id, { stream_id, before: first, keys, state, revision, position });
    };
    await fold.take(reading, page, changes, { before_first: after, heard });
    for (const { occurred_at_us, position } of page) {
      if (watermark_us !== null && occurred_at_us <= watermark_us) continue;
      // What the first event of all leaves behind was never open: it is told as closed when it comes.
      if (watermark_us !== null) {
        const from_us = first_open(watermark_us), to_us = first_open(occurred_at_us);
        if (to_us > from_us) closings.push({ from_us, to_us, position });
      }
      watermark_us = occurred_at_us;
    }
  }
  const at = publication.measures.map((name) => publication.shape.measures.findIndex((each) => each.name === name));
  const windows: TouchedWindow[] = [];
  for (const { bucket_us, dimension, key, change } of changes.cells()) {
    windows.push({
      bucket_us,
      dimension,
      key,
      version: after + change.last_ordinal,
      added: at.map((m) => change.sum(m)),
    });
  }
  return { after, through, watermark_us, windows, closings, streams: [...streams.values()] };
}
