import type { Queryable } from "../../database/mod.ts";
import { type BoardBreakdown, type DomainBoard, table_names } from "../../domains/mod.ts";
import { bin_of, value_of } from "../../kpi/mod.ts";
import { key_totals } from "./breakdown.ts";
import { bucket_length, figures_of_cells, read_ages } from "./cells.ts";
import {
  type BucketRow,
  dimension_of,
  integer,
  prepared,
  quantile_cards,
  quantile_number,
  totals_of,
  with_distinct,
} from "./figure.ts";
import type { Condition, Filter, Window } from "./view.ts";
import {
  asks_now,
  type Figures,
  kept_condition,
  type KeyedFigures,
  type Question,
  type Sums,
  type Wants,
} from "./question.ts";
import {
  type Arrived,
  arrived_sql,
  filter_sql,
  is_present,
  Parameters,
  type StatesRelation,
} from "./states_relation.ts";
import { states_statement } from "./states_sql.ts";

/** Figures computed from states: under any filter, of any set of states. The same figures as cells give, to the bit. */

/**
 * Answers a question from states. To be called within a transaction: it sets that one up for such statements. How long they may take is
 * set by the caller (statement_timeout).
 * @param relation which states; how things are now is counted of these, too
 */
export async function figures_of_states(
  queryable: Queryable,
  question: Question,
  relation: StatesRelation,
): Promise<Figures> {
  const { crossed, rest } = apart(question);
  const read: Figures[] = [];
  for (const piece of pieces_of(rest)) read.push(await compute(queryable, piece, relation));
  for (const each of crossed) {
    // What nothing else is filtered by the cells know of the present.
    const of_cells = each.filter.length === 0 &&
      (relation.as_of === null
        ? is_present(question.board, relation) && kept_condition(each, [], each.window) !== null
        : question.board.unsettled !== undefined);
    read.push(of_cells ? await figures_of_cells(queryable, each) : await compute(queryable, each, relation));
  }
  return {
    buckets: read.flatMap(({ buckets }) => buckets),
    stretches: read.flatMap(({ stretches }) => stretches),
    now: asks_now(question) ? await read_now(queryable, question, relation) : null,
    keys: read.flatMap(({ keys }) => keys),
    keyed: read.flatMap(({ keyed }) => keyed),
  };
}

/**
 * The breakdowns that leave a condition of the filter out, each by itself, and the rest. Dimensions without windows in cells keep theirs: without it
 * every state of the range would have to be added up. Of 620,000 states in 7 days, two conditions: cards 0.36 s, each breakdown that crosses
 * one 0.3 s, all others 0.36 s; in one statement, which takes in what misses either condition, 2.4 s.
 */
function apart(question: Question): { readonly crossed: readonly Question[]; readonly rest: Question } {
  const { board, filter, wants } = question, { breakdowns = [] } = wants;
  const crosses = (each: BoardBreakdown) =>
    board.breakdowns.includes(each) && filter.some(({ dimension }) => dimension === each.dimension);
  const crossed = breakdowns.filter(crosses).map((each): Question => {
    const { named, keys } = wants, is_own = ({ dimension }: Condition) => dimension === each.dimension;
    return {
      ...question,
      filter: filter.filter((condition) => !is_own(condition)),
      wants: { breakdowns: [each], named: named ?? filter.filter(is_own), ...keys === undefined ? {} : { keys } },
    };
  });
  const rest = { ...question, wants: { ...wants, breakdowns: breakdowns.filter((each) => !crosses(each)) } };
  return { crossed, rest };
}

/**
 * Past this, seconds, breakdowns are a statement of their own, that each may take as long as a statement may. Of 1,000,000 states in 30 days the
 * two take 3.1 s and 3.8 s of CPU time, where one takes 6.2 s.
 */
const LONG_S = 7 * 86_400;

/** Whether breakdowns of a window are a statement of their own. */
export const is_long = ({ from_s, to_s }: Pick<Window, "from_s" | "to_s">): boolean => to_s - from_s > LONG_S;

