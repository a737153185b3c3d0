import { z } from "@hono/zod-openapi";
import type { Database, Queryable } from "../../database/mod.ts";
import type {
  BoardFigure,
  DistinctFigure,
  DomainBoard,
  NamedFigure,
  QuantileFigure,
  SummedFigure,
} from "../../domains/mod.ts";
import {
  type ArrivalSpan,
  arrived_states,
  buckets_of,
  declared_figure,
  dimension_of,
  figure_number,
  figure_of,
  figure_text,
  type Figures,
  figures_of_cells,
  figures_of_states,
  type Filter,
  type FilterFault,
  find_arrived,
  format_filter,
  kept_cells_say,
  micros,
  ORDERS,
  present_states,
  quantile_number,
  quantile_text,
  read_quantile_series,
  rolling_rows,
  ROLLING_S,
  sketched_dimensions,
  sketched_key,
  STEP_S,
  too_long_for_states,
  too_long_words,
  totals_of,
  VIEW_GRAINS,
  type ViewGrain,
  type Window,
  window_at,
} from "../../feed/mod.ts";
import { daily_json, read_daily_document } from "../../export/mod.ts";
import { ALL_KEPT, type Days, format_time, is_extreme, is_kept, type Kept, kept_from } from "../../kpi/mod.ts";
import type { Clock } from "../../runtime/mod.ts";
import { bad_request, not_found } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import {
  calendar_date,
  currency_parameter,
  currency_schema,
  filter_parameters,
  instant,
  no_range,
  ORDER_PARAMETERS,
  requested_board,
  requested_filter,
  requested_span,
  said_currency,
} from "../parameters.ts";
import { answer_from_log } from "../reading.ts";

/** What the KPI endpoints read from. */
export interface KpiSource {
  readonly database: Database;
  readonly board: DomainBoard;
  readonly days: Days;
  readonly time_zone: string;
  readonly build: string;
  readonly clock: Clock;
}

/** Adds `/api/v1/kpis/…`: one figure over time, and a day's figures where the domain declares such. */
export function add_kpi_routes(app: App, source: KpiSource): void {
  add_daily_route(app, source);
  add_series_route(app, source);
}

/** Figures under the names of an answer, with what its schema says of each: null is what adds up to nothing. */
export function named_figures(board: DomainBoard, named: readonly NamedFigure[]) {
  const extremes = board.measures.flatMap(({ name, kind }) => is_extreme(kind) ? name : []);
  return named.map(({ name, figure: of, decimals, says }) => {
    const figure = figure_of(board, of);
    const schema = figure.kind === "mean" || figure.unknown || extremes.includes(figure.measure)
      ? z.number().nullable()
      : z.number();
    return { name, figure, decimals, schema: says === undefined ? schema : schema.openapi({ description: says }) };
  });
}

/** The schemas of figures, by name. */
export const figure_schemas = (figures: ReturnType<typeof named_figures>): Record<string, z.ZodType> =>
  Object.fromEntries(figures.map(({ name, schema }) => [name, schema]));

/** The names of a board's dimensions, as a parameter. */
export function dimension_parameter(board: DomainBoard) {
  const names = board.dimensions.map(({ name }) => name);
  return z.string().refine((name) => dimension_of(board, name) !== null, `expected one of ${names.join(", ")}`)
    .openapi({ description: `One of ${names.join(", ")}` });
}

/** Most buckets of one answer: a year of hours. */
const MOST_POINTS = 8_784;
/** Seconds of the shortest day. */
const SHORTEST_DAY_S = 82_800;

const ROLLING = Object.keys(ROLLING_S) as [keyof typeof ROLLING_S, ...(keyof typeof ROLLING_S)[]];

