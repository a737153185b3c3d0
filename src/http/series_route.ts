import { z } from "@hono/zod-openapi";
import {
  type BoardFigure,
  declared_figure,
  dimension_of,
  type DomainBoard,
  figure_number,
  figure_text,
  quantile_number,
  quantile_text,
  read_quantile_series,
  sum_columns,
  totals_of,
} from "../feed/mod.ts";
import type { Queryable } from "../database/mod.ts";
import { bucket_end, bucket_start, format_time, type Grain, GRAINS } from "../kpi/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { dimension_parameter, type KpiSource } from "./kpi_source.ts";
import { instant } from "./parameters.ts";
import { bad_request } from "./problem.ts";
import { answer_from_log } from "./reading.ts";

/** Most buckets of one answer: a year of hours. */
const MOST_POINTS = 8_784;
const LEAST_WIDTH_US: Readonly<Record<Grain, number>> = {
  "1m": 60e6,
  "5m": 300e6,
  "1h": 3_600e6,
  "1d": 82_800e6,
  all: 1,
};

const SERIES = z.object({
  measure: z.string(),
  unit: z.string(),
  grain: z.string(),
  dimension: z.string(),
  key: z.string(),
  from: z.string(),
  to: z.string(),
  points: z.array(z.object({ at: z.string(), value: z.union([z.string(), z.number(), z.null()]) })),
}).openapi("Series");

/** One figure over time: a point for each bucket that exists. Money is decimal text. */
export function add_series_route(app: App, source: KpiSource): void {
  const { board, days } = source;
  const figures = Object.keys(board.figures);
  add_endpoint(app, {
    path: "/api/v1/kpis/series",
    summary: "One figure over time; buckets without any event are left out",
    query: {
      measure: z.string().refine((name) => figures.includes(name), `expected one of ${figures.join(", ")}`),
      grain: z.enum(["1m", "5m", "1h", "1d"]),
      from: instant,
      to: instant,
      dimension: dimension_parameter(board).default(board.whole.dimension),
      key: z.string().min(1).default(board.whole.key),
    },
    params: {},
    answer: { type: "application/json", schema: SERIES },
    respond: ({ measure, grain, from, to, dimension, key }, request) => {
      const figure = declared_figure(board, measure);
      const found = dimension_of(board, dimension);
      const kept = (figure.kind === "quantile" ? found?.sketches : found?.grains) ?? [];
      if (kept.length === 0) {
        const detail = `expected one of ${
          board.dimensions.filter((d) => d.sketches).map(({ name }) => name).join(", ")
        }`;
        return bad_request(`${dimension} keeps no sketches`, [{ path: "dimension", detail }]);
      }
      if (!kept.includes(grain)) {
        const grains = GRAINS.filter((name) => kept.includes(name)).join(", ");
        return bad_request(`${dimension} is not kept by ${grain}`, [{
          path: "grain",
          detail: `expected one of ${grains}`,
        }]);
      }
      if (to <= from) return bad_request("the range is empty", [{ path: "to", detail: "expected a time after from" }]);
      const from_us = bucket_start(grain, from, days);
      const to_us = bucket_start(grain, to, days) === to ? to : bucket_end(grain, bucket_start(grain, to, days), days);
      if ((to_us - from_us) / LEAST_WIDTH_US[grain] > MOST_POINTS) {
        const detail = `expected at most ${MOST_POINTS} buckets; take a coarser grain or a shorter range`;
        return bad_request("the range is too long for its grain", [{ path: "grain", detail }]);
      }
      return answer_from_log(request, source, async (transaction) => {
        const points = await read_points(transaction, board, figure, { grain, dimension, key, from_us, to_us });
        const range = { from: format_time(from_us), to: format_time(to_us) };
        return JSON.stringify({ measure, unit: figure.unit, grain, dimension, key, ...range, points });
      });
    },
  });
}

interface Cells {
  readonly grain: Grain;
  readonly dimension: string;
  readonly key: string;
  readonly from_us: number;
  readonly to_us: number;
}

/** The figure of each bucket that exists. */
async function read_points(queryable: Queryable, board: DomainBoard, figure: BoardFigure, cells: Cells) {
  if (figure.kind === "quantile") {
    const quantiles = await read_quantile_series(queryable, board, figure, cells);
    return quantiles.map(({ at_us, value }) => ({
      at: format_time(at_us),
      value: figure.unit === "money" ? quantile_text(figure, value, 2) : quantile_number(figure, value),
    }));
  }
  const rows = await queryable.query<Record<string, string | null>>(
    `select (extract(epoch from bucket) * 1000000)::bigint as at_us, ${sum_columns(board)}
     from ${board.tables.cells} cells
     where grain = $1 and dimension = $2 and key = $3 and bucket >= $4::timestamptz and bucket < $5::timestamptz
     group by bucket order by bucket`,
    [cells.grain, cells.dimension, cells.key, format_time(cells.from_us), format_time(cells.to_us)],
  );
  return rows.map((row) => {
    const totals = totals_of(board, row);
    const value = figure.unit === "money" ? figure_text(figure, totals, 2) : figure_number(figure, totals);
    return { at: format_time(Number(row.at_us)), value };
  });
}
