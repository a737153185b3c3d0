import assert from "node:assert/strict";
import { cellToParent, getResolution, latLngToCell } from "h3-js";
import type { Database } from "../../src/database/mod.ts";
import { declaration_of, with_names } from "../../src/domains/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { ASSETS, make_static_files } from "../../src/http/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { ring_of } from "../../src/places/mod.ts";
import { json_of, make_http_side } from "../support/http_side.ts";
import { database_test } from "../support/read_side.ts";
import { trips_board } from "../support/trip_board.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, message, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

/** What a map is told: at each place what a board says that is filtered by it, and shapes that hold their place. */

const NOON = Date.parse("2026-03-01T12:00:00Z");
const RESOLUTION = 8;

interface Told {
  readonly position: number;
  readonly keys: string[];
  readonly counts: number[];
  readonly values: (number | null)[];
  readonly then?: { readonly from_s: number; readonly to_s: number; readonly values: (number | null)[] };
  readonly shapes?: number[][][];
  readonly [name: string]: unknown;
}

/** Trips around two cities, and some of no known place; then a week before, a part of them. A batch for each hour. */
async function fill(database: Database): Promise<void> {
  await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
  const pipeline = trip_pipeline(database, () => NOON), cursors = new Cursors();
  const moved = (event: Record<string, unknown>, hours: number): Record<string, unknown> => ({
    ...event,
    occurred_at: new Date(Date.parse(String(event.occurred_at)) + hours * 3_600_000).toISOString(),
  });
  const trips = Array.from({ length: 60 }, (_, i) => {
    const [lat, lon, city] = i % 3 === 0 ? [41.88, -87.63, "Chicago"] : [42.36, -71.06, "Boston"];
    const place = i % 10 === 9 ? {} : { pickup_lat: lat + (i % 7) * 0.011, pickup_lon: lon + (i % 5) * 0.012 };
    const hours = i % 4 === 3 ? -169 : -(i % 3);
    const events = whole_trip(`T${i}`, { city, ...place, fare: `${5 + i}.25` }).map((event) => moved(event, hours));
    // Some end otherwise, where they began.
    const ended = (type: unknown) => i % 8 === 5 ? String(type).replace("completed", "canceled") : type;
    return events.map((event) => ({ ...event, type: ended(event.type) }));
  });
  for (let part = 0; part < 3; part++) {
    const messages = trips.filter((_, i) => i % 3 === part).flat().map((event, i) =>
      message(part * 1_000 + i, event, NOON)
    );
    const batch = { topic: "trips", partition: 0, from_offset: part * 1_000, next_offset: part * 1_000 + 1_000 };
    await feed(pipeline, [{ ...batch, messages }], cursors);
  }
}

async function side_on(database: Database) {
  const side = await make_http_side(database, { time_zone: TEST_TIME_ZONE });
  side.time.now = NOON;
  const json = (path: string) => json_of(side.get(path));
  const map = (query: string): Promise<Told> => json(`/api/v1/kpis/map?${query}`);
  const board = (query: string) => json(`/api/v1/board?${query}`);
  return { ...side, map, board };
}

