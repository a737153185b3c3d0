import assert from "node:assert/strict";
import type { Database, Queryable } from "../../src/database/mod.ts";
import type { View } from "../../src/feed/figures/mod.ts";
import { FEED_LIMITS, type FeedHub, type Health, type Subscription } from "../../src/feed/mod.ts";
import { put_trip, put_whole } from "../support/board_rows.ts";
import { FeedModel, type Frame, FrameReader } from "../support/feed_client.ts";
import { database_test, FlakyDatabase, healthy, make_hub, ManualTime } from "../support/read_side.ts";

const PLAIN = { filter: [], compare: "weekday" } as const;
const HOUR: View = { range: "1h", to_s: null, ...PLAIN };
const START = "2026-03-01T12:00:30Z";

function opened(subscription: Subscription): FrameReader {
  assert(subscription.ok, "expected to be taken in");
  return new FrameReader(subscription.stream);
}

const watch = (hub: FeedHub, last: string | null = null, view: View = HOUR, address = "::1") =>
  opened(hub.subscribe(view, last, address));

function complete(database: Database, trip_id: string, at: string, trips: number): Promise<number> {
  const whole = (tx: Queryable) => put_whole(tx, `${at.slice(0, 16)}:00Z`, { trips, completed: trips });
  return put_trip(database, { trip_id, status: "completed", at }, whole);
}

/** The first kpi frame that satisfies a condition: the slow lane's figures come in frames of their own. */
async function kpi_where(reader: FrameReader, wanted: (data: Frame["data"]) => boolean): Promise<Frame> {
  for (;;) {
    const kpi = await reader.until("kpi");
    if (wanted(kpi.data)) return kpi;
  }
}
const has_all = (data: Frame["data"]): boolean =>
  data.compared.weekday !== undefined &&
  data.breakdowns.some(({ dimension }: { dimension: string }) => dimension === "driver");

database_test("a subscriber is greeted, follows, and resumes after what it missed", async (database) => {
  const time = new ManualTime(START);
  const hub = make_hub(database, time);
  await complete(database, "t1", "2026-03-01T12:00:10Z", 1);
  const model = new FeedModel();
  const reader = watch(hub);
  const hello = await reader.next();
  assert(hello !== null);
  assert.deepEqual([hello.event, hello.data.position, hello.data.grain, hello.data.following], [
    "hello",
    1,
    "1m",
    true,
  ]);
  assert.deepEqual([hello.data.build, hello.data.time_zone, hello.data.currency], ["test", "UTC", "USD"]);
  assert.equal(hello.id, `${hello.data.log_id}-1`);
  assert.equal(hello.data.trips[0].trip_id, "t1");
  model.apply(hello);

  await complete(database, "t2", "2026-03-01T12:00:20Z", 2);
  time.pass(1_000);
  model.apply(await kpi_where(reader, ({ position }) => position === 2));
  const trip = await reader.until("trip");
  assert.deepEqual(trip.data.trips.map((line: { trip_id: string }) => line.trip_id), ["t2"]);
  model.apply(trip);
  await reader.cancel();
  assert.equal(time.ticking, false, "nobody watches, nothing ticks");

  const by_both = ["city", "driver"].map((dimension) => ({ dimension, keys: ["unknown"], excluded: false }));
  const filtered = watch(hub, null, { ...HOUR, filter: by_both });
  const known = async () => {
    for (let frame = await filtered.next(); frame !== null; frame = await filtered.next()) {
      if (frame.data.computed?.position === 2) return frame.data;
    }
  };
  const computed = await time.beat_until("a board is computed from states", known(), 25);
  assert.deepEqual([computed.cards.completed, computed.computed.cards, computed.computed.failed], [2, "trips", null]);
  await filtered.cancel();

  await complete(database, "t3", "2026-03-01T11:59:20Z", 1);
  time.now += 120_000;
  const again = watch(hub, model.last_event_id);
  const kpi = await again.next();
  assert(kpi !== null);
  assert.equal(kpi.event, "kpi", "what it has is kept");
  // The minute that did not change is sent only for being near the time at which its last position was recorded.
  assert(kpi.data.series.t.includes(Date.parse("2026-03-01T11:59:00Z") / 1000));
  model.apply(kpi);
  model.apply(await again.until("trip"));
  assert.deepEqual(model.series().map(([, { trips }]) => trips), [1, 2]);
  assert.deepEqual(model.lines.slice(0, 3), ["t3", "t2", "t1"]);
  hub.close();
}, { both: true });

