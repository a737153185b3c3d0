import type { DeclaredDomain, GeneratedMessage, Planted } from "../../src/domains/mod.ts";
import { figure_of } from "../../src/feed/mod.ts";
import { decode_message } from "../../src/ingest/mod.ts";
import {
  CLOSED,
  furthest,
  type Item,
  LEAST_SCORE,
  type Line,
  OPEN,
  past_of,
  running_totals,
  told_of,
  WEEKS,
} from "../../src/unusual/mod.ts";
import { generator_of, run_prefix } from "../../src/verbs/generate.ts";
import { message } from "./trip_pipeline.ts";

/** Generated events, counted in memory as cells of five minutes count them, and what is told of each five minutes of them. */

const CELL_US = 300e6, HOUR_CELLS = 12, DAY_CELLS = 288, WEEK_CELLS = 7 * DAY_CELLS;
/** A Monday, midnight UTC. */
const START_US = Date.UTC(2026, 0, 5) * 1_000;
/** What of a stream lies further past its first event is of no figure that is watched. */
const FORGET_US = 12 * 3_600e6;

/** Counts by figure, dimension and key. */
export interface Counted {
  readonly of: Map<
    string,
    { readonly figure: string; readonly dimension: string; readonly key: string; readonly cells: Float64Array }
  >;
  readonly planted: readonly Planted[];
  readonly events: number;
  readonly whole: string;
}

/** Counts what a domain's generator invents in so many days. */
export function count_days(
  declared: DeclaredDomain,
  { seed, rate, days, anomalies }: {
    readonly seed: number;
    readonly rate: number;
    readonly days: number;
    readonly anomalies: boolean;
  },
): Counted {
  const domain = declared.make({ currency: "USD" }), generator = generator_of(declared);
  const plan = generator.plan({ seed, rate, currency: "USD", start_us: START_US }, { anomalies });
  const until_us = START_US + days * 86_400e6;
  const stream = generator.messages(plan, { time_zone: "UTC", prefix: run_prefix(generator, START_US / 1_000) });
  const terms = { future_limit_ms: 0, max_message_bytes: 1_000_000, read_ms: Date.UTC(2030, 0, 1) };
  const { board, measures, dimensions, by_currency } = domain, { whole, unusual = [] } = board;
  const watched = unusual.map(({ figure, by }) => ({
    figure,
    measure: measures.findIndex(({ name }) => name === figure_of(board, figure).measure),
    places: [whole.dimension, ...by].map((name) => dimensions.findIndex((each) => each.name === name)),
  }));
  const of: Counted["of"] = new Map();
  const add = (contribution: ReturnType<typeof domain.contribution>, sign: number) => {
    for (const fact of contribution.facts) {
      if (fact === null) continue;
      const cell = Math.floor((fact.at_us - START_US) / CELL_US);
      if (cell < 0 || cell >= days * DAY_CELLS) continue;
      for (const { figure, measure, places } of watched) {
        const at = fact.measures.indexOf(measure);
        if (at < 0) continue;
        for (const place of places) {
          const given = contribution.keys[place]!, key = by_currency === undefined ? given : given.slice(3);
          if (by_currency !== undefined && given.slice(0, 3) !== "USD") continue;
          const dimension = dimensions[place]!.name, name = `${figure} ${dimension} ${key}`;
          let line = of.get(name);
          if (line === undefined) {
            of.set(name, line = { figure, dimension, key, cells: new Float64Array(days * DAY_CELLS) });
          }
          line.cells[cell]! += sign * Number(fact.values[at]);
        }
      }
    }
  };
  const states = new Map<string, { readonly first_us: number; state: unknown }>(), gone = new Set<string>();
  let events = 0;
  const take = ({ value, deliver_us }: GeneratedMessage) => {
    const outcome = decode_message(domain, terms, message(0, value));
    if (!("event" in outcome)) throw new Error(`count days: expected an event, got ${value}`);
    const { event } = outcome, { stream_id } = event;
    events++;
    if (gone.has(stream_id)) return;
    let kept = states.get(stream_id);
    if (kept === undefined) states.set(stream_id, kept = { first_us: deliver_us, state: domain.initial });
    else add(domain.contribution(kept.state), -1);
    kept.state = domain.fold(kept.state, event);
    add(domain.contribution(kept.state), 1);
    for (const [id, { first_us }] of states) {
      if (deliver_us - first_us < FORGET_US) break;
      states.delete(id);
      gone.add(id);
    }
  };
  for (let due = stream.take_due(until_us, 10_000); due.length > 0; due = stream.take_due(until_us, 10_000)) {
    due.forEach(take);
  }
  return { of, planted: generator.planted(plan, until_us), events, whole: whole.dimension };
}

