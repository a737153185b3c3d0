import { plain_array, type Queryable, text_array, type Value } from "../../database/mod.ts";
import type { Domain, DomainBoard, StateFact } from "../../domains/mod.ts";
import {
  column_literals,
  MOST_FOLDED,
  type PastStream,
  read_past_streams,
  unnested_column,
  unnested_type,
} from "../../event_log/mod.ts";
import { format_time, is_dated, is_extreme, is_least, UNKNOWN } from "../../kpi/mod.ts";
import { dimension_of } from "./figure.ts";
import type { Condition, Filter } from "./filter.ts";

/** Which states are read, as they stand or as they stood at a position of the log, which of them count, and what their facts add up to: SQL over their rows, which are named `states`. */

/** A set of states: what stands after `from` and before the name `states`. Its parameters are the first of the statement. */
export interface StatesRelation {
  readonly sql: string;
  readonly values: readonly Value[];
}

/** All states as they stand. */
export const present_states = (board: DomainBoard): StatesRelation => ({ sql: board.tables.states, values: [] });

/** Whether these are all states as they stand, which the cells know too. */
export const is_present = (board: DomainBoard, relation: StatesRelation): boolean =>
  relation.sql === board.tables.states;

/**
 * Reads what has changed since a position; gives the states as of it.
 * @param head the head's position: there, the states as they stand
 * Throws TooMuchChangedSince.
 */
export type PastStates = (reading: Queryable, position: number, head: number) => Promise<StatesRelation>;

/**
 * Past states of a domain.
 * @param most_folded events that are folded anew for one position, at most
 */
export function past_states(domain: Domain, most_folded: number = MOST_FOLDED): PastStates {
  return async (reading, position, head) =>
    position === head
      ? present_states(domain.board)
      : relation_of(domain, position, await read_past_streams(reading, domain, position, head, most_folded));
}

/**
 * States whose last event lies at or before the position stand as their rows have them; those with events on both sides are given
 * as they were folded; all others did not exist. Columns that the board does not name are left out.
 */
function relation_of(domain: Domain, position: number, past: readonly PastStream[]): StatesRelation {
  const named = columns_of(domain.board);
  const columns = domain.columns.filter(({ name }) => named.has(name));
  const names = [domain.stream_column, "last_occurred_at", ...columns.map(({ name }) => name)];
  const types = ["text", "timestamptz", ...columns.map(({ type }) => unnested_type(type))];
  const arrays = types.map((type, i) => `$${i + 2}::${type}[]`);
  return {
    sql: `(select ${names.map((name) => `own.${name}`).join(", ")} from ${domain.tables.states} own
             where own.positions[cardinality(own.positions)] <= $1::bigint
           union all select folded.${domain.stream_column}, folded.last_occurred_at${
      columns.map((column) => `, ${unnested_column("folded", column)}`).join("")
    }
             from unnest(${arrays.join(", ")}) as folded(${names.join(", ")}))`,
    values: [
      position,
      text_array(past.map(({ stream_id }) => stream_id)),
      plain_array(past.map(({ last_us }) => format_time(last_us))),
      ...column_literals(columns, past.map(({ state }) => state)),
    ],
  };
}

/** The columns of states that a board's declaration names. */
function columns_of(board: DomainBoard): Set<string> {
  const { dimensions, facts, lines } = board;
  const texts = [
    ...facts.flatMap(({ at, each = "", by = "", counts, adds }) => [at, each, by, counts, ...Object.values(adds)]),
    ...lines.fields.map(({ sql }) => sql),
  ];
  return new Set([
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
  `coalesce(${column_sql(board, dimension)}, '${UNKNOWN}')`;

/**
 * The condition that a state has one of a condition's keys, or none of them; of a state without the column's value it may be null for false.
 * The column is asked as it stands, so that its statistics tell the planner how many that are.
 */
function condition_sql(board: DomainBoard, condition: Condition, parameters: Parameters): string {
  const { dimension, keys, excluded } = condition;
  const column = column_sql(board, dimension), unknown = keys.includes(UNKNOWN);
  const listed = `${column} ${excluded ? "<> all" : "= any"}(${parameters.add(text_array(keys))}::text[])`;
  return unknown === excluded ? `(${listed})` : `(${listed} or ${column} is null)`;
}

/** The condition that a state is counted by a filter, to be put after `where`. */
export const filter_sql = (board: DomainBoard, filter: Filter, parameters: Parameters): string =>
  filter.length === 0 ? "true" : filter.map((each) => condition_sql(board, each, parameters)).join(" and ");

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
