import { type Database, plain_array, type Queryable, snapshot, text_array } from "../database/mod.ts";
import { type DomainBoard, model_tables } from "../domains/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { figure_of } from "../feed/mod.ts";
import { bucket_start, type Days, format_time, is_kept, type Kept, LATENESS_US } from "../kpi/mod.ts";
import { Paced, type Runtime, told_once, turns_every } from "../runtime/mod.ts";
import {
  CLOSED,
  type Finding,
  furthest,
  type Item,
  type Line,
  OPEN,
  type Past,
  running_totals,
  told_of,
  WEEKS,
} from "./score.ts";

/**
 * Looks for what is unusual in a log while it is served, and knows what it saw last. What is usual and what is seen are read from cells of five
 * minutes. What is usual is read once an hour: of each week before the cells that any stretch of this hour is held against, by the clock of the
 * business time zone.
 */

/** Something unusual, by times instead of cells. */
interface UnusualItem extends Omit<Item, "from" | "to"> {
  /** The stretch in which it shows most, microseconds; it may have begun before, where that is an hour. */
  readonly from_us: number;
  readonly to_us: number;
}

/** What was seen last. */
export interface Unusual {
  /** Up to when events were looked at that are closed, microseconds; null: the log has none, or nothing was looked at yet. */
  readonly closed_us: number | null;
  /** What it is held against: the same time of weeks before, the day before alone, or nothing: then nothing is known. */
  readonly against: "weeks" | "day" | "nothing";
  /** How many weeks before the log has. */
  readonly weeks: number;
  /** Keys that are looked at, and those that are not, for their dimension has too many. */
  readonly keys: number;
  readonly left_out: number;
  readonly items: readonly UnusualItem[];
}

const NOTHING: Unusual = { closed_us: null, against: "nothing", weeks: 0, keys: 0, left_out: 0, items: [] };
const LOOK_MS = 30_000;
/** Longest time that one statement may take. */
const STATEMENT_MS = 5_000;
/** What event time lies further behind the clock is of the past: a replay, or a log that is not fed. */
const FRESH_US = 900e6;
/** So long it computes at a stretch: ingest and viewers have their turns between. */
const TURN_MS = 5;

/**
 * Looks twice a minute. What is usual is read once an hour of event time: some 200 buckets of each dimension; what is seen is fourteen of them. Beside
 * that nothing is kept, and ingest knows nothing of it.
 */
export class UnusualWatch {
  readonly #runtime: Runtime;
  readonly #database: Database;
  readonly #domain: WatchedDomain;
  #usual: { readonly of: string; readonly hour: UsualHour } | null = null;
  #seen: { readonly position: number; readonly of: string } | null = null;
  #now: Unusual = NOTHING;

  constructor(runtime: Runtime, database: Database, domain: WatchedDomain) {
    this.#runtime = runtime;
    this.#database = database;
    this.#domain = domain;
  }

  /** What was seen last. */
  now(): Unusual {
    return this.#now;
  }

  /** How much is unusual now; 0 where event time is not of now. */
  many_now(): number {
    const { closed_us, items } = this.#now;
    return closed_us === null || this.#runtime.clock.now_ms() * 1_000 - closed_us > FRESH_US ? 0 : items.length;
  }

