import { trips_domain } from "../../src/domains/trips/mod.ts";
import { bench_stream } from "../support/bench_stream.ts";
import { type Database, migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { DEFAULT_H3_RESOLUTION, settle_deployment } from "../../src/event_log/mod.ts";
import {
  Cursors,
  Ingest,
  type MessageSource,
  Pipeline,
  type SourceBatch,
  type SourceMessage,
} from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import type { Logger } from "../../src/runtime/mod.ts";

/** The hot path in the bench's own process: a load that lies in memory, and the pipeline that takes it in. */

/** Messages of one batch, at most. */
export const BATCH = 20_000;
const TIME_ZONE = "America/New_York";
/** The program's clock: past the event times of every load. */
export const NOW_MS = Date.UTC(2026, 5, 1);

/**
 * The messages of the load, all bytes in one buffer: what a process holds that has them on the wire, so that the collector of garbage
 * does not walk over a load that no real process would keep as objects. 10,000 drivers, 200,000 passengers, 260 zones; a trip's completion comes
 * 5,000 trips after its start.
 * @param start_us of event time
 * @param prefix of the trips' ids
 * @param trips_per_second of event time
 * @param topic of which it is all: what a database has read of it is not read again
 */
export function load(
  trips: number,
  start_us: number,
  { prefix = "T-", topic = "trips", trips_per_second = 20 }: {
    readonly prefix?: string;
    readonly topic?: string;
    readonly trips_per_second?: number;
  } = {},
) {
  const ends: number[] = [];
  let bytes = new Uint8Array(1 << 20), used = 0;
  const encoder = new TextEncoder(), decoder = new TextDecoder();
  const stream = bench_stream({ trips, seed: 1, start_us, trips_per_second });
  for (const { value: sent } of stream) {
    const value = prefix === "T-" ? sent : encoder.encode(decoder.decode(sent).replace('"T-', `"${prefix}`));
    if (used + value.length > bytes.length) {
      const larger = new Uint8Array(bytes.length * 2);
      larger.set(bytes);
      bytes = larger;
    }
    bytes.set(value, used);
    ends.push(used += value.length);
  }
  const at = (offset: number): SourceMessage => ({
    topic: "trips",
    partition: 0,
    offset,
    key: null,
    value: bytes.subarray(offset === 0 ? 0 : ends[offset - 1], ends[offset]),
    headers: NO_HEADERS,
    timestamp_ms: NOW_MS,
  });
  return {
    count: ends.length,
    bytes: used,
    /** The batch that begins at an offset. */
    batch(from: number, most: number): SourceBatch {
      const to = Math.min(from + most, ends.length);
      const messages = Array.from({ length: to - from }, (_, i) => at(from + i));
      return { topic, partition: 0, from_offset: from, next_offset: to, messages };
    },
  };
}
export type Load = ReturnType<typeof load>;

/** A source that has everything already, in batches. */
function ready_source(all: Load, done: () => void): MessageSource {
  let at = 0, durable = 0;
  return {
    cluster_id: "bench",
    open: () => Promise.resolve(),
    take(limit, signal) {
      if (at >= all.count) {
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve([]), { once: true }));
      }
      const batch = all.batch(at, limit.messages);
      at = batch.next_offset;
      return Promise.resolve([batch]);
    },
    committed(cursors) {
      durable = cursors[0]!.next_offset;
      if (durable >= all.count) done();
    },
    rewind: () => at = durable,
    state: () => ({ state: "running", since_ms: 0, reason: null }),
    remarks: () => [],
    lag: () => all.count - durable,
    close: () => Promise.resolve(),
  };
}

const NO_HEADERS = {};
/** What the benches count by. */
export const domain = trips_domain({ currency: "USD", h3_resolution: DEFAULT_H3_RESOLUTION });
export const days = days_in(TIME_ZONE);
export const pipeline_on = (database: Database) =>
  new Pipeline({
    database,
    domain,
    days,
    limits: { future_limit_ms: 3_600_000, max_message_bytes: 1_048_576 },
    code_version: "bench",
    cache_streams: 60_000,
    now_ms: () => NOW_MS,
  });

/** A database that the program could begin with. @param forgettable whether persons have aliases in it */
export async function fresh(url: string, forgettable: boolean | null = null): Promise<Database> {
  const database = await open_database({ url, data_dir: null, connections: 4 });
  await migrate(database, migrations_of("trips"));
  await settle_deployment(database, { time_zone: TIME_ZONE, currency: "USD", forgettable });
  return database;
}

/** Decodes, plans and appends a load, as the program does. Throws unless all of it was admitted. */
export async function run_pipeline(database: Database, all: Load): Promise<void> {
  const stop = new AbortController();
  const logger: Logger = {
    log: (level, text, fields) => level === "debug" || console.error(`${level} ${text} ${JSON.stringify(fields)}`),
  };
  const ingest = new Ingest({ clock: { now_ms: () => performance.now() }, random: () => 0.5, logger }, {
    database,
    pipeline: pipeline_on(database),
    cursors: new Cursors(),
    source: ready_source(all, () => stop.abort()),
    batch_limit: { messages: BATCH, bytes: 8 << 20 },
    quarantine_per_minute: 1,
    committed: () => {},
  });
  await ingest.run(stop.signal);
  if (ingest.counts.admitted !== all.count) {
    throw new Error(`pipeline: admitted ${ingest.counts.admitted} of ${all.count}`);
  }
}
