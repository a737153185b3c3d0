import assert from "node:assert/strict";
import { closed_before, closes_at, LATENESS_US } from "../../src/kpi/mod.ts";
import { LATE_MS, lateness_of } from "../../static/stream/words.js";
import counted from "../../static/help.js" with { type: "text" };

Deno.test("late means the same to ingest, to the marks of the board, on the page of a trip and in the words of the board", () => {
  assert.equal(LATE_MS * 1000, LATENESS_US);
  assert.ok(counted.includes(`more than ${LATENESS_US / 60e6} minutes`), "the words of the board name it");
  // A minute whose end is at 600 s is closed by the watermark that closes it, and by none before.
  const closes_us = closes_at(600e6);
  assert.equal(closed_before(closes_us), 600e6);
  assert.equal(closed_before(closes_us - 1), 540e6);
  assert.equal(closed_before(-Infinity), -Infinity);
});

Deno.test("an event of a trip is late by the newest event that its message told", () => {
  const event = (at: string, offset: number | undefined, recorded = "10:31:00") => ({
    occurred_at: `2026-03-01T${at}Z`,
    recorded_at: `2026-03-01T${recorded}Z`,
    metadata: offset === undefined ? {} : { topic: "rides", partition: 0, offset },
  });
  const whole = [event("10:00:00", 7), event("10:30:00", 7)];
  assert.deepEqual(whole.map((each) => lateness_of(each, whole).late), [false, false]);
  assert.equal(lateness_of(whole[0]!, whole).text, "31 min later");
  const apart = [event("10:00:00", 7), event("10:30:00", 8), {
    ...event("10:30:00", 7),
    metadata: { topic: "rides", partition: 1, offset: 7 },
  }];
  assert.deepEqual(apart.map((each) => lateness_of(each, apart).late), [true, false, false]);
  const unknown = [event("10:00:00", undefined), event("10:30:00", undefined)];
  assert.deepEqual(
    unknown.map((each) => lateness_of(each, unknown).late),
    [true, false],
    "where it came from is not known",
  );
});
