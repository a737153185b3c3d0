import assert from "node:assert/strict";
import { FILTER_LIMITS, format_filter, read_filter } from "../../src/feed/figures/mod.ts";

const DIMENSIONS = ["status", "city", "driver"];
const read = (query: string) => read_filter(new URLSearchParams(query), DIMENSIONS);
const faults_of = (query: string) => {
  const reading = read(query);
  return reading.ok ? [] : reading.faults.map(({ path }) => path);
};

Deno.test("a filter is read from its parameters, in the order of the dimensions, each key once", () => {
  assert.deepEqual(read("range=1h&not_driver=unknown&city=Oslo&city=Bonn&city=Oslo"), {
    ok: true,
    filter: [
      { dimension: "city", keys: ["Bonn", "Oslo"], excluded: false },
      { dimension: "driver", keys: ["unknown"], excluded: true },
    ],
  });
  assert.deepEqual(read("range=1h&colour=red"), { ok: true, filter: [] });
});

Deno.test("filters that say the same are the same text, and are read back from it", () => {
  const one = read("city=Bonn&city=S%C3%A3o+Paulo%26&not_status=canceled"),
    other = read(
      "not_status=canceled&city=S%C3%A3o%20Paulo%26&city=Bonn",
    );
  assert.ok(one.ok && other.ok);
  assert.equal(format_filter(one.filter), format_filter(other.filter));
  assert.deepEqual(read(format_filter(one.filter)), one);
});

Deno.test("a filter is refused where it contradicts itself or passes its bounds", () => {
  assert.deepEqual(faults_of("city=Bonn&not_city=Oslo"), ["not_city"]);
  assert.deepEqual(faults_of("city=&driver=%20"), ["city", "driver"]);
  assert.deepEqual(faults_of(`city=${"x".repeat(FILTER_LIMITS.characters + 1)}&not_driver=a%00`), [
    "city",
    "not_driver",
  ]);
  const keys = Array.from({ length: FILTER_LIMITS.keys + 1 }, (_, i) => `city=${i}`);
  assert.deepEqual(faults_of(keys.join("&")), ["city"]);
  assert.deepEqual(faults_of(keys.slice(1).join("&")), []);
});
