import assert from "node:assert/strict";
import fc from "fast-check";
import { cellToChildren, cellToParent, getPentagons, getResolution, gridDisk, latLngToCell } from "h3-js";
import { format_address, parse_address } from "../../static/address.js";
import { toggle_keys } from "../../static/filter.js";
import { picture_query } from "../../static/map_film.js";
import {
  cells_within,
  CHANGE_BORDERS,
  change_of,
  extent_of,
  first_extent_of,
  is_within,
  neighbour,
  place_at,
  quantile_borders,
  shape_of,
  step_of,
} from "../../static/map_plane.js";
import { CHANGE_WORDS, step_words, where_of } from "../../static/map_words.js";
import { PLAIN } from "../../static/state.js";
import { cell_shape, cell_within, ring_of } from "../../src/places/mod.ts";
import { DECLARED } from "../support/page_frames.ts";

/** What the map is made of: shapes, places next to others, steps of colour. */

const anywhere = fc.tuple(
  fc.double({ min: -84, max: 84, noNaN: true }),
  fc.double({ min: -180, max: 180, noNaN: true }),
);

Deno.test("the cells within a cell are what h3 says, pentagons among them", () => {
  fc.assert(fc.property(anywhere, fc.integer({ min: 0, max: 14 }), ([lat, lon], resolution) => {
    const key = latLngToCell(lat, lon, resolution);
    assert.deepEqual(cells_within(key).sort(), cellToChildren(key, resolution + 1).sort());
  }));
  for (let resolution = 0; resolution < 15; resolution++) {
    for (const key of getPentagons(resolution)) {
      assert.deepEqual(cells_within(key).sort(), cellToChildren(key, resolution + 1).sort());
    }
  }
  const finest = latLngToCell(40, 7, 15);
  assert.deepEqual(cells_within(finest), [finest]);
});

Deno.test("a shape holds the place it is of, wherever that is, and never goes round the world", () => {
  fc.assert(fc.property(anywhere, fc.integer({ min: 4, max: 11 }), ([lat, lon], resolution) => {
    const key = latLngToCell(lat, lon, resolution), shape = shape_of([cell_shape(key)!]);
    assert.ok(is_within(shape, shape.x, shape.y));
    assert.ok(shape.reach < 0.05, `${key} reaches ${shape.reach}`);
    assert.ok(!is_within(shape, shape.x + 2 * shape.reach, shape.y));
  }));
  const across = shape_of([ring_of([[-17, 179.9], [-17, -179.9], [-16.8, -179.9], [-16.8, 179.9]])]);
  assert.ok(across.reach < 0.001);
  assert.equal(
    where_of(shape_of([ring_of([[40.7, -74], [40.8, -74], [40.8, -73.9], [40.7, -73.9]])])),
    "40.750° N, 73.950° W",
  );
  assert.equal(cell_shape("unknown"), null);
  assert.equal(cell_within("not a cell", 5), null);
  const cell = latLngToCell(40, -74, 8);
  assert.deepEqual([cell_within(cell, 8), cell_within(cell, 6), cell_within(cell, 9)], [
    cell,
    cellToParent(cell, 6),
    null,
  ]);
});

const places_around = (lat: number, lon: number, rings: number) =>
  gridDisk(latLngToCell(lat, lon, 8), rings).map((key) => ({ key, weight: 1, shape: shape_of([cell_shape(key)!]) }));

Deno.test("every place is reached by arrow keys from any other, and none leads to itself", () => {
  const places = places_around(40.75, -73.98, 4);
  const seen = new Set([places[0]!]);
  // A set that grows while it is walked is walked to its new end.
  for (const place of seen) {
    for (const [dx, dy] of [[-1, 0], [1, 0], [0, -1], [0, 1]] as const) {
      const next = neighbour(places, place, dx, dy);
      assert.notEqual(next, place);
      if (next !== null) {
        assert.ok((next.shape.x - place.shape.x) * dx + (next.shape.y - place.shape.y) * dy > 0);
        seen.add(next);
      }
    }
  }
  assert.equal(seen.size, places.length);
  for (const place of places) assert.equal(place_at(places, place.shape.x, place.shape.y, 0)?.key, place.key);
  assert.equal(place_at(places, 0, 0, 0), null);
});

