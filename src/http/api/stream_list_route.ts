import { z } from "@hono/zod-openapi";
import type { Queryable } from "../../database/mod.ts";
import { type DomainBoard, state_json, table_names } from "../../domains/mod.ts";
import { read_aliases, read_archived, read_at } from "../../event_log/mod.ts";
import { dimension_of, type Filter, filter_sql, find_arrived, Parameters } from "../../feed/mod.ts";
import { UNKNOWN } from "../../kpi/mod.ts";
import { bad_request, problem } from "../answers.ts";
import { add_endpoint, type App } from "../endpoint.ts";
import {
  currency_parameter,
  currency_schema,
  cursor,
  filter_parameters,
  format_cursor,
  instant,
  limit,
  ORDER_PARAMETERS,
  requested_board,
  requested_filter,
  requested_span,
  said_currency,
} from "../parameters.ts";
import { answer_from_log, with_person_ids } from "../reading.ts";
import { state_schema, state_select, status_field, type StreamSource, title } from "./stream_route.ts";

/** The list of streams, in pages that are all of one moment of the log. */

/**
 * Pieces of the log that are looked through for a page, in positions; past them the table of states is read. Measured with 1,000,000 streams of
 * two events on two busy cores: a page without a filter takes 10 ms, both pieces 0.3 s, the table 0.3 s more, and that much for every
 * further million. No index is kept for it: one by position would be written anew with every event.
 */
const PIECES = [5_000, 45_000];
/** Rows of the table that are taken at a time, and how often: each time it is read whole. */
const TABLE_ROWS = 2_000;
const MOST_READINGS = 3;
/** Most events since the first page through which streams of the table are found that have changed. */
const MOST_SINCE = 200_000;

/** A row of `state_select`, with the stream's place in the list; `then` are its positions up to there, where it has changed since. */
type ListedRow = Readonly<Record<string, unknown>> & {
  readonly place: string;
  readonly then: readonly string[] | null;
};

/** Which list: as of which position, of which streams. */
interface StreamList {
  readonly pinned: number;
  readonly filter: Filter;
  /** What the newest event of each is among: positions in (after, last]. */
  readonly after: number;
  readonly last: number;
  /** The position of the log's head by now. */
  readonly head: number;
}

/**
 * Adds the list of streams, `GET /api/v1/{name}`: by their newest event, newest first. The first page's position is pinned in its cursor, and all pages are
 * of the log as it stood there: each stream that there was and that the filter counted is on exactly one page, as it stood then, whatever
 * happens meanwhile.
 */
export function add_stream_list_route(app: App, source: StreamSource): void {
  const { name, board } = source;
  const { noun } = board;
  add_endpoint(app, {
    path: `/api/v1/${name}`,
    summary:
      `${
        title(name)
      }, the one with the newest event first; all pages are as of the first one's position, and all but the last are full. ` +
      "With `order=arrival` those alone whose newest event arrived in a range, or is among the `last`",
    // Filters are named as everywhere; `requested_filter` reads them.
    query: {
      limit: limit(500, 50),
      cursor: cursor.optional(),
      from: instant.optional(),
      to: instant.optional(),
      ...ORDER_PARAMETERS,
      ...currency_parameter(board),
      ...filter_parameters(board),
      ...status_parameters(board),
    },
    params: {},
    answer: {
      type: "application/json",
      schema: z.object({
        as_of_position: z.number().openapi({ description: "The position that all pages are as of" }),
        ...currency_schema(board),
        [name]: z.array(state_schema(board)),
        next_cursor: z.string().nullable(),
      }).openapi(`${title(noun)}Page`),
    },
    others: { 503: "It took too long, or too many ask at a time; see Retry-After" },
    respond: ({ limit: most, cursor: given, ...values }, request) => {
      const filter = requested_filter(request, board);
      if (filter instanceof Response) return filter;
      const span = requested_span(values);
      if (span instanceof Response) return span;
      const { ends, arrival } = span;
      if (ends !== null && arrival === null) {
        const detail = "expected order=arrival beside it: a list has a range of recorded time alone";
        return bad_request("the range is wrong", [{ path: "from", detail }]);
      }
      return answer_from_log(request, source, async (reading, head) => {
        const { pinned, before } = given ?? { pinned: head.position, before: head.position + 1 };
        if (pinned > head.position) {
          const detail = `expected a cursor of this log, which ends at ${head.position}`;
          return bad_request("read the cursor", [{ path: "cursor", detail }]);
        }
        const { after, last } = arrival === null
          ? { after: 0, last: pinned }
          : await find_arrived(reading, arrival, pinned);
        const own = { ...source, board: requested_board(request, board) };
        const list = { pinned, filter: await with_aliases(reading, board, filter), after, last, head: head.position };
        const found = await read_page(reading, own, list, before, most + 1);
        if (found === null) return changed_too_much(name);
        const states = found.slice(0, most);
        const next = found.length > most ? format_cursor(pinned, Number(states.at(-1)!.position)) : null;
        const said = { as_of_position: pinned, ...said_currency(own.board) };
        return await with_person_ids(reading, board, JSON.stringify({ ...said, [name]: states, next_cursor: next }));
      });
    },
  });
}

