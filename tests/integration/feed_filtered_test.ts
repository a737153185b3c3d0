import assert from "node:assert/strict";
import fc from "fast-check";
import type { Database } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import {
  type Board,
  cards_lacking,
  comparisons_of,
  draw,
  figures_of_states,
  type Filter,
  present_of,
  present_states,
  type Question,
  read_boards,
  read_compared,
  type Span,
  type View,
  view_key,
  type Wants,
  whole_question,
  window_at,
} from "../../src/feed/figures/mod.ts";
import type { FeedHub, Subscription } from "../../src/feed/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { FeedModel, type Frame, FrameReader } from "../support/feed_client.ts";
import { RANDOM_TIMES, trip_event } from "../support/random_trips.ts";
import { database_test, make_hub, ManualTime } from "../support/read_side.ts";
import { message, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const DAYS = days_in(TEST_TIME_ZONE);
const NOW = "2026-03-08T07:00:30Z";
const NOW_MS = Date.parse(NOW);
/** When all that is compared has passed. */
const LATER_MS = NOW_MS + 60 * 86_400_000;

/** A pipeline that appends trip events, each time as one batch. */
function appending(database: Database): (events: readonly unknown[]) => Promise<void> {
  const pipeline = trip_pipeline(database, () => NOW_MS);
  let offset = 0;
  return async (events) => {
    const messages = events.map((each, i) => message(offset + i, each, NOW_MS));
    const batch = { topic: "trips", partition: 0, from_offset: offset, next_offset: offset + events.length, messages };
    const advance = { topic: "trips", partition: 0, from: offset === 0 ? null : offset, to: offset + events.length };
    offset += events.length;
    await pipeline.append(await pipeline.plan([batch], [advance], "test"));
  };
}

const { from_s, to_s } = RANDOM_TIMES;
const WEEK_S = 7 * 86_400;
const span: fc.Arbitrary<Span> = fc.oneof(
  fc.record({ range: fc.constantFrom("6h" as const, "24h" as const, "7d" as const), to_s: fc.constant(null) }),
  // A stretch of the random times, of whatever length and grain; and one that is compared with them.
  fc.tuple(fc.integer({ min: from_s - 600, max: to_s }), fc.integer({ min: 1, max: 9_000 }), fc.boolean()).map((
    [start, length_s, later],
  ) => ({
    range: "custom" as const,
    from_s: start + (later ? WEEK_S : 0),
    to_s: start + (later ? WEEK_S : 0) + length_s,
  })),
  fc.constant({ range: "custom" as const, from_s: from_s - 60 * 86_400, to_s: to_s + 86_400 }),
);
const condition = fc.oneof(
  ...([
    ["status", "completed", "requested"],
    ["city", "Chicago", "unknown", 'a "b\\c, {d}'],
    ["payment_method", "card"],
    [
      "pickup_zone",
      "Z1",
      "Z2",
      "unknown",
    ],
  ] as const).map(([dimension, ...keys]) =>
    fc.record({
      dimension: fc.constant(dimension),
      keys: fc.subarray<string>([...keys], { minLength: 1 }).map((some) => some.toSorted()),
      excluded: fc.boolean(),
    })
  ),
);

/** Cards without some. */
const without = (cards: Board["cards"], names: readonly string[]) =>
  Object.fromEntries(Object.entries(cards).filter(([name]) => !names.includes(name)));

/** By bucket, without those of nothing, and without the marks. */
function rows_of({ t, revised_ms: _, ...columns }: Board["series"]) {
  const rows = t.map((at, i) => [at, Object.entries(columns).map(([name, column]) => `${name} ${column[i]}`)] as const);
  return rows.filter(([, row]) => row.some((text) => !/ (0|null)$/.test(text)));
}

database_test(
  "cells say of one dimension's keys, or of all others, to the bit what states say of them",
  async (database) => {
    const append = appending(database);
    await append([
      { trip_id: "first", event_id: "a", type: "trip.requested", occurred_at: "2026-03-08T04:00:00Z" },
      // One that counts whatever chance makes of the others: all of those may be voided.
      { trip_id: "sure", event_id: "a", type: "trip.completed", occurred_at: "2026-03-08T05:00:00Z", fare: "7.50" },
    ]);
    const events = fc.noBias(fc.array(trip_event, { minLength: 60, maxLength: 120 }));
    // A week after all that happens: it is compared with that.
    const week_after = fc.tuple(
      fc.constant({ range: "custom" as const, from_s: from_s + WEEK_S - 7_200, to_s: to_s + WEEK_S }),
      fc.constant({ dimension: "city", keys: ["Berlin"], excluded: true }),
    );
    const views = fc.tuple(week_after, ...Array.from({ length: 9 }, () => fc.tuple(span, condition)));
    let compared_rows = 0;
    await fc.assert(
      fc.asyncProperty(
        events,
        views,
        async (all, asked) => {
          await append(all);
          const watching = asked.map(([each, only]): View => ({ ...each, filter: [only], compare: "weekday" }));
          const watched = new Map(
            watching.map((view) => [view_key(view, DAYS), { view, window: window_at(view, NOW_MS, DAYS) }]),
          );
          const source = { database, board: trips_board, days: DAYS };
          const { boards } = await read_boards(source, watched, [], null);
          const computing = async (question: Question, wants: Wants = question.wants) => {
            const asked = { ...question, wants };
            return draw(
              asked,
              await database.transaction((tx) => figures_of_states(tx, asked, present_states(trips_board))),
            );
          };
          for (const [key, each] of watched) {
            const { view: { filter }, window } = each;
            const question = whole_question(source, each);
            const cells = boards.get(key);
            if (filter[0]!.dimension === "pickup_zone" && window.grain === "1m") {
              assert.equal(cells, undefined);
              continue;
            }
            assert(cells !== undefined);
            const computed = await computing(question);
            assert.deepEqual(rows_of(cells.series), rows_of(computed.series));
            const lacking = cards_lacking(trips_board, filter[0]!, window.grain);
            assert.deepEqual(without(cells.cards, lacking), without(computed.cards, lacking));
            for (const name of lacking) assert.equal(cells.cards[name], null);

            const compared = await read_compared(source, each, LATER_MS);
            for (const [name, comparison] of Object.entries(comparisons_of(window, LATER_MS, DAYS))) {
              const { stretch } = comparison;
              const said = compared.cards[name as "previous"];
              assert.deepEqual({ from_s: said.from_s, to_s: said.to_s }, stretch);
              if (stretch.from_s === stretch.to_s) {
                assert.deepEqual(said.cards, {});
                continue;
              }
              const figures = trips_board.cards.filter((card) => "figure" in card);
              const { cards: wanted } = await computing(question, { stretches: [stretch], cards: figures });
              if (said.since_s === said.to_s) {
                assert.deepEqual([said.cards, wanted.trips, wanted.completed], [{}, 0, 0]);
              } else assert.deepEqual(said.cards, wanted);
              if (name !== "weekday") continue;
              const then = { ...question, window: comparison.window };
              const { series: { t, completed, revenue } } = await computing(then, { series: true });
              const moved = {
                t: t.map((at) => present_of(at, window, comparison, DAYS)),
                completed: completed!,
                revenue: revenue!,
              };
              const { name: said_name, shift_s, ...columns } = compared.series;
              assert.deepEqual([said_name, shift_s], ["weekday", comparison.shift_s]);
              assert.deepEqual(rows_of(columns as Board["series"]), rows_of(moved));
              compared_rows += moved.completed.filter((count) => Number(count) > 0).length;
            }
          }
        },
      ),
      { numRuns: 1, endOnFailure: true },
    );
    assert(compared_rows > 0, "nothing was compared with anything");
  },
);

const city = (name: string, excluded = false): Filter => [{ dimension: "city", keys: [name], excluded }];
const HOUR = { range: "1h", to_s: null, compare: "weekday" } as const;

function watch(hub: FeedHub, filter: Filter, last: string | null = null): FrameReader {
  const subscription: Subscription = hub.subscribe({ ...HOUR, filter }, last, "::1");
  assert(subscription.ok);
  return new FrameReader(subscription.stream);
}

/** Applies frames to a model until it is as wanted. */
async function follow(reader: FrameReader, model: FeedModel, wanted: (frame: Frame) => boolean): Promise<Frame> {
  for (let frame = await reader.next(); frame !== null; frame = await reader.next()) {
    model.apply(frame);
    if (wanted(frame)) return frame;
  }
  throw new Error("the feed ended");
}

const trip = (id: string, fields: Record<string, unknown>, at = "06:40") => [
  { trip_id: id, event_id: `${id}-s`, type: "trip.started", occurred_at: `2026-03-08T06:30:00Z`, ...fields },
  {
    trip_id: id,
    event_id: `${id}-c`,
    type: "trip.completed",
    occurred_at: `2026-03-08T${at}:00Z`,
    fare: "10.00",
    ...fields,
  },
];

database_test(
  "a correction of a fare reaches whoever watches its city, both its keys, or anything but another's",
  async (database) => {
    const append = appending(database);
    await append([
      ...trip("A", { city: "Bonn", driver_id: "D1", payment_method: "card" }),
      ...trip("B", { city: "Oslo", driver_id: "D2", payment_method: "card" }),
      ...trip("C", { driver_id: "D1" }, "06:41"),
    ]);
    const time = new ManualTime(NOW);
    const hub = make_hub(database, time, { days: DAYS });
    const by_driver = { dimension: "driver", keys: ["D1"], excluded: false };
    const cases: readonly (readonly [Filter, before: number, after: number, cards: string, lines: string])[] = [
      [city("Bonn"), 10, 12.5, "cells", "A"],
      [city("Oslo", true), 20, 22.5, "cells", "C A"],
      [[...city("Bonn"), by_driver], 10, 12.5, "trips", "A"],
      [[by_driver], 20, 22.5, "trips", "C A"],
      [city("unknown"), 10, 10, "cells", "C"],
    ];
    const watching = cases.map(([filter]) => ({ reader: watch(hub, filter), model: new FeedModel() }));
    const all = (what: string, wanted: (model: FeedModel, i: number) => boolean) =>
      time.beat_until(
        what,
        Promise.all(watching.map(({ reader, model }, i) => follow(reader, model, () => wanted(model, i)))),
        25,
      );
    const revenue_of = (model: FeedModel) => model.series().reduce((sum, [, row]) => sum + (row.revenue ?? 0), 0);
    // What the slow lane has not read in time for a hello comes after it.
    await all(
      "all know their board",
      ({ computed, lines }, i) => computed.position === 6 && lines.join(" ") === cases[i]![4],
    );
    watching.forEach(({ model }, i) => {
      const [, before, , source] = cases[i]!;
      assert.deepEqual([model.cards.revenue, revenue_of(model), model.cards.in_progress], [before, before, 0]);
      const { age_ms: _, ...computed } = model.computed;
      assert.deepEqual(computed, { cards: source, breakdowns: "trips", position: 6, failed: null });
    });
    const breakdowns = watching[1]!.model.breakdowns as Board["breakdowns"];
    const drivers = breakdowns.find(({ dimension }) => dimension === "driver");
    assert.deepEqual(drivers?.rows, [{ key: "D1", trips: 2, revenue: 20 }]);

    await append([{
      trip_id: "A",
      event_id: "A-f",
      type: "trip.fare_adjusted",
      occurred_at: "2026-03-08T06:50:00Z",
      fare: "12.50",
    }]);
    time.pass(1_000);
    await all("all are told", ({ computed, cards }, i) => computed.position === 7 && cards.revenue === cases[i]![2]);
    watching.forEach(({ model }, i) => assert.equal(revenue_of(model), cases[i]![2]));
    hub.close();
  },
);

database_test(
  "a trip that does not match any more leaves the lines and the columns of who watches",
  async (database) => {
    const append = appending(database);
    const [started_a, completed_a] = trip("A", { city: "Bonn", driver_id: "D1" });
    const [started_b] = trip("B", { city: "Bonn", driver_id: "D1" });
    await append([started_a, started_b]);
    const time = new ManualTime(NOW);
    const hub = make_hub(database, time, { days: DAYS });
    const filter: Filter = [
      { dimension: "status", keys: ["in_progress"], excluded: false },
      { dimension: "driver", keys: ["D1"], excluded: false },
    ];
    const reader = watch(hub, filter), model = new FeedModel();
    const hello = await time.beat_until("the hello", follow(reader, model, ({ event }) => event === "hello"), 25);
    assert.deepEqual([hello.data.cards.in_progress, hello.data.cards.started], [2, undefined]);
    assert.deepEqual([model.lines, model.series().map(([, row]) => row.started)], [["B", "A"], [2]]);
    await append([completed_a]);
    time.pass(1_000);
    const left = follow(reader, model, ({ event, data }) => event === "trip" && data.replace === true);
    await time.beat_until("the line is gone", left, 25);
    assert.deepEqual(model.lines, ["B"]);
    assert.deepEqual([model.cards.in_progress, model.series().map(([, row]) => row.started)], [1, [1]]);
    // Who comes back begins anew: what changed meanwhile nobody remembers.
    await reader.cancel();
    time.pass(1_000);
    const again = watch(hub, filter, model.last_event_id);
    const second = await time.beat_until("the greeting", again.next(), 25);
    assert.equal(second?.event, "hello");
    hub.close();
  },
);

database_test("a key that is filtered by has its row, however many others have more", async (database) => {
  const append = appending(database);
  const trip = (city: string, id: number) => ({
    trip_id: `${city}-${id}`,
    event_id: "end",
    type: "trip.completed",
    occurred_at: "2026-03-08T06:50:00Z",
    fare: "5.00",
    driver_id: "D1",
    city,
  });
  const cities = Array.from({ length: 20 }, (_, i) => `City ${String(i).padStart(2, "0")}`);
  const last = cities.at(-1)!;
  await append([...cities.slice(0, -1).flatMap((city) => [trip(city, 1), trip(city, 2)]), trip(last, 1)]);
  const of_city = { dimension: "city", keys: [last], excluded: false };
  const by_driver = { dimension: "driver", keys: ["D1"], excluded: false };
  // From cells, from states under another condition, and of keys that are left out.
  for (const filter of [[of_city], [of_city, by_driver], [{ ...of_city, excluded: true }]]) {
    const view: View = { range: "1h", to_s: null, filter, compare: "weekday" };
    const watched = { view, window: window_at(view, NOW_MS, DAYS) };
    const question = whole_question({ board: trips_board, days: DAYS }, watched);
    const { breakdowns } = draw(question, await figures_of_states(database, question, present_states(trips_board)));
    const found = breakdowns.find(({ dimension }) => dimension === "city");
    assert.equal(found?.total_keys, 20);
    assert.deepEqual(found.rows.slice(-2), [
      { key: last, trips: 1, revenue: 5 },
      { key: null, trips: 6, revenue: 30 },
    ]);
  }
});
