import assert from "node:assert/strict";
import type { Database, Transaction } from "../../src/database/mod.ts";
import { read_head, settle_deployment } from "../../src/event_log/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { make_http_side } from "../support/http_side.ts";
import { trips_board } from "../support/trip_board.ts";
import { database_test, FlakyDatabase } from "../support/read_side.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, message, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const NOON = Date.parse("2026-03-01T12:00:00Z");

/** Two trips that went from 10:00 to 10:20, Chicago's by card; each event is a batch, recorded at noon and a minute after the other. */
async function fill(database: Database): Promise<void> {
  await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
  const [requested, started, completed] = whole_trip("T", { city: "Chicago" });
  const others = whole_trip("U", { city: "Boston", payment_method: "cash" });
  const corrected = {
    trip_id: "T",
    event_id: "z",
    type: "trip.fare_adjusted",
    occurred_at: "2026-03-01T10:40:00Z",
    fare: "20.00",
  };
  const events = [requested, started, others[2], completed, others[1], corrected];
  const cursors = new Cursors();
  let minute = 0;
  const pipeline = trip_pipeline(database, () => NOON + minute * 60_000);
  for (const [offset, event] of events.entries()) {
    const batch = { topic: "trips", partition: 0, from_offset: offset, next_offset: offset + 1 };
    await feed(pipeline, [{ ...batch, messages: [message(offset, event, NOON)] }], cursors);
    minute++;
  }
  assert.equal((await read_head(database)).position, 6);
}

interface Answer {
  readonly cards: Record<string, number | null>;
  readonly [name: string]: unknown;
}

async function side_on(database: Database) {
  const side = await make_http_side(database, { time_zone: TEST_TIME_ZONE });
  // Minutes after the last batch.
  side.time.now = NOON + 600_000;
  const board = async (query: string): Promise<Answer> => {
    const answer = await side.get(`/api/v1/board?${query}`);
    assert.equal(answer.status, 200, await answer.clone().text());
    return await answer.json();
  };
  const refused = async (query: string) => {
    const answer = await side.get(`/api/v1/board?${query}`);
    const { errors, detail } = await answer.json();
    return [answer.status, errors.length > 0 ? `${errors[0].path}: ${errors[0].detail}` : detail];
  };
  return { ...side, board, refused };
}

database_test("the whole board, as of now and as of any moment of the log", async (database) => {
  await fill(database);
  const { board, get } = await side_on(database);
  const shown = async (query: string) => {
    const { cards, as_of, position, newest_event_ms, trips, computed } = await board(`range=6h&${query}`);
    return {
      as_of,
      position,
      newest: new Date(Number(newest_event_ms)).toISOString().slice(11, 16),
      in_progress: cards.in_progress,
      completed: cards.completed,
      revenue: cards.revenue,
      trips: (trips as { trip_id: string; status: string }[]).map(({ trip_id, status }) => `${trip_id} ${status}`),
      computed: (computed as { cards: string }).cards,
    };
  };
  const now = { position: 6, newest: "10:40", in_progress: 0, completed: 2, revenue: 32.5 };
  const lines = ["T completed", "U completed"];
  assert.deepEqual(await shown(""), { ...now, as_of: null, trips: lines, computed: "cells" });
  const as_of = (position: number) => ({ position, recorded_ms: NOON + (position - 1) * 60_000, head: 6 });
  assert.deepEqual(await shown("as_of_position=6"), { ...now, as_of: as_of(6), trips: lines, computed: "cells" });
  const second = {
    as_of: as_of(2),
    position: 2,
    newest: "10:05",
    in_progress: 1,
    completed: 0,
    revenue: 0,
    trips: ["T in_progress"],
    computed: "cells",
  };
  assert.deepEqual(await shown("as_of_position=2"), second);
  // Between the second batch and the third.
  assert.deepEqual(await shown("as_of=2026-03-01T12:01:59Z"), second);
  assert.deepEqual(await shown("as_of=2026-03-01T12:03:00Z"), {
    as_of: as_of(4),
    position: 4,
    newest: "10:20",
    in_progress: 0,
    completed: 2,
    revenue: 25,
    trips: ["T completed", "U completed"],
    computed: "cells",
  });
  const chicago = await shown("as_of_position=4&city=Chicago&not_payment_method=cash");
  assert.deepEqual([chicago.completed, chicago.revenue, chicago.trips], [1, 12.5, ["T completed"]]);
  const { from_s, to_s, following, health, build, compared } = await board("range=6h&as_of_position=2");
  assert.deepEqual([from_s, to_s], [
    Date.parse("2026-03-01T06:05:00Z") / 1000,
    Date.parse("2026-03-01T12:05:00Z") / 1000,
  ]);
  assert.deepEqual([following, health, build], [false, undefined, undefined]);
  assert.deepEqual(Object.keys(compared as object), ["previous", "weekday"]);
  // Before the first batch there is nothing, and no event time.
  const before = await board("range=6h&as_of=2026-03-01T11:00:00Z");
  assert.deepEqual([before.position, before.newest_event_ms, before.cards.trips, before.trips], [0, null, 0, []]);
  assert.equal(before.to_s, Date.parse("2026-03-01T11:05:00Z") / 1000);
  const { paths } = await (await get("/openapi.json")).json();
  assert.ok("/api/v1/board" in paths);
}, { both: true });

