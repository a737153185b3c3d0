import { type Database, snapshot, text_array } from "../database/mod.ts";
import { model_tables } from "../domains/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { all_time_of, dimension_of } from "../feed/mod.ts";
import { bucket_start, UNKNOWN } from "../kpi/mod.ts";
import { after_window, BEGINNING, type Change } from "./machine.ts";
import { read_windows, type RuledDomain } from "./read_windows.ts";
import { board_of, type Rule } from "./rule.ts";
import { last_end, windows_between } from "./windows.ts";

/** What a rule would have done over the windows of a log, each looked at when event time had come to it, with the figures as they stand now. */

/** Windows that are read at a time. */
const PIECE = 500;

/** What came of a rule over a stretch. */
export interface Replayed {
  readonly rule: Rule;
  /** From the first window's start to the last one's end, microseconds; null: the log has no event. */
  readonly stretch: { readonly from_us: number; readonly to_us: number } | null;
  readonly windows: number;
  /** Windows whose value is not known. */
  readonly unknown: number;
  readonly changes: readonly Change[];
}

/**
 * Replays a rule.
 * @param length_us how far back from the newest event
 * @param seen hears how many windows were looked at
 */
export async function replay_rule(
  database: Database,
  domain: RuledDomain,
  rule: Rule,
  length_us: number,
  { signal, seen }: { readonly signal: AbortSignal; readonly seen: (windows: number) => void },
): Promise<Replayed> {
  const { watermark_us } = await read_head(database);
  if (watermark_us === null) return { rule, stretch: null, windows: 0, unknown: 0, changes: [] };
  const end_us = last_end(rule, watermark_us, domain.days);
  const from_us = bucket_start(rule.window, watermark_us - length_us, domain.days);
  const all = windows_between(rule, from_us, end_us, domain.days), changes: Change[] = [];
  let state = BEGINNING, unknown = 0;
  for (let at = 0; at < all.length; at += PIECE) {
    signal.throwIfAborted();
    const piece = all.slice(at, at + PIECE);
    const windows = await snapshot(
      database,
      (reading) => read_windows(reading, domain, rule, piece),
      model_tables(domain.board),
    );
    for (const window of windows) {
      const next = after_window(rule, state, window, true);
      if (next.phase !== state.phase) {
        const since_us = next.since_us ?? state.since_us;
        changes.push({ from: state.phase, to: next.phase, why: "window", window, since_us });
      }
      if (window.value === null) unknown++;
      state = next;
    }
    seen(piece.length);
  }
  return { rule, stretch: { from_us, to_us: end_us }, windows: all.length, unknown, changes };
}

/** The keys of a rule's filter that nothing in the log ever had, by dimension. */
export async function unseen_keys(
  database: Database,
  { board: given }: RuledDomain,
  rule: Rule,
): Promise<{ readonly dimension: string; readonly keys: readonly string[] }[]> {
  const board = board_of(given, rule), unseen = [];
  for (const { dimension, keys } of rule.filter) {
    // Of persons the log may have aliases, which name nobody to who only reads.
    if ((board.persons ?? []).includes(dimension) || dimension_of(board, dimension) === null) continue;
    const rows = await database.query<{ key: string }>(
      `select asked.key from unnest($1::text[]) as asked(key)
       where not exists (select from ${all_time_of(board, dimension)} and key = asked.key)`,
      [text_array(keys)],
    );
    const missing = rows.map(({ key }) => key).filter((key) => key !== UNKNOWN);
    if (missing.length > 0) unseen.push({ dimension, keys: missing });
  }
  return unseen;
}
