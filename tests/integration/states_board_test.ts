import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, open_database } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import {
  type Board,
  draw,
  figures_of_states,
  type Filter,
  format_filter,
  present_states,
  read_boards,
  TOP,
  type View,
  view_key,
  type ViewGrain,
  whole_question,
  type Window,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { bucket_end, bucket_start, column_measures, days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_http_side } from "../support/http_side.ts";
import { type Measures, oracle } from "../support/oracle/mod.ts";
import { oracle_board, type OracleKey } from "../support/oracle/board.ts";
import { local_days } from "../support/oracle/local_day.ts";
import { shared_postgres } from "../support/postgres.ts";
import { random_filter, random_span, RANDOM_TIMES, trip_event } from "../support/random_trips.ts";
import { feed, message, migrated, TERMS, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const DAYS = days_in(TEST_TIME_ZONE);
const LOCAL_DAY = local_days(TEST_TIME_ZONE);
const BROKER_MS = Date.UTC(2026, 2, 9, 12);
const runs = (fallback: number) => ({
  numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? fallback),
  endOnFailure: true,
});

async function with_events(events: readonly unknown[], work: (database: Database) => Promise<void>): Promise<void> {
  const { url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 2 });
  try {
    const messages = events.map((each, offset) => message(offset, each, BROKER_MS));
    const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
    await feed(trip_pipeline(database, () => BROKER_MS), [batch]);
    await work(database);
  } finally {
    await database.close();
  }
}

/** Without the buckets that were taken back to nothing: their cells stay. */
function without_zeros({ series }: Pick<Board, "series">) {
  const { revised_ms: _, t, ...columns } = series;
  const kept = t.flatMap((_, i) => Object.values(columns).some((column) => (column[i] ?? 0) !== 0) ? [i] : []);
  return Object.fromEntries(
    Object.entries({ t, ...columns }).map(([name, column]) => [name, kept.map((i) => column[i])]),
  );
}

tacho_test({
  name: "a board that is computed from states says to the bit what the cells say",
  needs: ["postgres"],
  async fn() {
    const events = fc.array(trip_event, { minLength: 20, maxLength: 150 });
    await fc.assert(
      fc.asyncProperty(events, fc.array(random_span, { minLength: 4, maxLength: 6 }), async (all, spans) => {
        await with_events(all, async (database) => {
          const views = spans.map((each): View => ({ ...each, filter: [], compare: "weekday" }));
          const watched = new Map(
            views.map((view) => [view_key(view, DAYS), { view, window: window_at(view, BROKER_MS, DAYS) }]),
          );
          const { boards } = await read_boards({ database, board: trips_board, days: DAYS }, watched, [], null);
          for (const [key, { window }] of watched) {
            const cells = boards.get(key)!;
            const states = await states_board(database, [], window);
            assert.deepEqual(states.cards, cells.cards);
            assert.deepEqual(without_zeros(states), without_zeros(cells));
            assert.deepEqual(states.breakdowns.filter(({ dimension }) => dimension !== "driver"), cells.breakdowns);
          }
        });
      }),
      runs(3),
    );
  },
});

