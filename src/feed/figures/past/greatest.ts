import type { Queryable } from "../../../database/mod.ts";
import {
  ALL_KEPT,
  bucket_end,
  format_time,
  type Grain,
  is_kept,
  type Micros,
  PASSING_GRAINS,
  THEN,
} from "../../../kpi/mod.ts";
import { tiles_of } from "../breakdown.ts";
import { dimension_of } from "../figure.ts";
import type { Asked } from "../question.ts";
import { filter_sql, is_present, Parameters, type StatesRelation } from "../states_relation.ts";
import type { Filter } from "../view.ts";
import { unsettled_in } from "./cells.ts";

/** Which state holds a greatest value, now or as of a position of the log. */

/** The state that holds a greatest value. */
interface Greatest {
  readonly stream_id: string;
  /** When its fact happened, microseconds since the Unix epoch. */
  readonly at_us: number;
  /** In the measure's unit. */
  readonly value: bigint;
}

/**
 * Finds the state that holds the greatest of a measure of kind `max` over a stretch under a filter, of several the earliest; null when nothing
 * is counted. Without a filter the cells tell the bucket that it lies in, and of states as of before no other is read but what was not settled
 * then; else all states of the stretch are. How long that may take is set by the caller (statement_timeout).
 */
export async function read_greatest(
  reading: Queryable,
  { board, days, kept = ALL_KEPT }: Asked,
  relation: StatesRelation,
  measure: string,
  { filter, ...stretch }: { readonly filter: Filter } & Micros,
): Promise<Greatest | null> {
  const fact = board.facts.find(({ adds }) => measure in adds);
  if (fact === undefined) throw new Error(`find the greatest: no fact adds to ${measure}`);
  const in_cells = filter.length === 0 && PASSING_GRAINS.every((grain) => is_kept(kept, grain, stretch.from_us));
  const places = !in_cells ? [stretch] : await places_of(reading, { board, days }, relation, measure, stretch);
  if (places.length === 0) return null;
  const parameters = new Parameters(relation.values);
  const within = places.map(({ from_us, to_us }) => {
    const [from, to] = [from_us, to_us].map((us) => `${parameters.add(format_time(us))}::timestamptz`);
    return `(${fact.at} >= ${from} and ${fact.at} < ${to})`;
  });
  const [found] = await reading.query<{ stream_id: string; at_us: string; value: string }>(
    `select states.${board.stream_column} as stream_id, (extract(epoch from ${fact.at}) * 1000000)::bigint as at_us,
       (${fact.adds[measure]})::bigint as value
     from ${relation.sql} states
     where (${within.join(" or ")}) and ${fact.counts} and ${fact.adds[measure]} is not null
       and ${filter_sql(board, filter, parameters)}
     order by value desc, at_us, stream_id limit 1`,
    parameters.values,
  );
  return found === undefined
    ? null
    : { stream_id: found.stream_id, at_us: Number(found.at_us), value: BigInt(found.value) };
}

const MINUTE_US = 60e6;

/** Where in a stretch the greatest lies: in the bucket that has it, or in what was not settled; in the stretch itself where buckets do not tell. */
async function places_of(
  reading: Queryable,
  { board, days }: Asked,
  relation: StatesRelation,
  measure: string,
  stretch: Micros,
): Promise<readonly Micros[]> {
  const then = relation.touched_us !== undefined, { dimension, key } = board.whole;
  const by_minutes = dimension_of(board, dimension)?.grains[0] === "1m";
  if (!then && !is_present(board, relation) || !by_minutes) return [stretch];
  const unsettled = then ? await unsettled_in(reading, { board, days }, [stretch], relation, MINUTE_US) : [];
  const tiles = tiles_of({ ...board, unsettled }, dimension, { ...stretch, finest_s: 0 }, days);
  if (tiles[0]?.from_us !== stretch.from_us || tiles.at(-1)?.to_us !== stretch.to_us) return [stretch];
  const parameters = new Parameters([dimension, key]);
  const parts = tiles.filter(({ grain }) => grain !== THEN).map(({ grain, from_us, to_us }) =>
    `select grain, bucket, ${measure} from ${board.tables.cells} cells where dimension = $1 and key = $2
     and grain = ${parameters.add(grain)} and bucket >= ${parameters.add(format_time(from_us))}::timestamptz
     and bucket < ${parameters.add(format_time(to_us))}::timestamptz`
  );
  if (parts.length === 0) return unsettled;
  const [found] = await reading.query<{ grain: Grain; at_us: string }>(
    `select grain, (extract(epoch from bucket) * 1000000)::bigint as at_us from (${parts.join(" union all ")}) cells
     where ${measure} is not null order by ${measure} desc, bucket limit 1`,
    parameters.values,
  );
  if (found === undefined) return unsettled;
  const from_us = Number(found.at_us);
  return [{ from_us, to_us: bucket_end(found.grain, from_us, days) }, ...unsettled];
}
