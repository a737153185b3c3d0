import assert from "node:assert/strict";
import fc from "fast-check";
import { type Database, open_database, snapshot } from "../../src/database/mod.ts";
import type { Domain } from "../../src/domains/mod.ts";
import { trades_domain } from "../../src/domains/trades/mod.ts";
import { read_head, settle_deployment } from "../../src/event_log/mod.ts";
import {
  find_arrived,
  past_states,
  read_past_board,
  read_whole_board,
  type ShownBoard,
  TooManyArrived,
  type View,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { arriving, type Expected, expected_by_arrival } from "../support/arrivals.ts";
import { tacho_test } from "../support/available.ts";
import { with_domain_log } from "../support/domain_log.ts";
import { shared_postgres } from "../support/postgres.ts";
import { trip_event } from "../support/random_trips.ts";
import { database_test } from "../support/read_side.ts";
import { migrated, TEST_DOMAIN } from "../support/trip_pipeline.ts";

const UTC = days_in("UTC");
const NOON = Date.UTC(2026, 2, 9, 12);
const LAST = { order: "arrival", range: "last", to_s: null, filter: [], compare: "weekday" } as const;
const TRADES = trades_domain({ currency: "USD" });

const board_of = (database: Database, { board }: Domain, view: View, now_ms: number): Promise<ShownBoard> =>
  read_whole_board(
    { database, board, days: UTC, lane_timeout_ms: 60_000 },
    { view, window: window_at(view, now_ms, UTC) },
    now_ms,
  );

/** As of a position, from the states as they stood there. */
function past_board_of(database: Database, domain: Domain, view: View, position: number, now_ms: number) {
  return snapshot(database, async (reading) => {
    const { position: head } = await read_head(reading);
    const states = await past_states(domain)(reading, position, head);
    const watched = { view, window: window_at(view, now_ms, UTC) };
    const then = { position, newest_event_ms: null, now_ms };
    return await read_past_board(reading, { board: domain.board, days: UTC }, watched, states, then);
  });
}

function assert_board(found: ShownBoard, expected: Expected, { board, stream_column }: Domain, about: string): void {
  const named = Object.fromEntries(
    board.cards.flatMap((card) =>
      "figure" in card && card.figure in expected.cards ? [[card.figure, found.cards[card.name]]] : []
    ),
  );
  assert.deepEqual(named, expected.cards, `${about}: cards`);
  const { t, revised_ms, ...columns } = found.series;
  const totals = Object.keys(columns).filter((name) => board.figures[name]!.kind === "total");
  const rows = t.map((at, i) => [at, Object.fromEntries(totals.map((name) => [name, columns[name]![i]!]))] as const);
  assert.deepEqual(
    rows.filter(([, row]) => Object.values(row).some((value) => value !== 0)),
    [...expected.buckets].sort(([a], [b]) => a - b),
    `${about}: buckets`,
  );
  assert.ok(revised_ms!.every((at) => at === 0), `${about}: what arrived is not corrected`);
  for (const { dimension, rows } of found.breakdowns) {
    const { count } = board.breakdowns.find((each) => each.dimension === dimension) ?? {};
    if (!board.measures.some(({ name }) => name === count)) continue;
    const told = Object.fromEntries(
      rows.map((row) => [row.key, row[board.breakdown_row.count]]).filter(([, n]) => n !== 0),
    );
    assert.deepEqual(told, expected.keys(dimension, count!), `${about}: by ${dimension}`);
  }
  assert.deepEqual(
    found.lines.map((line) => line[stream_column]),
    expected.streams.slice(0, 40),
    `${about}: the list`,
  );
  assert.equal(found.arrived!.events, expected.events, `${about}: events`);
  assert.equal(found.compared, null, about);
}

tacho_test({
  name: "a board by arrival is of the trips whose newest event arrived there, as of now and as of any position",
  needs: ["postgres"],
  async fn() {
    const batches = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 400 }), fc.array(trip_event, { minLength: 1, maxLength: 20 })),
      { minLength: 6, maxLength: 10 },
    );
    const bounds = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 3, maxLength: 3 });
    const stretches = fc.array(fc.tuple(fc.nat(3_600), fc.integer({ min: 60, max: 3_600 })), {
      minLength: 3,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(batches, bounds, stretches, async (arriving_so, lasts, ranges) => {
        const { url } = await (await shared_postgres()).create_database(migrated);
        const database = await open_database({ url, data_dir: null, connections: 2 });
        const past = await (await shared_postgres()).create_database(migrated);
        const growing = await open_database({ url: past.url, data_dir: null, connections: 2 });
        try {
          const deliver = arriving(database, TEST_DOMAIN, UTC), grow = arriving(growing, TEST_DOMAIN, UTC);
          let at_ms = NOON;
          const moments: { readonly position: number; readonly expected: Expected }[] = [];
          for (const [pause_s, events] of arriving_so) {
            at_ms += pause_s * 1_000;
            await deliver(at_ms, events);
            await grow(at_ms, events);
            const { position } = await read_head(growing);
            const last = lasts[0]!;
            const chosen = (event: { readonly position: number }, all: number) => event.position > all - last;
            const { position: head } = await read_head(growing);
            moments.push({ position, expected: await expected_by_arrival(growing, TEST_DOMAIN, chosen, 60) });
            assert.equal(head, position);
          }
          const now_ms = at_ms + 30_000;
          for (const last of lasts) {
            const chosen = (event: { readonly position: number }, all: number) => event.position > all - last;
            const expected = await expected_by_arrival(database, TEST_DOMAIN, chosen, 60);
            const board = await board_of(database, TEST_DOMAIN, { ...LAST, last }, now_ms);
            assert.equal(board.window.grain, "1m");
            assert_board(board, expected, TEST_DOMAIN, `the last ${last}`);
          }
          for (const [from, length] of ranges) {
            const from_s = NOON / 1000 + Math.floor(from / 60) * 60, to_s = from_s + Math.ceil(length / 60) * 60;
            const chosen = ({ recorded_ms }: { readonly recorded_ms: number }) =>
              recorded_ms >= from_s * 1000 && recorded_ms < to_s * 1000;
            const view: View = { ...LAST, range: "custom", from_s, to_s };
            const expected = await expected_by_arrival(database, TEST_DOMAIN, chosen, 60);
            assert_board(
              await board_of(database, TEST_DOMAIN, view, now_ms),
              expected,
              TEST_DOMAIN,
              `${from_s} to ${to_s}`,
            );
          }
          for (const { position, expected } of moments) {
            const board = await past_board_of(database, TEST_DOMAIN, { ...LAST, last: lasts[0]! }, position, now_ms);
            assert_board(board, expected, TEST_DOMAIN, `the last ${lasts[0]} as of ${position}`);
          }
        } finally {
          await database.close();
          await growing.close();
        }
      }),
      { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 2), endOnFailure: true },
    );
  },
});

