import { plain_array, type Queryable } from "../../../database/mod.ts";
import { type DomainBoard, type StateFact, table_names } from "../../../domains/mod.ts";
import {
  bucket_end,
  bucket_start,
  column_measures,
  date_column,
  type Days,
  format_time,
  type Grain,
  is_dated,
  is_extreme,
  is_least,
  type Measure,
  type Micros,
  sketches_among,
  THEN,
  time_or_null,
} from "../../../kpi/mod.ts";
import { date_sql } from "../../../projection/mod.ts";
import { states_columns, states_touching } from "../breakdown.ts";
import { dimension_of, figure_of } from "../figure.ts";
import { measures_by } from "../keyed.ts";
import { type Asked, asked_distinct, kept_question, type Question, too_long_for_states } from "../question.ts";
import { is_present, key_sql, Parameters, type StatesRelation, with_items } from "../states_relation.ts";
import { together } from "../states_sql.ts";
import { type Comparison, type ComparisonName, COMPARISONS, micros, type Watched, type Window } from "../view.ts";

/**
 * Cells as of a position of the log: another relation for whoever reads cells.
 *
 * A bucket is settled when nothing in it has changed since the position: then its cells say what they said. It is not where the cell of the whole was
 * changed later (its `last_position`), nor where a stream that has events on both sides of the position had a fact then: that may have gone from
 * one key to another, which the whole does not hear of. Streams that began later are in cells of the whole that changed later. So few buckets are
 * not settled, however long ago the position: those that were filled when it was the newest, and what was corrected since.
 *
 * Settled stretches are read from cells, as few as cover them. What the rest was is added up from the states as of the position, in one statement, into
 * pieces between the borders that are asked for; the readers find it under the grain `then`. It is kept as a setting of the transaction: a snapshot
 * that may only read has no tables of its own, and every statement would need it among its parameters.
 *
 * Chosen over cells less the difference of what changed since: extremes and distinct counts do not go back, and no index finds streams that began
 * since; and over snapshots of cells by day, which late events change, too.
 */

/** What a view's board and its comparisons are read over. */
interface Spans {
  /** The windows whose buckets are told. */
  readonly series: readonly Window[];
  /** Where any of it begins or ends, microseconds. */
  readonly ends: readonly number[];
  /** All of it, widened to whole buckets. */
  readonly all: readonly Micros[];
  /** The buckets that any of it begins or ends within. */
  readonly cut: readonly Micros[];
}

/** What is wanted of a dimension's cells: some of its measures; pieces that buckets of series are made of. */
interface Need {
  readonly dimension: string;
  readonly measures: readonly string[];
  readonly of_series: boolean;
  readonly sketches: readonly string[];
}

/** More stretches than this are joined to fewer, those that lie nearest: each is a part of every statement. */
const MOST_STRETCHES = 16;

/**
 * The board of a view whose cells are those of then: what `cells_question` asks of it, and its comparisons, `figures_of_cells` answers as of the
 * position. To be called within a transaction. Null where the view's cells do not answer it, and where too much of them is not settled.
 * @param states all of them, as of the position
 */
export async function board_of_then(
  reading: Queryable,
  asked: Asked,
  watched: Watched,
  states: StatesRelation,
  comparisons: Readonly<Record<ComparisonName, Comparison>>,
): Promise<DomainBoard | null> {
  const question = kept_question(asked, watched, comparisons);
  if (question === null) return null;
  const { board, days } = question, needs = needs_of(question), finest_us = coarsest_of_finest(board, needs);
  if (states.as_of === null) return is_present(board, states) ? { ...board, unsettled: [] } : null;
  if (states.touched_us === undefined) return null;
  const spans = spans_of(watched, comparisons, finest_us);
  if (!spans.series.every((window) => is_aligned(window, finest_us, days))) return null;
  const changed = await unsettled_in(reading, { board, days }, spans.all, states, finest_us);
  // Where a stretch begins or ends within a bucket, that is added up, too: in two pieces.
  const unsettled = fewer([...changed, ...spans.cut]);
  const length_s = unsettled.reduce((sum, { from_us, to_us }) => sum + to_us - from_us, 0) / 1e6;
  if (too_long_for_states({ from_s: 0, to_s: length_s })) return null;
  if (unsettled.length === 0) return { ...board, unsettled };
  await add_up(reading, { board, days }, needs, { spans, unsettled }, states);
  return { ...board, names: table_names(board), tables: tables_of_then(board, states.as_of), unsettled };
}

