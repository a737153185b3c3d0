import assert from "node:assert/strict";
import { time_labels, time_splits } from "../../static/series.js";

const seconds = (...parts: [number, number, number, number, number?]) => Date.UTC(...parts) / 1000;

function labels(from_s: number, to_s: number, zone: string, room: number): string[] {
  return time_labels(time_splits(from_s, to_s, zone, room), zone);
}

Deno.test("marks stand at round local times and fit the room", () => {
  const from_s = seconds(2026, 2, 1, 11, 7);
  assert.deepEqual(labels(from_s, from_s + 3_600, "UTC", 10), ["11:10", "11:20", "11:30", "11:40", "11:50", "12:00"]);
  assert.deepEqual(labels(from_s, from_s + 3_600, "Asia/Kolkata", 3), ["17:00", "17:30"]);
  for (const length_s of [900, 3_600, 21_600, 86_400, 604_800]) {
    for (const room of [2, 4, 10, 25]) {
      assert.ok(time_splits(from_s, from_s + length_s, "UTC", room).length <= room + 1, `${length_s} in ${room}`);
    }
  }
});

Deno.test("a day begins with its date, also where it is no day of UTC", () => {
  const from_s = seconds(2026, 2, 1, 0);
  const told = labels(from_s, from_s + 86_400, "America/New_York", 8);
  assert.deepEqual(told, ["21:00", "1 Mar", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00"]);
});

Deno.test("days of 23 and 25 hours keep round local times", () => {
  const forward_s = seconds(2026, 2, 8, 5); // Midnight in New York; clocks skip 02:00 there.
  const forward = time_splits(forward_s, forward_s + 8 * 3_600, "America/New_York", 8);
  assert.deepEqual(time_labels(forward, "America/New_York"), [
    "8 Mar",
    "01:00",
    "03:00",
    "04:00",
    "05:00",
    "06:00",
    "07:00",
    "08:00",
    "09:00",
  ]);
  const back_s = seconds(2026, 9, 25, 0); // 02:00 in Berlin comes twice; 00:00 UTC is the first.
  const back = time_splits(back_s - 2 * 3_600, back_s + 4 * 3_600, "Europe/Berlin", 6);
  assert.deepEqual(time_labels(back, "Europe/Berlin"), ["25 Oct", "01:00", "02:00", "03:00", "04:00", "05:00"]);
  const days = time_splits(forward_s - 3 * 86_400, forward_s + 3 * 86_400, "America/New_York", 8);
  assert.deepEqual(time_labels(days, "America/New_York"), [
    "5 Mar",
    "6 Mar",
    "7 Mar",
    "8 Mar",
    "9 Mar",
    "10 Mar",
    "11 Mar",
  ]);
});

Deno.test("zones that are off by half an hour or three quarters keep round local times", () => {
  const from_s = seconds(2026, 3, 4, 13); // Lord Howe's clocks go back by half an hour at 15:00 UTC.
  assert.deepEqual(labels(from_s, from_s + 4 * 3_600, "Australia/Lord_Howe", 5), ["5 Apr", "01:00", "02:00", "03:00"]);
  const nepal_s = seconds(2026, 2, 1, 12);
  assert.deepEqual(labels(nepal_s, nepal_s + 2 * 3_600, "Asia/Kathmandu", 4), ["18:00", "18:30", "19:00", "19:30"]);
});

Deno.test("a long axis is marked at Mondays", () => {
  const from_s = seconds(2026, 0, 1, 0);
  assert.deepEqual(labels(from_s, from_s + 60 * 86_400, "UTC", 5), ["5 Jan", "19 Jan", "2 Feb", "16 Feb", "2 Mar"]);
  for (const days of [45, 90, 200, 400]) {
    const splits = time_splits(from_s, from_s + days * 86_400, "America/New_York", 8);
    assert.ok(splits.length >= 4 && splits.length <= 9, `${days} days: ${splits.length}`);
    for (const t of splits) {
      const told = new Intl.DateTimeFormat("en", {
        weekday: "short",
        hour: "numeric",
        hourCycle: "h23",
        timeZone: "America/New_York",
      })
        .format(t * 1000);
      assert.equal(told, "Mon, 00");
    }
  }
});
