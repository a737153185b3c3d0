import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { arriving } from "../support/arrivals.ts";
import { FeedModel, type Frame, FrameReader } from "../support/feed_client.ts";
import { make_http_side } from "../support/http_side.ts";
import { database_test, FlakyDatabase } from "../support/read_side.ts";
import { TEST_DOMAIN } from "../support/trip_pipeline.ts";

/** What is asked of the API and the feed by arrival. */

const UTC = days_in("UTC");
const NOON = Date.parse("2026-03-01T12:00:00Z");

/** A trip as one record tells it, which happened years ago. */
const trip = (id: string, city: string, fare: string, year: number) => ({
  ...{ trip_id: id, event_id: "a", type: "trip.completed", occurred_at: `${year}-06-01T10:00:00Z` },
  ...{ city, fare, driver_id: `D-${city}` },
});

/** A minute apart: one trip of 2019, two of 2021, then the fare of the first again, higher. */
async function fill(database: Database) {
  await settle_deployment(database, { time_zone: "UTC", currency: "USD" });
  const deliver = arriving(database, TEST_DOMAIN, UTC);
  await deliver(NOON, [trip("T1", "Chicago", "10.00", 2019)]);
  await deliver(NOON + 60_000, [trip("T2", "Boston", "20.00", 2021), trip("T3", "Chicago", "5.00", 2021)]);
  await deliver(NOON + 120_000, [
    { trip_id: "T1", event_id: "b", type: "trip.fare_adjusted", occurred_at: "2019-06-02T10:00:00Z", fare: "12.00" },
  ]);
  return deliver;
}

async function side_on(database: Database) {
  const side = await make_http_side(database);
  side.time.now = NOON + 150_000;
  const json = async (path: string, expected = 200) => {
    const answer = await side.get(`/api/v1/${path}`);
    const body = await answer.text();
    assert.equal(answer.status, expected, `${path}: ${body}`);
    return JSON.parse(body);
  };
  const refused = async (path: string) => {
    const { errors } = await json(path, 400);
    return errors.map(({ path, detail }: { path: string; detail: string }) => `${path}: ${detail}`).join("; ");
  };
  return { ...side, json, refused };
}

const minute = (at: number) => new Date(NOON + at * 60_000).toISOString().replace(".000Z", "Z");
const full = (at: number) => minute(at).replace("Z", ".000000Z");

