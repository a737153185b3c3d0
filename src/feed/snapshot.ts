import { type Database, plain_array, type Queryable, snapshot } from "../database/mod.ts";
import type { DomainBoard } from "./domain_board.ts";
import { type Head, read_head } from "../event_log/mod.ts";
import type { Days } from "../kpi/mod.ts";
import type { Board, Reading, Watched } from "./board.ts";
import { cards_of } from "./board_figures.ts";
import { read_breakdowns } from "./breakdown.ts";
import { read_cell_figures, read_changed_buckets, read_now } from "./cells.ts";
import type { Condition } from "./filter.ts";
import { read_lines } from "./lines.ts";
import { read_quantiles } from "./quantiles.ts";
import { mark_series, read_revised } from "./revision.ts";
import { condition_of_cells } from "./source.ts";
import { present_states } from "./states_relation.ts";
import { same_window } from "./view.ts";

/** Reads boards out of the read models: SQL made from the domain's board declaration. */

/** What the feed's readings need. */
export interface SnapshotSource {
  readonly database: Database;
  readonly board: DomainBoard;
  readonly days: Days;
}

/**
 * Reads what is stale of the last reading: nothing but the head when the log did not move and no window slid. All that
 * is read comes from one snapshot of the database, so that series, cards and lines agree.
 * @param watched the watched views, by view key; those that no cells answer are passed over
 * @param resumed positions that subscribers resume from
 */
export async function read_boards(
  source: SnapshotSource,
  watched: ReadonlyMap<string, Watched>,
  resumed: readonly number[],
  last: Reading | null,
): Promise<Reading> {
  const { board: declared } = source;
  const answered = [...watched].flatMap(([key, each]) => {
    const condition = condition_of_cells(declared, each.view.filter, each.window.grain);
    return condition === null ? [] : [{ key, watched: each, condition }];
  });
  const fresh = (reading: Reading, key: string, { window }: Watched): Board | null => {
    const board = reading.boards.get(key);
    return board !== undefined && same_window(board.window, window) ? board : null;
  };
  const head = await read_head(source.database);
  const current = last !== null && is_current(last, head) && resumed.length === 0;
  if (current && answered.every(({ key, watched }) => fresh(last, key, watched) !== null)) {
    return last;
  }
  return await snapshot(source.database, async (transaction) => {
    const seen = await read_head(transaction);
    const kept = last !== null && is_current(last, seen) ? last : null;
    const newest_s = seen.watermark_us === null ? null : seen.watermark_us / 1e6;
    const boards = new Map<string, Board>();
    for (const { key, watched, condition } of answered) {
      const goes_on = last !== null && last.log_id === seen.log_id && !went_back(last, seen);
      const before = goes_on ? last.boards.get(key) ?? null : null;
      boards.set(
        key,
        (kept && fresh(kept, key, watched)) ??
          await read_board(transaction, source, watched, condition, newest_s, before),
      );
    }
    return {
      log_id: seen.log_id,
      position: seen.position,
      newest_event_ms: newest_event_ms(seen),
      boards,
      lines: kept?.lines ?? await read_lines(transaction, declared, present_states(declared), [], seen.position),
      recorded_ms: await read_recorded(transaction, resumed),
    };
  });
}

const newest_event_ms = ({ watermark_us }: Head): number | null =>
  watermark_us === null ? null : Math.floor(watermark_us / 1000);

/** Event time may have been set back: nothing else moves then. */
const is_current = (last: Reading, head: Head): boolean =>
  last.log_id === head.log_id && last.position === head.position && last.newest_event_ms === newest_event_ms(head);

/** Whether event time has gone back since: marks that were made before are not believed then. */
const went_back = (last: Reading, head: Head): boolean =>
  (newest_event_ms(head) ?? -Infinity) < (last.newest_event_ms ?? -Infinity);

async function read_board(
  queryable: Queryable,
  { board, days }: SnapshotSource,
  { view: { filter }, window }: Watched,
  condition: Condition,
  newest_event_s: number | null,
  last: Board | null,
): Promise<Board> {
  const { series, changed_at, totals } = await read_cell_figures(queryable, board, condition, window);
  // States move between keys as they go on: that is no correction. The whole is asked, and marks what a correction touched.
  const buckets = await read_changed_buckets(queryable, board, window);
  const revised_ms = await read_revised(queryable, days, window, buckets, newest_event_s, last?.marked ?? null);
  const now = await read_now(queryable, board, condition);
  const stretch = { from_us: window.from_s * 1e6, to_us: window.to_s * 1e6 };
  const quantiles = await read_quantiles(queryable, board, days, condition, stretch);
  const whole_at = new Map(buckets.t.map((t, i) => [t, buckets.changed_at[i]!]));
  const touched = series.t.map((t, i) => changed_at[i]! >= (whole_at.get(t) ?? 0));
  return {
    window,
    series: mark_series(series, { ...buckets, revised_ms }, touched),
    // A mark may change while the bucket's own figures do not.
    changed_at: changed_at.map((at, i) => Math.max(at, whole_at.get(series.t[i]!) ?? at)),
    cards: cards_of(board, totals, now, quantiles),
    breakdowns: filter.length > 0 ? [] : await read_breakdowns(queryable, board, days, window),
    marked: { ...buckets, revised_ms },
  };
}

async function read_recorded(queryable: Queryable, positions: readonly number[]): Promise<Map<number, number>> {
  if (positions.length === 0) return new Map();
  const rows = await queryable.query<{ position: string; recorded_ms: string }>({
    name: "feed_recorded",
    text: `select position, floor(extract(epoch from recorded_at) * 1000)::bigint as recorded_ms
           from events where position = any($1::bigint[])`,
  }, [plain_array([...new Set(positions)])]);
  return new Map(rows.map((row) => [Number(row.position), Number(row.recorded_ms)]));
}
