import assert from "node:assert/strict";
import fc from "fast-check";
import { days_in } from "../../src/kpi/mod.ts";
import { type Arrival, EventTimes, FileAccount, type FileCounts } from "../../src/replay/mod.ts";
import { read_config } from "../../src/runtime/mod.ts";
import { page_window, replay_words, throw_if_refused, TooMuchRefused } from "../../src/verbs/records/replay_summary.ts";

/** What the records of a file came to: counted, told in words, and judged. */

const DAY_US = 86_400e6;
const MINUTE_US = 60e6;
const config = (variables: Record<string, string> = {}) => read_config(variables);
const negative = { reason: "invalid_field", path: "fare_amount", detail: "expected an amount" };
const no_time = { reason: "invalid_record", path: "at", detail: "expected a time" };

/** A file with so many records. */
function counts_of(
  { sound = 0, refused = 0, skipped = 0, path = "a.csv", arrivals = [] as readonly Arrival[] },
): FileCounts {
  const account = new FileAccount(path);
  for (let i = 0; i < sound; i++) account.made(2);
  for (let i = 0; i < refused; i++) account.refused(negative, -1_500_000n);
  for (let i = 0; i < skipped; i++) account.skipped();
  return account.counts(arrivals);
}
const summary = (files: readonly FileCounts[], more = {}) => ({
  to: "kafka" as const,
  files,
  sent: 0,
  equal_rows: null,
  voids: { count: 0, sum_micros: 0n },
  log: null,
  resumed: false,
  times: null,
  window: null,
  ...more,
});
const failure = (files: readonly FileCounts[], percent = 10): string | null => {
  try {
    throw_if_refused("replay", files, percent);
    return null;
  } catch (error) {
    assert.ok(error instanceof TooMuchRefused);
    return error.message;
  }
};

Deno.test("a replay fails by file: more than the share is refused, or nothing comes in; what is skipped counts for nothing", () => {
  assert.equal(failure([counts_of({ sound: 900, refused: 100 })]), null);
  assert.equal(failure([counts_of({ sound: 901, refused: 99 })]), null);
  assert.match(failure([counts_of({ sound: 899, refused: 101 })])!, /"a\.csv": 10\.10 % were refused, at most 10 %/);
  assert.equal(failure([counts_of({ sound: 899, refused: 101 })], 10.1), null);
  assert.match(failure([counts_of({ sound: 90, refused: 10, skipped: 1 })], 9.99)!, /of 100 records, 10 refused/);
  assert.equal(failure([counts_of({ sound: 1 })], 0), null);
  assert.match(
    failure([counts_of({ refused: 3 })], 100)!,
    /nothing was admitted: of 3 records, 3 refused: negative .*; the first: expected an amount$/,
  );
  assert.match(failure([counts_of({})])!, /"a\.csv" holds no records$/);
  assert.match(failure([counts_of({ skipped: 3 })])!, /all of its 3 records were skipped$/);
  const one_bad = [...Array(10).keys()].map((i) => counts_of({ sound: 100, path: `${i}.csv` }));
  one_bad.push(counts_of({ sound: 2, refused: 1, path: "bad.csv" }));
  assert.match(failure(one_bad)!, /^replay: 1 of 11 files failed: "bad\.csv": 33\.33 % were refused/);
});

Deno.test("the share is exact: one more record than it allows, and it is passed, whatever the share", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 0, max: 1_000 }), (percent_10, n) => {
    const records = 2_000, refused = n * 2;
    const fails = failure([counts_of({ sound: records - refused, refused })], percent_10 / 10) !== null;
    assert.equal(fails, refused === records || refused * 1_000 > percent_10 * records);
  }));
});

Deno.test("what is refused on arrival counts by record, however many of its events were", () => {
  const arrivals: Arrival[] = [[0, 0, "identity_conflict", 3, 0, "0"], [0, 1, "identity_conflict", 3, 0, "0"]];
  const { records, refused, events, passed, refusals } = counts_of({ sound: 20, arrivals });
  assert.deepEqual([records, refused, events, passed], [20, 3, 40, 34]);
  assert.deepEqual(refusals, [{ reason: "identity_conflict", count: 6, amounts: 0, sum_micros: 0n }]);
  assert.match(failure([counts_of({ sound: 20, arrivals })])!, /15\.00 % were refused/);
});

Deno.test("reasons are told with counts and sums of amounts; a flood of them is bounded", () => {
  const account = new FileAccount("a.csv");
  for (let i = 0; i < 178; i++) account.refused(negative, -8_500_000n);
  for (let i = 0; i < 4; i++) account.refused(negative, -1_127_500n);
  account.made(1);
  const told = (files: readonly FileCounts[], more = {}) => replay_words(summary(files, more), config());
  assert.match(told([account.counts([])]), /; 182 refused: negative fare_amount, −1,517\.51$/);
  assert.match(told([counts_of({ sound: 1 })]), /1 record of 1 file read; 2 events sent to topic trips; 0 refused$/);

  const mixed = new FileAccount("b.csv");
  mixed.refused(no_time, null);
  mixed.refused(negative, null);
  mixed.refused({ ...negative, path: "tip" }, 2_000_000_000_000_123_456n);
  mixed.refused({ reason: "malformed_csv", path: null, detail: "" }, null);
  assert.match(
    told([mixed.counts([]), counts_of({ refused: 2, skipped: 1_200 })]),
    /^replayed: 1,206 records of 2 files read; .*; 1,200 skipped; 6 refused: 2 negative fare_amount, −3\.00; 1 invalid_record at; 1 invalid_field fare_amount; 1 invalid_field tip, 2,000,000,000,000\.123456; 1 malformed_csv$/,
  );

  const flood = new FileAccount("c.csv");
  for (let i = 0; i < 1_000; i++) flood.refused({ ...no_time, path: `${i}${"x".repeat(100)}\x1b[2J\n` }, null);
  const { refusals } = flood.counts([]);
  assert.deepEqual([refusals.length, refusals[0]!.reason, refusals[0]!.count], [100, "other reasons", 901]);
  assert.doesNotMatch(told([flood.counts([])]), /\p{Cc}/u);
  assert.match(told([flood.counts([])]), /1,000 refused: 901 other reasons; .*; 95 for other reasons$/);
});

