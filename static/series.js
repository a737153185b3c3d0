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
 * Columns of every bucket of a window (`x`: starts; `running`: index of the bucket of now, or -1). A bucket that the feed did not send
 * is zero between the first one it sent and the newest event; outside of that nothing is known, and null leaves the chart blank.
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

/** Values summed in groups, so that at most `size` points are left. An incomplete oldest group would look like a fall: it is left out. */
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
