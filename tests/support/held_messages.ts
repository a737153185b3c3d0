import { type Database } from "../../src/database/mod.ts";
import { count_held, type QuarantineFilter } from "../../src/event_log/mod.ts";
import {
  type DecodeLimits,
  Retry,
  type RetryOptions,
  type SourceMessage,
  type TopicMappings,
} from "../../src/ingest/mod.ts";
import { whole_trip } from "./trip_events.ts";
import { LIMITS, message, trip_pipeline } from "./trip_pipeline.ts";

/** Limits under which nothing that `troubled_partitions` holds is refused but what is broken. */
export const RAISED: DecodeLimits = { future_limit_ms: 365 * 86_400_000, max_message_bytes: LIMITS.max_message_bytes };
/** Limits under which messages of the future and messages beyond 400 bytes are refused. */
export const LOW: DecodeLimits = { future_limit_ms: 3_600_000, max_message_bytes: 400 };

const BEFORE = Date.UTC(2026, 2, 1, 8);

/** The last messages of each of `troubled_partitions` repeat earlier ones. */
export const REPEATED = 8;

/** Partitions of whole trips of which some messages are too early or too large under `LOW`, some broken, and some of all these there twice. */
export function troubled_partitions(partitions: number, trips: number): SourceMessage[][] {
  return Array.from({ length: partitions }, (_, partition) => {
    const messages = Array.from({ length: trips }, (_, trip) => {
      const city = ["Boston", "Chicago", "New York"][trip % 3];
      return whole_trip(`T-${partition}-${trip}`, { city, ...trip % 4 === 1 ? { note: "x".repeat(400) } : {} });
    }).flat().map((event, i) => message(0, i % 11 === 5 ? "bad" : event, i % 3 === 2 ? BEFORE : undefined));
    return [...messages, ...messages.slice(0, REPEATED)].map((each, offset) => ({ ...each, offset }));
  });
}

/** A retry of what is held now, in pages of a few messages. */
export async function make_retry(
  database: Database,
  limits: DecodeLimits,
  options: Partial<Omit<RetryOptions<never, never>, "database" | "pipeline">> = {},
  mappings: TopicMappings = new Map(),
) {
  const filter: QuarantineFilter = options.filter ?? {};
  const { newest_id } = await count_held(database, filter);
  return new Retry({
    database,
    pipeline: trip_pipeline(database, undefined, limits, mappings),
    filter,
    newest_id,
    limit: Infinity,
    page: { messages: 5, bytes: 1 << 20 },
    dry_run: false,
    random: () => 0,
    progress: () => {},
    ...options,
  });
}
