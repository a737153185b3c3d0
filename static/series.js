/** Buckets by their start (seconds), and the columns that are drawn from them. Pure. */

const MEASURES = ["trips", "requested", "started", "completed", "canceled", "revenue", "distance_km"];

/** A copy of the buckets with the absolute values of a series taken over; what starts before `from_s` is let go. */
export function merge_series(buckets, series, from_s) {
  const merged = new Map(buckets);
  series.t.forEach((t, i) => merged.set(t, Object.fromEntries(MEASURES.map((name) => [name, series[name][i]]))));
  for (const t of merged.keys()) if (t < from_s) merged.delete(t);
  return merged;
}

/**
 * Columns of a window's buckets; `x` has their starts, `running` is the index of the one of now, or -1. A bucket that the feed
 * did not send is zero between the first it sent and the newest event; outside nothing is known: null leaves a blank.
 * @returns {any}
 */
export function columns_of(buckets, { from_s, to_s, step_s, running_s }, newest_ms) {
  const first = Math.min(...[...buckets.keys()].filter((t) => t >= from_s));
  const last = Math.min(newest_ms === null ? -Infinity : newest_ms / 1000, running_s ?? Infinity);
  const columns = { x: [], running: -1 };
  for (const name of MEASURES) columns[name] = [];
  for (let t = from_s; t < to_s; t += step_s) {
    const bucket = buckets.get(t);
    const absent = t >= first && t <= last ? 0 : null;
    if (t === running_s && (bucket !== undefined || absent === 0)) columns.running = columns.x.length;
    columns.x.push(t);
    for (const name of MEASURES) columns[name].push(bucket?.[name] ?? absent);
  }
  return columns;
}

/** A column in two: what is settled, and the running bucket with the one before it, which are joined by dots. */
export function split_running(column, running) {
  const part = (has) => column.map((value, i) => has(i) ? value : null);
  return [part((i) => i !== running), part((i) => running >= 0 && (i === running || i === running - 1))];
}

/** The known values without the running bucket's, which would look like a fall. */
export function settled(column, running) {
  return column.filter((value, i) => value !== null && i !== running);
}

/** Values summed in groups to at most `size` points, without an incomplete oldest group, which would look like a fall. */
export function condense(values, size) {
  const group = Math.max(1, Math.ceil(values.length / size));
  const points = [];
  for (let end = values.length; end >= group; end -= group) points.unshift(sum(values.slice(end - group, end)));
  return points;
}

/** Sums over counts, point by point; where there is nothing to divide by, the value before holds. */
export function ratio(sums, counts) {
  const from = counts.findIndex((count) => count > 0);
  let last = 0;
  return from < 0
    ? []
    : sums.slice(from).map((value, i) => last = counts[from + i] > 0 ? value / counts[from + i] : last);
}

export function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
