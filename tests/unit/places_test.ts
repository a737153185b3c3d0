import assert from "node:assert/strict";
import fc from "fast-check";
import { AREA_LIMITS, AreasFault, read_areas, read_lines } from "../../src/places/mod.ts";

/** Areas of zones as deployments give them: what is read of a file, and what a file that is none is told. */

const SQUARE = [[-74, 40.7], [-73.9, 40.7], [-73.9, 40.8], [-74, 40.8], [-74, 40.7]];
const BY = { key: "LocationID", name: "zone" };
const feature = (properties: unknown, coordinates: unknown = [SQUARE], type = "Polygon") => ({
  type: "Feature",
  properties,
  geometry: { type, coordinates },
});
const file = (...features: unknown[]) => JSON.stringify({ type: "FeatureCollection", features });
const corners = (ring: readonly number[]) => {
  let [lat, lon] = [0, 0];
  return Array.from(
    { length: ring.length / 2 },
    (_, i) => [(lat += ring[2 * i]!) / 1e6, (lon += ring[2 * i + 1]!) / 1e6],
  );
};

Deno.test("areas are read by the properties that are named; features of one key are one area", () => {
  const moved = SQUARE.map(([lon, lat]) => [lon! + 1, lat!]);
  const hole = [[-73.97, 40.73], [-73.96, 40.73], [-73.96, 40.74], [-73.97, 40.73]];
  const areas = read_areas(
    file(
      feature({ LocationID: 4, zone: "Alphabet City", borough: "Manhattan" }, [SQUARE, hole]),
      feature({ LocationID: "56", zone: "Corona" }),
      feature({ LocationID: "56", zone: "Corona" }, [[moved], [moved]], "MultiPolygon"),
      feature({ LocationID: 7 }),
    ),
    BY,
  );
  assert.deepEqual([...areas].map(([key, { name, rings }]) => [key, name, rings.length]), [
    ["4", "Alphabet City", 2],
    ["56", "Corona", 3],
    ["7", "7", 1],
  ]);
  assert.deepEqual(corners(areas.get("4")!.rings[0]!), [[40.7, -74], [40.7, -73.9], [40.8, -73.9], [40.8, -74]]);
});

Deno.test("what is no such file is refused, saying what was expected, what came and where", () => {
  const good = { LocationID: 1, zone: "A" };
  const long = "x".repeat(AREA_LIMITS.characters + 1);
  for (
    const [text, says] of [
      ["", /^expected JSON: /],
      ["[]", /^the file: expected an object, got \[\]$/],
      ['{"type":"Topology"}', /^expected a FeatureCollection with features, got type "Topology"$/],
      [file(), /^expected features, got none$/],
      [file(null), /^features\[0\]: expected an object, got null$/],
      [file(feature(null)), /^features\[0\]\.properties: expected an object, got null$/],
      [file(feature({ zone: "A" })), /^features\[0\]\.properties\.LocationID: expected a text .* got nothing$/],
      [file(feature({ LocationID: {}, zone: "A" })), /LocationID: expected a text/],
      [file(feature({ LocationID: long, zone: "A" })), /LocationID: expected a text of 1 to 100/],
      [file(feature({ LocationID: 1, zone: " " })), /properties\.zone: expected a text/],
      [
        file(feature(good, [0, 0], "Point")),
        /^features\[0\]\.geometry\.type: expected Polygon or MultiPolygon, got "Point"$/,
      ],
      [file(feature(good, 5)), /^features\[0\]\.geometry\.coordinates: expected a list, got 5$/],
      [file(feature(good, [[[1, 2]]])), /coordinates\[0\]: expected at least 4 positions, got 1$/],
      [file(feature(good, [SQUARE.slice(0, 4)])), /expected a ring that ends where it begins/],
      [
        file(feature(good, [[...SQUARE.slice(0, 2), ["a", 1]]])),
        /coordinates\[0\]\[2\]: expected longitude and latitude in degrees, got \["a",1\]/,
      ],
      [file(feature(good, [[[987_654, 210_987]]])), /other projections are not read$/],
      [
        file(...Array.from({ length: AREA_LIMITS.areas + 1 }, (_, LocationID) => feature({ LocationID }))),
        /at most 2000 areas/,
      ],
    ] as const
  ) {
    assert.throws(
      () => read_areas(text, BY),
      (error: Error) => error instanceof AreasFault && says.test(error.message),
      String(says),
    );
  }
});

Deno.test("any JSON is read or refused in a sentence", () => {
  fc.assert(fc.property(fc.json(), (text) => {
    for (const read of [(text: string) => read_areas(text, BY), read_lines]) {
      try {
        read(text);
      } catch (error) {
        assert.ok(error instanceof AreasFault, `${error}`);
      }
    }
  }));
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (properties, coordinates) => {
    assert.throws(() => read_areas(file(feature(properties, coordinates)), BY), AreasFault);
  }));
});

Deno.test("what no screen shows is left out of an area, and its shape stays", () => {
  const round = Array.from({ length: 20_000 }, (_, i) => {
    const angle = 2 * Math.PI * i / 20_000;
    return [-74 + 0.5 * Math.cos(angle), 40.7 + 0.5 * Math.sin(angle)];
  });
  const [area] = read_areas(file(feature({ LocationID: 1 }, [[...round, round[0]]])), BY).values();
  const kept = corners(area!.rings[0]!);
  assert.ok(kept.length > 1_000 && kept.length < 16_000, `${kept.length}`);
  for (const [lat, lon] of kept) assert.ok(Math.abs(Math.hypot(lat! - 40.7, lon! + 74) - 0.5) < 1e-5);
});

Deno.test("lines behind a map are of lines and of the borders of areas", () => {
  const lines = read_lines(
    file(
      feature({}, SQUARE.slice(0, 3), "LineString"),
      feature(null, [SQUARE.slice(0, 2), SQUARE.slice(2, 4)], "MultiLineString"),
      feature({ any: "thing" }),
    ),
  );
  assert.deepEqual(lines.map((line) => line.length / 2), [3, 2, 2, 5]);
  assert.throws(() => read_lines(file(feature({}, [SQUARE[0]], "LineString"))), /at least 2 positions, got 1/);
});
