import assert from "node:assert/strict";
import fc from "fast-check";
import { days_in } from "../../src/kpi/mod.ts";
import { due_around, read_reports_file, read_reports_of } from "../../src/reports/mod.ts";
import { draw_picture, type PicturedBoard, xml_text } from "../../src/reports/picture.ts";
import { path_of, type Report } from "../../src/reports/report.ts";
import { times_every, WEEKDAYS } from "../../src/reports/due.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { trips_board } from "../support/trip_board.ts";

const MINUTE_MS = 60_000, DAY_MS = 86_400_000;

/** What the clocks of a zone show at an instant, as minutes since 1970 as if it were UTC. */
function wall_of(time_zone: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: time_zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  return (ms) => Date.parse(`${format.format(ms).replace(", ", "T")}Z`) / MINUTE_MS;
}

/** When the clocks show each minute first, found by walking; what they skip counts from before the jump. */
function walked(time_zone: string, from_ms: number, to_ms: number): Map<number, number> {
  const wall = wall_of(time_zone), shown = new Map<number, number>();
  let before = wall(from_ms - MINUTE_MS);
  for (let ms = from_ms; ms < to_ms; ms += MINUTE_MS) {
    const now = wall(ms);
    for (let skipped = before + 1; skipped < now; skipped++) {
      shown.set(skipped, ms + (skipped - before - 1) * MINUTE_MS);
    }
    if (!shown.has(now)) shown.set(now, ms);
    before = now;
  }
  return shown;
}

/** A day on which the clocks change, and one on which they do not. */
const CHANGES = [
  ["America/New_York", "2026-03-08"],
  ["America/New_York", "2026-11-01"],
  ["Europe/Berlin", "2026-03-29"],
  ["Europe/Berlin", "2026-10-25"],
  ["Australia/Lord_Howe", "2026-04-05"],
  ["Australia/Lord_Howe", "2026-10-04"],
  // At midnight.
  ["Africa/Cairo", "2026-04-24"],
  ["Africa/Cairo", "2026-10-29"],
  ["Asia/Kolkata", "2026-03-01"],
] as const;

const two = (n: number): string => String(n).padStart(2, "0");
const a_time = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 1, 15, 30, 59)).map(([h, m]) =>
  `${two(h)}:${two(m)}`
);
const a_schedule = fc.record({
  times: fc.oneof(
    fc.uniqueArray(a_time, { minLength: 1, maxLength: 4 }),
    fc.constantFrom(1, 2, 3, 4, 6, 8, 12, 24).map(times_every),
  ),
  weekdays: fc.option(fc.uniqueArray(fc.constantFrom(...WEEKDAYS), { minLength: 1 }), { nil: null }),
});

Deno.test("reports are due when a walk through the days, minute by minute, says so: also where the clocks change", () => {
  for (const [time_zone, date] of CHANGES) {
    const middle_ms = Date.parse(`${date}T12:00:00Z`), business = { days: days_in(time_zone), time_zone };
    const shown = walked(time_zone, middle_ms - 11 * DAY_MS, middle_ms + 11 * DAY_MS);
    const property = fc.property(
      a_schedule,
      fc.integer({ min: -2 * 1440, max: 2 * 1440 }),
      ({ times, weekdays }, minute) => {
        const now_ms = middle_ms + minute * MINUTE_MS;
        const due = [...shown].flatMap(([wall, ms]) => {
          const at = new Date(wall * MINUTE_MS), time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
          const weekday = WEEKDAYS[(at.getUTCDay() + 6) % 7]!;
          return times.includes(time) && (weekdays === null || weekdays.includes(weekday)) ? ms : [];
        });
        assert.deepEqual(due_around({ times, weekdays }, now_ms * 1_000, business), {
          last_us: Math.max(...due.filter((ms) => ms <= now_ms)) * 1_000,
          next_us: Math.min(...due.filter((ms) => ms > now_ms)) * 1_000,
        });
      },
    );
    fc.assert(property, { numRuns: 15 });
  }
});

