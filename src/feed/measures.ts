import { is_extreme } from "../kpi/mod.ts";
import type { BoardFigure, DomainBoard, SummedFigure } from "./domain_board.ts";
import type { Totals } from "./figure.ts";

/** Between a board's measures and the rows that SQL gives for them. */

/** The select list that makes one row of many cells (named `cells`): every measure added up, or its extreme, under its own name. */
export function sum_columns(board: DomainBoard): string {
  return board.measures.map(({ name, kind }) => {
    const merge = is_extreme(kind) ? kind : "sum";
    return `${merge}(cells.${name}) as ${name}`;
  }).join(", ");
}

/** Totals of such a row. Sums over no cells are 0, extremes over none are null. */
export function totals_of(board: DomainBoard, row: Readonly<Record<string, unknown>>): Totals {
  return Object.fromEntries(board.measures.map(({ name, kind }) => {
    const value = row[name] ?? null;
    const nothing = is_extreme(kind) ? null : 0n;
    return [name, value === null ? nothing : BigInt(String(value))];
  }));
}

/** The declared figure of that name, which is a sum or mean of measures. Throws when the board declares no such: a fault of the declaration. */
export function figure_of(board: DomainBoard, name: string): SummedFigure {
  const figure = declared_figure(board, name);
  if (figure.kind === "quantile") {
    throw new Error(`find figure ${JSON.stringify(name)}: expected a sum, it is a quantile`);
  }
  return figure;
}

/** The declared figure of that name, of any kind. Throws when the board declares none. */
export function declared_figure(board: DomainBoard, name: string): BoardFigure {
  const figure = Object.hasOwn(board.figures, name) ? board.figures[name] : undefined;
  if (figure === undefined) {
    throw new Error(
      `find figure ${JSON.stringify(name)}: ${board.tables.cells} declares ${Object.keys(board.figures).join(", ")}`,
    );
  }
  return figure;
}

/** An integer that SQL gave as text (bigint columns). */
export function integer(value: unknown): number {
  const number = Number(value);
  if (value === null || value === undefined || !Number.isSafeInteger(number)) {
    throw new Error(`read an integer: expected one below 2^53, got ${JSON.stringify(value)}`);
  }
  return number;
}
