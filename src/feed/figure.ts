import type { QuantileFigure, SummedFigure } from "./domain_board.ts";

/** Figures out of summed measures. Exact: integers all the way, one rounding at the end. Pure. */

/** The measures of a set of cells, by column; a min or max is null where nothing was counted. */
export type Totals = Readonly<Record<string, bigint | null>>;

const DECIMALS = 6;

/** `numerator / denominator`, rounded half up to an integer. The denominator is positive. */
export function divide_half_up(numerator: bigint, denominator: bigint): bigint {
  const doubled = numerator * 2n + denominator;
  const quotient = doubled / (denominator * 2n);
  return doubled < 0n && doubled % (denominator * 2n) !== 0n ? quotient - 1n : quotient;
}

/** A figure in units of 10^-`decimals`, rounded half up; null when it is a mean over nothing, or the extreme of nothing. */
function scaled(figure: SummedFigure, totals: Totals, decimals: number): bigint | null {
  const value = totals[figure.measure] ?? null;
  const count = figure.kind === "mean" ? totals[figure.count] ?? 0n : 1n;
  if (value === null || count === 0n) return null;
  return divide_half_up(value * 10n ** BigInt(decimals), count * BigInt(figure.per));
}

/** A figure as a number in its unit, rounded half up from the exact quotient. */
export function figure_number(figure: SummedFigure, totals: Totals, decimals = DECIMALS): number | null {
  const value = scaled(figure, totals, decimals);
  return value === null ? null : Number(value) / 10 ** decimals;
}

/** A figure as decimal text with at least `least` and at most 6 decimals. */
export function figure_text(figure: SummedFigure, totals: Totals, least: number): string | null {
  const value = scaled(figure, totals, DECIMALS);
  return value === null ? null : decimal_text(value, DECIMALS, least);
}

/**
 * A quantile as a number in its unit, rounded half up.
 * @param value what stands for the bin that holds it (`value_of`), in the sketch's unit; null over nothing
 */
export function quantile_number(figure: QuantileFigure, value: number | null): number | null {
  return value === null ? null : scaled_quantile(figure, value) / 10 ** DECIMALS;
}

/** A quantile as decimal text with at least `least` and at most 6 decimals. */
export function quantile_text(figure: QuantileFigure, value: number | null, least: number): string | null {
  return value === null ? null : decimal_text(BigInt(scaled_quantile(figure, value)), DECIMALS, least);
}

/**
 * A quantile stands for its bin and may be 2 % off, but is never below the least of its values or above the greatest.
 * @param per how many of the measures' unit make one of the value's
 */
export function quantile_within(
  { within }: QuantileFigure,
  totals: Totals,
  value: number | null,
  per: number,
): number | null {
  const [min, max] = [within?.min, within?.max].map((name) => name === undefined ? null : totals[name] ?? null);
  if (value === null || min == null || max == null) return value;
  return Math.min(Math.max(value, Number(min) / per), Number(max) / per);
}

const scaled_quantile = ({ per }: QuantileFigure, value: number): number => Math.round(value / per * 10 ** DECIMALS);

/** Writes an integer of 10^-`scale` units as decimal text, with no superfluous zeros past `least` decimals. */
export function decimal_text(value: bigint, scale: number, least: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const fraction = digits.slice(-scale).replace(/0+$/, "").padEnd(least, "0");
  const whole = `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}`;
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
