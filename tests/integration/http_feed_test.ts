import assert from "node:assert/strict";
import { serve_http } from "../../src/http/mod.ts";
import { put_trip } from "../support/board_rows.ts";
import { FrameReader } from "../support/feed_client.ts";
import { type HttpSide, make_http_side } from "../support/http_side.ts";
import { database_test, FlakyDatabase } from "../support/read_side.ts";
import { assert_within } from "../support/slowness.ts";
import { until } from "../support/until.ts";

/** Serves on a free port; ends everything afterwards. */
async function served(side: HttpSide, work: (origin: string, port: number) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const server = serve_http(side.handler, { host: "127.0.0.1", port: 0, signal: stop.signal });
  try {
    await work(`http://127.0.0.1:${server.port}`, server.port);
    side.hub.close();
    await server.shutdown();
  } finally {
    stop.abort();
  }
}

function frames_of(response: Response): FrameReader {
  assert.equal(response.status, 200);
  assert(response.body !== null);
  return new FrameReader(response.body);
}

database_test(
  "a feed over HTTP has the headers that keep it flowing, and its end frees its place",
  async (database) => {
    const side = await make_http_side(database);
    await served(side, async (origin) => {
      const head = await fetch(`${origin}/api/v1/feed`, { method: "HEAD" });
      assert.deepEqual([head.status, side.hub.counts().subscribers], [200, 0]);
      const response = await fetch(`${origin}/api/v1/feed?range=15m`);
      assert.equal(response.headers.get("content-type"), "text/event-stream");
      assert.equal(response.headers.get("cache-control"), "no-store, no-transform");
      assert.equal(response.headers.get("x-accel-buffering"), "no");
      const reader = frames_of(response);
      assert.equal((await reader.next())?.data.range, "15m");
      assert.equal(side.hub.counts().subscribers, 1);
      await reader.cancel();
      await until("the subscriber has left", () => side.hub.counts().subscribers === 0);
    });
  },
);

database_test("a feed resumes by header or by query, and watches a fixed range", async (database) => {
  const side = await make_http_side(database);
  await put_trip(database, { trip_id: "t", status: "requested", at: "2026-03-01T12:00:00Z" });
  await served(side, async (origin) => {
    const first = frames_of(await fetch(`${origin}/api/v1/feed?range=6h&to=2026-02-01T00:00:30Z`));
    const hello = await first.next();
    assert.deepEqual([hello?.data.following, hello?.data.to_s], [false, Date.parse("2026-02-01T00:05:00Z") / 1000]);
    const id = hello?.id ?? "";
    // Each asks for a reading of its own, and those keep their distance.
    side.time.now += 1_000;
    const by_header = frames_of(await fetch(`${origin}/api/v1/feed`, { headers: { "last-event-id": id } }));
    assert.equal((await side.time.beat_until("it goes on", by_header.next(), 25))?.event, "kpi");
    side.time.now += 1_000;
    const by_query = frames_of(await fetch(`${origin}/api/v1/feed?last_event_id=${id}`));
    assert.equal((await side.time.beat_until("it goes on", by_query.next(), 25))?.event, "kpi");
    for (const reader of [first, by_header, by_query]) await reader.cancel();
  });
});

database_test("a feed says what it is filtered by and compared with, over an absolute range", async (database) => {
  const side = await make_http_side(database);
  await put_trip(database, { trip_id: "t", status: "requested", at: "2026-03-01T12:00:00Z", city: "Bonn" });
  await served(side, async (origin) => {
    const asked =
      "from=2026-03-01T10:00:30Z&to=2026-03-01T13:00:00%2B01:00&city=Oslo&city=Bonn&not_status=canceled&compare=previous";
    const reader = frames_of(await fetch(`${origin}/api/v1/feed?${asked}`));
    const { data } = await side.time.beat_until("the hello", reader.until("hello"), 25);
    assert.deepEqual([data.range, data.following, data.grain, data.compare], ["custom", false, "1m", "previous"]);
    assert.deepEqual(
      [data.from_s, data.to_s],
      ["2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z"].map((text) => Date.parse(text) / 1000),
    );
    assert.deepEqual(data.filter, [
      { dimension: "status", keys: ["canceled"], excluded: true },
      { dimension: "city", keys: ["Bonn", "Oslo"], excluded: false },
    ]);
    assert.equal(data.computed.cards, "trips");
    await reader.cancel();
  });
});

database_test("a view that cannot be is refused, with where and why", async (database) => {
  const side = await make_http_side(database);
  const faults_of = async (query: string) => {
    const answer = await side.get(`/api/v1/feed?${query}`);
    assert.equal(answer.status, 400, query);
    const { errors } = await answer.json();
    return errors.map(({ path, detail }: { path: string; detail: string }) => `${path}: ${detail}`).join("; ");
  };
  const day = (days: number) => new Date(Date.UTC(2026, 0, 1 + days)).toISOString();
  assert.match(await faults_of(`range=1h&from=${day(0)}&to=${day(1)}`), /^range: expected either range or from and to/);
  assert.match(await faults_of(`from=${day(0)}`), /^to: expected both/);
  assert.match(await faults_of(`from=${day(1)}&to=${day(1)}`), /^to: expected a time after from/);
  assert.match(await faults_of(`from=${day(0)}&to=${day(401)}`), /^to: expected at most 400 days/);
  assert.match(await faults_of(`from=${day(0)}&to=${day(40)}&driver=D1`), /^to: .* at most 31 days/);
  assert.match(await faults_of(`range=2h`), /^range: /);
  assert.match(await faults_of(`range=1h&range=6h`), /^range: /);
  assert.match(await faults_of(`compare=never`), /^compare: /);
  assert.match(await faults_of(`city=a&not_city=b&driver=%20`), /^not_city: .*; driver: /);
  assert.match(await faults_of(`colour=red`), /colour/);
  assert.equal(side.hub.counts().subscribers, 0);
});

