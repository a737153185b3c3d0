/**
 * Event time: microseconds since the Unix epoch as a `number`. Parsing and writing without Date, so that nothing is rounded.
 */

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

type ParsedTime =
  | { readonly ok: true; readonly us: number }
  | { readonly ok: false; readonly why: "malformed" | "without_zone" };

/** Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, days_from_civil). */
function days_from_civil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const year_of_era = y - era * 400;
  const day_of_year = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const day_of_era = year_of_era * 365 + Math.floor(year_of_era / 4) - Math.floor(year_of_era / 100) + day_of_year;
  return era * 146_097 + day_of_era - 719_468;
}

const is_leap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

const MALFORMED: ParsedTime = { ok: false, why: "malformed" };
const WITHOUT_ZONE: ParsedTime = { ok: false, why: "without_zone" };

/** The number that the decimal digits [from, to) of a text make, exact up to 15 of them; NaN when one of them is none. */
export function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

const POINT = 46, COLON = 58, MINUS = 45, PLUS = 43, SPACE = 32;
/** The code of a letter in lower case. */
const lower = (unit: number): number => unit | 32;
const T = 116, Z = 122;

/** Minutes that the zone at the end of a text says local time is ahead of UTC; null for no zone, NaN for none that is one. */
function zone_minutes(text: string, at: number, end: number): number | null {
  if (at === end) return null;
  const sign = text.charCodeAt(at);
  if (lower(sign) === Z) return at + 1 === end ? 0 : NaN;
  if ((sign !== PLUS && sign !== MINUS) || end !== at + 6 || text.charCodeAt(at + 3) !== COLON) return NaN;
  const hours = digits(text, at + 1, at + 3), minutes = digits(text, at + 4, at + 6);
  return hours > 23 || minutes > 59 ? NaN : (sign === MINUS ? -1 : 1) * (hours * 60 + minutes);
}

/**
 * Reads an RFC 3339 time, exact to microseconds (further digits are cut off). Years 1900 to 2254; no second 60. By hand: a regular
 * expression with its eleven groups took three times as long and left 0.8 KB behind for each event.
 * @param from where in the text it begins, and `end` where it ends
 */
export function parse_time(text: string, from = 0, end = text.length): ParsedTime {
  if (end < from + 19) return MALFORMED;
  const divided = text.charCodeAt(from + 4) === MINUS && text.charCodeAt(from + 7) === MINUS &&
    text.charCodeAt(from + 13) === COLON && text.charCodeAt(from + 16) === COLON;
  const divider = text.charCodeAt(from + 10);
  if (!divided || (lower(divider) !== T && divider !== SPACE)) return MALFORMED;
  const year = digits(text, from, from + 4), month = digits(text, from + 5, from + 7);
  const day = digits(text, from + 8, from + 10), hour = digits(text, from + 11, from + 13);
  const minute = digits(text, from + 14, from + 16), second = digits(text, from + 17, from + 19);
  const length = month === 2 && is_leap(year) ? 29 : DAYS[month - 1] ?? 0;
  const fits = year >= 1900 && year <= 2254 && day >= 1 && day <= length && hour <= 23 && minute <= 59 && second <= 59;
  if (!fits) return MALFORMED;
  let at = from + 19, micros = 0;
  if (at < end && text.charCodeAt(at) === POINT) {
    const first = ++at;
    while (at < end && !Number.isNaN(digits(text, at, at + 1))) at++;
    if (at === first) return MALFORMED;
    const kept = Math.min(at, first + 6);
    micros = digits(text, first, kept) * 10 ** (6 - (kept - first));
  }
  const zone = zone_minutes(text, at, end);
  if (zone === null) return WITHOUT_ZONE;
  if (Number.isNaN(zone)) return MALFORMED;
  const minutes = days_from_civil(year, month, day) * 1440 + hour * 60 + minute - zone;
  return { ok: true, us: (minutes * 60 + second) * 1e6 + micros };
}

/** What is expected of a time that has a year beyond those that are read, as a sentence goes on; null for another one. */
export function expected_years(text: string): string | null {
  const [, year] = /^\s*(\d{4})[-/]\d\d?[-/]\d\d?(?!\d)/.exec(text) ?? [];
  return year === undefined || (Number(year) >= 1900 && Number(year) <= 2254) ? null : "in the years 1900 to 2254";
}

