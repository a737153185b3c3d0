import assert from "node:assert/strict";
import { format_address, parse_address } from "../../static/address.js";
import { press_line as press } from "../../static/chart_tools.js";
import {
  format_limits,
  format_notes,
  is_past,
  name_limit,
  parse_limits as read_limits,
  parse_notes,
  state_of,
  tell_limits,
} from "../../static/marks.js";
import { zone_of } from "../../static/state.js";
import { DECLARED } from "../support/page_frames.ts";

const parse_limits = (texts: string[]) => read_limits(texts, DECLARED);
const press_line = (lines: string[], name: string, alone: boolean) => press(lines, name, alone, DECLARED);
const marks_of = (query: string) => {
  const address = parse_address(query, DECLARED);
  return { ...address, lines: address.lines ?? DECLARED.shown };
};
const query_of = (query: string) => format_address(marks_of(query), DECLARED).slice(1);

Deno.test("what the reader puts on the charts is in the address, the default is not", () => {
  assert.equal(query_of(""), "");
  const full = "lines=started,canceled&tz=Asia/Kathmandu&limit=canceled>20&limit=revenue<99.5&kiosk=1" +
    "&note=2026-03-01T12:00:00Z~Rain, at last";
  assert.deepEqual(marks_of(query_of(full)), marks_of(full));
  assert.deepEqual(marks_of(full).lines, ["started", "canceled"]);
  assert.deepEqual(marks_of("lines=compared,completed").lines, ["completed", "compared"], "in the legend's order");
  assert.deepEqual(marks_of("lines=none").lines, []);
  assert.equal(query_of("lines=none"), "lines=none");
});

Deno.test("what the address says wrongly becomes the default", () => {
  assert.deepEqual(marks_of("lines=profit&tz=Mars/Olympus&kiosk=yes"), marks_of(""));
  assert.equal(marks_of("tz=%2B05:00").tz, null, "a zone is a name");
  assert.deepEqual(parse_limits(["canceled>", "profit>4", "canceled>-1", "canceled=4", "canceled>1e3"]), []);
  assert.deepEqual(
    parse_notes(["2026-03-01~no time", "2026-13-01T12:00:00Z~no month", "2026-03-01T12:00:00Z~ \n"]),
    [],
  );
});

Deno.test("limits and notes are read as they are written", () => {
  const limits = [{ name: "canceled", sign: ">", value: 20 }, { name: "revenue", sign: "<", value: 99.5 }];
  assert.deepEqual(parse_limits(format_limits(limits)), limits);
  const notes = [{ at_ms: Date.UTC(2026, 2, 1, 12), text: "=1+1 ~ quoted" }];
  assert.deepEqual(parse_notes(format_notes(notes)), notes);
  assert.deepEqual(parse_limits(["canceled>20", "canceled>30"]), [{ ...limits[0], value: 30 }], "the latest counts");
  assert.equal(parse_notes(Array.from({ length: 30 }, (_, i) => `2026-03-01T12:00:${10 + i}Z~${i}`)).length, 20);
  assert.deepEqual(
    parse_notes(["2026-03-01T13:00:00Z~b", "2026-03-01T13:30:00+01:00~a"]).map(({ text }: { text: string }) => text),
    [
      "a",
      "b",
    ],
  );
});

Deno.test("a press on the legend hides, shows or leaves a line alone", () => {
  assert.deepEqual(press_line(["completed", "compared"], "compared", false), ["completed"]);
  assert.deepEqual(press_line(["compared"], "started", false), ["started", "compared"]);
  assert.deepEqual(press_line(["completed", "compared"], "canceled", true), ["canceled"]);
  assert.deepEqual(press_line(["canceled"], "canceled", true), ["completed", "compared"]);
});

Deno.test("times are told in the zone of the address, which is the business zone's by itself", () => {
  assert.equal(zone_of({ tz: null }, "America/New_York"), "America/New_York");
  assert.equal(zone_of({ tz: "UTC" }, "America/New_York"), "UTC");
  assert.equal(zone_of({ tz: "local" }, "America/New_York"), Intl.DateTimeFormat().resolvedOptions().timeZone);
});

const ABOVE = { name: "canceled", sign: ">", value: 20 };
const BELOW = { ...ABOVE, sign: "<" };
/** Columns of five minutes from 0, the last of which runs. */
const columns_of = (canceled: (number | null)[], running = canceled.length - 1) => ({
  x: canceled.map((_, i) => i * 300),
  ends: canceled.map((_, i) => (i + 1) * 300),
  canceled,
  running,
});

Deno.test("a limit says since when it is passed, at the newest known bucket", () => {
  const state = (limit: typeof ABOVE, values: (number | null)[], now_s = values.length * 300 - 60) =>
    state_of(limit, columns_of(values), now_s);
  assert.equal(state(ABOVE, [25, 25, 10, 3]), null, "it is over");
  assert.equal(state(ABOVE, [1, 2, 20, 20]), null, "at the limit is not past it");
  assert.deepEqual(state(ABOVE, [1, 21, 25, 3]), { since_s: 300, until_s: null, from_start: false });
  assert.deepEqual(state(ABOVE, [1, 2, 3, 21]), { since_s: 900, until_s: null, from_start: false }, "it only grows");
  assert.deepEqual(state(ABOVE, [30, 30, 30, 0]), { since_s: 0, until_s: null, from_start: true });
  assert.equal(state(BELOW, [30, 30, 30, 0]), null, "the running bucket is not complete");
  assert.deepEqual(state(BELOW, [30, 30, 5, 0]), { since_s: 600, until_s: null, from_start: false });
  assert.equal(state(ABOVE, [null, null, null, null]), null);
  const old = state_of(ABOVE, columns_of([1, 25, 25, null, null, null], -1), 1_790);
  assert.deepEqual(old, { since_s: 300, until_s: 900, from_start: false }, "nothing is claimed of what is not known");
  assert.equal(is_past(ABOVE, null), false);
});

Deno.test("limits are told in one calm sentence", () => {
  const told = (limits: typeof ABOVE[], canceled: number[]) =>
    tell_limits(
      limits,
      {
        columns: { ...columns_of(canceled), revenue: [1, 1, 1, 1] },
        step_s: 300,
        currency: "USD",
        declared: DECLARED,
        now_ms: 1_140_000,
      },
      (s: number) => `${s / 60} min`,
    );
  assert.deepEqual(told([ABOVE], [1, 25, 25, 3]), { past: true, text: "canceled above 20 per 5 minutes since 5 min" });
  assert.deepEqual(told([ABOVE, BELOW], [20, 20, 20, 20]), { past: false, text: "Within all 2 limits" });
  assert.match(told([ABOVE], [25, 25, 25, 3]).text, /since before 5 min$/);
  assert.match(
    name_limit({ name: "revenue", sign: "<", value: 99.5 }, { step_s: 3_600, currency: "USD", declared: DECLARED }),
    /^revenue below 99[.,]50 USD per hour$/,
  );
});
