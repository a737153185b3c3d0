import type { Queryable } from "../../database/mod.ts";
import type { DomainBoard } from "../../domains/mod.ts";
import { ALL_KEPT, is_kept } from "../../kpi/mod.ts";
import { are_kept, figures_of_cells } from "./cells.ts";
import { type BucketRow, type Cards, cards_of, quantile_cards, series_of } from "./figure.ts";
import {
  type Asked,
  condition_of_cells,
  keeps_sketches,
  of_view,
  type Question,
  type Stretch,
  too_long_for_states,
} from "./question.ts";
import { figures_of_states } from "./states.ts";
import { is_present, Parameters, type StatesRelation, with_items } from "./states_relation.ts";
import {
  type Comparison,
  type ComparisonName,
  COMPARISONS,
  cut_s,
  LEAST_BASE,
  present_of,
  STEP_S,
  type Watched,
} from "./view.ts";

/** What a window is held against: its figures then, and since when the log knows of them. */

/** The cards of a stretch [from_s, to_s) that a window is held against. */
export interface ComparedCards extends Stretch {
  /** Null: the log held events before it, so it lies wholly in the log. Else from when on it does, seconds; `to_s`: nothing of it does. */
  readonly since_s: number | null;
  /** How many streams have to be under a figure of then before a change is told as a percent. */
  readonly least_base: number;
  /** Empty where nothing is known of then. */
  readonly cards: Cards;
}

/** What keys of a dimension counted then: its greatest, or all of them. */
export interface ComparedKeys {
  readonly counts: Readonly<Record<string, number>>;
  /** Whether a key that is not named had nothing. */
  readonly all: boolean;
}

/** A view's comparisons: the cards of each, and the series of the one it shows, moved into the present. */
export interface Compared {
  readonly log_id: string;
  readonly position: number;
  readonly cards: Readonly<Record<ComparisonName, ComparedCards>>;
  readonly series: Readonly<Record<string, unknown>>;
  /** Of buckets so wide: they stand beside no others. */
  readonly step_s: number;
  /** By dimension, of the comparison that is shown; none under a filter, and of dimensions that are not cut where it is. */
  readonly keys: Readonly<Record<string, ComparedKeys>>;
}

/** So many of the keys then are told: those of now are mostly among them. */
const KEYS_THEN = 40;

/**
 * Reads the cards of all comparisons, where the log knows anything of their stretches, and since when; and the series of the one that is
 * shown. From the cells of the filter where these have
 * them, as of before those of then, all else from states.
 * @param states all states: as they stand, or as they stood
 */
