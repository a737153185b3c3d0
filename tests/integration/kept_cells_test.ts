import assert from "node:assert/strict";
import fc from "fast-check";
import { ADVISORY_LOCKS, type Database, open_database, type OpenedDatabase, snapshot } from "../../src/database/mod.ts";
import {
  DEFAULT_H3_RESOLUTION,
  moment_at_position,
  Overtaken,
  read_cursors,
  read_head,
  while_alone,
} from "../../src/event_log/mod.ts";
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
import { days_in, type Kept, PASSING_GRAINS } from "../../src/kpi/mod.ts";
import {
  advance_kept,
  begin_read_model,
  compare_read_models,
  Rebuild,
  type RebuildSource,
  remove_unkept,
} from "../../src/projection/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_http_side } from "../support/http_side.ts";
import { oracle, type TripRow } from "../support/oracle/mod.ts";
import { oracle_board } from "../support/oracle/board.ts";
import { local_days } from "../support/oracle/local_day.ts";
import { shared_postgres } from "../support/postgres.ts";
import { random_filter, random_span, trip_event } from "../support/random_trips.ts";
import { trips_board } from "../support/trip_board.ts";
import {
  feed,
  message,
  migrated,
  TERMS,
  TEST_DOMAIN,
  TEST_TIME_ZONE,
  trip_pipeline,
} from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

/** Cells of fine grains that are not kept any more: what can be asked is answered as before, to the bit, and what is kept goes on. */

const DAYS = days_in(TEST_TIME_ZONE);
const LOCAL_DAY = local_days(TEST_TIME_ZONE);
/** After all events of `random_trips`, which lie on both sides of a midnight. */
const NOW_MS = Date.UTC(2026, 2, 9, 12);
const never = new AbortController().signal;

async function fresh_database(): Promise<OpenedDatabase> {
  const { url } = await (await shared_postgres()).create_database(migrated);
  return open_database({ url, data_dir: null, connections: 3 });
}

/** A log that grows, batch by batch. */
class Log {
  readonly #pipeline;
  readonly #cursors = new Cursors();
  #offset = 0;
  constructor(readonly database: OpenedDatabase) {
    this.#pipeline = trip_pipeline(database, () => NOW_MS);
  }
  /** As ingest does: what was planned before cells were removed is planned anew. */
  async add(events: readonly unknown[]): Promise<void> {
    const from_offset = this.#offset, next_offset = from_offset + events.length;
    const messages = events.map((each, i) => message(from_offset + i, each, NOW_MS));
    for (;;) {
      try {
        await feed(
          this.#pipeline,
          [{ topic: "trips", partition: 0, from_offset, next_offset, messages }],
          this.#cursors,
        );
        break;
      } catch (error) {
        if (!(error instanceof Overtaken)) throw error;
        this.#pipeline.forget(await read_head(this.database));
        this.#cursors.reset(await read_cursors(this.database));
      }
    }
    this.#offset = next_offset;
  }
}

const source_of = (database: OpenedDatabase): RebuildSource => ({
  database,
  domain: TEST_DOMAIN,
  days: DAYS,
  signal: never,
});

/** Has cells of so many days kept alone, and removes others in small pieces. */
async function keep(database: OpenedDatabase, ages: Readonly<Partial<Record<"1m" | "5m", number>>>): Promise<Kept> {
  const kept = await advance_kept({ database, days: DAYS }, ages, NOW_MS * 1000);
  await sweep(database, kept);
  return kept;
}

async function sweep(database: OpenedDatabase, kept: Kept): Promise<number> {
  let removed = 0;
  for await (const piece of remove_unkept(source_of(database), kept, 7)) removed += piece.removed;
  return removed;
}

/** What is said of a board, but for where it comes from, marks of late corrections, and buckets that were taken back to nothing. */
function said(board: ShownBoard): Record<string, unknown> {
  const settings = { time_zone: TEST_TIME_ZONE, currency: "USD", board: trips_board };
  const { log_id: _, computed: __, sources: ___, breakdowns, ...data } = board_data(board, settings, 0) as Record<
    string,
    unknown
  >;
  return {
    ...data,
    series: without_zeros(data.series as Columns),
    compared_series: without_zeros(data.compared_series as Columns),
    breakdowns: [...breakdowns as { dimension: string }[]].sort((a, b) => a.dimension < b.dimension ? -1 : 1),
  };
}