const HOOK = "https://hooks.example.com/x";
const file_of = (...reports: unknown[]): string => JSON.stringify({ reports: { trips: reports } });
const read = (text: string) => {
  const file = read_reports_file(text, ["trips", "payments"]);
  return file.ok ? read_reports_of(trips_board, "trips", file.file) : file;
};
const faults = (text: string): string[] => {
  const found = read(text);
  assert.ok(!found.ok);
  return found.faults.map(({ place, message }) => `${place}: ${message}`);
};
const report = (more: Record<string, unknown> = {}): Record<string, unknown> => (
  { name: "morning", view: "range=yesterday", at: "07:00", as: "csv", webhook: HOOK, ...more }
);
const one = (more: Record<string, unknown> = {}): Report => {
  const found = read(file_of(report(more)));
  assert.ok(found.ok, JSON.stringify(found));
  return found.reports[0]!;
};

Deno.test("a wrong file of reports is refused with what was expected, what came and where", () => {
  const at = "reports.trips[0]";
  const cases: readonly (readonly [text: string, ...said: RegExp[]])[] = [
    ["{", /^file: expected JSON: /],
    ["[]", /^file: /],
    ["{}", /^reports: expected an object of domains with lists of reports, got nothing$/],
    ['{"reports": {}, "rules": {}}', /^rules: no such member; known are reports$/],
    ['{"reports": {"boats": []}}', /^reports\.boats: expected one of trips, payments, got "boats"$/],
    ['{"reports": {"trips": {}}}', /^reports\.trips: expected a list of reports, got \{\}$/],
    [
      file_of(...Array.from({ length: 51 }, (_, i) => report({ name: `r${i}` }))),
      /expected at most 50 reports, got 51$/,
    ],
    [file_of(report({ name: "../x" })), /\.name: expected a name of at most 64 small letters, .* got "\.\.\/x"$/],
    [file_of(report(), report()), /^reports\.trips\[1\]\.name: there is a report "morning" before it$/],
    [file_of(report({ at: "7:00" })), /\.at\[0\]: expected a time of the day such as "07:00", got "7:00"$/],
    [file_of(report({ at: ["24:00"] })), /\.at\[0\]: expected a time of the day such as "07:00", got "24:00"$/],
    [file_of(report({ at: [] })), /\.at: expected at least one time$/],
    [file_of(report({ at: 7 })), /\.at: expected a time of the day such as "07:00", or a list of them, got 7$/],
    [file_of(report({ every: "6h" })), /: expected one of at, every, got both$/],
    [file_of(report({ at: undefined })), /: expected one of at, every, got none$/],
    [file_of(report({ at: undefined, every: "5h" })), /\.every: expected one of 1h, 2h, .*, 24h, got "5h"$/],
    [file_of(report({ days: ["monday"] })), /\.days\[0\]: expected one of mon, tue, .*, got "monday"$/],
    [file_of(report({ as: "pdf" })), /\.as: expected one of csv, picture, got "pdf"$/],
    [file_of(report({ as: "picture", figure: "revenue" })), /\.figure: expected none beside "as": "picture"/],
    [
      file_of(report({ figure: "average_speed" })),
      /\.figure: expected a figure that adds up, got "average_speed": there is no such$/,
    ],
    [file_of(report({ view: "range=2y" })), /\.view: range: /],
    [file_of(report({ view: "range=1h&as_of=2026-03-01T00:00:00Z" })), /\.view: as_of: expected one of range, grain, /],
    [file_of(report({ view: "range=30d&grain=1m" })), /\.view: grain: expected a coarser grain for this range/],
    [file_of(report({ view: "city=a&not_city=b" })), /\.view: not_city: expected either city or not_city, got both$/],
    [file_of(report({ webhook: "ftp://x/" })), /\.webhook: expected https:\/\/host\/path$/],
    [
      file_of(report({ color: 1 })),
      /\.color: no such member; known are name, view, at, every, days, as, figure, webhook, secret_file$/,
    ],
    [file_of(report({ at: "x", as: "y" })), /\.at\[0\]: /, /\.as: /],
  ];
  for (const [text, ...said] of cases) {
    const found = faults(text);
    assert.equal(found.length, said.length, JSON.stringify(found));
    said.forEach((each, i) => assert.match(found[i]!, each));
  }
  assert.match(faults(file_of(report({ at: "x" })))[0]!, new RegExp(`^${at.replaceAll(/[[\]]/g, "\\$&")}\\.at`));
  assert.equal(one().name, "morning");
});