/** The parts of a question that are a statement each: one, of a long window one for each stretch and one for breakdowns. */
function pieces_of(question: Question): Question[] {
  const { window, wants } = question;
  const { series = false, distinct, stretches = [], breakdowns = [], keyed = [], ...others } = wants;
  const pieces: Wants[] = [];
  if (!is_long(window)) pieces.push({ series, stretches, breakdowns, keyed });
  else {
    // The series goes with the stretch that lies in its window.
    const with_series = series ? stretches.findIndex(({ from_s }) => from_s === window.from_s) : -1;
    pieces.push(...stretches.map((stretch, i) => ({ series: i === with_series, stretches: [stretch] })));
    pieces.push({ series: series && with_series === -1 }, { breakdowns }, { keyed });
  }
  if (distinct !== undefined) pieces.push({ distinct });
  return pieces.filter(({ series = false, distinct, stretches = [], breakdowns = [], keyed = [] }) =>
    series || distinct !== undefined || stretches.length > 0 || breakdowns.length > 0 || keyed.length > 0
  ).map((wants) => ({ ...question, wants: { ...others, ...wants } }));
}

type QuantileRows = readonly Readonly<Record<string, string | null>>[];

/** Computes what one statement says; not how things are now. */
async function compute(queryable: Queryable, question: Question, relation: StatesRelation): Promise<Figures> {
  const { board } = question;
  // Compiling these statements takes longer than running them; what fits in memory is not written to files.
  await queryable.query("select set_config('jit', 'off', true), set_config('work_mem', '64MB', true)");
  const { text, values } = states_statement(question, relation);
  const [found] = await queryable.query<{
    series?: readonly BucketRow[];
    counted?: readonly BucketRow[] | null;
    stretches?: readonly {
      readonly totals: readonly BucketRow[] | null;
      readonly quantiles: QuantileRows;
      readonly distinct: Readonly<Record<string, number>>;
    }[];
    keys?: readonly BucketRow[] | null;
    keyed?: readonly KeyedFigures[];
  }>(text, values);
  const [total, ...buckets] = found?.series ?? [], { distinct: counted } = question.wants;
  return {
    buckets: counted === undefined ? buckets : with_distinct(counted, found?.counted ?? [], bucket_length(question)),
    stretches: (found?.stretches ?? []).map(({ totals, quantiles, distinct }) => ({
      totals: totals_of(board, totals?.[0] ?? total ?? {}),
      unsummed: new Map([...quantiles_of(board, quantiles), ...Object.entries(distinct)]),
    })),
    now: null,
    keys: (found?.keys ?? []).map(key_totals),
    keyed: found?.keyed ?? [],
  };
}

/** Quantiles from exact values: what stands for the bin that holds each, as sketches tell it. */
function quantiles_of(board: DomainBoard, rows: QuantileRows): Sums["unsummed"] {
  const values: Readonly<Record<string, string | null>> = Object.assign({}, ...rows);
  return new Map(
    [...quantile_cards(board)].map(([card, figure]) => {
      const value = values[card] ?? null;
      return [card, quantile_number(figure, value === null ? null : value_of(bin_of(BigInt(value))))];
    }),
  );
}

/** How many states have each key of the board's `now` dimension that a card shows, and the ages of such cards. */
async function read_now(
  queryable: Queryable,
  { board, filter }: Question,
  relation: StatesRelation,
): Promise<Map<string, number>> {
  const parameters = new Parameters(relation.values);
  const fact = board.facts.find(({ adds }) => board.now.measure in adds);
  if (fact === undefined) throw new Error(`count states now: no fact adds to ${board.now.measure}`);
  const keys = board.cards.flatMap((card) => "now" in card ? [`'${card.now}'`] : []);
  // Without a case for unknown keys: then an index on the states of these keys serves.
  const column = `states.${dimension_of(board, board.now.dimension)?.column}`;
  const rows = await queryable.query<{ key: string; value: string }>(
    `select ${column} as key, sum(${fact.adds[board.now.measure]})::bigint as value from ${relation.sql} states
     where ${column} in (${keys.join(", ")}) and ${fact.at} is not null and ${fact.counts} and ${
      filter_sql(board, filter, parameters)
    }
     group by 1`,
    parameters.values,
  );
  const ages = is_present(board, relation) ? await read_ages(queryable, board, filter) : [];
  return new Map([...rows.map((row) => [row.key, Number(row.value)] as const), ...ages]);
}

