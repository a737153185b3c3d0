import assert from "node:assert/strict";
import fc from "fast-check";
import type { OpenedDatabase } from "../../src/database/mod.ts";
import { define_domain, type DistinctFigure, type DomainBoard } from "../../src/domains/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import {
  cells_question,
  type Filter,
  format_filter,
  past_states,
  read_whole_board,
  type View,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { Cursors, Pipeline } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { begin_read_model, Rebuild } from "../../src/projection/mod.ts";
import { tacho_test } from "../support/available.ts";
import { json_of, make_http_side } from "../support/http_side.ts";
import {
  as_message,
  at,
  some_trades,
  standings,
  START_MS,
  type Told,
  TRADES_DOMAIN,
  with_trades,
} from "../support/told_trades.ts";
import { database_test } from "../support/read_side.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, LIMITS, message, trip_pipeline } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

/** How many keys of a dimension are counted: what is kept, and what is computed, is what anybody finds who looks through all trades. */

const DAYS = days_in("UTC");
const NOW_MS = START_MS + 86_400_000;
const distinct = (dimension: string): DistinctFigure => ({
  kind: "distinct",
  unit: "count",
  dimension,
  count: "trades",
});

/** Trades counted by what nearly all name, by what some do not, and by what no message does; and as if sides kept no windows in cells. */
const BOARD: DomainBoard = {
  ...TRADES_DOMAIN.board,
  dimensions: TRADES_DOMAIN.board.dimensions.map((each) => each.name === "side" ? { ...each, grains: ["all"] } : each),
  breakdowns: TRADES_DOMAIN.board.breakdowns.filter(({ dimension }) => dimension !== "side"),
  states_breakdowns: [{ dimension: "side", count: "volume" }],
  figures: {
    ...TRADES_DOMAIN.board.figures,
    ...{ sides: distinct("side"), venues: distinct("venue") },
    pace: { ...distinct("ticker"), each_hour: { measure: "volume", per: 1 } },
  },
  cards: [...TRADES_DOMAIN.board.cards, ...["sides", "venues"].map((name) => ({ name, figure: name }))],
};
const SERVED = { board: BOARD, past: past_states({ ...TRADES_DOMAIN, board: BOARD }) };
const one = (dimension: string, ...keys: string[]) => ({ dimension, keys, excluded: false });
/** Each with the counts that its cells say. */
const FILTERS: readonly (readonly [filter: Filter, of_cells: readonly string[]])[] = [
  [[], ["tickers", "venues"]],
  [[one("ticker", "AAPL", "MSFT", "unknown")], ["tickers"]],
  [[{ ...one("ticker", "AAPL"), excluded: true }], ["tickers"]],
  [[one("venue", "unknown")], ["venues"]],
  [[one("side", "buy")], []],
  [[one("ticker", "ONCE", "TSLA"), one("side", "sell", "unknown")], []],
];

const counts = (filter: Filter, keys: Readonly<Record<string, string>>) =>
  filter.every(({ dimension, keys: asked, excluded }) => asked.includes(keys[dimension]!) !== excluded);

/** The keys of a dimension that are traded in some minutes, under a filter. */
function traded(told: readonly Told[], filter: Filter, dimension: string, from = 0, to = Infinity): number {
  const keys = standings(told).filter(({ busted, minute, keys }) =>
    !busted && minute >= from && minute < to && counts(filter, keys)
  ).map(({ keys }) => keys[dimension]!);
  return new Set(keys.filter((key) => key !== "unknown")).size;
}

/** What each ticker that is traded in some minutes has of the volume an hour. */
function pace(told: readonly Told[], filter: Filter, from: number, minutes: number): number | null {
  const own = standings(told).filter(({ busted, minute, keys }) =>
    !busted && minute >= from && minute < from + minutes && keys.ticker !== "unknown" && counts(filter, keys)
  );
  const over = BigInt(traded(told, filter, "ticker", from, from + minutes) * minutes);
  const volume = BigInt(own.reduce((sum, { volume }) => sum + volume, 0));
  return over === 0n ? null : Number((volume * 120_000_000n + over) / (2n * over)) / 1e6;
}

