import assert from "node:assert/strict";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { json_of, make_http_side } from "../support/http_side.ts";
import { database_test } from "../support/read_side.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, message, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";
import type { Database } from "../../src/database/mod.ts";

/** All keys of a dimension: what a panel says of each, in any order, found by words, with what it was then. */

const NOON = Date.parse("2026-03-01T12:00:00Z");

interface Told {
  readonly from_s: number;
  readonly to_s: number;
  readonly total_keys: number;
  readonly found_keys: number;
  readonly trips: number;
  readonly revenue: string;
  readonly near: string[];
  readonly computed: boolean;
  readonly then: { readonly from_s: number; readonly to_s: number } | null;
  readonly rows: {
    readonly key: string;
    readonly trips: number;
    readonly revenue: string;
    readonly share: number;
    readonly then: { readonly trips: number; readonly revenue: string } | null;
  }[];
  readonly next_offset: number | null;
}

/** Trips of 23 cities, the first with the most; a week before a part of them, and something long before that. */
async function fill(database: Database): Promise<void> {
  await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
  const pipeline = trip_pipeline(database, () => NOON);
  const trips = Array.from({ length: 160 }, (_, i) => {
    const city = `City ${"ABCDEFGHIJKLMNOPQRSTUVW"[Math.floor((i % 46) / 2) % (1 + i % 23)]}`;
    const hours = i % 4 === 3 ? -170 : i === 0 ? -24 * 9 : i % 10 === 1 ? -178 : -1 - (i % 3);
    return whole_trip(`T${i}`, {
      city,
      driver_id: `D${i % 9}`,
      payment_method: i % 3 === 0 ? "cash" : "card",
      fare: `${5 + i}.25`,
    }).map((event) => ({
      ...event,
      occurred_at: new Date(Date.parse(String(event.occurred_at)) + hours * 3_600_000).toISOString(),
    }));
  });
  const messages = trips.flat().map((event, i) => message(i, event, NOON));
  await feed(pipeline, [{ topic: "trips", partition: 0, from_offset: 0, next_offset: 1_000, messages }], new Cursors());
}

async function side_on(database: Database) {
  const side = await make_http_side(database, { time_zone: TEST_TIME_ZONE });
  side.time.now = NOON;
  const json = (path: string) => json_of(side.get(path));
  return {
    ...side,
    keys: (query: string): Promise<Told> => json(`/api/v1/kpis/keys?${query}`),
    board: (query: string) => json(`/api/v1/board?${query}`),
    map: (query: string) => json(`/api/v1/kpis/map?${query}`),
  };
}

/** All pages. */
async function all_of(keys: (query: string) => Promise<Told>, query: string): Promise<Told["rows"]> {
  const rows: Told["rows"] = [];
  for (let offset: number | null = 0; offset !== null;) {
    const page: Told = await keys(`${query}&limit=7&offset=${offset}`);
    rows.push(...page.rows);
    offset = page.next_offset;
  }
  return rows;
}

database_test("each key has what a board says that is filtered by it, on exactly one page", async (database) => {
  await fill(database);
  const { keys, board } = await side_on(database);
  const views = [
    "range=6h",
    "range=24h&payment_method=card",
    "range=7d&as_of_position=300",
    "range=30d&not_city=City%20A",
  ];
  for (const view of views) {
    for (const dimension of ["city", "pickup_zone", "driver"]) {
      const { total_keys, trips, revenue, found_keys } = await keys(`dimension=${dimension}&${view}`);
      const rows = await all_of(keys, `dimension=${dimension}&${view}`);
      assert.deepEqual([rows.length, found_keys], [total_keys, total_keys]);
      assert.equal(new Set(rows.map(({ key }) => key)).size, rows.length);
      assert.ok(dimension !== "city" || rows.length > 10, view);
      assert.equal(rows.reduce((sum, row) => sum + row.trips, 0), trips);
      const cents = rows.reduce((sum, row) => sum + Math.round(Number(row.revenue) * 100), 0);
      assert.equal(cents, Math.round(Number(revenue) * 100), view);
      assert.ok(Math.abs(rows.reduce((sum, { share }) => sum + share, 0) - 100) < 0.01);
      for (const { key, trips, revenue } of [rows[0]!, rows.at(-1)!]) {
        // As in a panel, the list leaves the condition on its own dimension out.
        const others = dimension === "city" ? view.replace(/&not_city=[^&]*/, "") : view;
        const { cards } = await board(`${others}&${dimension}=${encodeURIComponent(key)}`);
        assert.deepEqual([cards.completed, cards.revenue], [trips, Number(revenue)], `${dimension} ${key}, ${view}`);
      }
    }
  }
});

