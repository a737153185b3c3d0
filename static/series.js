import { format_clock, zone_offset_s } from "./format.js";

/** Buckets by their start (seconds), and the columns that are drawn from them. Pure. */

const DAY_S = 86_400;

/** A copy of the buckets with those of a series, from `from_s` on. */
export function merge_series(buckets, series, from_s) {
  const merged = new Map(buckets);
  const names = Object.keys(series).filter((name) => name !== "t");
  series.t.forEach((t, i) => {
    const bucket = Object.fromEntries(names.map((name) => [name, series[name][i]]));
    merged.set(t, { ...bucket, revised_ms: series.revised_ms?.[i] ?? 0 });
  });
  for (const t of merged.keys()) if (t < from_s) merged.delete(t);
  return merged;
}

/**
 * Columns of a window's buckets: starts `x`, `ends`, `revised_ms` (0: never), series, `compared_…` of then; `running`: index of the
 * one of now, or -1. A bucket that was not sent is 0 between the first that was and the newest event or a gap, outside null: a blank.
 * @returns {any}
 */
export function columns_of({ buckets, reached_ms, compared_series, hello }, window, declared) {
  const { from_s, to_s, step_s, running_s } = window;
  const first = Math.min(...[...buckets.keys()].filter((t) => t >= from_s));
  const last = Math.min(reached_ms === null ? -Infinity : reached_ms / 1000, running_s ?? Infinity);
  const columns = { x: [], ends: [], revised_ms: [], running: -1 };
  for (const name of declared.series) columns[name] = [];
  const zone = hello?.time_zone ?? "UTC";
  for (let t = from_s, end; t < to_s; t = end) {
    end = step_s === DAY_S ? next_day_s(t, zone) : t + step_s;
    const bucket = buckets.get(t);
    const absent = t >= first && t <= last ? 0 : null;
    const runs = running_s !== null && t <= running_s && running_s < end;
    if (runs && (bucket !== undefined || absent === 0)) columns.running = columns.x.length;
    columns.x.push(t);
    columns.ends.push(end);
    columns.revised_ms.push(bucket?.revised_ms ?? 0);
    for (const name of declared.series) {
      columns[name].push(bucket?.[name] ?? (declared.gaps.includes(name) ? null : absent));
    }
  }
  for (const name of declared.compared_series) {
    columns[`compared_${name}`] = compared_column(columns.x, compared_series ?? { t: [] }, name);
  }
  return columns;
}

function compared_column(x, series, name) {
  const { t } = series;
  const then = new Map(t.map((at, i) => [at, series[name]?.[i]]));
  return x.map((at) => then.get(at) ?? (at > t[0] && at < t.at(-1) ? 0 : null));
}

/** The start of the next day in a zone. */
function next_day_s(t, zone) {
  const offset_s = zone_offset_s(t, zone);
  const wall = (Math.floor((t + offset_s) / DAY_S) + 1) * DAY_S;
  return wall - zone_offset_s(wall - offset_s, zone);
}

/** A column in two: what is settled, and the running bucket with the one before it. */
export function split_running(column, running) {
  const part = (has) => column.map((value, i) => has(i) ? value : null);
  return [part((i) => i !== running), part((i) => running >= 0 && (i === running || i === running - 1))];
}

/** The known values but the running bucket's. */
export const settled = (column, running) => column.filter((value, i) => value !== null && i !== running);

/** Values summed to at most `size` points; an incomplete oldest group would look like a fall. */
export function condense(values, size) {
  const group = Math.max(1, Math.ceil(values.length / size));
  const points = [];
  for (let end = values.length; end >= group; end -= group) points.unshift(sum(values.slice(end - group, end)));
  return points;
}

/** Sums over counts, point by point; over nothing the value before holds. */
export function ratio(sums, counts) {
  const from = counts.findIndex((count) => count > 0);
  let last = 0;
  return from < 0
    ? []
    : sums.slice(from).map((value, i) => last = counts[from + i] > 0 ? value / counts[from + i] : last);
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);

const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 5760, 10080];
const WEEK_S = 604_800;
/** The first Monday of the epoch: weeks begin with one. */
const MONDAY_S = 345_600;

/** Marks of a time axis at round local times, right on days that have 23 or 25 hours: about `room` in [from_s, to_s]; an hour that comes twice has one. @returns {number[]} */
export function time_splits(from_s, to_s, zone, room) {
  const fits = MINUTES.find((minutes) => (to_s - from_s) / minutes / 60 <= room);
  const step = fits === undefined ? Math.ceil((to_s - from_s) / WEEK_S / room) * WEEK_S : 60 * fits;
  const phase = step % WEEK_S === 0 ? MONDAY_S : 0;
  const wall_to = to_s + zone_offset_s(to_s, zone);
  const first = Math.ceil((from_s + zone_offset_s(from_s, zone) - phase) / step) * step + phase;
  const splits = [];
  for (let wall = first; wall <= wall_to; wall += step) {
    const near = wall - zone_offset_s(wall, zone);
    const t = [wall - zone_offset_s(near, zone), near].find((at) => at + zone_offset_s(at, zone) === wall);
    if (t >= from_s && t <= to_s && !(t <= splits.at(-1))) splits.push(t);
  }
  return splits;
}

/** The time of day of each mark, and the date where a day begins. */
export function time_labels(splits, zone) {
  const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: zone });
  const label = (t) =>
    (t + zone_offset_s(t, zone)) % 86_400 === 0 ? date.format(t * 1000) : format_clock(t * 1000, zone);
  return splits.map(label);
}