/** A filter that counts persons by their aliases, too: states as they stood are held against it here. */
const with_aliases = (reading: Queryable, { persons = [] }: DomainBoard, filter: Filter): Promise<Filter> =>
  Promise.all(filter.map(async (condition) => {
    const { dimension, keys } = condition;
    if (!persons.includes(dimension)) return condition;
    return { ...condition, keys: [...keys, ...(await read_aliases(reading, dimension, keys)).values()] };
  }));

/** The statuses by name, where states have one and may be filtered by it. */
function status_parameters(board: DomainBoard) {
  const values = dimension_of(board, "status") === null ? null : status_field(board)?.values ?? null;
  if (values === null) return {};
  const statuses = z.array(z.enum(values)).optional();
  return {
    status: statuses.openapi({ description: "One of these" }),
    not_status: statuses.openapi({ description: "None of these" }),
  };
}

/**
 * The streams of a list that stand before a position, at most so many, newest first. Null when so many of them have changed since, out of the
 * filter, that they cannot all be told anew.
 */
async function read_page(
  reading: Queryable,
  source: StreamSource,
  list: StreamList,
  before: number,
  wanted: number,
): Promise<Record<string, unknown>[] | null> {
  const found: Record<string, unknown>[] = [];
  let end = Math.min(before - 1, list.last), readings = 0;
  const take = async (rows: readonly ListedRow[], start: number, most_rows: number) => {
    found.push(...await as_they_stood(reading, source, list.filter, rows));
    // A reading that is full ends at its last row, another one has seen all of its piece.
    end = rows.length < most_rows ? start : Number(rows.at(-1)!.place) - 1;
  };
  // Past what is archived the table tells on: the log would not name those whose newest event is.
  const kept_after = Math.max(list.after, await read_archived(reading));
  // Where no event is in the database, a stream that has changed since the first page is on none of the others.
  const elsewhere = source.board.log_elsewhere === true;
  if (list.pinned < kept_after && !elsewhere) return null;
  for (const piece of PIECES) {
    const start = Math.max(end - piece, kept_after);
    while (end > start && found.length < wanted) {
      await take(await read_log(reading, source.board, list, [start, end], wanted), start, wanted);
    }
  }
  while (end > list.after && found.length < wanted) {
    if (readings++ === MOST_READINGS || (list.head - list.pinned > MOST_SINCE && !elsewhere)) return null;
    await take(await read_table(reading, source.board, list, end, TABLE_ROWS), list.after, TABLE_ROWS);
  }
  return found.slice(0, wanted);
}

const select_then = (board: DomainBoard, changed: string, positions: string): string =>
  `${state_select(board)}, case when ${changed} then array(select unnest(${positions})::text) end as "then"`;

