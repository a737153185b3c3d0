import { z } from "@hono/zod-openapi";
import { type DomainBoard, in_currency } from "../../domains/mod.ts";
import { type Moment, read_head } from "../../event_log/mod.ts";
import {
  absolute_fault,
  arrived_states,
  board_data,
  comparisons_of,
  figure_text,
  find_arrived,
  ORDERS,
  read_greatest,
  read_past_board,
  read_whole_board,
  read_window,
  type ShownBoard,
  states_fault,
  type View,
  window_at,
} from "../../feed/mod.ts";
import { bucket_end, format_time } from "../../kpi/mod.ts";
import { bad_request, problem } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { answer_from_log, answer_tagged, answer_untagged, Gate, read_only, STATEMENT_TIMEOUT_MS } from "../reading.ts";
import {
  type AsOf,
  currency_parameter,
  currency_schema,
  filter_parameters,
  instant,
  no_range,
  ORDER_PARAMETERS,
  position,
  requested_board,
  requested_filter,
  requested_span,
  requested_then,
  said_currency,
  then_parameters,
} from "../parameters.ts";
import { answer_csv, type BoardSource, busy, moment_of, not_so_far, recorded_ms_of, timed } from "./then_answers.ts";

/** Boards are dear: two at a time leave the database to those who follow. */
const GATE = { most: 2, waiting: 20, wait_ms: 2_000 };
/** A batch is recorded in its order of commit, but timed before it: what lies this far back is settled. */
const SETTLED_MS = 120_000;

const card_values = z.record(z.string(), z.number().nullable());
const columns = z.object({ t: z.array(z.number()) }).catchall(
  z.union([
    z.array(z.number().nullable()).openapi({ description: "Null: nothing of the bucket has one" }),
    z.string(),
    z.number(),
  ]),
);
const stretch = (many: string) =>
  z.object({
    from_s: z.number(),
    to_s: z.number().openapi({ description: "Not past the newest event, moved back as the window is" }),
    since_s: z.number().nullable().openapi({
      description: "Null: the stretch lies wholly in the log. Else from when on; to_s: not at all",
    }),
    least_base: z.number().openapi({ description: `A change from fewer ${many} than this is no percent` }),
    cards: card_values,
  });

const currencies_schema = (counted: string) =>
  z.array(z.object({ currency: z.string(), count: z.number().nullable() })).openapi({
    description: `All currencies in the log, each with its ${counted}, of all of time; null: not told of the past`,
  });

/** The board as the API answers it: what the feed's hello says, without health. */
const board_schema = ({ lines: { list }, by_currency, default_count }: DomainBoard) =>
  z.object({
    log_id: z.string(),
    position: z.number().openapi({ description: "The position that series and cards belong to" }),
    now_ms: z.number().openapi({ description: "When it was read; of a past board, when its position was recorded" }),
    range: z.string(),
    grain: z.string(),
    step_s: z.number(),
    from_s: z.number(),
    to_s: z.number(),
    following: z.boolean().openapi({
      description: "Whether the window moves on with the clock, up to the bucket of now",
    }),
    order: z.enum(ORDERS),
    filter: z.array(z.object({ dimension: z.string(), keys: z.array(z.string()), excluded: z.boolean() })),
    compare: z.string(),
    time_zone: z.string(),
    currency: z.string(),
    ...by_currency === undefined ? {} : { currencies: currencies_schema(default_count) },
    series: columns,
    keyed: z.record(z.string(), z.object({ keys: z.array(z.string().nullable()), others: z.number() })).optional()
      .openapi({
        description: "By dimension the key of each line by key, whose column is that of its chart and place: `price.0`",
      }),
    cards: card_values.nullable(),
    breakdowns: z.array(z.object({
      dimension: z.string(),
      total_keys: z.number(),
      rows: z.array(z.object({ key: z.string().nullable() }).catchall(z.union([z.string(), z.number(), z.null()]))),
    })),
    computed: z.object({
      cards: z.string(),
      breakdowns: z.string(),
      position: z.number().nullable(),
      age_ms: z.number().nullable(),
      failed: z.string().nullable(),
    }),
    compared: z.object({ previous: stretch(list), weekday: stretch(list) }).partial(),
    compared_series: columns.optional(),
    compared_keys: z.record(z.string(), z.object({ counts: z.record(z.string(), z.number()), all: z.boolean() }))
      .optional()
      .openapi({
        description:
          "Of the comparison that is shown, by dimension: what its greatest keys counted; `all`: others had nothing",
      }),
    arrived: z.object({
      last: z.number().nullable().openapi({
        description: "So many of the newest events; null: a range of recorded time",
      }),
      events: z.number(),
      from_position: z.number().nullable(),
      to_position: z.number().nullable(),
      oldest_ms: z.number().nullable().openapi({ description: "When the first of them was recorded" }),
      newest_ms: z.number().nullable(),
    }).nullable().optional().openapi({ description: "By arrival: the events that the board is of" }),
    since_s: z.number().optional().openapi({
      description: "Of the newest events: when the first of them was recorded",
    }),
    reached_ms: z.number().nullable().optional().openapi({ description: "By arrival: when the last of them was" }),
    [list]: z.array(z.record(z.string(), z.union([z.string(), z.number(), z.null()]))),
    newest_event_ms: z.number().nullable(),
    as_of: z.object({ position: z.number(), recorded_ms: z.number(), head: z.number() }).nullable(),
  }).openapi("Board");