  /** Looks until the signal; a database that is away is waited for. Rejects with the signal's reason. */
  async run(): Promise<never> {
    const { signal, logger } = this.#runtime;
    const pace = new Paced(this.#runtime, {
      gap_ms: LOOK_MS,
      rest: { times: 9, free_ms: 50 },
      first_ms: LOOK_MS,
      cap_ms: 300_000,
    });
    for (;;) {
      await pace.until_done(signal, () => this.look(), {
        passes: () => true,
        ...told_once(logger, "the unusual cannot be looked for", "the unusual is looked for again"),
      });
      await pace.pause(signal);
    }
  }

  /** Looks once, where anything has changed. */
  async look(): Promise<void> {
    const { board, days } = this.#domain;
    if ((board.unusual ?? []).length === 0) return;
    const { watermark_us, position, figures_id, kept } = await read_head(this.#database);
    if (watermark_us === null) return;
    // A clock that is ahead would close what is not over, and make it too little.
    const reached_us = Math.min(watermark_us, this.#runtime.clock.now_ms() * 1_000);
    const end_us = closed_end(reached_us), hour_us = bucket_start("1h", end_us, days);
    const of = JSON.stringify([figures_id, hour_us, kept]);
    if (this.#seen?.position === position && this.#seen.of === of) return;
    const lend: Lend = (work) => snapshot(this.#database, work, model_tables(board), STATEMENT_MS);
    const usual = this.#usual?.of === of ? this.#usual.hour : await read_usual(lend, this.#domain, kept, end_us);
    this.#usual = { of, hour: usual };
    const lines = await read_lines(lend, board, usual, end_us), turn = turns_every(TURN_MS), findings: Finding[] = [];
    for (const line of lines) {
      const found = furthest(line);
      if (found !== null) findings.push(found);
      await turn();
    }
    this.#seen = { position, of };
    const first_us = end_us - CLOSED * CELL_US, { whole } = board;
    const known = lines.some(({ dimension, past }) => dimension === whole.dimension && past !== null);
    this.#now = {
      closed_us: end_us,
      against: !known ? "nothing" : usual.by_weeks ? "weeks" : "day",
      weeks: usual.weeks,
      keys: usual.dimensions.reduce((sum, { keys }) => sum + keys.length, 0),
      left_out: usual.dimensions.reduce((sum, { left_out }) => sum + left_out, 0),
      items: told_of(findings, lines, whole.dimension).map(({ from, to, ...item }) => (
        { ...item, from_us: first_us + from * CELL_US, to_us: first_us + to * CELL_US }
      )),
    };
  }
}

/** Width of the cells, microseconds. */
const CELL_US = 300e6;
const HOUR_US = 3_600e6, DAY_US = 86_400e6;
/** Most keys of a dimension that are looked at: the greatest of the weeks before. */
const MOST_KEYS = 100;
/** Cells of a week that an hour's stretches are held against: the hour before it, itself, and what is open beyond. */
const SPAN = CLOSED + HOUR_US / CELL_US - 1 + OPEN;
/** Cells of a day. */
const OF_DAY = DAY_US / CELL_US;

/** What is looked at: a domain's board and the days of its time zone. */
export interface WatchedDomain {
  readonly board: DomainBoard;
  readonly days: Days;
}

/**
 * Lends a reading of the database: one for each dimension and week, so that an embedded database, which does one thing after the other, keeps nobody
 * waiting for all of them.
 */
type Lend = <T>(work: (reading: Queryable) => Promise<T>) => Promise<T>;

/** A dimension with the figures that are watched by it. */
interface Watched {
  readonly dimension: string;
  readonly figures: readonly { readonly name: string; readonly measure: string }[];
}

/** What is usual of a key in an hour: by figure, of each week before (or of the day before alone) running totals of cells. */
interface UsualKey {
  readonly key: string;
  readonly by_figure: ReadonlyMap<
    string,
    { readonly weeks: readonly Float64Array[]; readonly day: Float64Array | null }
  >;
}

/** What is usual in an hour. */
interface UsualHour {
  /** When it begins, microseconds. */
  readonly from_us: number;
  readonly dimensions: readonly (Watched & {
    readonly keys: readonly UsualKey[];
    /** Keys that are not looked at: there are more than so many. */
    readonly left_out: number;
  })[];
  /** How many weeks before are known of the whole, and whether they are enough. */
  readonly weeks: number;
  readonly by_weeks: boolean;
}

/** How far the hour that is looked at is closed, when event time has come so far: the end of a cell, microseconds. */
const closed_end = (watermark_us: number): number => Math.floor((watermark_us - LATENESS_US) / CELL_US) * CELL_US;

/** The dimensions of what a board watches, the whole first. */
function watched_by({ whole, unusual = [], ...board }: DomainBoard): Watched[] {
  const names = [whole.dimension, ...new Set(unusual.flatMap(({ by }) => by))];
  return names.map((dimension) => ({
    dimension,
    figures: unusual.filter(({ by }) => dimension === whole.dimension || by.includes(dimension))
      .map(({ figure }) => ({ name: figure, measure: figure_of({ whole, ...board }, figure).measure })),
  }));
}

const measures_of = ({ figures }: Watched): string[] => [...new Set(figures.map(({ measure }) => measure))];
const times = (from_us: number, cells: number): number[] =>
  Array.from({ length: cells }, (_, i) => from_us + i * CELL_US);

/** Reads counts of cells: by key, and of each key by measure as many as there are times. */
async function read_cells(
  reading: Queryable,
  { tables: { cells } }: DomainBoard,
  watched: Watched,
  keys: readonly string[],
  starts_us: readonly number[],
): Promise<Map<string, Map<string, Float64Array>>> {
  const measures = measures_of(watched), place = new Map(starts_us.map((at, i) => [at, i]));
  const rows = keys.length === 0 ? [] : await reading.query<Record<string, string>>(
    // Bucket by bucket, each by the primary key: the fence keeps the planner to that order.
    `select found.* from unnest($3::timestamptz[]) as at(start) cross join lateral (
       select key, (extract(epoch from bucket) * 1000000)::bigint as at_us, ${measures.join(", ")} from ${cells} cells
       where grain = '5m' and dimension = $1 and bucket = at.start and key = any ($2::text[]) offset 0
     ) found`,
    [watched.dimension, text_array(keys), plain_array(starts_us.map((us) => format_time(us)))],
  );
  const found = new Map(
    keys.map((key) => [key, new Map(measures.map((name) => [name, new Float64Array(starts_us.length)]))]),
  );
  for (const row of rows) {
    for (const name of measures) found.get(row.key!)!.get(name)![place.get(Number(row.at_us))!] = Number(row[name]);
  }
  return found;
}

/** Reads what is usual in the hour that a time lies in. */
async function read_usual(
  lend: Lend,
  { board, days }: WatchedDomain,
  kept: Kept,
  at_us: number,
): Promise<UsualHour> {
  const from_us = bucket_start("1h", at_us, days), hour_before = from_us - CLOSED * CELL_US;
  const shifted = Array.from(
    { length: WEEKS.most },
    (_, i) => Math.floor(days.days_before(from_us, 7 * (i + 1)) / CELL_US) * CELL_US - CLOSED * CELL_US,
  );
  const weeks_us = shifted.filter((start) => is_kept(kept, "5m", start));
  const day_us = hour_before - DAY_US, dimensions = [];
  let known = 0;
  for (const watched of watched_by(board)) {
    const { rows, left_out } = await lend((reading) => read_greatest_keys(reading, board, watched, from_us));
    const keys = rows.map(({ key }) => key);
    const weeks_of = (first_us: number) => weeks_us.filter((start) => start >= first_us).length;
    const is_young = ({ first_us }: { readonly first_us: number }) => weeks_of(first_us) < WEEKS.least;
    const weekly: Awaited<ReturnType<typeof read_cells>>[] = [];
    for (const start of weeks_us) {
      weekly.push(await lend((reading) => read_cells(reading, board, watched, keys, times(start, SPAN))));
    }
    const young = rows.filter((row) => is_young(row) && row.first_us <= day_us && is_kept(kept, "5m", day_us));
    const young_keys = young.map(({ key }) => key), of_day = times(day_us, OF_DAY);
    const daily = await lend((reading) => read_cells(reading, board, watched, young_keys, of_day));
    if (watched.dimension === board.whole.dimension) known = Math.max(0, ...rows.map((row) => weeks_of(row.first_us)));
    dimensions.push({
      ...watched,
      left_out,
      keys: rows.map((row): UsualKey => ({
        key: row.key,
        by_figure: new Map(watched.figures.map(({ name, measure }) => {
          const own = is_young(row) ? [] : weekly.slice(0, weeks_of(row.first_us));
          const weeks = own.map((cells) => running_totals(cells.get(row.key)!.get(measure)!));
          const day = daily.get(row.key)?.get(measure);
          return [name, { weeks, day: day === undefined ? null : running_totals(day) }];
        })),
      })),
    });
  }
  return { from_us, dimensions, weeks: known, by_weeks: known >= WEEKS.least };
}

/** The keys of a dimension that had most in the weeks before, by its cells of days, and when the day after the first that has anything begins. */
async function read_greatest_keys(
  reading: Queryable,
  { tables: { cells } }: DomainBoard,
  watched: Watched,
  at_us: number,
): Promise<
  { readonly rows: readonly { readonly key: string; readonly first_us: number }[]; readonly left_out: number }
> {
  const counted = measures_of(watched).map((name) => `coalesce(${name}, 0)`).join(" + ");
  const rows = await reading.query<{ key: string; first_us: string; keys: string }>(
    `select key, (extract(epoch from min(bucket) + interval '1 day') * 1000000)::bigint as first_us, count(*) over () as keys
     from ${cells} cells where grain = '1d' and dimension = $1 and bucket >= $2::timestamptz and bucket < $3::timestamptz
       and ${counted} > 0
     group by key order by sum(${counted}) desc, key limit ${MOST_KEYS}`,
    [watched.dimension, format_time(at_us - (WEEKS.most * 7 + 2) * DAY_US), format_time(at_us)],
  );
  return {
    rows: rows.map(({ key, first_us }) => ({ key, first_us: Number(first_us) })),
    left_out: rows.length === 0 ? 0 : Number(rows[0]!.keys) - rows.length,
  };
}

/** Reads what is seen up to a time, beside what is usual in its hour. */
async function read_lines(
  lend: Lend,
  board: DomainBoard,
  usual: UsualHour,
  end_us: number,
): Promise<Line[]> {
  const lines: Line[] = [], first = Math.round((end_us - usual.from_us) / CELL_US);
  for (const { keys, ...watched } of usual.dimensions) {
    const starts = times(end_us - CLOSED * CELL_US, CLOSED + OPEN);
    const seen = await lend((reading) => read_cells(reading, board, watched, keys.map(({ key }) => key), starts));
    for (const { key, by_figure } of keys) {
      for (const { name, measure } of watched.figures) {
        const { weeks, day } = by_figure.get(name)!;
        lines.push({
          ...{ figure: name, dimension: watched.dimension, key },
          seen: running_totals(seen.get(key)!.get(measure)!),
          past: past_of(weeks, day, first),
        });
      }
    }
  }
  return lines;
}

/**
 * What stretches had before: the same one of each week, or, where too few are known, all of the day before that are as long.
 * @param weeks running totals of the cells of each week before; `day` those of a day
 * @param first how many cells the look lies past the hour's begin
 */
export function past_of(weeks: readonly Float64Array[], day: Float64Array | null, first: number): Past | null {
  if (weeks.length >= WEEKS.least) {
    const of = (from: number, to: number) => {
      // Some forty stretches of each line: a loop takes a tenth of what a mapping does.
      const past = new Float64Array(weeks.length);
      for (let i = 0; i < past.length; i++) past[i] = weeks[i]![first + to]! - weeks[i]![first + from]!;
      return past;
    };
    return { by: "weeks", of };
  }
  if (day === null) return null;
  const of = (from: number, to: number) => {
    const length = to - from;
    return Float64Array.from(
      { length: Math.floor((day.length - 1) / length) },
      (_, i) => day[(i + 1) * length]! - day[i * length]!,
    );
  };
  return { by: "day", of };
}