type Columns = Readonly<Record<string, readonly number[] | string | number>>;

function without_zeros({ revised_ms: _, name, shift_s, ...columns }: Columns): unknown {
  const { t, ...figures } = columns as Record<string, number[]>;
  const some = t!.flatMap((_, i) => Object.values(figures).some((column) => (column[i] ?? 0) !== 0) ? [i] : []);
  return [
    name,
    shift_s,
    Object.entries({ t, ...figures }).map(([name, column]) => [name, some.map((i) => column![i])]),
  ];
}

const board_of = (database: Database, view: View): Promise<ShownBoard> => {
  const source = { database, board: trips_board, days: DAYS, lane_timeout_ms: 60_000 };
  return read_whole_board(source, { view, window: window_at(view, NOW_MS, DAYS) }, NOW_MS);
};

/** A board as of a position. */
const past_of = (database: Database, view: View, position: number): Promise<ShownBoard> =>
  snapshot(database, async (reading) => {
    const { watermark_us } = await moment_at_position(reading, position), { position: head } = await read_head(reading);
    const newest_event_ms = watermark_us === null ? null : Math.floor(watermark_us / 1000);
    const states = await past_states(TEST_DOMAIN)(reading, position, head);
    const watched = { view, window: window_at(view, NOW_MS, DAYS) },
      then = { position, newest_event_ms, now_ms: NOW_MS };
    return await read_past_board(reading, { board: trips_board, days: DAYS }, watched, states, then);
  });

/** Cells and sketches, of what is kept, and how many there are of what is not. */
async function read_models_of(database: Database, kept: Kept) {
  const unkept = PASSING_GRAINS.flatMap((grain) => {
    const from = kept[grain];
    return from === undefined ? [] : [`grain = '${grain}' and bucket < to_timestamp(${from / 1e6})`];
  }).join(" or ") || "false";
  const of = (table: string) =>
    database.query(
      `select to_jsonb(c) - 'first_position' as row from ${table} c where not (${unkept}) order by grain, dimension, bucket, key${
        table === "trip_sketches" ? ", sketch" : ""
      }`,
    );
  const [left] = await database.query(
    `select (select count(*) from trip_cells where ${unkept}) + (select count(*) from trip_sketches where ${unkept}) as rows`,
  );
  return { cells: await of("trip_cells"), sketches: await of("trip_sketches"), left: Number(left!.rows) };
}