/**
 * What of some stretches was not settled at the position that states are as of, as few stretches, ascending.
 * @param width_us that of buckets that make it up
 */
export async function unsettled_in(
  reading: Queryable,
  { board, days }: Asked,
  stretches: readonly Micros[],
  { as_of, touched_us = () => [] }: StatesRelation,
  width_us: number,
): Promise<readonly Micros[]> {
  const changed = await changed_since(reading, board, days, stretches, as_of ?? Number.MAX_SAFE_INTEGER);
  const touched = touched_us().map((us) => ({ from_us: us, to_us: us + 1 }));
  return fewer([...changed, ...touched].flatMap((each) => overlaps(widened(each, width_us), stretches)));
}

/** What the board of a view and its comparisons ask of the cells of each dimension. */
function needs_of(question: Question): Need[] {
  const { board, filter, wants: { breakdowns = [], keyed = [] } } = question;
  const columns = column_measures(board.measures).map(({ name }) => name);
  const own = filter[0]?.dimension ?? board.whole.dimension, { sketches = [] } = dimension_of(board, own)!;
  const needs = new Map<string, Need>([[own, {
    dimension: own,
    measures: columns,
    of_series: true,
    sketches: sketches.length === 0 ? [] : sketches_among(board.measures).map(({ name }) => name),
  }]]);
  const add = (dimension: string, measures: readonly string[], of_series: boolean) => {
    const before = needs.get(dimension);
    needs.set(dimension, {
      dimension,
      measures: columns.filter((name) => measures.includes(name) || before?.measures.includes(name)),
      of_series: of_series || before?.of_series === true,
      sketches: before?.sketches ?? [],
    });
  };
  const counted = (count: string) => columns.filter((name) => new RegExp(`\\b${name}\\b`).test(count));
  const amount = figure_of(board, board.breakdown_row.amount).measure;
  for (const { dimension, count } of [...breakdowns, ...board.breakdowns.filter((each) => each.dimension === own)]) {
    add(dimension, [amount, ...counted(count)], false);
  }
  for (const { dimension } of keyed) {
    const { count } = board.breakdowns.find((each) => each.dimension === dimension)!;
    add(dimension, [amount, ...counted(count), ...measures_by(board, dimension)], true);
  }
  for (const [, { dimension, count }] of asked_distinct(question)) add(dimension, [count], false);
  return [...needs.values()];
}

const WIDTH_US: Readonly<Record<Grain, number>> = { "1m": 60e6, "5m": 300e6, "1h": 3_600e6, "1d": NaN, all: NaN };

/** The width of a bucket that every dimension's finest buckets make up; NaN where one keeps days alone. */
const coarsest_of_finest = (board: DomainBoard, needs: readonly Need[]): number =>
  Math.max(
    ...[board.whole.dimension, ...needs.map(({ dimension }) => dimension)].map((name) =>
      WIDTH_US[dimension_of(board, name)?.grains[0] ?? "all"]
    ),
  );

const widened = ({ from_us, to_us }: Micros, width_us: number): Micros => ({
  from_us: Math.floor(from_us / width_us) * width_us,
  to_us: Math.ceil(to_us / width_us) * width_us,
});

function spans_of(
  { view, window }: Watched,
  comparisons: Readonly<Record<ComparisonName, Comparison>>,
  finest_us: number,
): Spans {
  const series = [window, comparisons[view.compare].window];
  const stretches = COMPARISONS.map((name) => comparisons[name].stretch).filter(({ from_s, to_s }) => from_s < to_s);
  const read = [...series, ...stretches].map(micros), all = read.map((each) => widened(each, finest_us));
  const ends = [...read, ...all].flatMap(({ from_us, to_us }) => [from_us, to_us]);
  const cut = ends.map((us) => widened({ from_us: us, to_us: us }, finest_us));
  return { series, ends, all: together(all), cut: cut.filter(({ from_us, to_us }) => from_us < to_us) };
}

