import assert from "node:assert/strict";
import { migrate, migrations_of } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { type Condition, draw, figures_of_states, present_states, read_quantiles } from "../../src/feed/figures/mod.ts";
import { bin_of, days_in, nearest_rank, value_of } from "../../src/kpi/mod.ts";
import { database_test } from "../support/read_side.ts";
import { feed, LIMITS, message, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const START_MS = Date.UTC(2026, 1, 10);
const TRIPS = 400;
const CITIES = ["Chicago", "Boston", null];
const WHOLE: Condition = { dimension: "none", keys: ["all"], excluded: false };

interface Completed {
  readonly at_ms: number;
  readonly fare_micros: number;
  readonly duration_ms: number | null;
  /** Where it is known the trip started in the moment of its completion. */
  readonly waiting_ms: number | null;
  readonly city: string | null;
}

/** Trips over 40 days, some without a duration, fares from zero to a hundred thousand. */
const trips = Array.from({ length: TRIPS }, (_, i): Completed => ({
  at_ms: START_MS + i * 8_640_000 + (i * 7_919_123) % 3_600_000,
  fare_micros: i % 17 === 0 ? 0 : Math.round(1.03 ** i * 1_000_000),
  duration_ms: i % 5 === 0 ? null : (i * 7_919) % 3_600_000,
  waiting_ms: i % 5 === 0 || i % 7 === 0 ? null : (i * 104_729) % 900_000,
  city: CITIES[i % 3]!,
}));

/** The six cards, from exact nearest ranks of those values. */
function expected_cards(counted: readonly Completed[]): [string, number | null][] {
  const quantile = (values: readonly number[], q: number, per: number) => {
    const exact = values.toSorted((a, b) => a - b)[nearest_rank(values.length, q) - 1];
    return exact === undefined ? null : Math.round(value_of(bin_of(exact)) / per * 1e6) / 1e6;
  };
  const fares = counted.map(({ fare_micros }) => fare_micros);
  const durations = counted.flatMap(({ duration_ms }) => duration_ms === null ? [] : [duration_ms]);
  const waiting = counted.flatMap(({ waiting_ms }) => waiting_ms === null ? [] : [waiting_ms]);
  return [
    ["fare_p50", quantile(fares, 0.5, 1e6)],
    ["fare_p95", quantile(fares, 0.95, 1e6)],
    ["duration_p50_min", quantile(durations, 0.5, 60_000)],
    ["duration_p95_min", quantile(durations, 0.95, 60_000)],
    ["waiting_p50_min", quantile(waiting, 0.5, 60_000)],
    ["waiting_p95_min", quantile(waiting, 0.95, 60_000)],
  ];
}

database_test(
  "percentiles of any stretch and any keys are those of the trips, corrections included",
  async (database) => {
    await migrate(database, migrations_of("trips"));
    await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
    const days = days_in(TEST_TIME_ZONE);
    const told = (type: string, i: number, data: Record<string, unknown>, earlier_ms = 0) => ({
      event_id: type,
      trip_id: `T-${i}`,
      type,
      occurred_at: new Date(trips[i]!.at_ms - earlier_ms).toISOString(),
      ...data,
    });
    const messages = [
      // Every other trip begins with a fare that is corrected afterwards, which must leave no trace in its bin.
      ...trips.map(({ fare_micros, duration_ms, city }, i) =>
        told("trip.completed", i, {
          fare: ((i % 2 === 0 ? 77_000_000 : fare_micros) / 1e6).toFixed(6),
          ...(duration_ms === null ? {} : { duration_min: duration_ms / 60_000 }),
          city,
        })
      ),
      ...trips.flatMap(({ waiting_ms }, i) =>
        waiting_ms === null ? [] : [told("trip.started", i, {}), told("trip.requested", i, {}, waiting_ms)]
      ),
      ...trips.flatMap(({ fare_micros }, i) =>
        i % 2 === 0 ? [told("trip.fare_adjusted", i, { fare: (fare_micros / 1e6).toFixed(6) })] : []
      ),
    ].map((each, offset) => message(offset, each));
    const limits = { ...LIMITS, future_limit_ms: 365 * 86_400_000 };
    const batch = { topic: "trips", partition: 0 };
    const middle = TRIPS - 40;
    await feed(trip_pipeline(database, undefined, limits), [
      { ...batch, from_offset: 0, next_offset: middle, messages: messages.slice(0, middle) },
      { ...batch, from_offset: middle, next_offset: messages.length, messages: messages.slice(middle) },
    ]);

    const check = async (
      counted: Condition,
      from_ms: number,
      to_ms: number,
      counts: (trip: Completed) => boolean,
    ) => {
      const stretch = { from_us: from_ms * 1000, to_us: to_ms * 1000 };
      const cards = await read_quantiles(database, trips_board, days, counted, stretch);
      const chosen = trips.filter((t) => t.at_ms >= from_ms && t.at_ms < to_ms && counts(t));
      const expected = expected_cards(chosen);
      assert.deepEqual([...cards], expected);
      // States tell the same, by their exact values; they know the least and the greatest fare, which no percentile passes.
      const fares = chosen.map(({ fare_micros }) => fare_micros / 1e6);
      const [least, greatest] = [Math.min(...fares), Math.max(...fares)];
      const within = expected.map(([name, value]) =>
        [name, value === null || !name.startsWith("fare") ? value : Math.min(Math.max(value, least), greatest)] as const
      );
      const filter = counted === WHOLE ? [] : [counted];
      const seconds = { from_s: from_ms / 1000, to_s: to_ms / 1000 };
      const window = { ...seconds, step_s: 60, grain: "1m" } as const;
      const wants = { stretches: [seconds], cards: trips_board.cards.filter((card) => "figure" in card) };
      const question = { board: trips_board, days, filter, window, wants };
      const figures = await database.transaction((tx) => figures_of_states(tx, question, present_states(trips_board)));
      const { cards: computed } = draw(question, figures);
      assert.deepEqual(expected.map(([name]) => [name, computed[name]]), within);
    };
    const minute = (at_ms: number) => Math.floor(at_ms / 60_000) * 60_000;
    for (
      const [from_ms, length_ms] of [[START_MS, 41 * 86_400_000], [START_MS + 5_000_000, 30 * 86_400_000], [
        START_MS + 86_400_000,
        9_000_000,
      ], [START_MS + 12 * 86_400_000, 60_000]] as const
    ) {
      const from = minute(from_ms), to = from + length_ms;
      await check(WHOLE, from, to, () => true);
      await check(
        { dimension: "city", keys: ["Boston", "unknown"], excluded: false },
        from,
        to,
        (t) => t.city !== "Chicago",
      );
      await check({ dimension: "city", keys: ["unknown"], excluded: true }, from, to, (t) => t.city !== null);
    }
    const nothing = await read_quantiles(database, trips_board, days, { ...WHOLE, dimension: "driver" }, {
      from_us: START_MS * 1000,
      to_us: START_MS * 2000,
    });
    assert.deepEqual([...nothing.values()], new Array(6).fill(null));
  },
);
