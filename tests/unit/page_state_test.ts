import assert from "node:assert/strict";
import {
  apply_frame as apply,
  data_age_ms,
  empty_board,
  is_troubled,
  phase_of,
  STREAMS_KEPT,
  warning_of_link,
  window_of,
} from "../../static/state.js";
import { computed_note as note, troubles_of } from "../../static/troubles.js";
import { DECLARED, health_of, hello_of, kpi_of, NOW } from "../support/page_frames.ts";

type Board = ReturnType<typeof empty_board>;
const apply_frame = (board: Board, name: string, data: unknown, local_ms: number) =>
  apply(board, name, data, local_ms, DECLARED.list);
const computed_note = (said: { age_ms: number | null; failed: string | null }, since_ms: number) =>
  note(said, since_ms, "trips");
const UP = { state: "connected", since_ms: 0 };
const trip = (trip_id: string, position: number) => ({ trip_id, position });
/** What the page says, as app.js puts it together. */
function told_of(board: ReturnType<typeof empty_board>, link: { state: string; since_ms: number }, local_ms: number) {
  const troubled = link.state === "connected" && is_troubled(board, local_ms);
  const found = [
    warning_of_link(board, link, "UTC", local_ms),
    ...troubled ? troubles_of(board, "UTC", local_ms, "trips") : [],
  ];
  return found.filter((warning) => warning !== null);
}
const keys = (...all: Parameters<typeof told_of>) => told_of(...all).map((warning) => warning.key);

Deno.test("a hello makes the board, a kpi changes what changed, a reset throws all away", () => {
  const board = apply_frame(empty_board(), "hello", hello_of(), NOW);
  assert.equal(board.position, 10);
  const next = apply_frame(board, "kpi", kpi_of({ position: 12, completed: 7 }), NOW);
  assert.equal(next.position, 12);
  assert.equal(next.cards.completed, 7);
  assert.equal(next.hello, board.hello);
  assert.equal(board.cards.completed, 5, "a paused page keeps its board");
  assert.equal(apply_frame(next, "reset", { reason: "another log" }, NOW).hello, null);
  assert.equal(apply_frame(next, "bye", {}, NOW), next);
});

Deno.test("trips are listed once, newest first, and no more than fit", () => {
  const board = apply_frame(empty_board(), "hello", hello_of({ trips: [trip("b", 9), trip("a", 8)] }), NOW);
  const next = apply_frame(board, "trip", { position: 11, trips: [trip("a", 11), trip("c", 10)] }, NOW);
  assert.deepEqual(next.streams.map((t: { trip_id: string }) => t.trip_id), ["a", "c", "b"]);
  // Under a filter a trip may have ceased to match: such a list is whole.
  const whole = apply_frame(next, "trip", { position: 12, replace: true, trips: [trip("c", 12)] }, NOW);
  assert.deepEqual(whole.streams.map((t: { trip_id: string }) => t.trip_id), ["c"]);
  const many = Array.from({ length: 130 }, (_, i) => trip(`m${i}`, 150 - i));
  assert.equal(apply_frame(next, "trip", { position: 50, trips: many }, NOW).streams.length, STREAMS_KEPT);
});

Deno.test("a frame that was held up on its way does not make data look younger", () => {
  const board = apply_frame(empty_board(), "hello", hello_of(), NOW + 1_000);
  const late = apply_frame(board, "hb", { now_ms: NOW + 10_000, position: 10, health: health_of() }, NOW + 31_000);
  assert.equal(data_age_ms(late, NOW + 31_000 + late.offset_ms), 30_000 + 400);
  assert.equal(data_age_ms(empty_board(), NOW), null);
});

Deno.test("the window goes on with the clock while the feed stands still, and its last bucket stays unfinished", () => {
  const board = apply_frame(empty_board(), "hello", hello_of(), NOW);
  const minute = Math.floor(NOW / 60_000) * 60;
  assert.deepEqual(window_of(board, NOW), { from_s: minute - 840, to_s: minute + 60, step_s: 60, running_s: minute });
  const later = window_of(board, NOW + 180_000);
  assert.deepEqual(later, { from_s: minute - 660, to_s: minute + 240, step_s: 60, running_s: minute });
  const fixed = apply_frame(empty_board(), "hello", hello_of({ following: false, from_s: 60, to_s: 960 }), NOW);
  assert.deepEqual(window_of(fixed, NOW), { from_s: 60, to_s: 960, step_s: 60, running_s: null });
});

Deno.test("while ingest stands still the bucket of the newest data is the unfinished one", () => {
  const health = health_of({ ingest: { state: "paused" }, recorded_ms: NOW - 120_000 });
  const board = apply_frame(empty_board(), "hello", hello_of({ health }), NOW);
  assert.equal(window_of(board, NOW).running_s, Math.floor((NOW - 120_000) / 60_000) * 60);
});

