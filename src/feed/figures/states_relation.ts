import { plain_array, type Queryable, text_array, type Value } from "../../database/mod.ts";
import { type Domain, type DomainBoard, rows_of, type StateFact } from "../../domains/mod.ts";
import {
  archived_after,
  column_arrays,
  MOST_FOLDED,
  type PastStream,
  read_past_streams,
  require_log,
  unnested_column,
  unnested_type,
} from "../../event_log/mod.ts";
import { format_time, is_dated, is_extreme, is_least, UNKNOWN } from "../../kpi/mod.ts";
import { dimension_of, keys_of_sql } from "./figure.ts";
import type { Condition, Filter } from "./view.ts";

/** Which states are read, as they stand or as they stood at a position of the log, which of them count, and what their facts add up to: SQL over their rows, which are named `states`. */

/** A set of states: what stands after `from` and before the name `states`. Its parameters are the first of the statement. */
export interface StatesRelation {
  readonly sql: string;
  readonly values: readonly Value[];
  /** The position of a state's newest event, of the row that has this name. */
  readonly newest: (row: string) => string;
  /** The position that they are as of; null: as they stand. */
  readonly as_of: number | null;
  /** Of all states as of a position: when what has changed since had facts then, microseconds. */
  readonly touched_us?: () => readonly number[];
}

/** All states as they stand. */
export const present_states = (board: DomainBoard): StatesRelation => ({
  sql: board.tables.states,
  values: [],
  newest: (row) => `${row}.positions[cardinality(${row}.positions)]`,
  as_of: null,
});

/** Where a relation tells it in a column. */
const newest_told = (row: string): string => `${row}.newest_position`;

/** Whether these are all states as they stand, which the cells know too. */
export const is_present = (board: DomainBoard, relation: StatesRelation): boolean =>
  relation.sql === board.tables.states;

/** Reads what has changed since a position; gives the states as of it: at the head's position as they stand. Throws TooMuchChangedSince. */
export type PastStates = ReturnType<typeof past_states>;

/**
 * Past states of a domain; `board` may be of another currency than the usual one.
 * @param most_folded events that are folded anew for one position, at most
 */
export function past_states(domain: Domain, most_folded: number = MOST_FOLDED) {
  return async (reading: Queryable, position: number, head: number, board = domain.board): Promise<StatesRelation> => {
    if (position === head) return present_states(board);
    const past = relation_of(domain, position, await read_past_streams(reading, domain, position, most_folded));
    return board.currency === undefined ? past : { ...past, sql: rows_of(board.currency, `${past.sql} past`) };
  };
}

/**
 * States whose last event lies at or before the position stand as their rows have them; those with events on both sides are given
 * as they were folded; all others did not exist. Columns that the board does not name are left out.
 */
function relation_of(domain: Domain, position: number, past: readonly PastStream[]): StatesRelation {
  const named = columns_of(domain.board);
  const columns = domain.columns.filter(({ name }) => named.has(name));
  const names = [domain.stream_column, "last_occurred_at", ...columns.map(({ name }) => name)];
  const types = ["text", "timestamptz", ...columns.map(({ type }) => unnested_type(type)), "bigint"];
  const arrays = types.map((type, i) => `$${i + 2}::${type}[]`);
  const last = present_states(domain.board).newest("own");
  return {
    sql: `(select ${names.map((name) => `own.${name}`).join(", ")}, ${last} as newest_position
             from ${domain.tables.states} own where ${last} <= $1::bigint
           union all select folded.${domain.stream_column}, folded.last_occurred_at${
      columns.map((column) => `, ${unnested_column("folded", column)}`).join("")
    }, folded.newest_position
             from unnest(${arrays.join(", ")}) as folded(${names.join(", ")}, newest_position))`,
    values: [
      position,
      text_array(past.map(({ stream_id }) => stream_id)),
      plain_array(past.map(({ last_us }) => format_time(last_us))),
      ...column_arrays(columns, past.map(({ state }) => state)),
      plain_array(past.map((stream) => stream.position)),
    ],
    newest: newest_told,
    as_of: position,
    touched_us: () => past.flatMap(({ state }) => domain.contribution(state).facts.flatMap((of) => of?.at_us ?? [])),
  };
}

/** Events at positions in (after, last] that were recorded in [from_s, to_s), seconds. */
export interface Arrived {
  readonly after: number;
  readonly last: number;
  readonly from_s: number;
  readonly to_s: number;
  /** How many they are, and when the first and the last of them were recorded, microseconds; null where there are none. */
  readonly events: number;
  readonly oldest_us: number | null;
  readonly newest_us: number | null;
}

