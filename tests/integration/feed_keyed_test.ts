import assert from "node:assert/strict";
import type { Database, Queryable } from "../../src/database/mod.ts";
import type { BoardWords, DomainBoard } from "../../src/domains/mod.ts";
import { read_head } from "../../src/event_log/mod.ts";
import {
  figures_of_cells,
  figures_of_states,
  type Filter,
  keyed_series,
  past_states,
  present_states,
  read_boards,
  read_lane_board,
  read_past_board,
  shown_board,
  type ShownBoard,
  type View,
  whole_question,
  window_at,
} from "../../src/feed/figures/mod.ts";
import { board_data } from "../../src/feed/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { tacho_test } from "../support/available.ts";
import { FeedModel, FrameReader } from "../support/feed_client.ts";
import { make_hub, ManualTime } from "../support/read_side.ts";
import { executed as executed_at, type ToldTrade, TRADES_DOMAIN, with_trade_log } from "../support/trade_log.ts";

/** Lines by key, on trades: the greatest tickers have lines, all others are one, and what is sent is enough to draw them. */

const UTC = days_in("UTC");
const NOW = "2026-03-01T12:10:30Z", NOW_MS = Date.parse(NOW);
const VIEW: View = { range: "15m", to_s: null, filter: [], compare: "weekday" };

const CHARTS: BoardWords["charts"] = [
  {
    name: "price",
    title: "",
    sub: "",
    kind: "lines",
    by: "ticker",
    figure: "last_price",
    top: 2,
    least: 0,
    candles: { open: "first_price", high: "max_price", low: "min_price", close: "last_price", volume: "volume" },
  },
  {
    name: "volumes",
    title: "",
    sub: "",
    kind: "lines",
    by: "ticker",
    figure: "volume",
    top: 2,
    others: true,
    least: 0,
  },
];
const with_charts = (charts: BoardWords["charts"]): DomainBoard => ({
  ...TRADES_DOMAIN.board,
  words: { ...TRADES_DOMAIN.board.words, charts },
});
const BOARD = with_charts(CHARTS);

const at = (minute: number) => new Date(Date.parse("2026-03-01T12:00:20Z") + minute * 60_000).toISOString();
const executed = (ticker: string, minute: number, price: string, volume: number, more: ToldTrade = {}): ToldTrade =>
  executed_at(at(minute), ticker, price, volume, more);

const keyed_test = (name: string, fn: Parameters<typeof with_trade_log>[0]) =>
  tacho_test({ name, needs: ["postgres"], fn: () => with_trade_log(fn, () => NOW_MS) });

/** The board of a view, both lanes joined. */
async function read_board(database: Database, filter: Filter = [], board = BOARD): Promise<ShownBoard> {
  const source = { database, board, days: UTC };
  const view: View = { ...VIEW, filter }, watched = { view, window: window_at(view, NOW_MS, UTC) };
  const reading = await read_boards(source, new Map([["", watched]]), [], null);
  const slow = filter.length === 0 ? null : await read_lane_board(source, watched, null, NOW_MS);
  const lane = { board: slow, compared: null, tried: true, failed: null, version: 0, compared_version: 0 };
  return shown_board(board, watched, reading, { cells: reading.boards.get("") ?? null, lane, wait: false })!;
}

/** The columns by the minutes past twelve that have anything. */
const rows_of = ({ series }: Pick<ShownBoard, "series">, ...names: string[]) =>
  Object.fromEntries(
    series.t.map((t, i) => [
      (t - Date.parse("2026-03-01T12:00:00Z") / 1_000) / 60,
      names.map((name) => series[name]?.[i]),
    ]),
  );

const SOME = () => [
  executed("AAPL", 1, "190.00", 100, { side: "buy" }),
  executed("AAPL", 1.5, "192.00", 100, { side: "sell" }),
  executed("MSFT", 1, "400.00", 90, { side: "buy" }),
  executed("TSLA", 1, "250.00", 7, { side: "buy" }),
  executed("MSFT", 3, "402.00", 10, { side: "sell" }),
  executed("IBM", 3, "240.00", 5, { side: "buy" }),
];

keyed_test(
  "the greatest keys have lines, all others one that is exact, and what was not traded is a gap",
  async (database, tell) => {
    await tell(...SOME());
    const board = await read_board(database);
    assert.deepEqual(board.lines_of, { ticker: { keys: ["AAPL", "MSFT"], others: 2 } });
    assert.deepEqual(rows_of(board, "price.0", "price.1", "price.2", "price.others"), {
      1: [192, 400, undefined, undefined],
      3: [null, 402, undefined, undefined],
    });
    assert.deepEqual(rows_of(board, "volumes.0", "volumes.1", "volumes.others", "volume"), {
      1: [200, 90, 7, 297],
      3: [0, 10, 5, 15],
    });
  },
);

