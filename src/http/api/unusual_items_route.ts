import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../../domains/mod.ts";
import { figure_of, micros } from "../../feed/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import {
  item_reason,
  ITEM_RULE,
  item_value,
  read_unusual_items,
  type UnusualStreams,
  usual_from_us,
} from "../../unusual/mod.ts";
import { bad_request } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { currency_schema, limit, requested_then, said_currency, then_parameters } from "../parameters.ts";
import { Gate, with_person_ids } from "../reading.ts";
import { answer_then, type BoardSource, states_then } from "./then_answers.ts";

/** How many are read at a time, and how many wait for how long. */
const GATE = { most: 1, waiting: 20, wait_ms: 4_000 };
const MOST_ITEMS = 100;

const value = (description: string) => z.string().openapi({ description });

const items_schema = (board: DomainBoard) =>
  z.object({
    log_id: z.string(),
    position: z.number(),
    ...currency_schema(board),
    from: z.string(),
    to: z.string(),
    usual_from: z.string().openapi({ description: "What is usual is of what was from then up to `from`" }),
    least_streams: z.number().openapi({ description: "Kinds of fewer before the range have no usual" }),
    least_score: z.number(),
    values: z.number().openapi({ description: "How many values of the range were looked at" }),
    without_usual: z.number().openapi({ description: "Those of them whose kind has too few before it" }),
    found_items: z.number(),
    reason: z.string().nullable().openapi({
      description: "Why nothing, or not all, is held against its kind; null: all is",
    }),
    items: z.array(
      z.object({
        id: z.string(),
        at: z.string(),
        figure: z.string().openapi({ description: "The figure that it adds the value to" }),
        unit: z.string(),
        value: value("Decimal text, as all values are"),
        kind: z.array(z.object({ dimension: z.string(), key: z.string() })),
        usual: z.object({
          low: value("5 of 100 of its kind had less"),
          median: z.string(),
          high: value("5 of 100 of its kind had more"),
          streams: z.number(),
        }),
        times: z.number().openapi({ description: "The value over the median" }),
        score: z.number().openapi({ description: "So many times as far from the median as what is usual, in factors" }),
        says: z.string(),
      }),
    ),
  }).openapi("UnusualItems");

/** Adds `/api/v1/unusual/items`: streams that lie far from their own kind. None where the domain declares nothing to hold them by. */
export function add_unusual_items_route(app: App, source: BoardSource): void {
  const { board } = source, { unusual_items } = board;
  if (unusual_items === undefined) return;
  const gate = new Gate(GATE), { many } = board.words;
  add_endpoint(app, {
    path: "/api/v1/unusual/items",
    summary: `The ${many} of a range under a filter of which a value (${
      unusual_items.map(({ says }) => says).join(", ")
    }) lies far from what was usual of their kind in the ${ITEM_RULE.days} days before, the most unusual first, each with the reason in words; ` +
      "as of now or as of any moment of the log",
    query: { limit: limit(MOST_ITEMS, 50), ...then_parameters(board) },
    params: {},
    answer: { type: "application/json", schema: items_schema(board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ limit: most, ...values }, request) => {
      const read = requested_then(values, request, board);
      if (read instanceof Response) {
        return read;
      }
      const { view, asked: as_of } = read;
      if (view.order === "arrival") {
        const detail = "expected order=event_time: what was usual before a range is by event time";
        return bad_request("the order is wrong", [{ path: "order", detail }]);
      }
      const turn = { gate, are: "one list of unusual items is", name: "unusual-items" };
      return await answer_then(source, request, { view, as_of }, turn, async (reading, then) => {
        const found = await states_then(reading, source, view, then);
        if (found instanceof Response) {
          return found;
        }
        const { board: own, position, states, window } = found, stretch = micros(window);
        const asked = { filter: view.filter, window: stretch, limit: most };
        const all = await read_unusual_items(reading, own, states, asked);
        const { values, without_usual, streams } = all, currency = own.currency ?? source.currency;
        const answer = JSON.stringify({
          ...{ log_id: then.head.figures_id, position, ...said_currency(own) },
          ...{ from: format_time(stretch.from_us), to: format_time(stretch.to_us) },
          usual_from: format_time(usual_from_us(stretch)),
          ...{ least_streams: ITEM_RULE.least, least_score: ITEM_RULE.score, values, without_usual },
          ...{ found_items: all.found, reason: reason_of(all, many) },
          items: streams.map((item) => {
            const { figure, id, at_us, value, kind, usual: { low, median, high, streams }, score } = item;
            const { of } = unusual_items.find((each) =>
              each.figure === figure
            )!;
            const text = (each: bigint) => item_value(own, figure, each);
            return {
              ...{ id, at: format_time(at_us), figure, unit: figure_of(own, figure).unit, value: text(value) },
              kind: kind.map((key, i) => ({ dimension: of[i], key })),
              usual: { low: text(low), median: text(median), high: text(high), streams },
              ...{ times: Number(value) / Number(median), score, says: item_reason(own, currency, item) },
            };
          }),
        });
        return await with_person_ids(reading, board, answer);
      });
    },
  });
}

/** Why nothing, or not all, of a range is held against its kind. */
function reason_of({ values, without_usual }: UnusualStreams, many: string): string | null {
  if (values === 0) return `Nothing is looked at: the range has no ${many} of which a value is known.`;
  if (without_usual === 0) return null;
  const { least, days } = ITEM_RULE, why = `their kinds had fewer than ${least} in the ${days} days before it`;
  return without_usual === values
    ? `Nothing is called unusual: of none of these ${many} it is known what is usual, ${why}.`
    : `Of ${without_usual.toLocaleString("en-US")} of ${
      values.toLocaleString("en-US")
    } values it is not known what is usual: ${why}.`;
}