tacho_test({
  name:
    "with retention on, every figure that was there is there, cells that are kept are right to the bit, and no others are made",
  needs: ["postgres"],
  async fn() {
    const events = fc.array(trip_event, { minLength: 60, maxLength: 220 });
    const asked = fc.array(fc.tuple(random_span, random_filter), { minLength: 3, maxLength: 4 });
    // The newest event is at most two hours after the midnight that lies in all of them.
    const ages = fc.constantFrom<Readonly<Partial<Record<"1m" | "5m", number>>>>(
      { "1m": 0.01 },
      { "1m": 0.01, "5m": 0.01 },
      { "1m": 0.01, "5m": 0.1 },
    );
    const cuts = fc.array(fc.tuple(fc.nat(), fc.boolean()), { minLength: 3, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(events, asked, ages, cuts, async (all, views, age, places) => {
        const whole = new Log(await fresh_database()), kept_log = new Log(await fresh_database());
        try {
          let at = 0;
          for (
            const [to, removes] of [
              ...places.map(([n, r]) => [n % all.length, r] as const),
              [all.length, true] as const,
            ]
          ) {
            if (to > at) {
              await whole.add(all.slice(at, to));
              await kept_log.add(all.slice(at, to));
              at = to;
            }
            // Now and then what is not kept is still there, and what comes late is not written to it.
            if (removes) await keep(kept_log.database, age);
            else await advance_kept({ database: kept_log.database, days: DAYS }, age, NOW_MS * 1000);
          }
          const { kept } = await read_head(kept_log.database);
          await sweep(kept_log.database, kept);
          const expected = await read_models_of(whole.database, kept);
          assert.deepEqual(await read_models_of(kept_log.database, kept), { ...expected, left: 0 });
          assert.deepEqual((await verified(kept_log.database)).faults, []);

          const sent = all.map((each, offset) => message(offset, each, NOW_MS));
          const { trips } = oracle(sent, { currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS, read_ms: NOW_MS });
          // Breakdowns leave out the condition on their own dimension.
          const one = [{ dimension: "city", keys: ["Chicago"], excluded: false }];
          const looked_at = [...views, ...views.map(([span]) => [span, []] as const), [views[0]![0], one] as const];
          for (const [span, filter] of looked_at) {
            const view: View = { ...span, filter, compare: "weekday" };
            const window = window_at(view, NOW_MS, DAYS);
            if (filter.length > 0 && window.to_s - window.from_s > 31 * 86_400) continue;
            const now = await board_of(kept_log.database, view);
            assert.deepEqual(said(now), said(await board_of(whole.database, view)));
            counted_by_oracle(now, trips.values(), view);
            if (too_long_for_states(window)) continue;
            const { position } = await read_head(whole.database);
            for (const then of [1, Math.ceil(position / 2), position - 1, position]) {
              if (then < 1) continue;
              const [of_kept, of_whole] = [
                await past_of(kept_log.database, view, then),
                await past_of(whole.database, view, then),
              ];
              assert.deepEqual(said(of_kept), said(of_whole), `as of position ${then} of ${position}`);
            }
          }

          // Made anew it is the same, and all of it comes back where that is asked for.
          const source = source_of(kept_log.database);
          for (const [name, all_cells] of [["v2", false], ["v3", true]] as const) {
            await begin_read_model(source, name, all_cells);
            const rebuild = new Rebuild(source, name);
            await rebuild.catch_up(() => {});
            assert.deepEqual((await compare_read_models(source, name)).examples, []);
            await rebuild.switch_in();
            const now = (await read_head(kept_log.database)).kept;
            assert.deepEqual(now, all_cells ? {} : kept);
            const expected = await read_models_of(whole.database, now);
            assert.deepEqual(await read_models_of(kept_log.database, now), { ...expected, left: 0 });
            assert.deepEqual((await verified(kept_log.database)).faults, []);
          }
        } finally {
          await whole.database.close();
          await kept_log.database.close();
        }
      }),
      { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 3), endOnFailure: true },
    );
  },
});

/** A log of two days, of which the first has no cells of minutes and five minutes any more. */
async function with_two_days(work: (database: OpenedDatabase, log: Log) => Promise<void>): Promise<void> {
  const database = await fresh_database();
  try {
    const log = new Log(database);
    await log.add(FIRST_DAY);
    await log.add([trip("Z", "2026-03-08T06:20:00Z")]);
    assert.deepEqual(await keep(database, { "1m": 0.01, "5m": 0.01 }), { "1m": MIDNIGHT_US, "5m": MIDNIGHT_US });
    await work(database, log);
  } finally {
    await database.close();
  }
}

const MIDNIGHT_US = Date.UTC(2026, 2, 8, 5) * 1000;
const trip = (id: string, occurred_at: string, more: Readonly<Record<string, unknown>> = {}) => (
  { trip_id: id, event_id: `${id} ${occurred_at}`, type: "trip.completed", occurred_at, fare: "10.00", ...more }
);
const FIRST_DAY = [
  trip("A", "2026-03-07T12:00:10Z", { city: "Chicago", fare: "5.00" }),
  trip("B", "2026-03-07T12:01:20Z", { city: "Boston", fare: "50.00" }),
  trip("C", "2026-03-07T12:07:30Z", { city: "Chicago", fare: "7.00" }),
];

