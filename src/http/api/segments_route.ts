import { z } from "@hono/zod-openapi";
import type { DomainBoard } from "../../domains/mod.ts";
import { figure_of, figure_text, micros } from "../../feed/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import {
  LEAST_KEYS,
  read_segments,
  type Scores,
  segment_of,
  type SegmentGroup,
  SEGMENTS,
  SEGMENTS_HOW,
  type SegmentsPage,
} from "../../segments/mod.ts";
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
import { Gate } from "../reading.ts";
import { answer_csv, answer_then, type BoardSource, states_then } from "./then_answers.ts";

/** How many are read at a time, and how many wait for how long. */
const GATE = { most: 1, waiting: 20, wait_ms: 4_000 };
/** A million keys of two million streams took 9 s of processor time: it is a report, and one at a time. */
const MOST_MS = 15_000;
const SORTS = ["-value", "value", "-count", "count", "-last", "last"] as const;
const NAMES = SEGMENTS.map(({ name }) => name);

const score = z.number().int().min(1).max(5);
const amounts = { count: z.number(), value: z.string().openapi({ description: "Decimal text" }) };

const segments_schema = (board: DomainBoard) =>
  z.object({
    log_id: z.string(),
    position: z.number(),
    dimension: z.string(),
    ...currency_schema(board),
    from: z.string(),
    to: z.string(),
    count: z.string().openapi({ description: "The figure that says how often" }),
    value: z.string().openapi({ description: "The figure that says for how much" }),
    how: z.string(),
    keys: z.number(),
    least_keys: z.number().openapi({ description: "Of fewer keys there are no fifths: nothing more is told" }),
    borders: z.object({ last: z.array(z.string()), count: z.array(z.number()), value: z.array(z.string()) }).openapi({
      description: "Four each, ascending: a key's score is 1, and one more for each that it lies beyond",
    }),
    segments: z.array(
      z.object({ name: z.string(), label: z.string(), says: z.string(), keys: z.number(), ...amounts }),
    ),
    found_keys: z.number().openapi({ description: "Of the segment that is asked for" }),
    rows: z.array(
      z.object({
        key: z.string(),
        segment: z.enum(NAMES),
        last: z.string().openapi({ description: "When it was last counted" }),
        ...amounts,
        scores: z.object({ recency: score, frequency: score, value: score }),
      }),
    ),
    next_offset: z.number().nullable(),
  }).openapi("Segments");

/**
 * Adds `/api/v1/segments`: keys by how lately, how often and for how much they were there. A filter's condition on these keys does not count: fifths
 * are of all of them. None where the domain declares no such.
 */
export function add_segments_route(app: App, source: BoardSource): void {
  const { board } = source, { segments } = board;
  if (segments === undefined) return;
  const gate = new Gate(GATE), { of, count, value } = segments, names = of.join(", ");
  add_endpoint(app, {
    path: "/api/v1/segments",
    summary:
      `Keys in six segments by how lately, how often (${count}) and for how much (${value}) they were there in a range under a filter, each ` +
      "in fifths of all keys, as of now or as of any moment of the log; and the keys of a segment, sorted, in pages",
    query: {
      dimension: z.string().refine((name) => of.includes(name), `expected one of ${names}`).default(of[0]!)
        .openapi({ description: `One of ${names}` }),
      segment: z.enum(NAMES).optional().openapi({ description: "Rows of it alone; of all unless given" }),
      sort: z.enum(SORTS).default("-value").openapi({ description: "With a minus the greatest or the latest first" }),
      ...PAGE_PARAMETERS,
      ...then_parameters(board),
    },
    params: {},
    answer: { type: "application/json", schema: segments_schema(board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ dimension, segment = null, sort, limit: most, offset, format, ...values }, request) => {
      const fault = page_fault({ limit: most, format });
      if (fault !== null) return fault;
      const read = requested_then(values, request, board);
      if (read instanceof Response) return read;
      const { view, asked: as_of } = read, column = sort.replace("-", "");
      const page: SegmentsPage = {
        ...{ segment, falling: sort.startsWith("-"), limit: most, offset },
        by: column === "last" || column === "count" ? column : "amount",
      };
      const turn = { gate, are: "one list of segments is", name: "segments", most_ms: MOST_MS };
      return await answer_then(source, request, { view, as_of }, turn, async (reading, then) => {
        const found = await states_then(reading, source, view, then);
        if (found instanceof Response) return found;
        const { board: own, position, states, arrived, window } = found, { from_s, to_s } = arrived ?? window;
        const filter = view.filter.filter((each) => each.dimension !== dimension);
        const asked = { dimension, filter, window: micros({ from_s, to_s }) };
        const { groups, borders, keys, count: all } = await read_segments(reading, own, states, asked, page);
        const text = (amount: bigint) => amount_text(own, value, amount), time = (us: number) => format_time(us);
        const rows = keys.map(({ key, last_us, count, amount, recency, frequency, value }) => {
          const scores: Scores = { recency, frequency, value };
          return {
            key,
            segment: segment_of(scores),
            last: time(last_us),
            count: Number(count),
            value: text(amount),
            scores,
          };
        });
        if (format === "csv") {
          const cells = rows.map(({ scores, ...row }) => [...Object.values(row), ...Object.values(scores)]);
          return answer_csv(
            [dimension, "segment", "last", count, value, "recency_fifth", "frequency_fifth", "value_fifth"],
            cells,
          );
        }
        const summed = SEGMENTS.map((each) => ({ ...each, ...sums(groups.filter(in_segment(each.name)), text) }));
        const found_keys = sums(segment === null ? groups : groups.filter(in_segment(segment)), text).keys;
        const [from, to] = [from_s, to_s].map((s) => time(s * 1e6));
        return JSON.stringify({
          ...{ log_id: then.head.figures_id, position, dimension, ...said_currency(own), from, to },
          ...{ count, value, how: SEGMENTS_HOW, keys: all, least_keys: LEAST_KEYS },
          borders: {
            last: borders.last_us.map(time),
            count: borders.count.map(Number),
            value: borders.amount.map(text),
          },
          ...{ segments: summed, found_keys, rows },
          next_offset: next_offset(offset, rows, found_keys),
        });
      });
    },
  });
}

const in_segment = (name: string) => (group: SegmentGroup): boolean => segment_of(group) === name;

/** What groups have together. */
function sums(groups: readonly SegmentGroup[], text: (amount: bigint) => string) {
  const sum = (of: (group: SegmentGroup) => bigint) => groups.reduce((sum, group) => sum + of(group), 0n);
  const keys = groups.reduce((sum, group) => sum + group.keys, 0);
  return { keys, count: Number(sum(({ count }) => count)), value: text(sum(({ amount }) => amount)) };
}

/** An amount in the figure's unit. */
function amount_text(board: DomainBoard, name: string, amount: bigint): string {
  const figure = figure_of(board, name);
  return figure_text(figure, { [figure.measure]: amount }, figure.unit === "money" ? 2 : 0) ?? "0";
}
