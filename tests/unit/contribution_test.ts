import assert from "node:assert/strict";
import { type Trip, trips_domain } from "../../src/domains/trips/mod.ts";
import type { DomainEvent } from "../../src/domains/mod.ts";
import { GRAINS } from "../../src/kpi/mod.ts";

const DOMAIN = trips_domain({ currency: "USD", h3_resolution: 9 });
const { dimensions, measures, columns, contribution, initial, from_row } = DOMAIN;
const fold = DOMAIN.fold as (trip: unknown, event: DomainEvent) => Trip;

const event = (type: string, minute: number, payload: object = {}): DomainEvent => ({
  stream_id: "T",
  event_id: type,
  type: `trip.${type}`,
  schema_version: 1,
  occurred_at_us: minute * 60e6,
  payload,
  data: "{}",
  attributes: null,
});
const folded = (...events: DomainEvent[]): Trip => events.reduce(fold, initial as Trip);
/** What a trip adds: minute and values by measure name. */
const added = (trip: unknown): Record<string, string> =>
  Object.fromEntries(
    contribution(trip).facts.filter((fact) => fact !== null).flatMap(({ at_us, measures: of, values }) =>
      of.map((m, i) => [measures[m]!.name, `${values[i]} at ${at_us / 60e6}`])
    ),
  );

Deno.test("the keys of a contribution stand in the order of the catalog's dimensions, each the state's column", () => {
  const named = Object.fromEntries(
    columns.filter(({ type }) => type === "text").map(({ name }) => [name, `the ${name}`]),
  );
  const trip = from_row(named);
  const { keys } = contribution(trip);
  assert.equal(keys.length, dimensions.length);
  for (const [d, { name, column }] of dimensions.entries()) {
    const wanted = name === "none" ? "all" : name === "status" ? "requested" : `the ${column}`;
    assert.equal(keys[d], wanted, name);
  }
  assert.deepEqual(contribution(initial).keys.slice(2), dimensions.slice(2).map(() => "unknown"));
});

Deno.test("every dimension reads a column that the state has, in grains from fine to coarse", () => {
  const names = new Set(columns.map(({ name }) => name));
  for (const { column, grains } of dimensions) {
    assert.ok(column === null || names.has(column), String(column));
    assert.deepEqual(grains, GRAINS.filter((grain) => grains.includes(grain)));
    assert.equal(grains.at(-1), "all");
  }
  for (const measure of measures) if ("column" in measure) assert.ok(names.has(measure.column));
});

/** Pairs that others published: the README of h3-js, H3's own documentation, Snowflake's. */
const KNOWN_CELLS = [
  [37.3615593, -122.0553238, 7, "87283472bffffff"],
  [37.7752702151959, -122.418307270836, 9, "8928308280fffff"],
  [40.689167, -74.044444, 10, "8a2a1072b59ffff"],
  [52.516262, 13.377704, 8, "881f1d4887fffff"],
] as const;

Deno.test("a pickup has the H3 cell of its coordinates at the deployment's resolution", () => {
  for (const [pickup_lat, pickup_lon, h3_resolution, cell] of KNOWN_CELLS) {
    const domain = trips_domain({ currency: "USD", h3_resolution });
    const trip = domain.fold(domain.initial, event("requested", 1, { pickup_lat, pickup_lon })) as Trip;
    assert.deepEqual([trip.pickup_h3, domain.contribution(trip).keys.at(-1)], [cell, cell]);
  }
});

Deno.test("a pickup's cell is unknown until both coordinates are known, from whichever event, and follows them", () => {
  const half = folded(event("requested", 1, { pickup_lat: 37.7752702151959 }));
  assert.deepEqual([half.pickup_h3, contribution(half).keys.at(-1)], [null, "unknown"]);
  const whole = fold(half, event("started", 2, { pickup_lon: -122.418307270836 }));
  assert.equal(whole.pickup_h3, "8928308280fffff");
  assert.equal(fold(whole, event("completed", 3, { completion_fare_micros: 1 })).pickup_h3, "8928308280fffff");
  for (const wrong of [{ pickup_lat: 0 }, { pickup_lon: 0 }]) {
    const elsewhere = fold(whole, event("started", 3, wrong));
    assert.notEqual(elsewhere.pickup_h3, whole.pickup_h3);
    const { pickup_lat, pickup_lon } = whole;
    const back = "pickup_lat" in wrong ? { pickup_lat } : { pickup_lon };
    assert.equal(fold(elsewhere, event("started", 4, back)).pickup_h3, whole.pickup_h3);
  }
  const moved = { pickup_lat: 37.769377, pickup_lon: -122.388903 };
  assert.equal(fold(whole, event("completed", 3, moved)).pickup_h3, "89283082e73ffff");
});

