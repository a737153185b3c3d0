import { z } from "@hono/zod-openapi";
import type { Database } from "../../database/mod.ts";
import { type DomainBoard, fields_json, type ShownField, state_json, table_names } from "../../domains/mod.ts";
import { events_archived, read_head, read_kept, type RecordedEvent } from "../../event_log/mod.ts";
import { column_measures, format_time } from "../../kpi/mod.ts";
import type { StreamHistory, StreamStep } from "../../projection/mod.ts";
import { bad_request, not_found, problem } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { currency_schema, position } from "../parameters.ts";
import { answer_tagged, etag_of, read_only, with_person_ids } from "../reading.ts";
import { EVENT, event_json } from "./event_readers.ts";

/** One stream: what is known of it, its events, and what each of them changed. */

/** What streams are told from. */
export interface StreamSource {
  /** The domain's name, which is what its streams are called. */
  readonly name: string;
  readonly database: Database;
  readonly build: string;
  readonly board: DomainBoard;
  readonly time_zone: string;
  readonly currency: string;
  /** What each event of a stream changed, from all its events up to some position. */
  readonly history: (events: readonly RecordedEvent[]) => StreamHistory;
}

const with_events = (change: z.ZodType) => ({
  as_of_position: z.number().nullable().openapi({ description: "The position it is told as of; null: as it is now" }),
  deployment: z.object({ time_zone: z.string(), currency: z.string() }).openapi({
    description: "The business time zone, and the currency of all amounts",
  }),
  events: z.array(EVENT),
  changes: z.array(change).nullable().openapi({
    description:
      "For each event what its arrival changed; null when an event is refused today, or is archived and not among the events: changes_fault says so",
  }),
  changes_fault: z.string().nullable(),
});

/**
 * Adds the route of one stream: `GET /api/v1/{name}/{id}`. Its entity tag is that of the stream's newest event, not of the log: who watches one
 * is answered 304 however much else happens.
 */
export function add_stream_route(app: App, source: StreamSource): void {
  const { name, board } = source;
  const { noun, stream_column } = board;
  const whole = state_schema(board).extend(with_events(change_schema(board))).openapi(`${title(noun)}WithEvents`);
  const select = state_select(board);
  add_endpoint(app, {
    path: `/api/v1/${name}/{id}`,
    summary: `One ${noun}, its events in the order in which they arrived, and what each of them changed`,
    query: { as_of_position: position.optional() },
    params: {
      id: z.string().min(1).max(200).openapi({ description: `The ${noun}, as its producer names it` }),
    },
    answer: { type: "application/json", schema: whole },
    others: {
      404: `No event of that ${noun} has arrived, or had by then`,
      500: "As it stood then it cannot be told today",
    },
    respond: ({ id, as_of_position = null }, request) =>
      read_only(source.database, async (reading) => {
        const head = await read_head(reading);
        if (as_of_position !== null && as_of_position > head.position) {
          const detail = `expected at most ${head.position}, the log's position now; got ${as_of_position}`;
          return bad_request("read the position", [{ path: "as_of_position", detail }]);
        }
        const [row] = await reading.query<{ all_positions: readonly (string | number)[] }>(
          `select ${select}, states.positions as all_positions from ${
            table_names(board).states
          } states where ${stream_column} = $1`,
          [id],
        );
        const positions = (row?.all_positions ?? []).map(Number).filter((at) => at <= (as_of_position ?? Infinity));
        const newest = positions.at(-1);
        if (row === undefined || newest === undefined) return not_found(`no ${noun} ${JSON.stringify(id)}`);
        return await answer_tagged(request, etag_of({ ...head, position: newest }, source.build), async () => {
          const { events, archived } = await read_kept(reading, positions);
          if (archived > 0) {
            const fault = await events_archived(reading, positions[0]!);
            if (as_of_position !== null) throw fault;
            return whole_json(source, state_json(board, row), null, events, { ok: false, fault: fault.message });
          }
          const history = source.history(events);
          const told = (state: Record<string, unknown>) =>
            with_person_ids(reading, board, whole_json(source, state, as_of_position, events, history));
          if (as_of_position === null) return await told(state_json(board, row));
          if (!history.ok) return problem({ status: 500, title: "Cannot be folded", detail: history.fault });
          const then = {
            ...history.steps.at(-1)?.after,
            [stream_column]: id,
            revision: events.length,
            position: newest,
          };
          return await told(state_json(board, then));
        });
      }),
  });
}

function whole_json(
  { board, time_zone, currency: usual }: StreamSource,
  state: Record<string, unknown>,
  as_of_position: number | null,
  events: readonly RecordedEvent[],
  history: StreamHistory,
): string {
  const currency = board.by_currency === undefined ? usual : state.currency;
  const plain = { ...state, as_of_position, deployment: { time_zone, currency } };
  const changes = history.ok ? `[${history.steps.map((step) => change_json(step, board)).join(",")}]` : "null";
  const fault = JSON.stringify(history.ok ? null : history.fault);
  return `${JSON.stringify(plain).slice(0, -1)},"events":[${events.map(event_json).join(",")}],"changes":${changes},` +
    `"changes_fault":${fault}}`;
}