database_test(
  "each place has what a board says that is filtered by it, of cells, of states and of then",
  async (database) => {
    await fill(database);
    const { map, board } = await side_on(database);
    const views = [
      "range=6h",
      "range=24h&city=Boston",
      "range=7d&as_of_position=90",
      "range=30d&grain=1d&not_city=Boston",
    ];
    for (const view of views) {
      for (const figure of ["completed", "revenue", "average_fare", "completion_rate"]) {
        const told = await map(`${view}&figure=${figure}`);
        assert.ok(told.keys.length >= 5, view);
        for (const [i, key] of told.keys.entries()) {
          const { cards } = await board(`${view}&pickup_h3=${key}`);
          const { completed, canceled } = cards, ended = completed + canceled;
          const value = figure === "completion_rate" ? Math.round(completed / ended * 1e8) / 1e6 : cards[figure];
          assert.equal(told.values[i], value, `${figure} of ${key}, ${view}`);
          if (i === 3) break;
        }
        if (["average_fare", "completion_rate"].includes(figure)) continue;
        const whole = await board(view);
        const sum = told.values.reduce((sum: number, value) => sum + value!, Number(told.unplaced ?? 0));
        assert.equal(Math.round(sum * 100), Math.round(whole.cards[figure] * 100), `${figure} of all, ${view}`);
      }
    }
    const { computed, resolution, kept_resolution, left_out } = await map("range=6h");
    assert.deepEqual([computed, resolution, kept_resolution, left_out], [false, RESOLUTION, RESOLUTION, 0]);
    assert.equal((await map("range=6h&city=Boston")).computed, true);
    const chosen = (await map("range=6h")).keys[0]!;
    assert.deepEqual(
      (await map(`range=6h&pickup_h3=${chosen}`)).keys.length,
      (await map("range=6h")).keys.length,
      "as in a panel",
    );
  },
);

database_test(
  "cells of a coarser resolution are what those in them add up to, a mean over all that it is of",
  async (database) => {
    await fill(database);
    const { map } = await side_on(database);
    for (const figure of ["completed", "average_fare"]) {
      const fine = await map(`range=24h&figure=${figure}`), coarse = await map(`range=24h&figure=${figure}&coarser=1`);
      assert.equal(coarse.resolution, RESOLUTION - 1);
      const expected = new Map<string, [number, number]>();
      for (const [i, key] of fine.keys.entries()) {
        const parent = cellToParent(key, RESOLUTION - 1), [count, sum] = expected.get(parent) ?? [0, 0];
        expected.set(parent, [count + fine.counts[i]!, sum + fine.values[i]! * fine.counts[i]!]);
      }
      assert.deepEqual(new Set(coarse.keys), new Set(expected.keys()));
      for (const [i, key] of coarse.keys.entries()) {
        const [count, sum] = expected.get(key)!;
        assert.equal(coarse.counts[i], count);
        const value = figure === "completed" ? count : sum / count;
        assert.ok(Math.abs(coarse.values[i]! - value) < 1e-5, `${figure} of ${key}`);
      }
    }
    assert.equal((await map("range=24h&coarser=15")).resolution, 0);
  },
);

database_test("a place is compared with what it was in the same stretch of the week before", async (database) => {
  await fill(database);
  const { map, board } = await side_on(database);
  for (const view of ["range=6h", "range=6h&city=Boston"]) {
    const { keys, then } = await map(`${view}&then=1`);
    assert.ok(then !== undefined && then.values.some((value) => value !== 0));
    const [from, to] = [then.from_s, then.to_s].map((s) => new Date(s * 1000).toISOString());
    for (const [i, key] of keys.slice(0, 5).entries()) {
      const { cards } = await board(`from=${from}&to=${to}&pickup_h3=${key}${view.slice(8)}`);
      assert.equal(then.values[i], cards.completed, key);
    }
  }
  assert.equal((await map("range=6h")).then, undefined);
});

database_test("shapes are told where they are asked for, and hold their place", async (database) => {
  await fill(database);
  const { map } = await side_on(database);
  const { keys, shapes } = await map("range=6h&shapes=1");
  for (const [i, key] of keys.entries()) {
    let [lat, lon] = [0, 0];
    const corners = Array.from({ length: shapes![i]![0]!.length / 2 }, (_, at) => {
      lat += shapes![i]![0]![2 * at]! / 1e6;
      lon += shapes![i]![0]![2 * at + 1]! / 1e6;
      return [lat, lon] as const;
    });
    assert.ok(corners.length >= 5 && corners.length <= 10);
    const middle = [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis]!, 0) / corners.length);
    assert.equal(latLngToCell(middle[0]!, middle[1]!, getResolution(key)), key);
  }
  assert.equal((await map("range=6h")).shapes, undefined);
});