/** Adds `/api/v1/board`: the whole board once, as of now or as of any moment of the log; and `/api/v1/kpis/greatest`. */
export function add_board_routes(app: App, source: BoardSource): void {
  const gate = new Gate(GATE);
  add_greatest_route(app, source, gate);
  const { board } = source;
  add_endpoint(app, {
    path: "/api/v1/board",
    summary: "The board of a view, as of now or as the log had recorded it at a time or up to a position",
    query: {
      format: z.enum(["json", "csv"]).default("json").openapi({ description: "csv: the series, a row a bucket" }),
      ...then_parameters(board),
    },
    params: {},
    answer: { type: "application/json", schema: board_schema(board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ format, ...values }, request) => {
      const read = requested_then(values, request, board);
      if (read instanceof Response) return read;
      const wanted = { ...read, format };
      const answer = await gate.run(() => timed(() => answer_board(source, request, wanted)));
      return answer ?? boards_busy();
    },
  });
}

const greatest_schema = (measure: string, board: DomainBoard) =>
  z.object({
    measure: z.string(),
    unit: z.string(),
    order: z.enum(ORDERS),
    ...currency_schema(board),
    from: z.string(),
    to: z.string(),
    as_of_position: z.number(),
    value: z.string().nullable().openapi({ description: "Null: nothing is counted there" }),
    id: z.string().nullable(),
    at: z.string().nullable(),
  }).openapi("Greatest", {
    example: {
      measure,
      unit: "money",
      order: "event_time",
      from: "2026-03-01T00:00:00.000000Z",
      to: "2026-03-02T00:00:00.000000Z",
      as_of_position: 120_934,
      value: "99.99",
      id: "T-1042",
      at: "2026-03-01T09:31:02.250000Z",
    },
  });

/** Adds `/api/v1/kpis/greatest`: where the greatest value on a board comes from. None where a board has no greatest values. */
function add_greatest_route(app: App, source: BoardSource, gate: Gate): void {
  const { board } = source;
  const figures = greatest_figures(board);
  const names = [...figures.keys()];
  if (names.length === 0) return;
  add_endpoint(app, {
    path: "/api/v1/kpis/greatest",
    summary: "What holds the greatest value of a range under a filter, of several the earliest",
    query: {
      measure: z.string().refine((name) => figures.has(name), `expected one of ${names.join(", ")}`)
        .openapi({ description: `One of ${names.join(", ")}` }),
      from: instant.optional(),
      to: instant.optional(),
      ...ORDER_PARAMETERS,
      as_of_position: position.optional(),
      ...currency_parameter(board),
      ...filter_parameters(board),
    },
    params: {},
    answer: { type: "application/json", schema: greatest_schema(names[0]!, board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ measure, as_of_position, ...values }, request) => {
      const span = requested_span(values);
      if (span instanceof Response) return span;
      const { ends, arrival } = span;
      if (ends === null && arrival === null) return no_range();
      const fault = ends === null ? null : absolute_fault(ends.from_us / 1e6, ends.to_us / 1e6);
      if (fault !== null) return bad_request("the range is wrong", [{ path: "to", detail: fault }]);
      const filter = requested_filter(request, board);
      if (filter instanceof Response) return filter;
      const figure = figures.get(measure)!, own = { ...source, board: requested_board(request, board) };
      const work = () =>
        answer_from_log(request, source, async (reading, head) => {
          const then = as_of_position ?? head.position;
          if (then > head.position) return not_so_far(head.position);
          await reading.query("select set_config('jit', 'off', true)");
          const all = await source.past(reading, then, head.position, own.board);
          const arrived = arrival && await find_arrived(reading, arrival, then);
          const states = arrived === null ? all : arrived_states(own.board, all, arrived);
          const { from_us, to_us } = arrived === null
            ? ends!
            : { from_us: arrived.from_s * 1e6, to_us: arrived.to_s * 1e6 };
          const counted = { filter, from_us, to_us };
          const found = await read_greatest(reading, { ...own, kept: head.kept }, states, figure.measure, counted);
          return JSON.stringify({
            measure,
            unit: figure.unit,
            ...said_currency(own.board),
            order: values.order,
            from: format_time(from_us),
            to: format_time(to_us),
            as_of_position: then,
            value: found && figure_text(figure, { [figure.measure]: found.value }, 2),
            id: found && found.stream_id,
            at: found && format_time(found.at_us),
          });
        });
      return await gate.run(() => timed(work)) ?? boards_busy();
    },
  });
}

