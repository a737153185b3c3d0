import assert from "node:assert/strict";
import type { OpenedDatabase } from "../../src/database/mod.ts";
import { message_of } from "../../src/alerts/outbox.ts";
import { read_changes, read_rule, replay_rule } from "../../src/alerts/mod.ts";
import { UnusualWatch } from "../../src/unusual/mod.ts";
import { changes_of, keeper_of, minute_us, Payments, put_rules, RULED, runtime_of } from "../support/alerted_log.ts";
import { tacho_test } from "../support/available.ts";
import { make_http_side } from "../support/http_side.ts";
import { with_payments } from "../support/told_payments.ts";

/** What is unusual, found in a log's own cells. */

const WEEK = 7 * 24 * 60;
const watch_of = (database: OpenedDatabase) => new UnusualWatch(runtime_of().runtime, database, RULED);
const minutes = (from: number, to: number, payments: number) =>
  Array.from({ length: to - from }, (_, i) => [from + i, payments] as const);
/** Four payments a minute at the same time of so many weeks, the newest of them the week before the one that is looked at. */
const weeks_of = (many: number) =>
  Array.from({ length: many }, (_, week) => minutes(week * WEEK, week * WEEK + 70, 4)).flat();

tacho_test({
  name: "more and less than in the weeks before are told as event time goes on: less only once it is closed",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const payments = new Payments(database), watch = watch_of(database), now = 7 * WEEK;
      const told = async () => {
        await watch.look();
        return watch.now().items.map(({ figure, dimension, from_us, to_us, seen, expected }) => (
          {
            figure,
            dimension,
            from: (from_us - minute_us(now)) / 60e6,
            to: (to_us - minute_us(now)) / 60e6,
            seen,
            expected,
          }
        ));
      };
      await watch.look();
      assert.equal(watch.now().closed_us, null, "a log without events");
      await payments.take_in(...weeks_of(7), ...minutes(now, now + 30, 4));
      assert.deepEqual(await told(), []);
      const { closed_us, against, weeks, keys, left_out } = watch.now();
      assert.equal(closed_us, minute_us(now + 20), "what lies five minutes behind the newest event is closed");
      assert.deepEqual([against, weeks, left_out], ["weeks", 6, 0], "the day of the first event is not known wholly");
      assert.ok(keys >= 3);
      await payments.take_in(...minutes(now + 30, now + 34, 20));
      const all = { figure: "transactions", dimension: "none" };
      assert.deepEqual(
        await told(),
        [{ ...all, from: 30, to: 35, seen: 80, expected: 20 }],
        "it is open, and too much already",
      );
      await payments.take_in([now + 34, 4], [now + 44, 1]);
      const [high] = await told();
      assert.deepEqual([high?.from, high?.to], [30, 35], "nothing in what is open is not low");
      assert.equal((await told()).length, 1);
      await payments.take_in([now + 55, 1]);
      const closed = await told();
      assert.deepEqual(closed.map(({ from, to, seen, expected }) => [from, to, seen, expected]), [[35, 50, 1, 60]]);
      const { score, share } = watch.now().items[0]!;
      assert.ok(score < -5);
      assert.equal(share, 1);
      // What comes late fills it in.
      await payments.take_in(...minutes(now + 35, now + 50, 4));
      await watch.look();
      assert.ok(watch.now().items.every(({ score }) => score > 0));
    }),
});

tacho_test({
  name: "with too few weeks it goes by the day before, and by nothing where there is none; by the API it says so",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const payments = new Payments(database), watch = watch_of(database);
      const { get } = await make_http_side(database, { board: RULED.board, unusual: () => watch.now() });
      const answer = async () => {
        await watch.look();
        return await (await get("/api/v1/unusual")).json();
      };
      await payments.take_in(...minutes(0, 60, 2));
      const first = await answer();
      assert.deepEqual([first.against, first.weeks, first.items, first.least_weeks], ["nothing", 0, [], 4]);
      // Two days later a day is known.
      const day = Array.from({ length: 3 * 288 }, (_, i) => [5 * i, 3] as const);
      const end = 3 * 1_440;
      await payments.take_in(...day, [end, 3], [end + 6, 60], [end + 12, 1]);
      const { against, closed, items } = await answer();
      assert.deepEqual([against, closed], [
        "day",
        new Date(minute_us(end + 5) / 1_000).toISOString().replace(".000Z", ".000000Z"),
      ]);
      const [item] = items;
      assert.deepEqual([item.figure, item.label, item.dimension, item.key, item.seen, item.expected], [
        "transactions",
        "Transactions",
        null,
        null,
        60,
        3,
      ]);
      assert.ok(item.score > 5 && item.from < item.to);
    }),
});

