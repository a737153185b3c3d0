import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, snapshot } from "../../src/database/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import {
  draw,
  figures_of_cells,
  figures_of_states,
  type Filter,
  past_states,
  type View,
  whole_question,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { Cursors, Pipeline } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import {
  as_message,
  by_date,
  IDS,
  type Priced,
  priced,
  some_trades,
  standings,
  START_MS,
  type Told,
  TRADES_DOMAIN,
  with_trades,
} from "../support/told_trades.ts";
import { feed, LIMITS } from "../support/trip_pipeline.ts";
import { fill, killed_after } from "../support/upgraded_trips.ts";
import { SMALL_BOUND, verified } from "../support/verified_log.ts";

/** The first and the last price, by event time and event id: what is kept is what anybody finds who looks through all trades. */

const DAYS = days_in("UTC"), BOARD = TRADES_DOMAIN.board;
const NOW_MS = START_MS + 3 * 86_400_000;

const amount = fc.integer({ min: 1, max: 5 });
/** Few trades, minutes, ids and prices, so that ties of all of them are common; buckets of every grain meet among the minutes. */
const told: fc.Arbitrary<Told> = fc.record({
  trade: fc.constantFrom("X-1", "X-2", "X-3", "X-4", "X-5"),
  id: fc.constantFrom(...IDS, "b").filter((id) => id !== ""),
  minute: fc.constantFrom(0, 1, 4, 5, 59, 60, 1_079, 1_080),
  what: fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("executed" as const),
        ticker: fc.constantFrom("AAPL", "MSFT"),
        side: fc.constantFrom("buy", "sell", null),
        cents: amount,
        volume: amount,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("corrected" as const),
        cents: fc.option(amount),
        volume: fc.option(amount),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "busted" as const }) },
  ),
});
const all_told = fc.uniqueArray(told, {
  minLength: 2,
  maxLength: 40,
  selector: ({ trade, id }) => `${trade} ${id}`,
});

const WIDTHS = { "1m": 1, "5m": 5, "1h": 60, "1d": 1_440 } as const;

/** The prices that cells have to keep, by grain, bucket, dimension and key. */
function expected(told: readonly Told[]): Map<string, { first: Priced; last: Priced }> {
  const cells = new Map<string, { first: Priced; last: Priced }>();
  for (const { minute, id, cents, busted, keys } of standings(told)) {
    if (busted) continue;
    const priced = { minute, id, cents };
    for (const [dimension, key] of Object.entries(keys)) {
      for (const grain of ["1m", "5m", "1h", "1d", "all"] as const) {
        const width_ms = grain === "all" ? Infinity : WIDTHS[grain] * 60_000, at_ms = START_MS + minute * 60_000;
        const bucket_ms = grain === "all" ? 0 : Math.floor(at_ms / width_ms) * width_ms;
        const name = `${grain} ${bucket_ms / 1_000} ${dimension} ${key}`;
        const { first, last } = cells.get(name) ?? { first: priced, last: priced };
        cells.set(name, {
          first: by_date(priced, first) < 0 ? priced : first,
          last: by_date(priced, last) > 0 ? priced : last,
        });
      }
    }
  }
  return cells;
}

async function kept(database: Database): Promise<Map<string, { first: Priced | null; last: Priced | null }>> {
  const rows = await database.query<Record<string, string | null>>(
    `select grain, extract(epoch from bucket)::bigint as bucket_s, dimension, key, trades, price_first_micros as first,
      price_first_micros_by as first_by, price_last_micros as last, price_last_micros_by as last_by from trade_cells`,
  );
  return new Map(rows.flatMap(({ grain, bucket_s, dimension, key, trades, ...row }) => {
    const first = priced(row.first!, row.first_by!), last = priced(row.last!, row.last_by!);
    assert.equal(first === null, trades === "0", "what traded has a first price, and nothing else has");
    return first === null ? [] : [[`${grain} ${bucket_s} ${dimension} ${key}`, { first, last }] as const];
  }));
}