database_test("keys are in the order that is asked for, what is not known last", async (database) => {
  await fill(database);
  const { keys } = await side_on(database);
  const list = (sort: string) => all_of(keys, `dimension=city&range=24h&sort=${sort}`);
  const falls = (values: readonly number[]) => values.every((value, i) => i === 0 || value <= values[i - 1]!);
  assert.ok(falls((await list("-trips")).map(({ trips }) => trips)));
  assert.ok(falls((await list("-revenue")).map(({ revenue }) => Number(revenue))));
  assert.ok(falls((await list("revenue")).map(({ revenue }) => -Number(revenue))));
  const names = (await list("key")).map(({ key }) => key);
  assert.deepEqual(names, names.toSorted());
  assert.deepEqual((await list("-key")).map(({ key }) => key), names.toReversed());
  const changed = (await list("-change")).map(({ trips, then }) =>
    then && then.trips > 0 ? trips / then.trips - 1 : -9
  );
  assert.ok(falls(changed) && changed.some((change) => change > -9) && changed.includes(-9), changed.join(" "));
});

database_test(
  "rows are compared with the same stretch of then, and a board's rows with the same figures",
  async (database) => {
    await fill(database);
    const { keys, board } = await side_on(database);
    for (const view of ["range=6h", "range=24h", "range=24h&payment_method=card"]) {
      const { rows, then } = await keys(`dimension=city&${view}&limit=100`);
      assert.ok(then !== null && rows.some((row) => row.then!.trips > 0));
      const [from, to] = [then.from_s, then.to_s].map((s) => new Date(s * 1000).toISOString());
      for (const row of rows.slice(0, 6)) {
        const { cards } = await board(
          `from=${from}&to=${to}&city=${encodeURIComponent(row.key)}${view.replace(/range=\w+/, "")}`,
        );
        assert.deepEqual([row.then!.trips, Number(row.then!.revenue)], [cards.completed, cards.revenue], row.key);
      }
      const { compared_keys } = await board(view);
      if (view.includes("&")) assert.deepEqual(compared_keys, {});
      else {
        for (const row of rows) assert.equal(compared_keys.city.counts[row.key] ?? 0, row.then!.trips);
        assert.deepEqual([compared_keys.city.all, "driver" in compared_keys], [true, false]);
      }
    }
    // The log does not know the weeks before.
    assert.equal((await keys("dimension=city&range=30d")).then, null);
  },
);

database_test(
  "zones of a window of minutes are those of its minutes, though their cells are of five",
  async (database) => {
    await settle_deployment(database, { time_zone: TEST_TIME_ZONE, currency: "USD" });
    const pipeline = trip_pipeline(database, () => NOON);
    // One is completed each minute, of three zones in turn: two hours before noon, fares of a tenth of the minute.
    const trips = Array.from({ length: 120 }, (_, i) => {
      const place = { pickup_zone: `Z${i % 3}`, pickup_lat: 41.8 + (i % 3) / 10, pickup_lon: -87.6 };
      const fields = { ...place, fare: (i / 10).toFixed(2) };
      return whole_trip(`T${i}`, fields).map((event) => ({
        ...event,
        occurred_at: new Date(Date.parse(String(event.occurred_at)) + (i - 20) * 60_000).toISOString(),
      }));
    });
    const messages = trips.flat().map((event, i) => message(i, event, NOON));
    await feed(
      pipeline,
      [{ topic: "trips", partition: 0, from_offset: 0, next_offset: 1_000, messages }],
      new Cursors(),
    );
    const { keys, board, map } = await side_on(database);
    const minutes = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
    /** What each zone has of the trips that were completed in [from, to), minutes after ten. */
    const zones = (from: number, to: number) =>
      [0, 1, 2].flatMap((zone) => {
        const own = minutes(from, to).filter((i) => i % 3 === zone);
        return own.length === 0 ? [] : [[`Z${zone}`, own.length, own.reduce((sum, i) => sum + i, 0) / 10] as const];
      });
    const at = (minute: number) => new Date(NOON + (minute - 120) * 60_000).toISOString();
    const rows_of = (rows: readonly { key: string; trips: number; revenue: string }[]) =>
      rows.map(({ key, trips, revenue }) => [key, trips, Number(revenue)] as const).sort(([a], [b]) => a < b ? -1 : 1);
    for (
      const [from, to] of [[58, 92], [61, 62], [61, 64], [62, 70], [60, 66], [64, 75], [59, 120], [60, 70]] as const
    ) {
      for (const as_of of ["", "&as_of_position=200", `&as_of_position=${trips.length * 3}`]) {
        const known = as_of.includes("=200") ? 66 : 120;
        const view = `from=${at(from)}&to=${at(to)}&grain=1m&compare=previous${as_of}`,
          said = `${from} to ${to}${as_of}`;
        const { breakdowns, cards, compared_keys } = await board(view);
        const { rows } = breakdowns.find(({ dimension }: { dimension: string }) => dimension === "pickup_zone");
        const wanted = zones(Math.min(from, known), Math.min(to, known));
        assert.deepEqual(rows_of(rows), wanted, said);
        assert.equal(wanted.reduce((sum, [, trips]) => sum + trips, 0), cards.completed, said);
        const list = await keys(`dimension=pickup_zone&${view}`);
        assert.deepEqual(rows_of(list.rows), wanted, said);
        assert.deepEqual([list.from_s, list.to_s].map((s) => new Date(s * 1000).toISOString()), [at(from), at(to)]);
        const before = zones(Math.max(2 * from - to, 0), from).map(([key, trips]) => [key, trips]);
        if (known > to) assert.deepEqual(Object.entries(compared_keys.pickup_zone.counts).sort(), before, said);
        const { values } = await map(`place=pickup_h3&figure=completed&${view}`);
        assert.deepEqual([...values].sort(), wanted.map(([, trips]) => trips).sort(), said);
      }
    }
  },
);

