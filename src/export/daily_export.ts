import { type Database, type Queryable, snapshot } from "../database/mod.ts";
import { type DailyDeclaration, type DomainBoard, model_tables } from "../domains/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { type Day, type Days, format_time } from "../kpi/mod.ts";
import type { ExportPlace } from "./place.ts";
import { DAY_S, figure_number, figure_of, figures_of_cells } from "../feed/mod.ts";

/** What daily documents are made of. */
interface DailySource {
  readonly board: DomainBoard;
  readonly days: Days;
}

/** A day's figures, in the shape of `metrics.json`; all but when it was made, which `with_time` adds. */
interface DailyDocument {
  readonly date: string;
  /** Whose amounts it has, of a domain by currency. */
  readonly currency: string | null;
  readonly metrics: Readonly<Record<string, number | null>>;
  /** How much was counted, under the name that the domain declares. */
  readonly counted: readonly [name: string, count: number];
}

/** What a domain declares of days. Throws where it declares nothing. */
function daily_of({ daily, noun }: DomainBoard): DailyDeclaration {
  if (daily === undefined) throw new Error(`read a day's figures: of a ${noun} no daily figures are declared`);
  return daily;
}

/** Reads a day's figures from its cells: rounded half up; zeros for a day without anything. */
export async function read_daily_document(
  reading: Queryable,
  { board, days }: DailySource,
  date: string,
  day: Day,
): Promise<DailyDocument> {
  const { count, metrics } = daily_of(board);
  const window = { from_s: day.start_us / 1e6, to_s: day.end_us / 1e6, step_s: DAY_S, grain: "1d" } as const;
  const wants = { series: true, stretches: [window] };
  const { stretches } = await figures_of_cells(reading, { board, days, filter: [], window, wants });
  const { totals } = stretches[0]!;
  const all = figure_number(figure_of(board, count.figure), totals, 0) ?? 0;
  const nothing = all === 0 ? 0 : null;
  const told = metrics.map(({ name, figure: named, decimals }) => {
    const figure = figure_of(board, named);
    return [name, figure_number(figure, totals, decimals) ?? (figure.unknown ? null : nothing)];
  });
  return { date, currency: board.currency ?? null, metrics: Object.fromEntries(told), counted: [count.name, all] };
}

/** The document as JSON. @param made_ms when it was made, milliseconds */
export const daily_json = (
  { date, currency, metrics, counted: [name, count] }: DailyDocument,
  made_ms: number,
): string =>
  JSON.stringify({
    date,
    ...currency === null ? {} : { currency },
    metrics,
    generated_at: new Date(made_ms).toISOString(),
    [name]: count,
  });

/** Whether a text is a document that says the same, whenever that was made. */
function says_the_same(text: string, document: DailyDocument): boolean {
  try {
    const told = JSON.parse(text) as Record<string, unknown> | null;
    const made_ms = Date.parse(String(told?.generated_at));
    return !Number.isNaN(made_ms) && JSON.stringify(told) === daily_json(document, made_ms);
  } catch (error) {
    // What is no JSON, as a file that somebody else wrote there, says something else.
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** What days are written from, and where. */
export interface DailyExport extends DailySource {
  readonly database: Database;
  readonly place: ExportPlace;
  readonly now_ms: () => number;
}

/** The dates of whole days, ascending, as `YYYY-MM-DD`; up to which position of the log they are known, and by which figures. */
interface ChangedDays {
  readonly dates: readonly string[];
  readonly position: number;
  readonly figures_id: string;
}

/** Where a day's document stands: of a domain by currency those of another one than the deployment's are in a folder that is called after it. */
export const daily_name = (
  date: string,
  { currency, by_currency }: Pick<DomainBoard, "currency" | "by_currency"> = {},
): string => `${currency === by_currency ? "" : `${currency}/`}daily/${date}/metrics.json`;

/**
 * Writes a day's document, unless one that says the same is there: that is left as it is, with its time.
 * Throws where the time zone has no such day.
 */
export async function write_day(source: DailyExport, date: string): Promise<"written" | "unchanged"> {
  const { database, days, place, now_ms } = source, day = days.day_named(date);
  if (day === null) throw new Error(`export the day ${date}: the business time zone has none of that name`);
  const document = await read_daily_document(database, source, date, day), name = daily_name(date, source.board);
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