keyed_test(
  "a filter by keys has their lines, one key has candles, and what it leaves out is among no others",
  async (database, tell) => {
    await tell(...SOME());
    const one = await read_board(database, [{ dimension: "ticker", keys: ["AAPL"], excluded: false }]);
    assert.deepEqual(one.lines_of, { ticker: { keys: ["AAPL", null], others: 0 } });
    assert.deepEqual(rows_of(one, "volumes.0", "volumes.1", "volumes.others"), { 1: [200, null, 0] });
    assert.deepEqual(
      rows_of(one, "first_price", "max_price", "min_price", "last_price", "volume"),
      { 1: [190, 192, 190, 192, 200] },
    );
    const three = await read_board(database, [{ dimension: "ticker", keys: ["IBM", "MSFT", "TSLA"], excluded: false }]);
    assert.deepEqual(three.lines_of, { ticker: { keys: ["MSFT", "TSLA"], others: 1 } });
    assert.deepEqual(rows_of(three, "volumes.0", "volumes.1", "volumes.others"), { 1: [90, 7, 0], 3: [10, 0, 5] });
    const without = await read_board(database, [{ dimension: "ticker", keys: ["MSFT"], excluded: true }]);
    assert.deepEqual(without.lines_of, { ticker: { keys: ["AAPL", "TSLA"], others: 1 } });
    assert.deepEqual(rows_of(without, "volumes.0", "volumes.1", "volumes.others"), { 1: [200, 7, 0], 3: [0, 0, 5] });
  },
);

keyed_test(
  "a filter that crosses keys is computed from states, beside what cells say and alone",
  async (database, tell) => {
    await tell(...SOME());
    const buys = await read_board(database, [{ dimension: "side", keys: ["buy"], excluded: false }]);
    assert.equal(buys.sources.cards, "cells");
    assert.deepEqual(buys.lines_of, { ticker: { keys: ["AAPL", "MSFT"], others: 2 } });
    assert.deepEqual(rows_of(buys, "volumes.0", "volumes.1", "volumes.others", "volume"), {
      1: [100, 90, 7, 197],
      3: [0, 0, 5, 5],
    });
    assert.deepEqual(rows_of(buys, "price.0", "price.1"), { 1: [190, 400], 3: [null, null] });
    const one = await read_board(database, [
      { dimension: "ticker", keys: ["MSFT"], excluded: false },
      { dimension: "side", keys: ["buy"], excluded: false },
    ]);
    assert.equal(one.sources.cards, "states");
    assert.deepEqual(rows_of(one, "price.0", "max_price", "volumes.others"), { 1: [400, 400, 0] });
  },
);

keyed_test("cells and states say the same of lines by key, to the last digit", async (database, tell) => {
  let state = 7;
  const draw = (
    below: number,
  ) => (state = Math.imul(state, 1_664_525) + 1_013_904_223 >>> 0, Math.floor(state / 2 ** 32 * below));
  for (let batch = 0; batch < 6; batch++) {
    const events = Array.from(
      { length: 40 },
      () =>
        executed(`S${draw(9)}`, draw(10), `${1 + draw(500)}.${10 + draw(90)}`, 1 + draw(5_000), {
          side: draw(2) === 0 ? "buy" : "sell",
        }),
    );
    const changed = events.slice(0, 10).map(({ trade_id }, i) => ({
      trade_id,
      event_id: `c${batch}`,
      type: i % 2 === 0 ? "trade.corrected" : "trade.busted",
      occurred_at: at(11),
      price: "3.33",
    }));
    await tell(...events, ...changed);
    for (const filter of [[], [{ dimension: "ticker", keys: ["S1", "S2", "S3"], excluded: batch % 2 === 0 }]]) {
      // By minutes, and by quarters of an hour, which no cells keep.
      const view: View = { ...VIEW, ...batch % 3 === 2 ? { range: "6h", grain: "15m" } : {}, filter };
      const question = whole_question({ board: BOARD, days: UTC }, { view, window: window_at(view, NOW_MS, UTC) });
      const cells = await figures_of_cells(
        database,
        question.filter.length === 0 ? question : {
          ...question,
          wants: { ...question.wants, breakdowns: [] },
        },
      );
      const states = await database.transaction((reading) =>
        figures_of_states(reading, question, present_states(BOARD))
      );
      const [of_cells, of_states] = [cells, states].map((figures) => keyed_series(question, figures, {}));
      const kept = ({ t, columns, lines }: typeof of_cells & object) => [
        lines,
        t.flatMap((at, i) => {
          const row = Object.entries(columns).map(([name, column]) => [name, column[i]]);
          return row.some(([, value]) => (value ?? 0) !== 0) ? [[at, row]] : [];
        }),
      ];
      assert.deepEqual(kept(of_cells!), kept(of_states!));
      const others = cells.buckets.map((row, i) =>
        of_cells!.columns["volumes.0"]![i]! + of_cells!.columns["volumes.1"]![i]! +
        of_cells!.columns["volumes.others"]![i]! -
        Number(row.volume)
      );
      assert.ok(others.every((left) => left === 0), "no volume is lost");
    }
  }
});