Deno.test("a report's range is that of when it was due, whenever it is made", () => {
  const chicago = days_in("America/Chicago"), due_us = Date.parse("2026-03-09T12:03:00Z") * 1_000;
  const asked = (more: Record<string, unknown>) => {
    const { pathname, searchParams } = new URL(path_of(one(more), due_us, chicago), "http://localhost");
    return [pathname, Object.fromEntries(searchParams)] as const;
  };
  // The day before had 23 hours.
  const yesterday = { from: "2026-03-08T06:00:00.000000Z", to: "2026-03-09T05:00:00.000000Z", grain: "5m" };
  assert.deepEqual(asked({}), ["/api/v1/board", { ...yesterday, compare: "weekday", format: "csv" }]);
  assert.deepEqual(asked({ figure: "revenue", view: "?range=yesterday&city=Chicago&compare=previous" }), [
    "/api/v1/kpis/items",
    { ...yesterday, compare: "previous", format: "csv", figure: "revenue", limit: "100000", city: "Chicago" },
  ]);
  const { format: _, ...picture } = asked({})[1];
  assert.deepEqual(asked({ as: "picture" }), ["/api/v1/board", picture]);
  const range = (view: string) => {
    const { from, to, grain } = asked({ view })[1];
    return `${from!.slice(5, 16)} ${to!.slice(5, 16)} ${grain}`;
  };
  assert.equal(range("range=today"), "03-09T05:00 03-10T05:00 5m");
  assert.equal(range("range=week&grain=1d"), "03-09T05:00 03-16T05:00 1d");
  // What goes on with the clock ends when it was due: no later bucket is in it.
  assert.equal(range("range=1h"), "03-09T11:03 03-09T12:03 1m");
  assert.equal(range(""), "03-09T11:03 03-09T12:03 1m");
  assert.equal(range("from=2026-03-01T00:00:00Z&to=2026-03-01T02:00:00Z"), "03-01T00:00 03-01T02:00 1m");
});

const FROM_S = Date.parse("2026-03-08T06:00:00Z") / 1_000;
const HOSTILE = `</text><script>alert(1)</script> & "x" '\u0000\u001b\u202e\ud800`;
const answer = (city: string): PicturedBoard => ({
  from_s: FROM_S,
  to_s: FROM_S + 6 * 3_600,
  step_s: 3_600,
  now_ms: Date.parse("2026-03-09T12:00:05Z"),
  position: 1_234,
  currency: "USD",
  compare: "weekday",
  filter: [{ dimension: "city", keys: [city], excluded: false }],
  series: { t: [FROM_S, FROM_S + 3_600, FROM_S + 3 * 3_600], completed: [3, 12, 7], revenue: [30, 120.5, 70] },
  cards: {
    completed: 22,
    trips: 25,
    in_progress: 0,
    revenue: 1_220.5,
    average_fare: 55.477,
    average_distance_km: null,
  },
  breakdowns: [],
  compared: { weekday: { since_s: null, cards: { completed: 20, trips: null, revenue: 1_000 } } },
});
const picture = (city: string, title = "morning") =>
  draw_picture(trips_board, answer(city), {
    title,
    due_us: Date.parse("2026-03-09T12:00:00Z") * 1_000,
    time_zone: "America/Chicago",
  });

/** The tags of a picture and the texts between them; fails where anything is neither. */
function parts_of(svg: string) {
  const tags = [...svg.matchAll(/<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<>]*")*)(\/?)>/g)];
  const texts = svg.split(/<[^<>]*>/), open: string[] = [];
  assert.equal(tags.length, texts.length - 1);
  for (const [, ends, name = "", , alone] of tags) {
    if (ends !== "") assert.equal(open.pop(), name);
    else if (alone === "") open.push(name);
  }
  assert.deepEqual(open, []);
  for (const text of texts) {
    assert.doesNotMatch(text.replaceAll(/&(?:amp|lt|gt|quot);/g, ""), /[<>&]/);
    assert.ok([...text].every((letter) => letter >= " " || "\t\n\r".includes(letter)), text);
  }
  return { names: new Set(tags.map(([, , name]) => name)), attributes: tags.map(([, , , of]) => of).join(""), texts };
}

Deno.test("whatever keys and names say, a picture is well-formed, runs nothing and asks nobody", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      const { names, attributes } = parts_of(picture(`${text}${HOSTILE}`, text));
      assert.deepEqual([...names].sort(), ["path", "rect", "svg", "text", "title"]);
      assert.doesNotMatch(
        attributes.replace('xmlns="http://www.w3.org/2000/svg"', ""),
        /https?:|href|url\(| on\w+=|NaN|Infinity/,
      );
    }),
    { numRuns: 200 },
  );
  assert.equal(xml_text('a\u0000\u202eb\ud800<&>"é😀'), "a\ufffd\ufffdb\ufffd&lt;&amp;&gt;&quot;é😀");
});

