import assert from "node:assert/strict";
import fc from "fast-check";
import type { RecordedEvent } from "../../src/event_log/mod.ts";
import { CellChanges, type ChangedCell, column_measures, days_in, format_time, parse_time } from "../../src/kpi/mod.ts";
import { stream_history, type StreamStep } from "../../src/projection/mod.ts";
import { TEST_DOMAIN, TEST_TIME_ZONE } from "../support/trip_pipeline.ts";

/** What the arrival of each event of a trip changed. */

const DAYS = days_in(TEST_TIME_ZONE);

interface Arrival {
  readonly type: string;
  /** Also its event id, unless it has another. */
  readonly at: string;
  readonly id?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Events of one trip as the log has them, in this order of arrival; times are of 2026-03-01. */
function recorded(arrivals: readonly Arrival[]): RecordedEvent[] {
  return arrivals.map(({ type, at, id = at, data = {} }, i) => {
    const time = parse_time(`2026-03-01T${at}Z`);
    assert(time.ok);
    return {
      position: 10 * (i + 1),
      stream_id: "t",
      revision: i + 1,
      event_id: id,
      type: `trip.${type}`,
      schema_version: 1,
      occurred_at_us: time.us,
      recorded_at_us: time.us,
      data: JSON.stringify(data),
      metadata: "{}",
    };
  });
}

function steps_of(arrivals: readonly Arrival[]): readonly StreamStep[] {
  const history = stream_history(TEST_DOMAIN, DAYS, recorded(arrivals));
  assert(history.ok);
  return history.steps;
}

type Sums = Record<string, bigint>;

/** Sums by cell and measure, without zeros. */
function add_up(cells: readonly ChangedCell[]): Sums {
  const sums: Sums = {};
  for (const { dimension, key, bucket_us, grain, change } of cells) {
    column_measures(TEST_DOMAIN.measures).forEach(({ name }, m) => {
      const cell = `${dimension}=${key} ${grain} ${
        grain === "all" ? "" : format_time(bucket_us).slice(11, 16)
      } ${name}`;
      sums[cell] = (sums[cell] ?? 0n) + BigInt(change.sum(m));
    });
  }
  return Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0n).sort());
}

/** What a step changed in the cells of everything, in words. */
const whole = ({ cells }: StreamStep): string[] =>
  Object.entries(add_up(cells.filter(({ dimension }) => dimension === "none"))).map(([cell, sum]) =>
    `${cell.slice("none=all 1m ".length)} ${sum}`
  );

/** The state that events make, and what it adds to the finest cells. */
function folded(arrivals: readonly Arrival[]) {
  const sorted = recorded(arrivals).sort((a, b) =>
    a.occurred_at_us - b.occurred_at_us || (a.event_id < b.event_id ? -1 : 1)
  );
  let state = TEST_DOMAIN.initial;
  for (const event of sorted) {
    const payload = TEST_DOMAIN.parse(event.type, 1, JSON.parse(event.data));
    assert(payload.ok);
    state = TEST_DOMAIN.fold(state, { ...event, payload: payload.value });
  }
  const changes = new CellChanges(TEST_DOMAIN, DAYS);
  changes.replace(null, TEST_DOMAIN.contribution(state), 1);
  const finest = [...changes.cells()].filter(({ dimension, grain }) =>
    TEST_DOMAIN.dimensions.find(({ name }) => name === dimension)?.grains[0] === grain
  );
  return {
    row: Object.fromEntries(TEST_DOMAIN.columns.map(({ name, get }) => [name, get(state)])),
    sums: add_up(finest),
  };
}

const arrival: fc.Arbitrary<Arrival> = fc.record({
  type: fc.constantFrom("requested", "started", "completed", "canceled", "fare_adjusted", "voided"),
  at: fc.tuple(fc.integer({ min: 3, max: 6 }), fc.constantFrom("00:00", "00:59", "04:59.999999", "59:00"))
    .map(([hour, rest]) => `0${hour}:${rest}`),
  id: fc.string({ minLength: 1, maxLength: 3 }),
  data: fc.record({
    fare: fc.constantFrom("0", "12.50", "1000000000000", 7.25),
    city: fc.constantFrom("Chicago", "Boston", null),
    driver_id: fc.constantFrom("D1", "D2", ""),
    distance_km: fc.constantFrom(0, 2.5),
    pickup_lat: fc.constant(41.88),
    pickup_lon: fc.constantFrom(-87.63, 10),
  }, { requiredKeys: ["fare"] }),
});

