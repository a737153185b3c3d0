import { z } from "@hono/zod-openapi";
import type { Database } from "../../database/mod.ts";
import { type DomainBoard, fields_json, type ShownField, state_json, table_names } from "../../domains/mod.ts";
import { events_archived, read_head, read_kept, type RecordedEvent, require_log } from "../../event_log/mod.ts";
import { column_measures, format_time } from "../../kpi/mod.ts";
import type { StreamHistory, StreamStep } from "../../projection/mod.ts";
import type { Clock } from "../../runtime/mod.ts";
import { bad_request, matches_etag, not_found, problem } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import { currency_schema, position } from "../parameters.ts";
import { answer_json, answer_tagged, answer_untagged, etag_of, Gate, read_only, with_person_ids } from "../reading.ts";
import { EVENT, event_json } from "./events/mod.ts";

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
  readonly clock: Clock;
  /** What each event of a stream changed, from all its events up to some position. */
  readonly history: (events: readonly RecordedEvent[]) => StreamHistory;
  /** Looks for a stream's events in the topics, where a Flink job writes the tables; absent: events are nowhere but in the log. */
  readonly look_in_topics?: (stream: SoughtStream) => Promise<FoundEvents>;
}

/** A stream whose events are looked for. */
export interface SoughtStream {
  readonly id: string;
  /** The earliest time that is known of it, microseconds since the Unix epoch. */
  readonly since_us: number;
  /** How many events the job has counted; of a thousand and more: a thousand. */
  readonly revision: number;
}

/** What was found of a stream's events in topics. */
export interface FoundEvents {
  /** In the order in which they arrived, each once; their positions count them. */
  readonly events: readonly RecordedEvent[];
  /** Whether as many are there as the job has counted. */
  readonly complete: boolean;
  /** What was looked through, and why no more was, in words. */
  readonly says: string;
  /** Whether the next try may find what this one did not. */
  readonly passing: boolean;
}

const with_events = (event: z.ZodType, change: z.ZodType) => ({
  as_of_position: z.number().nullable().openapi({ description: "The position it is told as of; null: as it is now" }),
  deployment: z.object({ time_zone: z.string(), currency: z.string() }).openapi({
    description: "The business time zone, and the currency of all amounts",
  }),
  events: z.array(event),
  changes: z.array(change).nullable().openapi({
    description:
      "For each event what its arrival changed; null when an event is refused today, or is archived and not among the events: changes_fault says so",
  }),
  changes_fault: z.string().nullable(),
});

/** What is added where events are looked for in topics; they have no position there. */
const IN_TOPICS = {
  event: EVENT.extend({
    position: z.null(),
    recorded_at: z.string().openapi({
      description: "The time of the message: when its producer sent it, or the broker took it",
    }),
  }).openapi("EventInTopic"),
  topics: z.object({
    complete: z.boolean().openapi({ description: "Whether as many events were found as the job counted" }),
    equal: z.boolean().nullable().openapi({
      description: "Whether they fold to the row that the job wrote; null: not all of them are there",
    }),
    differences: z.array(z.object({ name: z.string(), row: z.unknown(), events: z.unknown() })),
    says: z.string().openapi({ description: "What was looked through, and what came of it, in words" }),
  }),
};

/**
 * Adds the route of one stream: `GET /api/v1/{name}/{id}`. Its entity tag is that of the stream's newest event, not of the log: who watches one
 * is answered 304 however much else happens. Where a Flink job writes the tables its events are looked for in the topics, one stream at a time.
 */
export function add_stream_route(app: App, source: StreamSource): void {
  const { name, board } = source, { noun } = board;
  const look = source.look_in_topics === undefined ? null : one_at_a_time(source.look_in_topics);
  const whole = state_schema(board).extend(
    look === null
      ? with_events(EVENT, change_schema(board, z.number()))
      : { ...with_events(IN_TOPICS.event, change_schema(board, z.null())), topics: IN_TOPICS.topics },
  ).openapi(`${title(noun)}WithEvents`);
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
      look !== null && as_of_position === null
        ? answer_from_topics(source, request, id, look)
        : answer_from_events(source, request, id, as_of_position),
  });
}

