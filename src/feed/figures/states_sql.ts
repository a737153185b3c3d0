import { text_array } from "../../database/mod.ts";
import type { DistinctFigure, DomainBoard, QuantileFigure } from "../../domains/mod.ts";
import { column_measures, type Micros, UNKNOWN } from "../../kpi/mod.ts";
import {
  bucket_sql,
  GREATEST_OF_AMOUNT,
  keys_sql,
  ranked_keys_sql,
  states_columns,
  states_touching,
  TOP,
  within_of,
} from "./breakdown.ts";
import { figure_of, keys_of_sql, quantile_cards } from "./figure.ts";
import { micros } from "./view.ts";
import { measures_by } from "./keyed.ts";
import { asked_distinct, asks_quantiles, breakdown_of, named_in, type Question, type WantedKeys } from "./question.ts";
import {
  type Chosen,
  dated_of,
  facts_sql,
  filter_sql,
  key_sql,
  merged_sql,
  once_sql,
  Parameters,
  type StatesRelation,
  with_items,
} from "./states_relation.ts";

/** The statement that answers a question from states instead of cells: SQL made from what the board declares of their facts. Pure. */

interface StatesStatement {
  readonly text: string;
  readonly values: Parameters["values"];
}

/**
 * One statement: the states that the stretches touch are read once, as few columns as possible, then each fact slot is
 * summed by itself. Measured over 1,000,000 states and 30 days in hours, CPU time: slots one by one 1.6 s, five rows of
 * every state by `union all` 3.1 s, by `cross join lateral (values …)` 12.8 s.
 *
 * It gives one row: `series` (a row of totals, then the buckets), `counted` (the buckets of a distinct count), `stretches` (of each its totals,
 * none where they are the first row of the series, its quantiles and its distinct counts), `keys`, `keyed`; of these what is wanted.
 */
export function states_statement(question: Question, relation: StatesRelation): StatesStatement {
  const { board, days, filter, wants: { series = false, distinct, stretches = [], breakdowns = [], keyed = [] } } =
    question;
  const parameters = new Parameters(relation.values);
  const within = within_of(parameters);
  const window = micros(question.window);
  const of = (stretch: Micros): Chosen => ({ within: within(stretch), from: "states", counted: "true" });
  const parts: string[] = [];
  if (series || distinct !== undefined || keyed.length > 0) {
    const bucket = bucket_sql(question.window.grain, window, days, parameters);
    if (series) parts.push(`${rows_sql(series_sql(board, bucket, of(window)))} as series`);
    if (distinct !== undefined) {
      const rows =
        `select floor(extract(epoch from bucket))::bigint as t, count(*)::text as keys, sum(amount)::text as amount
                    from ${distinct_sql(board, distinct, of(window), bucket)} group by bucket order by bucket`;
      parts.push(`${rows_sql(rows)} as counted`);
    }
    const each = keyed.map((wanted) => keyed_sql(board, wanted, bucket, of(window)));
    if (each.length > 0) parts.push(`json_build_array(${each.join(", ")}) as keyed`);
  }
  if (stretches.length > 0) {
    const sketches = asks_quantiles(question)
      ? [...Map.groupBy(quantile_cards(board), ([, figure]) => figure.sketch)]
      : [];
    const each = stretches.map(micros).map((stretch) => {
      const whole = series && stretch.from_us === window.from_us && stretch.to_us === window.to_us;
      const totals = whole ? "null" : rows_sql(totals_sql(board, of(stretch)));
      const quantiles = sketches.map(([sketch, cards]) => quantiles_sql(board, sketch, cards, of(stretch)));
      const counted = asked_distinct(question).map(([card, figure]) =>
        `'${card}', (select count(*) from ${distinct_sql(board, figure, of(stretch))})`
      );
      return `json_build_object('totals', ${totals}, 'quantiles', json_build_array(${quantiles.join(", ")}),
        'distinct', json_build_object(${counted.join(", ")}))`;
    });
    parts.push(`json_build_array(${each.join(", ")}) as stretches`);
  }
  if (breakdowns.length > 0) {
    const totals = [...Map.groupBy(breakdowns, ({ count }) => count)].map(([count, alike]) =>
      keys_sql(board, { count, dimensions: alike.map(({ dimension }) => dimension) }, of(window))
    );
    const named = named_in(question).map(({ dimension, keys }) =>
      `dimension = '${dimension}' and key = any (${
        keys_of_sql(board, dimension, `${parameters.add(text_array(keys))}::text[]`)
      })`
    );
    const { keys } = question.wants, of_amount = keys === undefined ? GREATEST_OF_AMOUNT : "false";
    const ranked = ranked_keys_sql(board, String(keys ?? TOP), [of_amount, ...named].join(" or "), "::text");
    parts.push(`(with summed as (${totals.join(" union all ")}) select json_agg(rows) from (${ranked}) rows) as keys`);
  }
  const text = parts.join(", ");
  const read = [
    ...series || distinct !== undefined || keyed.length > 0 || breakdowns.length > 0 ? [window] : [],
    ...stretches.map(micros),
  ];
  const counted = filter_sql(board, filter, parameters);
  return {
    // What only one part reads need not be kept.
    text: `with states as ${text.split("from states").length > 2 ? "materialized" : "not materialized"} (
        select ${states_columns(text).join(", ")} from ${relation.sql} states
        where ${states_touching(board, text, together(read), parameters)} and ${counted}
      ) select ${text}`,
    values: parameters.values,
  };
}

