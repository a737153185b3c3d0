import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { past_states } from "../../src/feed/figures/mod.ts";
import { read_greatest } from "../../src/feed/figures/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { ALL_CELLS } from "../support/all_cells.ts";
import { tacho_test } from "../support/available.ts";
import { make_retry } from "../support/held_messages.ts";
import { make_http_side } from "../support/http_side.ts";
import { compare_with_database, oracle } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import {
  feed,
  LIMITS,
  message,
  migrated,
  READ_MS,
  TERMS,
  TEST_DOMAIN,
  TEST_TIME_ZONE,
  trip_pipeline,
} from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

/** Trips that are taken back: what is counted of them, and where they no longer are. */

const DAYS = days_in(TEST_TIME_ZONE);

type Event = Readonly<Record<string, unknown>>;
const told = (trip_id: string, type: string, time: string, data: Event = {}): Event => ({
  event_id: `${type} ${time}`,
  trip_id,
  type: `trip.${type}`,
  occurred_at: `2026-03-0${time}:00Z`,
  city: "Chicago",
  ...data,
});

/** A log of trips that grows by batches; every figure of it agrees with the oracle and with verify. */
class GrowingLog {
  readonly #pipeline;
  readonly #events: Event[] = [];
  readonly #cursors = new Cursors();

  constructor(readonly database: Database, readonly read_ms = READ_MS) {
    this.#pipeline = trip_pipeline(database, () => read_ms);
  }

  async add(...events: readonly Event[]): Promise<void> {
    const from_offset = this.#events.length;
    this.#events.push(...events);
    const messages = events.map((each, i) => message(from_offset + i, each));
    await feed(this.#pipeline, [
      { topic: "trips", partition: 0, from_offset, next_offset: this.#events.length, messages },
    ], this.#cursors);
  }

  /** The batches were as far from each other in memory as after a restart. */
  forget(): void {
    this.#pipeline.forget({ watermark_us: null, forgotten: null });
  }

  async agrees(): Promise<void> {
    const messages = this.#events.map((each, offset) => message(offset, each));
    const terms = { currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS, read_ms: this.read_ms };
    const query = (sql: string) => this.database.query(sql);
    assert.deepEqual(await compare_with_database(query, oracle(messages, terms)), []);
    assert.deepEqual((await verified(this.database)).faults, []);
  }

  /** The measures of a cell that are something. */
  async cell(grain: string, bucket: string, dimension = "none", key = "all"): Promise<Record<string, number>> {
    const [row = {}] = await this.database.query(
      "select * from trip_cells where grain = $1 and bucket = $2::timestamptz and dimension = $3 and key = $4",
      [grain, bucket, dimension, key],
    );
    const measures = TEST_DOMAIN.measures.map(({ name }) => [name, Number(row[name] ?? 0)] as const);
    return Object.fromEntries(measures.filter(([, value]) => value !== 0));
  }
}

function voids_test(name: string, fn: (log: GrowingLog) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const database = await open_database({ url, data_dir: null, connections: 4 });
      try {
        await fn(new GrowingLog(database));
      } finally {
        await database.close();
      }
    },
  });
}

const COMPLETION = { fare: "12.50", tip: "1", distance_km: 2, duration_min: 9, driver_id: "D1" };

