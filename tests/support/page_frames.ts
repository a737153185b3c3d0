import { declaration_of } from "../../src/domains/mod.ts";
import { trips_board } from "./trip_board.ts";

/** Frames as the feed sends them, for tests of the page's modules. */

/** 2026-03-01T12:00:20Z, the clock of these frames, milliseconds. */
export const NOW = Date.UTC(2026, 2, 1, 12, 0, 20);

/** What the page is told of the board of trips. */
export const DECLARED = declaration_of(trips_board);

type Fields = Record<string, unknown>;

const MEASURES = ["trips", "requested", "started", "completed", "canceled", "revenue", "fare_count", "distance_km"];

function series_of(t: number[], value: number): Record<string, number[]> {
  return { t, ...Object.fromEntries(MEASURES.map((name) => [name, t.map(() => value)])) };
}

/** A health in which all is well; `fields` replace its own, those of `ingest` one by one. */
export function health_of({ ingest = {}, ...fields }: { ingest?: Fields } & Fields = {}) {
  return {
    ingest: { state: "running", reason: null, since_ms: NOW, source: "kafka", ...ingest },
    database: { ok: true, since_ms: NOW, reason: null },
    recorded_ms: NOW - 400,
    lag: 0,
    events_per_s: 10,
    late: 0,
    duplicates: 0,
    quarantined: 0,
    position: 10,
    ...fields,
  };
}

/** Cards of `completed` trips. */
export function cards_of(completed: number) {
  return {
    trips: completed + 2,
    in_progress: 1,
    requested_now: 1,
    completed,
    canceled: 0,
    fare_count: completed,
    revenue: completed * 12.5,
    average_fare: completed === 0 ? null : 12.5,
    min_fare: completed === 0 ? null : 10,
    max_fare: completed === 0 ? null : 15,
    average_distance_km: completed === 0 ? null : 4.2,
    average_duration_min: completed === 0 ? null : 14,
    waiting_count: completed,
    average_waiting_min: completed === 0 ? null : 4.25,
    tips: 0,
    conflicts: 0,
  };
}

/** A hello of the last 15 minutes with one bucket a minute ago; `empty_series` is a series without buckets. */
export function hello_of(fields: Fields = {}) {
  const minute_s = Math.floor(NOW / 60_000) * 60;
  return {
    log_id: "log",
    position: 10,
    now_ms: NOW,
    build: "one",
    declared: DECLARED,
    range: "15m",
    grain: "1m",
    step_s: 60,
    from_s: minute_s - 840,
    to_s: minute_s + 60,
    following: true,
    time_zone: "UTC",
    currency: "USD",
    series: series_of([minute_s - 60], 5),
    empty_series: series_of([], 0),
    cards: cards_of(5),
    breakdowns: [],
    trips: [],
    health: health_of(),
    newest_event_ms: NOW - 1_000,
    ...fields,
  };
}

/** A kpi frame that changes the running bucket. */
export function kpi_of({ position, completed }: { position: number; completed: number }) {
  const minute_s = Math.floor(NOW / 60_000) * 60;
  const { from_s, to_s, breakdowns, health, newest_event_ms } = hello_of();
  const series = series_of([minute_s], completed);
  return {
    position,
    now_ms: NOW,
    from_s,
    to_s,
    series,
    cards: cards_of(completed),
    breakdowns,
    health,
    newest_event_ms,
  };
}
