import { plain_decimal } from "../domains/mod.ts";
import { RecordFault, text_of } from "./field.ts";

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;
/** An amount as the log's contract has it: its digits stand. */
const EXACT = /^((?:0|[1-9]\d{0,12}))(?:\.(\d{1,6}))?$/;

/** The number that a value is or that its text says; null when it is none. */
export function number_in(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  const text = typeof value === "boolean" || value instanceof Date ? null : text_of(value)?.trim() ?? null;
  const number = text !== null && DECIMAL.test(text) ? Number(text) : NaN;
  return Number.isFinite(number) ? number : null;
}

/** The number that a value is or that its text says. Throws RecordFault. */
export function read_number(value: unknown, field: string): number {
  const number = number_in(value);
  if (number !== null) return number;
  throw new RecordFault(field, "a number", value);
}

const WHOLE = /^[+-]?\d+$/;

/**
 * The number as an id has it: one text however it is written (`2.0`, `2`), a whole number with all its digits, any other one as the double
 * that files of numbers have. Throws RecordFault.
 */
export function read_number_text(value: unknown, field: string): string {
  const number = read_number(value, field);
  const text = text_of(value)!.trim();
  return plain_decimal(WHOLE.test(text) ? text.replace("+", "") : String(number))!;
}

/**
 * An amount as decimal text with six decimals. Digits that need no rounding are kept as they are; a longer number, such as the
 * 40.09620692463166 of a binary float, is rounded to six decimals.
 * @param per how many of the field's unit make one of the currency: 100 for cents
 */
export function read_money(value: unknown, field: string, per: number): string {
  const exact = per === 1 ? EXACT.exec(text_of(value)?.trim() ?? "") : null;
  if (exact !== null) return `${exact[1]}.${(exact[2] ?? "").padEnd(6, "0")}`;
  const amount = read_number(value, field) / per;
  if (Math.abs(amount) < 1e21) return amount.toFixed(6);
  throw new RecordFault(field, "an amount of at most 1e12", value);
}

const WHOLE_WITH_POINT = /\.0+$/;

/** A code such as `5.0`, which a spreadsheet made of 5, without what the spreadsheet added. */
export const read_code = (value: unknown, field: string): string =>
  read_text(value, field).replace(WHOLE_WITH_POINT, "");

/** The text of a value, trimmed. Throws RecordFault for lists and objects. */
export function read_text(value: unknown, field: string): string {
  const text = text_of(value);
  if (text === null) throw new RecordFault(field, "text or a number", value);
  return text.trim();
}
