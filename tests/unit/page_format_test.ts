import assert from "node:assert/strict";
import {
  format_age,
  format_clock,
  format_day,
  format_moment,
  format_short,
  format_step,
  format_window,
  format_zone,
  zone_offset_s,
} from "../../static/format.js";

const NOON = Date.UTC(2026, 2, 1, 12);

Deno.test("the page tells ages in the unit that fits", () => {
  const told = [0, 400, 9_949, 9_960, 119_000, 120_000, 7_199_000, 7_200_000, 172_800_000].map((ms) => format_age(ms));
  assert.deepEqual(told, ["0.0 s", "0.4 s", "9.9 s", "9 s", "119 s", "2 min", "119 min", "2 h", "2 days"]);
  assert.equal(format_age(-5_000), "0.0 s", "a clock that runs ahead makes nothing younger than now");
});

Deno.test("the page shortens only what does not fit", () => {
  assert.equal(format_short(9_999_999), (9_999_999).toLocaleString());
  assert.match(format_short(12_345_678), /^12[.,]35/);
  assert.match(format_short(12_300, 10_000), /^12[.,]3/);
  assert.deepEqual([60, 300, 3_600].map((step_s) => format_step(step_s)), ["minute", "5 minutes", "hour"]);
});

Deno.test("the page tells times in the server's zone, whatever the browser's", () => {
  assert.equal(format_clock(NOON, "America/New_York"), "07:00");
  assert.equal(format_clock(NOON + 5_000, "Asia/Kolkata", true), "17:30:05");
  assert.equal(format_clock(Date.UTC(2026, 2, 1), "UTC"), "00:00", "midnight is 00, not 24");
  assert.equal(format_day(NOON, "UTC", NOON), "Sun 1 Mar");
  assert.equal(format_day(Date.UTC(2024, 4, 25), "UTC", NOON), "Sat 25 May 2024");
  assert.equal(format_moment(NOON - 60_000, "UTC", NOON), "11:59:00");
  assert.equal(format_moment(NOON - 86_400_000, "UTC", NOON), "Sat 28 Feb, 12:00");
  const noon_s = NOON / 1000;
  assert.equal(format_window({ from_s: noon_s - 3_600, to_s: noon_s }, "UTC", NOON), "Sun 1 Mar, 11:00 – 12:00");
  const day = format_window({ from_s: noon_s - 86_400, to_s: noon_s }, "UTC", NOON);
  assert.equal(day, "Sat 28 Feb, 12:00 – Sun 1 Mar, 12:00");
});

Deno.test("the page names zones with their offset of that day", () => {
  assert.equal(format_zone("UTC", NOON), "UTC");
  assert.equal(format_zone("America/New_York", NOON), "UTC−05:00 New York");
  assert.equal(format_zone("America/New_York", Date.UTC(2026, 6, 1)), "UTC−04:00 New York");
  assert.equal(zone_offset_s(NOON / 1000, "America/St_Johns"), -12_600);
  assert.equal(zone_offset_s(NOON / 1000, "Europe/London"), 0);
  // The quarter of an hour in which New York's clocks go forward, and the one before.
  const forward_s = Date.UTC(2026, 2, 8, 7) / 1000;
  assert.deepEqual([forward_s - 1, forward_s].map((t) => zone_offset_s(t, "America/New_York")), [-18_000, -14_400]);
});
