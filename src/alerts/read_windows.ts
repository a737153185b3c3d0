import type { Queryable } from "../database/mod.ts";
import { type BoardFigure, count_of, type DomainBoard, type QuantileFigure } from "../domains/mod.ts";
import {
  type BucketRow,
  buckets_of,
  figure_number,
  figures_of_cells,
  figures_of_states,
  kept_cells_say,
  LEAST_BASE,
  present_states,
  quantile_number,
  read_quantile_series,
  sketched_key,
  STEP_S,
  too_long_for_states,
  too_long_words,
  totals_of,
} from "../feed/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { format_time, is_kept, type Kept, kept_from, type Micros } from "../kpi/mod.ts";
import { median, score_of_count, score_of_figure, type WatchedDomain, WEEKS } from "../unusual/mod.ts";
import { value_of_rule, weeks_before, type WindowValue } from "./machine.ts";
import { board_of, figure_of_rule, is_relative, type Rule } from "./rule.ts";

/** What rules see: their figures, window by window, asked of the read models as boards ask. */

/** A rule cannot be looked at: its filter is answered from states, over fewer days than were asked for; or percentiles of then are not kept. */
class TooLongForRule extends Error {
  override readonly name = "TooLongForRule";
}

/** Figures by the start of their windows; those that nothing lies in are left out. */
type Told = ReadonlyMap<number, number | null>;

/** Percentiles of a rule. @param reading a transaction */
async function read_quantiles(
  reading: Queryable,
  { board: given, kept }: Pick<WatchedDomain, "board"> & { readonly kept: Kept },
  rule: Rule,
  figure: QuantileFigure,
  { from_us, to_us }: Micros,
): Promise<Told> {
  const board = board_of(given, rule), { filter, window: grain } = rule;
  if (!is_kept(kept, grain, from_us)) {
    const since = format_time(kept_from(kept, grain));
    throw new TooLongForRule(`look at ${rule.name}: percentiles of windows of ${grain} are kept from ${since} on`);
  }
  const sketched = sketched_key(board, filter, grain)!;
  const read = await read_quantile_series(reading, board, figure, { ...sketched, from_us, to_us });
  return new Map(read.map(({ at_us, value }) => [at_us, quantile_number(figure, value)]));
}

/** The buckets of a rule's windows that a figure is made of: sums of all measures, or how many keys there are. @param reading a transaction */
async function read_rows(
  reading: Queryable,
  { board: given, days, kept }: WatchedDomain & { readonly kept: Kept },
  rule: Rule,
  figure: Counted,
  { from_us, to_us }: Micros,
): Promise<readonly BucketRow[]> {
  const board = board_of(given, rule), { filter, window: grain } = rule;
  const window = { from_s: from_us / 1e6, to_s: to_us / 1e6, step_s: STEP_S[grain], grain };
  const question = { board, days, kept, filter, window, wants: buckets_of(figure) };
  const from_cells = kept_cells_say({ board, kept }, figure, filter, window);
  if (!from_cells && too_long_for_states(window)) {
    throw new TooLongForRule(`look at ${rule.name}: ${too_long_words(board)}`);
  }
  const { buckets } = from_cells
    ? await figures_of_cells(reading, question)
    : await figures_of_states(reading, question, present_states(board));
  return buckets;
}

type Counted = Exclude<BoardFigure, QuantileFigure>;

/** What a figure is in each of some buckets. */
const by_start = (board: DomainBoard, figure: Counted, rows: readonly BucketRow[]): Told =>
  new Map(rows.map((row) => [
    Number(row.t) * 1e6,
    figure.kind === "distinct"
      ? figure.unknown ? null : Number(row.value)
      : figure_number(figure, totals_of(board, row)),
  ]));

/** What a figure is of a window that nothing lies in: none of what is counted, and not known of all else. */
const of_nothing = (board: DomainBoard, figure: BoardFigure): number | null =>
  figure.kind === "distinct"
    ? figure.each_hour === undefined && !figure.unknown ? 0 : null
    : figure.kind === "quantile"
    ? null
    : figure_number(figure, totals_of(board, {}));