/** What is expected of a text that is no time. RFC 3339 has two things that we do not read: other years, and a second 60. */
export function expected_time(text: string): string {
  const more = expected_years(text) ?? (/^.{11}\d\d:\d\d:60/.test(text) ? "without a second 60" : null);
  return more === null ? "an RFC 3339 time with zone" : `an RFC 3339 time with zone, ${more}`;
}

const two = (n: number): string => n < 10 ? `0${n}` : `${n}`;

/**
 * Whether a text comes after another by code points: the order of UTF-8 bytes, and PostgreSQL's of collation "C". JavaScript's `>` goes by
 * UTF-16 units, in which what lies above U+FFFF comes before U+E000.
 */
function text_after(a: string, b: string): boolean {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const of_a = a.charCodeAt(i), of_b = b.charCodeAt(i);
    if (of_a !== of_b) return rank_of_unit(of_a) > rank_of_unit(of_b);
  }
  return a.length > b.length;
}

/** Halves of what lies above U+FFFF come after all that is whole. */
const rank_of_unit = (unit: number): number => unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;

/** Whether (time, event id) comes after another: the order in which streams are folded, and in which a first and a last are told apart. */
export const comes_after = (us: number, id: string, last_us: number, last_id: string): boolean =>
  us > last_us || (us === last_us && text_after(id, last_id));

/** What says when an event comes among others of its stream. */
interface Ordered {
  readonly occurred_at_us: number;
  readonly event_id: string;
}

/** The same of two events. */
export const follows = (event: Ordered, other: Ordered): boolean =>
  comes_after(event.occurred_at_us, event.event_id, other.occurred_at_us, other.event_id);

let cached_day = Number.NaN;
let cached_date = "";

/** The date `YYYY-MM-DD` of a day number (days since 1970-01-01), UTC. */
export function date_of_day(day: number): string {
  if (day !== cached_day) {
    const z = day + 719_468;
    const era = Math.floor(z / 146_097);
    const day_of_era = z - era * 146_097;
    const year_of_era = Math.floor(
      (day_of_era - Math.floor(day_of_era / 1460) + Math.floor(day_of_era / 36_524) -
        Math.floor(day_of_era / 146_096)) /
        365,
    );
    const day_of_year = day_of_era - (365 * year_of_era + Math.floor(year_of_era / 4) - Math.floor(year_of_era / 100));
    const shifted = Math.floor((5 * day_of_year + 2) / 153);
    const month = shifted < 10 ? shifted + 3 : shifted - 9;
    const year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    cached_date = `${String(year).padStart(4, "0")}-${two(month)}-${
      two(day_of_year - Math.floor((153 * shifted + 2) / 5) + 1)
    }`;
    cached_day = day;
  }
  return cached_date;
}

let cached_minute = Number.NaN;
let cached_start = "";

/** Writes event time as RFC 3339 in UTC with six digits of fraction: the one text form used in the log, COPY and the chain. */
export function format_time(us: number): string {
  const minutes = Math.floor(us / 60e6);
  if (minutes !== cached_minute) {
    const day = Math.floor(minutes / 1440), of_day = minutes - day * 1440;
    cached_start = `${date_of_day(day)}T${two((of_day / 60) | 0)}:${two(of_day % 60)}:`;
    cached_minute = minutes;
  }
  // Eight digits, seconds and their fraction, below a one that keeps the zeros in front.
  const rest = String(1e8 + (us - minutes * 60e6));
  return `${cached_start}${rest.slice(1, 3)}.${rest.slice(3)}Z`;
}

/** Writes a time that may be unknown: null stays null. */
export const time_or_null = (us: number | null): string | null => us === null ? null : format_time(us);

const UNITS_US = { s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6 };

/** A length of time such as `30s`, `5m`, `12h` or `7d`, at most ten years, in microseconds; null of what is none. */
export function parse_duration(text: string): number | null {
  const [, amount, unit] = /^(\d{1,8}(?:\.\d{1,3})?)([smhd])$/.exec(text) ?? [];
  const us = Number(amount) * UNITS_US[unit as keyof typeof UNITS_US];
  return us > 0 && us <= 3_660 * UNITS_US.d ? us : null;
}

/** The shortest text of a length of whole seconds that `parse_duration` reads. */
export function format_duration(us: number): string {
  const unit = (["d", "h", "m"] as const).find((each) => us > 0 && us % UNITS_US[each] === 0) ?? "s";
  return `${us / UNITS_US[unit]}${unit}`;
}