Deno.test("a picture says title, range, filter, figures, their comparison and as of when", () => {
  const { texts } = parts_of(picture("Chicago")), said = texts.join("\n");
  for (
    const each of [
      "morning · trips",
      "2026-03-08 00:00 to 2026-03-08 07:00, America/Chicago  ·  city Chicago",
      "Completed",
      "1,221",
      "then 20",
      "as of 2026-03-09 07:00, log position 1234  ·  due 2026-03-09 07:00  ·  USD  ·  then: the same weekdays before",
    ]
  ) assert.ok(said.includes(each), `${each} in ${said}`);
  assert.equal(picture("Chicago"), Deno.readTextFileSync(new URL("../support/report_picture.svg", import.meta.url)));
});

Deno.test("what is yet to come is no line at 0", () => {
  const points = (now_ms: number) => {
    const of = { title: "today", due_us: 0, time_zone: "UTC" };
    const svg = draw_picture(trips_board, { ...answer("x"), now_ms }, of);
    return / d="(M[^"]*)" fill="none"/.exec(svg)![1]!.split(/[ML]/).length - 1;
  };
  assert.deepEqual([points((FROM_S + 1.5 * 3_600) * 1_000), points((FROM_S + 9 * 3_600) * 1_000)], [2, 6]);
});

Deno.test("a day that nothing lies in is 0 in a picture, also where the clocks change", () => {
  // The day before the change has 25 hours; of six days the second, the third and the last hold nothing.
  const days = ["10-31T05", "11-01T05", "11-02T06", "11-03T06", "11-04T06", "11-05T06"];
  const starts = days.map((at) => Date.parse(`2026-${at}:00:00Z`) / 1_000);
  const svg = draw_picture(trips_board, {
    ...answer("x"),
    from_s: starts[0]!,
    to_s: Date.parse("2026-11-06T06:00:00Z") / 1_000,
    step_s: 86_400,
    now_ms: Date.parse("2026-11-07T00:00:00Z"),
    series: { t: [starts[0]!, starts[3]!, starts[4]!], completed: [10, 10, 5] },
  }, { title: "days", due_us: 0, time_zone: "America/Chicago" });
  const heights = / d="(M[^"]*)" fill="none"/.exec(svg)![1]!.split(/[ML]/).slice(1).map((at) =>
    Number(at.split(" ")[1])
  );
  const [zero, ten, five] = [536, 318, 427];
  assert.deepEqual(heights, [ten, zero, zero, ten, five, zero]);
});

Deno.test("the file that docs/reports.md shows is one", () => {
  const [, json] = /```json\n([\s\S]*?)```/.exec(
    Deno.readTextFileSync(new URL("../../docs/reports.md", import.meta.url)),
  )!;
  const read = read_reports_file(json!, DOMAINS.map(({ name }) => name));
  assert.ok(read.ok, JSON.stringify(read));
  const found = DOMAINS.map(({ name, make }) =>
    read_reports_of(make({ currency: "USD", h3_resolution: null }).board, name, read.file)
  );
  assert.deepEqual(found.map((each) => each.ok ? each.reports.map(({ name }) => name) : each.faults).flat(), [
    "morning",
    "fares",
    "hours",
  ]);
});

Deno.test("a picture of a board without anything in it, and of any domain, is one", () => {
  const bare = { ...answer("x"), series: { t: [] }, cards: null, compared: {} };
  const of = { title: "empty", due_us: 0, time_zone: "UTC" };
  for (const { make } of DOMAINS) {
    const { board } = make({ currency: "USD", h3_resolution: null });
    const { attributes } = parts_of(draw_picture(board, bare, of));
    assert.doesNotMatch(attributes, /NaN|Infinity/);
  }
});