voids_test(
  "a void takes back what the trip had counted, extremes and sketches too, and leaves it in no list of what counts",
  async (log) => {
    await log.add(
      told("low", "completed", "1T10:00", { ...COMPLETION, fare: 3 }),
      told("high", "completed", "1T10:01", { ...COMPLETION, fare: 90 }),
      told("high", "canceled", "1T10:02"),
      told("mid", "completed", "1T10:02", COMPLETION),
    );
    const before = await log.database.query("select position from log_head");
    log.forget();
    // Another day than the completion's, in New York.
    await log.add(told("high", "voided", "1T05:30", { reason: "refunded" }), told("low", "voided", "1T04:30"));
    await log.agrees();
    const one = {
      trips: 1,
      completed: 1,
      fare_count: 1,
      fare_sum_micros: 12_500_000,
      fare_min_micros: 12_500_000,
      fare_max_micros: 12_500_000,
      tip_sum_micros: 1_000_000,
      distance_sum_m: 2_000,
      distance_count: 1,
      duration_sum_ms: 540_000,
      duration_count: 1,
    };
    assert.deepEqual(await log.cell("1h", "2026-03-01T10:00:00Z"), one);
    assert.deepEqual(await log.cell("1d", "2026-03-01T05:00:00Z"), { ...one, voided: 1 });
    assert.deepEqual(await log.cell("1d", "2026-02-28T05:00:00Z"), { voided: 1 });
    assert.deepEqual(await log.cell("all", "epoch", "status", "voided"), { voided: 2 });

    const stretch = { from_us: Date.UTC(2026, 2, 1) * 1000, to_us: Date.UTC(2026, 2, 2) * 1000 };
    const greatest = (position: number) =>
      log.database.transaction(async (tx) => {
        const head = Number((await tx.query("select position from log_head"))[0]?.position);
        const states = await past_states(TEST_DOMAIN)(tx, position || head, head);
        const counted = { filter: [], ...stretch };
        return await read_greatest(tx, { board: trips_board, days: DAYS }, states, "fare_max_micros", counted);
      });
    assert.equal((await greatest(0))?.stream_id, "mid");
    assert.equal((await greatest(Number(before[0]?.position)))?.stream_id, "high", "as it was then");

    const { get } = await make_http_side(log.database, { time_zone: TEST_TIME_ZONE });
    const json = async (path: string) => await (await get(path)).json();
    const day = await json("/api/v1/kpis/daily?date=2026-03-01");
    assert.deepEqual([day.trip_count, day.metrics.total_fare, day.metrics.max_fare], [1, 12.5, 12.5]);
    const { trip_count, total_revenue } = await json("/metrics/driver/D1");
    assert.deepEqual([trip_count, total_revenue], [1, 12.5]);
    const window = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z";
    const { rows } = await json(`/api/v1/kpis/breakdown?dimension=status&${window}`);
    assert.deepEqual(rows, [{ key: "voided", trips: 2, revenue: "0.00" }, {
      key: "completed",
      trips: 1,
      revenue: "12.50",
    }]);
    for (const filter of ["", "&city=Chicago&driver=D1"]) {
      const { cards, breakdowns } = await json(`/api/v1/board?${window}${filter}`);
      assert.deepEqual(
        [
          cards.voided,
          cards.voids_waiting,
          cards.trips,
          cards.completed,
          cards.average_fare,
          cards.conflicts,
          cards.canceled,
        ],
        [2, 0, 1, 1, 12.5, 0, 0],
      );
      const by_status = breakdowns.find(({ dimension }: { dimension: string }) => dimension === "status");
      assert.deepEqual(by_status.rows.map(({ key, trips }: { key: string; trips: number }) => [key, trips]), [
        ["voided", 2],
        ["completed", 1],
      ]);
    }
    const listed = await json("/api/v1/trips?status=voided");
    assert.deepEqual(
      listed.trips.map((
        trip: Record<string, unknown>,
      ) => [trip.trip_id, trip.void_reason, trip.fare, trip.completion_fare]),
      [["low", null, null, "3.00"], ["high", "refunded", null, "90.00"]],
    );
  },
);

voids_test(
  "a void of a trip that nobody knows waits, and what comes later is taken back too: completion, correction, another void",
  async (log) => {
    const all = async () => await log.cell("all", "epoch");
    await log.add(told("T", "voided", "1T10:00", { reason: "mirror" }));
    assert.deepEqual(await all(), { voided: 1, voids_waiting: 1 });
    await log.agrees();
    await log.add(
      told("T", "fare_adjusted", "1T11:00", { fare: 5 }),
      told("T", "started", "1T09:00"),
      told("T", "canceled", "1T09:30"),
    );
    assert.deepEqual(await all(), { voided: 1, voids_waiting: 1 });
    log.forget();
    await log.add(told("T", "completed", "1T09:59", COMPLETION));
    assert.deepEqual(await all(), { voided: 1 });
    await log.add(told("T", "voided", "1T10:20"), told("T", "requested", "1T08:00"), told("T", "voided", "1T09:00"));
    assert.deepEqual(await all(), { voided: 1 });
    assert.deepEqual(await log.cell("5m", "2026-03-01T10:20:00Z", "city", "Chicago"), { voided: 1 });
    await log.agrees();
  },
);

voids_test("a void that was held in quarantine takes its trip back when it is retried", async (log) => {
  const void_of_t = told("T", "voided", "1T12:30");
  await log.add(told("T", "completed", "1T10:00", COMPLETION));
  const early = trip_pipeline(log.database, () => Date.UTC(2026, 2, 1, 11));
  await feed(early, [{
    topic: "voids",
    partition: 0,
    from_offset: 0,
    next_offset: 1,
    messages: [message(0, void_of_t)],
  }]);
  assert.equal((await log.cell("all", "epoch")).completed, 1);
  const retry = await make_retry(log.database, { ...LIMITS, read_ms: Date.UTC(2026, 2, 1, 12) });
  await retry.run(new AbortController().signal);
  assert.deepEqual(await log.cell("all", "epoch"), { voided: 1 });
  assert.deepEqual((await verified(log.database)).faults, []);
});

voids_test("ten thousand voids in a batch take all their trips back", async (log) => {
  const trips = Array.from({ length: 10_000 }, (_, i) => i);
  const at = (i: number) => new Date(Date.UTC(2026, 1, 1) + i * 2_000).toISOString();
  const event = (i: number, type: string, data: Event = {}) => ({
    ...told(`T-${i}`, type, "", data),
    occurred_at: at(i),
  });
  await log.add(...trips.map((i) => event(i, "completed", { ...COMPLETION, fare: i % 977, driver_id: `D${i % 7}` })));
  log.forget();
  await log.add(...trips.map((i) => event(i, "voided")));
  assert.deepEqual(await log.cell("all", "epoch"), { voided: 10_000 });
  const [left] = await log.database.query(
    `select count(*) filter (where completed + coalesce(trips, 0) + fare_count <> 0 or fare_sum_micros <> 0 or fare_max_micros is not null)::int as cells,
      (select count(*)::int from trip_sketches where bins <> '{}') as sketches from ${ALL_CELLS} c`,
  );
  assert.deepEqual([left?.cells, left?.sketches], [0, 0]);
  assert.deepEqual((await verified(log.database)).faults, []);
});