/** What is wrong with a window that slides over a series; null when nothing is. */
function rolling_fault(
  figure: BoardFigure,
  { grain, rolling, order }: {
    readonly grain: ViewGrain;
    readonly rolling?: keyof typeof ROLLING_S | undefined;
    readonly order: string;
  },
): FilterFault | null {
  if (rolling === undefined) return null;
  const refuse = (detail: string) => ({ path: "rolling", detail });
  if (order === "arrival") return refuse("expected order=event_time beside it, got order=arrival");
  if (figure.kind === "quantile") {
    return refuse("expected a figure that buckets add up to: a percentile is of one bucket");
  }
  if (figure.kind === "distinct") {
    return refuse("expected a figure that buckets add up to: a key of several buckets would count in each");
  }
  if (grain !== "1d" && STEP_S[grain] <= ROLLING_S[rolling]) return null;
  return refuse(`expected a grain of hours or less, no longer than ${rolling}, got grain=${grain}`);
}

const series_schema = (board: DomainBoard) =>
  z.object({
    measure: z.string(),
    unit: z.string(),
    ...currency_schema(board),
    grain: z.string(),
    dimension: z.string(),
    key: z.string(),
    filter: z.string().openapi({
      description: "The conditions as parameters of a query, `dimension` and `key` among them",
    }),
    computed: z.boolean().openapi({ description: "Whether it is in no cell and was added up from states" }),
    rolling: z.enum(ROLLING).optional().openapi({
      description: "Each point is of so long up to the end of its bucket, of the one that runs up to now",
    }),
    order: z.enum(ORDERS),
    events: z.number().optional().openapi({ description: "By arrival: of how many events it is" }),
    from: z.string(),
    to: z.string(),
    points: z.array(z.object({ at: z.string(), value: z.union([z.string(), z.number(), z.null()]) })),
  }).openapi("Series");

/**
 * One figure over time: a point for each bucket that exists. Money is decimal text. What cells keep is read from them; what they do not (keys
 * of dimensions that keep no cells of its grain, conditions on several dimensions) is added up from states, over a bounded range.
 */