database_test("words find keys, and what is like them where they find none", async (database) => {
  await fill(database);
  const { keys, get } = await side_on(database);
  const found = await keys("dimension=city&range=24h&find=city%20b");
  assert.deepEqual([found.rows.map(({ key }) => key), found.found_keys], [["City B"], 1]);
  assert.ok(found.total_keys > 10 && found.trips > found.rows[0]!.trips);
  const none = await keys("dimension=city&range=24h&find=Citty%20B");
  assert.deepEqual([none.rows, none.near[0]], [[], "City B"]);
  assert.deepEqual((await keys("dimension=city&range=24h&find=nothing%20like%20it")).near, []);
  const csv = await get("/api/v1/kpis/keys?dimension=city&range=24h&format=csv");
  const lines = (await csv.text()).trim().split("\r\n");
  assert.equal(lines[0], "city,name,trips,revenue,trips_then,revenue_then");
  assert.deepEqual([lines.length - 1, csv.headers.get("content-type")], [found.total_keys, "text/csv; charset=utf-8"]);
});

database_test(
  "a word leads to the trip of that id, to keys of any dimension, and else to what is like it",
  async (database) => {
    await fill(database);
    const { get } = await side_on(database);
    const search = async (find: string) => {
      const answer = await get(`/api/v1/search?find=${encodeURIComponent(find)}`), text = await answer.text();
      assert.equal(answer.status, 200, text);
      const { stream, keys, near } = JSON.parse(text);
      const words = (found: { dimension: string; key: string }[]) =>
        found.map(({ dimension, key }) => `${dimension} ${key}`);
      return { stream, keys: words(keys), near: words(near) };
    };
    assert.deepEqual(await search("T12"), { stream: "T12", keys: [], near: [] });
    assert.deepEqual((await search("city b")).keys, ["city City B"]);
    assert.equal((await search("CITY")).keys.length, 6, "the greatest of a dimension");
    assert.deepEqual((await search("cAr")).keys, ["payment_method card"]);
    assert.deepEqual((await search("Citty B")).near[0], "city City B");
    assert.deepEqual(await search("%"), { stream: null, keys: [], near: [] });
    const refused = await get("/api/v1/search?find=%20");
    const { errors } = await refused.json();
    assert.deepEqual([refused.status, errors[0].path], [400, "find"]);
  },
);

database_test("a list of keys says what it expected of what it cannot read", async (database) => {
  await fill(database);
  const { get } = await side_on(database);
  for (
    const [query, path] of [
      ["", "dimension"],
      ["dimension=none", "dimension"],
      ["dimension=town", "dimension"],
      ["dimension=city&sort=fares", "sort"],
      ["dimension=city&limit=501", "limit"],
      ["dimension=city&offset=-1", "offset"],
      [`dimension=city&find=${"x".repeat(201)}`, "find"],
      ["dimension=city&format=xml", "format"],
      ["dimension=driver&from=2025-12-01T00:00:00Z&to=2026-03-01T00:00:00Z", "to"],
    ] as const
  ) {
    const refused = await get(`/api/v1/kpis/keys?${query}`);
    const { errors } = await refused.json();
    assert.deepEqual([refused.status, errors[0].path], [400, path], query);
  }
  const empty = await get("/api/v1/kpis/keys?dimension=city&from=2026-02-27T00:00:00Z&to=2026-02-27T01:00:00Z");
  const { rows, total_keys, trips } = await empty.json();
  assert.deepEqual([rows, total_keys, trips], [[], 0, 0]);
});
