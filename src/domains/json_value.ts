/**
 * JSON as the log keeps it: parsed without losing a digit, written in one canonical form.
 *
 * JavaScript's JSON.parse rounds numbers to doubles. A number that would change is kept as an `ExactNumber` (its digits),
 * found by the source text that JSON.parse hands to its reviver; messages without long digit runs take the fast path.
 */

/** A number whose digits a double cannot hold: plain decimal text without exponent. */
export class ExactNumber {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }

  /** `JSON.stringify` writes its digits. */
  toJSON(): unknown {
    return raw_json(this.text);
  }
}

/** Text that `JSON.stringify` writes as it stands (ECMAScript 2026, not in the types yet). */
const raw_json = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

/** Writes an integer of 10^-`scale` units as decimal text, with no superfluous zeros past `least` decimals. */
export function decimal_text(value: bigint, scale: number, least: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0"), point = digits.length - scale;
  const fraction = digits.slice(point).replace(/0+$/, "").padEnd(least, "0");
  const whole = `${value < 0n ? "-" : ""}${digits.slice(0, point)}`;
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

/** A value as a sentence quotes it: its JSON, cut where it is long. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value instanceof ExactNumber || (typeof value === "number" && !Number.isFinite(value))) return String(value);
  const text = JSON.stringify(typeof value === "bigint" ? String(value) : value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** A place in JSON as a sentence names it: `rules.name[0].filter.key`. */
export const json_place = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(String(step))) return `${text}[${JSON.stringify(step)}]`;
    return text === "" ? String(step) : `${text}.${String(step)}`;
  }, "");

/** null, "" or white space only: what a producer did not name. */
export const is_blank = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === "string" && value.trim() === "");

/** A failure to read JSON that is a fault of the message. */
export class JsonFault extends Error {
  override readonly name = "JsonFault";
  constructor(
    readonly reason: "malformed_json" | "number_out_of_range" | "text_not_storable" | "too_deep",
    detail: string,
  ) {
    super(detail);
  }
}

/** A double holds 15 digits of any number: shorter runs of digits and points lose nothing. */
const LONG_RUN = 16;

/**
 * Whether a text has a run of so many digits and points. Looks at every 16th character and grows from there: a tenth of the price of a
 * regular expression that looks at all.
 */
function has_long_digits(text: string): boolean {
  for (let at = LONG_RUN - 1; at < text.length; at += LONG_RUN) {
    if (!is_digit_or_point(text.charCodeAt(at))) continue;
    let from = at, to = at + 1;
    while (from > 0 && is_digit_or_point(text.charCodeAt(from - 1))) from--;
    while (to < text.length && is_digit_or_point(text.charCodeAt(to))) to++;
    if (to - from >= LONG_RUN) return true;
  }
  return false;
}

/** What a text without a long run of digits has where a number in it is infinite as a double: an exponent of three digits or more. */
const LARGE_EXPONENT = /\d[eE]\+?\d{3}/;

const is_digit_or_point = (unit: number): boolean => (unit >= 48 && unit <= 57) || unit === 46;
const MAX_DEPTH = 64;
/** JSON.stringify writes NUL and lone surrogates as these escapes; PostgreSQL stores neither. */
const NOT_STORABLE = /\\u(?:0000|d[89a-f])/;

/** Below this doubles lose digits and then become 0: such numbers are kept as the double, with or without long digits elsewhere in the message. */
const SMALLEST_EXACT = 1e-300;

/** Below this JavaScript writes a whole number as its digits, and so does an `ExactNumber`: both are one canonical text. */
const WRITTEN_PLAINLY = 1e21;

/** The decimals that PostgreSQL's numeric, and with it jsonb, has room for. */
const MOST_DECIMALS = 16_383;

/** A regular expression for zeros at the end tries anew at each zero of a run that is not the end: a message full of zeros would take it minutes. */
function without_last_zeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 48) end--;
  return digits.slice(0, end);
}

/** Writes the text of a number that a double can hold plainly: no exponent, no superfluous zeros. Null when it is no number. */
export function plain_decimal(source: string): string | null {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source);
  if (match === null) return null;
  const exponent = Number(match[4] ?? 0);
  const fraction = match[3] ?? "";
  const point = match[2]!.length + exponent;
  const digits = match[2]! + fraction;
  const padded = point <= 0 ? "0".repeat(1 - point) + digits : digits.padEnd(point, "0");
  const at = Math.max(point, 1);
  const whole = padded.slice(0, at).replace(/^0+(?=\d)/, "");
  const rest = without_last_zeros(padded.slice(at));
  const text = rest === "" ? whole : `${whole}.${rest}`;
  return text === "0" ? "0" : match[1]! + text;
}

