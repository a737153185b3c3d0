/** Trips that are made from their number, and what a feed says of them: frames for a page that has no server behind it. Pure. */

/** A trip, as far as the figures of a board need it. */
export interface MadeTrip {
  readonly id: string;
  readonly at_s: number;
  readonly position: number;
  readonly fare: number;
  readonly km: number;
  readonly minutes: number;
  readonly keys: Readonly<Record<string, string>>;
}

/** What is looked at: the parameters of a view, as the address of the feed has them. */
export interface MadeView {
  readonly from_s: number;
  readonly to_s: number;
  readonly step_s: number;
  readonly following: boolean;
  readonly range: string;
  readonly filter: readonly {
    readonly dimension: string;
    readonly keys: readonly string[];
    readonly excluded: boolean;
  }[];
}

const STEPS: Readonly<Record<string, number>> = { "1m": 60, "5m": 300, "15m": 900, "1h": 3_600 };
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  "15m": [900, 60],
  "1h": [3_600, 60],
  "6h": [21_600, 300],
  "24h": [86_400, 300],
  "7d": [604_800, 3_600],
  "30d": [2_592_000, 3_600],
  "5m": [300, 60],
};
const DIMENSIONS = ["status", "payment_method", "vehicle_type", "city", "pickup_zone", "dropoff_zone", "driver"];
const ZONES = [
  "Midtown Center",
  "Upper East Side South",
  "Penn Station/Madison Sq West",
  "Clinton East",
  "Midtown East",
  "Upper East Side North",
  "Times Sq/Theatre District",
  "Murray Hill",
  "Lenox Hill West",
  "LaGuardia Airport",
  "East Village",
  "unknown",
];
const WEEK_S = 604_800;

