/**
 * Event time: microseconds since the Unix epoch as a `number`. Parsing and writing without Date, so that nothing is rounded.
 */

const PATTERN = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))?$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export type ParsedTime =
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

/**
 * Reads an RFC 3339 time, exact to microseconds (further digits are cut off). Years 1900 to 2254; no second 60.
 */
export function parse_time(text: string): ParsedTime {
  const match = PATTERN.exec(text);
  if (match === null) return { ok: false, why: "malformed" };
  const year = Number(match[1]), month = Number(match[2]), day = Number(match[3]);
  const hour = Number(match[4]), minute = Number(match[5]), second = Number(match[6]);
  const length = month === 2 && is_leap(year) ? 29 : DAYS[month - 1] ?? 0;
  if (year < 1900 || year > 2254 || day < 1 || day > length || hour > 23 || minute > 59 || second > 59) {
    return { ok: false, why: "malformed" };
  }
  if (match[8] === undefined && match[9] === undefined) return { ok: false, why: "without_zone" };
  let offset_minutes = 0;
  if (match[9] !== undefined) {
    const hours = Number(match[10]), minutes = Number(match[11]);
    if (hours > 23 || minutes > 59) return { ok: false, why: "malformed" };
    offset_minutes = (match[9] === "-" ? -1 : 1) * (hours * 60 + minutes);
  }
  const micros = match[7] === undefined ? 0 : Number(match[7].slice(0, 6).padEnd(6, "0"));
  const minutes = days_from_civil(year, month, day) * 1440 + hour * 60 + minute - offset_minutes;
  return { ok: true, us: (minutes * 60 + second) * 1e6 + micros };
}

const two = (n: number): string => n < 10 ? `0${n}` : `${n}`;

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

/** Writes event time as RFC 3339 in UTC with six digits of fraction: the one text form used in the log, COPY and the chain. */
export function format_time(us: number): string {
  const seconds = Math.floor(us / 1e6);
  const day = Math.floor(seconds / 86_400);
  const rest = seconds - day * 86_400;
  const fraction = us - seconds * 1e6;
  const hour = (rest / 3600) | 0, minute = ((rest % 3600) / 60) | 0;
  return `${date_of_day(day)}T${two(hour)}:${two(minute)}:${two(rest % 60)}.${String(fraction).padStart(6, "0")}Z`;
}
