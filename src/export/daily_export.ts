import { type Database, snapshot } from "../database/mod.ts";
import { model_tables } from "../domains/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { daily_json, type DailySource, read_daily_document, says_the_same } from "./daily_document.ts";
import type { ExportPlace } from "./place.ts";

/** What days are written from, and where. */
export interface DailyExport extends DailySource {
  readonly database: Database;
  readonly place: ExportPlace;
  readonly now_ms: () => number;
}

/** The dates of whole days, ascending, as `YYYY-MM-DD`; up to which position of the log they are known, and by which figures. */
export interface ChangedDays {
  readonly dates: readonly string[];
  readonly position: number;
  readonly figures_id: string;
}

/** Where a day's document stands. */
export const daily_name = (date: string): string => `daily/${date}/metrics.json`;

/**
 * Writes a day's document, unless one that says the same is there: that is left as it is, with its time.
 * Throws where the time zone has no such day.
 */
export async function write_day(source: DailyExport, date: string): Promise<"written" | "unchanged"> {
  const { database, days, place, now_ms } = source, day = days.day_named(date);
  if (day === null) throw new Error(`export the day ${date}: the business time zone has none of that name`);
  const document = await read_daily_document(database, source, date, day), name = daily_name(date);
  const there = await place.read(name);
  if (there !== null && says_the_same(there, document)) return "unchanged";
  await place.write(name, daily_json(document, now_ms()));
  return "written";
}

/** The date of the day that ended last. */
export function yesterday({ days }: Pick<DailySource, "days">, now_ms: number): string {
  const { start_us } = days.day_of(now_ms * 1000);
  return days.date_of(start_us - 1);
}

/** The days of a range, both ends among them, as far as the time zone has them. */
export function dates_between(from: string, to: string, { days }: Pick<DailySource, "days">): string[] {
  const dates: string[] = [];
  const last = Temporal.PlainDate.from(to);
  for (
    let date = Temporal.PlainDate.from(from);
    Temporal.PlainDate.compare(date, last) <= 0;
    date = date.add({ days: 1 })
  ) {
    if (days.day_named(String(date)) !== null) dates.push(String(date));
  }
  return dates;
}

/**
 * The days that had ended by a time and in which something changed after a position, or that ended after another time: those whose document
 * may say something else by now.
 * @param since.position 0: all days that anything lies in
 * @param since.figures_id of which figures that was: where others were switched in, all days may say something else; absent: of these
 * @param since.ended_ms days that ended after it are told, whether anything changed in them or not; minus infinity: none
 */
export function days_changed(
  { database, board, days, now_ms }: Pick<DailyExport, "database" | "board" | "days" | "now_ms">,
  since: { readonly position: number; readonly ended_ms: number; readonly figures_id?: string },
): Promise<ChangedDays> {
  const until_us = days.day_of(now_ms() * 1000).start_us;
  return snapshot(database, async (reading) => {
    const { position, figures_id } = await read_head(reading);
    const after = since.figures_id === undefined || since.figures_id === figures_id ? since.position : 0;
    const changed = after === position ? [] : await reading.query<{ start_s: string }>(
      `select extract(epoch from bucket)::bigint as start_s from ${board.tables.cells} cells
       where grain = '1d' and dimension = $1 and key = $2 and bucket < $3::timestamptz and last_position > $4 order by bucket`,
      [board.whole.dimension, board.whole.key, format_time(until_us), after],
    );
    const dates = new Set(changed.map(({ start_s }) => days.date_of(Number(start_s) * 1e6)));
    if (Number.isFinite(since.ended_ms)) {
      for (let end_us = until_us; end_us > since.ended_ms * 1000;) {
        dates.add(days.date_of(end_us - 1));
        end_us = days.day_of(end_us - 1).start_us;
      }
    }
    return { dates: [...dates].sort(), position, figures_id };
  }, model_tables(board));
}
