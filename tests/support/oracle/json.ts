/** Any JSON value, as JSON.parse gives it. */
export type Json = null | boolean | number | string | Json[] | JsonObject | LargeWhole;
/** A JSON object. */
export type JsonObject = { [name: string]: Json };

/** A whole number that a double may not hold, with all its digits; wherever digits do not count it is the double. */
export class LargeWhole {
  constructor(readonly digits: string) {}
  /** The double, where digits do not count. */
  get double(): number {
    return Number(this.digits);
  }
  toJSON(): unknown {
    return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(this.digits);
  }
}

const DEEPEST_NESTING = 64;
/** PostgreSQL's numeric has room for no more. */
const MOST_DECIMALS = 16_383;
const CONTROL_NUL = "\u0000";
/** For headers, which are values and no documents. */
export const HEADER_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true });

/** A reason to quarantine a message, in words. */
export class Fault {
  constructor(readonly reason: string) {}
}

/** Whether the value is an object, not an array, not null. */
export function is_object(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof LargeWhole);
}

/** Optional fields that are null, empty or whitespace only count as not given. */
export function is_blank(value: Json | undefined): boolean {
  return value === undefined || value === null || (typeof value === "string" && value.trim() === "");
}

/** The text of UTF-8 bytes, or a fault. A leading byte order mark is dropped, unless it is a character like any other. */
export function read_utf8(bytes: Uint8Array, what: string, decoder = STRICT_UTF8): string | Fault {
  try {
    return decoder.decode(bytes);
  } catch {
    return new Fault(`${what} is not valid UTF-8`);
  }
}

/** The JSON value of a text, or a fault for what is malformed, too deep, or holds a text or number that Postgres or a double cannot. */
export function read_json(text: string): Json | Fault {
  let value: Json;
  let most_decimals = 0;
  const exact = (_name: string, part: Json, { source = "" }: { source?: string }) => {
    if (typeof part !== "number") return part;
    most_decimals = Math.max(most_decimals, decimals_of(part, source));
    return Math.abs(part) > Number.MAX_SAFE_INTEGER && Number.isFinite(part) ? whole_of(part, source) : part;
  };
  try {
    value = text.length > MOST_DECIMALS || /\d{16}|\d[eE]/.test(text)
      ? JSON.parse(text, exact as (name: string, part: Json) => Json)
      : JSON.parse(text);
  } catch {
    return new Fault("malformed JSON");
  }
  if (most_decimals > MOST_DECIMALS) return new Fault(`a number has more than ${MOST_DECIMALS} decimals`);
  return fault_within(value, 1) ?? value;
}

/** A large number with its digits, where they are given and it is whole; as it is otherwise. */
function whole_of(value: number, source: string): number | LargeWhole {
  const digits = /[\d.]{16}/.test(source) ? whole_digits(source) : null;
  if (digits === null || (Math.abs(value) >= 1e21 && digits === whole_digits(String(value)))) return value;
  return new LargeWhole(digits);
}

function whole_digits(source: string): string | null {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(source);
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match ?? [];
  const shift = Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction), power = 10n ** BigInt(Math.abs(shift));
  if (shift < 0 && digits % power !== 0n) return null;
  return `${sign}${shift < 0 ? digits / power : digits * power}`;
}

/** How many decimals a number is written with; numbers nearer to zero than 1e-300 are kept as doubles, which have few enough. */
function decimals_of(value: number, source: string): number {
  if (Math.abs(value) < 1e-300) return 0;
  const [digits = "", exponent = "0"] = source.toLowerCase().split("e");
  const [whole = "", fraction = ""] = digits.split(".");
  let significant = whole + fraction;
  while (significant.endsWith("0")) significant = significant.slice(0, -1);
  return significant.length - whole.length - Number(exponent);
}

/** Why a text cannot be kept, or null. */
export function fault_of_text(text: string): Fault | null {
  if (text.includes(CONTROL_NUL)) return new Fault("a string contains NUL");
  if (!text.isWellFormed()) return new Fault("a string contains a lone surrogate");
  return null;
}

/** `depth` is the depth the value would have if it were an object or an array; the message itself has depth 1. */
function fault_within(value: Json, depth: number): Fault | null {
  if (typeof value === "string") return fault_of_text(value);
  if (typeof value === "number") return Number.isFinite(value) ? null : new Fault("a number overflows a double");
  if (typeof value !== "object" || value === null || value instanceof LargeWhole) return null;
  if (depth > DEEPEST_NESTING) return new Fault(`nested deeper than ${DEEPEST_NESTING}`);
  const names = Array.isArray(value) ? [] : Object.keys(value);
  for (const name of names) {
    const fault = fault_of_text(name);
    if (fault) return fault;
  }
  for (const part of Object.values(value)) {
    const fault = fault_within(part, depth + 1);
    if (fault) return fault;
  }
  return null;
}

/** One text for all JSON values that are equal: object names in one order, numbers in their shortest form. */
export function canonical_text(value: Json): string {
  return JSON.stringify(in_one_order(value));
}

function in_one_order(value: Json): Json {
  if (Array.isArray(value)) return value.map(in_one_order);
  if (!is_object(value)) return value;
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(pairs.map(([name, part]) => [name, in_one_order(part)]));
}
