import { z } from "@hono/zod-openapi";
import { type DomainBoard, in_currency, shown } from "../domains/mod.ts";
import {
  absolute_fault,
  type ArrivalSpan,
  COMPARISONS,
  EXCLUDED,
  type Filter,
  FILTER_LIMITS,
  type FilterFault,
  LAST_EVENTS,
  ORDERS,
  RANGE_NAMES,
  read_filter,
  span_fault,
  type View,
  VIEW_GRAINS,
} from "../feed/mod.ts";
import { date_of_day, type Micros, parse_time, UNKNOWN } from "../kpi/mod.ts";
import { bad_request } from "./answers.ts";
import { query_values } from "./endpoint.ts";

/** Parameters that several endpoints take, each parsed once, at the edge. */

/** An RFC 3339 instant, as microseconds since the Unix epoch. */
export const instant = z.string().transform((text, context) => {
  // A plus sign that was not percent-encoded arrives as a space.
  const parsed = parse_time(text.replace(/ (?=\d\d:\d\d$)/, "+"));
  if (parsed.ok) return parsed.us;
  context.addIssue({
    code: "custom",
    message: `expected an RFC 3339 time with zone such as 2026-03-01T09:00:00Z, got ${JSON.stringify(text)}`,
  });
  return z.NEVER;
}).openapi({ description: "An RFC 3339 time with zone", example: "2026-03-01T09:00:00Z" });

