import { text_array, type Value } from "../../database/mod.ts";
import { UNKNOWN } from "../../kpi/mod.ts";
import { dimension_of } from "./figure.ts";
import type { DomainBoard } from "../../domains/mod.ts";
import type { Condition, Filter } from "./filter.ts";

/** Where states are read from, and which of them: pieces of SQL over their rows, which are named `states`. Pure. */

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
export function condition_sql(board: DomainBoard, condition: Condition, parameters: Parameters): string {
  const { dimension, keys, excluded } = condition;
  const column = column_sql(board, dimension), unknown = keys.includes(UNKNOWN);
  const listed = `${column} ${excluded ? "<> all" : "= any"}(${parameters.add(text_array(keys))}::text[])`;
  return unknown === excluded ? `(${listed})` : `(${listed} or ${column} is null)`;
}

/** The condition that a state is counted by a filter, to be put after `where`. */
export const filter_sql = (board: DomainBoard, filter: Filter, parameters: Parameters): string =>
  filter.length === 0 ? "true" : filter.map((each) => condition_sql(board, each, parameters)).join(" and ");
