import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, open_database, snapshot } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { moment_at_position, moment_at_time, read_head, TooMuchChangedSince } from "../../src/event_log/mod.ts";
import {
  board_of_then,
  comparisons_of,
  type Filter,
  past_states,
  read_greatest,
  read_past_board,
  read_whole_board,
  type ShownBoard,
  type Span,
  states_fault,
  type View,
  type Watched,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { said_board } from "../support/said_board.ts";
import { random_filter, random_span, trip_event } from "../support/random_trips.ts";
import {
  feed,
  LIMITS,
  message,
  migrated,
  TEST_DOMAIN,
  TEST_TIME_ZONE,
  trip_pipeline,
} from "../support/trip_pipeline.ts";

const DAYS = days_in(TEST_TIME_ZONE);
const BROKER_MS = Date.UTC(2026, 2, 9, 12);
const past = past_states(TEST_DOMAIN);

const source = (database: Database) => ({ database, board: trips_board, days: DAYS, lane_timeout_ms: 60_000 });

const said = (board: ShownBoard) => said_board(board, trips_board, TEST_TIME_ZONE);

async function fresh_database(): Promise<Database> {
  const { url } = await (await shared_postgres()).create_database(migrated);
  return open_database({ url, data_dir: null, connections: 2 });
}

/** After its first event a log goes on here, so that it comes into the next block of positions soon. */
const NEAR_A_BLOCK = 2 ** 16 - 40;

/** Feeds a database some of the messages after others, as one batch that is recorded a second after the one before. */
function feeder(database: Database, messages: readonly unknown[], time_zone = TEST_TIME_ZONE) {
  let at = 0, now_ms = BROKER_MS;
  const cursors = new Cursors();
  const pipeline = trip_pipeline(database, () => now_ms, LIMITS, new Map(), time_zone);
  return async (to: number): Promise<number> => {
    if (to <= at) return (await read_head(database)).position;
    now_ms += 1_000;
    const part = messages.slice(at, to).map((each, i) => message(at + i, each, BROKER_MS));
    const batch = { topic: "trips", partition: 0, from_offset: at, next_offset: to, messages: part };
    at = to;
    await feed(pipeline, [batch], cursors);
    return (await read_head(database)).position;
  };
}

/** The board of a view as a database of a longer log has it. */
const board_as_of = (
  database: Database,
  watched: Watched,
  position: number,
  head: number,
  days = DAYS,
): Promise<ShownBoard> =>
  snapshot(database, async (reading) => {
    const { watermark_us } = await moment_at_position(reading, position);
    const newest_event_ms = watermark_us === null ? null : Math.floor(watermark_us / 1000);
    const then = { position, newest_event_ms, now_ms: BROKER_MS };
    return read_past_board(reading, { ...source(database), days }, watched, await past(reading, position, head), then);
  });

/** Two weeks up to the last day, in which the clocks change. */
const FIRST_MS = BROKER_MS - 14 * 86_400_000;
const HOUR_MS = 3_600_000;
/** An hour with a quarter of them. */
const BUSY_H = 14 * 24 - 30;

/** Trips of two weeks in order of arrival: most tell what happened at once, some a correction, a void or their start days later. */
const trips_of_weeks = fc.array(
  fc.record({
    at_h: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 14 * 24 - 2 }) }, fc.constant(BUSY_H)),
    city: fc.constantFrom("Chicago", "Boston", undefined),
    zone: fc.constantFrom("Z1", "Z2", "Z3"),
    fare: fc.integer({ min: 1, max: 9_999 }),
    method: fc.constantFrom("card", "cash"),
    later: fc.constantFrom(
      "",
      "",
      "",
      "",
      "",
      "",
      "trip.fare_adjusted",
      "trip.voided",
      "trip.canceled",
      "trip.started",
    ),
    days: fc.integer({ min: 1, max: 5 }),
  }),
  { minLength: 80, maxLength: 120 },
).map((trips) => {
  const arrivals = trips.flatMap(({ at_h, city, zone, fare, method, later, days }, i) => {
    const at_ms = FIRST_MS + at_h * HOUR_MS + i * 17_000, end_ms = at_ms + 900_000;
    const told = (type: string, ms: number, more: Record<string, unknown>, arrives_ms = ms) => ({
      arrives_ms,
      event: { trip_id: `T-${i}`, event_id: type, type, occurred_at: new Date(ms).toISOString(), city, ...more },
    });
    const late_ms = end_ms + days * 24 * HOUR_MS;
    const start = told("trip.started", at_ms, { pickup_zone: zone }, later === "trip.started" ? late_ms : at_ms);
    const amount = (fare / 100).toFixed(2);
    return [
      start,
      told("trip.completed", end_ms, { fare: amount, payment_method: method, driver_id: `D${i % 3}` }),
      ...later === "" || later === "trip.started" ? [] : [
        // An adjustment happens when it arrives; of what was voided or canceled then one hears late.
        told(later, later === "trip.fare_adjusted" ? late_ms : end_ms + 60_000, { fare: "1.23" }, late_ms),
      ],
    ];
  });
  return arrivals.toSorted((a, b) => a.arrives_ms - b.arrives_ms).map(({ event }) => event);
});