/** Most events whose streams are added up for one board by arrival. */
export const MOST_ARRIVED = 200_000;

/** More events arrived in a range than are looked at. */
export class TooManyArrived extends Error {
  override readonly name = "TooManyArrived";
}
type ArrivedRow = Readonly<Record<"after" | "last" | "events" | "oldest_us" | "newest_us", string | null>>;

const [OLDEST, NEWEST] = ["min", "max"].map((of) => `(extract(epoch from ${of}(recorded_at)) * 1000000)::bigint`);

/** Which events: so many of the newest, or what was recorded in [from_s, to_s), seconds. */
export type ArrivalSpan = { readonly last: number } | { readonly from_s: number; readonly to_s: number };

/**
 * Finds the events of a span, of those up to a position.
 * @param most of what was recorded, at most
 * Throws TooManyArrived past them, and where some of them are archived; LogElsewhere where no event is in the database.
 */
export async function find_arrived(reading: Queryable, span: ArrivalSpan, position: number, most = MOST_ARRIVED) {
  await require_log(reading);
  const is_last = "last" in span;
  const arrived =
    await (is_last ? find_last(reading, span.last, position) : find_recorded(reading, span, position, most));
  const after = is_last ? Math.max(position - span.last, 0) : arrived.events === 0 ? position : arrived.after;
  const archived = await archived_after(reading, after);
  if (archived !== null) throw new TooManyArrived(`${archived.message}; take a later range`);
  return arrived;
}

async function find_last(reading: Queryable, most: number, position: number): Promise<Arrived> {
  const [row] = await reading.query<ArrivedRow>({
    name: "last_events",
    text: `select min(position) - 1 as after, max(position) as last, count(*) as events,
             ${OLDEST} as oldest_us, ${NEWEST} as newest_us
           from events where position > $1 and position <= $2`,
  }, [position - most, position]);
  const found = arrived_of(row);
  const [from_s, to_s] = [Math.floor((found.oldest_us ?? 0) / 1e6), Math.floor((found.newest_us ?? 0) / 1e6) + 1];
  return { ...found, from_s, to_s };
}

/** Through batches: recorded times follow the positions, but for what clocks of several machines differ. */
async function find_recorded(
  reading: Queryable,
  { from_s, to_s }: { readonly from_s: number; readonly to_s: number },
  position: number,
  most: number,
): Promise<Arrived> {
  const [row] = await reading.query<ArrivedRow>({
    name: "recorded_events",
    // Each of these batches has an event: no more of them need be looked at than events may be.
    text: `select min(first_position) - 1 as after, max(least(last_position, $3)) as last,
             sum(least(last_position, $3) - first_position + 1) as events,
             ${OLDEST} as oldest_us, ${NEWEST} as newest_us
           from (
             select * from batches where recorded_at >= $1::timestamptz and recorded_at < $2::timestamptz
               and last_position >= first_position and first_position <= $3 limit $4
           ) found`,
  }, [format_time(from_s * 1e6), format_time(to_s * 1e6), position, most + 1]);
  const found = { ...arrived_of(row), from_s, to_s };
  if (Math.max(found.events, found.last - found.after) <= most) return found;
  const many = most.toLocaleString("en-US");
  throw new TooManyArrived(
    `more than ${many} events arrived in this range, the most that are looked at; take a shorter one`,
  );
}

function arrived_of(row: ArrivedRow | undefined): Omit<Arrived, "from_s" | "to_s"> {
  const time = (us: string | null = null) => us === null ? null : Number(us);
  return {
    after: Number(row?.after ?? 0),
    last: Number(row?.last ?? 0),
    events: Number(row?.events ?? 0),
    oldest_us: time(row?.oldest_us),
    newest_us: time(row?.newest_us),
  };
}

/** The condition that an event, of the row that has this name, is of a stretch of the log. */
export function arrived_sql(
  row: string,
  { after, last, from_s, to_s }: Pick<Arrived, "after" | "last" | "from_s" | "to_s">,
  parameters: Parameters,
): string {
  const [from, to] = [from_s, to_s].map((s) => `${parameters.add(format_time(s * 1e6))}::timestamptz`);
  return `${row}.position > ${parameters.add(after)} and ${row}.position <= ${parameters.add(last)}
    and ${row}.recorded_at >= ${from} and ${row}.recorded_at < ${to}`;
}

/**
 * Of a set of states those whose newest event arrived in a stretch of the log, and everything that dates their facts is when that was: whatever
 * is asked of states by event time is asked of these by arrival.
 */