database_test(
  "the greatest fare of a range and filter leads to its trip, as of now and as of then",
  async (database) => {
    await fill(database);
    const { get } = await side_on(database);
    const greatest = async (query: string, expected = 200) => {
      const answer = await get(`/api/v1/kpis/greatest?measure=max_fare&${query}`);
      const found = await answer.json();
      assert.equal(answer.status, expected, JSON.stringify(found));
      return expected === 200 ? [found.id, found.value, found.at, found.as_of_position] : found.errors[0].path;
    };
    const at = "2026-03-01T10:20:00.000000Z", day = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z";
    assert.deepEqual(await greatest(day), ["T", "20.00", at, 6]);
    // Ends that are no borders of buckets hold, too: the end itself is outside.
    assert.deepEqual(await greatest("from=2026-03-01T10:19:59.5Z&to=2026-03-01T10:20:00.5Z"), ["T", "20.00", at, 6]);
    assert.deepEqual(await greatest("from=2026-03-01T10:19:30Z&to=2026-03-01T10:20:00Z"), [null, null, null, 6]);
    assert.deepEqual(await greatest(`${day}&city=Boston`), ["U", "12.50", at, 6]);
    assert.deepEqual(await greatest(`${day}&not_city=Chicago`), ["U", "12.50", at, 6]);
    // Before its fare was adjusted both held it.
    assert.deepEqual(await greatest(`${day}&as_of_position=5`), ["T", "12.50", at, 5]);
    assert.deepEqual(await greatest(`${day}&as_of_position=3`), ["U", "12.50", at, 3]);
    assert.deepEqual(await greatest(`${day}&as_of_position=2`), [null, null, null, 2]);
    assert.equal(await greatest(`${day}&as_of_position=7`, 400), "as_of_position");
    assert.equal(await greatest("from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", 400), "to");
    assert.equal(await greatest("from=2024-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", 400), "to");
    const refused = await get(`/api/v1/kpis/greatest?measure=revenue&${day}`);
    assert.match(await refused.text(), /"path":"measure","detail":"expected one of max_fare"/);
  },
  { both: true },
);

database_test(
  "without a filter the greatest is looked for only in the bucket that cells say it is in",
  async (database) => {
    await fill(database);
    const { get } = await side_on(database);
    const found = async (filter: string) => {
      const range = "from=2026-02-01T00:00:00Z&to=2026-03-03T00:00:00Z";
      return (await (await get(`/api/v1/kpis/greatest?measure=max_fare&${range}${filter}`)).json()).id;
    };
    // A greater one that the cells do not know of: who reads the whole month finds it.
    const greater = "completed_at = '2026-02-11T09:00:00Z', fare_micros = 99000000";
    await database.script(`update trips set ${greater} where trip_id = 'U'`);
    assert.deepEqual([await found(""), await found("&not_city=unknown")], ["T", "U"]);
  },
);

