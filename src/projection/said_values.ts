import { Buffer } from "node:buffer";
import { type CellChange, date_column, date_text, is_dated, is_extreme, is_least, type Measure } from "../kpi/mod.ts";

/**
 * Values of a cell as text, in which table and streams are compared: a number as PostgreSQL writes it, nothing for null. A first or last is its
 * date in hexadecimal digits and its value, `32…6120:5`: no date ends a field, and texts of dates are in the order of dates.
 */

/** A value that there is none of. */
export const NONE = "";
/** SQL for what a cell says of a measure. */
export function said_sql(measure: Measure): string {
  const { name, kind } = measure;
  if (!is_dated(kind)) return name;
  return `nullif(concat(encode(convert_to(${date_column(measure)}, 'UTF8'), 'hex'), ':', ${name}), ':')`;
}

/** What a change adds to a first or last; null: nothing, or the measure is none. */
export function said_by_date({ added, added_by }: CellChange, m: number): string | null {
  const date = added_by?.[m] ?? null;
  return date === null ? null : `${Buffer.from(date_text(date)).toString("hex")}:${added![m]}`;
}

/** What the dates of a cell take, written out, about. */
export const dates_of = ({ added_by }: CellChange): number =>
  added_by?.reduce((sum, date) => sum + (date === null ? 0 : 60 + 2 * (date.by ?? "").length), 0) ?? 0;

/** What several pieces say of a measure. */
export function merged(kind: Measure["kind"], a: string, b: string): string {
  if (a === NONE || b === NONE) return a === NONE ? b : a;
  if (!is_extreme(kind)) {
    // Numbers of 15 digits and their sum are exact.
    return a.length < 16 && b.length < 16 ? String(Number(a) + Number(b)) : String(BigInt(a) + BigInt(b));
  }
  const [date_a, value_a] = dated(a), [date_b, value_b] = dated(b);
  const is_less = date_a === date_b ? BigInt(value_a) < BigInt(value_b) : date_a < date_b;
  return is_less === is_least(kind) ? a : b;
}

/** The date that a first or last is told apart by, nothing of other extremes, and its value. */
const dated = (said: string): [date: string, value: string] => {
  const at = said.indexOf(":");
  return [said.slice(0, Math.max(at, 0)), said.slice(at + 1)];
};

/** A value for people: that of a first or last with its date. */
export function shown(value: string): string {
  const [date, own] = dated(value);
  const of = value.includes(":") ? ` of ${Buffer.from(date, "hex").toString() || "null"}` : "";
  return `${own === NONE ? "null" : own}${of}`;
}
/** Whether it is as good as not there. */
export const is_nothing = (value: string): boolean => value === NONE || value === "0";

/** The time of a bucket given in microseconds, for people. */
export const time_of = (bucket_us: number): string => {
  const time = new Date(bucket_us / 1000);
  return Number.isNaN(time.getTime()) ? String(bucket_us) : time.toISOString();
};