/** From when on a board has been counting whole days, microseconds: weeks before it say nothing. Infinity: it never has. */
async function counting_since(reading: Queryable, { tables: { cells }, whole }: DomainBoard): Promise<number> {
  const [row] = await reading.query<{ since_us: string | null }>(
    `select (extract(epoch from min(bucket) + interval '1 day') * 1000000)::bigint as since_us from ${cells} cells
     where grain = '1d' and dimension = $1 and key = $2`,
    [whole.dimension, whole.key],
  );
  return row?.since_us == null ? Infinity : Number(row.since_us);
}

/** Whether a figure counts something: then it varies as counts do. */
const is_count = ({ measures }: DomainBoard, figure: BoardFigure): boolean =>
  figure.kind === "distinct" && figure.each_hour === undefined ||
  figure.kind === "total" && measures.find(({ name }) => name === figure.measure)?.kind === "count";

/** A window of weeks before: the figure then, and how many there were of what keys are counted by. */
interface Before {
  readonly from_us: number;
  readonly then: number | null;
  readonly base: number;
}

/** How far a figure lies from what it was in weeks before; not known of fewer than are needed. Pure. */
function scored(value: number | null, before: readonly Before[], counts: boolean): Pick<WindowValue, "then" | "value"> {
  const known = before.flatMap(({ then, base }) => then === null ? [] : [{ then, base }]);
  if (value === null || known.length < WEEKS.least) return { then: null, value: null };
  const past = Float64Array.from(known, ({ then }) => then);
  const { expected, score } = counts
    ? score_of_count(value, past)
    : score_of_figure(value, past, median(Float64Array.from(known, ({ base }) => base)));
  return { then: expected, value: Math.abs(score) };
}

/**
 * Reads what a rule sees of windows that lie side by side. Throws TooLongForRule.
 * @param reading a transaction; how long its statements may take is set by the caller
 */
export async function read_windows(
  reading: Queryable,
  domain: WatchedDomain,
  rule: Rule,
  windows: readonly Micros[],
): Promise<WindowValue[]> {
  if (windows.length === 0) return [];
  const { board, days } = domain, figure = figure_of_rule(board, rule), nothing = of_nothing(board, figure);
  const asked = { ...domain, kept: (await read_head(reading)).kept };
  const told = async (span: Micros): Promise<Told> =>
    figure.kind === "quantile"
      ? await read_quantiles(reading, asked, rule, figure, span)
      : by_start(board, figure, await read_rows(reading, asked, rule, figure, span));
  const value_in = (of: Told, start_us: number) => of.has(start_us) ? of.get(start_us)! : nothing;
  const counted = count_of(board.default_count);
  const read_before = async (weeks: number): Promise<Before[]> => {
    const before = windows.map((each) => weeks_before(rule, each, days, weeks)), span = spanned(before);
    const rows = await read_rows(reading, asked, rule, counted, span), base_of = by_start(board, counted, rows);
    // Sums are all in the same rows.
    const is_sum = figure.kind === "total" || figure.kind === "mean";
    const then_of = is_sum ? by_start(board, figure, rows) : await told(span);
    return before.map(({ from_us }) => (
      { from_us, then: value_in(then_of, from_us), base: base_of.get(from_us) ?? 0 }
    ));
  };
  const own = await told(spanned(windows));
  const values = windows.map(({ from_us }) => value_in(own, from_us));
  if (rule.comparison === "score") {
    const since_us = await counting_since(reading, board_of(board, rule)), weeks: Before[][] = [];
    for (let week = 1; week <= WEEKS.most; week++) {
      if (weeks_before(rule, windows.at(-1)!, days, week).from_us < since_us) break;
      weeks.push(await read_before(week));
    }
    const counts = is_count(board, figure);
    return windows.map((window, i) => {
      const before = weeks.map((each) => each[i]!).filter(({ from_us }) => from_us >= since_us);
      return { ...window, figure: values[i]!, ...scored(values[i]!, before, counts) };
    });
  }
  const before = is_relative(rule) ? await read_before(1) : null;
  return windows.map((window, i) => {
    const value = values[i]!, base = before?.[i]?.base ?? 0;
    const then = base < LEAST_BASE ? null : before?.[i]?.then ?? null;
    return { ...window, figure: value, then, value: value_of_rule(rule, value, then, figure.unit === "percent") };
  });
}

/** From the first of some windows to the last; a change of the clocks may put them out of order. */
const spanned = (windows: readonly Micros[]): Micros => ({
  from_us: Math.min(...windows.map(({ from_us }) => from_us)),
  to_us: Math.max(...windows.map(({ to_us }) => to_us)),
});