/** What cards say of them. */
const cards_of = (told: readonly Told[], filter: Filter, to?: number) => ({
  tickers: traded(told, filter, "ticker", 0, to),
  sides: traded(told, filter, "side", 0, to),
  venues: 0,
});
const distinct_of = ({ tickers, sides, venues }: Readonly<Record<string, number | null>>) => ({
  tickers,
  sides,
  venues,
});

/** A ticker is traded but once, and that is taken back after somebody could have counted it; another one is a mistake that a later execution puts right. */
const told_of = (seed: number): Told[] => {
  const executed = (trade: string, id: string, ticker: string): Told => ({
    ...{ trade, id, minute: 1 },
    what: { kind: "executed", ticker, side: "buy", cents: 5, volume: 1 },
  });
  return [
    executed("X-once", "a", "ONCE"),
    executed("X-typo", "a", "TPYO"),
    ...some_trades(seed, 40),
    executed("X-typo", "b", "AAPL"),
    { trade: "X-once", id: "z", minute: 1, what: { kind: "busted" } },
  ];
};

/** Takes in what is told, in batches of a size; gives each position that the log ended at, and how much was told by then. */
async function take(
  database: OpenedDatabase,
  told: readonly Told[],
  size: number,
): Promise<(readonly [number, number])[]> {
  const pipeline = new Pipeline({
    ...{ database, domain: TRADES_DOMAIN, days: DAYS },
    limits: { ...LIMITS, future_limit_ms: Infinity },
    code_version: "test",
    cache_streams: 100,
    now_ms: () => NOW_MS,
  });
  const cursors = new Cursors(), moments: (readonly [number, number])[] = [];
  for (let from = 0; from < told.length; from += size) {
    const to = Math.min(from + size, told.length);
    const messages = told.slice(from, to).map((each, i) => ({ ...as_message(each), offset: from + i }));
    await feed(pipeline, [{ topic: "trades", partition: 0, from_offset: from, next_offset: to, messages }], cursors);
    moments.push([(await read_head(database)).position, to]);
  }
  return moments;
}

const view_of = (minutes: number, filter: Filter): View => {
  const from_s = START_MS / 1_000;
  return { range: "custom", from_s, to_s: from_s + minutes * 60, filter, compare: "previous" };
};

/** Boards as they are now: from cells what these say, the rest from states. */
async function say_boards(database: OpenedDatabase, told: readonly Told[]): Promise<void> {
  const source = { database, board: BOARD, days: DAYS };
  for (const minutes of [3, 15, 180, 1_440]) {
    for (const [filter, of_cells] of FILTERS) {
      const view = view_of(minutes, filter), window = window_at(view, NOW_MS, DAYS);
      const to = (window.to_s - START_MS / 1_000) / 60;
      const { cards, breakdowns } = await read_whole_board(source, { view, window }, NOW_MS);
      assert.deepEqual(distinct_of(cards), cards_of(told, filter, to), JSON.stringify([minutes, filter]));
      const asked = cells_question(source, { view, window })?.wants.cards?.map(({ name }) => name) ?? [];
      assert.deepEqual(["tickers", "sides", "venues"].filter((name) => asked.includes(name)), of_cells);
      // A breakdown has a row for each of them, and one for what nobody named; it leaves out the filter's own condition.
      for (const [dimension, card] of [["ticker", "tickers"], ["side", "sides"]] as const) {
        if (filter.some((each) => each.dimension === dimension)) continue;
        const { rows, total_keys } = breakdowns.find((each) => each.dimension === dimension)!;
        assert.equal(cards[card], total_keys - rows.filter(({ key }) => key === "unknown").length);
      }
    }
  }
}

