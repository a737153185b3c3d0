import type { Database } from "../database/mod.ts";
import {
  type City,
  make_city,
  type OpenTrip,
  type TripMessage,
  TripStream,
  type TripStreamOptions,
} from "../domains/trips/generator/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { system_clock, wait } from "../runtime/mod.ts";

/** Where generated messages go, in order; resolves when there is room for more. */
export type Sink = (messages: readonly TripMessage[]) => Promise<void>;

const encoder = new TextEncoder();

/** Generated messages as bytes, with the time they are sent as the broker's. */
export const as_bytes = (messages: readonly TripMessage[]) =>
  messages.map(({ key, value, deliver_us }) => ({
    key: encoder.encode(key),
    value: encoder.encode(value),
    timestamp_ms: Math.floor(deliver_us / 1000),
  }));

const SLICE = 1_000;
const TICK_MS = 100;

/**
 * Lets a city live: what is due by the clock goes to the sink, the past as fast as the sink takes it.
 * @param limit messages after which it ends
 * @returns how many were sent
 */
export async function run_generator(
  stream: TripStream,
  sink: Sink,
  signal: AbortSignal,
  limit = Infinity,
): Promise<number> {
  let sent = 0;
  while (!signal.aborted && sent < limit) {
    const due = stream.take_due(system_clock.now_ms() * 1000, Math.min(SLICE, limit - sent));
    if (due.length > 0) await sink(due);
    sent += due.length;
    if (due.length < SLICE && sent < limit) await wait(TICK_MS, signal).catch(() => {});
  }
  return sent;
}

/** A city with about as many drivers as the rate keeps busy. */
export function city_for({ seed, rate }: { readonly seed: number; readonly rate: number }): City {
  return make_city({ seed, drivers: Math.min(20_000, Math.max(400, Math.ceil(rate * 15_000))) });
}

/** A prefix for trip ids that no earlier run used: the time of its start. */
export const run_prefix = (now_ms: number): string => `T${Math.floor(now_ms / 1000).toString(36).toUpperCase()}-`;

/**
 * The stream that goes on where the log ends: open trips are finished, the time since then (at most `history_hours`) is filled.
 */
export async function continue_stream(
  database: Database,
  options: Pick<TripStreamOptions, "seed" | "rate" | "currency"> & { readonly history_hours: number },
): Promise<TripStream> {
  const now_ms = system_clock.now_ms();
  const earliest_us = (now_ms - options.history_hours * 3_600_000) * 1000;
  const { watermark_us } = await read_head(database);
  const { history_hours: _, ...rest } = options;
  return new TripStream(city_for(options), {
    ...rest,
    start_us: Math.floor(Math.max(earliest_us, Math.min(watermark_us ?? earliest_us, now_ms * 1000))),
    trip_prefix: run_prefix(now_ms),
    open: await open_trips(database),
    late: 0.01,
    duplicates: 0.005,
  });
}

const MOST_OPEN = 10_000;

async function open_trips(database: Database): Promise<OpenTrip[]> {
  const rows = await database.query(
    `select trip_id, status, (extract(epoch from requested_at) * 1000000)::bigint as requested_us,
      (extract(epoch from started_at) * 1000000)::bigint as started_us, city, vehicle_type, driver_id, passenger_id, pickup_zone
    from trips where status in ('requested', 'in_progress') order by last_occurred_at desc limit ${MOST_OPEN}`,
  );
  const text = (value: unknown): string | null => typeof value === "string" ? value : null;
  const time = (value: unknown): number | null => value === null ? null : Number(value);
  return rows.map((row) => ({
    trip_id: String(row.trip_id),
    status: row.status === "requested" ? "requested" : "in_progress",
    requested_us: time(row.requested_us),
    started_us: time(row.started_us),
    city: text(row.city),
    vehicle_type: text(row.vehicle_type),
    driver_id: text(row.driver_id),
    passenger_id: text(row.passenger_id),
    pickup_zone: text(row.pickup_zone),
  }));
}
