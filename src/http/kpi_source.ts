import { z } from "@hono/zod-openapi";
import type { Database } from "../database/mod.ts";
import type { DomainBoard } from "../domains/mod.ts";
import { dimension_of } from "../feed/mod.ts";
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

/** The names of a board's dimensions, as a parameter. */
export function dimension_parameter(board: DomainBoard) {
  const names = board.dimensions.map(({ name }) => name);
  return z.string().refine((name) => dimension_of(board, name) !== null, `expected one of ${names.join(", ")}`)
    .openapi({ description: `One of ${names.join(", ")}` });
}