/** The digits of a whole number, all of them, as an id has them; null for anything else, and for a double that may have lost some. */
export function whole_number_text(value: unknown): string | null {
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : null;
  return value instanceof ExactNumber && !value.text.includes(".") ? value.text : null;
}

/** Where in a document a value is, by the name that it has, if it has one. */
const within = (name: string): string => /^\d*$/.test(name) ? "" : ` in ${shown(name)}`;

function keep_digits(name: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== "number" || context.source === undefined) return value;
  if (!Number.isFinite(value)) {
    throw new JsonFault(
      "number_out_of_range",
      `expected a number below 1e308 in size, got ${context.source.slice(0, 40)}${within(name)}`,
    );
  }
  if (Math.abs(value) < SMALLEST_EXACT) return value;
  const given = plain_decimal(context.source);
  if (given !== null && given.includes(".") && given.length - given.indexOf(".") - 1 > MOST_DECIMALS) {
    throw new JsonFault(
      "number_out_of_range",
      `expected a number of at most ${MOST_DECIMALS} decimals, got ${context.source.slice(0, 40)}${within(name)}`,
    );
  }
  if (given === null) return value;
  // What happens to be a double is exact too, and has to say so: of whole numbers beyond 2^53 one cannot tell by looking at the double.
  const large = Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < WRITTEN_PLAINLY;
  const exact = given !== plain_decimal(String(value)) || (large && has_long_digits(context.source));
  return exact ? new ExactNumber(given) : value;
}

/** Nothing that is taken nests deeper: beyond it code that walks a value by recursion would run out of its stack. */
const DEEPEST = 1_000;

/** Whether brackets nest deeper than is taken. Text that has fewer brackets, strings included, is not looked at a second time. */
function nests_too_deep(text: string): boolean {
  if (text.length <= 2 * DEEPEST) return false;
  let opened = 0;
  for (let at = 0; at < text.length && opened <= DEEPEST; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 91 || unit === 123) opened++;
  }
  if (opened <= DEEPEST) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 34) {
      for (at++; at < text.length && text.charCodeAt(at) !== 34; at++) if (text.charCodeAt(at) === 92) at++;
    } else if (unit === 91 || unit === 123) {
      if (++depth > DEEPEST) return true;
    } else if (unit === 93 || unit === 125) depth--;
  }
  return false;
}

/** Whether a name of a member has an escape. Text without any is not looked at. */
function has_escaped_name(text: string): boolean {
  if (!text.includes("\\")) return false;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
    let escaped = false;
    for (at++; at < text.length && text.charCodeAt(at) !== 34; at++) {
      if (text.charCodeAt(at) !== 92) continue;
      escaped = true;
      at++;
    }
    at++;
    while (WHITE.includes(text.charAt(at)) && at < text.length) at++;
    if (escaped && text.charCodeAt(at) === 58) return true;
  }
  return false;
}

const WHITE = " \t\n\r";

/**
 * Parses JSON that is known to be whole, each name by itself. V8 (15.0) takes a name with an escape for one that it read before at that place,
 * when that one is as long and the text begins with its letters: after {"x":1,"\\\\":0} the second name of {"x":1,"\\.":0} is the first's.
 */
function parse_each_name(text: string): unknown {
  let at = 0;
  const pass_white = () => {
    while (at < text.length && WHITE.includes(text.charAt(at))) at++;
  };
  /** Passes over a sign that may stand there, and white space around it. */
  const pass = (sign: string) => {
    pass_white();
    if (text.charAt(at) === sign) at++;
    pass_white();
  };
  const read_text = (): string => {
    const from = at++;
    while (text.charCodeAt(at) !== 34) at += text.charCodeAt(at) === 92 ? 2 : 1;
    return JSON.parse(text.slice(from, ++at));
  };
  const read = (): unknown => {
    pass_white();
    const first = text.charAt(at);
    if (first === '"') return read_text();
    if (first === "[") {
      const items: unknown[] = [];
      for (pass("["); text.charAt(at) !== "]"; pass(",")) items.push(read());
      at++;
      return items;
    }
    if (first === "{") {
      const members: [string, unknown][] = [];
      for (pass("{"); text.charAt(at) !== "}"; pass(",")) {
        const name = read_text();
        pass(":");
        members.push([name, read()]);
      }
      at++;
      return Object.fromEntries(members);
    }
    const from = at;
    while (at < text.length && !",]} \t\n\r".includes(text.charAt(at))) at++;
    const source = text.slice(from, at);
    return keep_digits("", JSON.parse(source), { source });
  };
  return read();
}

