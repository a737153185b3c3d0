import assert from "node:assert/strict";
import {
  type Comparison,
  comparisons_of,
  present_of,
  reached_ms,
  type Span,
  window_at,
} from "../../src/feed/figures/view.ts";
import { days_in } from "../../src/kpi/mod.ts";

const BERLIN = days_in("Europe/Berlin");
const s = (text: string): number => Date.parse(text) / 1000;
const text = (at_s: number): string => new Date(at_s * 1000).toISOString().slice(0, 16);

function compared(span: Span, now: string, days = BERLIN) {
  const window = window_at(span, Date.parse(now), days);
  return { window, ...comparisons_of(window, Date.parse(now), days) };
}
const stretch = ({ stretch: { from_s, to_s } }: Comparison) => [text(from_s), text(to_s)];

Deno.test("a following view compares as much as has passed: with the hour before, and the same hour a week before", () => {
  const { previous, weekday } = compared({ range: "1h", to_s: null }, "2026-06-10T12:00:30Z");
  assert.deepEqual(stretch(previous), ["2026-06-10T10:01", "2026-06-10T11:00"]);
  assert.deepEqual(stretch(weekday), ["2026-06-03T11:01", "2026-06-03T12:00"]);
  assert.equal(text(previous.window.to_s), "2026-06-10T11:01");
  assert.deepEqual([previous.shift_s, weekday.shift_s], [3_600, 7 * 86_400]);
});

Deno.test("figures are held against as much of then as they have come to: to the newest event, not to now", () => {
  const now_ms = Date.parse("2026-06-10T12:00:30Z"), newest_ms = Date.parse("2026-06-10T11:20:10Z");
  assert.deepEqual([reached_ms(now_ms, newest_ms), reached_ms(now_ms, now_ms + 1), reached_ms(now_ms, null)], [
    newest_ms,
    now_ms,
    0,
  ]);
  const window = window_at({ range: "1h", to_s: null }, now_ms, BERLIN);
  const { previous, weekday } = comparisons_of(window, newest_ms, BERLIN);
  assert.deepEqual(stretch(previous), ["2026-06-10T10:01", "2026-06-10T10:20"]);
  assert.deepEqual(stretch(weekday), ["2026-06-03T11:01", "2026-06-03T11:20"]);
  assert.deepEqual(stretch(comparisons_of(window, 0, BERLIN).previous), ["2026-06-10T10:01", "2026-06-10T10:01"]);
});

Deno.test("the same hour of the same weekday is the same by the local clock, on both sides of a change", () => {
  // Clocks went forward on 29 March and back on 25 October.
  const spring = compared({ range: "1h", to_s: s("2026-03-30T08:00:00Z") }, "2026-04-20T00:00:00Z");
  assert.deepEqual(stretch(spring.weekday), ["2026-03-23T08:00", "2026-03-23T09:00"], "9 to 10 local");
  const autumn = compared({ range: "24h", to_s: null }, "2026-10-26T12:02:00Z");
  assert.equal(autumn.weekday.shift_s, 7 * 86_400 + 3_600);
  assert.deepEqual(stretch(autumn.weekday), ["2026-10-18T11:05", "2026-10-19T11:00"]);
  assert.equal(autumn.previous.shift_s, 86_400);
});

Deno.test("a range longer than a week is held against the least number of weeks that is not shorter", () => {
  const now = "2026-06-10T12:00:30Z";
  assert.equal(compared({ range: "7d", to_s: null }, now).weekday.shift_s, 7 * 86_400);
  assert.equal(compared({ range: "30d", to_s: null }, now).weekday.shift_s, 35 * 86_400);
});

Deno.test("a day that runs is held against as much of another day; one to come against nothing", () => {
  const today = { range: "custom", from_s: s("2026-06-09T22:00:00Z"), to_s: s("2026-06-10T22:00:00Z") } as const;
  const { weekday, previous, window } = compared(today, "2026-06-10T12:04:00Z");
  assert.deepEqual(stretch(weekday), ["2026-06-02T22:00", "2026-06-03T12:00"]);
  assert.deepEqual(stretch(previous), ["2026-06-08T22:00", "2026-06-09T12:00"]);
  assert.equal(weekday.window.to_s - weekday.window.from_s, window.to_s - window.from_s, "its line goes on");
  const tomorrow = compared(today, "2026-06-09T12:00:00Z");
  assert.deepEqual(stretch(tomorrow.weekday), ["2026-06-02T22:00", "2026-06-02T22:00"]);
});

Deno.test("days are held against whole local days, however long the clocks make them", () => {
  // 60 local days, 23:00 UTC in winter and 22:00 UTC in summer.
  const span = { range: "custom", from_s: s("2026-03-10T23:00:00Z"), to_s: s("2026-05-09T22:00:00Z") } as const;
  const { window, previous, weekday } = compared(span, "2026-05-09T10:00:00Z");
  assert.equal(window.grain, "1d");
  assert.deepEqual([text(previous.window.from_s), text(previous.window.to_s)], [
    "2026-01-09T23:00",
    "2026-03-10T23:00",
  ]);
  assert.deepEqual([text(weekday.window.from_s), text(weekday.window.to_s)], ["2026-01-06T23:00", "2026-03-07T23:00"]);
  assert.equal(text(weekday.stretch.to_s), "2026-03-07T11:00", "noon local");
  assert.equal(text(present_of(s("2026-03-06T23:00:00Z"), window, weekday, BERLIN)), "2026-05-08T22:00");
  assert.equal(text(present_of(s("2026-01-06T23:00:00Z"), window, weekday, BERLIN)), "2026-03-10T23:00");
});

Deno.test("days whose midnight is skipped begin when the clocks have jumped", () => {
  // Beirut skips the midnight of 29 March.
  const beirut = days_in("Asia/Beirut");
  const span = { range: "custom", from_s: s("2026-02-01T22:00:00Z"), to_s: s("2026-04-04T21:00:00Z") } as const;
  const { window, weekday } = compared(span, "2026-06-01T00:00:00Z", beirut);
  const sunday = beirut.day_of(s("2026-03-29T12:00:00Z") * 1e6).start_us / 1e6;
  assert.equal(text(sunday), "2026-03-28T22:00");
  const back = sunday - 63 * 86_400;
  assert.equal(present_of(back, window, weekday, beirut), sunday);
});

Deno.test("buckets of a comparison come to stand beside those of the present", () => {
  const { window, weekday } = compared({ range: "6h", to_s: null }, "2026-10-26T12:02:00Z");
  assert.equal(present_of(weekday.window.from_s, window, weekday, BERLIN), window.from_s);
});
