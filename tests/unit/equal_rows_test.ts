import assert from "node:assert/strict";
import fc from "fast-check";
import { compare_points, EqualRows, type ReplayEvent } from "../../src/replay/mod.ts";

/** Numbers of equal rows: whatever rows there are, and wherever a replay goes on. */

interface Row {
  readonly file: number;
  readonly id: string;
  readonly at: number;
  /** How long after the start its end comes; null: it has none. */
  readonly lasts: number | null;
}
const row = fc.record({
  file: fc.integer({ min: 0, max: 2 }),
  id: fc.constantFrom("a", "b"),
  at: fc.integer({ min: 0, max: 2 }),
  lasts: fc.constantFrom(null, 0, 1),
});

/** The events of rows in the order of a replay; rows with one id are equal in all. */
function events_of(rows: readonly Row[]): ReplayEvent[] {
  return rows.flatMap(({ file, id, at, lasts }, line) => {
    const key = `${id}${at}${lasts}`;
    return (lasts === null ? [at] : [at, at + lasts]).map((at_us, nth): ReplayEvent => ({
      at_us,
      file,
      line,
      nth,
      key,
      value: JSON.stringify({ event_id: `e${nth}`, trip_id: key, fare: 1 }),
      fault: null,
    }));
  }).sort(compare_points);
}

Deno.test("equal rows: each row of a numbered file has ids of its own, the first the plain ones, in whatever piece they are read", () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 12 }), fc.nat(30), (rows, stop) => {
      const events = events_of(rows);
      const equals = new EqualRows(new Set([0, 1]));
      const numbered = events.map((event) => equals.numbered(event));
      const ids = new Map<string, Set<string>>();
      for (const { file, line, key, value } of numbered) {
        assert.equal(JSON.parse(value).trip_id, key);
        const place = `${file}/${line}`;
        ids.set(place, (ids.get(place) ?? new Set()).add(key));
      }
      for (const [place, keys] of ids) assert.equal(keys.size, 1, `the events of ${place} belong together`);
      for (const file of [0, 1]) {
        const own = rows.flatMap((row, line) => row.file === file ? [[...ids.get(`${file}/${line}`)!][0]!] : []);
        assert.equal(new Set(own).size, own.length, "no two rows of a file share an id");
        const plain = new Set(rows.filter((row) => row.file === file).map(({ id, at, lasts }) => `${id}${at}${lasts}`));
        for (const key of plain) assert.ok(own.includes(key), `the first ${key} keeps its id`);
      }
      for (const [i, event] of events.entries()) if (event.file === 2) assert.deepEqual(numbered[i], event);

      // Who goes on after an event reads all of its instant again.
      const point = events[Math.min(stop, events.length - 1)];
      if (point === undefined) return;
      const again = new EqualRows(new Set([0, 1]));
      const rest = events.filter(({ at_us }) => at_us >= point.at_us).map((event) => again.numbered(event));
      const after = (some: readonly ReplayEvent[]) => some.filter((event) => compare_points(event, point) > 0);
      assert.deepEqual(after(rest), after(numbered));
    }),
    { numRuns: 300 },
  );
});

Deno.test("equal rows: digits beyond a double stay, and what a fault is told for has no number", () => {
  const [event] = events_of([{ file: 0, id: "a", at: 1, lasts: null }]);
  const exact = { ...event!, value: '{"event_id":"e","trip_id":"a","tag":9007199254740993}' };
  const equals = new EqualRows(new Set([0]));
  equals.numbered(exact);
  assert.equal(
    equals.numbered({ ...exact, line: 1 }).value,
    '{"event_id":"e-2","trip_id":"a-2","tag":9007199254740993}',
  );
  const bad = { ...exact, line: 2, fault: "{}" };
  assert.equal(equals.numbered(bad), bad);
});
