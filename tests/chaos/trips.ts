import { make_city, TripStream } from "../../src/domains/trips/generator/mod.ts";
import { type JsonObject, malform } from "../../src/domains/generator/mod.ts";
import { BREAKABLE } from "../../src/domains/trips/generator/ride.ts";
import { compare_with_database, new_reading, start_oracle } from "../support/oracle/mod.ts";
import type { ChaosDomain, Truth } from "./domains.ts";
import { type Messages, START_US, TIME_ZONE } from "./load.ts";

/** One city's trips, with the generator's anomalies. */
export function trip_messages(seed: number): Messages {
  const options = { seed, start_us: START_US, rate: 1, anomalies: true };
  const stream = new TripStream(make_city({ seed, drivers: 400 }), options);
  return {
    take: () => stream.take(),
    refused: { currency: "EUR" },
    malformed: (message, word) => malform(message as JsonObject, word, BREAKABLE),
  };
}

function start_truth(): Truth {
  const oracle = start_oracle({
    currency: "USD",
    time_zone: TIME_ZONE,
    future_limit_ms: 3_600_000,
    read_ms: Date.now(),
    max_message_bytes: 1_048_576,
  });
  const reading = new_reading();
  return {
    take: (message) => oracle.take(message),
    async compare(query, ends) {
      const concluded = oracle.conclude();
      const partition_ends = concluded.partition_ends.map((end) => ({
        ...end,
        next_offset: BigInt(ends.get(end.partition) ?? end.next_offset),
      }));
      const differences = await compare_with_database(query, { ...concluded, partition_ends }, reading);
      return {
        differences,
        counts: {
          messages: concluded.messages_read,
          events: concluded.admitted_count,
          duplicates: concluded.duplicates,
          quarantined: concluded.quarantined.length,
          streams: concluded.trips.size,
          cells: concluded.cells.size,
        },
      };
    },
  };
}

export const TRIPS: ChaosDomain = {
  name: "trips",
  schema: null,
  topics_variable: "TACHO_TOPICS",
  group_of: (group) => group,
  tables: ["source_cursors", "trips", "trip_cells", "trip_totals", "trip_sketches", "batches"],
  foreign: [
    { name: "log_head locked", statement: "select 1 from log_head for update", brief: true },
    {
      name: "open trips locked",
      statement: "select 1 from trips where status in ('requested', 'in_progress') order by trip_id for update",
      brief: true,
    },
    { name: "trips locked", statement: "lock table trips in access exclusive mode", brief: true },
    { name: "cells locked", statement: "lock table trip_cells in exclusive mode", brief: true },
    { name: "cursors locked", statement: "select 1 from source_cursors for update", brief: true },
    {
      name: "an old snapshot",
      statement: "set transaction isolation level repeatable read; select count(*) from events",
      brief: false,
    },
  ],
  messages: trip_messages,
  rolled_back: (id, occurred_at) => ({
    event_id: id,
    trip_id: id,
    type: "trip.completed",
    occurred_at,
    fare: "1000.00",
  }),
  start_truth,
};