const sorted = <T>(cells: ReadonlyMap<string, T>) => [...cells].sort(([a], [b]) => a < b ? -1 : 1);

/** Feeds a log of trades what is told, a batch a call. */
function feeder(database: Database, told: readonly Told[]) {
  const pipeline = new Pipeline({
    database,
    domain: TRADES_DOMAIN,
    days: DAYS,
    limits: { ...LIMITS, future_limit_ms: Infinity },
    code_version: "test",
    cache_streams: 3,
    now_ms: () => NOW_MS,
  });
  const cursors = new Cursors();
  let from = 0;
  return async (to: number) => {
    const messages = told.slice(from, to).map((each, i) => ({ ...as_message(each), offset: from + i }));
    const batch = { topic: "trips", partition: 0, from_offset: from, next_offset: to, messages };
    from = to;
    await feed(pipeline, [batch], cursors);
  };
}

tacho_test({
  name:
    "after every batch of any cut, order and correction, cells of every grain have the first and the last price, and states say the same",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const property = fc.asyncProperty(
      all_told,
      fc.array(fc.nat(40), { maxLength: 5 }),
      (told, places) =>
        with_trades(async (database) => {
          const next = feeder(database, told);
          const moments = new Map<number, number>();
          const cuts = [...new Set([...places.map((place) => place % told.length), told.length])].sort((a, b) => a - b);
          for (const to of cuts.filter((cut) => cut > 0)) {
            await next(to);
            assert.deepEqual(sorted(await kept(database)), sorted(expected(told.slice(0, to))));
            moments.set((await read_head(database)).position, to);
          }
          for (const [position, to] of moments) await say_prices(database, told.slice(0, to), position);
          assert.deepEqual((await verified(database, {}, { ...AUDIT, bound: SMALL_BOUND })).faults, []);
        }),
    );
    await fc.assert(property, { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 25), endOnFailure: true });
  },
});

const AUDIT = { domain: TRADES_DOMAIN, days: DAYS };

/** Boards say the first and last prices of what had been told by a position, with a gap where nothing was traded: of states, and of cells where that is now. */
async function say_prices(database: Database, told: readonly Told[], position: number): Promise<void> {
  const { position: head } = await read_head(database);
  for (const minutes of [15, 60, 2_880]) {
    for (const filter of [[], [{ dimension: "ticker", keys: ["MSFT"], excluded: false }]] satisfies Filter[]) {
      const from_s = START_MS / 1_000;
      const view: View = { range: "custom", from_s, to_s: from_s + minutes * 60, filter, compare: "weekday" };
      const window = window_at(view, NOW_MS, DAYS);
      const whole = whole_question({ board: BOARD, days: DAYS }, { view, window });
      const question = { ...whole, wants: { series: true, stretches: [window], cards: whole.wants.cards! } };
      const boards = await snapshot(database, async (reading) => {
        const states = await past_states(TRADES_DOMAIN)(reading, position, head);
        const of_states = draw(question, await figures_of_states(reading, question, states));
        return position < head ? [of_states] : [of_states, draw(question, await figures_of_cells(reading, question))];
      });
      const traded = standings(told).filter(({ busted, minute, keys }) =>
        !busted && minute * 60 + from_s < window.to_s && (filter.length === 0 || keys.ticker === "MSFT")
      ).sort(by_date);
      const buckets = Map.groupBy(
        traded,
        ({ minute }) => Math.floor((from_s + minute * 60) / window.step_s) * window.step_s,
      );
      const wanted = [...buckets].map(([at, own]) => [at, own[0]!.cents / 100, own.at(-1)!.cents / 100]);
      for (const { cards, series: { t, trades, first_price, last_price, min_price } } of boards) {
        assert.equal(cards.last_price, traded.length === 0 ? null : traded.at(-1)!.cents / 100);
        const known = t.flatMap((at, i) => {
          const prices = [first_price![i], last_price![i], min_price![i]];
          assert.ok(prices.every((price) => (price === null) === (trades![i] === 0)), "a gap where nothing was traded");
          return trades![i] === 0 ? [] : [[at, first_price![i], last_price![i]]];
        });
        assert.deepEqual(known, wanted);
      }
    }
  }
}

