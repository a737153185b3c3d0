import { z } from "@hono/zod-openapi";
import { figure_of, figure_text, read_key_totals, tiles_of } from "../feed/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import { dimension_parameter, type KpiSource } from "./kpi_source.ts";
import { instant, limit } from "./parameters.ts";
import { bad_request } from "./problem.ts";
import { answer_from_log } from "./reading.ts";

/** Longest range of a breakdown that is not all of time. */
const MOST_DAYS = 3_700;

const BREAKDOWN = z.object({
  dimension: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  total_keys: z.number(),
  rows: z.array(z.object({ key: z.string().nullable() }).catchall(z.union([z.string(), z.number()]))),
}).openapi("Breakdown");

/** The keys of a dimension, greatest first, and all others in a last row whose key is null. */
export function add_breakdown_route(app: App, source: KpiSource): void {
  const { board, days } = source;
  add_endpoint(app, {
    path: "/api/v1/kpis/breakdown",
    summary: "The keys of a dimension over a range, widened to whole buckets; over all of time without from and to",
    query: {
      dimension: dimension_parameter(board),
      from: instant.optional(),
      to: instant.optional(),
      limit: limit(1_000, 8),
    },
    params: {},
    answer: { type: "application/json", schema: BREAKDOWN },
    respond: ({ dimension, from, to, limit: most }, request) => {
      if ((from === undefined) !== (to === undefined)) {
        const path = from === undefined ? "from" : "to";
        return bad_request("half a range", [{ path, detail: "expected both from and to, or neither" }]);
      }
      const stretch = from === undefined || to === undefined ? null : { from_us: from, to_us: to, finest_s: 0 };
      if (stretch !== null && stretch.to_us <= stretch.from_us) {
        return bad_request("the range is empty", [{ path: "to", detail: "expected a time after from" }]);
      }
      if (stretch !== null && stretch.to_us - stretch.from_us > MOST_DAYS * 86_400e6) {
        return bad_request("the range is too long", [{ path: "to", detail: `expected at most ${MOST_DAYS} days` }]);
      }
      const tiles = tiles_of(board, dimension, stretch, days);
      const first = tiles[0], last = tiles.at(-1);
      if (first === undefined || last === undefined) {
        const detail = `${dimension} is kept for all of time only; leave from and to out`;
        return bad_request("no ranges of this dimension", [{ path: "dimension", detail }]);
      }
      const amount = figure_of(board, board.breakdown_row.amount);
      return answer_from_log(request, source, async (transaction) => {
        const count = board.breakdowns.find((breakdown) => breakdown.dimension === dimension)?.count ??
          board.default_count;
        const rows = await read_key_totals(transaction, board, [{ breakdown: { dimension, count }, tiles }], most);
        return JSON.stringify({
          dimension,
          from: stretch === null ? null : format_time(first.from_us),
          to: stretch === null ? null : format_time(last.to_us),
          total_keys: rows.reduce((sum, row) => sum + row.keys, 0),
          rows: rows.map((row) => ({
            key: row.key,
            [board.breakdown_row.count]: Number(row.count),
            [board.breakdown_row.amount]: figure_text(amount, { [amount.measure]: row.amount }, 2),
          })),
        });
      });
    },
  });
}
