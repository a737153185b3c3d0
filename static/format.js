/** Figures in the reader's locale, times in English. Pure. */

const formats = new Map();

function kept(key, make) {
  if (!formats.has(key)) formats.set(key, make());
  return formats.get(key);
}

function format_number(n, options) {
  return kept(JSON.stringify(options), () => new Intl.NumberFormat(undefined, options)).format(n);
}

/** A whole number. */
export function format_count(n) {
  return format_number(n, { maximumFractionDigits: 0 });
}

/** A number with fixed decimals. */
export function format_decimal(n, digits) {
  return format_number(n, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A whole number, from `from` on as "12.3M". */
export function format_short(n, from = 10_000_000) {
  return n < from ? format_count(n) : format_number(n, { notation: "compact", maximumFractionDigits: 2 });
}

/** "0.4 s", "12 s", "4 min", "3 h", "5 days". */
export function format_age(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 9.95) return `${format_decimal(s, 1)} s`;
  if (s < 120) return `${Math.floor(s)} s`;
  if (s < 7_200) return `${Math.floor(s / 60)} min`;
  if (s < 172_800) return `${Math.floor(s / 3_600)} h`;
  return `${format_count(Math.floor(s / 86_400))} days`;
}

/** A bucket's length: "minute", "5 minutes", "hour". */
export function format_step(step_s) {
  return { 60: "minute", 3600: "hour", 86400: "day" }[step_s] ?? `${step_s / 60} minutes`;
}

function zone_parts(kind, options, ms, zone) {
  const format = kept(`${kind} ${zone}`, () => new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }));
  return Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
}

function zone_offset(ms, zone) {
  return zone_parts("offset", { timeZoneName: "longOffset" }, ms, zone).timeZoneName;
}

/** A zone's offset from UTC, seconds. Kept by the quarter of an hour: zones change on no finer border. */
export function zone_offset_s(t_s, zone) {
  if (formats.size > 5_000) formats.clear();
  return kept(`${zone} ${Math.floor(t_s / 900)}`, () => {
    const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)/.exec(zone_offset(t_s * 1000, zone)) ?? ["", "+", 0, 0];
    return Number(`${sign}1`) * (Number(hours) * 3_600 + Number(minutes) * 60);
  });
}

/** "UTC", "UTC−05:00 New York"; where clocks change "UTC−05:00/−04:00 New York". */
export function format_zone(zone, from_ms, to_ms = from_ms) {
  const [first, last] = [from_ms, to_ms].map((ms) => zone_offset(ms, zone).slice(3).replace("-", "−") || "+00:00");
  const place = zone.replace(/.*\//, "").replaceAll("_", " ");
  return zone.endsWith("UTC") ? "UTC" : `UTC${first}${first === last ? "" : `/${last}`} ${place}`;
}

/** "10:31", or "10:31:05" with seconds. */
export function format_clock(ms, zone, seconds = false) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const { hour, minute, second } = zone_parts("clock", options, ms, zone);
  return `${hour}:${minute}${seconds ? `:${second}` : ""}`;
}

/** "Fri 21 Nov", with the year when it is not that of `now_ms`. */
export function format_day(ms, zone, now_ms) {
  const options = { weekday: "short", day: "numeric", month: "short", year: "numeric" };
  const { weekday, day, month, year } = zone_parts("day", options, ms, zone);
  const other = year !== zone_parts("day", options, now_ms, zone).year;
  return `${weekday} ${day} ${month}${other ? ` ${year}` : ""}`;
}

/** "10:31:05" today, "Fri 21 Nov, 10:31" on another day. */
export function format_moment(ms, zone, now_ms) {
  const day = format_day(ms, zone, now_ms);
  if (day === format_day(now_ms, zone, now_ms)) return format_clock(ms, zone, true);
  return `${day}, ${format_clock(ms, zone)}`;
}

/** "10:31" today, "21 Nov" on another day, "21 Nov ’19". */
export function format_since(ms, zone, now_ms) {
  const day = format_day(ms, zone, now_ms);
  if (day === format_day(now_ms, zone, now_ms)) return format_clock(ms, zone);
  return day.replace(/^\w+ /, "").replace(/\d\d(\d\d)$/, "’$1");
}

/** "Fri 21 Nov, 10:31 – 11:31"; the second day is named when it is another. */
export function format_window({ from_s, to_s }, zone, now_ms) {
  const day = (s) => format_day(s * 1000, zone, now_ms);
  const clock = (s) => format_clock(s * 1000, zone);
  return `${day(from_s)}, ${clock(from_s)} – ${day(from_s) === day(to_s) ? "" : `${day(to_s)}, `}${clock(to_s)}`;
}
