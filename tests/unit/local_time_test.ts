import assert from "node:assert/strict";
import fc from "fast-check";
import { format_time, local_clock, local_time } from "../../src/kpi/mod.ts";

/** Days on which clocks were changed: by an hour, by half of one, a minute after midnight, over a whole day, by 44 minutes and a half. */
const CHANGES = [
  ["America/New_York", "2026-03-08"],
  ["America/New_York", "2026-11-01"],
  ["Australia/Lord_Howe", "2026-04-05"],
  ["Australia/Lord_Howe", "2026-10-04"],
  ["America/St_Johns", "2006-10-29"],
  ["Pacific/Apia", "2011-12-30"],
  ["Africa/Monrovia", "1972-01-07"],
  ["America/Havana", "2026-11-01"],
  ["UTC", "2026-01-01"],
] as const;

Deno.test("a remembered clock reads every local time as local_time does, around changes of the clocks and far from them", () => {
  const clocks = new Map(CHANGES.map(([zone]) => [zone, local_clock(zone)]));
  const near = fc.tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -30 * 3600e6, max: 54 * 3600e6 })).map((
    [[zone, day], offset],
  ) => ({ zone, us: Date.parse(`${day}T00:00:00Z`) * 1000 + offset }));
  const far = fc.record({
    zone: fc.constantFrom(...CHANGES.map(([zone]) => zone)),
    us: fc.integer({ min: Date.UTC(1900, 0, 2) * 1000, max: Date.UTC(2254, 11, 30) * 1000 }),
  });
  fc.assert(
    fc.property(fc.oneof({ weight: 4, arbitrary: near }, far), ({ zone, us }) => {
      assert.equal(clocks.get(zone)!(us), local_time(format_time(us).slice(0, -1), zone));
    }),
    { numRuns: 3_000 },
  );
});