tacho_test({
  name:
    "in any order and batches, corrected and busted, distinct counts are the keys that are traded, under every filter, now, then and made anew",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    let taken_away = 0;
    const property = fc.asyncProperty(
      fc.nat(1_000_000),
      fc.constantFrom(1, 7, 200),
      (seed, size) =>
        with_trades(async (opened) => {
          const database = opened as OpenedDatabase, told = told_of(seed);
          const moments = await take(database, told, size);
          await say_boards(database, told);

          const { get } = await make_http_side(database, SERVED);
          const json = (path: string) => json_of(get(path));
          const range = `from=${at(0)}&to=${at(240)}`;
          const some = moments.filter((_, i) => i % Math.ceil(moments.length / 5) === 0);
          let before = 0;
          for (const [position, to] of some) {
            for (const [filter] of FILTERS) {
              const query = format_filter(filter);
              const { cards } = await json(`/api/v1/board?${range}&as_of_position=${position}&${query}`);
              assert.deepEqual(distinct_of(cards), cards_of(told.slice(0, to), filter, 240), `${query} as of ${to}`);
              if (query !== "") continue;
              if (cards.tickers < before) taken_away++;
              before = cards.tickers;
            }
          }
          if (before > traded(told, [], "ticker", 0, 240)) taken_away++;

          // By arrival: of the trades whose newest event is among the last, whenever they happened.
          for (const last of [1, 20, 200]) {
            const newest = new Map(told.map(({ trade }, i) => [trade, i]));
            const arrived = told.filter(({ trade }) => newest.get(trade)! >= told.length - last);
            for (const [filter] of FILTERS) {
              const query = format_filter(filter);
              const { cards } = await json(`/api/v1/board?order=arrival&last=${last}&${query}`);
              assert.deepEqual(distinct_of(cards), cards_of(arrived, filter), `${query}, the last ${last}`);
            }
            const { points } = await json(`/api/v1/kpis/series?order=arrival&last=${last}&measure=tickers&grain=1d`);
            const found = traded(arrived, [], "ticker");
            assert.deepEqual(points.map(({ value }: { value: number }) => value), found === 0 ? [] : [found]);
          }

          const source = { database, domain: TRADES_DOMAIN, days: DAYS, signal: new AbortController().signal };
          assert.deepEqual((await verified(database, {}, source)).faults, []);
          await begin_read_model(source, "v2");
          await new Rebuild(source, "v2").switch_in();
          await say_boards(database, told);
        }),
    );
    const numRuns = Number(Deno.env.get("TACHO_TEST_RUNS") ?? 4);
    await fc.assert(property, { numRuns, endOnFailure: true, examples: [[11, 1], [12, 7], [13, 200]] });
    assert.ok(taken_away > 0, "a key was counted, and then it was not");
  },
});

tacho_test({
  name: "the API tells a distinct count over time, of cells and of states, and refuses what is too long for these",
  needs: ["postgres"],
  fn: () =>
    with_trades(async (database) => {
      const told = told_of(11);
      await take(database as OpenedDatabase, told, 7);
      const { get } = await make_http_side(database, SERVED);
      const ask = (measure: string, grain: string, minutes: number, query: string) =>
        get(`/api/v1/kpis/series?measure=${measure}&grain=${grain}&from=${at(0)}&to=${at(minutes)}&${query}`);
      const grains = [["1m", 1], ["5m", 5], ["15m", 15], ["1h", 60], ["1d", 1_440]] as const;
      for (const [grain, width] of grains) {
        for (const [measure, dimension] of [["tickers", "ticker"], ["sides", "side"], ["venues", "venue"]] as const) {
          for (const [filter, of_cells] of FILTERS) {
            const query = format_filter(filter), answer = await ask(measure, grain, 240, query);
            const { computed, unit, points } = await answer.json();
            assert.deepEqual([computed, unit], [!of_cells.includes(measure), "count"]);
            // A day begins six hours before.
            const first = width === 1_440 ? -360 : 0, buckets = width === 1_440 ? 1 : 240 / width;
            const expected = Array.from({ length: buckets }, (_, i) => first + i * width).map((from) => ({
              at: `${at(from).slice(0, -1)}000Z`,
              value: traded(told, filter, dimension, from, from + width),
            }));
            assert.deepEqual(points, expected.filter(({ value }) => value > 0), `${measure} by ${grain}, ${query}`);
            if (measure !== "tickers") continue;
            const paces = Array.from({ length: buckets }, (_, i) => pace(told, filter, first + i * width, width));
            const { points: told_paces } = await (await ask("pace", grain, 240, query)).json();
            assert.deepEqual(
              told_paces.map(({ value }: { value: number }) => value),
              paces.filter((value) => value !== null),
              `pace by ${grain}, ${query}`,
            );
          }
        }
      }
      const days_400 = 400 * 1_440;
      assert.equal((await ask("tickers", "1d", days_400, "")).status, 200);
      const by_side = await ask("tickers", "1h", 240, "dimension=side&key=buy");
      assert.deepEqual(
        (await by_side.json()).points,
        (await (await ask("tickers", "1h", 240, "side=buy")).json()).points,
      );
      for (const [measure, query] of [["tickers", "side=buy"], ["sides", ""]] as const) {
        const refused = await ask(measure, "1d", days_400, query);
        assert.equal(refused.status, 400);
        assert.match(await refused.text(), /expected a shorter range/);
      }
      // Comparisons under a filter are of cells: what these do not say is not compared.
      const compared = async (query: string) => {
        const board = await (await get(`/api/v1/board?from=${at(120)}&to=${at(240)}&${query}`)).json();
        const { from_s, to_s, cards } = board.compared.previous;
        assert.equal(from_s, START_MS / 1_000);
        return [cards.tickers, traded(told, [], "ticker", 0, (to_s - from_s) / 60), cards.trades] as const;
      };
      const [whole, expected] = await compared("");
      assert.equal(whole, expected);
      const [crossed, , trades] = await compared("venue=unknown");
      assert.ok(crossed === null && trades > 0);
    }),
});