export function arrived_states(board: DomainBoard, states: StatesRelation, arrived: Arrived): StatesRelation {
  const { stream_column, dates, facts } = board;
  const parameters = new Parameters(states.values);
  const deciding = new Set(facts.flatMap(({ by }) => by ?? []));
  const columns = [...new Set([stream_column, "last_occurred_at", ...columns_of(board)])].map((name) => {
    const date = dates.find(({ column }) => column === name), own = `own.${name}`;
    // What one batch recorded has one time: of it the later in the log is the last.
    if (deciding.has(`states.${name}`)) return `lpad(event.position::text, 19, '0') as ${name}`;
    if (date === undefined) return own;
    const when = date.first === date.last
      ? "event.recorded_at"
      : `array_fill(event.recorded_at, array[cardinality(${own})])`;
    return `case when ${own} is not null then ${when} end as ${name}`;
  });
  const within = arrived_sql("event", arrived, parameters);
  // A relation that is no plain table would be read whole, were its ids not asked for as a list.
  const listed = is_present(board, states)
    ? "true"
    : `own.${stream_column} = any(array(select event.stream_id from events event where ${within}))`;
  return {
    sql: `(select ${columns.join(", ")}, event.position as newest_position from events event
             join ${states.sql} own on own.${stream_column} = event.stream_id and ${
      states.newest("own")
    } = event.position
             where ${within} and ${listed})`,
    values: parameters.values,
    newest: newest_told,
    as_of: states.as_of,
  };
}

/** The columns of states that a board's declaration names. */
function columns_of(board: DomainBoard): Set<string> {
  const { dimensions, facts, lines, by_currency } = board;
  const texts = [
    ...facts.flatMap(({ at, each = "", by = "", counts, adds }) => [at, each, by, counts, ...Object.values(adds)]),
    ...lines.fields.map(({ sql }) => sql),
  ];
  return new Set([
    ...by_currency === undefined ? [] : ["currency"],
    ...dimensions.flatMap(({ column }) => column ?? []),
    ...texts.flatMap((text) => [...text.matchAll(/\bstates\.(\w+)/g)].map(([, column]) => column!)),
  ]);
}

/** The parameters of a statement that is being written. */
export class Parameters {
  readonly values: Value[];

  /** @param first those that the statement has already */
  constructor(first: readonly Value[] = []) {
    this.values = [...first];
  }

