import { digits, type Integer } from "../kpi/mod.ts";

const LIMIT_MICROS = 10n ** 18n;
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

/** Micros of an amount written as decimal text with at most 6 decimals, from 0 to 1e12; null when it is not one. */
export function parse_amount(text: string): Integer | null {
  const point = text.indexOf(".");
  const end = point < 0 ? text.length : point;
  const decimals = point < 0 ? 0 : text.length - point - 1;
  if (end < 1 || end > 13 || decimals > 6 || (point >= 0 && decimals === 0)) return null;
  const whole = digits(text, 0, end);
  const fraction = digits(text, text.length - decimals, text.length) * POWERS[6 - decimals]!;
  if (Number.isNaN(whole) || Number.isNaN(fraction)) return null;
  if (whole < 1e9) return whole * 1e6 + fraction;
  const micros = BigInt(whole) * 1_000_000n + BigInt(fraction);
  if (micros > LIMIT_MICROS) return null;
  return micros <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(micros) : micros;
}
