import { type Database } from "../../src/database/mod.ts";
import { count_held, type QuarantineFilter } from "../../src/event_log/mod.ts";
import {
  type DecodeLimits,
  type DecodeTerms,
  Retry,
  type RetryOptions,
  type SourceMessage,
  type TopicMappings,
} from "../../src/ingest/mod.ts";
import { system_clock } from "../../src/runtime/mod.ts";
import { whole_trip } from "./trip_events.ts";
import { LIMITS, message, READ_MS, trip_pipeline } from "./trip_pipeline.ts";

/** Read when nothing that `troubled_partitions` holds lies in the future, and with limits under which only what is broken is refused. */
export const RAISED: DecodeTerms = { ...LIMITS, read_ms: READ_MS + 86_400_000 };
/** Read at a time when completions lie in the future, and with messages beyond 400 bytes refused. */
export const LOW: DecodeTerms = { ...LIMITS, max_message_bytes: 400, read_ms: Date.UTC(2026, 2, 1, 9, 10) };

/** The last messages of each of `troubled_partitions` repeat earlier ones. */
export const REPEATED = 8;

/** Partitions of whole trips of which some messages lie in the future or are too large under `LOW`, some broken, and some of all these there twice. */
export function troubled_partitions(partitions: number, trips: number): SourceMessage[][] {
  return Array.from({ length: partitions }, (_, partition) => {
    const messages = Array.from({ length: trips }, (_, trip) => {
      const city = ["Boston", "Chicago", "New York"][trip % 3];
      return whole_trip(`T-${partition}-${trip}`, { city, ...trip % 4 === 1 ? { note: "x".repeat(400) } : {} });
    }).flat().map((event, i) => message(0, i % 11 === 5 ? "bad" : event));
    return [...messages, ...messages.slice(0, REPEATED)].map((each, offset) => ({ ...each, offset }));
  });
}

/** A retry of what is held now, in pages of a few messages. */
export async function make_retry(
  database: Database,
  terms: DecodeLimits & Partial<DecodeTerms>,
  options: Partial<Omit<RetryOptions, "database" | "pipeline">> = {},
  mappings: TopicMappings = new Map(),
) {
  const filter: QuarantineFilter = options.filter ?? {};
  const { newest_id } = await count_held(database, filter);
  return new Retry({ clock: system_clock, random: () => 0 }, {
    database,
    pipeline: trip_pipeline(database, () => terms.read_ms ?? READ_MS, terms, mappings),
    filter,
    newest_id,
    limit: Infinity,
    page: { messages: 5, bytes: 1 << 20 },
    dry_run: false,
    progress: () => {},
    ...options,
  });
}