/** A calendar date that exists, `YYYY-MM-DD`. */
export const calendar_date = z.string().refine((text) => {
  const ms = Date.parse(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(ms) && date_of_day(ms / 86_400_000) === text;
}, "expected a date such as 2026-03-01").openapi({
  description: "A date of the business time zone",
  example: "2026-03-01",
});

/** A whole number from 1, with a most and a default. */
export const limit = (most: number, fallback: number) =>
  z.coerce.number().int().min(1).max(most).default(fallback).openapi({ description: "At most so many rows" });

/** Rows of one page, and of one file. */
const MOST_ROWS = { json: 500, csv: 100_000 };

/** Which page of rows is asked for, and as what. */
export const PAGE_PARAMETERS = {
  limit: limit(MOST_ROWS.csv, 50),
  offset: z.coerce.number().int().min(0).max(10_000_000).default(0).openapi({
    description: "So many rows are before it",
  }),
  format: z.enum(["json", "csv"]).default("json").openapi({
    description: `csv: up to ${MOST_ROWS.csv} rows, of JSON up to ${MOST_ROWS.json}`,
  }),
};

/** The problem of a page that has more rows than its format may; null: it has not. */
export function page_fault(
  { limit, format }: { readonly limit: number; readonly format: "json" | "csv" },
): Response | null {
  if (limit <= MOST_ROWS[format]) return null;
  const detail = `expected at most ${MOST_ROWS[format]} of ${format}, got ${limit}`;
  return bad_request("the page is too long", [{ path: "limit", detail }]);
}

/** Where the next page begins, of so many rows in all; null behind the last one. */
export function next_offset(offset: number, rows: readonly unknown[], all: number): number | null {
  const next = offset + rows.length;
  return rows.length > 0 && next < all ? next : null;
}

/** A position in the log; 0 is before the first event. */
export const position = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
  .openapi({ description: "A position in the log; 0 is before the first event", example: 120_934 });

/** Where a page goes on: the position that all pages are as of, and the one before which this one begins. */
interface Cursor {
  readonly pinned: number;
  readonly before: number;
}

/** Makes an opaque cursor. */
export function format_cursor(pinned: number, before: number): string {
  return btoa(`p${pinned}.${before}`).replaceAll("=", "");
}

/** A cursor that a page before gave. */
export const cursor = z.string().transform((text, context): Cursor => {
  const [, pinned, before] = /^p(\d{1,15})\.(\d{1,15})$/.exec(decode_base64(text)) ?? [];
  if (pinned !== undefined && before !== undefined) return { pinned: Number(pinned), before: Number(before) };
  context.addIssue({ code: "custom", message: "expected a cursor as a page before gave it" });
  return z.NEVER;
}).openapi({ description: "`next_cursor` of the page before" });

function decode_base64(text: string): string {
  return /^[A-Za-z0-9+/]{0,44}$/.test(text) && text.length % 4 !== 1 ? atob(text) : "";
}

/** Filters as parameters of a query. */

/** The parameters of a filter: for each dimension the keys to keep, or with `not_` before its name those to leave out. Each may be repeated. */
export function filter_parameters(board: DomainBoard): Record<string, z.ZodOptional<z.ZodArray<z.ZodString>>> {
  const keys = (what: string) =>
    z.array(z.string()).optional().describe(`${what}; at most ${FILTER_LIMITS.keys}; ${UNKNOWN}: nobody named it`);
  return Object.fromEntries(
    filterable(board).flatMap((name) =>
      [
        [name, keys(`One of these: ${name}`)],
        [`${EXCLUDED}${name}`, keys(`None of these: ${name}`)],
      ] as const
    ),
  );
}

/** The dimensions that can be filtered by. */
const filterable = (board: DomainBoard): string[] =>
  board.dimensions.map(({ name }) => name).filter((name) => name !== board.whole.dimension);

/** The filter of a request, or the problem that says what is wrong with it. */
export function requested_filter(request: Request, board: DomainBoard): Filter | Response {
  const read = read_filter(new URL(request.url).searchParams, filterable(board));
  return read.ok
    ? read.filter
    : bad_request(`read the filter: ${read.faults.length} parameter(s) are wrong`, read.faults);
}

/** The parameter that says which currency is asked about; none where amounts are of one. */
export function currency_parameter({ by_currency }: DomainBoard): Record<string, z.ZodOptional<z.ZodString>> {
  if (by_currency === undefined) return {};
  const error = ({ input }: { readonly input?: unknown }) =>
    `expected a currency's code of three upper-case letters such as EUR, got ${shown(input)}`;
  return {
    currency: z.string({ error }).regex(/^[A-Z]{3}$/, { error }).optional().openapi({
      description: `Amounts of which currency, and what has them: they are never added up; ${by_currency} unless given`,
      example: by_currency,
    }),
  };
}

/** The board that a request asks about: of its currency, where the domain is by currency. */
export function requested_board(request: Request, board: DomainBoard): DomainBoard {
  return board.by_currency === undefined ? board : in_currency(board, requested_currency(request, board.by_currency));
}

const requested_currency = (request: Request, usual: string): string =>
  new URL(request.url).searchParams.get("currency") ?? usual;

/** What an answer says of its currency; nothing where amounts are of one. */
export const said_currency = ({ currency }: DomainBoard): { readonly currency?: string } =>
  currency === undefined ? {} : { currency };

/** The schema of that. */
export const currency_schema = ({ by_currency }: DomainBoard): Record<string, z.ZodString> =>
  by_currency === undefined
    ? {}
    : { currency: z.string().openapi({ description: "Of what it is; other currencies are not in it" }) };

/** The parameters of a view, as the feed and the board take them, and of its order, as others do too. */

/** The parameters that name a stretch of time and what it is compared with. */
export const SPAN_PARAMETERS = {
  range: z.enum(RANGE_NAMES).optional().openapi({
    description:
      "So long up to `to`, or up to now; an hour unless given. `today`, `yesterday` and `week` (since Monday) are whole days of " +
      "the business time zone, and take no `to`",
  }),
  grain: z.enum(VIEW_GRAINS).optional().openapi({
    description:
      "How wide buckets are; what is meant for the length of the range unless given, and wider where little happens. 1m is for at most 6 hours, 5m for 3 days, " +
      "15m for 10 days, 1h for 45 days",
  }),
  from: instant.optional(),
  to: instant.optional(),
  compare: z.enum(COMPARISONS).default("weekday").openapi({
    description: "What the chart's second line is; by arrival there is none",
  }),
};

/** The parameters that say by what time things are counted. */
export const ORDER_PARAMETERS = {
  order: z.enum(ORDERS).default("event_time").openapi({
    description:
      "`arrival`: a range is of the time that events were recorded, and what is counted are those whose newest " +
      "event arrived there, all of each at that time",
  }),
  last: z.coerce.number().int().min(1).max(LAST_EVENTS).optional().openapi({
    description: `Of \`order=arrival\`: so many of the newest events, ${LAST_EVENTS} where no range is named either`,
  }),
};

/** The values of `SPAN_PARAMETERS` and `ORDER_PARAMETERS`, read. */
type SpanValues = z.output<z.ZodObject<typeof SPAN_PARAMETERS & typeof ORDER_PARAMETERS>>;
type OrderValues = Pick<SpanValues, "order" | "last" | "from" | "to"> & Partial<Pick<SpanValues, "range">>;

/** What is wrong with the order of a request; null when nothing is. */
function order_fault({ order, last, range, from, to }: OrderValues): FilterFault | null {
  if (last === undefined) return null;
  if (order !== "arrival") return { path: "last", detail: `expected order=arrival beside it, got order=${order}` };
  const ranged = range !== undefined || from !== undefined || to !== undefined;
  return ranged ? { path: "last", detail: "expected either last or a range, got both" } : null;
}

/** A range of two ends, microseconds; null where none is named. */
type Ends = Micros | null;

/**
 * What a request is of that takes no other range than `from` and `to`: by event time these ends, by arrival so many of the newest events, or
 * what was recorded between them, widened to whole seconds. Or the problem that says what is wrong with it.
 */
export function requested_span(
  values: OrderValues,
): { readonly ends: Ends; readonly arrival: ArrivalSpan | null } | Response {
  const { order, last, from, to } = values;
  const fault = order_fault(values);
  if (fault !== null) return bad_request("the order is wrong", [fault]);
  if ((from === undefined) !== (to === undefined)) {
    const path = from === undefined ? "from" : "to";
    return bad_request("half a range", [{ path, detail: "expected both from and to, or neither" }]);
  }
  const ends: Ends = from === undefined || to === undefined ? null : { from_us: from, to_us: to };
  if (ends !== null && ends.to_us <= ends.from_us) {
    return bad_request("the range is empty", [{ path: "to", detail: "expected a time after from" }]);
  }
  if (order !== "arrival") return { ends, arrival: null };
  const arrival = ends === null
    ? { last: last ?? LAST_EVENTS }
    : { from_s: Math.floor(ends.from_us / 1e6), to_s: Math.ceil(ends.to_us / 1e6) };
  return { ends, arrival };
}

/** The problem of a request by event time that names no range and has to. */
export function no_range(): Response {
  const detail = "expected a time: the range by event time has two ends";
  return bad_request("no range", [{ path: "from", detail }, { path: "to", detail }]);
}

/**
 * The view that a request asks for: `range` up to `to` or up to now (an hour when nothing is named, by arrival the newest events), or all
 * from `from` to `to`.
 */
export function read_view(
  values: SpanValues,
  request: Request,
  board: DomainBoard,
): { readonly ok: true; readonly view: View } | { readonly ok: false; readonly faults: readonly FilterFault[] } {
  const { range, from, to, compare, last, grain } = values;
  const order = values.order === "arrival" ? { order: values.order } : {};
  const fault = order_fault(values);
  const faults: FilterFault[] = fault === null ? [] : [fault];
  if (from !== undefined && range !== undefined) {
    faults.push({ path: "range", detail: "expected either range or from and to, got both" });
  } else if (from !== undefined && to === undefined) {
    faults.push({ path: "to", detail: "expected both from and to" });
  } else if (from !== undefined && to !== undefined) {
    const fault = absolute_fault(from / 1e6, to / 1e6);
    if (fault !== null) faults.push({ path: "to", detail: fault });
  }
  const filtered = read_filter(new URL(request.url).searchParams, filterable(board));
  if (!filtered.ok) return { ok: false, faults: [...faults, ...filtered.faults] };
  if (faults.length > 0) return { ok: false, faults };
  const { filter } = filtered, { by_currency } = board;
  const counted = by_currency === undefined ? {} : { currency: requested_currency(request, by_currency) };
  const to_s = to === undefined ? null : to / 1e6,
    more = { ...order, ...grain && { grain }, filter, ...counted, compare };
  const view: View = from !== undefined && to_s !== null
    ? { range: "custom", from_s: from / 1e6, to_s, ...more }
    : values.order === "arrival" && range === undefined && to_s === null
    ? { range: "last", last: last ?? LAST_EVENTS, to_s: null, ...more }
    : { range: range ?? "1h", to_s, ...more };
  const wrong = span_fault(view);
  return wrong === null ? { ok: true, view } : { ok: false, faults: [wrong] };
}

/**
 * The view by event time that a query asks for without being sent, or all that is wrong with it.
 * @param query what the address of a board has behind its question mark
 */
export function read_query(board: DomainBoard, query: string): ReturnType<typeof read_view> {
  const shape = { ...SPAN_PARAMETERS, ...currency_parameter(board), ...filter_parameters(board) };
  const given = new URLSearchParams(query), names = Object.keys(shape);
  const unknown = [...new Set(given.keys())].filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    const detail = `expected one of ${names.join(", ")}`;
    return { ok: false, faults: unknown.map((path) => ({ path, detail })) };
  }
  const { data, error } = z.strictObject(shape).safeParse(query_values(shape, given));
  if (error !== undefined) {
    return { ok: false, faults: error.issues.map(({ path, message }) => ({ path: String(path[0]), detail: message })) };
  }
  const address = new URL("http://localhost/");
  address.search = `${given}`;
  return read_view({ ...data, order: "event_time" }, new Request(address), board);
}