/** A trade as its producer sends it: at any time since 1970. */
const trade = (id: string, at: string, price: string, volume: number, ticker = "AAPL") => ({
  ...{ trade_id: id, event_id: "a", type: "trade.executed", occurred_at: at },
  ...{ ticker, price, volume, side: "buy" },
});

tacho_test({
  name: "trades of times at random since 1970 lie on a board by arrival at the time they came",
  needs: ["postgres"],
  fn: () =>
    with_domain_log("trades", async (database) => {
      const deliver = arriving(database, TRADES, UTC);
      const shown = async (last: number, now_ms: number) => {
        const { cards, series, lines, arrived, window } = await board_of(database, TRADES, { ...LAST, last }, now_ms);
        const { trades, busted, volume, turnover, max_price } = cards;
        return {
          ...{ trades, busted, volume, turnover, max_price },
          buckets: series.t.map((t, i) => [new Date(t * 1000).toISOString().slice(11, 16), series.trades![i]]),
          lines: lines.map(({ trade_id }) => trade_id),
          events: arrived!.events,
          minutes: (window.to_s - window.from_s) / 60,
          end: new Date(window.to_s * 1000).toISOString().slice(11, 16),
        };
      };
      const nothing = {
        trades: 0,
        busted: 0,
        volume: 0,
        turnover: 0,
        max_price: null,
        buckets: [],
        lines: [],
        events: 0,
      };
      assert.deepEqual(await shown(200, NOON), { ...nothing, minutes: 16, end: "12:01" }, "an empty log");

      await deliver(NOON, [trade("A", "1970-01-01T00:00:01Z", "10.00", 3)]);
      const one = { trades: 1, busted: 0, volume: 3, turnover: 30, max_price: 10, events: 1 };
      assert.deepEqual(await shown(200, NOON + 20_000), {
        ...{ ...one, buckets: [["12:00", 1]], lines: ["A"], minutes: 16, end: "12:01" },
      }, "one event");

      await deliver(NOON + 60_000, [
        trade("B", "1999-12-31T23:59:59Z", "20.50", 2),
        trade("C", "2026-03-09T11:00:00Z", "1.00", 1),
      ]);
      await deliver(NOON + 120_000, [trade("D", "1985-07-13T12:00:00Z", "7.00", 10)]);
      const all = await shown(200, NOON + 125_000);
      assert.deepEqual([all.trades, all.volume, all.turnover, all.lines], [4, 16, 142, ["D", "C", "B", "A"]]);
      assert.deepEqual(all.buckets, [["12:00", 1], ["12:01", 2], ["12:02", 1]]);
      // Of one batch the one that came later is the last, whatever their ids and prices.
      const second = { ...LAST, range: "custom", from_s: NOON / 1000 + 60, to_s: NOON / 1000 + 120 } as const;
      const of_batch = await board_of(database, TRADES, second, NOON + 125_000);
      assert.deepEqual([of_batch.cards.trades, of_batch.cards.last_price], [2, 1]);
      assert.deepEqual(of_batch.series.first_price, [20.5]);
      const two = await shown(2, NOON + 125_000);
      assert.deepEqual([two.trades, two.buckets, two.lines], [2, [["12:01", 1], ["12:02", 1]], ["D", "C"]]);

      // A's correction is its newest event: it is of the last two with all that it is, and B, whose events are all older, is not.
      await deliver(NOON + 180_000, [
        { trade_id: "A", event_id: "c", type: "trade.corrected", occurred_at: "1970-01-02T00:00:00Z", price: "11.00" },
      ]);
      const corrected = await shown(2, NOON + 185_000);
      assert.deepEqual([corrected.trades, corrected.turnover, corrected.lines], [2, 33 + 70, ["A", "D"]]);
      assert.deepEqual(corrected.buckets, [["12:02", 1], ["12:03", 1]]);
      // Of a range of recorded time that its newest event is not in it is not: it came there once, and has come again.
      const noon_s = NOON / 1000;
      const first = { ...LAST, range: "custom", from_s: noon_s, to_s: noon_s + 60 } as const;
      const before = await board_of(database, TRADES, first, NOON + 185_000);
      assert.deepEqual([before.cards.trades, before.lines.length, before.arrived!.events], [0, 0, 1]);
      const then = await past_board_of(database, TRADES, first, 4, NOON + 185_000);
      assert.deepEqual([then.cards.trades, then.cards.turnover], [1, 30], "as of the position before the correction");

      // Two events of one trade in the range: it counts once, by the newer one.
      const three = await shown(5, NOON + 185_000);
      assert.deepEqual([three.trades, three.events, three.lines], [4, 5, ["A", "D", "C", "B"]]);

      await deliver(NOON + 240_000, [
        { trade_id: "D", event_id: "z", type: "trade.busted", occurred_at: "1985-07-14T12:00:00Z", reason: "error" },
      ]);
      const bust = await shown(1, NOON + 245_000);
      assert.deepEqual([bust.trades, bust.busted, bust.volume, bust.lines], [0, 1, 0, ["D"]]);

      // 200 of one batch have the same recorded time.
      const many = Array.from({ length: 200 }, (_, i) => trade(`M${i}`, "2001-01-01T00:00:00Z", "1.00", 1));
      await deliver(NOON + 300_000, many);
      const batch = await shown(200, NOON + 300_500);
      assert.deepEqual([batch.trades, batch.busted, batch.buckets, batch.minutes], [200, 0, [["12:05", 200]], 16]);
      assert.equal(batch.lines.length, 40);
      assert.equal((await shown(199, NOON + 300_500)).trades, 199);
      // The window goes on with the clock, and its grain with its length.
      assert.deepEqual((await shown(200, NOON + 3_600_000)).minutes, 56);
      const later = await board_of(database, TRADES, { ...LAST, last: 200 }, NOON + 86_400_000);
      assert.deepEqual([later.window.grain, later.cards.trades], ["5m", 200]);
      const years_later = await board_of(database, TRADES, { ...LAST, last: 200 }, NOON + 3 * 365 * 86_400_000);
      assert.deepEqual([years_later.window.grain, years_later.cards.trades], ["1d", 200]);
    }),
});

