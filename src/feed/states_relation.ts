import { text_array, type Value } from "../database/mod.ts";
import { UNKNOWN } from "../kpi/mod.ts";
import { dimension_of } from "./breakdown.ts";
import type { DomainBoard } from "./domain_board.ts";
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

/** The key of a state in a dimension. Throws for one that has no column: a fault of the caller, all states have its key. */
export function key_sql(board: DomainBoard, dimension: string): string {
  const column = dimension_of(board, dimension)?.column ?? null;
  if (column === null) {
    throw new Error(`read states by ${JSON.stringify(dimension)}: no column of theirs holds its keys`);
  }
  return `coalesce(states.${column}, '${UNKNOWN}')`;
}

/** The condition that a state is counted by a filter, to be put after `where`. */
export function filter_sql(board: DomainBoard, filter: Filter, parameters: Parameters): string {
  const condition = ({ dimension, keys, excluded }: Condition): string =>
    `${key_sql(board, dimension)} ${excluded ? "<> all" : "= any"}(${parameters.add(text_array(keys))}::text[])`;
  return filter.length === 0 ? "true" : filter.map(condition).join(" and ");
}
