import { type Database, migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { type CursorAdvance, DEFAULT_H3_RESOLUTION, settle_deployment } from "../../src/event_log/mod.ts";
import {
  Cursors,
  type DecodeLimits,
  type DecodeTerms,
  Pipeline,
  type SourceBatch,
  type SourceMessage,
  type TopicMappings,
} from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import type { Template } from "./postgres.ts";

/** What the tests of the log and the read models share: a migrated database and the trips pipeline on it, without a source. */

export const TEST_TIME_ZONE = "America/New_York";
/** Trips as the deployment of the `migrated` template counts them. */
export const TEST_DOMAIN = trips_domain({ currency: "USD", h3_resolution: DEFAULT_H3_RESOLUTION });
export const LIMITS = { future_limit_ms: 3_600_000, max_message_bytes: 1_048_576 };
/** When the pipeline reads, unless a test gives it a clock. */
export const READ_MS = Date.UTC(2026, 2, 1, 12);
export const TERMS: DecodeTerms = { ...LIMITS, read_ms: READ_MS };

/** Databases that are cloned from this one begin migrated. */
export const migrated: Template = {
  name: "migrated",
  async prepare(url) {
    const database = await open_database({ url, data_dir: null, connections: 1 });
    await migrate(database, migrations_of("trips"));
    await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
    await database.close();
  },
};

/** The trips pipeline on a migrated database. */
export function trip_pipeline(
  database: Database,
  now_ms: () => number = () => READ_MS,
  limits: DecodeLimits = LIMITS,
  mappings: TopicMappings = new Map(),
  time_zone = TEST_TIME_ZONE,
) {
  return new Pipeline({
    database,
    domain: TEST_DOMAIN,
    days: days_in(time_zone),
    limits,
    mappings,
    code_version: "test",
    cache_streams: 50_000,
    now_ms,
  });
}

const encoder = new TextEncoder();

/** A source message with a JSON value (or raw text), at an offset of partition 0 of `trips`. */
export function message(offset: number, value: unknown, timestamp_ms = READ_MS): SourceMessage {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return { topic: "trips", partition: 0, offset, key: null, value: encoder.encode(text), headers: {}, timestamp_ms };
}

/** A batch whose messages lie where it does, wherever they were made. */
export const placed = (batch: SourceBatch): SourceBatch => {
  const { topic, partition, messages } = batch;
  return { ...batch, messages: messages.map((each) => ({ ...each, topic, partition })) };
};

/** Feeds batches through a pipeline one after another, as the ingest loop would, cursors included. */
export async function feed(
  pipeline: ReturnType<typeof trip_pipeline>,
  batches: readonly SourceBatch[],
  cursors: Cursors = new Cursors(),
): Promise<void> {
  for (const batch of batches) {
    const claimed = cursors.claim([placed(batch)]);
    if (claimed === null || claimed.advances.length === 0) continue;
    const planned = await pipeline.plan(claimed.fresh, claimed.advances, "test");
    await pipeline.append(planned);
    cursors.commit(claimed.advances as CursorAdvance[]);
  }
}
