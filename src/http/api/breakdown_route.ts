import { z } from "@hono/zod-openapi";
import type { Queryable } from "../../database/mod.ts";
import type { BoardBreakdown, DomainBoard } from "../../domains/mod.ts";
import {
  type ArrivalSpan,
  arrived_states,
  figure_of,
  figure_text,
  type Figures,
  figures_of_states,
  find_arrived,
  ORDERS,
  present_states,
  read_key_totals,
  STEP_S,
  tiles_of,
} from "../../feed/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import { bad_request } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import {
  currency_parameter,
  currency_schema,
  instant,
  limit,
  ORDER_PARAMETERS,
  requested_board,
  requested_span,
  said_currency,
} from "../parameters.ts";
import { answer_from_log } from "../reading.ts";
import { dimension_parameter, type KpiSource } from "./kpi_routes.ts";

/** Longest range of a breakdown that is not all of time. */
const MOST_DAYS = 3_700;

const breakdown_schema = (board: DomainBoard) =>
  z.object({
    dimension: z.string(),
    ...currency_schema(board),
    order: z.enum(ORDERS),
    events: z.number().optional().openapi({ description: "By arrival: of how many events it is" }),
    from: z.string().nullable(),
    to: z.string().nullable(),
    total_keys: z.number(),
    rows: z.array(z.object({ key: z.string().nullable() }).catchall(z.union([z.string(), z.number()]))),
  }).openapi("Breakdown");

/** Adds `/api/v1/kpis/breakdown`: the keys of a dimension, greatest first, and all others in a last row whose key is null. */
export function add_breakdown_route(app: App, source: KpiSource): void {
  const { board, days } = source;
  add_endpoint(app, {
    path: "/api/v1/kpis/breakdown",
    summary: "The keys of a dimension over a range, widened to whole buckets; over all of time without from and to",
    query: {
      dimension: dimension_parameter(board),
      from: instant.optional(),
      to: instant.optional(),
      ...ORDER_PARAMETERS,
      limit: limit(1_000, 8),
      ...currency_parameter(board),
    },
    params: {},
    answer: { type: "application/json", schema: breakdown_schema(board) },
    respond: ({ dimension, limit: most, ...values }, request) => {
      const span = requested_span(values);
      if (span instanceof Response) return span;
      const count = board.breakdowns.find((breakdown) => breakdown.dimension === dimension)?.count ??
        board.default_count;
      const breakdown = { dimension, count }, { arrival } = span;
      const own = { ...source, board: requested_board(request, board) };
      if (arrival !== null) {
        const asked = { breakdown, most, arrival };
        return answer_from_log(
          request,
          source,
          (reading, head) => arrived_breakdown(reading, own, asked, head.position),
        );
      }
      const stretch = span.ends && { ...span.ends, finest_s: 0 };
      if (stretch !== null && stretch.to_us - stretch.from_us > MOST_DAYS * 86_400e6) {
        return bad_request("the range is too long", [{ path: "to", detail: `expected at most ${MOST_DAYS} days` }]);
      }
      return answer_from_log(request, source, async (transaction, { kept }) => {
        const tiles = tiles_of(board, dimension, stretch && { ...stretch, kept }, days);
        const first = tiles[0], last = tiles.at(-1);
        if (first === undefined || last === undefined) {
          const detail = `${dimension} is kept for all of time only; leave from and to out`;
          return bad_request("no ranges of this dimension", [{ path: "dimension", detail }]);
        }
        const rows = await read_key_totals(transaction, own.board, [{ breakdown, tiles }], most);
        const [from, to] = stretch === null ? [null, null] : [format_time(first.from_us), format_time(last.to_us)];
        const said = { dimension, ...said_currency(own.board), order: values.order, from, to };
        return JSON.stringify({ ...said, ...keys_json(board, rows) });
      });
    },
  });
}

/** The rows of a breakdown as they are answered. */
function keys_json(board: DomainBoard, rows: Figures["keys"]) {
  const amount = figure_of(board, board.breakdown_row.amount);
  return {
    total_keys: rows.reduce((sum, row) => sum + row.keys, 0),
    rows: rows.map((row) => ({
      key: row.key,
      [board.breakdown_row.count]: Number(row.count),
      [board.breakdown_row.amount]: figure_text(amount, { [amount.measure]: row.amount }, 2),
    })),
  };
}

/** A breakdown by arrival: of the states whose newest event did. */
async function arrived_breakdown(
  reading: Queryable,
  { board, days }: KpiSource,
  { breakdown, most, arrival }: {
    readonly breakdown: BoardBreakdown;
    readonly most: number;
    readonly arrival: ArrivalSpan;
  },
  position: number,
): Promise<string> {
  const arrived = await find_arrived(reading, arrival, position);
  const { from_s, to_s, events } = arrived;
  const window = { from_s, to_s, step_s: STEP_S["1m"], grain: "1m" } as const;
  const question = { board, days, filter: [], window, wants: { breakdowns: [breakdown], keys: most } };
  const states = arrived_states(board, present_states(board), arrived);
  const { keys } = await figures_of_states(reading, question, states);
  const [from, to] = [from_s, to_s].map((s) => format_time(s * 1e6));
  return JSON.stringify({
    dimension: breakdown.dimension,
    ...said_currency(board),
    ...{ order: "arrival", events, from, to },
    ...keys_json(board, keys),
  });
}
