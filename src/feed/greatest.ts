import type { Queryable } from "../database/mod.ts";
import { bucket_end, type Days, format_time, type Grain } from "../kpi/mod.ts";
import { tiles_of } from "./breakdown.ts";
import type { DomainBoard } from "./domain_board.ts";
import type { Filter } from "./filter.ts";
import { filter_sql, is_present, Parameters, type StatesRelation } from "./states_relation.ts";
import type { Stretch } from "./states_sql.ts";

/** Which state a greatest value comes from. */

export interface Greatest {
  readonly stream_id: string;
  /** When its fact happened, microseconds since the Unix epoch. */
  readonly at_us: number;
  /** In the measure's unit. */
  readonly value: bigint;
}

/**
 * Finds the state that holds the greatest of a measure of kind `max` over a stretch under a filter, of several the earliest; null when nothing
 * is counted. Without a filter the cells tell the bucket that it lies in, and no other is read; else all states of the stretch are. How long
 * that may take is set by the caller (statement_timeout).
 */
export async function read_greatest(
  reading: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  measure: string,
  filter: Filter,
  stretch: Stretch,
  days: Days,
): Promise<Greatest | null> {
  const fact = board.facts.find(({ adds }) => measure in adds);
  if (fact === undefined) throw new Error(`find the greatest: no fact adds to ${measure}`);
  const whole = filter.length === 0 && is_present(board, relation);
  const { from_us, to_us } = whole ? await greatest_bucket(reading, board, measure, stretch, days) : stretch;
  const parameters = new Parameters(relation.values);
  const [from, to] = [from_us, to_us].map((us) => `${parameters.add(format_time(us))}::timestamptz`);
  const [found] = await reading.query<{ stream_id: string; at_us: string; value: string }>(
    `select states.${board.stream_column} as stream_id, (extract(epoch from ${fact.at}) * 1000000)::bigint as at_us,
       (${fact.adds[measure]})::bigint as value
     from ${relation.sql} states
     where ${fact.at} >= ${from} and ${fact.at} < ${to} and ${fact.counts} and ${fact.adds[measure]} is not null
       and ${filter_sql(board, filter, parameters)}
     order by value desc, at_us, stream_id limit 1`,
    parameters.values,
  );
  return found === undefined
    ? null
    : { stream_id: found.stream_id, at_us: Number(found.at_us), value: BigInt(found.value) };
}

/** The bucket that holds the greatest; the stretch itself where buckets do not cover it exactly, or have none. */
async function greatest_bucket(
  reading: Queryable,
  board: DomainBoard,
  measure: string,
  stretch: Stretch,
  days: Days,
): Promise<Stretch> {
  const tiles = tiles_of(board, board.whole.dimension, { ...stretch, finest_s: 0 }, days);
  if (tiles[0]?.from_us !== stretch.from_us || tiles.at(-1)?.to_us !== stretch.to_us) return stretch;
  const parameters = new Parameters([board.whole.dimension, board.whole.key]);
  const parts = tiles.map(({ grain, from_us, to_us }) =>
    `select grain, bucket, ${measure} from ${board.tables.cells} where dimension = $1 and key = $2
     and grain = ${parameters.add(grain)} and bucket >= ${parameters.add(format_time(from_us))}::timestamptz
     and bucket < ${parameters.add(format_time(to_us))}::timestamptz`
  );
  const [found] = await reading.query<{ grain: Grain; at_us: string }>(
    `select grain, (extract(epoch from bucket) * 1000000)::bigint as at_us from (${parts.join(" union all ")}) cells
     where ${measure} is not null order by ${measure} desc, bucket limit 1`,
    parameters.values,
  );
  if (found === undefined) return stretch;
  const from_us = Number(found.at_us);
  return { from_us, to_us: bucket_end(found.grain, from_us, days) };
}