database_test("by arrival: board, series, breakdown, greatest and list are of the same trips", async (database) => {
  await fill(database);
  const { json, get } = await side_on(database);
  const shown = async (query: string) => {
    const { cards, order, range, arrived, compared, compared_series, computed, trips, series } = await json(
      `board?order=arrival&${query}`,
    );
    assert.deepEqual([order, compared, compared_series, computed.cards], ["arrival", {}, undefined, "trips"]);
    return {
      ...{ range, completed: cards.completed, revenue: cards.revenue },
      at: series.t.map((t: number) => new Date(t * 1000).toISOString().slice(11, 16)),
      trips: trips.map(({ trip_id }: { trip_id: string }) => trip_id),
      arrived: [arrived.last, arrived.events, arrived.from_position, arrived.to_position, arrived.newest_ms],
    };
  };
  const newest_ms = NOON + 120_000;
  assert.deepEqual(await shown(""), {
    ...{ range: "last", completed: 3, revenue: 37, at: ["12:01", "12:02"], trips: ["T1", "T3", "T2"] },
    arrived: [200, 4, 1, 4, newest_ms],
  });
  assert.deepEqual(await shown("last=2"), {
    ...{ range: "last", completed: 2, revenue: 17, at: ["12:01", "12:02"], trips: ["T1", "T3"] },
    arrived: [2, 2, 3, 4, newest_ms],
  });
  assert.deepEqual((await shown("last=2&city=Boston")).trips, [], "a filter narrows what arrived");
  assert.deepEqual((await shown("last=3&city=Boston")).revenue, 20);
  // T1 came there, and has come again since.
  const first = `from=${minute(0)}&to=${minute(1)}`;
  assert.deepEqual(await shown(first), {
    ...{ range: "custom", completed: 0, revenue: 0, at: [], trips: [] },
    arrived: [null, 1, 1, 1, NOON],
  });
  assert.deepEqual(await shown(`${first}&as_of_position=3`), {
    ...{ range: "custom", completed: 1, revenue: 10, at: ["12:00"], trips: ["T1"] },
    arrived: [null, 1, 1, 1, NOON],
  });
  assert.deepEqual((await shown("range=15m")).revenue, 37);
  assert.deepEqual((await shown(`as_of_position=3&last=2`)).trips, ["T3", "T2"]);
  assert.equal((await json("board?range=1h")).order, "event_time");

  const series = await json(`kpis/series?measure=revenue&grain=1m&order=arrival&city=Chicago`);
  assert.deepEqual([series.order, series.events, series.computed, series.from, series.to, series.points], [
    ...["arrival", 4, true, full(0), full(3)],
    [{ at: full(1), value: "5.00" }, { at: full(2), value: "12.00" }],
  ]);
  const ranged = await json(
    `kpis/series?measure=average_fare&grain=5m&order=arrival&from=${minute(1)}&to=${minute(3)}`,
  );
  assert.deepEqual(ranged.points, [{ at: full(0), value: "12.333333" }]);

  const breakdown = await json("kpis/breakdown?dimension=driver&order=arrival&limit=1");
  assert.deepEqual(breakdown, {
    ...{ dimension: "driver", order: "arrival", events: 4, from: full(0), to: "2026-03-01T12:02:01.000000Z" },
    total_keys: 2,
    rows: [{ key: "D-Chicago", trips: 2, revenue: "17.00" }, { key: null, trips: 1, revenue: "20.00" }],
  });
  const whole = await json(`kpis/breakdown?dimension=none&order=arrival&from=${minute(1)}&to=${minute(2)}`);
  assert.deepEqual([whole.events, whole.rows], [2, [{ key: "all", trips: 2, revenue: "25.00" }]]);

  const greatest = await json("kpis/greatest?measure=max_fare&order=arrival&last=2");
  assert.deepEqual([greatest.order, greatest.id, greatest.value, greatest.at], ["arrival", "T1", "12.00", full(2)]);
  const of_range = await json(`kpis/greatest?measure=max_fare&order=arrival&from=${minute(1)}&to=${minute(2)}`);
  assert.deepEqual([of_range.id, of_range.value], ["T2", "20.00"]);

  const ids = async (query: string) =>
    (await json(`trips?${query}`)).trips.map(({ trip_id }: { trip_id: string }) => trip_id);
  assert.deepEqual(await ids("order=arrival&last=2"), ["T1", "T3"]);
  assert.deepEqual(await ids(`order=arrival&${first}`), []);
  assert.deepEqual(await ids(`order=arrival&from=${minute(1)}&to=${minute(2)}`), ["T3", "T2"]);
  const page = await json(`trips?order=arrival&last=3&limit=2`);
  assert.deepEqual(await ids(`order=arrival&last=3&limit=2&cursor=${page.next_cursor}`), ["T2"]);

  // The same answer while nothing arrives and no bucket begins.
  const etag = (await get("/api/v1/board?order=arrival")).headers.get("etag")!;
  assert.equal((await get("/api/v1/board?order=arrival", { "if-none-match": etag })).status, 304);
});

database_test("what cannot be by arrival is refused, and says what can", async (database) => {
  await fill(database);
  const { refused, json } = await side_on(database);
  const range = `from=${minute(0)}&to=${minute(9)}`;
  for (
    const path of [
      "board?",
      "feed?",
      "trips?",
      "kpis/series?measure=revenue&grain=1m&",
      "kpis/breakdown?dimension=city&",
    ]
  ) {
    assert.match(await refused(`${path}order=sideways`), /^order: /, path);
    for (const last of ["0", "201", "-1", "1.5", "x", "", "1e9"]) {
      assert.match(await refused(`${path}order=arrival&last=${last}`), /^last: /, `${path} ${last}`);
    }
    assert.match(await refused(`${path}last=20`), /^last: expected order=arrival/, path);
    assert.match(
      await refused(`${path}order=arrival&last=20&${range}`),
      /^last: expected either last or a range/,
      path,
    );
    assert.match(await refused(`${path}order=arrival&from=${minute(1)}`), /^to: expected both from and to/, path);
  }
  assert.match(await refused("board?order=arrival&range=1h&last=3"), /^last: expected either/);
  assert.match(await refused(`trips?${range}`), /^from: expected order=arrival/);
  assert.match(await refused("kpis/series?measure=revenue&grain=1m"), /^from: expected a time.*; to: /);
  assert.match(await refused("kpis/greatest?measure=max_fare"), /^from: expected a time/);
  assert.match(await refused("kpis/series?measure=fare_p50&grain=1m&order=arrival"), /^order: .*kept by event time/);
  assert.match(await refused(`kpis/breakdown?dimension=city&order=arrival&from=${minute(2)}&to=${minute(1)}`), /^to: /);
  // Days may be asked for over years, minutes may not.
  const years = `from=2020-01-01T00:00:00Z&to=${minute(9)}`;
  const series = "kpis/series?measure=revenue&order=arrival";
  assert.match(await refused(`${series}&grain=1m&${years}`), /^grain: expected at most/);
  assert.equal((await json(`${series}&grain=1d&${years}`)).points.length, 1);
  // A batch that says it has as many: nothing of them is read.
  await database.script(`
    insert into batches (batch, kind, first_position, last_position, messages_read, admitted, duplicates, quarantined, late, cursors, recorded_at, content_hash, link)
    values (99, 'append', 5, 200005, 200001, 200001, 0, 0, 0, '[]', '${minute(5)}', '', '');
    update log_head set position = 200005`);
  const too_many =
    /^to: more than 200,000 events arrived in this range, the most that are looked at; take a shorter one/;
  const asked = [
    "board?",
    "trips?",
    `${series.replace("order=arrival", "")}grain=1m&`,
    "kpis/breakdown?dimension=city&",
  ];
  for (const path of [...asked, "kpis/greatest?measure=max_fare&"]) {
    assert.match(await refused(`${path}order=arrival&${range}`), too_many, path);
  }
});

