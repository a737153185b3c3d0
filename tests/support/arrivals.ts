import type { Database } from "../../src/database/mod.ts";
import type { Domain } from "../../src/domains/mod.ts";
import { figure_number } from "../../src/feed/mod.ts";
import type { CursorAdvance } from "../../src/event_log/mod.ts";
import { Pipeline } from "../../src/ingest/mod.ts";
import { type Days, is_dated, is_extreme } from "../../src/kpi/mod.ts";
import { LIMITS, message } from "./trip_pipeline.ts";

/** Events that arrive when a test says so, and what a board by arrival has to say of them. */

/** Appends messages as one batch that is recorded at a time. */
export function arriving(database: Database, domain: Domain, days: Days) {
  let now_ms = 0, offset = 0;
  const pipeline = new Pipeline({
    ...{ database, domain, days, limits: LIMITS },
    code_version: "test",
    cache_streams: 50_000,
    now_ms: () => now_ms,
  });
  return async (recorded_ms: number, events: readonly unknown[]): Promise<void> => {
    now_ms = recorded_ms;
    const from = offset, to = offset += events.length;
    const messages = events.map((each, i) => message(from + i, each, recorded_ms));
    const batch = { topic: "trips", partition: 0, from_offset: from, next_offset: to, messages };
    const advance: CursorAdvance = { topic: "trips", partition: 0, from: from === 0 ? null : from, to };
    await pipeline.append(await pipeline.plan([batch], [advance], "test"));
  };
}

/** What is counted by arrival, worked out from all events and all rows of states in memory. */
export interface Expected {
  readonly events: number;
  readonly oldest_ms: number | null;
  /** Ids, that with the newest event first. */
  readonly streams: readonly string[];
  readonly cards: Readonly<Record<string, number | null>>;
  /** Figures that are sums, by the start of the bucket, seconds, of those with anything. */
  readonly buckets: ReadonlyMap<number, Readonly<Record<string, number>>>;
  /** The counting measure of each key of a dimension. */
  readonly keys: (dimension: string, measure: string) => Readonly<Record<string, number>>;
}

/** A number, whole ones past 2^53 exact. */
const number_of = (told: string | number): number | bigint =>
  Number.isSafeInteger(Number(told)) || `${told}`.includes(".") ? Number(told) : BigInt(told);

type Found = { readonly position: number; readonly stream: string; readonly recorded_ms: number };

/**
 * What a board has to say of the streams whose newest event is chosen.
 * @param chosen by position, of `events` of them, and when it was recorded
 */
export async function expected_by_arrival(
  database: Database,
  domain: Domain,
  chosen: (event: Found, events: number) => boolean,
  bucket_s: number,
): Promise<Expected> {
  const { board } = domain;
  const found = (await database.query<Record<string, string>>(
    "select position, stream_id, floor(extract(epoch from recorded_at) * 1000)::bigint as recorded_ms from events order by position",
  )).map((row): Found => ({
    position: Number(row.position),
    stream: row.stream_id!,
    recorded_ms: Number(row.recorded_ms),
  }));
  const newest = new Map(found.map((event) => [event.stream, event]));
  const columns = domain.columns.map(({ name, type }) =>
    type === "timestamptz" ? `(extract(epoch from ${name}) * 1000000)::bigint as ${name}` : name
  );
  const rows = new Map(
    (await database.query<Record<string, string | null>>(
      `select ${domain.stream_column} as stream_id, ${columns.join(", ")} from ${domain.tables.states}`,
    )).map((row) => [row.stream_id!, row]),
  );
  const texts = new Set(domain.columns.filter(({ type }) => type === "text").map(({ name }) => name));
  const facts: { readonly keys: readonly string[]; readonly at_ms: number; readonly adds: Record<string, bigint> }[] =
    [];
  const streams = [...newest.values()].filter((event) => chosen(event, found.length))
    .sort((a, b) => b.position - a.position);
  for (const { stream, recorded_ms } of streams) {
    const row = Object.fromEntries(
      Object.entries(rows.get(stream)!).map((
        [name, value],
      ) => [name, value === null || name === "stream_id" || texts.has(name) ? value : number_of(value)]),
    );
    const { keys, facts: own } = domain.contribution(domain.from_row(row));
    for (const fact of own) {
      if (fact === null) continue;
      const adds = Object.fromEntries(fact.measures.map((m, i) => [domain.measures[m]!.name, BigInt(fact.values[i]!)]));
      facts.push({ keys, at_ms: recorded_ms, adds });
    }
  }
  const totals_of = (of: typeof facts) =>
    Object.fromEntries(domain.measures.map(({ name, kind }) => {
      const values = of.flatMap(({ adds }) => adds[name] ?? []);
      if (is_dated(kind)) throw new Error(`expect ${name}: firsts and lasts are not worked out here`);
      if (!is_extreme(kind)) return [name, values.reduce((sum, value) => sum + value, 0n)];
      const sorted = values.toSorted((a, b) => (a < b ? -1 : 1));
      return [name, (kind === "min" ? sorted[0] : sorted.at(-1)) ?? null];
    }));
  const figures = (of: typeof facts, names: readonly string[]) =>
    Object.fromEntries(names.flatMap((name) => {
      const figure = board.figures[name]!;
      return "measure" in figure ? [[name, figure_number(figure, totals_of(of))]] : [];
    }));
  const cards = board.cards.flatMap((card) => "figure" in card ? [card.figure] : []);
  const columns_of = (of: typeof facts) =>
    Object.fromEntries(board.series.flatMap((name) => {
      const figure = board.figures[name]!, totals = totals_of(of);
      // As series are: doubles.
      return figure.kind === "total" ? [[name, Number(totals[figure.measure] ?? 0) / figure.per]] : [];
    }));
  const buckets = Map.groupBy(facts, ({ at_ms }) => Math.floor(at_ms / 1000 / bucket_s) * bucket_s);
  return {
    events: found.filter((event) => chosen(event, found.length)).length,
    oldest_ms: found.find((event) => chosen(event, found.length))?.recorded_ms ?? null,
    streams: streams.map(({ stream }) => stream),
    cards: figures(facts, cards),
    buckets: new Map(
      [...buckets].map(([t, of]) => [t, columns_of(of)] as const)
        .filter(([, of]) => Object.values(of).some((value) => value !== 0)),
    ),
    keys: (dimension, measure) => {
      const place = domain.dimensions.findIndex(({ name }) => name === dimension);
      const by_key = Map.groupBy(facts, ({ keys }) => keys[place]!);
      return Object.fromEntries(
        [...by_key].map(([key, of]) => [key, Number(totals_of(of)[measure])] as const).filter(([, value]) => value > 0),
      );
    },
  };
}