database_test("a board is named by what it is made of: what has an answer is not computed again", async (database) => {
  await fill(database);
  const { get, time } = await side_on(database);
  const asked = async (query: string, etag?: string) => {
    const answer = await get(`/api/v1/board?${query}`, etag === undefined ? {} : { "if-none-match": etag });
    await answer.text();
    return { status: answer.status, etag: answer.headers.get("etag")!, caching: answer.headers.get("cache-control") };
  };
  const past = await asked("as_of_position=3");
  assert.equal(past.caching, "private, max-age=3600, immutable");
  assert.equal((await asked("as_of_position=3", past.etag)).status, 304);
  assert.equal((await asked("as_of_position=2", past.etag)).status, 200);
  // A time that batches may yet be recorded for is not settled.
  assert.equal((await asked("as_of=2026-03-01T12:09:30Z")).caching, "no-cache");
  assert.equal((await asked("as_of=2026-03-01T12:07:30Z")).caching, "private, max-age=3600, immutable");
  const now = await asked("range=1h");
  assert.equal(now.caching, "no-cache");
  assert.equal((await asked("range=1h", now.etag)).status, 304);
  time.now += 60_000;
  assert.equal((await asked("range=1h", now.etag)).status, 200);
});

/** What a database lends, with another function in place of one of its own. */
const with_own = <T extends object>(lent: T, name: keyof T, own: unknown): T =>
  new Proxy(lent, {
    get: (lent, asked) => {
      if (asked === name) return own;
      const found = lent[asked as keyof T];
      return typeof found === "function" ? found.bind(lent) : found;
    },
  });

/** A database in which statements with a word in them take too long, while `words` has it. */
function slow_in(database: Database, words: ReadonlySet<string>): Database {
  const query_of = (tx: Transaction): Transaction["query"] => async (statement, values) => {
    const text = typeof statement === "string" ? statement : statement.text;
    if (![...words].some((word) => text.includes(word))) return await tx.query(statement, values);
    // What ran in the transaction before is not to be had any more, as if the limit had ended it.
    await assert.rejects(tx.query("select 1 / 0"));
    throw Object.assign(new Error("canceling statement"), { severity: "ERROR", code: "57014" });
  };
  const transaction: Database["transaction"] = (work) =>
    database.transaction((tx) => work(with_own(tx, "query", query_of(tx))));
  return with_own(database, "transaction", transaction);
}

database_test(
  "a long board of the past is told without what takes too long, and then is nobody's to keep",
  async (database) => {
    await fill(database);
    const words = new Set(["'driver'"]);
    const { get } = await side_on(slow_in(database, words));
    const read = async () => {
      const answer = await get("/api/v1/board?from=2026-02-01T00:00:00Z&to=2026-03-01T12:00:00Z&as_of_position=4");
      const { cards, breakdowns, computed: { failed } } = await answer.json();
      const { etag = null, "cache-control": caching } = Object.fromEntries(answer.headers);
      const [drivers, cities] = ["driver", "city"].map((dimension) =>
        breakdowns.some((each: { readonly dimension: string }) => each.dimension === dimension)
      );
      return { completed: cards.completed, drivers, cities, failed, kept: etag !== null, caching };
    };
    const whole = { completed: 2, drivers: true, cities: true, failed: null, kept: true };
    const failed = "the breakdowns took too long; take a shorter range";
    assert.deepEqual(await read(), { ...whole, drivers: false, failed, kept: false, caching: "no-store" });
    words.clear();
    assert.deepEqual(await read(), { ...whole, caching: "private, max-age=3600, immutable" });
  },
);

database_test("a board that cannot be given says why", async (database) => {
  await fill(database);
  const { refused, board } = await side_on(database);
  const both = await refused("as_of=2026-03-01T12:00:00Z&as_of_position=1");
  assert.deepEqual(both, [400, "as_of_position: expected either as_of or as_of_position, got both"]);
  assert.deepEqual(await refused("as_of_position=7"), [400, "as_of_position: expected at most 6, where the log ends"]);
  assert.match(String((await refused("as_of=noon"))[1]), /^as_of: expected an RFC 3339 time/);
  const year = "from=2025-04-01T00:00:00Z&to=2026-03-01T00:00:00Z";
  assert.match(String((await refused(`${year}&as_of_position=1&driver=D`))[1]), /^to: .* at most 31 days$/);
  assert.match(String((await refused(`${year}&driver=D`))[1]), /^to: .* at most 31 days$/);
  assert.equal((await board(`${year}&as_of_position=1`)).position, 1, "what cells answer has no such limit");
  assert.match(String((await refused("city=A&not_city=B"))[1]), /^not_city: expected either/);
  const flaky = new FlakyDatabase(database);
  flaky.fault = Object.assign(new Error("canceling statement"), { severity: "ERROR", code: "57014" });
  const slow = await (await side_on(flaky)).refused("as_of_position=1");
  assert.deepEqual(slow, [503, "a statement took longer than 5 s, the most it may; ask for a shorter range"]);
});