/** The lines of looks, by the cell that each ends with. */
function lines_of({ of }: Counted): (end: number) => Line[] {
  const all = [...of.values()].map(({ cells, ...line }) => ({ ...line, cells, totals: running_totals(cells) }));
  return (end) => {
    const hour = Math.floor(end / HOUR_CELLS) * HOUR_CELLS, first = end - hour, before = hour - HOUR_CELLS;
    const weeks = Math.min(WEEKS.most, Math.floor(before / WEEK_CELLS));
    return all.map(({ figure, dimension, key, cells, totals }) => {
      const past = Array.from({ length: weeks }, (_, i) => totals.subarray(before - (i + 1) * WEEK_CELLS));
      const day = before < DAY_CELLS ? null : totals.subarray(before - DAY_CELLS, before + 1);
      // What is open is not in it yet.
      const seen = new Float64Array(CLOSED + OPEN);
      seen.set(cells.subarray(end - CLOSED, end));
      return { figure, dimension, key, seen: running_totals(seen), past: past_of(past, day, first) };
    });
  };
}

/** What is told at each five minutes from one day to another. */
export function* looks(
  counted: Counted,
  from_day: number,
  to_day: number,
  least = LEAST_SCORE,
): Generator<{ readonly end_us: number; readonly items: readonly Item[] }> {
  const lines_at = lines_of(counted);
  for (let end = from_day * DAY_CELLS; end < to_day * DAY_CELLS; end++) {
    const lines = lines_at(end), findings = lines.flatMap((line) => furthest(line, least) ?? []);
    yield { end_us: START_US + end * CELL_US, items: told_of(findings, lines, counted.whole) };
  }
}

/** Something that was told in one look after the other. */
interface Episode {
  readonly figure: string;
  readonly keys: ReadonlySet<string>;
  readonly is_whole: boolean;
  readonly is_low: boolean;
  readonly from_us: number;
  until_us: number;
  /** The greatest of its looks. */
  score: number;
}

/** How what was told stands to what was planted. */
export interface Judged {
  readonly episodes: readonly (Episode & { readonly of: readonly Planted[] })[];
  /** By kind: how many were planted, and how many of them were told. */
  readonly kinds: ReadonlyMap<string, { readonly planted: number; readonly told: number }>;
  readonly looks: number;
}

/** Looks at days and holds what is told against what was planted in them: told of the time, and by a key that it is of, or the whole. */
export function judge_days(counted: Counted, from_day: number, to_day: number, least = LEAST_SCORE): Judged {
  const episodes: Episode[] = [], going_on = new Map<string, Episode>();
  let many = 0;
  for (const { end_us, items } of looks(counted, from_day, to_day, least)) {
    many++;
    for (const { figure, dimension, key, score, from, explained_by } of items) {
      const name = `${figure} ${dimension} ${key} ${score < 0}`;
      let episode = going_on.get(name);
      if (episode === undefined || end_us - episode.until_us > 2 * CELL_US) {
        episode = {
          figure,
          keys: new Set([{ dimension, key }, ...explained_by].map((each) => `${each.dimension}=${each.key}`)),
          is_whole: dimension === counted.whole,
          is_low: score < 0,
          from_us: end_us - (CLOSED - from) * CELL_US,
          until_us: end_us,
          score,
        };
        going_on.set(name, episode);
        episodes.push(episode);
      }
      episode.until_us = end_us;
      if (Math.abs(score) > Math.abs(episode.score)) episode.score = score;
    }
  }
  const [from_us, to_us] = [from_day, to_day].map((day) => START_US + day * DAY_CELLS * CELL_US) as [
    number,
    number,
  ];
  const planted = counted.planted.filter((each) => each.from_us >= from_us && each.until_us < to_us - CLOSED * CELL_US);
  const judged = episodes.map((episode) => ({
    ...episode,
    of: counted.planted.filter((each) =>
      each.from_us < episode.until_us && each.until_us > episode.from_us &&
      (episode.is_whole ||
        Object.entries(each.keys).some(([dimension, key]) => episode.keys.has(`${dimension}=${key}`)))
    ),
  }));
  const told = new Set(judged.flatMap(({ of }) => of));
  const kinds = new Map(
    [...Map.groupBy(planted, ({ kind }) => kind)].map(([kind, all]) => [
      kind,
      { planted: all.length, told: all.filter((each) => told.has(each)).length },
    ]),
  );
  return { episodes: judged, kinds, looks: many };
}
