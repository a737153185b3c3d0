import assert from "node:assert/strict";
import { columns_of as columns, condense, merge_series, ratio, settled, split_running } from "../../static/series.js";
import { reason_of, rolled_columns } from "../../static/rolling.js";
import { DECLARED } from "../support/page_frames.ts";

const columns_of = (board: ReturnType<typeof board_of>, window: object) => columns(board, window, DECLARED);

const ZERO = { requested: 0, started: 0, canceled: 0, fare_count: 0, distance_km: 0, revised_ms: 0 };

function series_of(values: Record<number, number>) {
  const t = Object.keys(values).map(Number);
  const column = Object.values(values);
  const zeros = column.map(() => 0);
  const others = { requested: zeros, started: zeros, canceled: zeros, fare_count: zeros, distance_km: zeros };
  return { t, trips: column, completed: column, revenue: column.map((value) => value * 10), ...others };
}

const board_of = (buckets: Map<number, unknown>, reached_ms: number | null, fields = {}) => ({
  buckets,
  reached_ms,
  compared_series: null,
  hello: { time_zone: "UTC" },
  ...fields,
});
const window = { from_s: 60, to_s: 420, step_s: 60, running_s: 360 };

Deno.test("changed buckets replace, none are added up, old ones go", () => {
  const before = merge_series(new Map(), series_of({ 0: 1, 60: 2, 120: 3 }), 0);
  const after = merge_series(before, series_of({ 120: 5, 180: 1 }), 60);
  assert.deepEqual([...after.keys()].sort((a, b) => a - b), [60, 120, 180]);
  assert.deepEqual(after.get(120), { ...ZERO, trips: 5, completed: 5, revenue: 50 });
  assert.equal(before.get(120)?.completed, 3, "the old board keeps its figures");
  assert.deepEqual(merge_series(after, series_of({ 120: 5, 180: 1 }), 60), after, "a frame may come twice");
});

Deno.test("a column with gaps is blank where a bucket is absent or has none", () => {
  const declared = { ...DECLARED, gaps: ["revenue"] };
  const buckets = merge_series(new Map(), series_of({ 120: 3, 240: 4 }), 0);
  buckets.set(300, { ...buckets.get(240), revenue: null });
  const { completed, revenue } = columns(board_of(buckets, 310_000), window, declared);
  assert.deepEqual(completed, [null, 3, 0, 4, 4, null]);
  assert.deepEqual(revenue, [null, 30, null, 40, null, null]);
});

Deno.test("an absent bucket is zero inside the data and blank outside", () => {
  const buckets = merge_series(new Map(), series_of({ 120: 3, 240: 4 }), 0);
  const columns = columns_of(board_of(buckets, 250_000), window);
  assert.deepEqual(columns.x, [60, 120, 180, 240, 300, 360]);
  assert.deepEqual(columns.completed, [null, 3, 0, 4, null, null]);
  assert.equal(columns.running, -1, "the running bucket has no data yet");
  const later = columns_of(board_of(buckets, 365_000), window);
  assert.deepEqual(later.completed, [null, 3, 0, 4, 0, 0]);
  assert.equal(later.running, 5);
  const ahead = columns_of(board_of(buckets, 999_000), { ...window, running_s: 300 });
  assert.deepEqual(ahead.completed, [null, 3, 0, 4, 0, null], "an event that is ahead of now makes no future zeros");
  assert.deepEqual(columns_of(board_of(new Map(), 365_000), window).completed, [null, null, null, null, null, null]);
  assert.deepEqual(columns_of(board_of(buckets, null), { ...window, running_s: null }).completed, [
    null,
    3,
    null,
    4,
    null,
    null,
  ]);
});

Deno.test("the running bucket is drawn apart, joined to the one before", () => {
  assert.deepEqual(split_running([1, 2, 3], 2), [[1, 2, null], [null, 2, 3]]);
  assert.deepEqual(split_running([1, 2, 3], -1), [[1, 2, 3], [null, null, null]]);
  assert.deepEqual(split_running([7], 0), [[null], [7]]);
});

Deno.test("sparklines leave out what would look like a fall", () => {
  assert.deepEqual(settled([null, 1, 2, 3], 3), [1, 2]);
  assert.deepEqual(condense([1, 2, 3], 40), [1, 2, 3]);
  assert.deepEqual(condense([9, 1, 2, 3, 4], 3), [3, 7], "the oldest group is incomplete");
  assert.deepEqual(condense([], 40), []);
  assert.deepEqual(ratio([10, 30, 0, 8], [0, 3, 0, 2]), [10, 10, 4]);
  assert.deepEqual(ratio([0], [0]), []);
});