/** Answers with a stream as it is, or was at a position, and its events out of the log. */
function answer_from_events(
  source: StreamSource,
  request: Request,
  id: string,
  as_of_position: number | null,
): Promise<Response> {
  const { board } = source, { noun, stream_column } = board;
  return read_only(source.database, async (reading) => {
    if (as_of_position !== null) await require_log(reading);
    const head = await read_head(reading);
    if (as_of_position !== null && as_of_position > head.position) {
      const detail = `expected at most ${head.position}, the log's position now; got ${as_of_position}`;
      return bad_request("read the position", [{ path: "as_of_position", detail }]);
    }
    const [row] = await reading.query<{ all_positions: readonly (string | number)[] }>(
      `select ${state_select(board)}, states.positions as all_positions from ${
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
        const history = { ok: false as const, fault: fault.message };
        return whole_json(source, state_json(board, row), null, { events, history });
      }
      const history = source.history(events);
      const told = (state: Record<string, unknown>) =>
        with_person_ids(reading, board, whole_json(source, state, as_of_position, { events, history }));
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
  });
}

/** What is told of a stream's events. */
interface Told {
  readonly events: readonly RecordedEvent[];
  readonly history: StreamHistory;
  /** What came of looking for them in topics; absent: they are in the log. */
  readonly topics?: z.output<typeof IN_TOPICS.topics>;
}

function whole_json(
  { board, time_zone, currency: usual }: StreamSource,
  state: Record<string, unknown>,
  as_of_position: number | null,
  { events, history, topics }: Told,
): string {
  const currency = board.by_currency === undefined ? usual : state.currency;
  const plain = {
    ...state,
    as_of_position,
    deployment: { time_zone, currency },
    ...topics === undefined ? {} : { topics },
  };
  const place = ({ position }: { readonly position: number }) => topics === undefined ? position : null;
  const changes = history.ok
    ? `[${history.steps.map((step) => change_json(step, board, place(step))).join(",")}]`
    : "null";
  const fault = JSON.stringify(history.ok ? null : history.fault);
  const told = events.map((event) => event_json(event, place(event))).join(",");
  return `${JSON.stringify(plain).slice(0, -1)},"events":[${told}],"changes":${changes},"changes_fault":${fault}}`;
}

type Look = NonNullable<StreamSource["look_in_topics"]>;

/** Who looks into topics for a stream, and how many wait for how long; all others are told to come again. */
const LOOKING = { most: 1, waiting: 10, wait_ms: 5_000 };

/** Has streams looked for one at a time, however many ask; who asks for the same one shares what is found. */
function one_at_a_time(look: Look): Look {
  const gate = new Gate(LOOKING), under_way = new Map<string, Promise<FoundEvents>>();
  const busy: FoundEvents = {
    events: [],
    complete: false,
    says: "the topics were not looked into: others look into them now; come again",
    passing: true,
  };
  return (stream) => {
    const key = JSON.stringify(stream), same = under_way.get(key);
    if (same !== undefined) return same;
    const found = gate.run(() => look(stream)).then((found) => found ?? busy).finally(() => under_way.delete(key));
    under_way.set(key, found);
    return found;
  };
}

/** Answers with a stream's row and with its events out of topics. The database is let go of before these are looked into. */
async function answer_from_topics(source: StreamSource, request: Request, id: string, look: Look): Promise<Response> {
  const { board, build, clock } = source, { stream_column, dates } = board;
  const since = `least(${[...dates.map(({ first }) => first), "states.last_occurred_at"].join(", ")})`;
  const known = await read_only(source.database, async (reading) => {
    const head = await read_head(reading);
    const [row] = await reading.query(
      `select ${state_select(board)}, (extract(epoch from ${since}) * 1000000)::bigint as since_us
        from ${table_names(board).states} states where ${stream_column} = $1`,
      [id],
    );
    return row === undefined ? null : { row, head: { ...head, position: Number(row.position) } };
  }, board);
  if (known === null) return not_found(`no ${board.noun} ${JSON.stringify(id)}`);
  const { row, head } = known, minute = Math.floor(clock.now_ms() / 60_000);
  // What was not found is looked for again, once a minute.
  const whole_tag = etag_of(head, build), partial_tag = etag_of(head, `${build}-${minute}`);
  const has = [whole_tag, partial_tag].find((tag) => matches_etag(request.headers.get("if-none-match"), tag));
  if (has !== undefined) return answer_json(request, has, "");
  const found = await look({ id, since_us: Number(row.since_us), revision: Number(row.revision) });
  const state = state_json(board, row), body = whole_json(source, state, null, told_of_topics(source, state, found));
  if (found.passing) return answer_untagged(body);
  return answer_json(request, found.complete ? whole_tag : partial_tag, body);
}

/** What a stream's events out of topics come to, held against the state that the job wrote. */
function told_of_topics(
  { board, history: history_of }: StreamSource,
  state: Readonly<Record<string, unknown>>,
  { events, complete, says }: FoundEvents,
): Told {
  const history: StreamHistory = complete
    ? history_of(events)
    : { ok: false, fault: "not all of its events were found" };
  const told = { complete, equal: null, differences: [], says };
  if (!history.ok) return { events, history, topics: told };
  const { stream_column } = board, { revision, position, [stream_column]: id } = state;
  const folded = state_json(board, { ...history.steps.at(-1)?.after, [stream_column]: id, revision, position });
  const differences = Object.keys(state).filter((name) => JSON.stringify(state[name]) !== JSON.stringify(folded[name]))
    .map((name) => ({ name, row: state[name], events: folded[name] }));
  const equal = differences.length === 0;
  const fold = equal
    ? "folded they make the row that the job wrote"
    : `folded they make another row than the job wrote: ${differences.map(({ name }) => name).join(", ")}`;
  return { events, history, topics: { complete, equal, differences, says: `${says}; ${fold}` } };
}

const KNOWN = z.union([z.string(), z.number()]);
const VALUE = z.union([KNOWN, z.array(KNOWN), z.null()]);

const STATUS_CHANGE = z.object({ before: z.string().nullable(), after: z.string() });

/** What an event's arrival changed, as the API gives it; of a domain whose states have a status, that is told apart. */
const change_schema = (board: DomainBoard, position: z.ZodType) =>
  z.object({
    position: position.openapi({ description: "Of the event" }),
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
  { before, after, cells }: StreamStep,
  board: DomainBoard,
  position: number | null,
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