database_test(
  "a range of recorded time that too much arrived in is refused, before it is looked at",
  async (database) => {
    await settle_deployment(database, { time_zone: "UTC", currency: "USD" });
    const deliver = arriving(database, TEST_DOMAIN, UTC);
    for (let i = 0; i < 5; i++) {
      await deliver(NOON + i * 60_000, [
        { trip_id: `T${i}`, event_id: "a", type: "trip.requested", occurred_at: "2026-03-01T10:00:00Z" },
        { trip_id: `T${i}`, event_id: "b", type: "trip.started", occurred_at: "2026-03-01T10:05:00Z" },
      ]);
    }
    const range = { from_s: NOON / 1000 + 60, to_s: NOON / 1000 + 240 };
    const { after, last, events } = await find_arrived(database, range, 10);
    assert.deepEqual([after, last, events], [2, 8, 6]);
    assert.deepEqual((await find_arrived(database, range, 5)).events, 3, "up to a position in the middle of a batch");
    assert.equal((await find_arrived(database, range, 10, 6)).events, 6);
    await assert.rejects(find_arrived(database, range, 10, 5), TooManyArrived);
    await assert.rejects(find_arrived(database, range, 10, 1), /more than 1 events arrived in this range/);
    assert.equal((await find_arrived(database, { from_s: 0, to_s: 60 }, 10)).events, 0);
  },
);

