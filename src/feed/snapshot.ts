import { type Database, plain_array, type Queryable } from "../database/mod.ts";
import type { DomainBoard } from "./domain_board.ts";
import { type Head, read_head } from "../event_log/mod.ts";
import type { Days } from "../kpi/mod.ts";
import type { Board, Line, Reading } from "./board.ts";
import { read_breakdowns } from "./breakdown.ts";
import { cards_of, series_of } from "./board_figures.ts";
import { integer, sum_columns, totals_of } from "./measures.ts";
import { same_window, type Window } from "./view.ts";

/** Reads boards out of the read models: SQL made from the domain's board declaration. */

/** What the feed's readings need. */
export interface SnapshotSource {
  readonly database: Database;
  readonly board: DomainBoard;
  readonly days: Days;
}

/** Most lines of a board. */
export const LINES = 20;
/** How far back in the log the newest states are looked for. A reading of the log's tail by its primary key needs no further index. */
const TAIL = 400;

/**
 * Reads what is stale of the last reading: nothing but the head when the log did not move and no window slid. All that
 * is read comes from one snapshot of the database, so that series, cards and lines agree.
 * @param windows the wanted windows, by view key
 * @param resumed positions that subscribers resume from
 */
export async function read_boards(
  source: SnapshotSource,
  windows: ReadonlyMap<string, Window>,
  resumed: readonly number[],
  last: Reading | null,
): Promise<Reading> {
  const head = await read_head(source.database);
  if (last !== null && is_current(last, head) && resumed.length === 0 && stale_keys(last, windows).length === 0) {
    return last;
  }
  return await source.database.transaction(async (transaction) => {
    await transaction.execute("set transaction isolation level repeatable read, read only");
    const seen = await read_head(transaction);
    const kept = last !== null && is_current(last, seen) ? last : null;
    const boards = new Map<string, Board>();
    for (const [key, window] of windows) {
      const board = kept?.boards.get(key);
      const fresh = board !== undefined && same_window(board.window, window);
      boards.set(key, fresh ? board : await read_board(transaction, source, window));
    }
    return {
      log_id: seen.log_id,
      position: seen.position,
      newest_event_ms: seen.watermark_us === null ? null : Math.floor(seen.watermark_us / 1000),
      boards,
      lines: kept?.lines ?? await read_lines(transaction, source.board, seen.position),
      recorded_ms: await read_recorded(transaction, resumed),
    };
  });
}

const is_current = (last: Reading, head: Head): boolean =>
  last.log_id === head.log_id && last.position === head.position;

const stale_keys = (last: Reading, windows: ReadonlyMap<string, Window>): string[] =>
  [...windows].filter(([key, window]) => {
    const board = last.boards.get(key);
    return board === undefined || !same_window(board.window, window);
  }).map(([key]) => key);

async function read_board(queryable: Queryable, source: SnapshotSource, window: Window): Promise<Board> {
  const { board, days } = source;
  // One statement for the series and, in the row without a bucket, the totals of the range.
  const rows = await queryable.query<Record<string, string | null>>({
    name: `feed_series_${board.tables.cells}`,
    text: `select floor(extract(epoch from bucket))::bigint as t, max(last_position) as changed_at, ${
      sum_columns(board)
    }
           from ${board.tables.cells} cells
           where grain = $1 and dimension = $2 and key = $3
             and bucket >= to_timestamp($4::double precision) and bucket < to_timestamp($5::double precision)
           group by grouping sets ((bucket), ()) order by bucket nulls first`,
  }, [window.grain, board.whole.dimension, board.whole.key, window.from_s, window.to_s]);
  const [total, ...buckets] = rows;
  if (total === undefined) throw new Error(`read series of ${board.tables.cells}: expected a row of totals, got none`);
  const now = await read_now(queryable, board);
  return {
    window,
    series: series_of(board, buckets),
    changed_at: buckets.map((row) => integer(row.changed_at)),
    cards: cards_of(board, totals_of(board, total), now),
    breakdowns: await read_breakdowns(queryable, board, days, window),
  };
}

/** How many states have each key of the board's `now` dimension, at this position. */
async function read_now(queryable: Queryable, board: DomainBoard): Promise<Map<string, number>> {
  const rows = await queryable.query<{ key: string; value: string }>({
    name: `feed_now_${board.tables.cells}`,
    text: `select key, ${board.now.measure} as value from ${board.tables.cells}
           where grain = 'all' and dimension = $1 and bucket = to_timestamp(0)`,
  }, [board.now.dimension]);
  return new Map(rows.map((row) => [row.key, Number(row.value)]));
}

/** The newest states: those of the last events in the log. */
async function read_lines(queryable: Queryable, board: DomainBoard, position: number): Promise<Line[]> {
  const { lines, stream_column, tables } = board;
  const fields = lines.fields.map(({ name, sql, kind }) =>
    `${kind === "time" ? `floor(extract(epoch from ${sql}) * 1000)::bigint` : sql} as ${name}`
  );
  const rows = await queryable.query<Record<string, string | null>>({
    name: `feed_lines_${tables.states}`,
    text: `select newest.position as position, ${fields.join(", ")}
           from (select stream_id, max(position) as position from events where position > $1
                 group by stream_id order by 2 desc limit ${LINES}) newest
           join ${tables.states} states on states.${stream_column} = newest.stream_id
           order by newest.position desc`,
  }, [position - TAIL]);
  return rows.map((row) => {
    const values = lines.fields.map(({ name, kind, per }) => {
      const value = row[name] ?? null;
      return [name, value === null || kind === "text" ? value : Number(value) / per] as const;
    });
    return { ...Object.fromEntries(values), position: integer(row.position) };
  });
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