database_test(
  "active drivers of an hour are those who completed a trip in it, told by the API alone, with their trips an hour and their time on trips",
  async (database) => {
    const { get } = await make_http_side(database);
    const trips = ["D1", "D2", "D1", null, "D3", "D3"].flatMap((driver_id, i) => whole_trip(`T-${i}`, { driver_id }));
    const taken_back = ["canceled", "voided"].map((type, i) => ({
      ...{ trip_id: `T-${4 + i}`, event_id: "z", type: `trip.${type}`, occurred_at: "2026-03-01T10:30:00Z" },
    }));
    const events = [
      ...trips.filter(({ trip_id, type }) => trip_id !== "T-4" || type !== "trip.completed"),
      ...taken_back,
    ];
    const messages = events.map((each, i) => message(i, each));
    await feed(trip_pipeline(database), [{
      topic: "trips",
      partition: 0,
      from_offset: 0,
      next_offset: messages.length,
      messages,
    }]);
    const ask = async (query: string, measure = "active_drivers", grain = "1h") => {
      const range = "from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z";
      const answer = await get(`/api/v1/kpis/series?measure=${measure}&grain=${grain}&${range}&${query}`);
      const { computed, points } = await answer.json();
      return [computed, ...points.map(({ value }: { value: number }) => value)];
    };
    assert.deepEqual(await ask(""), [true, 2]);
    assert.deepEqual(await ask("driver=D1"), [true, 1]);
    assert.deepEqual(await ask("driver=D3"), [true]);
    // Three trips of a quarter of an hour by two drivers; that of nobody known is in none of these.
    assert.deepEqual(await ask("", "trips_per_driver_hour"), [true, 1.5]);
    assert.deepEqual(await ask("", "trips_per_driver_hour", "1d"), [true, 0.0625]);
    assert.deepEqual(await ask("", "utilisation"), [true, 37.5]);
    assert.deepEqual(await ask("driver=D1", "utilisation"), [true, 50]);
    assert.deepEqual(await ask("driver=D3", "utilisation"), [true]);
  },
);

Deno.test("a distinct count of what has no keys, or by what is no count, is refused where it is declared", () => {
  const { board, ...domain } = TRADES_DOMAIN;
  const declare = (figure: DistinctFigure) => () =>
    define_domain(
      {
        ...domain,
        fields: {},
        derived: {},
        facts: [],
        board: { ...board, figures: { ...board.figures, odd: figure }, lines: { ...board.lines, fields: [] } },
      } as unknown as Parameters<typeof define_domain>[0],
    );
  assert.throws(
    declare(distinct("none")),
    /declare trades, figure odd: expected a dimension whose keys are read from a column, got "none"/,
  );
  assert.throws(declare(distinct("colour")), /expected a dimension whose keys are read from a column, got "colour"/);
  assert.throws(declare({ ...distinct("ticker"), count: "volume" }), /expected a measure of kind count, got "volume"/);
});
