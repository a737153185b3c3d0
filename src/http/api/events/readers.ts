import { z } from "@hono/zod-openapi";
import type { Database, Queryable } from "../../../database/mod.ts";
import { type Head, read_after, read_head, type RecordedEvent } from "../../../event_log/mod.ts";
import { wait, type WakeUp } from "../../../runtime/mod.ts";
import { Busy, read_only, SharedReading } from "../../reading.ts";
import { format_time } from "../../../kpi/mod.ts";

/** How the log of a program that serves tells of what is appended. */
export interface LogChanges {
  /** Rings when this program has appended something. */
  readonly appended: WakeUp;
  /** Aborted when the program ends. */
  readonly ending: AbortSignal;
}

/** Where a reader of the log goes on, and what it wants. */
export interface EventPlace {
  readonly after: number;
  /** Types of events; null: all. */
  readonly types: readonly string[] | null;
  /** At most so many, and bytes of them as PostgreSQL keeps them. */
  readonly limit: number;
  readonly bytes: number;
}

/** Events from a place on, each as JSON, and where to go on. */
export interface EventPage {
  readonly events: readonly { readonly position: number; readonly json: string }[];
  /** Up to here there are no others. */
  readonly through: number;
  readonly head: Head;
}

export const EVENT_LIMITS = {
  /** Readers that wait or are streamed to, of one domain. */
  readers: 100,
  /** Bytes of a page, and of a piece of a stream: what a reader that does not take it holds in memory. */
  page_bytes: 1 << 20,
  piece_bytes: 128 << 10,
  /** Positions that are looked through for a page of some types. */
  looked_through: 20_000,
  /** Other programs append too, and ring nothing here: after so long it is looked again. */
  look_ms: 1_000,
  /** A stream says so often how far it has come, and is ended when what it sent is not taken for so long. */
  beat_ms: 15_000,
  stalled_ms: 60_000,
};
export type EventLimits = typeof EVENT_LIMITS;

/**
 * Reads the log for those who follow it. However many they are, the database is asked one thing at a time, and equal questions once: readers
 * that are up to date cost one look a second and one page a batch. Between pages a reader holds nothing but its place.
 */
export class EventReaders {
  readonly #pages: SharedReading<EventPlace, EventPage>;
  readonly #heads: SharedReading<null, Head>;
  #inside = 0;

  constructor(database: Database, readonly changes: LogChanges, readonly limits: EventLimits = EVENT_LIMITS) {
    this.#pages = new SharedReading((places) => read_only(database, (reading) => this.#read(reading, places)));
    this.#heads = new SharedReading(async () => [await read_head(database)]);
  }

  /** Takes a reader in; gives what lets it go, or null when there are too many. */
  enter(): (() => void) | null {
    if (this.#inside >= this.limits.readers || this.changes.ending.aborted) return null;
    this.#inside++;
    let left = false;
    return () => {
      if (!left) this.#inside--;
      left = true;
    };
  }

  /** The events from a place on that there are by now. */
  read(place: EventPlace): Promise<EventPage> {
    return this.#pages.ask(JSON.stringify([place.after, place.limit, place.bytes, place.types]), place);
  }

  /** Up to where the log goes, and its id. */
  head(): Promise<Head> {
    return this.#heads.ask("", null);
  }

  /**
   * Reads from a place on, and waits while there is nothing: for so long, or until the signal is aborted. Where the log has gone on by other
   * events than those wanted, the page says how far.
   */
  async follow(place: EventPlace, most_ms: number, signal: AbortSignal): Promise<EventPage> {
    const until_ms = performance.now() + most_ms;
    let page = await this.#patiently(() => this.read(place), signal);
    while (page.events.length === 0 && !signal.aborted) {
      const left_ms = until_ms - performance.now();
      if (left_ms <= 0) break;
      const { through } = page;
      if (through >= page.head.position) {
        // What rang while it was read is seen a look later.
        await this.changes.appended.next(signal, Math.min(left_ms, this.limits.look_ms));
        if (signal.aborted || (await this.#patiently(() => this.head(), signal)).position <= through) continue;
      }
      page = await this.#patiently(() => this.read({ ...place, after: through }), signal);
    }
    return page;
  }

  /** Who follows has time: where too many ask at once it asks again. */
  async #patiently<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let tries = 1;; tries++) {
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof Busy) || tries === 5) throw error;
        await wait(this.limits.look_ms, signal).catch(() => {
          throw error;
        });
      }
    }
  }

  async #read(reading: Queryable, places: readonly EventPlace[]): Promise<EventPage[]> {
    const head = await read_head(reading), pages: EventPage[] = [];
    for (const { after, types, limit, bytes } of places) {
      const last = types === null ? head.position : Math.min(head.position, after + this.limits.looked_through);
      const { events, through } = await read_after(reading, { after, last, types, limit, bytes });
      const told = events.map((event) => ({ position: event.position, json: event_json(event) }));
      pages.push({ events: told, through, head });
    }
    return pages;
  }
}

/** A recorded event as the API gives it. */
export const EVENT = z.object({
  position: z.number(),
  stream_id: z.string(),
  revision: z.number(),
  event_id: z.string(),
  type: z.string(),
  schema_version: z.number(),
  occurred_at: z.string(),
  recorded_at: z.string(),
  data: z.record(z.string(), z.unknown()),
  metadata: z.record(z.string(), z.unknown()),
}).openapi("RecordedEvent");

/**
 * Writes an event as JSON. Data and metadata go through as the log has them: parsing would round long numbers.
 * @param position where it is said to be in the log; null: in none
 */
export function event_json(event: RecordedEvent, position: number | null = event.position): string {
  const { stream_id, revision, event_id, type, schema_version } = event;
  const occurred_at = format_time(event.occurred_at_us), recorded_at = format_time(event.recorded_at_us);
  const plain = { position, stream_id, revision, event_id, type, schema_version, occurred_at, recorded_at };
  return `${JSON.stringify(plain).slice(0, -1)},"data":${event.data},"metadata":${event.metadata}}`;
}
