import { plain_array, type Queryable, text_array } from "../../database/mod.ts";
import type { Domain } from "../../domains/mod.ts";
import { column_literals, MOST_FOLDED, type PastStream, read_past_streams } from "../../event_log/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import type { DomainBoard } from "../../domains/mod.ts";
import { present_states, type StatesRelation } from "./states_relation.ts";

/** All states as they stood at a position of the log, as a set that boards are computed from. */

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
export function past_states(
  domain: Domain,
  board: DomainBoard,
  most_folded: number = MOST_FOLDED,
): PastStates {
  return async (reading, position, head) =>
    position === head
      ? present_states(board)
      : relation_of(domain, board, position, await read_past_streams(reading, domain, position, head, most_folded));
}

/**
 * States whose last event lies at or before the position stand as their rows have them; those with events on both sides are given
 * as they were folded; all others did not exist. Columns that the board does not name are left out.
 */
function relation_of(
  domain: Domain,
  board: DomainBoard,
  position: number,
  past: readonly PastStream[],
): StatesRelation {
  const named = columns_of(board);
  const columns = domain.columns.filter(({ name }) => named.has(name));
  const names = [domain.stream_column, "last_occurred_at", ...columns.map(({ name }) => name)];
  const types = ["text", "timestamptz", ...columns.map(({ type }) => type)];
  const arrays = types.map((type, i) => `$${i + 2}::${type}[]`);
  return {
    sql: `(select ${names.map((name) => `own.${name}`).join(", ")} from ${domain.tables.states} own
             where own.positions[cardinality(own.positions)] <= $1::bigint
           union all select * from unnest(${arrays.join(", ")}) as folded(${names.join(", ")}))`,
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
  const { dimensions, dates, facts, lines } = board;
  const texts = [
    ...facts.flatMap(({ at, counts, adds }) => [at, counts, ...Object.values(adds)]),
    ...lines.fields.map(({ sql }) => sql),
  ];
  return new Set([
    ...dates,
    ...dimensions.flatMap(({ column }) => column ?? []),
    ...texts.flatMap((text) => [...text.matchAll(/\bstates\.(\w+)/g)].map(([, column]) => column!)),
  ]);
}