Deno.test("loading, empty, empty here and ready are told apart", () => {
  const at = (hello: Record<string, unknown>) => {
    const board = apply_frame(empty_board(), "hello", hello_of(hello), NOW);
    return phase_of(board, window_of(board, NOW));
  };
  assert.equal(phase_of(empty_board(), null), "loading");
  assert.equal(at({ newest_event_ms: null, series: hello_of().empty_series }), "empty");
  assert.equal(at({ series: hello_of().empty_series }), "empty_range");
  assert.equal(at({}), "ready");
  const computed = { cards: "trips", breakdowns: "trips", position: null, age_ms: null, failed: null };
  const none = { series: hello_of().empty_series, cards: null };
  assert.equal(at({ ...none, computed }), "computing");
  assert.equal(at({ ...none, computed: { ...computed, failed: "took too long" } }), "failed");
});

Deno.test("what an older server does not send is not known, and nothing fails", () => {
  const { cards, compared, computed, breakdowns } = apply_frame(empty_board(), "hello", hello_of(), NOW);
  assert.deepEqual([cards.completed, compared, computed, breakdowns], [5, null, null, []]);
  const { health: _, ...without } = hello_of({ breakdowns: undefined, compared: { weekday: null }, following: false });
  const then = { now_ms: NOW - 60_000, as_of: { recorded_ms: NOW - 60_000 } };
  const board = apply_frame(empty_board(), "hello", { ...without, ...then }, NOW);
  assert.equal(board.offset_ms, 0, "its time is not what the clock says");
  assert.equal(data_age_ms(board, NOW), null);
  assert.equal(window_of(board, NOW).running_s, Math.floor(NOW / 60_000) * 60 - 60, "the running bucket of then");
  assert.deepEqual(keys(board, UP, NOW), []);
});

Deno.test("a kpi keeps the comparison that it does not name", () => {
  const compared = { weekday: { from_s: 0, to_s: 60, cards: null } };
  const board = apply_frame(empty_board(), "hello", hello_of({ compared, compared_series: { t: [] } }), NOW);
  const next = apply_frame(board, "kpi", kpi_of({ position: 12, completed: 7 }), NOW);
  assert.equal(next.compared, compared);
  assert.deepEqual(next.compared_series, { t: [] });
});

Deno.test("figures that are computed from trips say how old they are, and why they are not there", () => {
  const said = { age_ms: 1_200, failed: null };
  assert.equal(computed_note(said, 2_000), "computed from trips, 3.2 s ago");
  assert.equal(computed_note({ ...said, age_ms: null }, 0), "computing from trips");
  assert.equal(computed_note({ ...said, failed: "too slow" }, 0), "not computed: too slow; these are from 1.2 s ago");
  assert.equal(computed_note({ ...said, age_ms: null, failed: "too slow" }, 0), "not computed: too slow");
});

Deno.test("a lost link is spoken of after two seconds, and then alone", () => {
  const health = health_of({ database: { ok: false, since_ms: NOW, reason: "refused" } });
  const board = apply_frame(empty_board(), "hello", hello_of({ health }), NOW);
  const link = { state: "reconnecting", since_ms: NOW };
  assert.deepEqual(keys(board, link, NOW + 1_999), []);
  assert.deepEqual(keys(board, link, NOW + 2_000), ["link"]);
  assert.match(told_of(empty_board(), link, NOW + 2_000)[0]?.what ?? "", /^The server has not answered yet\.$/);
});