database_test(
  "a board by a grain of one's own has the same sums in wider or finer buckets, and says what does not fit",
  async (database) => {
    await fill(database);
    const { board, refused, get } = await side_on(database);
    const minutes = async (query: string) => {
      const { series, grain, step_s, cards, compared_series } = await board(query);
      const { t, completed, revenue } = series as Record<string, number[]>;
      const told = t!.map((at, i) => [new Date(at * 1000).toISOString().slice(11, 16), completed![i], revenue![i]])
        .filter(([, many]) => many !== 0);
      return { grain, step_s, told, completed: cards.completed, compared: compared_series !== undefined };
    };
    const fares = await minutes("range=6h");
    assert.equal(fares.grain, "5m");
    const whole = fares.told.reduce((sum, [, , revenue]) => sum + Number(revenue), 0);
    for (
      const filter of [
        "",
        "&city=Chicago&city=Boston",
        "&as_of_position=6",
        "&city=Chicago&payment_method=unknown",
      ]
    ) {
      for (const grain of ["1m", "5m", "15m", "1h"]) {
        const found = await minutes(`range=6h&grain=${grain}${filter}`);
        const sum = found.told.reduce((sum, [, , revenue]) => sum + Number(revenue), 0);
        assert.equal(found.grain, grain);
        assert.equal(found.completed, filter.includes("unknown") ? 1 : 2);
        if (!filter.includes("unknown")) assert.equal(sum, whole);
        assert.ok(found.compared, "compared alike");
        const [at] = found.told[0]!;
        assert.equal(at, { "1m": "10:20", "5m": "10:20", "15m": "10:15", "1h": "10:00" }[grain]);
      }
    }
    assert.equal((await minutes("range=week&grain=1d")).told.length, 1);
    assert.equal((await minutes("range=today")).completed, 2);
    assert.equal((await minutes("range=yesterday")).completed, 0);
    assert.deepEqual(await refused("range=7d&grain=1m"), [
      400,
      "grain: expected a coarser grain for this range: of 1m it has 10080 buckets, at most 360 are told",
    ]);
    assert.deepEqual(await refused("range=15m&grain=1h"), [
      400,
      "grain: expected a finer grain for this range: it is shorter than a bucket of 1h",
    ]);
    assert.match(String((await refused("grain=2m"))[1]), /^grain: /);
    assert.match(String((await refused("range=today&to=2026-03-01T12:00:00Z"))[1]), /^to: expected no end/);
    assert.match(String((await refused("order=arrival&last=5&grain=1m"))[1]), /^grain: expected no grain/);
    const feed = await get("/api/v1/feed?range=30d&grain=15m");
    assert.equal(feed.status, 400);
    assert.match(await feed.text(), /2880 buckets, at most 960/);
  },
);

database_test("the series of a board as a table: the figures of its JSON, as of now and of then", async (database) => {
  await fill(database);
  const { board, get } = await side_on(database);
  for (
    const query of [
      "range=6h",
      "range=6h&as_of_position=4",
      "range=7d&grain=1d",
      "range=6h&city=Boston&payment_method=cash",
    ]
  ) {
    const { series } = await board(query) as unknown as { series: Record<string, (number | null)[]> };
    const answer = await get(`/api/v1/board?${query}&format=csv`), text = await answer.text();
    assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "text/csv; charset=utf-8"], text);
    const [head = [], ...rows] = text.replace("\ufeff", "").trim().split("\r\n").map((row) => row.split(","));
    assert.deepEqual(head, ["from", "to", ...trips_board.series]);
    assert.ok(rows.length > 0, query);
    assert.deepEqual(rows.map(([from]) => Date.parse(from!) / 1_000), series.t);
    for (const name of trips_board.series) {
      assert.deepEqual(
        rows.map((row) => row[head.indexOf(name)]),
        series[name]!.map((value) => `${value ?? ""}`),
        name,
      );
    }
  }
  const [, last] = (await (await get("/api/v1/board?range=7d&grain=1d&format=csv")).text()).trim().split("\r\n").at(-1)!
    .split(",");
  assert.match(last!, /T0[56]:00:00\.000000Z$/, "a day ends where that of the business ends");
});
