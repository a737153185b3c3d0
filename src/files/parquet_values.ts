import type { SchemaElement, SchemaTree, TimeUnit } from "hyparquet";
import { isListLike, isMapLike } from "hyparquet/src/schema.js";
import { JsonFault, parse_json } from "../domains/mod.ts";
import { bytes_as_text } from "./text_pieces.ts";

/** Turns a column's raw values into what mappings read: text, numbers, booleans, null, and lists and objects of them. */
export type ValueReader = (raw: unknown) => unknown;

/**
 * How the raw values of a column are read, inside lists, maps and structs too. Takes out of its schema what the library would convert by
 * itself: that makes decimals doubles (435 hundredths become 4.3500000000000005) and times `Date`s without microseconds and with the wrong
 * zone.
 */
export function reader_of(column: SchemaTree): ValueReader {
  const { element, children } = column;
  if (element.logical_type?.type === "VARIANT") return plain_value;
  const read = children.length === 0 ? exact_leaf(element) : group_reader(column);
  return element.repetition_type === "REPEATED" ? each_of(read) : read;
}

/** Reads lists, maps and structs as the library puts them together. */
function group_reader(column: SchemaTree): ValueReader {
  const [inner] = column.children;
  if (isListLike(column)) {
    // Without a level between, the library hands over the repeated leaf as the list.
    return inner!.children.length === 1 ? each_of(reader_of(inner!.children[0]!)) : reader_of(inner!);
  }
  if (isMapLike(column)) {
    // Keys are names of fields: the library's texts.
    const read = reader_of(inner!.children.find(({ element }) => element.name === "value")!);
    return (raw) => fields_of(raw, () => read);
  }
  const readers = new Map(column.children.map((child) => [child.element.name, reader_of(child)]));
  return (raw) => fields_of(raw, (name) => readers.get(name) ?? plain_value);
}

const each_of = (read: ValueReader): ValueReader => (raw) => Array.isArray(raw) ? raw.map(read) : plain_value(raw);

const fields_of = (raw: unknown, reader: (name: string) => ValueReader): unknown =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw)
    ? Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, reader(name)(value)]))
    : plain_value(raw);

/** Reads the values of a column that holds no others. */
function exact_leaf(element: SchemaElement): ValueReader {
  const read = exact_reader({ ...element });
  if (read === null) return plain_value;
  delete element.converted_type;
  delete element.logical_type;
  return (value) => value === null || value === undefined ? null : read(value);
}

/** What a value of a unit is multiplied by, and how many of that make a microsecond. */
const PER_US: Readonly<Record<TimeUnit, readonly [bigint, bigint]>> = {
  MILLIS: [1000n, 1n],
  MICROS: [1n, 1n],
  NANOS: [1n, 1000n],
};

function exact_reader({ type, converted_type, logical_type, scale }: SchemaElement): ValueReader | null {
  const is = (name: string) => converted_type === name || logical_type?.type === name;
  if (is("DECIMAL")) return (raw) => decimal_text(whole_of(raw), scale ?? 0);
  if (logical_type?.type === "TIMESTAMP") {
    const per_us = PER_US[logical_type.unit];
    const zone = logical_type.isAdjustedToUTC ? "Z" : "";
    return (raw) => time_text(whole_of(raw) * per_us[0], per_us[1]) + zone;
  }
  if (converted_type === "TIMESTAMP_MILLIS") return (raw) => `${time_text(whole_of(raw) * 1000n, 1n)}Z`;
  if (converted_type === "TIMESTAMP_MICROS") return (raw) => `${time_text(whole_of(raw), 1n)}Z`;
  if (is("DATE")) return (raw) => time_text(whole_of(raw) * 86_400_000_000n, 1n).slice(0, 10);
  if (is("TIME") || is("TIME_MILLIS") || is("TIME_MICROS")) {
    const unit = logical_type?.type === "TIME" ? logical_type.unit : is("TIME_MILLIS") ? "MILLIS" : "MICROS";
    const [times, per_us] = PER_US[unit];
    return (raw) => time_text(whole_of(raw) * times, per_us).slice("1970-01-01T".length);
  }
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