database_test("a feed by arrival moves with what arrives, four times a second at most", async (database) => {
  const deliver = await fill(database);
  const flaky = new FlakyDatabase(database);
  const { get, time, hub } = await make_http_side(flaky);
  const later = NOON + 3 * 3_600_000;
  time.now = later;
  const answer = await get("/api/v1/feed?order=arrival&last=2");
  assert.equal(answer.status, 200);
  const reader = new FrameReader(answer.body!), model = new FeedModel(), grains: string[] = [];
  const apply = (frame: Frame): Frame => {
    model.apply(frame);
    if (frame.event === "hello") grains.push(frame.data.grain);
    return frame;
  };
  const { data } = apply(await time.beat_until("hello", reader.until("hello")));
  assert.deepEqual([data.order, data.range, data.following, data.arrived.events], ["arrival", "last", true, 2]);
  assert.deepEqual([model.cards.revenue, model.lines], [17, ["T1", "T3"]]);
  // How much of its window the figures are of.
  assert.deepEqual([data.since_s * 1_000, data.reached_ms], [NOON + 60_000, NOON + 120_000]);

  // Another arrives: T3 is not of the last two any more, and of its bucket T1 alone is left.
  const until = async (what: string, holds: () => boolean) => {
    while (!holds()) {
      const frame = await time.beat_until(what, reader.next(), 250);
      assert.ok(frame !== null, what);
      apply(frame);
    }
  };
  const buckets = () =>
    model.series().flatMap(([t, { revenue }]) =>
      revenue === 0 ? [] : `${minute((t * 1000 - NOON) / 60_000)} ${revenue}`
    );
  assert.deepEqual(buckets(), [`${minute(0)} 17`]);
  await deliver(later, [trip("T4", "Austin", "7.00", 1999)]);
  hub.wake();
  await until("T4", () => model.lines[0] === "T4" && model.cards.revenue === 19);
  assert.deepEqual(model.lines, ["T4", "T1"]);
  assert.deepEqual(buckets(), [`${minute(0)} 12`, `${minute(180)} 7`]);
  const fresh = await (await get("/api/v1/board?order=arrival&last=2")).json();
  assert.deepEqual(model.cards, fresh.cards);
  assert.deepEqual(grains, ["5m"]);

  // Twenty times a second something arrives, for two seconds: what a reading asks is the head, one snapshot of that and one of the view.
  await flaky.settled();
  const before = flaky.queries;
  for (let i = 0; i < 40; i++) {
    await deliver(later + 60_000, [trip(`N${i}`, "Austin", "1.00", 1971)]);
    hub.wake();
    time.pass(50);
    await flaky.settled();
  }
  const asked = flaky.queries - before;
  assert.ok(asked >= 8 && asked <= 3 * (2 * 4 + 1), `asked ${asked} times in two seconds`);
  await until("the last of them", () => model.lines[0] === "N39" && model.cards.revenue === 2);
  assert.deepEqual(model.lines, ["N39", "N38"]);
  // All of it came within a quarter of an hour: by another grain who follows gets a board anew.
  assert.deepEqual([grains, buckets()], [["5m", "1m"], [`${minute(181)} 2`]]);
  await reader.cancel();
});