/** The figures of a board that are greatest values, by name. */
function greatest_figures(board: DomainBoard) {
  const greatest = new Set(board.measures.filter(({ kind }) => kind === "max").map(({ name }) => name));
  return new Map(
    Object.entries(board.figures).flatMap(([name, figure]) =>
      figure.kind === "total" && greatest.has(figure.measure) ? [[name, figure] as const] : []
    ),
  );
}

/** What is asked for: the board of a view, or its series as a table. */
interface Wanted {
  readonly view: View;
  readonly format: "json" | "csv";
}

function answer_board(
  source: BoardSource,
  request: Request,
  wanted: Wanted & { readonly asked: AsOf | null },
): Promise<Response> {
  const { asked } = wanted;
  return asked === null ? present_board(source, request, wanted) : past_board(source, request, wanted, asked);
}

async function present_board(source: BoardSource, request: Request, { view, format }: Wanted): Promise<Response> {
  const { board, days, database } = source;
  const now_ms = source.clock.now_ms();
  const fault = states_fault(view, window_at(view, now_ms, days), board);
  if (fault !== null) return bad_request("the range is too long for its filter", [fault]);
  const head = await read_head(database);
  const watched = { view, window: await read_window(database, source, view, now_ms) };
  // What has passed of a window grows while the log stands still.
  const { to_s } = comparisons_of(watched.window, now_ms, days).weekday.stretch;
  const etag =
    `W/"${head.figures_id}-${head.position}-${watched.window.to_s}-${watched.window.grain}-${to_s}-${source.build}"`;
  return await answer_tagged(request, etag, async () => {
    const whole = await read_whole_board({ ...source, lane_timeout_ms: STATEMENT_TIMEOUT_MS }, watched, now_ms);
    if (format === "csv") return series_csv(source, whole);
    return whole_or_untagged(whole, body_of(source, whole, now_ms, { as_of: null }));
  });
}

/** The series of a board, a row for each bucket that anything lies in: from when to when, and its figures. */
function series_csv({ board, days }: BoardSource, { series, window, failed }: ShownBoard): Response {
  if (failed !== null) return problem({ status: 503, title: "Took too long", detail: failed });
  const rows = series.t.map((t_s, i) => {
    const end_us = bucket_end(window.grain, t_s * 1e6, days);
    return [format_time(t_s * 1e6), format_time(end_us), ...board.series.map((name) => series[name]?.[i] ?? null)];
  });
  return answer_csv(["from", "to", ...board.series], rows);
}

function past_board(
  source: BoardSource,
  request: Request,
  { view, format }: Wanted,
  asked: AsOf,
): Promise<Response> {
  const { days, clock } = source;
  return read_only(source.database, async (reading) => {
    const head = await read_head(reading);
    const moment = await moment_of(reading, asked, head);
    if (moment instanceof Response) return moment;
    const recorded_ms = recorded_ms_of(moment, asked, clock);
    const fault = states_fault(view, window_at(view, recorded_ms, days), source.board);
    if (fault !== null) return bad_request("the range is too long for its filter", [fault]);
    const watched = { view, window: await read_window(reading, source, view, recorded_ms) };
    const caching = is_settled(asked, moment, clock.now_ms()) ? "private, max-age=3600, immutable" : "no-cache";
    const etag =
      `W/"${head.figures_id}-as-of-${moment.position}-${watched.window.to_s}-${watched.window.grain}-${source.build}"`;
    return await answer_tagged(request, etag, async () => {
      const own = in_currency(source.board, view.currency);
      const states = await source.past(reading, moment.position, head.position, own);
      const { position, watermark_us } = moment;
      const newest_event_ms = watermark_us === null ? null : Math.floor(watermark_us / 1000);
      const then = { position, newest_event_ms, now_ms: recorded_ms };
      const whole = await read_past_board(reading, source, watched, states, then);
      if (format === "csv") return series_csv(source, whole);
      const as_of = { position, recorded_ms, head: head.position };
      return whole_or_untagged(whole, body_of(source, whole, recorded_ms, { following: false, as_of }));
    }, caching);
  });
}

/** Whether the same question will always get this answer. */
function is_settled(asked: AsOf, moment: Moment, now_ms: number): boolean {
  if (asked.at_us === null) return moment.recorded_at_us !== null;
  return asked.at_us / 1000 < now_ms - SETTLED_MS;
}

function body_of(
  { time_zone, currency, board }: BoardSource,
  shown: ShownBoard,
  now_ms: number,
  more: Readonly<Record<string, unknown>>,
): string {
  return JSON.stringify({ ...board_data(shown, { time_zone, currency, board }, now_ms), ...more });
}

/** A board's answer: one that lacks something for want of time is nobody's to keep. */
const whole_or_untagged = ({ failed }: Pick<ShownBoard, "failed">, body: string): string | Response =>
  failed === null ? body : answer_untagged(body);

const boards_busy = (): Response => busy(`${GATE.most} boards are`, GATE.wait_ms);