/** The parameters of a view as of now or of any moment of the log. */
export const then_parameters = (board: DomainBoard) => ({
  ...SPAN_PARAMETERS,
  ...ORDER_PARAMETERS,
  as_of: instant.optional(),
  as_of_position: position.optional(),
  ...currency_parameter(board),
  ...filter_parameters(board),
});

/** Which moment is asked for: by its time or by its position. */
export interface AsOf {
  readonly at_us: number | null;
  readonly position: number | null;
}

/** The view that a request asks for, and the moment that it is of, null: now; or the problem that says what is wrong with it. */
export function requested_then(
  values: SpanValues & { readonly as_of?: number | undefined; readonly as_of_position?: number | undefined },
  request: Request,
  board: DomainBoard,
): { readonly view: View; readonly asked: AsOf | null } | Response {
  const { as_of: at_us = null, as_of_position: position = null } = values;
  const read = read_view(values, request, board);
  const faults: FilterFault[] = read.ok ? [] : [...read.faults];
  if (at_us !== null && position !== null) {
    faults.push({ path: "as_of_position", detail: "expected either as_of or as_of_position, got both" });
  }
  if (!read.ok || faults.length > 0) return bad_request("the view is wrong", faults);
  return { view: read.view, asked: at_us === null && position === null ? null : { at_us, position } };
}
