import type { Queryable } from "../database/mod.ts";
import type { DailyDeclaration, DomainBoard } from "../domains/mod.ts";
import { DAY_S, figure_number, figure_of, figures_of_cells } from "../feed/mod.ts";
import type { Day, Days } from "../kpi/mod.ts";

/** What daily documents are made of. */
export interface DailySource {
  readonly board: DomainBoard;
  readonly days: Days;
}

/** A day's figures, in the shape of `metrics.json`; all but when it was made, which `with_time` adds. */
export interface DailyDocument {
  readonly date: string;
  /** Whose amounts it has, of a domain by currency. */
  readonly currency: string | null;
  readonly metrics: Readonly<Record<string, number | null>>;
  /** How much was counted, under the name that the domain declares. */
  readonly counted: readonly [name: string, count: number];
}

/** What a domain declares of days. Throws where it declares nothing. */
export function daily_of({ daily, noun }: DomainBoard): DailyDeclaration {
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
  const told = metrics.map(({ name, figure, decimals }) => [
    name,
    figure_number(figure_of(board, figure), totals, decimals) ?? nothing,
  ]);
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
export function says_the_same(text: string, document: DailyDocument): boolean {
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