Deno.test("a pole and the antimeridian are one cell whichever way they are named", () => {
  const cells = (...places: [number, number][]) =>
    new Set(
      places.map(([pickup_lat, pickup_lon]) => folded(event("requested", 1, { pickup_lat, pickup_lon })).pickup_h3),
    );
  assert.deepEqual([...cells([90, 0], [90, 180], [90, -77.5])], ["890326233abffff"]);
  assert.deepEqual([...cells([-90, 0], [-90, -180])], ["89f29380e0fffff"]);
  assert.deepEqual([...cells([0, 180], [-0, -180])], ["897eb57221bffff"]);
});

Deno.test("without a resolution pickups have no cell, and nothing is counted by it", () => {
  const domain = trips_domain({ currency: "USD" });
  const requested = event("requested", 1, { pickup_lat: 1, pickup_lon: 2, passenger_id: "P" });
  const trip = domain.fold(domain.initial, requested) as Trip;
  const { keys } = domain.contribution(trip);
  assert.deepEqual([trip.pickup_h3, keys.length, keys.at(-1)], [null, domain.dimensions.length, "P"]);
  assert.ok(domain.dimensions.every(({ name }) => name !== "pickup_h3"));
});

Deno.test("a state comes back from its row as it was", () => {
  const trip = folded(
    event("requested", 1, { city: "Chicago", pickup_lat: 41.9, pickup_lon: -87.6 }),
    event("started", 2, { driver_id: "D", estimated_fare_micros: 10n ** 18n, estimated_dropoff_us: 5 }),
    event("completed", 3, { completion_fare_micros: 7, passenger_count: 0, distance_m: 0 }),
  );
  assert.deepEqual(from_row(Object.fromEntries(columns.map(({ name, get }) => [name, get(trip)]))), trip);
});

Deno.test("a completed trip counts in the bucket of its completion, once as a trip where it is first known", () => {
  const trip = folded(
    event("requested", 5),
    event("started", 2),
    event("completed", 20, { completion_fare_micros: 9, tip_micros: 1, distance_m: 0 }),
    event("fare_adjusted", 30, { adjusted_fare_micros: 4 }),
  );
  assert.deepEqual(added(trip), {
    trips: "1 at 2",
    requested: "1 at 5",
    started: "1 at 2",
    completed: "1 at 20",
    conflicts: "0 at 20",
    fare_count: "1 at 20",
    fare_sum_micros: "4 at 20",
    fare_min_micros: "4 at 20",
    fare_max_micros: "4 at 20",
    fare_micros: "4 at 20",
    tip_sum_micros: "1 at 20",
    distance_sum_m: "0 at 20",
    distance_count: "1 at 20",
    duration_sum_ms: `${18 * 60_000} at 20`,
    duration_count: "1 at 20",
    duration_ms: `${18 * 60_000} at 20`,
  });
});

Deno.test("a trip was waited for from its request to its start, counted with the start, whenever the request comes", () => {
  const requested = event("requested", 5), started = event("started", 9);
  const waited = { waiting_sum_ms: "240000 at 9", waiting_count: "1 at 9", waiting_ms: "240000 at 9" };
  const waiting_of = (trip: unknown) =>
    Object.fromEntries(Object.entries(added(trip)).filter(([name]) => name.startsWith("waiting")));
  const completed = event("completed", 20, { completion_fare_micros: 9 }), canceled = event("canceled", 12);
  const all = [
    [requested, started],
    [started, requested],
    [started, completed, requested],
    [completed, requested, started],
    [requested, started, canceled],
    [canceled, started, requested],
  ];
  for (const events of all) assert.deepEqual(waiting_of(folded(...events)), waited);
  assert.deepEqual(waiting_of(folded(started)), {}, "no request");
  assert.deepEqual(waiting_of(folded(requested, completed)), {}, "no start");
  assert.deepEqual(waiting_of(folded(started, event("requested", 9.5))), {}, "a request after the start");
  assert.deepEqual(waiting_of(folded(requested, started, event("voided", 30))), {}, "taken back");
  assert.equal(waiting_of(folded(started, event("requested", 9))).waiting_ms, "0 at 9", "in one moment");
  // The newest request and the newest start are its own; half a millisecond counts as one.
  const half = { ...event("started", 9), occurred_at_us: 9 * 60e6 + 1_500 };
  assert.equal(waiting_of(folded(requested, event("requested", 8), half)).waiting_sum_ms?.split(" ")[0], "60002");
  assert.deepEqual(added(folded(requested, started)), {
    trips: "1 at 5",
    requested: "1 at 5",
    started: "1 at 9",
    ...waited,
  });
});

