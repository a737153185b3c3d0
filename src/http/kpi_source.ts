import { z } from "@hono/zod-openapi";
import type { Database } from "../database/mod.ts";
import type { DomainBoard, NamedFigure } from "../domains/mod.ts";
import { dimension_of, figure_of } from "../feed/mod.ts";
import type { Days } from "../kpi/mod.ts";
import type { Clock } from "../runtime/mod.ts";

/** What the KPI endpoints read from. */
export interface KpiSource {
  readonly database: Database;
  readonly board: DomainBoard;
  readonly days: Days;
  readonly time_zone: string;
  readonly build: string;
  readonly clock: Clock;
}

/** Figures under the names of an answer, with what its schema says of each: null is what adds up to nothing. */
export function named_figures(board: DomainBoard, named: readonly NamedFigure[]) {
  const extremes = board.measures.flatMap(({ name, kind }) => kind === "min" || kind === "max" ? name : []);
  return named.map(({ name, figure: of, decimals, says }) => {
    const figure = figure_of(board, of);
    const schema = figure.kind === "mean" || extremes.includes(figure.measure) ? z.number().nullable() : z.number();
    return { name, figure, decimals, schema: says === undefined ? schema : schema.openapi({ description: says }) };
  });
}

/** The schemas of figures, by name. */
export const figure_schemas = (figures: ReturnType<typeof named_figures>): Record<string, z.ZodType> =>
  Object.fromEntries(figures.map(({ name, schema }) => [name, schema]));

/** The names of a board's dimensions, as a parameter. */
export function dimension_parameter(board: DomainBoard) {
  const names = board.dimensions.map(({ name }) => name);
  return z.string().refine((name) => dimension_of(board, name) !== null, `expected one of ${names.join(", ")}`)
    .openapi({ description: `One of ${names.join(", ")}` });
}