Deno.test("each trouble has its warning, with since when and what to do", () => {
  const told = (health: Record<string, unknown>, after_ms = 0, hello = {}) => {
    const board = apply_frame(empty_board(), "hello", hello_of({ ...hello, health: health_of(health) }), NOW);
    return told_of(board, UP, NOW + after_ms);
  };
  assert.deepEqual(told({}), []);
  const [database] = told({ database: { ok: false, since_ms: NOW, reason: "refused" } });
  assert.match(database?.what ?? "", /database does not answer since \d\d:\d\d:\d\d \(refused\)/);
  const [slow] = told({ database: { ok: true, since_ms: NOW, reason: null, slow_since_ms: NOW } });
  assert.deepEqual([slow?.key, /^The database is busy: it owes an answer since \d\d:/.test(slow?.what ?? "")], [
    "slow",
    true,
  ]);
  const paused = told({ ingest: { state: "paused", since_ms: NOW, reason: "broker" } }, 90_000);
  assert.deepEqual(paused.map((w) => w.key), ["ingest"], "a pause explains the age of the data");
  const [stopped] = told({ ingest: { state: "stopped", since_ms: NOW, reason: null } });
  assert.deepEqual([stopped?.key, /server's log/.test(stopped?.advice ?? "")], ["stopped", true]);
  const [gap] = told({ ingest: { state: "stopped", since_ms: NOW, reason: "5 offsets are gone", advice: "Run this" } });
  assert.match(gap?.what ?? "", /^Ingest is stopped since .* \(5 offsets are gone\)\.$/);
  assert.equal(gap?.advice, "Run this");
  assert.deepEqual(told({}, 59_000), []);
  assert.match(told({}, 90_000)[0]?.what ?? "", /^Nothing new for 90 s: no data since/);
  assert.match(told({ lag: 1_204 }, 90_000)[0]?.advice ?? "", /1.204 messages wait/);
  assert.match(told({ ingest: { source: "elsewhere" } }, 90_000)[0]?.advice ?? "", /only reads/);
  assert.match(told({ ingest: { source: "none" } }, 90_000)[0]?.advice ?? "", /reads no topic/);
  assert.deepEqual(told({}, 90_000, { following: false }), [], "the past is not stale");
  const long_ago = { newest_event_ms: NOW - 3_600_000 };
  const [behind] = told({ lag: 1_204 }, 0, long_ago);
  assert.match(behind?.what ?? "", /^Catching up: 1.204 messages wait, the newest figures are of 11:00:20\.$/);
  assert.deepEqual(told({ lag: 0 }, 0, long_ago), [], "an old file that was read to its end");
});

Deno.test("a rise of the quarantine is noted for a while", () => {
  let board = apply_frame(empty_board(), "hello", hello_of({ health: health_of({ quarantined: 40 }) }), NOW);
  assert.deepEqual(keys(board, UP, NOW), []);
  for (const quarantined of [43, 45, 45]) {
    board = apply_frame(board, "hb", { now_ms: NOW, position: 10, health: health_of({ quarantined }) }, NOW);
  }
  assert.match(told_of(board, UP, NOW)[0]?.what ?? "", /5 more set aside just now, 45 in all/);
  const later = {
    now_ms: NOW + 120_000,
    position: 10,
    health: health_of({ quarantined: 45, recorded_ms: NOW + 120_000 }),
  };
  assert.deepEqual(keys(apply_frame(board, "hb", later, NOW + 120_000), UP, NOW + 120_000), []);
});

Deno.test("of a range of days the running one is told by a time in it: days begin where the business zone's do", () => {
  const from_s = Date.UTC(2026, 1, 1, 5) / 1000, to_s = Date.UTC(2026, 2, 4, 5) / 1000;
  const hello = hello_of({ following: false, step_s: 86_400, from_s, to_s, time_zone: "America/New_York" });
  const board = apply_frame(empty_board(), "hello", hello, NOW);
  assert.equal(window_of(board, NOW).running_s, NOW / 1000);
});

Deno.test("what narrows the reading is said although ingest runs", () => {
  const reason = "an open transaction holds trips/0 at offset 5 since 2026-03-01T12:00:00.000Z";
  const health = health_of({ ingest: { reason }, lag: 0 });
  const board = apply_frame(empty_board(), "hello", hello_of({ health }), NOW);
  const [told] = told_of(board, UP, NOW);
  assert.deepEqual([told?.key, told?.what], ["narrowed", `Not everything can be read: ${reason}.`]);
});

Deno.test("a rebuild that goes on is said in one quiet sentence, one that is paused with its reason", () => {
  const of = (fault: string | null, percent: number) => {
    const health = { ...health_of(), rebuilding: { name: "v2", percent, fault } };
    return told_of(apply_frame(empty_board(), "hello", hello_of({ health }), NOW), UP, NOW);
  };
  const goes_on = of(null, 12).find(({ key }) => key === "rebuilding");
  assert.equal(goes_on?.what, "Rebuilding v2, 12 %.");
  assert.match(goes_on?.advice ?? "", /as they were, until it is switched in: tacho rebuild --switch$/);
  const paused = of("event 7 is refused today", 0).find(({ key }) => key === "paused_rebuild");
  assert.equal(paused?.what, "The rebuild of v2 stands at 0 %: event 7 is refused today.");
  const filling = (fault: string | null) => {
    const rebuilding = { name: "fill42", percent: 12, fault, fills: ["Average waiting", "Median fare"] };
    const health = { ...health_of(), rebuilding };
    const [told, ...others] = told_of(apply_frame(empty_board(), "hello", hello_of({ health }), NOW), UP, NOW);
    assert.deepEqual(others, []);
    return told;
  };
  assert.deepEqual(filling(null), {
    key: "rebuilding",
    what: "Average waiting, Median fare: being filled in, 12 %.",
    advice: "Until all of the log is counted again it is not known. Everything else is right and up to date.",
  });
  assert.match(filling("the owner has to")?.what ?? "", /12 %\. It does not get on: the owner has to\.$/);
  assert.deepEqual(keys(apply_frame(empty_board(), "hello", hello_of(), NOW), UP, NOW), []);
});
