import { plain_array, type Queryable, text_array, type Value } from "../../database/mod.ts";
import type { Domain, DomainBoard } from "../../domains/mod.ts";
import {
  column_literals,
  MOST_FOLDED,
  type PastStream,
  read_past_streams,
  unnested_column,
  unnested_type,
} from "../../event_log/mod.ts";
import { format_time, UNKNOWN } from "../../kpi/mod.ts";
import { dimension_of } from "./figure.ts";
import type { Condition, Filter } from "./filter.ts";

/** Which states are read, as they stand or as they stood at a position of the log, and which of them count: SQL over their rows, which are named `states`. */

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
    ...facts.flatMap(({ at, each = "", counts, adds }) => [at, each, counts, ...Object.values(adds)]),
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