keyed_test("a board of then has the lines of then", async (database, tell) => {
  await tell(...SOME());
  const { position } = await read_head(database);
  await tell(executed("IBM", 1, "1.00", 1_000_000));
  const view = VIEW, watched = { view, window: window_at(view, NOW_MS, UTC) };
  const then = await database.transaction(async (reading) => {
    const states = await past_states(TRADES_DOMAIN)(reading, position, position + 1);
    return read_past_board(reading, { board: BOARD, days: UTC }, watched, states, {
      position,
      newest_event_ms: NOW_MS,
      now_ms: NOW_MS,
    });
  });
  assert.deepEqual(board_data(then, { time_zone: "UTC", currency: "USD", board: BOARD }, 0).keyed, {
    ticker: { keys: ["AAPL", "MSFT"], others: 2 },
  });
  assert.deepEqual(rows_of(then, "volumes.0", "volumes.1", "volumes.others"), { 1: [200, 90, 7], 3: [0, 10, 5] });
});

keyed_test(
  "viewers hear of changed buckets alone, of all when keys change hands, and end as a fresh one does",
  async (database, tell) => {
    const time = new ManualTime(NOW);
    const hub = make_hub(database, time, { board: BOARD });
    const subscribe = (last_event_id: string | null = null) => {
      const taken = hub.subscribe(VIEW, last_event_id, "test");
      assert.ok(taken.ok);
      return new FrameReader(taken.stream);
    };
    const model_of = () => {
      const model = new FeedModel();
      return { model, keyed: null as unknown };
    };
    try {
      await tell(...SOME());
      const viewer = subscribe(), held = model_of();
      const hear = async (reader: FrameReader, event: string, into = held) => {
        const next = async () => {
          for (;;) {
            // What the slow lane has read is told too: comparisons change no bucket.
            const frame = await reader.until(event);
            if (frame.data.series.t.length > 0) return frame;
          }
        };
        const frame = await time.beat_until(event, next(), 300);
        if (event === "hello") frame.data.trips = [];
        into.model.apply(frame);
        into.keyed = frame.data.keyed;
        return frame;
      };
      const hello = await hear(viewer, "hello");
      const first_id = hello.id;
      assert.deepEqual(hello.data.keyed, { ticker: { keys: ["AAPL", "MSFT"], others: 2 } });

      // A correction of an old trade: its bucket alone.
      const { trade_id } = (await database.query<{ trade_id: string }>(
        "select trade_id from trades where ticker = 'MSFT' and volume = 90",
      ))[0]!;
      await tell({ trade_id, event_id: "c", type: "trade.corrected", occurred_at: at(9), price: "300.00", volume: 80 });
      const corrected = await hear(viewer, "kpi");
      assert.deepEqual(corrected.data.series["price.1"], [300]);
      assert.deepEqual(corrected.data.series["volumes.1"], [80]);
      assert.equal(corrected.data.series.t.length, 1);

      // A key comes among the greatest: it takes the line of the one that goes, and all of it is told.
      await tell(executed("TSLA", 9, "251.00", 5_000));
      const changed = await hear(viewer, "kpi");
      assert.deepEqual(changed.data.keyed, { ticker: { keys: ["AAPL", "TSLA"], others: 2 } });
      assert.deepEqual(changed.data.series["volumes.1"], [7, 0, 5_000]);
      assert.deepEqual(changed.data.series["volumes.others"], [80, 15, 0]);

      const fresh = model_of();
      await hear(subscribe(), "hello", fresh);
      assert.deepEqual(held.model.series(), fresh.model.series());
      assert.deepEqual(held.keyed, fresh.keyed);

      // Who comes back has lines of other keys: all of them are told anew.
      const back = model_of();
      back.model.apply(hello);
      await hear(subscribe(first_id), "kpi", back);
      assert.deepEqual(back.model.series(), fresh.model.series());
      assert.deepEqual(back.keyed, fresh.keyed);
    } finally {
      hub.close();
    }
  },
);

keyed_test("lines by key cost one statement more a reading, and a board without them none", async (database, tell) => {
  await tell(...SOME());
  const statements = async (board: DomainBoard) => {
    let asked = 0;
    const counted = <T extends Queryable>(inner: T): T =>
      new Proxy(inner, {
        get(target, name, receiver) {
          const value = Reflect.get(target, name, receiver);
          if (name === "query" || name === "execute") asked++;
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    const watched = new Proxy(database, {
      get(target, name, receiver) {
        if (name === "transaction") {
          return (work: (transaction: Queryable) => Promise<unknown>) =>
            target.transaction((inner) => work(counted(inner)));
        }
        const value = Reflect.get(target, name, receiver);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await read_board(watched, [], board);
    return asked;
  };
  const plain = with_charts(TRADES_DOMAIN.board.words.charts.filter((chart) => !("by" in chart)));
  assert.equal(await statements(BOARD), await statements(plain) + 1);
});
