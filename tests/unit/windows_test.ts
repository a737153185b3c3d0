import assert from "node:assert/strict";
import fc from "fast-check";
import { bucket_end, bucket_start, days_in, type Grain, GRAINS, local_time } from "../../src/kpi/mod.ts";

const ZONES = [
  "UTC",
  "America/New_York",
  "Europe/Berlin",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "America/Sao_Paulo",
  "Africa/Cairo",
  "Pacific/Apia",
  // Clocks that go back at midnight, at 00:01, by half an hour, over a skipped day.
  "America/Havana",
  "America/St_Johns",
  "Australia/Lord_Howe",
  "Pacific/Kwajalein",
  "Africa/Casablanca",
  // Offsets of whole seconds until 1937, of half minutes until 1972.
  "Africa/Monrovia",
  "Europe/Dublin",
];
const HOUR = 3600e6;
const us_of = (text: string) => Date.parse(text) * 1000;
const instant = (us: number) => Temporal.Instant.fromEpochMilliseconds(Math.floor(us / 1000));
const start_of_us = (date: Temporal.PlainDate, zone: string) => date.toZonedDateTime(zone).epochMilliseconds * 1000;

/** The day of an instant by Temporal: the last date that has begun by then. Clocks may go back over a midnight; a day that began does not end by that. */
function expected_day(us: number, zone: string): { start_us: number; end_us: number } {
  let date = instant(us).toZonedDateTimeISO(zone).toPlainDate().add({ days: 1 });
  while (start_of_us(date, zone) > us) date = date.subtract({ days: 1 });
  let next = date.add({ days: 1 });
  while (start_of_us(next, zone) <= start_of_us(date, zone)) next = next.add({ days: 1 });
  return { start_us: start_of_us(date, zone), end_us: start_of_us(next, zone) };
}

for (const zone of ZONES) {
  Deno.test(`days of ${zone} from 1900 to 2200 are those of Temporal, in whatever order they are asked for`, () => {
    const anywhere = fc.integer({ min: Date.UTC(1900, 0, 1), max: Date.UTC(2200, 0, 1) });
    const near_midnight = fc.tuple(fc.integer({ min: -25_500, max: 84_000 }), fc.integer({ min: -190, max: 190 })).map(
      ([day, minutes]) => {
        const midnight = Temporal.PlainDate.from("1970-01-01").add({ days: day }).toZonedDateTime(zone);
        return midnight.epochMilliseconds + minutes * 60_000;
      },
    );
    const days = days_in(zone);
    const property = fc.property(fc.oneof(anywhere, near_midnight), fc.integer({ min: 0, max: 999 }), (ms, micros) => {
      const us = ms * 1000 + micros;
      const wanted = expected_day(us, zone);
      assert.deepEqual({ ...days.day_of(us) }, wanted);
      assert.deepEqual({ ...days.day_of(wanted.start_us) }, wanted);
      assert.equal(days.day_of(wanted.end_us).start_us, wanted.end_us);
    });
    fc.assert(property, { numRuns: 400 });
  });
}

const length_h = (zone: string, at: string) => {
  const { start_us, end_us } = days_in(zone).day_of(us_of(at));
  return (end_us - start_us) / HOUR;
};

Deno.test("days are as long as the clocks make them: 23 and 25 hours, and half an hour more or less", () => {
  assert.equal(length_h("America/New_York", "2026-03-08T12:00:00Z"), 23);
  assert.equal(length_h("America/New_York", "2026-11-01T12:00:00Z"), 25);
  assert.equal(length_h("America/New_York", "2026-07-01T12:00:00Z"), 24);
  assert.equal(length_h("Europe/Berlin", "2026-03-29T12:00:00Z"), 23);
  assert.equal(length_h("Australia/Lord_Howe", "2026-04-05T00:00:00Z"), 24.5);
});

Deno.test("a midnight that the clocks skip: the day begins at the jump", () => {
  const { start_us } = days_in("America/Sao_Paulo").day_of(us_of("2018-11-04T12:00:00Z"));
  assert.equal(start_us, us_of("2018-11-04T03:00:00Z"), "01:00 local time, the first there was");
  assert.equal(length_h("America/Sao_Paulo", "2018-11-04T12:00:00Z"), 23);
  assert.equal(length_h("Africa/Cairo", "2026-04-24T12:00:00Z"), 23);
});

Deno.test("a midnight that comes twice begins the day once, at the first; a skipped date takes no time", () => {
  assert.equal(length_h("America/Havana", "2025-11-02T12:00:00Z"), 25);
  assert.equal(days_in("America/Havana").day_of(us_of("2025-11-02T12:00:00Z")).start_us, us_of("2025-11-02T04:00:00Z"));
  const before = days_in("Pacific/Apia").day_of(us_of("2011-12-30T05:00:00Z"));
  assert.deepEqual({ ...before }, { start_us: us_of("2011-12-29T10:00:00Z"), end_us: us_of("2011-12-30T10:00:00Z") });
});

