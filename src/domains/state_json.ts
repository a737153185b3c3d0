import { format_time } from "../kpi/mod.ts";
import type { DomainBoard, ShownField } from "./board.ts";

/**
 * A state as it is told outside, by the fields that its domain declares: amounts as decimal text, times in RFC 3339 UTC, all else as text or
 * number; null is unknown.
 */

/** Writes an integer of 10^-`scale` units as decimal text, with no superfluous zeros past `least` decimals. */
export function decimal_text(value: bigint, scale: number, least: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const fraction = digits.slice(-scale).replace(/0+$/, "").padEnd(least, "0");
  const whole = `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}`;
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

type StateRow = Readonly<Record<string, unknown>>;

function field_json(field: ShownField, value: unknown): unknown {
  return field.many
    ? (value as readonly unknown[] ?? []).map((one) => value_json(field, one))
    : value_json(field, value);
}

function value_json({ kind, per }: ShownField, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (kind) {
    case "time":
      return format_time(Number(value));
    case "amount":
      return decimal_text(BigInt(String(value)), 6, 2);
    case "number":
      return Number(value) / per;
    case "text":
      return value;
  }
}

/** Fields of a state, by the names and in the units of the API. */
export const fields_json = (fields: readonly ShownField[], row: StateRow): Record<string, unknown> =>
  Object.fromEntries(fields.map((field) => [field.name, field_json(field, row[field.column])]));

/** The state of a row that `state_select` gave, or of a state's columns with its id, `revision` and `position`. */
export const state_json = ({ stream_column, fields }: DomainBoard, row: StateRow): Record<string, unknown> => ({
  [stream_column]: row[stream_column],
  ...fields_json(fields.filter(({ always }) => always), row),
  revision: Number(row.revision),
  position: Number(row.position),
  ...fields_json(fields.filter(({ always }) => !always), row),
});
