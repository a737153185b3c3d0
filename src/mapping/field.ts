import { ExactNumber, type Fault, is_blank } from "../domains/mod.ts";
import type { SourceRecord } from "./mapping.ts";

/** A field of a record, by its name or by a path into nested JSON. */
export interface Field {
  readonly name: string;
  /** Its value as the record has it; undefined where the record has none. Never throws. */
  readonly get: (record: SourceRecord) => unknown;
}

/** The column or top member that a path begins with. */
export const top_of = (path: string): string => /^[^.[]+/.exec(path)?.[0] ?? path;

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

/** The field that a name or a path such as `legs[0].km` means. A column of exactly that name goes before a path. */
export function field_of(name: string): Field {
  if (!/[.[]/.test(name)) return { name, get: (record) => member(record, name) };
  const steps = [...name.matchAll(/[^.[\]]+/g)].map(([step]) => step);
  return {
    name,
    get: (record) =>
      Object.hasOwn(record, name) ? record[name] : steps.reduce<unknown>((value, step) => member(value, step), record),
  };
}

/** What a record is refused for: one of its fields. Thrown by readings, met in `map`. */
export class RecordFault extends Error {
  override readonly name = "RecordFault";
  /** @param hint what would make the value right, where that is known */
  constructor(readonly field: string, readonly expected: string, readonly value: unknown, hint?: string) {
    super(`expected ${expected} in ${field}, got ${shown(value)}${hint === undefined ? "" : `; ${hint}`}`);
  }
  get fault(): Fault {
    return { reason: "invalid_record", path: this.field, detail: this.message };
  }
}

/** A value as a sentence quotes it. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  const text = typeof value === "object" && value !== null
    ? text_of(value) ?? "an object"
    : JSON.stringify(typeof value === "bigint" ? String(value) : value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Whether a field says nothing: absent, null, white space, or the NaN that columns of doubles have in its stead. */
export const is_unknown = (value: unknown): boolean => is_blank(value) || Number.isNaN(value);

/** The text of a value that has one; null for lists and objects. */
export function text_of(value: unknown): string | null {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
  }
  if (value instanceof ExactNumber) return value.text;
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : null;
}

const is_plain = (value: unknown): boolean =>
  typeof value === "string" || typeof value === "boolean" || value === null || Number.isFinite(value);

const DEEPEST = 64;

/** A value as JSON has it: what only files have (dates, big integers, NaN) becomes text, a number or null. Deeper than the log allows it is left alone. */
export function json_of(value: unknown, depth = 0): unknown {
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value === "bigint") {
    return BigInt.asIntN(53, value) === value ? Number(value) : new ExactNumber(String(value));
  }
  if (typeof value !== "object" || value === null || value instanceof ExactNumber || depth > DEEPEST) return value;
  if (value instanceof Date) return text_of(value);
  // Most records are flat and as JSON has them: looking costs half of copying.
  if (Object.values(value).every(is_plain)) return value;
  if (Array.isArray(value)) return value.map((each) => json_of(each, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, json_of(each, depth + 1)]));
}