Deno.test("buckets of a day follow the business zone, whose days have 23 and 25 hours too", () => {
  const hello = { time_zone: "America/New_York" };
  const hours = (ms: number, days: number) => {
    const from_s = ms / 1000;
    const window = { from_s, to_s: from_s + days * 86_400, step_s: 86_400, running_s: from_s + 30 * 3_600 };
    const columns = columns_of(
      board_of(merge_series(new Map(), series_of({ [from_s]: 3 }), 0), ms + 200_000_000, { hello }),
      window,
    );
    assert.equal(columns.running, 1, "the day that holds the time");
    return columns.x.map((t: number, i: number) => (columns.ends[i] - t) / 3_600);
  };
  assert.deepEqual(hours(Date.UTC(2026, 2, 7, 5), 3), [24, 23, 24, 24]);
  assert.deepEqual(hours(Date.UTC(2026, 9, 31, 4), 3), [24, 25, 24]);
});

Deno.test("a bucket remembers when it was corrected; a feed that does not say has none", () => {
  const buckets = merge_series(new Map(), { ...series_of({ 60: 1, 120: 2 }), revised_ms: [0, 7_000] }, 0);
  assert.deepEqual(columns_of(board_of(buckets, 365_000), window).revised_ms, [0, 7_000, 0, 0, 0, 0]);
  assert.deepEqual(merge_series(new Map(), series_of({ 60: 1 }), 0).get(60)?.revised_ms, 0);
});

Deno.test("the comparison is zero between what was there then, and blank outside; never NaN", () => {
  const compared_series = { t: [120, 240], completed: [4, 5], revenue: [40, 50] };
  const columns = columns_of(board_of(new Map(), null, { compared_series }), window);
  assert.deepEqual(columns.compared_completed, [null, 4, 0, 5, null, null]);
  assert.deepEqual(columns.compared_revenue, [null, 40, 0, 50, null, null]);
  assert.deepEqual(columns_of(board_of(new Map(), null), window).compared_completed, [
    null,
    null,
    null,
    null,
    null,
    null,
  ]);
});

Deno.test("charts of a window that slides draw what the server told of each bucket, nothing past it or past the newest event, and no comparison", () => {
  const board = board_of(merge_series(new Map(), series_of({ 60: 1, 180: 2, 240: 4 }), 60), 250_000, {
    compared_series: { t: [60], completed: [3] },
  });
  const plain = columns_of(board, window);
  const points = new Map([
    ["completed", new Map([[60, 7], [120, 7], [180, 9], [240, 13], [300, 13]])],
    ["average_waiting_min", new Map([[180, 2.5], [240, null]])],
    ["canceled", new Map()],
  ]);
  const rolled = (last_s: number) =>
    rolled_columns({ columns: plain, reached_ms: 250_000 }, { last_s, points }, DECLARED);
  const all = rolled(420);
  assert.deepEqual(all.completed, [7, 7, 9, 13, null, null]);
  assert.deepEqual(all.canceled, [0, 0, 0, 0, null, null], "a window without any is of none");
  assert.deepEqual(all.average_waiting_min, [null, null, 2.5, null, null, null], "a mean of nothing is a gap");
  assert.deepEqual(all.revenue, plain.revenue, "what the charts do not show stays");
  assert.deepEqual(all.compared_completed, [null, null, null, null, null, null]);
  assert.deepEqual(rolled(180).completed, [7, 7, 9, null, null, null], "what was not asked for yet is blank");
  assert.deepEqual([all.x, all.ends, all.running], [plain.x, plain.ends, plain.running]);
});

Deno.test("charts of a window that slides say why they cannot", () => {
  const live = { as_of: null, order: undefined, rolling: "1h" };
  assert.equal(reason_of(live, 300), "");
  assert.equal(reason_of(live, 3_600), "");
  assert.equal(reason_of({ ...live, as_of: { position: 3 } }, 300), "not as of then");
  assert.equal(reason_of({ ...live, order: "arrival" }, 60), "not by arrival");
  assert.equal(reason_of({ ...live, rolling: "24h" }, 86_400), "not of such wide buckets");
  assert.equal(reason_of({ ...live, rolling: "24h" }, 3_600), "");
});
