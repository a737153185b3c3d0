import { format_clock, format_day, zone_offset_s } from "./format.js";

/** Names of buckets. Pure. */

const DAY_S = 86_400;

/** "10:30 – 10:35"; a day or more: "Sun 8 Mar"; where clocks go back, with the offset, for the same times come twice. */
export function format_bucket(from_s, to_s, zone, now_ms) {
  const clock = (s) => format_clock(s * 1000, zone);
  const day = format_day(from_s * 1000, zone, now_ms);
  if (to_s - from_s > DAY_S / 2) {
    // Days are the business zone's: elsewhere they do not begin at midnight.
    return clock(from_s) === "00:00"
      ? day
      : `${day}, ${clock(from_s)} – ${format_day(to_s * 1000, zone, now_ms)}, ${clock(to_s)}`;
  }
  return `${clock(from_s)} – ${clock(to_s)}${comes_twice(from_s, zone) ? ` (${format_offset(from_s, zone)})` : ""}`;
}

/** Whether the clock shows the same time once more, shortly before or after. */
export function comes_twice(t_s, zone) {
  const offset_s = zone_offset_s(t_s, zone);
  return [-7_200, 7_200].some((away_s) => {
    const change_s = zone_offset_s(t_s + away_s, zone) - offset_s;
    return change_s !== 0 && zone_offset_s(t_s - change_s, zone) - offset_s === change_s;
  });
}

/** "UTC−05:00". */
export function format_offset(t_s, zone) {
  const offset_s = zone_offset_s(t_s, zone);
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  const size = Math.abs(offset_s);
  return `UTC${offset_s < 0 ? "−" : "+"}${two(size / 3_600)}:${two(size % 3_600 / 60)}`;
}
