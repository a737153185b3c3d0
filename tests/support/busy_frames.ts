import { cards_of, health_of, hello_of } from "./page_frames.ts";

/** Frames of a city in motion: a day's course over any window, the same each time, with a comparison and corrected buckets. */

/** The figure of a bucket: more by day than by night, with a little unrest. */
function course(t: number, most: number): number {
  const hour = (t / 3_600) % 24;
  const day = 0.55 - 0.4 * Math.cos((hour - 4) / 24 * 2 * Math.PI) + 0.12 * Math.sin(hour / 24 * 6 * Math.PI);
  const unrest = 0.5 + 0.5 * Math.sin(t / 60 * 12.9898) * Math.cos(t / 300 * 4.1414);
  return Math.round(most * day * (0.85 + 0.25 * unrest));
}

/** The series of [from_s, to_s): up to `known_s`, the newest bucket as far as it has come. `corrected` are indices of buckets. */
export function busy_series(from_s: number, to_s: number, step_s: number, known_s: number, corrected: number[] = []) {
  const t: number[] = [];
  for (let at = from_s; at < Math.min(to_s, known_s); at += step_s) t.push(at);
  const part = (at: number) => Math.min(1, (known_s - at) / step_s);
  const column = (most: number, shift_s = 0) => t.map((at) => Math.round(course(at + shift_s, most) * part(at)));
  const completed = column(40);
  return {
    t,
    trips: column(46, -600),
    requested: column(48, -900),
    started: column(42, -600),
    completed,
    canceled: column(9, 20_000),
    revenue: completed.map((count, i) => Math.round(count * (11.5 + (t[i]! / 60 % 7) / 3) * 100) / 100),
    fare_count: completed,
    distance_km: completed.map((count) => count * 4.2),
    average_waiting_min: t.map((_, i) => i % 20 === 7 ? null : 3 + (i % 9) / 4),
    revised_ms: t.map((at, i) => corrected.includes(i) ? (at + 2 * step_s + 660) * 1000 : 0),
  };
}

/** A hello of such a window; what `fields` has replaces its own. */
export function busy_hello_of(
  window: { from_s: number; to_s: number; step_s: number; now_s: number },
  fields: Record<string, unknown> = {},
) {
  const { from_s, to_s, step_s, now_s } = window;
  const now_ms = now_s * 1000;
  const corrected = [9, 10, 31];
  const series = busy_series(from_s, to_s, step_s, now_s, corrected);
  const t = busy_series(from_s, to_s, step_s, to_s).t;
  const then = t.map((at) => Math.round(course(at + 5_000, 36)));
  const total = series.completed.reduce((sum, n) => sum + n, 0);
  const row = (key: string | null, share: number) => ({
    key,
    trips: Math.round(total * share),
    revenue: Math.round(total * share * 13),
  });
  const rows = (keys: (string | null)[]) => keys.map((key, i) => row(key, 0.5 / (i + 1)));
  const panels: [string, (string | null)[]][] = [
    ["status", ["completed", "canceled", "in_progress", "requested"]],
    ["payment_method", ["credit card", "cash", "unknown"]],
    ["vehicle_type", ["yellow", "green"]],
    ["city", ["Manhattan", "Queens", "Brooklyn", "Bronx", "unknown"]],
    ["pickup_zone", ["Midtown Center", "Upper East Side South", "Clinton East", "Murray Hill", "Flatiron", null]],
    ["dropoff_zone", ["UN/Turtle Bay", "Astoria", "Hudson Sq", "Yorkville West", "West Village", null]],
  ];
  return hello_of({
    now_ms,
    from_s,
    to_s,
    step_s,
    range: "6h",
    grain: "5m",
    time_zone: "America/New_York",
    series,
    compared_series: { name: "weekday", shift_s: 604_800, t, completed: then, revenue: then.map((n) => n * 12.6) },
    cards: { ...cards_of(total), revenue: series.revenue.reduce((sum, n) => sum + n, 0) },
    breakdowns: panels.map(([dimension, keys]) => ({ dimension, total_keys: keys.length, rows: rows(keys) })),
    trips: Array.from({ length: 20 }, (_, i) => ({
      trip_id: `trip-${i}`,
      status: i % 7 === 3 ? "canceled" : "completed",
      at_ms: now_ms - i * 23_000,
      city: "Manhattan",
      vehicle_type: "yellow",
      payment_method: "cash",
      pickup_zone: ["Lenox Hill West", "Murray Hill", "Alphabet City", "Hudson Sq"][i % 4],
      dropoff_zone: ["Flatiron", "Astoria", "Yorkville West"][i % 3],
      distance_km: 1 + (i * 7) % 12 / 2,
      duration_min: 12,
      fare: 6 + (i * 5) % 17,
      position: 100 - i,
    })),
    health: health_of({
      recorded_ms: now_ms - 400,
      ingest: { since_ms: now_ms },
      database: { ok: true, since_ms: now_ms, reason: null },
    }),
    newest_event_ms: now_ms - 1_000,
    ...fields,
  });
}