tacho_test({
  name:
    "the API answers what has no cells any more from states, from coarser cells, or says from when on there are some",
  needs: ["postgres"],
  fn: () =>
    with_two_days(async (database) => {
      const { get } = await make_http_side(database, { time_zone: TEST_TIME_ZONE, days: DAYS });
      const json = async (path: string) => {
        const response = await get(path);
        return { status: response.status, body: await response.json() };
      };
      const range = "from=2026-03-07T12:00:00Z&to=2026-03-07T12:10:00Z";
      const series = await json(`/api/v1/kpis/series?measure=revenue&grain=5m&${range}`);
      assert.deepEqual([series.status, series.body.computed, series.body.points], [200, true, [
        { at: "2026-03-07T12:00:00.000000Z", value: "55.00" },
        { at: "2026-03-07T12:05:00.000000Z", value: "7.00" },
      ]]);
      const later = await json(
        "/api/v1/kpis/series?measure=revenue&grain=5m&from=2026-03-08T05:00:00Z&to=2026-03-08T07:00:00Z",
      );
      assert.deepEqual([later.body.computed, later.body.points.length], [false, 1]);

      const breakdown = await json(`/api/v1/kpis/breakdown?dimension=city&${range}`);
      assert.deepEqual(
        [breakdown.body.from, breakdown.body.to, breakdown.body.rows.map(({ key }: { key: string }) => key)],
        ["2026-03-07T12:00:00.000000Z", "2026-03-07T13:00:00.000000Z", ["Chicago", "Boston"]],
      );
      const median = Object.entries(trips_board.figures).find(([, { kind }]) => kind === "quantile")![0];
      const refused = await json(`/api/v1/kpis/series?measure=${median}&grain=1m&${range}`);
      assert.equal(refused.status, 400);
      assert.match(
        JSON.stringify(refused.body),
        /expected 2026-03-08T05:00:00.000000Z or later: sketches of 1m are kept from then on/,
      );
      const hours = await json(`/api/v1/kpis/series?measure=${median}&grain=1h&${range}`);
      assert.deepEqual([hours.status, hours.body.points.length], [200, 1]);
      const greatest = Object.entries(trips_board.figures).find(([, figure]) =>
        figure.kind === "total" && figure.measure === "fare_max_micros"
      )![0];
      const highest = await json(`/api/v1/kpis/greatest?measure=${greatest}&${range}`);
      assert.deepEqual([highest.status, highest.body.id, highest.body.value], [200, "B", "50.00"]);
    }),
});

tacho_test({
  name: "made anew by another business time zone, cells of fine grains are kept from a midnight of that zone on",
  needs: ["postgres"],
  fn: () =>
    with_two_days(async (database, log) => {
      await log.add([trip("Y", "2026-03-08T19:00:00Z", { city: "Boston" })]);
      const settings = { time_zone: "Asia/Kathmandu", h3_resolution: DEFAULT_H3_RESOLUTION };
      const source = { ...source_of(database), days: days_in(settings.time_zone), settings };
      await begin_read_model(source, "v2");
      const rebuild = new Rebuild(source, "v2");
      await rebuild.catch_up(() => {});
      const { different, examples } = await compare_read_models(source, "v2");
      assert.deepEqual([different, examples], [0, []]);
      await rebuild.switch_in();
      const midnight_us = Date.UTC(2026, 2, 8, 18, 15) * 1000;
      assert.deepEqual((await read_head(database)).kept, { "1m": midnight_us, "5m": midnight_us });
      assert.deepEqual((await verified(database, {}, { domain: TEST_DOMAIN, days: source.days })).faults, []);
      const [cells] = await database.query(
        "select count(*) filter (where grain = '1m')::int as minutes, count(*) filter (where grain = '1d')::int as days from trip_cells where dimension = 'none'",
      );
      assert.deepEqual(cells, { minutes: 1, days: 3 });
    }),
});

tacho_test({
  name: "an extreme that is taken back in an hour without finer cells is looked for among the states",
  needs: ["postgres"],
  fn: () =>
    with_two_days(async (database, log) => {
      await log.add([{ trip_id: "B", event_id: "v", type: "trip.voided", occurred_at: "2026-03-08T06:21:00Z" }]);
      const cells = await database.query(
        `select grain, fare_max_micros::text as most, completed::int as completed from trip_cells
          where dimension = 'none' and bucket < to_timestamp(${MIDNIGHT_US / 1e6}) order by grain`,
      );
      assert.deepEqual(cells, [
        { grain: "1d", most: "7000000", completed: 2 },
        { grain: "1h", most: "7000000", completed: 2 },
        { grain: "all", most: "10000000", completed: 3 },
      ]);
      assert.deepEqual((await verified(database)).faults, []);
    }),
});