/** Stretches as few as cover the same: those that overlap or meet are one. */
export function together(stretches: readonly Micros[]): Micros[] {
  const merged: Micros[] = [];
  for (const { from_us, to_us } of stretches.toSorted((a, b) => a.from_us - b.from_us)) {
    const last = merged.at(-1);
    if (last !== undefined && from_us <= last.to_us) {
      merged[merged.length - 1] = { from_us: last.from_us, to_us: Math.max(last.to_us, to_us) };
    } else merged.push({ from_us, to_us });
  }
  return merged;
}

/** The rows of a select, as one value. */
const rows_sql = (select: string): string => `(select json_agg(rows) from (${select}) rows)`;

/**
 * The values of nearest rank that the quantiles of one sketch are, by card, in one sorting; null of none. `percentile_disc` takes a rank from
 * doubles (of 100 values and 0.55 the 56th): a trifle less makes it that of `nearest_rank`, for a q of four decimals and less than 1e10 values.
 */
function quantiles_sql(
  board: DomainBoard,
  sketch: string,
  cards: readonly (readonly [card: string, figure: QuantileFigure])[],
  { within, from, counted }: Chosen,
): string {
  const slot = board.facts.find(({ adds }) => sketch in adds);
  if (slot === undefined) throw new Error(`compute quantiles of ${sketch}: no fact adds to it`);
  const values = cards.map(([card], i) => `'${card}', (ranked.value)[${i + 1}]::text`);
  const ranks = cards.map(([, { q }]) => Math.max(q - 1e-14, 0));
  return `(select json_build_object(${values.join(", ")}) from (
             select percentile_disc(array[${ranks.join(", ")}]::double precision[])
               within group (order by ${slot.adds[sketch]}) as value
             from ${with_items(from, slot)} where ${counted} and ${within(slot.at)} and ${slot.counts} and ${
    slot.adds[sketch]
  } is not null
           ) ranked)`;
}

