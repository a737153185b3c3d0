import type { SchemaElement } from "hyparquet";
import { JsonFault, parse_json } from "../domains/mod.ts";
import { bytes_as_text } from "./text_pieces.ts";

/** Turns a column's raw values into what mappings read: text, numbers, booleans, null, and lists and objects of them. */
export type ValueReader = (raw: unknown) => unknown;

/**
 * A column's schema without what the library would convert by itself, and how its raw values are read instead: the library makes
 * decimals doubles (435 hundredths become 4.3500000000000005) and times `Date`s without microseconds.
 */
export function exact_column(element: SchemaElement): { readonly element: SchemaElement; readonly read: ValueReader } {
  const read = exact_reader(element);
  if (read === null) return { element, read: plain_value };
  const { converted_type: _, logical_type: __, ...raw } = element;
  return { element: raw, read: (value) => value === null || value === undefined ? null : read(value) };
}

function exact_reader({ type, converted_type, logical_type, scale }: SchemaElement): ValueReader | null {
  const is = (name: string) => converted_type === name || logical_type?.type === name;
  if (is("DECIMAL")) return (raw) => decimal_text(whole_of(raw), scale ?? 0);
  if (logical_type?.type === "TIMESTAMP") {
    const per_us = { MILLIS: [1000n, 1n], MICROS: [1n, 1n], NANOS: [1n, 1000n] }[logical_type.unit] as [bigint, bigint];
    const zone = logical_type.isAdjustedToUTC ? "Z" : "";
    return (raw) => time_text(whole_of(raw) * per_us[0], per_us[1]) + zone;
  }
  if (converted_type === "TIMESTAMP_MILLIS") return (raw) => `${time_text(whole_of(raw) * 1000n, 1n)}Z`;
  if (converted_type === "TIMESTAMP_MICROS") return (raw) => `${time_text(whole_of(raw), 1n)}Z`;
  if (is("DATE")) return (raw) => time_text(whole_of(raw) * 86_400_000_000n, 1n).slice(0, 10);
  if (is("JSON")) return (raw) => json_value(bytes_as_text(raw as Uint8Array));
  if (is("ENUM")) return (raw) => bytes_as_text(raw as Uint8Array);
  if (is("BSON") || is("INTERVAL")) return plain_value;
  if (type === "FLOAT") return (raw) => shortest_float(raw as number);
  return type === "INT96" ? plain_value : null;
}

/**
 * How the library hands over texts and times. The old 96-bit times, in nanoseconds, are times without zone, since the type says nothing of
 * one and writers differ; the mapping's zone tells. Texts that are no UTF-8 come as what the readers look for.
 */
export const PARSERS = {
  timestampFromNanoseconds: (nanos: bigint) => time_text(nanos, 1000n),
  timestampFromMicroseconds: (micros: bigint) => `${time_text(micros, 1n)}Z`,
  timestampFromMilliseconds: (millis: bigint) => `${time_text(millis * 1000n, 1n)}Z`,
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && bytes_as_text(bytes),
};

/**
 * A value of any other column. Whole numbers beyond 2^53 are their digits. Bytes that nothing says are text are hexadecimal: as text some
 * would be the same (UUIDs of 16 bytes, say), and a column that is read now as the one and now as the other would merge what differs.
 */
export function plain_value(raw: unknown): unknown {
  if (raw === undefined) return null;
  if (typeof raw === "bigint") return Number.isSafeInteger(Number(raw)) ? Number(raw) : String(raw);
  if (raw instanceof Uint8Array) return raw.toHex();
  if (raw instanceof Date) return raw.toISOString();
  if (Array.isArray(raw)) return raw.map(plain_value);
  if (typeof raw === "object" && raw !== null) {
    return Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, plain_value(value)]));
  }
  return raw;
}

function json_value(text: string): unknown {
  try {
    return parse_json(text);
  } catch (error) {
    if (error instanceof JsonFault) return text;
    throw error;
  }
}

/** The number of the fewest digits that a 32-bit float stands for: 18.6, which a double of its bits would have as 18.600000381469727. */
function shortest_float(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : value;
}

/** The whole number in a raw value: numbers, or big-endian two's complement in bytes. */
function whole_of(raw: unknown): bigint {
  if (typeof raw === "bigint") return raw;
  if (typeof raw === "number") return BigInt(raw);
  if (!(raw instanceof Uint8Array)) throw new Error(`expected a whole number, got ${String(raw)}`);
  let value = 0n;
  for (const byte of raw) value = value * 256n + BigInt(byte);
  return BigInt.asIntN(raw.length * 8, value);
}

function decimal_text(unscaled: bigint, scale: number): string {
  if (scale === 0) return String(unscaled);
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** A time in micros (or parts of them) since 1970 as `YYYY-MM-DDThh:mm:ss.ffffff`, without zone. */
function time_text(value: bigint, per_us: bigint): string {
  const us = (value - mod(value, per_us)) / per_us;
  const part = mod(us, 1_000_000n);
  const date = new Date(Number((us - part) / 1000n));
  if (Number.isNaN(date.getTime())) return `${value} of ${per_us} to a us`;
  return `${date.toISOString().slice(0, -5)}.${String(part).padStart(6, "0")}`;
}

const mod = (value: bigint, by: bigint): bigint => ((value % by) + by) % by;