export async function read_comparisons(
  reading: Queryable,
  asked: Asked,
  { view, window }: Watched,
  states: StatesRelation,
  comparisons: Readonly<Record<ComparisonName, Comparison>>,
): Promise<Pick<Compared, "cards" | "series" | "step_s" | "keys">> {
  const { board, days, kept } = of_view(asked, view);
  const { filter } = view, shown = comparisons[view.compare];
  const condition = condition_of_cells(board, filter, window.grain);
  // Cells say all that is compared but quantiles, where their dimension keeps no sketches; a distinct count that they do not say is not compared.
  const quantiles = quantile_cards(board).size > 0;
  const compared = new Map<ComparisonName, ComparedCards>();
  const of_cells: ComparisonName[] = [], of_states: ComparisonName[] = [];
  const cards = board.cards.filter((card) => "figure" in card);
  const question = (series: boolean, names: readonly ComparisonName[], { window }: Comparison): Question => {
    const stretches = names.map((name) => comparisons[name].stretch);
    return { board, days, kept, filter, window, wants: { series, stretches, cards } };
  };
  // As of before: where the board has the cells of then.
  const of_cells_alone = (name: ComparisonName): boolean =>
    condition !== null &&
    (states.as_of === null
      ? are_kept(question(true, [name], comparisons[name]), condition)
      : board.unsettled !== undefined);
  const finest = cut_s(window) < STEP_S["5m"] ? "1m" : "5m", series_of_cells = of_cells_alone(view.compare);
  for (const name of COMPARISONS) {
    const { stretch } = comparisons[name], { from_s, to_s } = stretch;
    const since_s = from_s === to_s ? null : await read_since(reading, { board, kept }, states, stretch, finest);
    compared.set(name, { from_s, to_s, since_s, least_base: LEAST_BASE, cards: {} });
    if (from_s === to_s || since_s === to_s) continue;
    const computed = condition === null ||
      quantiles && !keeps_sketches(board, condition.dimension) && !too_long_for_states(stretch) ||
      !(name === view.compare ? series_of_cells : of_cells_alone(name));
    (computed ? of_states : of_cells).push(name);
  }
  const asked_of_cells = question(series_of_cells, of_cells, shown);
  const asked_of_states = question(!series_of_cells, of_states, shown);
  const answers = [
    ...condition === null ? [] : [[of_cells, await figures_of_cells(reading, asked_of_cells)] as const],
    [of_states, await figures_of_states(reading, asked_of_states, states)] as const,
  ];
  for (const [names, { stretches }] of answers) {
    names.forEach((name, i) => {
      const { totals, unsummed } = stretches[i]!;
      compared.set(name, { ...compared.get(name)!, cards: cards_of(board, totals, null, unsummed) });
    });
  }
  const whole = filter.length === 0 && of_cells.includes(view.compare) && compared.get(view.compare)?.since_s === null;
  return {
    step_s: window.step_s,
    cards: Object.fromEntries(compared) as Record<ComparisonName, ComparedCards>,
    keys: whole ? await read_compared_keys(reading, asked_of_cells, shown) : {},
    series: present_series({ board, days }, { view, window }, shown, answers.flatMap(([, { buckets }]) => buckets)),
  };
}

/** What the keys of the board's panels counted then. */
async function read_compared_keys(
  reading: Queryable,
  { board, days, kept }: Question,
  { window, stretch }: Comparison,
): Promise<Compared["keys"]> {
  const cut = { ...window, ...stretch };
  const { breakdowns } = board, wants = { breakdowns, keys: KEYS_THEN };
  const question: Question = { board, days, kept, filter: [], window: cut, wants };
  const condition = condition_of_cells(board, [], window.grain);
  if (condition === null || !are_kept(question, condition)) return {};
  const { keys } = await figures_of_cells(reading, question);
  const rows = Map.groupBy(keys, ({ dimension }) => dimension);
  return Object.fromEntries(breakdowns.map(({ dimension }) => {
    const own = rows.get(dimension) ?? [];
    const counts = own.flatMap(({ key, count }) => key === null ? [] : [[key, Number(count)] as const]);
    return [dimension, { counts: Object.fromEntries(counts), all: counts.length === own.length }];
  }));
}

/**
 * How long nothing may have happened before a stretch that lies in the log, seconds. Further back there may be one stray event, of a wrong
 * clock: that is no beginning of a log.
 */
const LONGEST_SILENCE_S = 7 * 86_400;
/** Where there is something nearly always: that little is looked through first. */
const NEAR_S = 3_600;

/** Since when the log holds a stretch, seconds: null where it lies wholly in it, the stretch's end where nothing of it does. */
export async function read_since(
  reading: Queryable,
  asked: Pick<Asked, "board" | "kept">,
  states: StatesRelation,
  { from_s, to_s }: Stretch,
  grain: "1m" | "5m",
): Promise<number | null> {
  const { board, kept = ALL_KEPT } = asked;
  const first = (from_s: number, to_s: number) =>
    states.as_of === null || !is_kept(kept, grain, from_s * 1e6)
      ? read_first(reading, asked, states, { from_s, to_s }, grain)
      : read_first_of_then(reading, board, states, { from_s, to_s }, grain);
  for (const silence_s of [NEAR_S, LONGEST_SILENCE_S]) {
    if (await first(from_s - silence_s, from_s) !== null) return null;
  }
  const first_s = await first(from_s, Math.min(from_s + NEAR_S, to_s)) ?? await first(from_s, to_s);
  return first_s === from_s ? null : first_s ?? to_s;
}