database_test("at the cap a feed is refused with 503 and when to come back", async (database) => {
  const side = await make_http_side(database, {
    limits: { subscribers: 9, subscribers_per_address: 1, views: 9, filtered_views: 9 },
  });
  await served(side, async (origin) => {
    const reader = frames_of(await fetch(`${origin}/api/v1/feed`));
    await reader.next();
    const refused = await fetch(`${origin}/api/v1/feed`);
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "30"]);
    assert.equal(refused.headers.get("content-type"), "application/problem+json");
    assert.match((await refused.json()).detail, /from this address/);
    await reader.cancel();
  });
});

database_test("closing says bye to all, and the server ends at once though streams were open", async (database) => {
  const side = await make_http_side(database);
  const readers: FrameReader[] = [];
  let ended_ms = 0;
  const asked = { ms: 0 };
  await served(side, async (origin) => {
    for (let i = 0; i < 20; i++) readers.push(frames_of(await fetch(`${origin}/api/v1/feed`)));
    for (const reader of readers) await reader.until("hello");
    asked.ms = performance.now();
  });
  ended_ms = performance.now();
  for (const reader of readers) {
    assert.equal((await reader.until("bye")).data.reason, "shutdown");
    assert.equal(await reader.next(), null);
  }
  assert_within(4_000, ended_ms - asked.ms, "closing, where waiting for streams would take 5 s");
});

database_test(
  "a shutdown waits for open streams no longer than its grace, and an abort after it is harmless",
  async (database) => {
    const side = await make_http_side(database);
    const stop = new AbortController();
    const server = serve_http(side.handler, { host: "127.0.0.1", port: 0, signal: stop.signal, grace_ms: 100 });
    const reader = frames_of(await fetch(`http://127.0.0.1:${server.port}/api/v1/feed`));
    await reader.until("hello");
    await server.shutdown();
    stop.abort();
    side.hub.close();
    assert.equal((await reader.until("bye")).data.reason, "shutdown");
    assert.equal(await reader.next(), null);
  },
);

database_test("a stalled connection is left out, then cut, while another goes on", async (database) => {
  const flaky = new FlakyDatabase(database);
  const side = await make_http_side(flaky);
  // Big frames fill what the kernel takes for a connection in a few rounds.
  await database.execute(
    `insert into trip_cells (grain, bucket, dimension, key, trips, fare_sum_micros, last_position)
     select '1h', timestamptz '2026-03-01T12:00:00Z' - hour * interval '1 hour', 'none', 'all', 987654321, 123456789012345678, 0
     from generate_series(0, 719) hour`,
  );
  await served(side, async (origin, port) => {
    const stalled = await Deno.connect({ hostname: "127.0.0.1", port });
    await stalled.write(new TextEncoder().encode("GET /api/v1/feed?range=30d HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    const reader = frames_of(await fetch(`${origin}/api/v1/feed?range=30d`));
    await reader.until("hello");
    await until("both are taken in", () => side.hub.counts().subscribers === 2);
    for (let round = 0; side.hub.counts().skipped === 0; round++) {
      assert(round < 2_000, "the stalled connection was never left out");
      const position = await put_trip(database, { trip_id: "t", status: "requested", at: "2026-03-01T12:00:00Z" });
      await database.execute("update trip_cells set last_position = (select position from log_head)");
      // A reading that began before would not see it.
      await flaky.settled();
      side.time.pass(500);
      while ((await reader.until("kpi")).data.position < position);
    }
    side.time.pass(31_000);
    assert.equal(side.hub.counts().subscribers, 1);
    await put_trip(database, { trip_id: "t", status: "completed", at: "2026-03-01T12:00:00Z" });
    side.time.pass(1_000);
    const kpi = side.time.beat_until("the other goes on", reader.until("kpi"));
    assert.equal((await kpi).event, "kpi");
    stalled.close();
    await reader.cancel();
  });
});

database_test("a body that is refused leaves the connection's client with the answer", async (database) => {
  const side = await make_http_side(database);
  await served(side, async (origin) => {
    for (let i = 0; i < 5; i++) {
      const refused = await fetch(`${origin}/api/v1/session`, { method: "POST", body: "x".repeat(1_000_000) });
      assert.equal(refused.status, 413);
      await refused.body?.cancel();
      const lost = await fetch(`${origin}/nowhere`, { method: "POST", body: "x".repeat(1_000_000) });
      assert.equal(lost.status, 404);
      await lost.body?.cancel();
    }
  });
});