/** A log of trades, fed in batches of seven. */
async function with_some_trades(
  work: (database: Database, told: readonly Told[]) => Promise<void>,
): Promise<void> {
  const told = some_trades(7, 60);
  await with_trades(async (database) => {
    const next = feeder(database, told);
    for (let to = 7; to < told.length + 7; to += 7) await next(Math.min(to, told.length));
    await work(database, told);
  });
}

tacho_test({
  name: "trades from before there were first and last prices get them, in pieces that are kept",
  needs: ["postgres"],
  fn: () =>
    with_some_trades(async (database, told) => {
      const snapshot = async () => [
        await database.query(
          "select (to_jsonb(c) - 'first_position')::text as cell from trade_cells c order by grain, dimension, bucket, key",
        ),
        await database.query("select t::text as trade from trades t order by trade_id"),
      ];
      const before = await snapshot();
      await database.script(`update trades set executed_event_id = null;
        update trade_cells set price_first_micros = null, price_first_micros_by = null, price_last_micros = null, price_last_micros_by = null;
        update schema_migrations set filled = false where version = 21`);
      await assert.rejects(fill(database, killed_after(2), AUDIT), /^Error: killed$/);
      await fill(database, {}, AUDIT);
      assert.deepEqual(await snapshot(), before);
      assert.deepEqual(sorted(await kept(database)), sorted(expected(told)));
      assert.deepEqual((await verified(database, {}, AUDIT)).faults, []);
    }),
});

tacho_test({
  name: "verify finds a first or last price that is another, and one of another date",
  needs: ["postgres"],
  fn: () =>
    with_some_trades(async (database) => {
      const cell = "grain = '1h' and dimension = 'ticker' and key = 'AAPL' and price_last_micros is not null";
      for (
        const [harm, told] of [
          [
            "price_last_micros = 1",
            /^trade_cells 1h \S+ ticker=AAPL: price_last_micros is 1 of 2026-.*, the streams say \d+ of 2026-/,
          ],
          [
            "price_last_micros_by = price_last_micros_by || 'x'",
            /price_last_micros is (\d+) of (2026-.+)x, the streams say \1 of \2$/,
          ],
          [
            "price_first_micros_by = '2026-03-01T00:00:00.000000Z a'",
            /price_first_micros is (\d+) of 2026-03-01T00:00:00.000000Z a, the streams say \1 of /,
          ],
          [
            "price_first_micros = null, price_first_micros_by = null",
            /price_first_micros is null, the streams say \d+ of /,
          ],
        ] as const
      ) {
        const before = await database.query(`select * from trade_cells where ${cell} limit 1`);
        const { bucket, price_first_micros, price_first_micros_by, price_last_micros, price_last_micros_by } =
          before[0]!;
        const values = [bucket, price_first_micros, price_first_micros_by, price_last_micros, price_last_micros_by];
        await database.execute(`update trade_cells set ${harm} where ${cell} and bucket = $1`, [bucket as string]);
        for (const audit of [AUDIT, { ...AUDIT, bound: SMALL_BOUND }]) {
          const { faults } = await verified(database, {}, audit);
          assert.equal(faults.length, 1, faults.join("; "));
          assert.match(faults[0]!, told);
        }
        await database.execute(
          `update trade_cells set price_first_micros = $2, price_first_micros_by = $3, price_last_micros = $4, price_last_micros_by = $5
            where grain = '1h' and dimension = 'ticker' and key = 'AAPL' and bucket = $1`,
          values as string[],
        );
        assert.deepEqual((await verified(database, {}, AUDIT)).faults, []);
      }
      await assert.rejects(
        database.execute("update trade_cells set price_last_micros_by = null where price_last_micros is not null"),
        /trade_cells_firsts_and_lasts_are_dated/,
      );
    }),
});