/** Whether the finest buckets make up those of a window: days of some zones begin inside an hour. */
function is_aligned({ grain, from_s, to_s }: Window, width_us: number, days: Days): boolean {
  if (!(width_us > 0)) return false;
  if (grain !== "1d") return true;
  for (let us = from_s * 1e6; us < to_s * 1e6; us = bucket_end(grain, us, days)) if (us % width_us !== 0) return false;
  return to_s * 1e6 % width_us === 0;
}

/** What of a stretch lies in others, which do not overlap. */
const overlaps = ({ from_us, to_us }: Micros, others: readonly Micros[]): Micros[] =>
  others.map((other) => ({ from_us: Math.max(from_us, other.from_us), to_us: Math.min(to_us, other.to_us) }))
    .filter((each) => each.from_us < each.to_us);

/** Stretches that cover the same, and more where there are too many of them. */
function fewer(stretches: readonly Micros[]): Micros[] {
  const merged = together(stretches);
  if (merged.length <= MOST_STRETCHES) return merged;
  const gaps = merged.slice(1).map(({ from_us }, i) => from_us - merged[i]!.to_us);
  const least = gaps.toSorted((a, b) => b - a)[MOST_STRETCHES - 2]!;
  return together(merged.map(({ from_us, to_us }, i) => {
    const gap = gaps[i] ?? Infinity;
    return { from_us, to_us: gap < least ? to_us + gap : to_us };
  }));
}

/**
 * Stretches of which the whole has changed since a position, by its cells: the coarse ones say where the finer ones are looked at. Each is a
 * range of the cells' primary key.
 */
async function changed_since(
  reading: Queryable,
  board: DomainBoard,
  days: Days,
  spans: readonly Micros[],
  position: number,
): Promise<readonly Micros[]> {
  const { tables, whole: { dimension, key } } = board, { grains } = dimension_of(board, dimension)!;
  let within = spans;
  for (const grain of grains.filter((each) => each !== "all").toReversed()) {
    if (within.length === 0) break;
    const rows = await reading.query<{ at_us: string }>(
      `select (extract(epoch from found.bucket) * 1000000)::bigint as at_us
       from unnest($1::timestamptz[], $2::timestamptz[]) as t(from_at, to_at)
       cross join lateral (
         select bucket from ${tables.cells} cells where grain = '${grain}' and dimension = '${dimension}' and key = '${key}'
           and bucket >= t.from_at and bucket < t.to_at and last_position > $3 offset 0
       ) found`,
      [
        plain_array(within.map(({ from_us }) => format_time(bucket_start(grain, from_us, days)))),
        plain_array(within.map(({ to_us }) => format_time(to_us))),
        position,
      ],
    );
    within = together(rows.map(({ at_us }) => ({
      from_us: Number(at_us),
      to_us: bucket_end(grain, Number(at_us), days),
    })));
  }
  return within;
}