database_test("who comes from another log is reset before the hello", async (database) => {
  const time = new ManualTime(START);
  const hub = make_hub(database, time);
  for (const id of ["00000000-0000-4000-8000-000000000000-0", "nonsense"]) {
    const reader = watch(hub, id);
    assert.equal((await reader.next())?.event, "reset");
    assert.equal((await reader.next())?.event, "hello");
  }
  const [head] = await database.query<{ log_id: string }>("select log_id::text as log_id from log_head");
  const ahead = watch(hub, `${head?.log_id}-99`);
  assert.equal((await ahead.next())?.event, "reset", "a position that was never given out");
  hub.close();
});

database_test("who resumes while others watch and nothing moves is told so at once", async (database) => {
  const time = new ManualTime(START);
  const hub = make_hub(database, time);
  await complete(database, "t1", "2026-03-01T12:00:10Z", 1);
  const steady = watch(hub);
  const hello = await steady.next();
  time.now += 1_000;
  const back = watch(hub, hello?.id ?? null);
  const kpi = await back.next();
  assert.deepEqual([kpi?.event, kpi?.data.position], ["kpi", 1]);
  hub.close();
});

database_test("a thousand subscribers share readings and encodings, and are served in turns", async (database) => {
  const time = new ManualTime(START);
  const flaky = new FlakyDatabase(database);
  const hub = make_hub(flaky, time, { limits: { ...FEED_LIMITS, subscribers_per_address: 1_000 } });
  await complete(database, "t1", "2026-03-01T12:00:10Z", 1);
  const readers = Array.from({ length: 1_000 }, () => watch(hub));
  const hellos = await time.beat_until("all are greeted", Promise.all(readers.map((reader) => reader.next())));
  assert(hellos.every((frame) => frame?.event === "hello"));
  const complete_boards = Promise.all(readers.map((reader) => kpi_where(reader, has_all)));
  await time.beat_until("the slow lane has read what it reads", complete_boards);
  const before = { ...hub.counts(), queries: flaky.queries };
  await complete(database, "t2", "2026-03-01T12:00:20Z", 2);
  time.pass(1_000);
  assert.equal((await readers[0]!.next())?.event, "kpi");
  assert.equal(hub.counts().frames - before.frames, 400, "the rest of the program has its turn then");
  const rest = [
    readers[0]!.next(),
    ...readers.slice(1).flatMap((reader) => [reader.next(), reader.next()]),
  ];
  const events = await time.beat_until("all are served", Promise.all(rest));
  assert.deepEqual([...new Set(events.map((frame) => frame?.event))].toSorted(), ["kpi", "trip"]);
  const after = { ...hub.counts(), queries: flaky.queries };
  assert.equal(after.encodes - before.encodes, 2, "one kpi, one trip");
  assert.equal(after.frames - before.frames, 2_000);
  assert.equal(after.queries - before.queries, 2, "one look at the head, one transaction");
  hub.close();
});

database_test("the database is asked at most four times a second, and twice without hints", async (database) => {
  const time = new ManualTime(START);
  const flaky = new FlakyDatabase(database);
  const hub = make_hub(flaky, time);
  const reader = watch(hub);
  await reader.next();
  const looks_in_5_s = async (hinted: boolean): Promise<number> => {
    await flaky.settled();
    const before = flaky.queries;
    for (let ms = 0; ms < 5_000; ms += 50) {
      if (hinted) hub.wake();
      if (ms % 250 === 0) time.pass(0);
      // A reading that was begun, or is begun when another has ended, is let end before the clock moves on.
      await flaky.settled();
      time.now += 50;
    }
    return flaky.queries - before;
  };
  // The window does not slide meanwhile: 12:00:30 to 12:00:40.
  const hinted = await looks_in_5_s(true), unhinted = await looks_in_5_s(false);
  assert(hinted >= 18 && hinted <= 20, `hinted: ${hinted}`);
  assert(unhinted >= 9 && unhinted <= 10, `unhinted: ${unhinted}`);
  hub.close();
});

