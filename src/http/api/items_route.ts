import { z } from "@hono/zod-openapi";
import type { Queryable } from "../../database/mod.ts";
import { type DomainBoard, in_currency } from "../../domains/mod.ts";
import {
  figure_text,
  item_figure,
  type ItemFigure,
  type Items,
  type ItemsPage,
  read_items,
  sum_text,
  type View,
} from "../../feed/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import { bad_request } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import {
  currency_schema,
  next_offset,
  page_fault,
  PAGE_PARAMETERS,
  requested_then,
  said_currency,
  then_parameters,
} from "../parameters.ts";
import { Gate, with_person_ids } from "../reading.ts";
import { answer_csv, answer_then, type BoardSource, states_then, type Then } from "./then_answers.ts";

/** How many lists of items are read at a time, and how many wait for how long. */
const GATE = { most: 1, waiting: 20, wait_ms: 4_000 };
const SORTS = ["-value", "value", "-time", "time"] as const;

const items_schema = (board: DomainBoard) =>
  z.object({
    log_id: z.string(),
    position: z.number(),
    figure: z.string(),
    unit: z.string(),
    ...currency_schema(board),
    from: z.string(),
    to: z.string(),
    value: z.string().nullable().openapi({ description: "The figure; null: a mean of nothing" }),
    sum: z.string().openapi({ description: "What all items add up to: the figure, and of a mean what is divided" }),
    over: z.number().nullable().openapi({
      description: "What a mean is divided by, which the items' `over` add up to",
    }),
    total_items: z.number(),
    items: z.array(
      z.object({
        id: z.string(),
        at: z.string().openapi({ description: "When the last of what it adds happened" }),
        value: z.string().openapi({ description: "What it adds" }),
        over: z.number().nullable(),
        line: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
      }),
    ),
    next_offset: z.number().nullable(),
  }).openapi("Items");

/** Adds `/api/v1/kpis/items`: the streams that a figure is made of, with what each adds; all together are the figure. */
export function add_items_route(app: App, source: BoardSource): void {
  const { board } = source, { noun } = board, gate = new Gate(GATE);
  const names = [...Object.keys(board.figures), ...board.cards.flatMap((card) => "now" in card ? card.name : [])];
  add_endpoint(app, {
    path: "/api/v1/kpis/items",
    summary:
      `What a figure is made of: each ${noun} that adds to it over a range under a filter, as of now or as of any moment of the log, ` +
      "with what it adds, in an order, in pages. All of them together are the figure",
    query: {
      figure: z.string().refine((name) => names.includes(name), `expected one of ${names.join(", ")}`)
        .openapi({ description: `One of ${names.join(", ")}` }),
      sort: z.enum(SORTS).default("-value").openapi({ description: "With a minus the greatest or the latest first" }),
      ...PAGE_PARAMETERS,
      ...then_parameters(board),
    },
    params: {},
    answer: { type: "application/json", schema: items_schema(board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ figure: name, sort, limit: most, offset, format, ...values }, request) => {
      const fault = page_fault({ limit: most, format });
      if (fault !== null) return fault;
      const figure = item_figure(board, name);
      if (figure === null || typeof figure === "string") {
        const detail = `expected a figure that adds up: ${name} has no items: ${figure ?? "there is no such"}`;
        return bad_request("the figure is made of no items", [{ path: "figure", detail }]);
      }
      const read = requested_then(values, request, board);
      if (read instanceof Response) return read;
      const { view, asked: as_of } = read;
      const page: ItemsPage = {
        by: sort.endsWith("value") ? "value" : "time",
        falling: sort.startsWith("-"),
        limit: most,
        offset,
      };
      const turn = { gate, are: "one list of items is", name: "items" };
      return await answer_then(source, request, { view, as_of }, turn, async (reading, then) => {
        const found = await items_then(reading, source, { view, figure }, then, page);
        if (found instanceof Response) return found;
        const { items, said } = found, own = in_currency(board, view.currency);
        const told = items.page.map((item) => ({ ...item, ...values_of(own, figure, item.totals) }));
        if (format === "csv") return items_csv(own, told);
        const { count, page: rows } = items;
        const answer = JSON.stringify({
          ...{ ...said, figure: name, ...figure_json(own, figure, items) },
          total_items: count,
          items: told.map(({ id, at_us, value, over, line }) => ({ id, at: format_time(at_us), value, over, line })),
          next_offset: next_offset(offset, rows, count),
        });
        return await with_person_ids(reading, board, answer);
      });
    },
  });
}

/** The items of a figure under a view, as of now or then; the problem of a range that is too long. */
async function items_then(
  reading: Queryable,
  source: BoardSource,
  { view, figure }: { readonly view: View; readonly figure: ItemFigure },
  then: Then,
  page: ItemsPage,
) {
  const found = await states_then(reading, source, view, then);
  if (found instanceof Response) return found;
  const { board, position, states, arrived, window } = found;
  const { from_s, to_s } = arrived === null || figure.kind === "now" ? window : arrived;
  const asked = { figure, filter: view.filter, stretch: { from_s, to_s } };
  const items = await read_items(reading, board, states, asked, page);
  const [from, to] = [from_s, to_s].map((s) => format_time(s * 1e6));
  return { items, said: { log_id: then.head.figures_id, position, ...said_currency(board), from, to } };
}

/** What is added, in the figure's unit, and of a mean to what it is over. */
function values_of(board: DomainBoard, figure: ItemFigure, totals: Items["totals"]) {
  if (figure.kind === "now") return { value: `${totals[board.now.measure]}`, over: null };
  const value = sum_text(figure, totals);
  if (figure.kind === "total") return { value, over: null };
  const over = [figure.count].flat().reduce((sum, name) => sum + Number(totals[name] ?? 0n), 0);
  return { value, over };
}

function figure_json(board: DomainBoard, figure: ItemFigure, { totals }: Items) {
  const { value: sum, over } = values_of(board, figure, totals);
  if (figure.kind === "now") return { unit: "count", value: sum, sum, over };
  const value = figure_text(figure, totals, figure.unit === "money" ? 2 : 0);
  return { unit: figure.unit, value: figure.kind === "total" ? sum : value, sum, over };
}

type ToldItem = Items["page"][number] & { readonly value: string; readonly over: number | null };

function items_csv({ stream_column, lines: { fields } }: DomainBoard, items: readonly ToldItem[]): Response {
  const names = fields.map(({ name }) => name).filter((name) => name !== stream_column);
  const text = (value: string | number | null, kind: string | undefined) =>
    kind === "time" && typeof value === "number" ? format_time(value * 1_000) : value;
  const kinds = new Map(fields.map(({ name, kind }) => [name, kind]));
  const rows = items.map(({ id, at_us, value, over, line }) => [
    ...[id, format_time(at_us), value, over],
    ...names.map((name) => text(line[name] ?? null, kinds.get(name))),
  ]);
  return answer_csv([stream_column, "at", "value", "over", ...names], rows);
}
