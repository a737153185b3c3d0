import { format_count, format_decimal, format_step } from "./format.js";

/** Limits that the reader sets: which buckets are past one, and what there is to say. Pure. */

/** Whether a value is past a limit; the running bucket can only grow, so below a limit it says nothing yet. */
export function is_past({ sign, value: limit }, value, runs = false) {
  if (value === null) return false;
  return sign === ">" ? value > limit : !runs && value < limit;
}

/**
 * How a limit stands at the newest known bucket: null when it is kept, else {since_s, until_s, from_start}. `until_s` is the end of what is
 * known when nothing is known of the buckets after it; `from_start` says that it may have begun before the window.
 */
export function state_of(limit, columns, now_s) {
  const column = columns[limit.name];
  const runs = (i) => i === columns.running;
  let newest = column.findLastIndex((value) => value !== null);
  // A running bucket that is not past it yet says nothing: the one before counts.
  if (newest >= 0 && runs(newest) && !is_past(limit, column[newest], true)) newest--;
  if (newest < 0 || !is_past(limit, column[newest], runs(newest))) return null;
  let first = newest;
  while (first > 0 && is_past(limit, column[first - 1])) first--;
  const step_s = columns.ends[newest] - columns.x[newest];
  const old = columns.ends[newest] + step_s < now_s && column[newest + 1] === null;
  return { since_s: columns.x[first], until_s: old ? columns.ends[newest] : null, from_start: first === 0 };
}

/** "canceled above 20 per 5 minutes"; money is told with its unit. */
export function name_limit({ name, sign, value }, step_s, currency) {
  const whole = Number.isInteger(value) ? format_count(value) : format_decimal(value, 2);
  return `${name} ${sign === ">" ? "above" : "below"} ${whole}${name === "revenue" ? ` ${currency}` : ""} per ${
    format_step(step_s)
  }`;
}

/** One sentence about all limits. `tell(s)` gives a time as text. */
export function tell_limits(limits, { columns, step_s, currency, now_ms }, tell) {
  const past = limits.flatMap((limit) => {
    const state = state_of(limit, columns, now_ms / 1000);
    if (state === null) return [];
    const { since_s, until_s, from_start } = state;
    const since = `${from_start ? "since before" : "since"} ${tell(from_start ? columns.ends[0] : since_s)}`;
    const until = until_s === null ? "" : `, up to the newest data at ${tell(until_s)}`;
    return [`${name_limit(limit, step_s, currency)} ${since}${until}`];
  });
  return {
    past: past.length > 0,
    text: past.length > 0
      ? past.join(" · ")
      : `Within ${limits.length === 1 ? "the limit" : `all ${limits.length} limits`}`,
  };
}