tacho_test({
  name:
    "a past board over weeks comes from cells, but for what was not settled then, and is that of a log that ends there",
  needs: ["postgres"],
  async fn() {
    const to_s = BROKER_MS / 1000,
      days = (from: number, to = 0) => ({
        range: "custom" as const,
        from_s: to_s - from * 86_400,
        to_s: to_s - to * 86_400,
      });
    const spans: Span[] = [days(14), days(50), days(9, 2), days(3, 2), { range: "24h", to_s: to_s - 5 * 86_400 }];
    // Of minutes that begin and end within the five of which cells of zones are.
    const from_s = FIRST_MS / 1000 + BUSY_H * 3_600 + 780;
    spans.push({ range: "custom", from_s, to_s: from_s + 50 * 60 + 240 });
    const filters: Filter[] = [
      [],
      [{ dimension: "city", keys: ["Boston"], excluded: false }],
      [{ dimension: "status", keys: ["completed", "voided"], excluded: true }],
      [{ dimension: "pickup_zone", keys: ["Z1", "Z2"], excluded: false }],
    ];
    let read_us = 0, asked_us = 0;
    await fc.assert(
      fc.asyncProperty(trips_of_weeks, fc.array(fc.nat(), { minLength: 2, maxLength: 2 }), async (all, looked_at) => {
        const whole = await fresh_database(), growing = await fresh_database();
        try {
          const feed_whole = feeder(whole, all), grow = feeder(growing, all);
          for (let to = 20; to < all.length; to += 20) await feed_whole(to);
          await feed_whole(all.length);
          const head = (await read_head(whole)).position;
          for (const place of looked_at.map((n) => 1 + n % all.length).sort((a, b) => a - b)) {
            const position = await grow(place);
            const stretch = { filter: [], from_us: (to_s - 9 * 86_400) * 1e6, to_us: (to_s - 86_400) * 1e6 };
            const greatest = (database: Database) =>
              snapshot(database, async (reading) => {
                const states = await past(reading, position, (await read_head(reading)).position);
                return read_greatest(reading, source(database), states, "fare_max_micros", stretch);
              });
            assert.deepEqual(await greatest(whole), await greatest(growing), `the greatest as of ${position}`);
            for (const [span, filter] of spans.flatMap((span) => filters.map((filter) => [span, filter] as const))) {
              const view: View = { ...span, filter, compare: "previous" };
              const watched = { view, window: window_at(view, BROKER_MS, DAYS) };
              if (states_fault(view, watched.window, trips_board) !== null) continue;
              const then = await board_as_of(whole, watched, position, head);
              const now = await read_whole_board(source(growing), watched, BROKER_MS);
              assert.deepEqual(said(then), said(now), `as of ${position}, ${JSON.stringify(view)}`);
              const of_cells = await snapshot(whole, async (reading) => {
                const comparisons = comparisons_of(watched.window, BROKER_MS, DAYS);
                return await board_of_then(
                  reading,
                  source(whole),
                  watched,
                  await past(reading, position, head),
                  comparisons,
                );
              });
              const apart = of_cells?.unsettled ?? [];
              read_us += apart.reduce((sum, { from_us, to_us }) => sum + to_us - from_us, 0);
              asked_us += 2 * (watched.window.to_s - watched.window.from_s) * 1e6;
            }
          }
        } finally {
          await whole.close();
          await growing.close();
        }
      }),
      { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 1), endOnFailure: true },
    );
    assert.ok(read_us > 0 && read_us < asked_us / 4, `${read_us / 60e6} of ${asked_us / 60e6} minutes from states`);
  },
});

tacho_test({
  name: "a board as of a position is that of a log that ends there",
  needs: ["postgres"],
  async fn() {
    const events = fc.array(trip_event, { minLength: 60, maxLength: 200 });
    const asked = fc.array(fc.tuple(random_span, random_filter), { minLength: 2, maxLength: 2 });
    const cuts = fc.array(fc.nat(), { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(events, cuts, cuts, asked, async (all, batched, looked_at, views) => {
        const whole = await fresh_database(), growing = await fresh_database();
        try {
          const places = (
            of: readonly number[],
          ) => [...new Set([...of.map((n) => n % all.length), all.length])];
          const feed_whole = feeder(whole, all), grow = feeder(growing, all);
          for (const [database, begin] of [[whole, feed_whole], [growing, grow]] as const) {
            let messages = 1;
            while (await begin(messages) === 0) messages++;
            await database.execute("update log_head set position = $1", [NEAR_A_BLOCK]);
          }
          for (const place of places(batched).sort((a, b) => a - b)) await feed_whole(place);
          const head = (await read_head(whole)).position;
          for (const place of places([...looked_at, all.length - 1]).sort((a, b) => a - b)) {
            const position = await grow(place);
            for (const [span, filter] of [...views, ...views.map(([span]) => [span, []] as const)]) {
              const view: View = { ...span, filter, compare: "weekday" };
              const watched = { view, window: window_at(view, BROKER_MS, DAYS) };
              if (states_fault(view, watched.window, trips_board) !== null) continue;
              const then = await board_as_of(whole, watched, position, head);
              const now = await read_whole_board(source(growing), watched, BROKER_MS);
              assert.deepEqual(said(then), said(now), `as of ${position}, ${JSON.stringify(view)}`);
            }
          }
        } finally {
          await whole.close();
          await growing.close();
        }
      }),
      { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 2), endOnFailure: true },
    );
  },
});