database_test(
  "what a clock that is behind recorded lies where it says, wherever it is in the log",
  async (database) => {
    await settle_deployment(database, { time_zone: "UTC", currency: "USD" });
    const deliver = arriving(database, TEST_DOMAIN, UTC);
    for (const [id, seconds] of [["A", 60], ["B", 0], ["C", 120]] as const) {
      const canceled = { trip_id: id, event_id: "a", type: "trip.canceled", occurred_at: "2026-03-01T10:00:00Z" };
      const started = { trip_id: id, event_id: "b", type: "trip.started", occurred_at: "2026-03-01T09:00:00Z" };
      await deliver(NOON + seconds * 1_000, [id === "A" ? canceled : started]);
    }
    const shown = async (from: number, to: number) => {
      const view = { ...LAST, range: "custom", from_s: NOON / 1000 + from, to_s: NOON / 1000 + to } as const;
      const { cards, lines, arrived } = await board_of(database, TEST_DOMAIN, view, NOON + 180_000);
      return [arrived!.events, lines.map(({ trip_id }) => trip_id), cards.canceled, cards.in_progress];
    };
    assert.deepEqual(await shown(60, 180), [2, ["C", "A"], 1, 1], "between them lies B");
    assert.deepEqual(await shown(0, 60), [1, ["B"], 0, 1]);
    assert.deepEqual(await shown(0, 180), [3, ["C", "B", "A"], 1, 2]);
  },
);