/** As `read_first`, as of before: cells of the whole that have not changed since say what they said, of the others the states of then do. */
async function read_first_of_then(
  reading: Queryable,
  board: DomainBoard,
  states: StatesRelation,
  { from_s, to_s }: Stretch,
  grain: "1m" | "5m",
): Promise<number | null> {
  const { tables, whole: { dimension, key }, measures } = board;
  const [row] = await reading.query<Record<"first_s" | "changed_s" | "last_s", string | null>>(
    `with cells as (
       select floor(extract(epoch from bucket))::bigint as at, last_position > $1 as changed, (${
      filled_sql(measures)
    }) as filled
       from ${tables.cells} cells where grain = '${grain}' and dimension = '${dimension}' and key = '${key}'
         and bucket >= to_timestamp($2::bigint) and bucket < to_timestamp($3::bigint)
     ), settled as (select min(at) as first from cells where filled and not changed)
     select (select first from settled) as first_s, min(at) as changed_s, max(at) as last_s
     from cells where changed and at < coalesce((select first from settled), $3::bigint)`,
    [states.as_of, from_s, to_s],
  );
  const settled_s = row?.first_s == null ? null : Number(row.first_s);
  if (row?.changed_s == null) return settled_s;
  const changed = { from_s: Math.max(Number(row.changed_s), from_s), to_s: Math.min(Number(row.last_s) + 300, to_s) };
  return await read_first(reading, { board }, states, changed, grain) ?? settled_s;
}

/** The condition that a cell has anything: it stays when all that it counted was taken back. */
const filled_sql = (measures: DomainBoard["measures"]): string =>
  measures.flatMap(({ name, kind }) => kind === "count" ? [`${name} > 0`] : []).join(" or ");

/** Where the first event of a stretch lies, by its minute or five, seconds; null where there is none. */
async function read_first(
  reading: Queryable,
  { board, kept = ALL_KEPT }: Pick<Asked, "board" | "kept">,
  states: StatesRelation,
  { from_s, to_s }: Stretch,
  grain: "1m" | "5m",
): Promise<number | null> {
  const { tables, whole: { dimension, key }, measures, facts, dates } = board, cut = STEP_S[grain];
  const parameters = new Parameters(states.values);
  const [from, to] = [from_s, to_s].map((value) => `to_timestamp(${parameters.add(value)}::bigint)`);
  const within = (at: string, last = at) => `${last} >= ${from} and ${at} < ${to}`;
  // Each column that dates a fact by its own index.
  const firsts = is_present(board, states) && is_kept(kept, grain, from_s * 1e6)
    ? [
      `select min(bucket) as at from ${tables.cells} cells where grain = '${grain}' and dimension = '${dimension}'
        and key = '${key}' and (${filled_sql(measures)}) and ${within("bucket")}`,
    ]
    : dates.flatMap(({ column, first, last }) => {
      if (first === last) {
        const dated = facts.filter(({ each }) => each === undefined)
          .map((fact) => `${fact.counts} and ${fact.at} = ${first}`).join(" or ");
        return [`select min(${first}) as at from ${states.sql} states where ${within(first)} and (${dated})`];
      }
      return facts.filter(({ at }) => at === `item.${column}`).map((fact) =>
        `select min(${fact.at}) as at from ${with_items(`${states.sql} states`, fact)}
         where ${within(first, last)} and ${within(fact.at)} and ${fact.counts}`
      );
    });
  const [row] = await reading.query<{ first_s: string | null }>(
    `select floor(extract(epoch from min(at)) / ${cut})::bigint * ${cut} as first_s from (${
      firsts.join(" union all ")
    }) firsts`,
    parameters.values,
  );
  return row?.first_s == null ? null : Number(row.first_s);
}

/** The series of a comparison, moved into the present. */
function present_series(
  { board, days }: Asked,
  { view, window }: Watched,
  comparison: Comparison,
  buckets: readonly BucketRow[],
): Compared["series"] {
  const series = series_of(board, buckets);
  const columns = board.compared_series.map((name) => [name, series[name] ?? []] as const);
  const t = series.t.map((t) => present_of(t, window, comparison, days));
  return { name: view.compare, shift_s: comparison.shift_s, t, ...Object.fromEntries(columns) };
}