/** Adds up what the needs are as of then, and keeps it for the transaction. */
async function add_up(
  reading: Queryable,
  { board, days }: Asked,
  needs: readonly Need[],
  { spans, unsettled }: { readonly spans: Spans; readonly unsettled: readonly Micros[] },
  states: StatesRelation,
): Promise<void> {
  const parameters = new Parameters(states.values);
  const piece = new Map([...new Set(needs.map(({ of_series }) => of_series))].map((of_series) => {
    const cuts = cuts_of(spans, unsettled, of_series ? days : null);
    const [borders, starts] = [cuts.borders, cuts.starts].map((times) =>
      `${parameters.add(plain_array(times.map(time_or_null)))}::timestamptz[]`
    );
    return [of_series, (at: string) => `(${starts})[width_bucket(${at}, ${borders})]`] as const;
  }));
  // What is the same of several dimensions is added up in one pass.
  const groups = Map.groupBy(needs, ({ measures, of_series }) => JSON.stringify([measures, of_series]));
  const cells = [...groups.values()].map((group) => cells_sql(board, group, piece.get(group[0]!.of_series)!));
  const sketches = needs.flatMap((need) =>
    need.sketches.map((name) => sketch_sql(board, need, name, piece.get(need.of_series)!))
  );
  const kept = (name: string, rows: readonly string[]) =>
    `length(set_config('${name}', coalesce((select json_agg(rows)::text from (${
      rows.join(" union all ")
    }) rows), '[]'), true))`;
  const text = [kept(CELLS, cells), ...sketches.length === 0 ? [] : [kept(SKETCHES, sketches)]].join(", ");
  await reading.query("select set_config('jit', 'off', true), set_config('work_mem', '64MB', true)");
  await reading.query(
    `with states as materialized (
       select ${states_columns(text).join(", ")} from ${states.sql} states where ${
      states_touching(board, text, unsettled, parameters)
    }
     ) select ${text}`,
    parameters.values,
  );
}

/** The settings that what was is kept in. */
const CELLS = "tacho.cells_then", SKETCHES = "tacho.sketches_then";

/** The borders between pieces, ascending, and where the piece after each begins; null: none does. @param days cut at the buckets of series, too; null: not */
function cuts_of({ series, ends }: Spans, unsettled: readonly Micros[], days: Days | null) {
  const cuts = new Map<number, number | null>();
  for (const { to_us } of unsettled) cuts.set(to_us, null);
  const inside = (us: number) => unsettled.some(({ from_us, to_us }) => from_us <= us && us < to_us);
  const cut = (us: number) => inside(us) && cuts.set(us, us);
  for (const { from_us } of unsettled) cuts.set(from_us, from_us);
  ends.forEach(cut);
  for (const { grain, from_s, to_s } of days === null ? [] : series) {
    for (let us = from_s * 1e6; us < to_s * 1e6; us = bucket_end(grain, us, days!)) cut(us);
  }
  const sorted = [...cuts].sort(([a], [b]) => a - b);
  return { borders: sorted.map(([us]) => us), starts: sorted.map(([, start]) => start) };
}

/** The pieces of some dimensions that have the same measures: rows of cells, without their grain. */
function cells_sql(board: DomainBoard, needs: readonly Need[], piece: (at: string) => string): string {
  const columns = cell_columns(board), wanted = new Set(needs[0]!.measures);
  const keys = needs.map(({ dimension }) => key_sql(board, dimension));
  const named = needs.map(({ dimension }, i) => `when grouping(${keys[i]}) = 0 then '${dimension}'`);
  const [dimension, key] = needs.length === 1
    ? [`'${needs[0]!.dimension}'`, keys[0]!]
    : [`case ${named.join(" ")} end`, `coalesce(${keys.join(", ")})`];
  const slots = board.facts.filter(({ adds }) => Object.keys(adds).some((name) => wanted.has(name)));
  const added = slots.map((slot) => {
    const bucket = piece(slot.at), sets = keys.map((key) => `(${bucket}, ${key})`);
    const values = columns.map(({ measure, name, type, of }) =>
      `${wanted.has(measure) ? of(slot) : "null"}::${type} as ${name}`
    );
    return `select ${dimension}::text as dimension, ${key} as key, ${bucket} as bucket, ${values.join(", ")}
      from ${with_items("states", slot)} where ${bucket} is not null and ${slot.counts}
      group by ${sets.length === 1 ? sets[0]!.slice(1, -1) : `grouping sets (${sets.join(", ")})`}`;
  });
  const merged = columns.map(({ name, merged }) => `${merged} as ${name}`);
  return `select dimension, key, bucket, ${merged.join(", ")} from (${
    added.join(" union all ")
  }) added group by dimension, key, bucket`;
}

/** A column of measures: what a slot's rows add up to, and several rows of that. */
interface AddedColumn {
  readonly measure: string;
  /** That of the measure, or of its date. */
  readonly name: string;
  readonly type: string;
  readonly of: (slot: StateFact) => string;
  readonly merged: string;
}