/** A state's line, by field; `position` is that of its newest event. */
export type Line = Readonly<Record<string, string | number | null>> & { readonly position: number };

/** Most lines of a board. */
export const LINES = 40;
/** How far back in the log the newest states are looked for. A reading of the log's tail by its primary key needs no further index. */
const TAIL = 20 * LINES;
/** As above, under a filter, or of a currency that is not in the tail often enough: most of the tail may not match. */
const FILTERED_TAIL = 5_000;

/**
 * Reads the newest states that a filter counts, newest first; of older ones than the tail of the log nothing is told.
 * @param relation the states as of the position
 * @param position where the log ends
 * @param arrived the events that the newest one of each has to be among, and their tail instead of the log's; absent: all
 */
export async function read_lines(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  filter: Filter,
  { position, arrived = null }: { readonly position: number; readonly arrived?: Arrived | null },
): Promise<Line[]> {
  const read = (tail: number) => read_tail(queryable, board, relation, filter, { position, tail, arrived });
  if (filter.length > 0 || arrived !== null) return await read(FILTERED_TAIL);
  const newest = await read(TAIL);
  return board.currency === undefined || newest.length === LINES ? newest : await read(FILTERED_TAIL);
}

/** The newest states among those of so many positions. */
async function read_tail(
  queryable: Queryable,
  board: DomainBoard,
  relation: StatesRelation,
  filter: Filter,
  { position, tail, arrived }: { readonly position: number; readonly tail: number; readonly arrived: Arrived | null },
): Promise<Line[]> {
  const { lines, stream_column } = board;
  const fields = lines.fields.map(({ name, sql, kind }) =>
    `${kind === "time" ? `floor(extract(epoch from ${sql}) * 1000)::bigint` : sql} as ${name}`
  );
  const whole = filter.length === 0 && board.currency === undefined && arrived === null;
  const parameters = new Parameters(relation.values);
  const last = arrived?.last ?? position, after = last - tail;
  const count = whole ? LINES : tail, newest_of = relation.newest("states");
  // Where no event is in the database an index has the states by their newest position.
  const newest = () =>
    board.log_elsewhere
      ? `select ${stream_column} as stream_id, ${newest_of} as position from ${table_names(board).states} states
             order by 2 desc limit ${count}`
      : `select stream_id, max(position) as position from events where ${
        arrived === null
          ? `position > ${parameters.add(after)} and position <= ${parameters.add(last)}`
          : arrived_sql("events", { ...arrived, after: Math.max(after, arrived.after) }, parameters)
      } group by stream_id order by 2 desc ${whole ? `limit ${LINES}` : ""}`;
  // The ids are asked for as a list: joined alone, a relation that is no plain table would be read whole.
  const text = `with newest as materialized (${newest()})
           select newest.position as position, ${fields.join(", ")}
           from newest join ${relation.sql} states on states.${stream_column} = newest.stream_id
           where states.${stream_column} = any(array(select stream_id from newest))
             and ${arrived === null ? "true" : `${newest_of} = newest.position`}
             and ${filter_sql(board, filter, parameters)}
           order by newest.position desc limit ${LINES}`;
  const rows = await queryable.query<Record<string, string | null>>(
    filter.length === 0 && arrived === null && is_present(board, relation)
      ? prepared(board, `feed_lines_${table_names(board).states}`, text)
      : text,
    parameters.values,
  );
  return rows.map((row) => {
    const values = lines.fields.map(({ name, kind, per }) => {
      const value = row[name] ?? null;
      return [name, value === null || kind === "text" ? value : Number(value) / per] as const;
    });
    return { ...Object.fromEntries(values), position: integer(row.position) };
  });
}
