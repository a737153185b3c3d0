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
import { format_time, local_time } from "../kpi/mod.ts";
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
 * The clock that a generator follows, microseconds: from `start_us` on `speed` times as fast as the real one until it has reached that, then with it.
 * Never ahead of it: brokers and tacho refuse what is far in the future. With infinite speed it is the real one.
 */
export function event_clock(start_us: number, speed: number, now_ms: () => number): () => number {
  const began_ms = now_ms();
  return () => {
    const now = now_ms();
    const passed_us = speed === Infinity ? Infinity : (now - began_ms) * 1_000 * speed;
    return Math.min(now * 1_000, start_us + passed_us);
  };
}

/**
 * Lets a city live: what is due by the clock goes to the sink, what is due already as fast as the sink takes it.
 * @param options.limit messages after which it ends
 * @param options.now_us the clock it follows; the real one unless given
 * @returns how many were sent
 */
export async function run_generator(
  stream: TripStream,
  sink: Sink,
  signal: AbortSignal,
  { limit = Infinity, now_us = () => system_clock.now_ms() * 1_000 }: {
    readonly limit?: number;
    readonly now_us?: () => number;
  } = {},
): Promise<number> {
  let sent = 0;
  while (!signal.aborted && sent < limit) {
    const due = stream.take_due(now_us(), Math.min(SLICE, limit - sent));
    if (due.length > 0) await sink(due);
    sent += due.length;
    if (due.length < SLICE && sent < limit) await wait(TICK_MS, signal).catch(() => {});
  }
  return sent;
}

/** What a generated city follows from. */
export interface CityPlan {
  readonly seed: number;
  readonly rate: number;
  /** The business time zone: its rush hours are the city's. */
  readonly time_zone: string;
  readonly start_us: number;
}

/** A city with about as many drivers as the rate keeps busy, whose clocks stand as those of the time zone at noon of the first day. */
export function city_for({ seed, rate, time_zone, start_us }: CityPlan): City {
  const noon = `${format_time(start_us).slice(0, 10)}T12:00:00`;
  const noon_us = Date.parse(`${noon}Z`) * 1_000;
  const utc_offset_min = Math.round((noon_us - (local_time(noon, time_zone) ?? noon_us)) / 60_000_000);
  return make_city({ seed, drivers: Math.min(20_000, Math.max(400, Math.ceil(rate * 15_000))), utc_offset_min });
}

/**
 * The ids of generated trips, as a regular expression of both JavaScript and PostgreSQL: a run's prefix, which is a time of 2024 or later
 * (`run_prefix`) or a hash (`prefix_of`), in base 36 and with a letter, and the trip's number.
 */
export const GENERATED_TRIP_ID = "^T(?=[0-9]*[A-Z])([S-Z][0-9A-Z]{5}|1[0-9A-Z]{6}|[0-9A-Z]{8})-[0-9]+$";

/**
 * A trip of the log that no generator made; null when there is none. Reads all ids where all are generated.
 * @param topic what is in quarantine of this topic counts too: the generator's messages never get there
 */
export async function foreign_trip(database: Database, topic: string | null = null): Promise<string | null> {
  const [row] = await database.query(
    `(select trip_id as id from trips where trip_id !~ $1 limit 1) union all
    (select coalesce(encode(substring(message_key from 1 for 100), 'escape'), 'a message without key') from quarantine
      where topic = $2 and (message_key is null or encode(message_key, 'escape') !~ $1) limit 1) limit 1`,
    [GENERATED_TRIP_ID, topic],
  );
  return row === undefined ? null : String(row.id);
}

/** A prefix for trip ids that no earlier run used: the time of its start. */
export const run_prefix = (now_ms: number): string => `T${Math.floor(now_ms / 1000).toString(36).toUpperCase()}-`;

/**
 * A prefix for trip ids that follows from everything its trips follow from, and from nothing else: the same run again sends the same events, another one
 * shares no trip with it. Late, duplicate and malformed messages are laid over the same trips.
 */
export async function prefix_of(trips: TripStreamOptions & { readonly time_zone: string }): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(trips)));
  return `T${new DataView(digest).getBigUint64(0).toString(36).toUpperCase().slice(-8).padStart(8, "0")}-`;
}

/**
 * The stream that goes on where the log ends: open trips are finished, the time since then (at most `history_hours`) is filled.
 */
export async function continue_stream(
  database: Database,
  options: Omit<CityPlan, "start_us"> & { readonly currency: string; readonly history_hours: number },
): Promise<TripStream> {
  const now_ms = system_clock.now_ms();
  const earliest_us = (now_ms - options.history_hours * 3_600_000) * 1000;
  const { watermark_us } = await read_head(database);
  const { seed, rate, currency } = options;
  const start_us = Math.floor(Math.max(earliest_us, Math.min(watermark_us ?? earliest_us, now_ms * 1000)));
  return new TripStream(city_for({ ...options, start_us }), {
    seed,
    rate,
    currency,
    start_us,
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
