import type { Queryable } from "../database/mod.ts";
import type { BoardFigure, DomainBoard } from "../domains/mod.ts";
import {
  cells_say,
  figure_number,
  figures_of_cells,
  figures_of_states,
  kept_condition,
  present_states,
  quantile_number,
  read_quantile_series,
  STEP_S,
  TOO_LONG_FOR_STATES,
  too_long_for_states,
  totals_of,
} from "../feed/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { type Days, format_time, is_extreme, is_kept, type Kept, kept_from } from "../kpi/mod.ts";
import { value_of_rule, type WindowValue } from "./machine.ts";
import { board_of, figure_of_rule, is_relative, type Rule, sketched_key } from "./rule.ts";
import { week_before, type Window } from "./windows.ts";

/** What rules see: their figures, window by window, asked of the read models as boards ask. */

/** What rules are asked about. */
export interface RuledDomain {
  readonly board: DomainBoard;
  readonly days: Days;
}

/** Under fewer of what the domain counts its keys by, a week before, a percent says nothing. */
const LEAST_BASE = 20;

/** A rule cannot be looked at: its filter is answered from states, over fewer days than were asked for; or percentiles of then are not kept. */
export class TooLongForRule extends Error {
  override readonly name = "TooLongForRule";
}

/** The figure of a rule by the start of its windows; those that nothing lies in are left out. @param reading a transaction */
async function read_figures(
  reading: Queryable,
  { board: given, days, kept }: RuledDomain & { readonly kept: Kept },
  rule: Rule,
  figure: BoardFigure,
  { from_us, to_us }: Window,
): Promise<Map<number, number | null>> {
  const board = board_of(given, rule), { filter, window: grain } = rule;
  if (figure.kind === "quantile") {
    if (!is_kept(kept, grain, from_us)) {
      const since = format_time(kept_from(kept, grain));
      throw new TooLongForRule(`look at ${rule.name}: percentiles of windows of ${grain} are kept from ${since} on`);
    }
    const { dimension, key } = sketched_key(board, rule)!;
    const read = await read_quantile_series(reading, board, figure, { grain, dimension, key, from_us, to_us });
    return new Map(read.map(({ at_us, value }) => [at_us, quantile_number(figure, value)]));
  }
  const window = { from_s: from_us / 1e6, to_s: to_us / 1e6, step_s: STEP_S[grain], grain };
  const wants = figure.kind === "distinct" ? { distinct: figure } : { series: true };
  const question = { board, days, kept, filter, window, wants };
  const condition = kept_condition({ board, kept }, filter, window);
  const from_cells = condition !== null && cells_say(board, figure, condition, grain);
  if (!from_cells && too_long_for_states(window)) {
    throw new TooLongForRule(`look at ${rule.name}: ${TOO_LONG_FOR_STATES}`);
  }
  const { buckets } = from_cells
    ? await figures_of_cells(reading, question)
    : await figures_of_states(reading, question, present_states(board));
  return new Map(buckets.map((row) => [
    Number(row.t) * 1e6,
    figure.kind === "distinct" ? Number(row.keys) : figure_number(figure, totals_of(board, row)),
  ]));
}

/** What a figure is of a window that nothing lies in: none of what is counted, and not known of all else. */
function of_nothing({ measures }: DomainBoard, figure: BoardFigure): number | null {
  if (figure.kind === "distinct") return 0;
  if (figure.kind !== "total") return null;
  return is_extreme(measures.find(({ name }) => name === figure.measure)?.kind) ? null : 0;
}

/**
 * Reads what a rule sees of windows that lie side by side. Throws TooLongForRule.
 * @param reading a transaction; how long its statements may take is set by the caller
 */
export async function read_windows(
  reading: Queryable,
  domain: RuledDomain,
  rule: Rule,
  windows: readonly Window[],
): Promise<WindowValue[]> {
  if (windows.length === 0) return [];
  const { board, days } = domain, figure = figure_of_rule(board, rule), nothing = of_nothing(board, figure);
  const asked = { ...domain, kept: (await read_head(reading)).kept };
  const own = await read_figures(reading, asked, rule, figure, spanned(windows));
  const before = is_relative(rule) ? windows.map((each) => week_before(rule, each, days)) : [];
  const counted = { kind: "total", unit: "count", measure: board.default_count, per: 1 } as const;
  const span = before.length === 0 ? null : spanned(before);
  const then_of = span === null ? null : await read_figures(reading, asked, rule, figure, span);
  const base_of = span === null ? null : await read_figures(reading, asked, rule, counted, span);
  return windows.map(({ from_us, to_us }, i) => {
    const value = own.has(from_us) ? own.get(from_us)! : nothing, start_us = before[i]?.from_us ?? NaN;
    const enough = (base_of?.get(start_us) ?? 0) >= LEAST_BASE;
    const then = then_of === null || !enough ? null : then_of.has(start_us) ? then_of.get(start_us)! : nothing;
    return {
      from_us,
      to_us,
      figure: value,
      then,
      value: value_of_rule(rule, value, then, figure.unit === "percent"),
    };
  });
}

/** From the first of some windows to the last; a change of the clocks may put them out of order. */
const spanned = (windows: readonly Window[]): Window => ({
  from_us: Math.min(...windows.map(({ from_us }) => from_us)),
  to_us: Math.max(...windows.map(({ to_us }) => to_us)),
});
