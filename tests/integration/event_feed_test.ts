import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { EVENT_LIMITS } from "../../src/http/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { WakeUp } from "../../src/runtime/mod.ts";
import { FrameReader } from "../support/feed_client.ts";
import { json_of, make_http_side } from "../support/http_side.ts";
import { database_test, FlakyDatabase } from "../support/read_side.ts";
import { feed, message, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";

/** The log for those who follow it: pages, pages that wait, and streams that are cut and gone on with. */

/** Appends trips of two events each, one batch a call. */
function appender(database: Database) {
  const pipeline = trip_pipeline(database), cursors = new Cursors();
  let offset = 0;
  return async (trips: number, more: Readonly<Record<string, unknown>> = {}): Promise<void> => {
    const messages = Array.from({ length: trips }).flatMap(() => {
      const trip_id = `T-${offset / 2}`, at = `2026-03-01T09:00:${String(offset % 60).padStart(2, "0")}Z`;
      return ["trip.started", "trip.completed"].map((type) =>
        message(offset++, { event_id: `${type} ${trip_id}`, type, trip_id, occurred_at: at, ...more })
      );
    });
    const place = { topic: "trips", partition: 0, from_offset: messages[0]!.offset, next_offset: offset };
    await feed(pipeline, [{ ...place, messages }], cursors);
  };
}

/** An app whose log's changes the test rings, and how it ends. */
async function follow_side(database: Database, limits: Partial<typeof EVENT_LIMITS> = {}) {
  const appended = new WakeUp(), end = new AbortController();
  const event_limits = { ...EVENT_LIMITS, look_ms: 20, ...limits };
  const changes = { appended, ending: end.signal };
  return { ...await make_http_side(database, { event_limits, changes }), appended, end };
}

const positions = (events: readonly { readonly position: number }[]) => events.map(({ position }) => position);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Lines of a stream, one by one. */
async function* lines(response: Response): AsyncGenerator<Record<string, unknown>> {
  let rest = "";
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const part of parts) yield JSON.parse(part);
  }
}

database_test("events of some types are paged, and a page without any goes on past the others", async (database) => {
  const append = appender(database);
  await append(5);
  const { get } = await follow_side(database, { looked_through: 3 });
  const page = await json_of(get("/api/v1/events?type=trip.started&limit=1"));
  assert.deepEqual([positions(page.events), page.next_after, page.position], [[1], 1, 10]);
  const second = await json_of(get("/api/v1/events?type=trip.started&after=1&limit=5"));
  assert.deepEqual([positions(second.events), second.next_after], [[3], 4], "no more than so far is looked through");
  const none = await json_of(get("/api/v1/events?type=trip.voided&type=trip.canceled&after=2"));
  assert.deepEqual([none.events, none.next_after], [[], 5]);
  const wrong = await json_of(get("/api/v1/events?type=trip.strated"), 400);
  assert.equal(wrong.errors[0].path, "type");
});

database_test("a page holds only so many bytes, and one event always", async (database) => {
  const append = appender(database);
  await append(3, { note: Array.from({ length: 400 }, (_, i) => `${i * 7919 % 10_007}`).join(" ") });
  const { get } = await follow_side(database, { page_bytes: 4_000 });
  const seen: number[] = [];
  for (let after = 0, pages = 0; pages < 10; pages++) {
    const page = await json_of(get(`/api/v1/events?after=${after}`));
    if (page.events.length === 0) break;
    assert.ok(page.events.length <= 3, `${page.events.length} events in a page`);
    seen.push(...positions(page.events));
    after = page.next_after;
  }
  assert.deepEqual(seen, range(1, 6));
}, { both: true });

database_test("a page waits for an event, whoever appends it, and no longer than it was asked to", async (database) => {
  const append = appender(database);
  await append(1);
  const told = await follow_side(database, { look_ms: 60_000 });
  const waiting = json_of(told.get("/api/v1/events?after=2&wait=30"));
  await append(1);
  // It may look while it is appended: it is rung until it has heard.
  let page: { readonly events: { readonly position: number }[]; readonly next_after: number } | null = null;
  void waiting.then((value) => page = value);
  await until("it hears of it", () => (told.appended.ring(), page !== null));
  assert.deepEqual([positions(page!.events), page!.next_after], [[3, 4], 4]);
  const by_others = await follow_side(database);
  const unrung = json_of(by_others.get("/api/v1/events?after=4&wait=30&type=trip.completed"));
  await append(2);
  assert.deepEqual(positions((await unrung).events), [6, 8], "it looks by itself");
  const over = await json_of(by_others.get("/api/v1/events?after=8&wait=0.05"));
  assert.deepEqual([over.events, over.next_after], [[], 8]);
  assert.equal((await json_of(told.get("/api/v1/events?after=9&wait=1"), 400)).errors[0].path, "after");
});