/** A number in [0, 1) that is the same for the same seeds. */
function chance(seed: number, salt: number): number {
  let x = Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(salt + 7, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

/** One of some, the first ones more often. */
function one_of(names: readonly string[], at: number): string {
  return names[Math.floor(at * at * names.length)] ?? "unknown";
}

/** The trip with a number, at a time. */
export function made_trip(number: number, at_s: number, status?: string): MadeTrip {
  const roll = (salt: number) => chance(number, salt);
  const state = status ?? (roll(1) < 0.05 ? "canceled" : "completed");
  const km = Math.round(50 + 1_200 * roll(2) ** 3) / 50;
  return {
    id: `trip-${String(number).padStart(6, "0")}`,
    at_s,
    position: number * 2,
    km,
    minutes: Math.round(30 * (3 + km * 2.2 * (0.6 + roll(3)))) / 30,
    fare: Math.round(2 * (2.5 + km * (2 + roll(4)))) / 2,
    keys: {
      status: state,
      payment_method: one_of(["card", "cash", "app", "unknown"], roll(5)),
      vehicle_type: one_of(["sedan", "suv", "van"], roll(6)),
      city: one_of(["Manhattan", "Queens", "Brooklyn", "Bronx", "unknown"], roll(7)),
      pickup_zone: one_of(ZONES, roll(8)),
      dropoff_zone: one_of(ZONES, roll(9)),
      driver: `driver-${String(Math.floor(roll(10) * 400)).padStart(4, "0")}`,
    },
  };
}

/** Trips of the last `days` until `now_s`, fewer at night; the oldest first. */
export function made_trips(now_s: number, days: number): MadeTrip[] {
  const trips: MadeTrip[] = [];
  for (
    let at_s = now_s - days * 86_400;
    at_s < now_s;
    at_s += 12 + 40 * (1 + Math.sin(at_s / 86_400 * 2 * Math.PI)) ** 2 / 2
  ) {
    trips.push(made_trip(trips.length, Math.floor(at_s)));
  }
  return trips;
}

/** Reads a view from the parameters of the feed. */
export function made_view(query: URLSearchParams, now_s: number): MadeView {
  const filter = DIMENSIONS.flatMap((dimension) => {
    const [kept, left] = [query.getAll(dimension), query.getAll(`not_${dimension}`)];
    const keys = kept.length > 0 ? kept : left;
    return keys.length === 0 ? [] : [{ dimension, keys, excluded: kept.length === 0 }];
  });
  const seconds = (name: string) => Date.parse(query.get(name) ?? "") / 1000;
  if (query.has("from")) {
    const length = seconds("to") - seconds("from");
    const step_s = length <= 7_200 ? 60 : length <= 129_600 ? 300 : 3_600;
    const [from_s, to_s] = [Math.floor(seconds("from") / step_s) * step_s, Math.ceil(seconds("to") / step_s) * step_s];
    return { from_s, to_s, step_s, following: false, range: "custom", filter };
  }
  const range = query.get("range") ?? "1h";
  const [length_s, meant_s] = RANGES[range] ?? [3_600, 60], step_s = STEPS[query.get("grain") ?? ""] ?? meant_s;
  if (range === "today") {
    const from_s = Math.floor(now_s / 86_400) * 86_400;
    return {
      from_s,
      to_s: from_s + 86_400,
      step_s: STEPS[query.get("grain") ?? "5m"]!,
      following: true,
      range,
      filter,
    };
  }
  const following = !query.has("to") && !query.has("as_of") && !query.has("as_of_position");
  const end_s = query.has("to")
    ? Math.ceil(seconds("to") / step_s) * step_s
    : (Math.floor(now_s / step_s) + 1) * step_s;
  return { from_s: end_s - length_s, to_s: end_s, step_s, following, range, filter };
}

function passes(trip: MadeTrip, view: MadeView, but = ""): boolean {
  return view.filter.every(({ dimension, keys, excluded }) =>
    dimension === but || keys.includes(trip.keys[dimension] ?? "unknown") !== excluded
  );
}

function nearest(sorted: readonly number[], q: number): number | null {
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? null;
}

/** The cards of trips. */
export function made_cards(trips: readonly MadeTrip[], in_progress: number | null) {
  const done = trips.filter(({ keys }) => keys.status === "completed");
  const total = (of: (trip: MadeTrip) => number) => done.reduce((sum, trip) => sum + of(trip), 0);
  const mean = (of: (trip: MadeTrip) => number) => done.length === 0 ? null : total(of) / done.length;
  const [fares, minutes] = [done.map(({ fare }) => fare), done.map((trip) => trip.minutes)].map((all) =>
    all.sort((a, b) => a - b)
  ) as [number[], number[]];
  return {
    trips: trips.length,
    in_progress,
    requested_now: in_progress === null ? null : 3,
    completed: done.length,
    canceled: trips.length - done.length,
    fare_count: done.length,
    revenue: total(({ fare }) => fare),
    average_fare: mean(({ fare }) => fare),
    min_fare: fares[0] ?? null,
    max_fare: fares.at(-1) ?? null,
    fare_p50: nearest(fares, 0.5),
    fare_p95: nearest(fares, 0.95),
    average_distance_km: mean(({ km }) => km),
    average_duration_min: mean((trip) => trip.minutes),
    duration_p50_min: nearest(minutes, 0.5),
    duration_p95_min: nearest(minutes, 0.95),
    waiting_count: done.length,
    average_waiting_min: done.length === 0 ? null : 4.25,
    waiting_p50_min: done.length === 0 ? null : 4.1,
    waiting_p95_min: done.length === 0 ? null : 7.6,
    tips: Math.round(total(({ fare }) => fare)) / 10,
    conflicts: 0,
  };
}

function made_series(trips: readonly MadeTrip[], { step_s }: MadeView) {
  const buckets = Map.groupBy(trips, ({ at_s }) => Math.floor(at_s / step_s) * step_s);
  const t = [...buckets.keys()].sort((a, b) => a - b);
  const column = (of: (cards: ReturnType<typeof made_cards>) => number) =>
    t.map((at) => of(made_cards(buckets.get(at) ?? [], 0)));
  return {
    t,
    trips: column((cards) => cards.trips),
    requested: column((cards) => cards.trips),
    started: column((cards) => cards.trips),
    completed: column((cards) => cards.completed),
    canceled: column((cards) => cards.canceled),
    revenue: column((cards) => cards.revenue),
    fare_count: column((cards) => cards.fare_count),
    distance_km: column((cards) => cards.completed * (cards.average_distance_km ?? 0)),
    revised_ms: t.map(() => 0),
  };
}

function made_breakdowns(trips: readonly MadeTrip[], view: MadeView) {
  return DIMENSIONS.map((dimension) => {
    const counted = trips.filter((trip) =>
      passes(trip, view, dimension) && (dimension === "status" || trip.keys.status === "completed")
    );
    const all = [...Map.groupBy(counted, ({ keys }) => keys[dimension] ?? "unknown")].map(([key, of]) => ({
      key: key as string | null,
      trips: of.length,
      revenue: of.reduce((sum, { fare, keys }) => sum + (keys.status === "completed" ? fare : 0), 0),
    })).sort((a, b) => b.trips - a.trips || (a.key! < b.key! ? -1 : 1));
    const rest = all.slice(8);
    const sum = (of: "trips" | "revenue") => rest.reduce((total, row) => total + row[of], 0);
    const others = { key: null, trips: sum("trips"), revenue: sum("revenue") };
    return { dimension, total_keys: all.length, rows: rest.length === 0 ? all : [...all.slice(0, 8), others] };
  });
}

/** A trip's line in the list. */
export function made_line({ id, at_s, position, fare, km, minutes, keys }: MadeTrip) {
  const known = (name: string) => keys[name] === "unknown" ? null : keys[name];
  const done = keys.status === "completed";
  return {
    trip_id: id,
    status: keys.status,
    at_ms: at_s * 1000,
    city: known("city"),
    vehicle_type: known("vehicle_type"),
    payment_method: known("payment_method"),
    pickup_zone: known("pickup_zone"),
    dropoff_zone: known("dropoff_zone"),
    distance_km: done ? km : null,
    duration_min: done ? minutes : null,
    fare: done ? fare : null,
    position,
  };
}

/** Everything that a hello says of the figures of a view, of trips that are known up to `now_s`. */
export function made_board(trips: readonly MadeTrip[], view: MadeView, now_s: number) {
  const known = trips.filter(({ at_s }) => at_s <= now_s);
  const between = (from_s: number, to_s: number) => known.filter(({ at_s }) => at_s >= from_s && at_s < to_s);
  const inside = between(view.from_s, view.to_s);
  const counted = inside.filter((trip) => passes(trip, view));
  const length_s = view.to_s - view.from_s;
  const passed_s = Math.min(view.to_s, now_s) - view.from_s;
  const compared = (shift_s: number) => {
    const [from_s, to_s] = [view.from_s - shift_s, view.from_s - shift_s + passed_s];
    return { from_s, to_s, cards: { ...made_cards(between(from_s, to_s).filter((trip) => passes(trip, view)), null) } };
  };
  const shift_s = Math.ceil(length_s / WEEK_S) * WEEK_S;
  const then = between(view.from_s - shift_s, view.to_s - shift_s).filter((trip) => passes(trip, view));
  const series = made_series(then, view);
  const from_trips = view.filter.length > 1 || view.filter.some(({ dimension }) => dimension === "driver");
  return {
    position: known.at(-1)?.position ?? 0,
    range: view.range,
    step_s: view.step_s,
    from_s: view.from_s,
    to_s: view.to_s,
    following: view.following,
    filter: view.filter,
    series: made_series(counted, view),
    cards: made_cards(counted, 37),
    compared: { weekday: compared(shift_s), previous: compared(length_s) },
    compared_series: {
      name: "weekday",
      shift_s,
      t: series.t.map((t) => t + shift_s),
      completed: series.completed,
      revenue: series.revenue,
    },
    computed: {
      cards: from_trips ? "trips" : "cells",
      breakdowns: view.filter.length > 0 ? "trips" : "cells",
      position: 1,
      age_ms: 1_200,
      failed: null,
    },
    breakdowns: made_breakdowns(inside, view),
    trips: known.filter((trip) => passes(trip, view)).slice(-20).reverse().map(made_line),
    newest_event_ms: known.length === 0 ? null : known.at(-1)!.at_s * 1000,
  };
}