tacho_test({
  name: "how much is unusual is told of now alone, and not of a log that is only read in",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const payments = new Payments(database);
      await payments.take_in(...weeks_of(6), ...minutes(6 * WEEK, 6 * WEEK + 40, 4), [6 * WEEK + 40, 60]);
      const at = (minute: number) => {
        const { runtime } = runtime_of(), now_ms = () => minute_us(minute) / 1_000;
        return new UnusualWatch({ ...runtime, clock: { now_ms } }, database, RULED);
      };
      const fresh = at(6 * WEEK + 41), old = at(6 * WEEK + 90);
      assert.equal(fresh.many_now(), 0, "before it has looked");
      for (const watch of [fresh, old]) {
        await watch.look();
        assert.equal(watch.now().items.length, 1);
      }
      assert.deepEqual([fresh.many_now(), old.many_now()], [1, 0]);
      // One clock that is fifty minutes ahead makes nothing too little that is not over.
      await payments.take_in([6 * WEEK + 90, 1]);
      await fresh.look();
      assert.ok(fresh.now().items.every(({ score }) => score > 0), JSON.stringify(fresh.now().items));
      assert.equal(fresh.now().closed_us, minute_us(6 * WEEK + 35));
    }),
});

tacho_test({
  name:
    "a rule over the score fires where a window is unusual, replayed and live, of counts, sums and means; with few weeks it is not known",
  needs: ["postgres"],
  fn: () =>
    with_payments(async (database) => {
      const now = 6 * WEEK, payments = new Payments(database);
      await payments.take_in(...weeks_of(6), ...minutes(now, now + 20, 4), ...minutes(now + 25, now + 29, 1));
      await put_rules(database, { name: "odd", figure: "captured", window: "5m", score: 3 });
      await keeper_of(database, { at: now + 28, receivers: ["ops"] }).look();
      assert.deepEqual(await changes_of(database), ["odd ok>firing window"]);
      const [fired] = await read_changes(database, 1);
      const { text, expected, score, then } = message_of(RULED.board, { domain: "payments", log_id: "l" }, fired!);
      assert.match(
        text,
        /^payments odd fires: captured 3 times as far from usual as is usual, is 0 \(usually 20\), since/,
      );
      assert.deepEqual([expected, then], [20, undefined]);
      assert.ok(score! > 3);
      await payments.take_in([now + 29, 1], ...minutes(now + 30, now + 60, 4));
      const replayed = async (json: Record<string, unknown>, length_us = 3_000e6) => {
        const read = read_rule(RULED.board, { name: "odd", ...json });
        assert.ok(read.ok, JSON.stringify(read));
        const silent = { signal: new AbortController().signal, seen: () => {} };
        const { changes, unknown } = await replay_rule(database, RULED, read.rule, length_us, silent);
        return {
          changes: changes.map((
            { to, window },
          ) => [to, (window!.to_us - minute_us(now)) / 60e6, window!.figure, window!.then]),
          unknown,
        };
      };
      // Twenty each five minutes are usual; nothing came in one window, five in the next.
      const odd = { changes: [["firing", 25, 0, 20], ["resolved", 35, 20, 20], ["ok", 40, 20, 20]], unknown: 0 };
      assert.deepEqual(await replayed({ figure: "captured", score: 3 }), odd);
      assert.deepEqual(await replayed({ figure: "captured", score: 3, filter: { merchant: ["Kiosk"] } }), odd);
      assert.deepEqual(
        (await replayed({ figure: "value", score: 3 })).changes.slice(0, 1),
        [["firing", 25, 0, 200]],
        "a sum",
      );
      assert.deepEqual((await replayed({ figure: "captured", score: 30 })).changes, []);
      const mean = await replayed({ figure: "average_value", score: 3 });
      assert.deepEqual([mean.changes, mean.unknown], [[], 1], "of a mean of nothing it is not known");
      const { unknown } = await replayed({ figure: "captured", score: 3, lag: "7d" }, 5 * 7 * 86_400e6);
      assert.ok(unknown > 3 * 2_016, `${unknown} windows of the first weeks have too few before them`);
    }),
});