database_test(
  "a map says what it does not know, answers the same position once, and refuses what boards refuse",
  async (database) => {
    const { get, map } = await side_on(database);
    const empty = await map("range=6h&shapes=1&then=1");
    assert.deepEqual([empty.keys, empty.resolution, empty.unplaced], [[], null, null]);
    await fill(database);
    const first = await get("/api/v1/kpis/map?range=6h");
    const again = await get("/api/v1/kpis/map?range=6h", { "if-none-match": first.headers.get("etag")! });
    assert.equal(again.status, 304);
    for (
      const [query, path] of [
        ["place=city", "place"],
        ["figure=max_fare", "figure"],
        ["figure=nothing", "figure"],
        ["coarser=-1", "coarser"],
        ["shapes=yes", "shapes"],
        ["range=30d&grain=1m", "grain"],
        ["as_of_position=100000", "as_of_position"],
        ["from=2025-12-01T00:00:00Z&to=2026-03-01T00:00:00Z&city=Boston", "to"],
      ]
    ) {
      const refused = await get(`/api/v1/kpis/map?${query}`);
      const { errors } = await refused.json();
      assert.deepEqual([refused.status, errors[0].path], [400, path], query);
    }
  },
);

const AREAS = new Map(
  ["Z1", "Z2"].map((
    key,
    i,
  ) => [key, { name: `Zone ${i}`, rings: [ring_of([[i, 0], [i, 1], [i + 1, 1], [i + 1, 0]])] }]),
);

database_test(
  "zones are places where a deployment gives areas of them, with names on the page alone",
  async (database) => {
    await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
    const trips = ["Z1", "Z2", "Z2", "Z3"].map((pickup_zone, i) => whole_trip(`T${i}`, { pickup_zone, fare: "10.00" }));
    const messages = trips.flat().map((event, i) => message(i, event, NOON));
    const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: messages.length, messages };
    await feed(trip_pipeline(database, () => NOON), [batch], new Cursors());
    const zones = { areas: AREAS, backdrop: [[1, 2, 3, 4]], names: new Map([["Z1", "Old <Town>"]]) };
    const board = { ...trips_board, zones };
    const { get, time } = await make_http_side(database, { time_zone: TEST_TIME_ZONE, board });
    time.now = NOON;
    const told = await (await get("/api/v1/kpis/map?place=pickup_zone&figure=revenue&range=6h&shapes=1")).json();
    assert.deepEqual(Object.fromEntries(told.keys.map((key: string, i: number) => [key, told.values[i]])), {
      Z1: 10,
      Z2: 20,
    });
    assert.deepEqual([told.unplaced, told.resolution], [10, null]);
    assert.deepEqual(told.shapes[told.keys.indexOf("Z2")], AREAS.get("Z2")!.rings);
    assert.deepEqual(await (await get("/api/v1/map/backdrop")).json(), { shapes: [[1, 2, 3, 4]] });

    const plain = await make_http_side(database, { time_zone: TEST_TIME_ZONE });
    const refused = await plain.get("/api/v1/kpis/map?place=pickup_zone");
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /expected one of pickup_h3/);
    assert.equal((await plain.get("/api/v1/map/backdrop")).status, 404);

    const declared = with_names(declaration_of(board), board);
    assert.deepEqual(declared.map?.places.map(({ dimension }) => dimension), [
      "pickup_h3",
      "pickup_zone",
      "dropoff_zone",
    ]);
    const named = declared.dimensions.filter((each) => "names" in each).map(({ name }) => name);
    assert.deepEqual(named, ["pickup_zone", "dropoff_zone"]);
    assert.ok(!JSON.stringify(declaration_of(board)).includes("Old"), "hellos do without");
    const page = (await make_static_files(ASSETS, { "": board }))(new Request("http://localhost/"), "index.html");
    assert.match(await page.text(), /\["Z1","Old \\u003cTown>"\]/);
  },
);