  /** Adds a value; gives what stands for it in the text. */
  add(value: Value): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** The column of a dimension. Throws for one that has no column: a fault of the caller, all states have its key. */
function column_sql(board: DomainBoard, dimension: string): string {
  const column = dimension_of(board, dimension)?.column ?? null;
  if (column === null) {
    throw new Error(`read states by ${JSON.stringify(dimension)}: no column of theirs holds its keys`);
  }
  return `states.${column}`;
}

/** The key of a state in a dimension. */
export const key_sql = (board: DomainBoard, dimension: string): string =>
  dimension === board.whole.dimension
    ? `'${board.whole.key}'::text`
    : `coalesce(${column_sql(board, dimension)}, '${UNKNOWN}')`;

/**
 * The condition that a state has one of a condition's keys, or none of them; of a state without the column's value it may be null for false.
 * The column is asked as it stands, so that its statistics tell the planner how many that are.
 */
function condition_sql(board: DomainBoard, { dimension, keys, excluded }: Condition, parameters: Parameters): string {
  const column = column_sql(board, dimension), unknown = keys.includes(UNKNOWN);
  const given = keys_of_sql(board, dimension, `${parameters.add(text_array(keys))}::text[]`);
  const listed = `${column} ${excluded ? "<> all" : "= any"}(${given})`;
  return unknown === excluded ? `(${listed})` : `(${listed} or ${column} is null)`;
}

/** The condition that a state is counted by a filter, to be put after `where`. */
export const filter_sql = (board: DomainBoard, filter: Filter, parameters: Parameters): string =>
  filter.map((each) => condition_sql(board, each, parameters)).join(" and ") || "true";

/** The condition that a time counts in a part. */
export type Within = (at: string, last?: string) => string;

/** Which of the states that were read count in a part, and which of their times. */
export interface Chosen {
  readonly within: Within;
  readonly from: string;
  readonly counted: string;
}

const has_sql = ({ at, counts }: StateFact, within: Within): string => `${within(at)} and ${counts}`;

/** States, or a row of each fact of them where they may have it several times. */
export const with_items = (from: string, { each }: StateFact): string =>
  each === undefined ? from : `${from} cross join lateral ${each}`;

/** The condition that a state has a fact, where there is but one slot: else the sums ask, each by itself. */
export const has_one_sql = (slots: readonly StateFact[], within: Within): string =>
  slots.length === 1 && slots[0]!.each === undefined ? has_sql(slots[0]!, within) : "true";

/** A measure over all slots in one pass, for states that meet `has_one_sql`; null where none adds to it. */
export function once_sql(board: DomainBoard, name: string, slots: readonly StateFact[], within: Within): string {
  const merge = merge_of(board, name);
  const own = slots.filter(({ adds }) => name in adds).map((slot) => {
    const addition = slot.adds[name]!;
    if (slot.each !== undefined) {
      // What a state adds at each of its times is added up by itself: a pass is a row a state.
      const added = `select ${addition} as addition from ${slot.each} where ${has_sql(slot, within)}`;
      return `${merge}((select ${merge}(addition) from (${added}) added)) filter (where ${slot.counts})`;
    }
    const merged = `${merge}(${addition})`;
    return slots.length === 1 ? merged : `${merged} filter (where ${has_sql(slot, within)})`;
  });
  if (own.length < 2) return own[0] ?? "null";
  return merge === "sum"
    ? own.map((each) => `coalesce(${each}, 0)`).join(" + ")
    : `${merge === "min" ? "least" : "greatest"}(${own.join(", ")})`;
}

/**
 * What fact slots add to some measures, summed by what they are told apart by (of the time `at`), which the rows are grouped by; null for those that
 * a slot has nothing of. Firsts and lasts are rows of their own: an aggregate that sorts would keep those beside it from sharing work.
 */
export function facts_sql(
  board: DomainBoard,
  names: readonly string[],
  apart: (at: string) => string,
  group: string,
  { within, from, counted }: Chosen,
): string {
  const row = (adds: StateFact["adds"], value_of: (name: string, addition: string) => string | null) =>
    names.map((name) => {
      const addition = adds[name];
      return `${(addition === undefined ? null : value_of(name, addition)) ?? "null"}::numeric as ${name}`;
    }).join(", ");
  const sums = board.facts.filter(({ adds }) => names.some((name) => name in adds)).map((slot) => {
    const own = row(
      slot.adds,
      (name, of) => dated_order(board, name) === null ? `${merge_of(board, name)}(${of})` : null,
    );
    return `select ${apart(slot.at)}, ${own} from ${with_items(from, slot)}
      where ${counted} and ${has_sql(slot, within)} group by ${group}`;
  });
  const dated = dated_of(board).filter(({ name }) => names.includes(name)).map(({ name, slot: { at, adds }, best }) =>
    `(select distinct on (${group}) ${apart(at)}, ${row(adds, (each, value) => each === name ? value : null)}
      from ${from} where ${counted} and ${within(at)} and ${best(`${group}, `)})`
  );
  return [...sums, ...dated].join(" union all ");
}

/** Measures of several rows of `facts_sql`. The last of buckets is that of the latest. */
export const merged_sql = (board: DomainBoard, names: readonly string[], cast: string): string =>
  names.map((name) => {
    const order = dated_order(board, name);
    const merged = order === null
      ? `${merge_of(board, name)}(${name})`
      : `(array_agg(${name} order by bucket${order}) filter (where ${name} is not null))[1]`;
    return `${merged}${cast} as ${name}`;
  }).join(", ");

const kind_of = (board: DomainBoard, name: string) => board.measures.find((measure) => measure.name === name)?.kind;

function merge_of(board: DomainBoard, name: string): "sum" | "min" | "max" {
  const kind = kind_of(board, name);
  if (is_dated(kind)) throw new Error(`add up ${name}: it is a ${kind}, found by date and not merged`);
  return is_extreme(kind) ? kind : "sum";
}

/** In which order the first row has a measure's value, after what is ordered by; null: it is found by no date. */
function dated_order(board: DomainBoard, name: string): "" | " desc" | null {
  const kind = kind_of(board, name);
  return is_dated(kind) ? is_least(kind) ? "" : " desc" : null;
}

/** The firsts and lasts of a board: their slots, and what ends a select of them so that its first row is the one. */
export function dated_of(board: DomainBoard) {
  return board.measures.flatMap(({ name }) => {
    const order = dated_order(board, name);
    const slot = board.facts.find(({ adds }) => name in adds);
    if (order === null || slot === undefined) return [];
    const { at, by, counts, adds } = slot;
    const best = (before: string) =>
      `${counts} and ${adds[name]} is not null order by ${before}${
        [at, by, adds[name]].map((each) => `${each}${order}`).join(", ")
      }`;
    return [{ name, slot, best }];
  });
}