Deno.test("one place at the end of the world makes no city small, two cities are both in sight", () => {
  const city = places_around(40.75, -73.98, 8), other = places_around(41.88, -87.63, 8);
  const [far] = places_around(0, 0, 0);
  const width = (extent: { from_x: number; to_x: number } | null) => extent!.to_x - extent!.from_x;
  assert.ok(width(first_extent_of([...city, far!])) < 2 * width(extent_of(city, 1)));
  assert.ok(width(first_extent_of([...city, ...other])) > 10 * width(extent_of(city, 1)));
  assert.equal(first_extent_of([]), null);
  assert.ok(width(first_extent_of([far!])) > 0);
});

Deno.test("steps hold about equally many values each, equal values are never told apart", () => {
  const borders = quantile_borders(Array.from({ length: 600 }, (_, i) => i), 6);
  assert.deepEqual(borders, [100, 200, 300, 400, 500]);
  assert.deepEqual([0, 99, 100, 599].map((value) => step_of(borders, value)), [0, 0, 1, 5]);
  assert.deepEqual(quantile_borders([5, 5, 5], 6), []);
  assert.deepEqual(quantile_borders([], 6), []);
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (values) => {
    const found = quantile_borders(values, 6);
    assert.ok(found.length < 6 && found.every((each, i) => i === 0 || each > found[i - 1]!));
    assert.equal(
      new Set(values.map((value) => step_of(found, value))).size,
      values.length === 0 ? 0 : found.length + 1,
    );
    assert.equal(step_words(values.length === 0 ? [0] : values, found).length, found.length + 1);
  }));
  assert.equal(CHANGE_WORDS.length, CHANGE_BORDERS.length + 1);
  const then = { value: 100, count: 40 };
  assert.equal(change_of({ value: 150, count: 1, then }, 20), 0.5);
  assert.equal(change_of({ value: 150, count: 1, then: { value: 3, count: 3 } }, 20), null);
  assert.equal(change_of({ value: null, count: 0, then }, 20), null);
});

Deno.test("an address names a map, its place, its figure and whether changes are shown, and reads back the same", () => {
  const of = (map: object) => ({ ...PLAIN, map });
  for (
    const map of [{ place: "pickup_h3", figure: "completed", change: false }, {
      place: "pickup_h3",
      figure: "revenue",
      change: true,
    }]
  ) {
    assert.deepEqual(parse_address(format_address(of(map), DECLARED), DECLARED), of(map));
  }
  const first = { place: "pickup_h3", figure: "completed", change: false };
  for (const wrong of ["1", "", "nowhere,nothing", "constructor"]) {
    assert.deepEqual(parse_address(`?map=${wrong}`, DECLARED), of(first), wrong);
  }
  const { map: _, ...without } = DECLARED;
  assert.deepEqual(parse_address("?map=pickup_h3", without), PLAIN);
});

Deno.test("a press on a cell that others lie in filters by all of them, again takes all away", () => {
  const cell = latLngToCell(40.75, -73.98, 7), keys = cells_within(cell);
  assert.ok(keys.every((key) => getResolution(key) === 8));
  const asked = { dimension: "pickup_h3", keys, excluded: false };
  const filter = toggle_keys([], asked, DECLARED);
  assert.deepEqual(filter, [{ ...asked, keys: keys.toSorted() }]);
  assert.deepEqual(toggle_keys(filter, asked, DECLARED), []);
  const others = cells_within(latLngToCell(41, -73.98, 7));
  assert.equal(toggle_keys(filter, { ...asked, keys: others }, DECLARED)[0].keys.length, 14);
  const third = toggle_keys(
    filter,
    { ...asked, keys: [...others, ...cells_within(latLngToCell(42, -73.98, 7))] },
    DECLARED,
  );
  assert.equal(third[0].keys.length, 14, "no more than the server takes");
});

Deno.test("a picture of a film is asked for by its own half hour, with filter and time travel", () => {
  const filter = [{ dimension: "city", keys: ["Bonn"], excluded: false }];
  const map = { place: "pickup_h3", figure: "revenue", change: true };
  const address = { ...PLAIN, range: "7d", grain: "1h", filter, as_of: { position: 9 }, map };
  assert.equal(
    new URLSearchParams(picture_query(address, Date.UTC(2026, 2, 1, 9, 30))).toString().replaceAll("%3A", ":"),
    "from=2026-03-01T09:30:00Z&to=2026-03-01T10:00:00Z&city=Bonn&as_of_position=9&place=pickup_h3&figure=revenue&then=1",
  );
});