/** The keys of a dimension that have anything of a count, each once, with what they have of a measure; with buckets once in each of these. */
function distinct_sql(
  board: DomainBoard,
  { dimension, count, each_hour }: DistinctFigure,
  { within, from, counted }: Chosen,
  bucket: ((at: string) => string) | null = null,
): string {
  const key = key_sql(board, dimension), amount = each_hour?.measure;
  const apart = `${bucket === null ? "" : "bucket, "}key`;
  const slots = board.facts.filter(({ adds }) => count in adds || (amount !== undefined && amount in adds));
  const keys = slots.map((slot) => {
    const { [count]: counts, [amount ?? count]: added } = slot.adds;
    if (counts === undefined || added === undefined) {
      throw new Error(`count keys of ${dimension}: expected ${amount} where ${count} is added`);
    }
    // Each once, where there is no more to say of it.
    return `select ${amount === undefined ? "distinct " : ""}${
      bucket === null ? "" : `${bucket(slot.at)} as bucket, `
    }${key} as key, ${amount === undefined ? "null::numeric" : `(${added})::numeric`} as amount from ${
      with_items(from, slot)
    }
     where ${counted} and ${within(slot.at)} and ${slot.counts} and ${counts} > 0 and ${key} <> '${UNKNOWN}'`;
  });
  if (amount === undefined) return `(${keys.join(" union ")}) keys`;
  return `(select ${apart}, sum(amount) as amount from (${keys.join(" union all ")}) added group by ${apart}) keys`;
}

/** A row of totals, without a bucket, then a row for each bucket. */
function series_sql(board: DomainBoard, bucket: (at: string) => string, chosen: Chosen): string {
  const names = column_measures(board.measures).map(({ name }) => name);
  const facts = facts_sql(board, names, (at) => `${bucket(at)} as bucket`, "1", chosen);
  return `select floor(extract(epoch from bucket))::bigint as t, ${merged_sql(board, names, "::text")}
          from (${facts}) facts group by grouping sets ((bucket), ()) order by bucket nulls first`;
}

/** The buckets of the greatest keys of a dimension, and of all others together, ranked as its breakdown is. */
function keyed_sql(
  board: DomainBoard,
  { dimension, top }: WantedKeys,
  bucket: (at: string) => string,
  chosen: Chosen,
): string {
  const { count } = breakdown_of(board, dimension), amount = figure_of(board, board.breakdown_row.amount).measure;
  const shown = measures_by(board, dimension);
  const names = column_measures(board.measures).map(({ name }) => name)
    .filter((name) => shown.includes(name) || name === amount || new RegExp(`\\b${name}\\b`).test(count));
  const apart = (at: string) => `${key_sql(board, dimension)} as key, ${bucket(at)} as bucket`;
  const own = `case when place <= ${top} then key end`;
  return `(with facts as (${facts_sql(board, names, apart, "1, 2", chosen)}), placed as (
             select key, row_number() over (order by count desc, key) as place from (
               select key, ${count} as count, ${amount} as amount from (
                 select key, ${merged_sql(board, names, "")} from facts group by key
               ) cells
             ) counted where count <> 0 or amount <> 0
           ) select json_build_object(
             'dimension', '${dimension}',
             'keys', coalesce((select json_agg(key order by place) from placed where place <= ${top}), '[]'),
             'others', (select count(*) from placed where place > ${top}),
             'rows', coalesce(${
    rows_sql(
      `select ${own} as key, floor(extract(epoch from bucket))::bigint::text as t, ${merged_sql(board, shown, "::text")}
              from facts join placed using (key) group by ${own}, bucket order by bucket`,
    )
  }, '[]')))`;
}

/** What all fact slots add to the measures, as a row. */
function totals_sql(board: DomainBoard, { within, from, counted }: Chosen): string {
  const dated = new Map(
    dated_of(board).map(({ name, slot, best }) => {
      const found = `select ${slot.adds[name]} from ${from} where ${counted} and ${within(slot.at)} and ${best("")}`;
      return [name, `(${found} limit 1)`];
    }),
  );
  const sums = column_measures(board.measures).map(({ name }) =>
    `${dated.get(name) ?? once_sql(board, name, board.facts, within)}::text as ${name}`
  );
  return `select ${sums.join(", ")} from ${from} where ${counted}`;
}