const KNOWN = z.union([z.string(), z.number()]);
const VALUE = z.union([KNOWN, z.array(KNOWN), z.null()]);

const STATUS_CHANGE = z.object({ before: z.string().nullable(), after: z.string() });

/** What an event's arrival changed, as the API gives it; of a domain whose states have a status, that is told apart. */
const change_schema = (board: DomainBoard) =>
  z.object({
    position: z.number().openapi({ description: "Of the event" }),
    ...status_field(board) === null ? {} : { status: STATUS_CHANGE },
    fields: z.array(z.object({ name: z.string(), before: VALUE, after: VALUE })),
    cells: z.array(z.object({
      dimension: z.string(),
      key: z.string(),
      ...currency_schema(board),
      bucket: z.string().openapi({ description: "Its start; of grain all the epoch" }),
      grain: z.string(),
      measures: z.record(z.string(), z.number()).openapi({
        description:
          "Differences of the sums and counts, in the units of the cells: micros of the currency, metres, milliseconds",
      }),
    })).openapi({
      description:
        "The figures it moved, of the finest grain of each dimension; what is least, greatest, first or last is not told",
    }),
  }).openapi(`${title(board.noun)}Change`);

/** Writes a step of a stream's history as JSON. Sums go through digit by digit: micros outgrow a double. */
function change_json(
  { position, before, after, cells }: StreamStep,
  board: DomainBoard,
): string {
  const known = before === null ? null : fields_json(board.fields, before), now = fields_json(board.fields, after);
  const fields = Object.entries(now)
    .map(([name, value]) => ({ name, before: known?.[name] ?? (Array.isArray(value) ? [] : null), after: value }))
    .filter(({ name, before, after }) => name !== "status" && JSON.stringify(before) !== JSON.stringify(after));
  const status = status_field(board) === null ? {} : { status: { before: known?.status ?? null, after: now.status } };
  const moved = cells.flatMap(({ dimension, key, currency, bucket_us, grain, change }) => {
    // Extremes are no sums: theirs is always 0.
    const sums = column_measures(board.measures).map(({ name }, m) => ({ name, sum: change.sum(m) }))
      .filter(({ sum }) => Number(sum) !== 0)
      .map(({ name, sum }) => `${JSON.stringify(name)}:${sum}`);
    if (sums.length === 0) return [];
    const cell = JSON.stringify({
      dimension,
      key,
      ...currency === undefined ? {} : { currency },
      bucket: format_time(bucket_us),
      grain,
    });
    return [`${cell.slice(0, -1)},"measures":{${sums.join(",")}}}`];
  });
  return `${JSON.stringify({ position, ...status, fields }).slice(0, -1)},"cells":[${moved.join(",")}]}`;
}

/** A state as the API reads it and says what it is: `state_json` of its domain writes it. */

/** What a field says where its domain says nothing more. */
const SAYS: Readonly<Record<ShownField["kind"], string>> = {
  time: "RFC 3339, UTC; null: not told",
  text: "As its producer names it; null: unknown",
  number: "As its producer says; null: unknown",
  amount: "Decimal text, in the deployment's currency",
};
const AMOUNT_BY_CURRENCY = "Decimal text, in its currency";

/** The select list of a state, from its table under the name `states`. */
export const state_select = ({ stream_column, fields }: DomainBoard): string =>
  [
    `states.${stream_column}`,
    "states.revision",
    "states.positions[cardinality(states.positions)] as position",
    ...fields.map(({ column, kind, many }) => {
      const value = many ? "item" : `states.${column}`;
      const read = kind === "time" ? `(extract(epoch from ${value}) * 1000000)::bigint` : value;
      if (many) return `array(select ${read}::text from unnest(states.${column}) item) as ${column}`;
      return kind === "time" ? `${read} as ${column}` : read;
    }),
  ].join(", ");

/** The schema of a state. */
export function state_schema({ noun, stream_column, fields, by_currency }: DomainBoard) {
  const says_of = (kind: ShownField["kind"]) =>
    kind === "amount" && by_currency !== undefined ? AMOUNT_BY_CURRENCY : SAYS[kind];
  const shown = (some: readonly ShownField[]) =>
    Object.fromEntries(some.map(({ name, kind, values, always, many, says }) => {
      const known = values !== null ? z.enum(values) : kind === "number" ? z.number() : z.string();
      const said = many ? z.array(known) : always ? known : known.nullable();
      return [name, said.openapi({ description: says ?? says_of(kind) })];
    }));
  return z.object({
    [stream_column]: z.string().openapi({ description: `The ${noun}, as its producer names it` }),
    ...shown(fields.filter(({ always }) => always)),
    revision: z.number().openapi({ description: "How many events of it are in the log" }),
    position: z.number().openapi({ description: "Position of its newest event" }),
    ...shown(fields.filter(({ always }) => !always)),
  }).openapi(title(noun));
}

/** The field that says what became of a stream; null where states have none. */
export const status_field = ({ fields }: DomainBoard): ShownField | null =>
  fields.find(({ name }) => name === "status") ?? null;

/** A noun as titles and the names of schemas begin with it. */
export const title = (noun: string): string => noun.charAt(0).toUpperCase() + noun.slice(1);