/** Streams whose place lies in (start, end], through the log's primary key. One that has changed since is not held against the filter here. */
function read_log(
  reading: Queryable,
  board: DomainBoard,
  { pinned, filter }: StreamList,
  [start, end]: readonly [start: number, end: number],
  most_rows: number,
): Promise<ListedRow[]> {
  const parameters = new Parameters([start, end, pinned, most_rows]);
  // An event's revision says where it stands among its stream's positions: the next one there is that of the stream's next event.
  const next = "states.positions[events.revision + 1]";
  return reading.query<ListedRow>(
    `select events.position as place, ${select_then(board, `${next} is not null`, "states.positions[:events.revision]")}
     from events join ${table_names(board).states} states on states.${board.stream_column} = events.stream_id
     where events.position > $1 and events.position <= $2
       and (${next} > $3 or ${next} is null and ${counted_sql(board, filter, parameters)})
     order by events.position desc limit $4`,
    parameters.values,
  );
}

/** As `read_log`, of all places of the list up to `end`, from the states themselves. Those that have changed since are found through the log. */
function read_table(
  reading: Queryable,
  board: DomainBoard,
  { pinned, filter, after }: StreamList,
  end: number,
  most_rows: number,
): Promise<ListedRow[]> {
  const parameters = new Parameters([end, pinned, most_rows, after]);
  const last = "states.positions[cardinality(states.positions)]";
  const then = "states.positions[:cardinality(array(select p from unnest(states.positions) p where p <= $2))]";
  return reading.query<ListedRow>(
    `(select ${last} as place, ${select_then(board, "false", "states.positions")} from ${
      table_names(board).states
    } states
      where ${counted_sql(board, filter, parameters)} and ${last} > $4 and ${last} <= $1 order by place desc limit $3)
     union all
     (select * from (
        select (select max(p) from unnest(states.positions) p where p <= $2) as place, ${
      select_then(board, "true", then)
    }
        from (select distinct stream_id from events where position > $2) since
        join ${table_names(board).states} states on states.${board.stream_column} = since.stream_id
      ) changed where place > $4 and place <= $1 order by place desc limit $3)
     order by place desc limit $3`,
    parameters.values,
  );
}

/** Streams at their places; one that has changed since is folded from its events up to there, and left out when it was not counted then. */
async function as_they_stood(
  reading: Queryable,
  source: StreamSource,
  filter: Filter,
  rows: readonly ListedRow[],
): Promise<Record<string, unknown>[]> {
  const positions = rows.flatMap(({ then }) => (then ?? []).map(Number));
  const events = positions.length === 0 ? [] : await read_at(reading, positions);
  const { board } = source;
  const by_stream = Map.groupBy(events, ({ stream_id }) => stream_id);
  return rows.flatMap((row) => {
    const placed = { ...row, position: row.place };
    const before = by_stream.get(String(row[board.stream_column]));
    if (before === undefined) return [state_json(board, placed)];
    const history = source.history(before);
    // What is refused today cannot be folded: such a one is told as it stands.
    const state = history.ok ? { ...history.steps.at(-1)!.after } : row;
    if (!is_counted(board, filter, state)) return [];
    const { [board.stream_column]: id, place } = row;
    return [state_json(board, { ...state, [board.stream_column]: id, revision: before.length, position: place })];
  });
}

/** The condition that a filter and a board's currency count a state. */
function counted_sql(board: DomainBoard, filter: Filter, parameters: Parameters): string {
  const { currency } = board, counted = filter_sql(board, filter, parameters);
  return currency === undefined ? counted : `${counted} and states.currency = '${currency}'`;
}

/** Whether a state, given by its columns, is counted: as `counted_sql` has it. */
function is_counted(board: DomainBoard, filter: Filter, state: Readonly<Record<string, unknown>>): boolean {
  if (board.currency !== undefined && state.currency !== board.currency) return false;
  return filter.every(({ dimension, keys, excluded }) => {
    const column = dimension_of(board, dimension)?.column;
    if (column == null) throw new Error(`filter by ${JSON.stringify(dimension)}: no column of theirs holds its keys`);
    return keys.includes(String(state[column] ?? UNKNOWN)) !== excluded;
  });
}

function changed_too_much(name: string): Response {
  const detail = `too many ${name} have changed since the first page; begin anew without a cursor`;
  return problem({ status: 503, title: "Took too long", detail });
}
