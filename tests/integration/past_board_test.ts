import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, open_database, snapshot } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { moment_at_position, moment_at_time, read_head, TooMuchChangedSince } from "../../src/event_log/mod.ts";
import {
  past_states,
  read_past_board,
  read_whole_board,
  type ShownBoard,
  too_long_for_states,
  type View,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { board_data } from "../../src/feed/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { random_filter, random_span, trip_event } from "../support/random_trips.ts";
import { feed, message, migrated, TEST_DOMAIN, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const DAYS = days_in(TEST_TIME_ZONE);
const BROKER_MS = Date.UTC(2026, 2, 9, 12);
const past = past_states(TEST_DOMAIN);

const source = (database: Database) => ({ database, board: trips_board, days: DAYS, lane_timeout_ms: 60_000 });

/** What is said of a board, but for what the past does not have: marks of late corrections, buckets that were taken back to nothing. */
function said(board: ShownBoard): Record<string, unknown> {
  const settings = { time_zone: TEST_TIME_ZONE, currency: "USD", board: trips_board };
  const { log_id: _, computed: __, ...data } = board_data(board, settings, 0);
  return {
    ...data,
    series: without_zeros(data.series as Columns),
    compared_series: without_zeros(data.compared_series as Columns),
  };
}

type Columns = Readonly<Record<string, readonly number[] | string | number>>;

function without_zeros({ revised_ms: _, name, shift_s, ...columns }: Columns): unknown {
  const { t, ...figures } = columns as Record<string, number[]>;
  const kept = t!.flatMap((_, i) => Object.values(figures).some((column) => column[i] !== 0) ? [i] : []);
  return [
    name,
    shift_s,
    Object.entries({ t, ...figures }).map(([name, column]) => [name, kept.map((i) => column![i])]),
  ];
}

async function fresh_database(): Promise<Database> {
  const { url } = await (await shared_postgres()).create_database(migrated);
  return open_database({ url, data_dir: null, connections: 2 });
}

/** After its first event a log goes on here, so that it comes into the next block of positions soon. */
const NEAR_A_BLOCK = 2 ** 16 - 40;

/** Feeds a database some of the messages after others, as one batch that is recorded a second after the one before. */
function feeder(database: Database, messages: readonly unknown[]) {
  let at = 0, now_ms = BROKER_MS;
  const cursors = new Cursors();
  const pipeline = trip_pipeline(database, () => now_ms);
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
              // No past is computed over so long a range.
              if (too_long_for_states(watched.window)) continue;
              const then = await snapshot(whole, async (reading) => {
                const { watermark_us } = await moment_at_position(reading, position);
                const newest_event_ms = watermark_us === null ? null : Math.floor(watermark_us / 1000);
                const states = await past(reading, position, head);
                return read_past_board(reading, source(whole), watched, states, {
                  position,
                  newest_event_ms,
                  now_ms: BROKER_MS,
                });
              });
              assert.deepEqual(said(then), said(await read_whole_board(source(growing), watched, BROKER_MS)));
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
