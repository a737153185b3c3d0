import assert from "node:assert/strict";
import { make_feed, retry_pause_ms, SILENCE_MS } from "../../static/feed.js";
import { DECLARED } from "../support/page_frames.ts";

const HELLO = { declared: DECLARED };

/** What the page needs of an EventSource. */
class Source {
  closed = false;
  onerror: () => void = () => {};
  readonly listeners = new Map<string, (event: { data: string; lastEventId: string }) => void>();
  constructor(readonly url: string) {}
  addEventListener(name: string, listener: (event: { data: string; lastEventId: string }) => void) {
    this.listeners.set(name, listener);
  }
  send(name: string, data: unknown, lastEventId = "") {
    this.listeners.get(name)?.({ data: JSON.stringify(data), lastEventId });
  }
  close() {
    this.closed = true;
  }
}

/** A feed whose clock and timers are in the test's hands. */
function stage() {
  const sources: Source[] = [];
  const frames: string[] = [];
  const links: string[] = [];
  const timers: { run: () => void; ms: number; off?: boolean }[] = [];
  const clock = { ms: 1_000_000 };
  const feed = make_feed({
    make_source(url: string) {
      const source = new Source(url);
      sources.push(source);
      return source;
    },
    on_frame: (name: string) => frames.push(name),
    on_link: ({ state }: { state: string }) => links.push(state),
    now: () => clock.ms,
    random: () => 0.5,
    set_timer(run: () => void, ms: number) {
      const timer = { run, ms };
      timers.push(timer);
      return timer;
    },
    clear_timer(timer: { off?: boolean } | undefined) {
      if (timer !== undefined) timer.off = true;
    },
  });
  const last = () => sources.at(-1) ?? assert.fail("no source was made");
  const timer = () => timers.at(-1) ?? assert.fail("no timer was set");
  return { feed, sources, frames, links, clock, last, timer, timers };
}

Deno.test("pauses grow to a cap, and spread", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 99].map((attempt) => retry_pause_ms(attempt, 0)), [
    500,
    1000,
    2000,
    4000,
    7500,
    7500,
  ]);
  assert.ok(retry_pause_ms(99, 0.999) <= 15_000);
});

Deno.test("a stream that ends is made anew where the figures stand, and one at a time", () => {
  const { feed, sources, frames, links, last, timer } = stage();
  feed.open({ range: "1h" });
  assert.equal(last().url, "/api/v1/feed?range=1h");
  last().send("hello", HELLO, "log-10");
  last().send("kpi", {}, "log-12");
  last().send("trip", {}, "log-15");
  const first = last();
  first.onerror();
  assert.ok(first.closed);
  assert.equal(timer().ms, 750);
  timer().run();
  assert.equal(last().url, "/api/v1/feed?range=1h&last_event_id=log-12", "a trip's id may be ahead of the figures");
  first.send("kpi", {}, "log-99");
  first.onerror();
  assert.equal(sources.length, 2, "the old stream has no say any more");
  last().send("kpi", {}, "log-16");
  assert.deepEqual(frames, ["hello", "kpi", "trip", "kpi"]);
  assert.deepEqual(links, ["connecting", "connected", "reconnecting", "connected"]);
});

Deno.test("pauses grow while streams end at once, and start small after a good one", () => {
  const { feed, clock, last, timer } = stage();
  feed.open({ range: "1h" });
  const pauses = [];
  for (let i = 0; i < 3; i++) {
    last().send("hello", HELLO, "log-1");
    last().onerror();
    pauses.push(timer().ms);
    timer().run();
  }
  assert.deepEqual(pauses, [750, 1_500, 3_000]);
  clock.ms += 6_000;
  last().send("hb", {});
  last().onerror();
  assert.equal(timer().ms, 750);
});

Deno.test("a reset forgets where the figures stood", () => {
  const { feed, last, timer } = stage();
  feed.open({ range: "1h" });
  last().send("hello", HELLO, "log-10");
  last().send("reset", { reason: "another log" });
  last().send("kpi", {}, "log-11");
  last().onerror();
  timer().run();
  assert.equal(last().url, "/api/v1/feed?range=1h");
});

Deno.test("a bye is answered after its pause, and not at once by all", () => {
  const { feed, frames, last, timer } = stage();
  feed.open({ range: "1h" });
  last().send("hello", HELLO, "log-10");
  const first = last();
  first.send("bye", { reason: "rotation", retry_ms: 400 });
  assert.ok(first.closed);
  assert.equal(timer().ms, 500);
  assert.deepEqual(frames, ["hello"]);
});

Deno.test("a silent stream counts as lost", () => {
  const { feed, sources, links, clock, last } = stage();
  feed.open({ range: "1h" });
  last().send("hello", HELLO, "log-10");
  clock.ms += SILENCE_MS;
  feed.check();
  assert.equal(sources.length, 1);
  clock.ms += 1;
  feed.check();
  assert.equal(sources.length, 2);
  assert.ok(sources[0]?.closed);
  assert.deepEqual(links, ["connecting", "connected", "reconnecting"]);
});

Deno.test("another question starts over; closing keeps the place", () => {
  const { feed, sources, last, timers } = stage();
  feed.open({ range: "1h" });
  last().send("hello", HELLO, "log-10");
  feed.open({ range: "6h" });
  assert.equal(last().url, "/api/v1/feed?range=6h");
  last().send("hello", HELLO, "log-11");
  feed.close();
  assert.ok(sources.every((source) => source.closed));
  feed.resume();
  assert.equal(last().url, "/api/v1/feed?range=6h&last_event_id=log-11");
  feed.resume();
  assert.equal(sources.length, 3, "an open link needs no other");
  last().onerror();
  feed.resume();
  assert.equal(sources.length, 4, "who looks again does not wait");
  assert.ok(timers.at(-1)?.off);
});
