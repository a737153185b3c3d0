import type { Queryable } from "../database/mod.ts";
import type { Line } from "./board.ts";
import type { DomainBoard } from "./domain_board.ts";
import type { Filter } from "./filter.ts";
import { integer } from "./measures.ts";
import { filter_sql, Parameters, type StatesRelation } from "./states_relation.ts";

/** The newest states: those of the last events in the log. */

/** Most lines of a board. */
export const LINES = 20;
/** How far back in the log the newest states are looked for. A reading of the log's tail by its primary key needs no further index. */
const TAIL = 400;
/** As above, under a filter: most of the tail may not match. */
const FILTERED_TAIL = 5_000;

/**
 * Reads the newest states that a filter counts, newest first; of older ones than the tail of the log nothing is told.
 * @param relation the states as of the position
 * @param position where the log ends
 */
export async function read_lines(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  filter: Filter,
  position: number,
): Promise<Line[]> {
  const { lines, stream_column, tables } = board;
  const fields = lines.fields.map(({ name, sql, kind }) =>
    `${kind === "time" ? `floor(extract(epoch from ${sql}) * 1000)::bigint` : sql} as ${name}`
  );
  const whole = filter.length === 0;
  const parameters = new Parameters(relation.values);
  const after = parameters.add(position - (whole ? TAIL : FILTERED_TAIL)), last = parameters.add(position);
  // The ids are asked for as a list: joined alone, a relation that is no plain table would be read whole.
  const text = `with newest as materialized (
             select stream_id, max(position) as position from events where position > ${after} and position <= ${last}
             group by stream_id order by 2 desc ${whole ? `limit ${LINES}` : ""}
           )
           select newest.position as position, ${fields.join(", ")}
           from newest join ${relation.sql} states on states.${stream_column} = newest.stream_id
           where states.${stream_column} = any(array(select stream_id from newest))
             and ${filter_sql(board, filter, parameters)}
           order by newest.position desc limit ${LINES}`;
  const rows = await queryable.query<Record<string, string | null>>(
    whole && relation.sql === tables.states ? { name: `feed_lines_${tables.states}`, text } : text,
    parameters.values,
  );
  return rows.map((row) => {
    const values = lines.fields.map(({ name, kind, per }) => {
      const value = row[name] ?? null;
      return [name, value === null || kind === "text" ? value : Number(value) / per] as const;
    });
    return { ...Object.fromEntries(values), position: integer(row.position) };
  });
}