tacho_test({
  name: "what is not kept stays so, and nobody removes what is kept",
  needs: ["postgres"],
  fn: () =>
    with_two_days(async (database) => {
      for (
        const change of [
          "kept_1m_from = null, kept_5m_from = null",
          "kept_1m_from = kept_1m_from - interval '1 second'",
          "kept_5m_from = null",
        ]
      ) {
        await assert.rejects(
          database.execute(`update log_head set ${change}`),
          /refused: what is not kept any more may be gone: only a rebuild brings it back/,
        );
      }
      await assert.rejects(
        database.execute("update log_head set kept_5m_from = kept_1m_from + interval '1 day'"),
        /log_head_keeps_coarser_cells_longer/,
      );
      const rows = async () => (await database.query("select count(*)::int as rows from trip_cells"))[0]!.rows;
      const before = await rows();
      const remove = (table: string, grain: string) =>
        database.query("select removed from remove_unkept($1, $2, 'none', '-infinity', 1000)", [table, grain]);
      for (const grain of ["1m", "5m", "1h", "1d", "all", "x"]) {
        assert.deepEqual(await remove("trip_cells", grain), [{ removed: 0 }], grain);
      }
      assert.equal(await rows(), before);
      for (const table of ["events", "batches", "quarantine", "log_head", "absent", "trip_cells; drop table trips"]) {
        await assert.rejects(remove(table, "1m"), /is no table of cells/, table);
      }
      await assert.rejects(remove("trips", "1m"), /column "grain" does not exist|column cells.grain|column "bucket"/);
      // An earlier time is no reason to go back, nor is a later one past the clock or without an event.
      const source = { database, days: DAYS };
      const { kept } = await read_head(database);
      assert.deepEqual(await advance_kept(source, { "1m": 30, "5m": 300 }, NOW_MS * 1000), kept);
      assert.deepEqual(await advance_kept(source, { "1m": 0.01 }, Date.UTC(2020, 0, 1) * 1000), kept);
      const empty = await fresh_database();
      try {
        assert.deepEqual(await advance_kept({ database: empty, days: DAYS }, { "1m": 1 }, NOW_MS * 1000), {});
      } finally {
        await empty.close();
      }
    }),
});

tacho_test({
  name: "cells are removed while the log is archived, and the other way round",
  needs: ["postgres"],
  fn: async () => {
    const database = await fresh_database();
    try {
      await new Log(database).add([...FIRST_DAY, trip("Z", "2026-03-08T06:20:00Z")]);
      const kept = await advance_kept({ database, days: DAYS }, { "1m": 0.01, "5m": 0.01 }, NOW_MS * 1000);
      // At it in another program.
      await database.transaction(async (tx) => {
        await tx.query(
          `select pg_advisory_xact_lock(${ADVISORY_LOCKS.remove}, hashtext(coalesce(current_schema(), current_setting('search_path'))))`,
        );
        assert.equal(await while_alone(database, () => Promise.resolve("archived")), "archived");
        assert.equal(await sweep(database, kept), 0);
      });
      assert.ok(await while_alone(database, () => sweep(database, kept)) > 0);
    } finally {
      await database.close();
    }
  },
});

/** Holds the completed trips of a board's buckets against the oracle's. */
function counted_by_oracle({ series, window }: ShownBoard, trips: Iterable<TripRow>, { filter }: View): void {
  const wanted = oracle_board(trips, filter, window, window.grain, LOCAL_DAY).buckets;
  const completed = [...wanted].filter(([, { completed }]) => completed > 0n).map((
    [t, { completed }],
  ) => [t, Number(completed)]);
  const shown = series.t.map((t, i) => [t, series.completed![i]!] as const).filter(([, count]) => count > 0);
  assert.deepEqual(shown, completed.sort(([a], [b]) => Number(a) - Number(b)));
}