database_test(
  "the first change after quiet goes out at once, the next one a quarter of a second later",
  async (database) => {
    const time = new ManualTime(START);
    const flaky = new FlakyDatabase(database);
    /** Waits that were asked for beside the beat: how long, and what comes then. */
    const waits: { readonly ms: number; readonly work: () => void }[] = [];
    const hub = make_hub(flaky, time, {
      ticker: (every_ms, work) => {
        if (every_ms === 250 && !time.ticking) return time.ticker(every_ms, work);
        const wait = { ms: every_ms, work };
        waits.push(wait);
        return () => void waits.splice(waits.indexOf(wait), 1);
      },
    });
    const reader = watch(hub);
    await reader.next();
    await flaky.settled();
    time.pass(1_000);
    await flaky.settled();
    time.now += 10;
    // It was quiet, and looked at a hundredth of a second ago.
    const first = await complete(database, "t1", "2026-03-01T12:00:10Z", 1);
    hub.wake();
    await kpi_where(reader, ({ position }) => position === first);
    await flaky.settled();
    assert.equal(waits.length, 0);
    time.now += 100;
    const second = await complete(database, "t2", "2026-03-01T12:00:20Z", 2);
    const asked = flaky.queries;
    hub.wake();
    hub.wake();
    assert.deepEqual(
      [flaky.queries - asked, waits.map(({ ms }) => ms)],
      [0, [150]],
      "it waits for its time, once, and no longer",
    );
    time.now += 150;
    waits[0]!.work();
    await kpi_where(reader, ({ position }) => position === second);
    await flaky.settled();
    time.now += 100;
    hub.wake();
    assert.equal(waits.length, 1);
    await reader.cancel();
    assert.deepEqual([waits.length, time.ticking], [0, false], "nobody watches, nothing waits");
  },
);

database_test("an outage is told at once, heartbeats go on, and the board comes back", async (database) => {
  const time = new ManualTime(START);
  const flaky = new FlakyDatabase(database);
  const hub = make_hub(flaky, time);
  const reader = watch(hub);
  await reader.next();
  flaky.fault = new Error("connection refused");
  time.pass(500);
  const down = await time.beat_until("the outage is told", reader.until("hb"));
  assert.deepEqual(down.data.health.database, { ok: false, since_ms: time.now, reason: "connection refused" });
  assert.equal(down.id, null);
  const newcomer = watch(hub, null, { range: "7d", to_s: null, ...PLAIN });
  assert.equal((await newcomer.next())?.data.health.database.ok, false, "it learns why there is no hello");
  time.pass(15_000);
  const later = await reader.until("hb");
  assert.equal(later.data.health.database.since_ms, down.data.health.database.since_ms);
  // A reading that was begun has to end before another one begins.
  await flaky.settled();
  flaky.fault = null;
  time.pass(10_000);
  assert.equal((await newcomer.until("hello")).data.health.database.ok, true);
  const up = await time.beat_until("the end of the outage is told", reader.until("hb"));
  assert.equal(up.data.health.database.ok, true);
  hub.close();
});

database_test("a change of the program's health is sent at once, the rest of it every 15 s", async (database) => {
  const time = new ManualTime(START);
  let health: Health = healthy();
  const flaky = new FlakyDatabase(database);
  const hub = make_hub(flaky, time, { health: () => health });
  const reader = watch(hub);
  await reader.next();
  time.pass(250);
  health = healthy({ ingest: { state: "paused", reason: "broker away", since_ms: time.now, source: "kafka" } });
  time.pass(250);
  assert.equal((await reader.next())?.data.health.ingest.reason, "broker away");
  health = { ...health, lag: 12 };
  for (const ms of [4_000, 4_000, 4_000, 3_000]) {
    await flaky.settled();
    time.pass(ms);
  }
  const beat = await reader.until("hb");
  assert.deepEqual([beat.data.health.lag, beat.data.now_ms, beat.data.build], [12, time.now, "test"]);
  hub.close();
});

database_test("the window slides without any event", async (database) => {
  const time = new ManualTime(START);
  const hub = make_hub(database, time);
  await complete(database, "t1", "2026-03-01T11:01:10Z", 5);
  const reader = watch(hub);
  assert.equal((await reader.next())?.data.cards.trips, 5);
  time.pass(30_000);
  const kpi = await kpi_where(reader, ({ from_s }) => from_s === Date.parse("2026-03-01T11:02:00Z") / 1000);
  assert.deepEqual([kpi.data.cards.trips, kpi.data.series.t], [0, []]);
  hub.close();
});