const cell_columns = (board: DomainBoard): AddedColumn[] =>
  column_measures(board.measures).flatMap((measure) =>
    columns_of(measure).map((column) => ({ measure: measure.name, ...column }))
  );

/** The column of a measure, and that of its date. */
function columns_of(measure: Measure): Omit<AddedColumn, "measure">[] {
  const { name, kind } = measure;
  const adds = (of: (value: string, slot: StateFact) => string) => (slot: StateFact) => {
    const value = slot.adds[name];
    return value === undefined ? "null" : of(value, slot);
  };
  if (!is_extreme(kind)) {
    return [{ name, type: "numeric", of: adds((value) => `sum(${value})`), merged: `coalesce(sum(${name}), 0)` }];
  }
  const least = is_least(kind), merge = least ? "min" : "max", order = least ? "" : " desc";
  if (!is_dated(kind)) {
    return [{ name, type: "bigint", of: adds((value) => `${merge}(${value})`), merged: `${merge}(${name})` }];
  }
  const date = date_column(measure), at = ({ at, by }: StateFact) => date_sql(at, by ?? "''");
  const best = (value: string, by: string) =>
    `(array_agg(${value} order by ${by}${order}, ${value}${order}) filter (where ${value} is not null))[1]`;
  return [
    { name, type: "bigint", of: adds((value, slot) => best(value, at(slot))), merged: best(name, date) },
    {
      name: date,
      type: 'text collate "C"',
      of: adds((value, slot) => `${merge}(${at(slot)}) filter (where ${value} is not null)`),
      merged: `${merge}(${date})`,
    },
  ];
}

/** The pieces of a dimension's sketch: rows of sketches, without their grain. */
function sketch_sql(board: DomainBoard, { dimension }: Need, sketch: string, piece: (at: string) => string): string {
  const slot = board.facts.find(({ adds }) => sketch in adds);
  if (slot === undefined) throw new Error(`add up ${sketch} of then: no fact adds to it`);
  const value = slot.adds[sketch]!, bucket = piece(slot.at);
  return `select bucket, '${dimension}' as dimension, key, '${sketch}' as sketch, array_agg(bin order by bin) as bins,
      array_agg(count order by bin) as counts from (
      select ${bucket} as bucket, ${
    key_sql(board, dimension)
  } as key, sketch_bin(${value}) as bin, count(*) as count from ${
    with_items("states", slot)
  } where ${bucket} is not null and ${slot.counts} and ${value} is not null group by 1, 2, 3
    ) binned group by bucket, key`;
}

/** The tables of a board with what was, under a grain of its own: whoever reads another grain does not look at it. */
function tables_of_then(
  { tables, measures, currency, ...board }: DomainBoard,
  position: number,
): DomainBoard["tables"] {
  const added = cell_columns({ tables, measures, ...board }), code = currency === undefined ? [] : ["currency"];
  const said = currency === undefined ? [] : [`'${currency}'::text collate "C"`];
  const then = `'${THEN}'::text collate "C"`;
  const rows = (setting: string, columns: readonly string[]) =>
    `json_to_recordset(current_setting('${setting}')::json) as kept(
       bucket timestamptz, dimension text collate "C", key text collate "C", ${columns.join(", ")})`;
  const names = ["bucket", "dimension", "key", ...added.map(({ name }) => name)];
  const cells = `(select grain, ${[...code, ...names].join(", ")}, last_position from ${tables.cells} now
     union all select ${[then, ...said, ...names].join(", ")}, ${position}::bigint from ${
    rows(CELLS, added.map(({ name, type }) => `${name} ${type}`))
  })`;
  const of_sketch = ["bucket", "dimension", "key", "sketch", "bins", "counts"];
  const sketches = tables.sketches === null
    ? null
    : `(select grain, ${[...code, ...of_sketch].join(", ")} from ${tables.sketches} now
     union all select ${[then, ...said, ...of_sketch].join(", ")} from ${
      rows(SKETCHES, ['sketch text collate "C"', "bins smallint[]", "counts integer[]"])
    })`;
  return { ...tables, cells, sketches };
}