database_test("a reader that is cut again and again and goes on sees every event once, in order", async (database) => {
  const append = appender(database);
  const { get } = await follow_side(database, { piece_bytes: 2_000 });
  await append(20);
  const seen: number[] = [];
  let id = "", cuts = 0;
  const appending = (async () => {
    for (let batch = 0; batch < 20; batch++) await append(3);
  })();
  while (seen.length < 160) {
    const response = await get("/api/v1/events?follow=sse&limit=7", id === "" ? {} : { "last-event-id": id });
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    const frames = new FrameReader(response.body!);
    // A prime number of frames each time: it is cut in every place of a piece.
    for (let read = 0; read < 13 && seen.length < 160; read++) {
      const frame = await frames.next();
      assert.ok(frame !== null);
      if (frame.event === "") seen.push(frame.data.position);
      id = frame.id!;
    }
    await frames.cancel();
    cuts++;
  }
  await appending;
  assert.deepEqual(seen, range(1, 160));
  assert.ok(cuts > 10, `${cuts} cuts`);
});

database_test(
  "a stream by lines says how far it has come, also past events that were not asked for",
  async (database) => {
    const append = appender(database);
    await append(3);
    const { get, end } = await follow_side(database, { beat_ms: 20, looked_through: 2 });
    const read = lines(await get("/api/v1/events?follow=ndjson&type=trip.voided"));
    const first = (await read.next()).value!;
    assert.deepEqual([first.through, typeof first.log_id], [0, "string"]);
    let told = first;
    while (told.through !== 6) told = (await read.next()).value!;
    assert.equal((await read.next()).value!.through, 6, "a beat while nothing comes");
    end.abort();
    for (let last = told;;) {
      const { done, value } = await read.next();
      if (done) {
        assert.match(String(last.bye), /closing/);
        break;
      }
      last = value;
    }
    assert.equal((await get("/api/v1/events?follow=ndjson")).status, 503, "who ends takes nobody in");
  },
);

database_test("another log is refused, and so is a position that the log has not come to", async (database) => {
  const append = appender(database);
  await append(1);
  const { get } = await follow_side(database);
  const { log_id } = await json_of(get("/api/v1/events"));
  const refused = async (query: string, headers: Record<string, string> = {}) => {
    const response = await get(`/api/v1/events?${query}`, headers);
    return [response.status, (await response.json()).errors[0].path];
  };
  assert.deepEqual(await refused("log_id=other"), [400, "log_id"]);
  assert.deepEqual(await refused("follow=sse", { "last-event-id": `${log_id}x-1` }), [400, "log_id"]);
  assert.deepEqual(await refused("follow=sse", { "last-event-id": "nonsense" }), [400, "last_event_id"]);
  assert.deepEqual(await refused("follow=sse", { "last-event-id": `${log_id}-3` }), [400, "after"]);
  assert.deepEqual(await refused("follow=ndjson&after=3"), [400, "after"]);
  assert.equal((await json_of(get(`/api/v1/events?log_id=${log_id}`))).events.length, 2);
});

database_test(
  "a reader that takes nothing costs the database nothing, and is let go; there are only so many",
  async (database) => {
    const append = appender(database);
    await append(50);
    const flaky = new FlakyDatabase(database);
    const { get, handler } = await follow_side(flaky, { readers: 2, piece_bytes: 1_000, stalled_ms: 3_000 });
    const slow = (await get("/api/v1/events?follow=ndjson&limit=5")).body!.getReader();
    const idle = (await get("/api/v1/events?follow=ndjson")).body!.getReader();
    await slow.read();
    await slow.read();
    await flaky.settled();
    const asked = flaky.queries;
    assert.equal((await get("/api/v1/events?follow=sse")).status, 503);
    assert.equal((await get("/api/v1/events?wait=1")).status, 503);
    assert.equal((await get("/api/v1/events")).status, 200, "a page needs no place");
    await flaky.settled();
    assert.ok(flaky.queries - asked <= 1, "nothing is read for who does not take it");
    // The slow one is let go, and its place is free.
    let freed: Response | null = null;
    await until("a place is free", async () => {
      const response = await get("/api/v1/events?follow=ndjson");
      if (response.status === 200) freed = response;
      else await response.body?.cancel();
      return freed !== null;
    });
    await assert.rejects(slow.read(), /not taken/);
    await freed!.body!.cancel();
    await idle.cancel();
    for (let head = 0; head < 3; head++) {
      const request = new Request("http://localhost/api/v1/events?follow=sse", { method: "HEAD" });
      assert.equal((await handler(request, { address: "::1" })).status, 200, "and leaves nobody behind");
    }
  },
);
