import { z } from "@hono/zod-openapi";
import type { Queryable } from "../../database/mod.ts";
import { type BoardBreakdown, type DomainBoard, names_of_keys } from "../../domains/mod.ts";
import {
  type ArrivalSpan,
  arrived_states,
  dimension_of,
  figure_of,
  figure_text,
  type Figures,
  figures_of_states,
  find_arrived,
  LEAST_BASE,
  MOST_PLACES,
  ORDERS,
  present_states,
  read_all_keys,
  read_key_totals,
  read_since,
  STEP_S,
  tiles_of,
  type View,
  type Window,
} from "../../feed/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import { bad_request } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import {
  currency_parameter,
  currency_schema,
  instant,
  limit,
  next_offset,
  ORDER_PARAMETERS,
  requested_board,
  requested_span,
  requested_then,
  said_currency,
  then_parameters,
} from "../parameters.ts";
import { answer_from_log, Gate, with_person_ids } from "../reading.ts";
import { dimension_parameter, type KpiSource } from "./kpi_routes.ts";
import { answer_csv, answer_then, type BoardSource, keys_then, near_of, type Then } from "./then_answers.ts";

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
      if (dimension_of(board, dimension)?.totals?.includes(count) === false) {
        const { count: name } = board.breakdown_row;
        const detail = `${dimension} keeps no ${name} of all of time; ask /api/v1/kpis/keys for those of a range`;
        return bad_request("nothing of this dimension to break down by", [{ path: "dimension", detail }]);
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
        const rows = await read_key_totals(transaction, own.board, [{ breakdown, tiles, states: [] }], most);
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

/** How many lists of keys are read at a time, and how many wait for how long. */
const KEYS_GATE = { most: 2, waiting: 20, wait_ms: 4_000 };
/** Rows of one answer; as CSV all keys that are read. */
const MOST_ROWS = 500;
/** So many keys, the greatest, are looked through for those that are like one that is not there. */
const MOST_LIKENED = 5_000;

/** What keys can be in the order of: by name, or by a number, the greatest first with a minus before it. */
const orders_of = ({ breakdown_row: { count, amount } }: DomainBoard): string[] =>
  ["key", count, amount, "change"].flatMap((name) => [`-${name}`, name]);

const keys_schema = (board: DomainBoard) => {
  const { count, amount } = board.breakdown_row, numbers = { [count]: z.number(), [amount]: z.string().nullable() };
  return z.object({
    log_id: z.string(),
    position: z.number(),
    dimension: z.string(),
    ...currency_schema(board),
    from_s: z.number().openapi({ description: "The range, widened to whole buckets of the view" }),
    to_s: z.number(),
    computed: z.boolean().openapi({ description: "Whether it is in no cell and was added up from states" }),
    ...numbers,
    total_keys: z.number(),
    found_keys: z.number().openapi({ description: "Those of them that hold `find`" }),
    left_out: z.number().openapi({
      description: `Keys with less than the ${MOST_PLACES} greatest; they are in no row`,
    }),
    near: z.array(z.string()).openapi({ description: "Where none holds `find`: those that are like it" }),
    then: z.object({ from_s: z.number(), to_s: z.number(), least_base: z.number() }).nullable().openapi({
      description: "The period that rows are compared with; null: none, or the log does not know it",
    }),
    rows: z.array(
      z.object({
        key: z.string(),
        name: z.string().optional().openapi({ description: "What the deployment calls it" }),
        share: z.number().nullable().openapi({ description: `Of all ${count}, in percent` }),
        ...numbers,
        then: z.object(numbers).nullable(),
      }),
    ),
    next_offset: z.number().nullable(),
  }).openapi("Keys");
};

/** A row of the list: what is counted of a key now, and then. */
interface KeyRow {
  readonly key: string;
  readonly name: string;
  readonly count: bigint;
  readonly amount: bigint;
  readonly then: { readonly count: bigint; readonly amount: bigint } | null;
}

/** Adds `/api/v1/kpis/keys`: all keys of a dimension under a view, searched, in an order, in pages, each with what it was then. */
export function add_keys_route(app: App, source: BoardSource): void {
  const { board } = source, gate = new Gate(KEYS_GATE);
  const orders = orders_of(board);
  add_endpoint(app, {
    path: "/api/v1/kpis/keys",
    summary:
      "All keys of a dimension over a range under a filter, as of now or as of any moment of the log: searched, sorted, in pages, " +
      "each with its share and what it was in the period that `compare` names",
    query: {
      dimension: dimension_parameter(board).refine((name) => name !== board.whole.dimension, "expected one with keys"),
      find: z.string().max(200).optional().openapi({ description: "Keys, or names, that hold this, in any case" }),
      sort: z.string().refine((name) => orders.includes(name), `expected one of ${orders.join(", ")}`)
        .default(orders[2]!).openapi({ description: `One of ${orders.join(", ")}; with a minus the greatest first` }),
      limit: limit(MOST_ROWS, 50),
      offset: z.coerce.number().int().min(0).max(MOST_PLACES).default(0).openapi({
        description: "So many rows are before it",
      }),
      format: z.enum(["json", "csv"]).default("json").openapi({ description: "csv: all rows that are found" }),
      ...then_parameters(board),
    },
    params: {},
    answer: { type: "application/json", schema: keys_schema(board) },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: async ({ dimension, find = "", sort, limit: most, offset, format, ...values }, request) => {
      const read = requested_then(values, request, board);
      if (read instanceof Response) return read;
      const { view, asked: as_of } = read;
      const turn = { gate, are: `${KEYS_GATE.most} lists of keys are`, name: "keys" };
      return await answer_then(source, request, { view, as_of }, turn, async (reading, then) => {
        const found = await read_keys_then(reading, source, { view, dimension }, then);
        if (found instanceof Response) return found;
        const { said, rows } = found, own = rows.filter(holds(find)).sort(by_order(board, sort));
        if (format === "csv") return keys_csv(board, dimension, own);
        const total = rows.reduce((sum, { count }) => sum + count, 0n) + said.others.count;
        const amount = rows.reduce((sum, row) => sum + row.amount, 0n) + said.others.amount;
        const page = own.slice(offset, offset + most);
        const near = own.length === 0 && find !== ""
          ? near_of(find, rows.slice(0, MOST_LIKENED).map(({ name }) => name))
          : [];
        const { others, ...told } = said;
        const answer = JSON.stringify({
          ...told,
          ...numbers_json(board, { count: total, amount }),
          total_keys: rows.length + others.keys,
          found_keys: own.length,
          left_out: others.keys,
          near,
          rows: page.map((row) => ({
            key: row.key,
            ...row.name === row.key ? {} : { name: row.name },
            share: total > 0n ? Number(row.count * 1_000_000n / total) / 10_000 : null,
            ...numbers_json(board, row),
            then: row.then && numbers_json(board, row.then),
          })),
          next_offset: next_offset(offset, page, own.length),
        });
        return await with_person_ids(reading, board, answer);
      });
    },
  });
}

/** The keys of a dimension under a view, and what they were in the period that it is compared with. */
async function read_keys_then(
  reading: Queryable,
  source: BoardSource,
  { view, dimension }: { readonly view: View; readonly dimension: string },
  then: Then,
) {
  const counted = await keys_then(reading, source, { view, dimension }, then);
  if (counted instanceof Response) return counted;
  const { board, asked, position, states, window, computed, earlier } = counted, { filter } = view;
  const breakdown = [...board.breakdowns, ...board.states_breakdowns].find((each) => each.dimension === dimension) ??
    { dimension, count: board.default_count };
  const read = (window: Window) => read_all_keys(reading, asked, { filter, window, breakdown }, states);
  const now = await read(window);
  const is_told = earlier !== null && await read_since(reading, asked, states, earlier, "5m") === null;
  const before = is_told ? await read(earlier) : [];
  const was = new Map(before.map((row) => [row.key, row] as const));
  // Past the greatest of then it is not known what a key had; and of a time that the log knows nothing of nothing is compared.
  const known = before.length > 0, nothing = was.has(null) ? null : { count: 0n, amount: 0n };
  const names = names_of_keys(source.board, dimension);
  const rows = now.flatMap(({ key, count, amount }): KeyRow[] =>
    key === null
      ? []
      : [{ key, name: names?.get(key) ?? key, count, amount, then: known ? was.get(key) ?? nothing : null }]
  );
  const others = now.find(({ key }) => key === null) ?? { keys: 0, count: 0n, amount: 0n };
  const { from_s, to_s } = window;
  const compared = known ? { from_s: earlier!.from_s, to_s: earlier!.to_s, least_base: LEAST_BASE } : null;
  const said = { log_id: then.head.figures_id, position, dimension, ...said_currency(board), from_s, to_s };
  return { said: { ...said, computed, then: compared, others }, rows };
}

const numbers_json = (board: DomainBoard, { count, amount }: { readonly count: bigint; readonly amount: bigint }) => {
  const figure = figure_of(board, board.breakdown_row.amount);
  return {
    [board.breakdown_row.count]: Number(count),
    [board.breakdown_row.amount]: figure_text(figure, { [figure.measure]: amount }, 2),
  };
};

const plain = (text: string): string => text.toLowerCase().replaceAll("_", " ");

/** Whether a row holds words, in its key or in its name. */
const holds = (find: string) => {
  const words = plain(find.trim());
  return ({ key, name }: KeyRow): boolean => plain(key).includes(words) || plain(name).includes(words);
};

/** How much a row has changed, as a part; null where nothing was there then. */
const change_of = ({ count, then }: KeyRow): number | null =>
  then === null || then.count === 0n ? null : Number(count - then.count) / Number(then.count);

/** What puts rows in an order; equal ones by their names. What is not known comes last. */
function by_order({ breakdown_row }: DomainBoard, sort: string) {
  const falling = sort.startsWith("-"), name = sort.replace("-", "");
  const value = (row: KeyRow): number | bigint | null =>
    name === breakdown_row.count ? row.count : name === breakdown_row.amount ? row.amount : change_of(row);
  return (a: KeyRow, b: KeyRow): number => {
    const names = a.name < b.name ? -1 : a.name > b.name ? 1 : a.key < b.key ? -1 : 1;
    if (name === "key") return falling ? -names : names;
    const [first, second] = [value(a), value(b)];
    if (first === null || second === null) return first === second ? names : first === null ? 1 : -1;
    const rising = first < second ? -1 : first > second ? 1 : 0;
    return (falling ? -rising : rising) || names;
  };
}

function keys_csv(board: DomainBoard, dimension: string, rows: readonly KeyRow[]): Response {
  const { count, amount } = board.breakdown_row;
  const cells = rows.map((row) => {
    const now = numbers_json(board, row), then = row.then && numbers_json(board, row.then);
    return [
      row.key,
      row.name,
      ...[now[count], now[amount], then?.[count], then?.[amount]].map((value) => value ?? null),
    ];
  });
  return answer_csv([dimension, "name", count, amount, `${count}_then`, `${amount}_then`], cells);
}
