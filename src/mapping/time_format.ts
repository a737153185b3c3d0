import { parse_time } from "../kpi/mod.ts";

/** What a text says of a time: what a clock shows, and how far that clock is ahead of UTC; null: it does not say. */
export interface ClockTime {
  /** Microseconds since the Unix epoch, as if the clock were UTC. */
  readonly local_us: number;
  readonly ahead_us: number | null;
}

/** Reads a text; null when it is no time of the format. */
export type TimeFormat = (text: string) => ClockTime | null;

/** Longer text is no time. */
const LONGEST = 100;
const ZONE = "z|(?:utc|gmt)?[+-]\\d{1,2}(?::?\\d{2})?|utc|gmt";

/** Microseconds that a clock of a zone such as `Z`, `UTC`, `+02`, `-0530`, `GMT+1` is ahead; null for an offset that no clock has. */
function ahead_of(zone: string): number | null {
  const [, sign, hours = "0", minutes = "0"] = /([+-])(\d{1,2}):?(\d{2})?$/.exec(zone) ?? [];
  const ahead_min = Number(hours) * 60 + Number(minutes);
  return Number(hours) > 23 || Number(minutes) > 59 ? null : (sign === "-" ? -ahead_min : ahead_min) * 60e6;
}

/** The parts of a time as texts of digits; what lacks is 0. `half` is `a` or `p`, of a clock of twelve hours. */
interface Parts {
  readonly year?: string | undefined;
  readonly month?: string | undefined;
  readonly day?: string | undefined;
  readonly hour?: string | undefined;
  readonly minute?: string | undefined;
  readonly second?: string | undefined;
  readonly fraction?: string | undefined;
  readonly half?: string | undefined;
  readonly zone?: string | undefined;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const two = (number: number): string => String(number).padStart(2, "0");

/** The time that the parts make; null for a day or an hour that there is not. 24:00 is the next day's 0:00, and second 60 the next minute's start. */
function time_of(parts: Parts): ClockTime | null {
  const { year = "", month = "", day, half, zone, fraction = "" } = parts;
  // Of years with two digits the strptime of C makes 1970 to 2069.
  const full_year = year.length === 2 ? (Number(year) < 70 ? `20${year}` : `19${year}`) : year;
  const named = MONTHS.indexOf(month.slice(0, 3).toLowerCase()) + 1;
  const minute = Number(parts.minute ?? 0), second = Number(parts.second ?? 0);
  let hour = Number(parts.hour ?? 0);
  if (half !== undefined) {
    if (hour < 1 || hour > 12) return null;
    hour = hour % 12 + (half.toLowerCase() === "p" ? 12 : 0);
  }
  const midnight = hour === 24 && minute === 0 && second === 0 && Number(fraction) === 0;
  const leap = second === 60;
  const date = `${full_year}-${two(named || Number(month))}-${two(Number(day))}`;
  const clock = `${two(midnight ? 0 : hour)}:${two(minute)}:${two(leap ? 59 : second)}.${leap ? "0" : fraction || "0"}`;
  const parsed = parse_time(`${date}T${clock}Z`);
  const ahead_us = zone === undefined ? null : ahead_of(zone);
  if (!parsed.ok || (zone !== undefined && ahead_us === null)) return null;
  return { local_us: parsed.us + (midnight ? 86_400e6 : 0) + (leap ? 1e6 : 0), ahead_us };
}

const by = (expression: RegExp): TimeFormat => (text) => {
  // ISO 8601 would rather have the minus of typography.
  const groups = text.length > LONGEST ? undefined : expression.exec(text.replace("\u2212", "-"))?.groups;
  return groups === undefined ? null : time_of(groups);
};

const looks_like_iso = by(
  new RegExp(
    "^(?<year>\\d{4})([-/])(?<month>\\d{1,2})\\2(?<day>\\d{1,2})(?:t|\\s+)(?<hour>\\d{1,2}):(?<minute>\\d{2})" +
      `(?::(?<second>\\d{2})(?:[.,](?<fraction>\\d+))?)?(?:\\s*(?<zone>${ZONE})(?:\\[[^\\]]+\\]|(?<=\\d) [a-z]{3,5})?)?$`,
    "i",
  ),
);
const iso_without_marks = by(
  new RegExp(
    "^(?<year>\\d{4})(?<month>\\d{2})(?<day>\\d{2})t(?<hour>\\d{2})(?<minute>\\d{2})" +
      `(?:(?<second>\\d{2})(?:[.,](?<fraction>\\d+))?)?(?<zone>${ZONE})?$`,
    "i",
  ),
);

/**
 * ISO 8601 and what looks like it and can mean one time only: without seconds, without marks, with slashes, `+0000`, `+00`, ` UTC`,
 * `+0000 UTC` as Go writes it, a comma before the fraction.
 */
export const iso_time: TimeFormat = (text) => looks_like_iso(text) ?? iso_without_marks(text);

/** Month, day, year, with or without seconds and `AM` or `PM`. */
export const us_time: TimeFormat = by(
  new RegExp(
    "^(?<month>\\d{1,2})/(?<day>\\d{1,2})/(?<year>\\d{4}|\\d{2}),?\\s+(?<hour>\\d{1,2}):(?<minute>\\d{2})" +
      `(?::(?<second>\\d{2})(?:\\.(?<fraction>\\d+))?)?(?:\\s*(?<half>[ap])\\.?m\\.?)?(?:\\s*(?<zone>${ZONE}))?$`,
    "i",
  ),
);

type Part = keyof Parts;

/** What letters of a pattern stand for: the part, what it is written as, and whether it begins with a digit, and may end with one more or less. */
const TOKENS: Readonly<Record<string, readonly [Part, string, "digits" | "digits, open" | "word" | "word, open"]>> = {
  YYYY: ["year", "\\d{4}", "digits"],
  YY: ["year", "\\d{2}", "digits"],
  MMM: [
    "month",
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?",
    "word",
  ],
  MM: ["month", "\\d{2}", "digits"],
  M: ["month", "\\d{1,2}", "digits, open"],
  DD: ["day", "\\d{2}", "digits"],
  D: ["day", "\\d{1,2}", "digits, open"],
  HH: ["hour", "\\d{2}", "digits"],
  H: ["hour", "\\d{1,2}", "digits, open"],
  hh: ["hour", "\\d{2}", "digits"],
  h: ["hour", "\\d{1,2}", "digits, open"],
  mm: ["minute", "\\d{2}", "digits"],
  ss: ["second", "\\d{2}", "digits"],
  S: ["fraction", "\\d+", "digits, open"],
  a: ["half", "[ap]", "word"],
  Z: ["zone", ZONE, "word, open"],
};
const SPELLED = Object.keys(TOKENS).join(" ");
/** A part needs the one that it divides. */
const NEEDS: Partial<Record<Part, Part>> = { minute: "hour", second: "minute", fraction: "second", half: "hour" };

/**
 * Makes the format of a pattern such as `DD.MM.YYYY HH:mm:ss`: letters are tokens, white space is any, text in apostrophes and all other
 * characters stand for themselves, and `T` does.
 * @returns or what is wrong with it, in words
 */
export function time_pattern(pattern: string): TimeFormat | string {
  if (pattern.length > LONGEST) return `expected a pattern of at most ${LONGEST} characters`;
  let expression = "", before = "", is_open = false;
  const parts = new Map<Part, string>();
  for (const { 0: piece, index } of pattern.matchAll(/'(?:[^']|'')*'|'|\s+|([A-Za-z])\1*|./gsu)) {
    const letters = /^[A-Za-z]/.test(piece) && !/^T+$/.test(piece);
    const token = Object.hasOwn(TOKENS, piece) ? piece : /^S+$/.test(piece) ? "S" : null;
    if (letters && token === null) {
      const known = /^[yd]/.test(piece) && Object.hasOwn(TOKENS, piece.toUpperCase());
      const meant = known ? piece.toUpperCase() : `one of ${SPELLED}, or text in '…'`;
      return `expected ${meant} at character ${index + 1}, got ${JSON.stringify(piece)}`;
    }
    if (token === null) {
      if (piece === "'") return `expected an apostrophe behind that at character ${index + 1}`;
      const text = piece.startsWith("'") ? piece.slice(1, -1).replaceAll("''", "'") || "'" : piece;
      expression += /^\s+$/.test(piece) ? "\\s+" : RegExp.escape(text);
      if (is_open && /^\d/.test(text)) return next_to(before, text[0]!);
      is_open = false;
      continue;
    }
    const [part, written, kind] = TOKENS[token]!;
    const earlier = parts.get(part);
    if (earlier !== undefined) return `expected the ${part} once, got ${earlier} and ${piece}`;
    if (is_open && kind.startsWith("digits")) return next_to(before, piece);
    parts.set(part, token);
    expression += `(?<${part}>${written})${token === "a" ? "\\.?m\\.?" : ""}`;
    before = piece;
    is_open = kind.endsWith("open");
  }
  for (const part of ["year", "month", "day"] as const) if (!parts.has(part)) return `expected the ${part} in it`;
  for (const [part, needed] of Object.entries(NEEDS) as [Part, Part][]) {
    if (parts.has(part) && !parts.has(needed)) return `expected the ${needed} beside ${parts.get(part)}`;
  }
  const twelve = parts.get("hour")?.startsWith("h") === true;
  if (twelve !== parts.has("half")) return 'expected "h" and "a" together, or "H" alone';
  return by(new RegExp(`^${expression}$`, "i"));
}

const next_to = (token: string, next: string): string =>
  `expected something between ${token} and ${next}: where one ends nobody could tell`;
