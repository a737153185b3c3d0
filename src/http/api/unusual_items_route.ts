import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../../domains/mod.ts";
import { figure_of, micros } from "../../feed/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import {
  item_reason,
  ITEM_RULE,
  item_value,
  read_unusual_items,
  type UnusualStream,
  type UnusualStreams,
  usual_from_us,
} from "../../unusual/mod.ts";
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
import { answer_csv, answer_then, type BoardSource, states_then } from "./then_answers.ts";

/** How many are read at a time, and how many wait for how long. */
const GATE = { most: 1, waiting: 20, wait_ms: 4_000 };
/** How many may be before a page: the statement for each figure gives all rows up to its end. */
const MOST_BEFORE = 100_000;

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
    next_offset: z.number().nullable(),
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
    }) lies far from what was usual of their kind in the ${ITEM_RULE.days} days before, the most unusual first, each with the reason in words, in pages; ` +
      "as of now or as of any moment of the log",
    query: {
      ...PAGE_PARAMETERS,
      offset: PAGE_PARAMETERS.offset.refine((offset) =>
        offset <= MOST_BEFORE, `expected at most ${MOST_BEFORE}`),
      ...then_parameters(board),
    },
    params: {},
    answer: { type: "application/json", schema: items_schema(board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ limit, offset, format, ...values }, request) => {
      const fault = page_fault({ limit, format });
      if (fault !== null) return fault;
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
        const asked = { filter: view.filter, window: stretch, limit, offset };
        const all = await read_unusual_items(reading, own, states, asked);
        const { values, without_usual, found: found_items } = all, currency = own.currency ?? source.currency;
        const items = all.streams.map((item) => told_item(own, currency, item));
        if (format === "csv") {
          const named = await with_person_ids(reading, board, JSON.stringify(items));
          return unusual_csv(own, JSON.parse(named));
        }
        const answer = JSON.stringify({
          ...{ log_id: then.head.figures_id, position, ...said_currency(own) },
          ...{ from: format_time(stretch.from_us), to: format_time(stretch.to_us) },
          usual_from: format_time(usual_from_us(stretch)),
          ...{ least_streams: ITEM_RULE.least, least_score: ITEM_RULE.score, values, without_usual, found_items },
          ...{ reason: reason_of(all, many), items },
          next_offset: next_offset(offset, items, found_items),
        });
        return await with_person_ids(reading, board, answer);
      });
    },
  });
}

type Item = ReturnType<typeof told_item>;

/** A stream that is unusual, as it is told. */
function told_item(board: DomainBoard, currency: string, item: UnusualStream) {
  const { figure, id, at_us, value, kind, usual: { low, median, high, streams }, score } = item;
  const { of } = board.unusual_items!.find((each) => each.figure === figure)!;
  const text = (each: bigint) => item_value(board, figure, each);
  return {
    ...{ id, at: format_time(at_us), figure, unit: figure_of(board, figure).unit, value: text(value) },
    kind: kind.map((key, i) => ({ dimension: of[i]!, key })),
    usual: { low: text(low), median: text(median), high: text(high), streams },
    ...{ times: Number(value) / Number(median), score, says: item_reason(board, currency, item) },
  };
}

/** A column for each dimension that any kind has; blank where a figure's kind has none. */
function unusual_csv({ stream_column, unusual_items }: DomainBoard, items: readonly Item[]): Response {
  const dimensions = [...new Set(unusual_items!.flatMap(({ of }) => of))];
  const rows = items.map(({ id, at, figure, unit, value, kind, usual, times, score, says }) => [
    ...[id, at, figure, unit, value],
    ...dimensions.map((name) => kind.find(({ dimension }) => dimension === name)?.key ?? null),
    ...[usual.low, usual.median, usual.high, usual.streams, times, score, says],
  ]);
  const usual = ["usual_low", "usual_median", "usual_high", "usual_streams"];
  const head = [stream_column, "at", "figure", "unit", "value", ...dimensions, ...usual, "times", "score", "says"];
  return answer_csv(head, rows);
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
