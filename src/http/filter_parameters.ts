import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../domains/mod.ts";
import { EXCLUDED, type Filter, FILTER_LIMITS, read_filter } from "../feed/mod.ts";
import { UNKNOWN } from "../kpi/mod.ts";
import { bad_request } from "./problem.ts";

/** Filters as parameters of a query. */

/** The parameters of a filter: for each dimension the keys to keep, or with `not_` before its name those to leave out. Each may be repeated. */
export function filter_parameters(board: DomainBoard): Record<string, z.ZodOptional<z.ZodArray<z.ZodString>>> {
  const keys = (what: string) =>
    z.array(z.string()).optional().describe(`${what}; at most ${FILTER_LIMITS.keys}; ${UNKNOWN}: nobody named it`);
  return Object.fromEntries(
    filterable(board).flatMap((name) =>
      [
        [name, keys(`One of these: ${name}`)],
        [`${EXCLUDED}${name}`, keys(`None of these: ${name}`)],
      ] as const
    ),
  );
}

/** The dimensions that can be filtered by. */
export const filterable = (board: DomainBoard): string[] =>
  board.dimensions.map(({ name }) => name).filter((name) => name !== board.whole.dimension);

/** The filter of a request, or the problem that says what is wrong with it. */
export function requested_filter(request: Request, board: DomainBoard): Filter | Response {
  const read = read_filter(new URL(request.url).searchParams, filterable(board));
  return read.ok
    ? read.filter
    : bad_request(`read the filter: ${read.faults.length} parameter(s) are wrong`, read.faults);
}
