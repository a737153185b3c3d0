import assert from "node:assert/strict";
import { stream_declaration } from "../../src/domains/mod.ts";
import { measure_words, moved_in_all, moved_in_full } from "../../static/stream/timeline.js";
import { board_href, day_around, hour_around, parse_stream_address, stream_url } from "../../static/stream/watch.js";
import {
  format_amount,
  format_duration,
  lateness_of,
  notes_of,
  place_of,
  value_of,
} from "../../static/stream/words.js";
import { trips_board } from "../support/trip_board.ts";

/** What the trip page says, in words. */

const TOLD = {
  declared: stream_declaration(trips_board),
  zone: "America/Chicago",
  currency: "USD",
  now_ms: Date.UTC(2026, 2, 2),
  kept: {},
};

interface Told {
  readonly type: string;
  readonly at: string;
  /** Seconds until it was recorded. */
  readonly late_s?: number;
}

/** A trip of the API with these fields and events; all else is unknown. */
function trip_of(fields: Record<string, unknown>, events: readonly Told[] = []) {
  const unknown = ["started_at", "completed_at", "canceled_at", "canceled_by", "cancel_reason", "duration_min"];
  return {
    ...Object.fromEntries(
      [...unknown, "completion_fare", "adjusted_fare", "adjustment_reason"].map((name) => [name, null]),
    ),
    status: "completed",
    changes: [],
    changes_fault: null,
    events: events.map(({ type, at, late_s = 1 }) => {
      const occurred_at = `2026-03-01T${at}Z`;
      return { type, occurred_at, recorded_at: new Date(Date.parse(occurred_at) + late_s * 1000).toISOString() };
    }),
    ...fields,
  };
}

const notes = (...args: Parameters<typeof trip_of>) =>
  notes_of(trip_of(...args), TOLD).map(({ lead, text }: { lead: string; text: string }) => `${lead}: ${text}`);

const OVER = { started_at: "2026-03-01T16:00:00Z", completed_at: "2026-03-01T16:20:00Z", completion_fare: "12.50" };

Deno.test("an ordinary trip has nothing to note", () => {
  const events = [{ type: "trip.started", at: "16:00:00" }, { type: "trip.completed", at: "16:20:00", late_s: 299 }];
  assert.deepEqual(notes(OVER, events), []);
});

Deno.test("conflicts, corrections and what is missing are told in words", () => {
  assert.deepEqual(notes({ ...OVER, canceled_at: "2026-03-01T16:05:00Z", canceled_by: "driver" }), [
    "Completed and canceled: It was completed at Sun 1 Mar, 10:20:00, after it had been canceled at 10:05:00 by the driver. " +
    "It counts as completed, and as a conflict.",
  ]);
  assert.deepEqual(notes({ ...OVER, canceled_at: "2026-03-02T16:05:00Z", cancel_reason: "no show" }), [
    "Completed and canceled: It was canceled at Mon 2 Mar, 10:05:00 (no show), after it had been completed. " +
    "It counts as completed, and as a conflict.",
  ]);
  const twice = [{ type: "trip.fare_adjusted", at: "17:00:00" }, { type: "trip.fare_adjusted", at: "18:00:00" }];
  assert.deepEqual(notes({ ...OVER, adjusted_fare: "9.00", adjustment_reason: "toll" }, twice), [
    "Fare adjusted: From 12.50 to 9.00 USD (toll). This is the latest of 2 adjustments.",
  ]);
  assert.deepEqual(notes({ ...OVER, adjusted_fare: "12.50" }), ["Fare adjusted: To the same 12.50 USD."]);
  assert.deepEqual(notes({ ...OVER, completion_fare: null, adjusted_fare: "9.00" }), [
    "Fare adjusted: To 9.00 USD, where there was none.",
  ]);
  const voided = { ...OVER, status: "voided", adjusted_fare: "9.00", canceled_at: "2026-03-01T16:05:00Z" };
  assert.deepEqual(notes(voided), [
    "Voided: It counts in nothing but the voided trips. It had been completed, and what was counted of it is taken back.",
  ]);
  assert.deepEqual(notes({ status: "voided" }), [
    "Voided: It counts in nothing but the voided trips. Its completion has not arrived; when it does it is taken back, too.",
  ]);
  assert.deepEqual(notes({ status: "requested", adjusted_fare: "9.00" }), [
    "Fare adjusted: To 9.00 USD; it counts once the trip is completed.",
  ]);
  assert.deepEqual(notes({ ...OVER, started_at: null }), [
    "Start missing: It was completed, but its start has not arrived; the duration is unknown.",
  ]);
  assert.deepEqual(notes({ ...OVER, changes: null, changes_fault: "event 4 is refused today" }), [
    "Changes unknown: What each event changed cannot be told: event 4 is refused today.",
  ]);
});

Deno.test("what was recorded late or out of order is told once, by its name", () => {
  const events = [
    { type: "trip.completed", at: "16:20:00", late_s: 300 },
    { type: "trip.started", at: "16:00:00", late_s: 7_200 },
    { type: "trip.requested", at: "15:59:00", late_s: 2 },
    { type: "trip.fare_adjusted", at: "17:00:00" },
  ];
  assert.deepEqual(notes(OVER, events), [
    "Recorded late: Completion 5 min, start 2 h after it happened. Late events count in the window they belong to.",
    "Out of order: The start and the request arrived after events that happened later; the figures were corrected.",
  ]);
});