tacho_test({
  name: "a board under any filter counts the trips that the filter leaves, and no others",
  needs: ["postgres"],
  async fn() {
    const events = fc.array(trip_event, { minLength: 30, maxLength: 200 });
    const views = fc.array(fc.tuple(random_span, random_filter), { minLength: 12, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(events, views, async (all, asked) => {
        const sent = all.map((each, offset) => message(offset, each, BROKER_MS));
        const { trips } = oracle(sent, { currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS, read_ms: BROKER_MS });
        await with_events(all, async (database) => {
          for (const [each, conditions] of asked) {
            const window = window_at(each, BROKER_MS, DAYS);
            const wanted = oracle_board(trips.values(), conditions, window, window.grain, LOCAL_DAY);
            const keys = new Map([...wanted.keys].map(([dimension, rows]) => [dimension, greatest(rows)]));
            assert.deepEqual(await computed(database, conditions, window), { ...wanted, keys });
            const { breakdowns } = await states_board(database, conditions, window);
            for (const { dimension, rows } of breakdowns) {
              // Its own condition does not count, but for drivers, which no cells know by windows.
              const others = conditions.filter((condition) => condition.dimension !== dimension);
              const counted = dimension === "driver" ? conditions : others;
              const all = oracle_board(trips.values(), counted, window, window.grain, LOCAL_DAY).keys.get(dimension)!;
              assert.deepEqual(
                rows.map(({ key, trips }) => [key, trips]),
                greatest(all).map(({ key, count }) => [key, Number(count)]),
              );
            }
          }
        });
      }),
      runs(3),
    );
  },
});

tacho_test({
  name: "a series of a driver, a passenger or any filter, by every grain, is what the trips that it counts add up to",
  needs: ["postgres"],
  async fn() {
    const events = fc.array(trip_event, { minLength: 60, maxLength: 200 });
    const range = { from_s: RANDOM_TIMES.from_s - 86_400, to_s: RANDOM_TIMES.to_s };
    const [from, to] = [range.from_s, range.to_s].map((s) => new Date(s * 1000).toISOString());
    await fc.assert(
      fc.asyncProperty(events, fc.array(random_filter, { minLength: 6, maxLength: 6 }), async (all, filters) => {
        const sent = all.map((each, offset) => message(offset, each, BROKER_MS));
        const { trips } = oracle(sent, { currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS, read_ms: BROKER_MS });
        const asked = [
          ...["D1", "D2", "unknown"].map((key) => [one("driver", key), `dimension=driver&key=${key}`] as const),
          [one("passenger", "P1"), "dimension=passenger&key=P1"],
          [[...one("city", "Chicago"), ...one("driver", "D1")], "city=Chicago&dimension=driver&key=D1"],
          ...filters.map((filter) => [filter, format_filter(filter)] as const),
        ] as const;
        await with_events(all, async (database) => {
          const { get } = await make_http_side(database, { time_zone: TEST_TIME_ZONE, days: DAYS });
          for (const [filter, query] of asked) {
            for (const grain of ["1m", "5m", "15m", "1h", "1d"] as const) {
              const { buckets } = oracle_board(trips.values(), filter, widened(range, grain), grain, LOCAL_DAY);
              for (const measure of Object.keys(OF_CELL)) {
                const answer = await get(
                  `/api/v1/kpis/series?measure=${measure}&grain=${grain}&from=${from}&to=${to}&${query}`,
                );
                assert.equal(answer.status, 200);
                const { points } = await answer.json() as { points: { at: string; value: unknown }[] };
                const expected = [...buckets].map(([t, cell]) => [t, OF_CELL[measure]!(cell)] as const);
                // Cells that were taken back to nothing stay as points of nothing.
                const told = points.map(({ at, value }) => [Date.parse(at) / 1000, value] as const)
                  .filter(([t, value]) => buckets.has(t) || (value !== null && Number(value) !== 0));
                assert.deepEqual(told, expected, `${measure} by ${grain} of ${query}`);
              }
            }
          }
        });
      }),
      runs(2),
    );
  },
});

const one = (dimension: string, key: string): Filter => [{ dimension, keys: [key], excluded: false }];

/** The stretch of whole buckets. */
function widened({ from_s, to_s }: { readonly from_s: number; readonly to_s: number }, grain: ViewGrain) {
  const last = bucket_start(grain, to_s * 1e6 - 1, DAYS);
  return { from_s: bucket_start(grain, from_s * 1e6, DAYS) / 1e6, to_s: bucket_end(grain, last, DAYS) / 1e6 };
}

const micros = (value: bigint): string => {
  const text = `${value / 1_000_000n}.${String(value % 1_000_000n).padStart(6, "0")}`;
  return text.replace(/0{1,4}$/, "");
};

const minutes = (sum_ms: bigint, count: bigint): number | null =>
  count === 0n ? null : Number((sum_ms * 100n + count * 3n) / (count * 6n)) / 1e6;
/** Some figures, told from the sums of a cell in the plainest way. */
const OF_CELL: Readonly<Record<string, (cell: Measures) => unknown>> = {
  completed: ({ completed }) => Number(completed),
  revenue: ({ fare_sum_micros }) => micros(fare_sum_micros),
  average_duration_min: ({ duration_sum_ms, duration_count }) => minutes(duration_sum_ms, duration_count),
  average_waiting_min: ({ waiting_sum_ms, waiting_count }) => minutes(waiting_sum_ms, waiting_count),
  completion_rate: ({ completed, canceled }) => {
    const ended = completed + canceled;
    return ended === 0n ? null : Number((completed * 200_000_000n + ended) / (ended * 2n)) / 1e6;
  },
  min_fare: ({ fare_min_micros }) => fare_min_micros === null ? null : micros(fare_min_micros),
};

/** The rows of the greatest by count and by amount, and all others in one. */
function greatest(rows: readonly OracleKey[]): OracleKey[] {
  const by_amount = [...rows].sort((a, b) =>
    a.amount === b.amount ? (a.key! < b.key! ? -1 : 1) : a.amount > b.amount ? -1 : 1
  );
  const own = rows.filter((row, i) => i < TOP || by_amount.indexOf(row) < TOP);
  const others = rows.filter((row) => !own.includes(row));
  if (others.length === 0) return own;
  const sum = (of: "count" | "amount") => others.reduce((total, row) => total + row[of], 0n);
  return [...own, { key: null, count: sum("count"), amount: sum("amount") }];
}

const whole_of = (filter: Filter, window: Window) => {
  const view: View = { range: "custom", from_s: window.from_s, to_s: window.to_s, filter, compare: "weekday" };
  return whole_question({ board: trips_board, days: DAYS }, { view, window });
};

/** The whole board of a window, computed from states. */
async function states_board(database: Database, filter: Filter, window: Window): Promise<Board> {
  const question = whole_of(filter, window);
  const read = () => database.transaction((tx) => figures_of_states(tx, question, present_states(trips_board)));
  return draw(question, await read());
}

/** What the product computes, as the oracle says it. */
async function computed(database: Database, conditions: Filter, window: Window) {
  // Not the board's own breakdowns: then their own conditions count, too.
  const breakdowns = whole_of(conditions, window).wants.breakdowns!.map((breakdown) => ({ ...breakdown }));
  const wants = { series: true, stretches: [window], breakdowns, named: [] };
  const { buckets, stretches: [sums], keys } = await database.transaction((tx) =>
    figures_of_states(tx, { ...whole_of(conditions, window), wants }, present_states(trips_board))
  );
  const measures = (row: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(
      column_measures(trips_board.measures).map(({ name, kind }) => {
        const value = row[name] ?? null;
        return [name, value === null ? (kind === "min" || kind === "max" ? null : 0n) : BigInt(String(value))];
      }),
    );
  const listed = Map.groupBy(keys, ({ dimension }) => dimension);
  return {
    buckets: new Map(buckets.map((row) => [Number(row.t), measures(row)])),
    totals: measures(sums!.totals),
    keys: new Map(breakdowns.map(({ dimension }) => [
      dimension,
      (listed.get(dimension) ?? []).map(({ key, count, amount }) => ({ key, count, amount })),
    ])),
  };
}
