import { z } from "@hono/zod-openapi";
import type { Database, Queryable } from "../database/mod.ts";
import { dimension_of, type DomainBoard, sum_columns, type Totals, totals_of } from "../feed/mod.ts";
import { type Days, format_time } from "../kpi/mod.ts";
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

/** The totals of one cell; zeros when it does not exist. */
export async function read_cell(
  queryable: Queryable,
  board: DomainBoard,
  cell: { readonly grain: string; readonly bucket_us: number; readonly dimension: string; readonly key: string },
): Promise<Totals> {
  const [row] = await queryable.query(
    `select ${sum_columns(board)} from ${board.tables.cells} cells
     where grain = $1 and bucket = $2::timestamptz and dimension = $3 and key = $4`,
    [cell.grain, format_time(cell.bucket_us), cell.dimension, cell.key],
  );
  return totals_of(board, row ?? {});
}

/** The names of a board's dimensions, as a parameter. */
export function dimension_parameter(board: DomainBoard) {
  const names = board.dimensions.map(({ name }) => name);
  return z.string().refine((name) => dimension_of(board, name) !== null, `expected one of ${names.join(", ")}`)
    .openapi({ description: `One of ${names.join(", ")}` });
}
