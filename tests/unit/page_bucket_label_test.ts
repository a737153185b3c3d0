import assert from "node:assert/strict";
import { comes_twice, format_bucket, format_offset } from "../../static/readout.js";

const seconds = (...parts: [number, number, number, number, number?]) => Date.UTC(...parts) / 1000;
const label = (from_s: number, length_s: number, zone: string) =>
  format_bucket(from_s, from_s + length_s, zone, from_s * 1000);

Deno.test("a bucket is named by its clock times", () => {
  assert.equal(label(seconds(2026, 2, 1, 12), 300, "America/New_York"), "07:00 – 07:05");
  assert.equal(label(seconds(2026, 2, 1, 12), 3_600, "Asia/Kathmandu"), "17:45 – 18:45");
});

Deno.test("times that come twice are told apart by their offset, by an hour or by half of one", () => {
  const zone = "America/New_York", back_s = seconds(2026, 10, 1, 5, 30);
  assert.equal(label(back_s, 300, zone), "01:30 – 01:35 (UTC−04:00)");
  assert.equal(label(back_s + 3_600, 300, zone), "01:30 – 01:35 (UTC−05:00)");
  assert.equal(label(back_s - 3_600, 300, zone), "00:30 – 00:35");
  assert.equal(label(back_s + 7_200, 300, zone), "02:30 – 02:35");
  const island = "Australia/Lord_Howe", island_s = seconds(2026, 3, 4, 14, 45); // Back by half an hour at 15:00 UTC.
  assert.equal(label(island_s, 300, island), "01:45 – 01:50 (UTC+11:00)");
  assert.equal(label(island_s + 1_800, 300, island), "01:45 – 01:50 (UTC+10:30)");
  assert.equal(comes_twice(island_s - 1_800, island), false);
  const forward_s = seconds(2026, 2, 8, 6, 30);
  for (const t of [forward_s, forward_s + 1_800, forward_s + 3_600]) assert.equal(comes_twice(t, zone), false);
  assert.equal(format_offset(forward_s, "Asia/Kathmandu"), "UTC+05:45");
});

Deno.test("a day of the business zone is named by its date, elsewhere by its borders", () => {
  const from_s = seconds(2026, 2, 8, 5);
  assert.equal(label(from_s, 82_800, "America/New_York"), "Sun 8 Mar", "a day of 23 hours");
  assert.equal(label(from_s, 82_800, "UTC"), "Sun 8 Mar, 05:00 – Mon 9 Mar, 04:00");
});