for (const time_zone of ["Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"]) {
  tacho_test({
    name: `days of ${time_zone}, which begin inside an hour, have as of before what they had then`,
    needs: ["postgres"],
    async fn() {
      const database = await fresh_database(), days = days_in(time_zone);
      try {
        // A trip every quarter of an hour for four days; then one at 23:30 UTC of each is taken back, so that days begin in what is settled.
        const told = (i: number, type: string) => ({
          ...{ trip_id: `T-${i}`, event_id: type, type: `trip.${type}`, fare: 1 + i % 50, city: "Boston" },
          occurred_at: new Date(BROKER_MS - (600 - i) * 900_000).toISOString(),
        });
        const trips = Array.from({ length: 400 }, (_, i) => told(i, "completed"));
        const grow = feeder(database, [...trips, ...[70, 166, 262, 358].map((i) => told(i, "voided"))], time_zone);
        const position = await grow(trips.length);
        const read = { ...source(database), days };
        const views = (["1d", "1h"] as const).flatMap((grain): View[] =>
          [[], [{ dimension: "city", keys: ["Boston"], excluded: false }]].map((filter) => ({
            ...{ range: "custom", from_s: BROKER_MS / 1000 - 7 * 86_400, to_s: BROKER_MS / 1000 },
            ...{ grain, filter, compare: "weekday" },
          }))
        );
        const watched = views.map((view) => ({ view, window: window_at(view, BROKER_MS, days) }));
        const before = [];
        for (const each of watched) before.push(said(await read_whole_board(read, each, BROKER_MS)));
        const head = await grow(trips.length + 4);
        assert.equal(head, position + 4);
        for (const [i, each] of watched.entries()) {
          const then = said(await board_as_of(database, each, position, head, days));
          assert.deepEqual(then, before[i], JSON.stringify(each.view));
        }
      } finally {
        await database.close();
      }
    },
  });
}

tacho_test({
  name: "a position since which too much has changed is refused",
  needs: ["postgres"],
  async fn() {
    const database = await fresh_database();
    try {
      const events = ["a", "b", "c"].flatMap((event_id) =>
        ["T", "U"].map((trip_id) => ({
          trip_id,
          event_id,
          type: "trip.started",
          occurred_at: "2026-03-08T05:00:00Z",
        }))
      );
      const grow = feeder(database, events);
      await grow(6);
      const as_of = (position: number, most: number) =>
        snapshot(database, (reading) => past_states(TEST_DOMAIN, most)(reading, position, 6));
      const refused = (error: unknown) =>
        error instanceof TooMuchChangedSince &&
        /as of position 4: .* more than 3 events up to there/.test(error.message);
      await assert.rejects(as_of(4, 3), refused);
      await as_of(4, 4);
      await as_of(6, 0);
    } finally {
      await database.close();
    }
  },
});

tacho_test({
  name: "the log stood, at a time, where the last batch by then had ended",
  needs: ["postgres"],
  async fn() {
    const database = await fresh_database();
    try {
      const events = ["a", "b", "c", "d", "e"].map((event_id, i) => ({
        trip_id: "T",
        event_id,
        type: "trip.fare_adjusted",
        fare: "1.00",
        occurred_at: `2026-03-08T05:0${[3, 1, 4, 2, 0][i]}:00Z`,
      }));
      const grow = feeder(database, events);
      for (const to of [2, 5]) await grow(to);
      const at = async (ms: number) => (await moment_at_time(database, (BROKER_MS + ms) * 1000)).position;
      assert.deepEqual(await Promise.all([0, 999, 1_000, 1_999, 2_000, 9_000_000].map(at)), [0, 0, 2, 2, 5, 5]);
      const newest = async (position: number) => {
        const { watermark_us } = await moment_at_position(database, position);
        return watermark_us === null ? null : new Date(watermark_us / 1000).toISOString().slice(14, 16);
      };
      assert.deepEqual(await Promise.all([0, 1, 2, 3, 4, 5].map(newest)), [null, "03", "03", "04", "04", "04"]);
      await assert.rejects(moment_at_position(database, 6), /position 6 of the log: it has not come so far/);
    } finally {
      await database.close();
    }
  },
});