Deno.test("what is unknown is not counted: distance, duration, a completion before the start", () => {
  const trip = folded(event("started", 9), event("completed", 3, { completion_fare_micros: 0 }));
  const { distance_count, fare_sum_micros, ...rest } = added(trip);
  assert.deepEqual([distance_count, fare_sum_micros], ["0 at 3", "0 at 3"]);
  for (const name of ["duration_count", "duration_sum_ms", "duration_ms"]) assert.ok(!(name in rest), name);
  const given = folded(event("completed", 3, { completion_fare_micros: 0, given_duration_ms: 5 }), event("started", 1));
  assert.equal(added(given).duration_sum_ms, "5 at 3");
});

Deno.test("a completion without a fare counts in no fare figure; an adjustment, earlier or later, gives it one", () => {
  const completed = event("completed", 3, { tip_micros: 2, distance_m: 7 });
  const { fare_count, fare_sum_micros, fare_min_micros, fare_max_micros, ...rest } = added(folded(completed));
  assert.deepEqual([fare_count, fare_sum_micros, fare_min_micros, fare_max_micros], new Array(4).fill(undefined));
  assert.deepEqual([rest.completed, rest.tip_sum_micros, rest.distance_sum_m], ["1 at 3", "2 at 3", "7 at 3"]);
  const adjusted = event("fare_adjusted", 4, { adjusted_fare_micros: 0 });
  for (const trip of [folded(completed, adjusted), folded(adjusted, completed)]) {
    assert.deepEqual([added(trip).fare_count, added(trip).fare_min_micros], ["1 at 3", "0 at 3"]);
  }
});

Deno.test("a cancellation counts unless there is a completion: then it is a conflict, whatever came first", () => {
  const canceled = event("canceled", 4), completed = event("completed", 3, { completion_fare_micros: 5 });
  assert.deepEqual(added(folded(canceled)), { trips: "1 at 4", canceled: "1 at 4" });
  for (const trip of [folded(canceled, completed), folded(completed, canceled)]) {
    const { canceled, conflicts, completed, trips } = added(trip);
    assert.deepEqual([canceled, conflicts, completed, trips], [undefined, "1 at 3", "1 at 3", "1 at 3"]);
    assert.equal(contribution(trip).keys[1], "completed");
  }
});

Deno.test("a voided trip counts in nothing but voided, at its latest void, whatever else it has and in whatever order", () => {
  const life = [
    event("requested", 1, { city: "Chicago" }),
    event("started", 2),
    event("canceled", 4),
    event("completed", 3, { completion_fare_micros: 5, distance_m: 9 }),
    event("fare_adjusted", 6, { adjusted_fare_micros: 7 }),
  ];
  const first = event("voided", 0, { void_reason: "mirrored" }), latest = event("voided", 9, {});
  for (const trip of [folded(first, ...life, latest), folded(...life, first, latest)]) {
    assert.deepEqual(added(trip), { voided: "1 at 9", voids_waiting: "0 at 9" });
    const row = Object.fromEntries(columns.map(({ name, get }) => [name, get(trip)]));
    assert.deepEqual(
      [row.status, row.fare_micros, row.void_reason, row.completion_fare_micros],
      ["voided", null, "mirrored", 5],
    );
    assert.deepEqual(contribution(trip).keys.slice(0, 2), ["all", "voided"]);
    assert.deepEqual(from_row(row), trip);
  }
  for (const trip of [folded(first), folded(first, ...life.filter(({ type }) => type !== "trip.completed"))]) {
    assert.deepEqual(added(trip), { voided: "1 at 0", voids_waiting: "1 at 0" }, "it waits for the completion");
  }
});

Deno.test("an adjustment without a completion waits: it adds nothing and dates nothing", () => {
  const trip = folded(event("fare_adjusted", 4, { adjusted_fare_micros: 4 }));
  assert.deepEqual(added(trip), {});
  assert.deepEqual(added(folded(event("requested", 1), event("fare_adjusted", 4, { adjusted_fare_micros: 4 }))), {
    trips: "1 at 1",
    requested: "1 at 1",
  });
});

Deno.test("an event that no rule is for is a surprise, not silence", () => {
  assert.throws(() => fold(initial, event("paused", 1)), /fold trip "T": no rule for event type "trip.paused"/);
});