Deno.test("in any order of arrival, the changes of a trip add up to what it contributes, and lead from one state to the next", () => {
  const arrivals = fc.uniqueArray(arrival, { minLength: 1, maxLength: 12, selector: ({ id }) => id });
  fc.assert(
    fc.property(arrivals, (events) => {
      const steps = steps_of(events), { row, sums } = folded(events);
      assert.deepEqual(add_up(steps.flatMap(({ cells }) => cells)), sums);
      assert.deepEqual(steps.map(({ before }) => before), [null, ...steps.slice(0, -1).map(({ after }) => after)]);
      assert.deepEqual(steps.at(-1)?.after, row);
      // As it stood after each arrival: what came later is not known yet.
      steps.forEach(({ after }, i) => assert.deepEqual(after, folded(events.slice(0, i + 1)).row));
    }),
    { numRuns: 40 },
  );
});

const START: Arrival = { type: "started", at: "10:02:30", data: { city: "Chicago" } };
const COMPLETION: Arrival = { type: "completed", at: "10:20:00", data: { fare: "12.50", driver_id: "D1" } };
const CANCELLATION: Arrival = { type: "canceled", at: "10:25:00" };
const CORRECTION: Arrival = { type: "fare_adjusted", at: "11:00:00", data: { fare: "20" } };

const COMPLETED = ["10:20 completed 1", "10:20 fare_count 1", "10:20 fare_sum_micros 12500000"];

Deno.test("a start that comes after the completion moves the trip to its start and makes its duration known", () => {
  const [completed, started] = steps_of([COMPLETION, START]);
  assert.deepEqual(whole(completed!), [...COMPLETED, "10:20 trips 1"]);
  assert.deepEqual(whole(started!), [
    "10:02 started 1",
    "10:02 trips 1",
    "10:20 duration_count 1",
    "10:20 duration_sum_ms 1050000",
    "10:20 trips -1",
  ]);
  assert.deepEqual([started!.before?.status, started!.after.status], ["completed", "completed"]);
  assert.deepEqual([started!.before?.duration_ms, started!.after.duration_ms], [null, 1_050_000]);
  assert.equal(
    add_up(started!.cells)["city=Chicago 1m 10:20 completed"],
    1n,
    "it names the city of the completion too",
  );
  assert.equal(add_up(started!.cells)["city=unknown 1m 10:20 completed"], -1n);
});

Deno.test("a correction moves the fare by the difference, and none when it comes before what it corrects", () => {
  const [, correction] = steps_of([COMPLETION, CORRECTION]);
  assert.deepEqual(whole(correction!), ["10:20 fare_sum_micros 7500000"]);
  assert.equal(add_up(correction!.cells)["driver=D1 all  fare_sum_micros"], 7_500_000n);
  const [early, completed] = steps_of([CORRECTION, COMPLETION]);
  assert.deepEqual(whole(early!), []);
  assert.deepEqual(whole(completed!), [
    "10:20 completed 1",
    "10:20 fare_count 1",
    "10:20 fare_sum_micros 20000000",
    "10:20 trips 1",
  ]);
  // An older correction that comes later changes nothing.
  const [, , older] = steps_of([COMPLETION, CORRECTION, { ...CORRECTION, at: "10:59:59", data: { fare: "1" } }]);
  assert.deepEqual(older!.cells, []);
});

Deno.test("a correction gives a completion without a fare one, which then counts in every fare figure", () => {
  const [completed, correction] = steps_of([{ ...COMPLETION, data: { driver_id: "D1" } }, CORRECTION]);
  assert.deepEqual(whole(completed!), ["10:20 completed 1", "10:20 trips 1"]);
  assert.deepEqual(whole(correction!), ["10:20 fare_count 1", "10:20 fare_sum_micros 20000000"]);
  assert.deepEqual([completed!.after.fare_micros, correction!.after.fare_micros], [null, 20_000_000]);
});

Deno.test("a completion takes a cancellation back; a cancellation after it is a conflict and nothing else", () => {
  const [canceled, completed] = steps_of([CANCELLATION, COMPLETION]);
  assert.deepEqual(whole(canceled!), ["10:25 canceled 1", "10:25 trips 1"]);
  assert.deepEqual(whole(completed!), [
    "10:20 completed 1",
    "10:20 conflicts 1",
    "10:20 fare_count 1",
    "10:20 fare_sum_micros 12500000",
    "10:20 trips 1",
    "10:25 canceled -1",
    "10:25 trips -1",
  ]);
  const [, after] = steps_of([COMPLETION, CANCELLATION]);
  assert.deepEqual(whole(after!), ["10:20 conflicts 1"]);
  assert.equal(after!.after.status, "completed");
});

Deno.test("an event that is refused by now is named", () => {
  const history = stream_history(TEST_DOMAIN, DAYS, recorded([START, { type: "fare_adjusted", at: "10:20:00" }]));
  assert.deepEqual(history, {
    ok: false,
    fault: "event 20 is refused today: expected fare, which trip.fare_adjusted requires; it is absent",
  });
});
