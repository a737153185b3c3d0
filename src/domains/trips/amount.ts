import type { Integer } from "../../kpi/mod.ts";

const TEXT = /^(\d{1,13})(?:\.(\d{1,6}))?$/;
const LIMIT_MICROS = 10n ** 18n;

/** Micros of an amount written as decimal text with at most 6 decimals, from 0 to 1e12; null when it is not one. */
export function parse_amount(text: string): Integer | null {
  const match = TEXT.exec(text);
  if (match === null) return null;
  const whole = match[1]!;
  const fraction = match[2] === undefined ? 0 : Number(match[2].padEnd(6, "0"));
  if (whole.length <= 9) return Number(whole) * 1e6 + fraction;
  const micros = BigInt(whole) * 1_000_000n + BigInt(fraction);
  if (micros > LIMIT_MICROS) return null;
  return micros <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(micros) : micros;
}

/** Writes micros as decimal text, without superfluous zeros past two decimals: `18.60`, `0.123456`. */
export function format_amount(micros: Integer): string {
  const text = String(micros);
  const negative = text.startsWith("-");
  const digits = (negative ? text.slice(1) : text).padStart(7, "0");
  const fraction = digits.slice(-6).replace(/0{1,4}$/, "");
  return `${negative ? "-" : ""}${digits.slice(0, -6)}.${fraction}`;
}
