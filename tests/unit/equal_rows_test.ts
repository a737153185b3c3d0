import assert from "node:assert/strict";
import fc from "fast-check";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { compare_points, EqualRows, type ReplayEvent } from "../../src/replay/mod.ts";

/** Numbers of equal rows: whatever rows there are, and wherever a replay goes on. */

interface Row {
  readonly file: number;
  readonly id: string;
  readonly at: number;
  /** How long after the start its end comes; null: it has none. */
  readonly lasts: number | null;
  /** The ride's fare, or what it takes back. */
  readonly fare: number;
  readonly takes_back: boolean;
}
const row = fc.record({
  file: fc.integer({ min: 0, max: 2 }),
  id: fc.constantFrom("a", "b"),
  at: fc.integer({ min: 0, max: 2 }),
  lasts: fc.constantFrom(null, 0, 1),
  fare: fc.constantFrom(0, 1, 2.5),
  takes_back: fc.boolean(),
});
const id_of = ({ id, at, lasts }: Row): string => `${id}${at}${lasts}`;

/** The events of rows in the order of a replay; rows with one id are equal in all. */
function events_of(rows: readonly Row[]): ReplayEvent[] {
  return rows.flatMap((row, line) => {
    const { file, at, lasts, fare, takes_back } = row;
    const key = id_of(row), end = at + (lasts ?? 0);
    const kinds: [string, number][] = takes_back
      ? [["trip.voided", end]]
      : lasts === null
      ? [["trip.started", at]]
      : [["trip.started", at], ["trip.completed", end]];
    return kinds.map(([kind, at_us], nth): ReplayEvent => {
      const amount = takes_back ? { amount: (-fare).toFixed(6) } : { fare: fare.toFixed(6) };
      const value = JSON.stringify({ event_id: `e${nth}`, trip_id: key, ...amount });
      return { at_us, turn: takes_back ? 1 : 0, file, line, nth, key, value, kind, fault: null };
    });
  }).sort(compare_points);
}

Deno.test("equal rows: each row of a numbered file has ids of its own, the first the plain ones, in whatever piece they are read", () => {
  let waited = 0;
  fc.assert(
    fc.property(fc.array(row, { maxLength: 16 }), fc.nat(30), (rows, stop) => {
      const events = events_of(rows);
      const equals = new EqualRows(new Set([0, 1]), TRIPS);
      const numbered = events.map((event) => equals.numbered(event));
      const ids = new Map<string, Set<string>>();
      for (const { file, line, key, value } of numbered) {
        assert.equal(JSON.parse(value).trip_id, key);
        const place = `${file}/${line}`;
        ids.set(place, (ids.get(place) ?? new Set()).add(key));
      }
      for (const [place, keys] of ids) assert.equal(keys.size, 1, `the events of ${place} belong together`);
      for (const file of [0, 1]) {
        const of_file = rows.flatMap((row, line) =>
          row.file === file ? [{ ...row, key: [...ids.get(`${file}/${line}`)!][0]! }] : []
        );
        for (const takes_back of [false, true]) {
          const own = of_file.filter((row) => row.takes_back === takes_back).map(({ key }) => key);
          assert.equal(new Set(own).size, own.length, "no two rides of a file share an id, nor do two that take back");
        }
        let waiting = 0, sum = 0;
        for (const id of new Set(of_file.map(id_of))) {
          const equal = of_file.filter((row) => id_of(row) === id);
          const rides = equal.filter(({ takes_back }) => !takes_back);
          const numbered = (kth: number) => kth === 0 ? id : `${id}-${kth + 1}`;
          assert.deepEqual(rides.map(({ key }) => key), rides.map((_, kth) => numbered(kth)), "in their order");
          const left = rides.filter(({ lasts }) => lasts !== null);
          for (const { fare, key } of equal.filter(({ takes_back }) => takes_back)) {
            const mirrored = left.findIndex((ride) => ride.fare === fare);
            if (mirrored >= 0) assert.equal(key, left.splice(mirrored, 1)[0]!.key, "the first with that fare");
            else {
              assert.ok(!rides.some((ride) => ride.lasts !== null && ride.key === key), "it takes no other ride back");
              waiting++;
              sum -= fare;
            }
          }
        }
        waited += waiting;
        assert.deepEqual(equals.waiting_voids(file), { count: waiting, sum_micros: BigInt(sum * 1e6) });
      }
      for (const [i, event] of events.entries()) if (event.file === 2) assert.deepEqual(numbered[i], event);

      // Who goes on after an event reads all of its instant again.
      const point = events[Math.min(stop, events.length - 1)];
      if (point === undefined) return;
      const again = new EqualRows(new Set([0, 1]), TRIPS);
      const rest = events.filter(({ at_us }) => at_us >= point.at_us).map((event) => again.numbered(event));
      const after = (some: readonly ReplayEvent[]) => some.filter((event) => compare_points(event, point) > 0);
      assert.deepEqual(after(rest), after(numbered));
    }),
    { numRuns: 300 },
  );
  assert.ok(waited > 0);
});

Deno.test("equal rows: digits beyond a double stay, and what a fault is told for has no number", () => {
  const [event] = events_of([{ file: 0, id: "a", at: 1, lasts: null, fare: 1, takes_back: false }]);
  const exact = { ...event!, value: '{"event_id":"e","trip_id":"a","tag":9007199254740993}' };
  const equals = new EqualRows(new Set([0]), TRIPS);
  equals.numbered(exact);
  assert.equal(
    equals.numbered({ ...exact, line: 1 }).value,
    '{"event_id":"e-2","trip_id":"a-2","tag":9007199254740993}',
  );
  const bad = { ...exact, line: 2, fault: "{}" };
  assert.equal(equals.numbered(bad), bad);
});