database_test("connections end with bye when they are old and when the hub closes", async (database) => {
  const time = new ManualTime(START);
  const hub = make_hub(database, time);
  const old = watch(hub);
  await old.next();
  time.pass(300_000);
  const young = watch(hub);
  await young.until("hello");
  time.pass(300_000);
  const bye = await old.until("bye");
  assert.deepEqual(bye.data, { reason: "rotation", retry_ms: 3_000 });
  assert.equal(await old.next(), null);
  hub.close();
  assert.equal((await young.until("bye")).data.reason, "shutdown");
  assert.equal(await young.next(), null);
  assert.deepEqual(hub.subscribe(HOUR, null, "::1"), { ok: false, reason: "closing" });
  assert.equal(time.ticking, false);
});

database_test(
  "a reader that does not drain is cut after 30 s, one that drains in time is not",
  async (database) => {
    const time = new ManualTime(START);
    const flaky = new FlakyDatabase(database);
    const hub = make_hub(flaky, time);
    const stalling = watch(hub);
    const reader = watch(hub);
    await reader.next();
    /** Sends kpi frames, none of which is read from the first stream, until they have piled up to the bound and it is left out. */
    let newest = 0;
    const stall = async (): Promise<void> => {
      for (const { skipped } = hub.counts(); hub.counts().skipped === skipped;) {
        await database.execute(
          `insert into trip_cells (grain, bucket, dimension, key, trips, last_position)
           select '1m', timestamptz '2026-03-01T11:01:00Z' + minute * interval '1 minute', 'none', 'all', 1, position + 1
           from log_head, generate_series(0, 59) minute
           on conflict (grain, dimension, bucket, key) do update set last_position = excluded.last_position`,
        );
        newest = await put_trip(database, { trip_id: "t1", status: "completed", at: "2026-03-01T12:00:10Z" });
        // A reading that began before would not see it.
        await flaky.settled();
        time.pass(500);
        while ((await reader.until("kpi")).data.position < newest);
      }
    };
    await stall();
    time.pass(20_000);
    const caught_up = async () => {
      while ((await stalling.until("kpi")).data.position < newest);
    };
    await time.beat_until("it has drained and has the latest state", caught_up());
    await stall();
    time.pass(29_000);
    assert.equal(hub.counts().subscribers, 2, "it drained meanwhile");
    time.pass(2_000);
    assert.equal(hub.counts().subscribers, 1, "the reader that drains stays");
    await assert.rejects(stalling.until("bye"), /has not drained/);
    hub.close();
  },
);

database_test("subscribers, those of one address, and distinct views are capped", async (database) => {
  const time = new ManualTime(START);
  const hub = make_hub(database, time, {
    limits: { subscribers: 3, subscribers_per_address: 2, views: 2, filtered_views: 1 },
  });
  const first = watch(hub, null, HOUR, "a");
  watch(hub, null, HOUR, "a");
  assert.deepEqual(hub.subscribe(HOUR, null, "a"), { ok: false, reason: "too_many_of_this_address" });
  await first.cancel();
  watch(hub, null, { range: "6h", to_s: null, ...PLAIN }, "a");
  assert.deepEqual(hub.subscribe({ range: "7d", to_s: null, ...PLAIN }, null, "b"), {
    ok: false,
    reason: "too_many_views",
  });
  watch(hub, null, HOUR, "b");
  assert.deepEqual(hub.subscribe(HOUR, null, "c"), { ok: false, reason: "too_many_subscribers" });
  hub.close();
  assert.deepEqual([hub.counts().subscribers, hub.counts().views], [0, 0]);
});

database_test("distinct filtered views are capped by themselves; equal ones share", async (database) => {
  const limits = { subscribers: 9, subscribers_per_address: 9, views: 9, filtered_views: 1 };
  const hub = make_hub(database, new ManualTime(START), { limits });
  const filtered = (key: string): View => ({ ...HOUR, filter: [{ dimension: "city", keys: [key], excluded: false }] });
  const first = watch(hub, null, filtered("Bonn"));
  watch(hub, null, filtered("Bonn"));
  assert.deepEqual(hub.subscribe(filtered("Oslo"), null, "a"), { ok: false, reason: "too_many_views" });
  watch(hub);
  assert.equal(hub.counts().views, 2);
  await first.cancel();
  hub.close();
});