function add_series_route(app: App, source: KpiSource): void {
  const { board, days } = source;
  const figures = Object.keys(board.figures);
  add_endpoint(app, {
    path: "/api/v1/kpis/series",
    summary: "One figure over time, of everything, of one key (`dimension=driver&key=D0413`) or under a filter " +
      "(`city=Chicago&driver=D0413`); buckets without any event are left out",
    query: {
      measure: z.string().refine((name) => figures.includes(name), `expected one of ${figures.join(", ")}`)
        .openapi({ description: `One of ${figures.join(", ")}`, example: "revenue" }),
      grain: z.enum(VIEW_GRAINS).openapi({ description: "Width of a bucket" }),
      from: instant.optional(),
      to: instant.optional(),
      rolling: z.enum(ROLLING).optional().openapi({
        description:
          "Each point is of so long up to the end of its bucket: sums, means, extremes, firsts and lasts of that window",
      }),
      ...ORDER_PARAMETERS,
      dimension: dimension_parameter(board).default(board.whole.dimension),
      key: z.string().min(1).optional().openapi({ description: "A key of the dimension", example: "D0413" }),
      ...currency_parameter(board),
      ...filter_parameters(board),
    },
    params: {},
    answer: { type: "application/json", schema: series_schema(board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: ({ measure, grain, dimension, key, rolling, ...values }, request) => {
      const asked = requested_filter(request, board);
      if (asked instanceof Response) return asked;
      const named = with_key(board, asked, dimension, key);
      if (!named.ok) return bad_request("the key is wrong", [named.fault]);
      const { filter } = named;
      const figure = declared_figure(board, measure);
      const fault = rolling_fault(figure, { grain, rolling, order: values.order });
      if (fault !== null) return bad_request("nothing rolls here", [fault]);
      const span = requested_span(values);
      if (span instanceof Response) return span;
      const counted = { dimension, key: key ?? board.whole.key, filter: format_filter(filter) };
      const own = { ...source, board: requested_board(request, board) };
      if (span.arrival !== null) {
        const asked = { measure, grain, filter, counted, arrival: span.arrival };
        return answer_from_log(
          request,
          source,
          (reading, head) => arrived_series(reading, own, asked, head.position),
        );
      }
      if (span.ends === null) return no_range();
      const { ends: { from_us: from, to_us: to } } = span;
      const sketched = figure.kind === "quantile" ? sketched_key(board, filter, grain) : null;
      if (figure.kind === "quantile" && sketched === null) {
        const names = sketched_dimensions(board, grain).join(", ");
        const fault = names === ""
          ? { path: "grain", detail: `expected a grain that percentiles are kept of, got ${grain}: they do not add up` }
          : { path: "dimension", detail: `expected a filter by one key of ${names} at most` };
        return bad_request("no sketches are kept of this", [fault]);
      }
      const window = window_at({ range: "custom", from_s: from / 1e6, to_s: to / 1e6, grain }, 0, days);
      if (too_many_points(window)) return too_fine();
      const { from_us, to_us } = micros(window), length_s = rolling && ROLLING_S[rolling];
      const read = length_s === undefined ? window : { ...window, from_s: window.from_s - length_s + window.step_s };
      const is_computed = (kept: Kept) => !kept_cells_say({ board, kept }, figure, filter, read);
      // What begins before the cells of its grain that are kept is never too long.
      if (is_computed(ALL_KEPT) && too_long_for_states(read)) {
        const detail = `expected a shorter range: ${too_long_words(board)}`;
        return bad_request("the range is too long for its filter", [{ path: "to", detail }]);
      }
      return answer_from_log(request, source, async (reading, { kept }) => {
        if (sketched !== null && !is_kept(kept, grain, from_us)) return not_kept(grain, kept);
        const computed = is_computed(kept);
        const question = { board: own.board, days, filter, window: read, wants: buckets_of(figure) };
        const answer = () =>
          computed
            ? figures_of_states(reading, question, present_states(own.board))
            : figures_of_cells(reading, question);
        const rolled = ({ buckets }: Figures) =>
          length_s === undefined || figure.kind === "distinct" || figure.kind === "quantile"
            ? buckets
            : rolling_rows(own.board, figure, buckets, window, length_s);
        const points = figure.kind === "quantile"
          ? await quantile_points(reading, own.board, figure, { from_us, to_us, ...sketched! })
          : points_of(figure, own.board, rolled(await answer()));
        const range = { from: format_time(from_us), to: format_time(to_us) };
        return JSON.stringify({
          ...{ measure, unit: figure.unit, ...said_currency(own.board), grain, ...counted, computed },
          ...rolling === undefined ? {} : { rolling },
          ...{ order: values.order, ...range, points },
        });
      });
    },
  });
}

/** Percentiles of buckets that are not kept any more. */
function not_kept(grain: ViewGrain, kept: Kept): Response {
  const detail = `expected ${
    format_time(kept_from(kept, grain))
  } or later: sketches of ${grain} are kept from then on; take a coarser grain`;
  return bad_request("no sketches are kept of this", [{ path: "from", detail }]);
}

const too_many_points = ({ grain, from_s, to_s }: Window): boolean =>
  (to_s - from_s) / (grain === "1d" ? SHORTEST_DAY_S : STEP_S[grain]) > MOST_POINTS;

function too_fine(): Response {
  const detail = `expected at most ${MOST_POINTS} buckets; take a coarser grain or a shorter range`;
  return bad_request("the range is too long for its grain", [{ path: "grain", detail }]);
}

/** A series by arrival: of the states whose newest event did, each in the bucket of that. */
async function arrived_series(
  reading: Queryable,
  { board, days }: KpiSource,
  { measure, grain, filter, counted, arrival }: {
    readonly measure: string;
    readonly grain: ViewGrain;
    readonly filter: Filter;
    readonly counted: Readonly<Record<string, unknown>>;
    readonly arrival: ArrivalSpan;
  },
  position: number,
): Promise<string | Response> {
  const figure = declared_figure(board, measure);
  if (figure.kind === "quantile") {
    const detail = "expected order=event_time: percentiles over time come from sketches, which are kept by event time";
    return bad_request("no sketches are kept by arrival", [{ path: "order", detail }]);
  }
  const arrived = await find_arrived(reading, arrival, position);
  const window = window_at({ range: "custom", from_s: arrived.from_s, to_s: arrived.to_s, grain }, 0, days);
  if (too_many_points(window)) return too_fine();
  const { from_us, to_us } = micros(window);
  const question = { board, days, filter, window, wants: buckets_of(figure) };
  const states = arrived_states(board, present_states(board), arrived);
  const points = points_of(figure, board, (await figures_of_states(reading, question, states)).buckets);
  const range = { from: format_time(from_us), to: format_time(to_us) };
  return JSON.stringify({
    ...{ measure, unit: figure.unit, ...said_currency(board), grain, ...counted, computed: true },
    ...{ order: "arrival", events: arrived.events, ...range, points },
  });
}

/** A filter with the condition that `dimension` and `key` are; the fault where one lacks the other, or the filter names that dimension too. */
function with_key(
  board: DomainBoard,
  filter: Filter,
  dimension: string,
  key: string | undefined,
): { readonly ok: true; readonly filter: Filter } | { readonly ok: false; readonly fault: FilterFault } {
  const refused = (path: string, detail: string) => ({ ok: false, fault: { path, detail } }) as const;
  if (dimension === board.whole.dimension) {
    return key === undefined || key === board.whole.key
      ? { ok: true, filter }
      : refused("dimension", `expected the dimension of ${JSON.stringify(key)}`);
  }
  if (key === undefined) return refused("key", `expected a key of ${dimension}`);
  if (filter.some((condition) => condition.dimension === dimension)) {
    return refused("key", `expected either dimension and key or ${dimension}, got both`);
  }
  return { ok: true, filter: [...filter, { dimension, keys: [key], excluded: false }] };
}

async function quantile_points(
  reading: Queryable,
  board: DomainBoard,
  figure: QuantileFigure,
  cells: Parameters<typeof read_quantile_series>[3],
) {
  const quantiles = await read_quantile_series(reading, board, figure, cells);
  return quantiles.map(({ at_us, value }) => ({
    at: format_time(at_us),
    value: figure.unit === "money" ? quantile_text(figure, value, 2) : quantile_number(figure, value),
  }));
}

/** A figure of each bucket that anything lies in, in order. */
const points_of = (figure: SummedFigure | DistinctFigure, board: DomainBoard, buckets: Figures["buckets"]) =>
  buckets.map((row) => {
    const at = format_time(Number(row.t) * 1e6);
    if (figure.kind === "distinct") return { at, value: figure.unknown ? null : Number(row.value) };
    const totals = totals_of(board, row);
    return { at, value: figure.unit === "money" ? figure_text(figure, totals, 2) : figure_number(figure, totals) };
  });

/** A day's figures, in the shape of `metrics.json`: rounded half up; zeros for a day without anything. None where the domain declares no such. */
function add_daily_route(app: App, source: KpiSource): void {
  const { board, days } = source;
  if (board.daily === undefined) return;
  const { says, metrics, count, example } = board.daily;
  const figures = named_figures(board, metrics), [counted] = named_figures(board, [count]);
  const schema = z.object({
    date: z.string(),
    ...currency_schema(board),
    metrics: z.object(figure_schemas(figures)),
    generated_at: z.string(),
    ...figure_schemas([counted!]),
  }).openapi("DailyKpis", { example });
  add_endpoint(app, {
    path: "/api/v1/kpis/daily",
    summary: says,
    query: { date: calendar_date, ...currency_parameter(board) },
    params: {},
    answer: { type: "application/json", schema },
    others: { 404: "The business time zone has no such day" },
    respond: ({ date }, request) => {
      const day = days.day_named(date);
      if (day === null) return not_found(`${source.time_zone} has no ${date}`);
      const own = { days, board: requested_board(request, board) };
      return answer_from_log(
        request,
        source,
        async (transaction) =>
          daily_json(await read_daily_document(transaction, own, date, day), source.clock.now_ms()),
      );
    },
  });
}