Deno.test("values have units, and what nobody named is unknown", () => {
  assert.equal(value_of("fare", "1234567890123.000001", TOLD), "1,234,567,890,123.000001 USD", "no digit is lost");
  assert.equal(value_of("completed_at", "2026-03-01T16:20:05.25Z", TOLD), "Sun 1 Mar, 10:20:05");
  assert.equal(value_of("distance_km", 2.54, TOLD), "2.54 km");
  assert.equal(value_of("duration_min", 14.5, TOLD), "14 min 30 s");
  assert.equal(value_of("driver_id", null, TOLD), "unknown");
  assert.equal(value_of("of_a_newer_server", 7, TOLD), "7");
  assert.deepEqual([0.25, 14, 60, 125.5].map(format_duration), ["15 s", "14 min", "1 h", "2 h 5 min"]);
  assert.equal(format_amount("12.5"), "12.50");
  assert.deepEqual([place_of("8", "Chicago"), place_of("8", null), place_of(null, "Chicago")], [
    "Chicago 8",
    "8",
    null,
  ]);
  const early = { occurred_at: "2026-03-01T16:20:05Z", recorded_at: "2026-03-01T16:20:04Z" };
  assert.equal(lateness_of(early, [early]).text, "1.0 s before it happened");
});

Deno.test("cells that moved alike are told together, by their buckets", () => {
  const at = Date.UTC(2026, 2, 1, 16, 20);
  const cell = (dimension: string, key: string, bucket: string, grain: string, measures: object) => ({
    dimension,
    key,
    bucket,
    grain,
    measures,
  });
  const ended = { completed: 1, fare_sum_micros: 12_500_000, distance_sum_m: 2_500, distance_count: 1 };
  const cells = [
    cell("none", "all", "2026-03-01T16:20:00Z", "1m", ended),
    cell("none", "all", "2026-02-28T16:07:00Z", "1m", { canceled: -1, trips: -1 }),
    cell("status", "in_progress", "2026-02-28T16:07:00Z", "1m", { canceled: -1, trips: -1 }),
    cell("city", "Chicago", "2026-03-01T16:20:00Z", "1m", ended),
    cell("pickup_zone", "8", "2026-03-01T16:20:00Z", "5m", ended),
    cell("driver", "D1", "1970-01-01T00:00:00Z", "all", ended),
  ];
  assert.deepEqual(moved_in_all(cells, TOLD, at), [
    { when: "10:20", what: ["+1 completed", "+12.50 USD revenue", "+2.50 km"] },
    { when: "Sat 28 Feb, 10:07", what: ["−1 trip", "−1 canceled"] },
  ]);
  assert.deepEqual(moved_in_full(cells, TOLD, at), [
    {
      what: ["+1 completed", "+12.50 USD revenue", "+2.50 km", "+1 with known distance"],
      where: [
        { when: "10:20", places: ["all trips", "city Chicago"] },
        { when: "10:20 5 min", places: ["pickup zone 8"] },
        { when: "all time", places: ["driver D1"] },
      ],
    },
    {
      what: ["−1 trip", "−1 canceled"],
      where: [{ when: "Sat 28 Feb, 10:07", places: ["all trips", "status in progress"] }],
    },
  ]);
  assert.deepEqual(
    measure_words({ new_measure: 3 }, TOLD, true),
    ["+3 new measure"],
    "a newer server's is named as it names it",
  );
});

Deno.test("addresses: what the page is asked for, and where on the board it leads", () => {
  const read = (path: string, search = "") => parse_stream_address(path, search, "Europe/Paris");
  assert.deepEqual(read("/trips/a%2F1%20b"), { id: "a/1 b", zone: null, as_of: null, kept: {} });
  assert.equal(read("/trips/100%").id, "100%");
  assert.deepEqual(read("/trips/t", "?tz=local&theme=dark&as_of_position=7"), {
    id: "t",
    zone: "Europe/Paris",
    as_of: 7,
    kept: { tz: "local", theme: "dark" },
  });
  assert.deepEqual(["UTC", "Mars/Olympus", ""].map((tz) => read("/trips/t", `?tz=${tz}`).zone), ["UTC", null, null]);
  assert.equal(stream_url("/api/v1/trips/", { id: "a/1", as_of: 7 }), "/api/v1/trips/a%2F1?as_of_position=7");
  const at = Date.UTC(2026, 2, 1, 16, 20, 59);
  assert.equal(
    board_href({ ...hour_around(at), city: "São Paulo" }, { tz: "UTC" }),
    "/?from=2026-03-01T15:50:00Z&to=2026-03-01T16:50:00Z&city=S%C3%A3o+Paulo&tz=UTC",
  );
  assert.equal(board_href({}, {}), "/");
  assert.deepEqual(day_around(at, at + 86_399_000), { range: "24h" });
  assert.deepEqual(day_around(at, at + 86_401_000), { from: "2026-03-01T04:20:00Z", to: "2026-03-02T04:20:00Z" });
});