/** Parses JSON text. Throws JsonFault. */
export function parse_json(text: string): unknown {
  if (nests_too_deep(text)) throw new JsonFault("too_deep", `expected at most ${MAX_DEPTH} levels of nesting`);
  try {
    const value = has_long_digits(text) || LARGE_EXPONENT.test(text)
      ? JSON.parse(text, keep_digits as (this: unknown, key: string, value: unknown) => unknown)
      : JSON.parse(text);
    return has_escaped_name(text) ? parse_each_name(text) : value;
  } catch (error) {
    if (error instanceof JsonFault) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new JsonFault("malformed_json", `expected JSON, got ${JSON.stringify(text.slice(0, 60))}: ${why}`);
  }
}

/** The text with null for the words NaN and Infinity outside strings. Looks at each character once: a regular expression would try anew at each quote. */
function without_nan(text: string): string {
  let plain = "";
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at);
    const between = quote < 0 ? text.slice(at) : text.slice(at, quote);
    plain += between.replaceAll(/-?\b(?:NaN|Infinity)\b/g, "null");
    if (quote < 0) break;
    at = quote + 1;
    while (at < text.length && text.charCodeAt(at) !== 34) at += text.charCodeAt(at) === 92 ? 2 : 1;
    plain += text.slice(quote, ++at);
  }
  return plain;
}

/**
 * Parses the JSON of a record for a mapping, in which the words NaN and Infinity, which JSON has not and Python writes, are null: what they
 * say is that a number is unknown. Throws JsonFault.
 */
export function parse_record_json(text: string): unknown {
  try {
    return parse_json(text);
  } catch (error) {
    if (!(error instanceof JsonFault) || error.reason !== "malformed_json") throw error;
    const plain = without_nan(text);
    if (plain === text) throw error;
    return parse_json(plain);
  }
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      if (!Number.isFinite(value)) throw new JsonFault("number_out_of_range", "expected a number below 1e308 in size");
      return String(value === 0 ? 0 : value);
    case "boolean":
      return value ? "true" : "false";
  }
  if (value === null || value === undefined) return "null";
  if (value instanceof ExactNumber) return value.text;
  if (depth >= MAX_DEPTH) throw new JsonFault("too_deep", `expected at most ${MAX_DEPTH} levels of nesting`);
  if (Array.isArray(value)) {
    let text = "[";
    for (let i = 0; i < value.length; i++) text += (i === 0 ? "" : ",") + write(value[i], depth + 1);
    return text + "]";
  }
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object).sort();
  let text = "{";
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    text += (i === 0 ? "" : ",") + JSON.stringify(key) + ":" + write(object[key], depth + 1);
  }
  return text + "}";
}

function holds_unstorable(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\0") || !value.isWellFormed();
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, member]) => holds_unstorable(key) || holds_unstorable(member));
}

/** Whether JSON.stringify writes these keys in the order they are set: whole numbers come first there. */
const keeps_place = (key: string): boolean => {
  const first = key.charCodeAt(0);
  return !(first >= 48 && first <= 57) && key !== "__proto__";
};

/** A flat object in canonical form, by the built-in writer, which is four times as fast; null when it is not that plain. */
function write_flat(object: Readonly<Record<string, unknown>>): string | null {
  const sorted: Record<string, unknown> = {};
  for (const key of Object.keys(object).sort()) {
    const value = object[key];
    const plain = typeof value === "string" || typeof value === "boolean" || value === null || Number.isFinite(value);
    if (!plain || !keeps_place(key)) return null;
    sorted[key] = value;
  }
  return JSON.stringify(sorted);
}

const is_plain_object = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);

/**
 * Writes a parsed value as canonical JSON: keys sorted by UTF-16 code unit, no white space, numbers as JavaScript writes them.
 * Parsing what PostgreSQL's jsonb gives back and writing it again yields the same text. Throws JsonFault for what the log cannot hold.
 * @param above levels of nesting that the value already lies in
 */
export function canonical_json(value: unknown, above = 0): string {
  const text = (is_plain_object(value) && above < MAX_DEPTH ? write_flat(value) : null) ?? write(value, above);
  if (NOT_STORABLE.test(text) && holds_unstorable(value)) {
    throw new JsonFault("text_not_storable", "expected text without NUL and lone surrogates");
  }
  return text;
}
