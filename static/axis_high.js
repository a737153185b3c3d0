/** So many times what is usual is beyond the axis. */
const BEYOND = 20;

/** The greatest value that the axis must show. Pure. */
export function axis_high(values) {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  // What nineteen of twenty do not exceed: a few great values are an event, not the usual.
  const usual = sorted[Math.ceil(sorted.length * 0.95) - 1];
  const high = sorted.at(-1) ?? 0;
  return sorted.length < 10 || high <= BEYOND * usual
    ? high
    : 1.5 * sorted.findLast((value) => value <= BEYOND * usual);
}