Deno.test("days tile time: no instant is in two, whatever was asked before (00:01 goes back to 23:01 in St John's)", () => {
  const at = (minute: number) => us_of("2010-11-07T02:00:00Z") + minute * 60e6;
  const forward = days_in("America/St_Johns"), backward = days_in("America/St_Johns");
  const seen = Array.from({ length: 180 }, (_, minute) => forward.day_of(at(minute)).start_us);
  const fresh = Array.from({ length: 180 }, (_, minute) => days_in("America/St_Johns").day_of(at(minute)).start_us);
  assert.deepEqual(seen, fresh);
  const again = Array.from({ length: 180 }, (_, i) => backward.day_of(at(179 - i)).start_us).reverse();
  assert.deepEqual(seen, again);
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  assert.equal(new Set(seen).size, 2);
});

Deno.test("a date names the day on which the clocks show it; one that a zone skipped names none", () => {
  for (const zone of ZONES) {
    const days = days_in(zone);
    const start = fc.integer({ min: -25_500, max: 84_000 }).map((day) =>
      Temporal.PlainDate.from("1970-01-01").add({ days: day })
    );
    fc.assert(
      fc.property(start, (date) => {
        const named = days.day_named(date.toString());
        const noon = date.toZonedDateTime({ timeZone: zone, plainTime: "12:00" });
        if (!noon.toPlainDate().equals(date)) assert.equal(named, null);
        else assert.deepEqual({ ...named! }, { ...days.day_of(noon.epochMilliseconds * 1000) });
      }),
      { numRuns: 50 },
    );
  }
  assert.equal(days_in("Pacific/Apia").day_named("2011-12-30"), null);
  assert.deepEqual(days_in("Pacific/Apia").day_named("2011-12-31"), {
    start_us: us_of("2011-12-30T10:00:00Z"),
    end_us: us_of("2011-12-31T10:00:00Z"),
  });
});

Deno.test("each grain's buckets tile time, and every bucket is a union of those of the finer grain", () => {
  const zone = "Asia/Kathmandu";
  const days = days_in(zone);
  const time = fc.integer({ min: us_of("1960-01-01"), max: us_of("2100-01-01") });
  fc.assert(fc.property(time, (us) => {
    let inside = us;
    for (const grain of GRAINS) {
      const start = bucket_start(grain, us, days);
      if (grain !== "all") {
        assert.ok(start <= us && us < bucket_end(grain, start, days), grain);
        assert.equal(bucket_start(grain, bucket_end(grain, start, days), days), bucket_end(grain, start, days));
        assert.equal(bucket_start(grain, bucket_end(grain, start, days) - 1, days), start);
      }
      assert.equal(bucket_start(grain, start, days), start, `${grain}: a bucket starts in itself`);
      // Local days of :45 zones do not begin on whole hours: hours are not parts of such days, minutes are.
      if (grain !== "1d") assert.equal(bucket_start(grain, inside, days), start);
      inside = start;
    }
  }));
});

Deno.test("buckets of minutes and hours are aligned to UTC, before 1970 too; all time is one", () => {
  const days = days_in("Asia/Kolkata");
  const wanted: [Grain, string, string][] = [
    ["1m", "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:00Z"],
    ["5m", "2026-03-01T10:04:59.999Z", "2026-03-01T10:00:00Z"],
    ["1h", "1950-03-01T10:59:00Z", "1950-03-01T10:00:00Z"],
    ["1d", "2026-03-01T18:29:59Z", "2026-02-28T18:30:00Z"],
    ["1d", "2026-03-01T18:30:00Z", "2026-03-01T18:30:00Z"],
    ["all", "2026-03-01T18:30:00Z", "1970-01-01T00:00:00Z"],
  ];
  for (const [grain, at, start] of wanted) {
    assert.equal(bucket_start(grain, us_of(at), days), us_of(start), `${grain} ${at}`);
  }
  assert.equal(bucket_end("all", 0, days), Infinity);
});

for (const zone of ZONES) {
  Deno.test(`local times of ${zone} are read as Temporal does: the first of two, past a skipped one from before the jump`, () => {
    const anywhere = fc.integer({ min: Date.UTC(1901, 0, 1), max: Date.UTC(2200, 0, 1) });
    fc.assert(
      fc.property(anywhere, (ms) => {
        // Every instant as its clock shows it; half of the clock changes of 250 years are within the hours that follow it.
        const from = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone);
        const change = from.getTimeZoneTransition("next");
        const clocks = [from.toPlainDateTime()];
        for (const minutes of [-90, -31, -30, -1, 0, 1, 30, 45, 59, 60, 61]) {
          if (change === null || change.year > 2199) break;
          clocks.push(
            change.add({ minutes }).toPlainDateTime(),
            change.subtract({ minutes: 1 }).toPlainDateTime().add({ minutes }),
          );
        }
        for (const clock of clocks) {
          const text = clock.toString({ fractionalSecondDigits: 3 }).replace("T", " ");
          const wanted = clock.round("millisecond").toZonedDateTime(zone, { disambiguation: "compatible" });
          assert.equal(local_time(text, zone), wanted.epochMilliseconds * 1000, text);
        }
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("local times: what has a zone keeps it, what is no time is null", () => {
  assert.equal(local_time("2026-03-01 10:00:00+02:00", "America/New_York"), us_of("2026-03-01T08:00:00Z"));
  assert.equal(local_time("2026-03-01T10:00:00Z", "America/New_York"), us_of("2026-03-01T10:00:00Z"));
  for (const text of ["", "x", "2026-02-30 10:00:00", "2026-03-01", "2026-03-01 10:00"]) {
    assert.equal(local_time(text, "America/New_York"), null, text);
  }
});