Deno.test("duplicates alone are no failure, and said; counts of a run that went on are said to be its own", () => {
  const told = (log: object, more = {}) =>
    replay_words(summary([counts_of({ sound: 2 })], { to: "log", log, ...more }), config());
  assert.match(told({ admitted: 0, duplicates: 4, quarantined: 0 }), /; 0 admitted, 4 duplicates: all of it was there/);
  assert.match(told({ admitted: 3, duplicates: 1, quarantined: 0 }), /; 3 admitted, 1 duplicate; 0 refused$/);
  const voids = { count: 3, sum_micros: -25_500_000n };
  assert.match(told({ admitted: 1, duplicates: 0 }, { voids }), /; 3 voids without a ride in the file, −25\.50; 0 ref/);
  const resumed = told({ admitted: 1, duplicates: 1, quarantined: 0 }, { resumed: true });
  assert.match(resumed, /; 1 admitted, 1 duplicate, by this run alone;/);
});

/** The link of a replay with events at these times. */
function link(times_us: readonly number[], variables: Record<string, string> = {}): string {
  const settings = config(variables);
  const times = new EventTimes();
  for (const us of times_us) times.add(us);
  const window = page_window(times, days_in(settings.time_zone));
  const words = replay_words(
    summary([counts_of({ sound: 1 })], { times: times.covered, window }),
    settings,
  );
  return words.slice(words.indexOf("0 refused; ") + 11);
}
const at = (text: string) => Date.parse(text) * 1_000;

Deno.test("the last line says when the events happened, in business time, and links to the page at that time", () => {
  assert.equal(
    link([at("2024-03-05T09:10:00Z"), at("2024-03-05T10:59:59Z")]),
    "event times 2024-03-05T09:10:00+00:00 to 2024-03-05T10:59:59+00:00 (UTC); " +
      "http://127.0.0.1:8000/?from=2024-03-05T09:00:00Z&to=2024-03-05T11:00:00Z",
  );
  // Over the night in which the clocks go forward, in whole days of the business zone.
  assert.equal(
    link([at("2024-03-10T06:30:00Z"), at("2024-03-12T03:59:00Z")], { TACHO_TIME_ZONE: "America/New_York" }),
    "event times 2024-03-10T01:30:00-05:00 to 2024-03-11T23:59:00-04:00 (America/New_York); " +
      "http://127.0.0.1:8000/?from=2024-03-10T05:00:00Z&to=2024-03-12T04:00:00Z",
  );
  assert.match(
    link([0], { HOST: "::1", PORT: "81" }),
    /; http:\/\/\[::1\]:81\/\?from=1970-01-01T00:00:00Z&to=1970-01-01T01/,
  );
  assert.match(link([0], { HOST: "0.0.0.0", TACHO_TOKEN: "0123456789abcdef" }), /http:\/\/127\.0\.0\.1:8000\//);
  assert.doesNotMatch(link([0], { PORT: "0" }), /http/);
});

Deno.test("of more than 400 days the link shows where nearly all events are", () => {
  const month = Array.from(
    { length: 3_000 },
    (_, i) => at("2024-01-01T00:00:00Z") + (i % 31) * DAY_US + i * MINUTE_US / 10,
  );
  const strays = [
    at("2002-12-31T23:00:00Z"),
    at("2009-01-01T00:00:00Z"),
    at("2023-06-01T00:00:00Z"),
    at("2098-09-11T00:00:00Z"),
  ];
  assert.match(link([...month, ...strays]), /\?from=2024-01-01T00:00:00Z&to=2024-02-01T00:00:00Z$/);
  assert.match(link([...month, ...strays]), /^event times 2002-12-31T23:00:00\+00:00 to 2098-09-11T00:00:00\+00:00/);
});

Deno.test("whatever the times, the page can show the window, and no window of its length has more than a hundredth more", () => {
  const day = fc.integer({ min: -20_000, max: 40_000 });
  fc.assert(
    fc.property(
      fc.array(day, { minLength: 1, maxLength: 60 }),
      fc.constantFrom("UTC", "America/New_York", "Pacific/Apia"),
      (found, zone) => {
        const times = new EventTimes();
        for (const each of found) times.add(each * DAY_US + 3_600e6);
        const window = page_window(times, days_in(zone))!;
        assert.ok(window.to_us - window.from_us <= 400 * DAY_US, `${(window.to_us - window.from_us) / DAY_US} days`);
        const within = (from: number, to: number) =>
          found.filter((each) => each * DAY_US >= from - DAY_US && each * DAY_US < to).length;
        const most = Math.max(
          ...found.map((first) => found.filter((each) => each >= first && each < first + 397).length),
        );
        assert.ok(within(window.from_us, window.to_us) >= most * 0.99);
      },
    ),
  );
});
