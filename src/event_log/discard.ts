import { type Database, plain_array, type Value } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { record_decision } from "./decision.ts";
import { filter_condition, type QuarantineFilter } from "./held.ts";
import { RETURNING_WRITTEN, written_rows } from "./quarantine.ts";

/** What an operator discards, who he is and why. */
export interface Discard {
  readonly filter: QuarantineFilter;
  /** Ids above this one are none of it. */
  readonly newest_id: number;
  /** At most so many at once, oldest first. */
  readonly limit: number;
  readonly by: string;
  readonly reason: string;
}

/**
 * Discards held messages: they keep their bytes and are not retried any more. The decision is recorded with their ids as a batch of its
 * own in the hash chain, in the same transaction.
 * @returns how many were discarded; 0 when none was left, and then nothing was recorded
 */
export function discard_held(database: Database, discard: Discard, recorded_at_us: number): Promise<number> {
  const { filter, newest_id, limit, by, reason } = discard;
  return database.transaction(async (tx) => {
    // The head first, as all who append do: nobody settles one of these messages meanwhile.
    await tx.query("select 1 from log_head for update");
    const values: Value[] = [newest_id, limit];
    const held = await tx.query(
      `select quarantine_id from quarantine where status = 'held' and quarantine_id <= $1
        and ${filter_condition(filter, values)} order by quarantine_id limit $2`,
      values,
    );
    if (held.length === 0) return 0;
    const ids = held.map(({ quarantine_id }) => Number(quarantine_id));
    const discarded = await tx.query(
      `update quarantine q set status = 'discarded', settled_at = $2 where quarantine_id = any($1::bigint[]) ${RETURNING_WRITTEN}`,
      [plain_array(ids), format_time(recorded_at_us)],
    );
    const note = { by, ids, quarantine: written_rows(discarded), reason };
    await record_decision(tx, { kind: "discarded", cursors: [], note }, recorded_at_us);
    return ids.length;
  });
}
