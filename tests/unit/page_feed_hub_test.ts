import assert from "node:assert/strict";
import { fold_frames, make_hub, SILENCE_MS } from "../../static/feed.js";
import { make_feed_port } from "../../static/feed_port.js";
import { make_turns } from "../../static/feed_turns.js";
import { apply_frame, empty_board } from "../../static/state.js";
import { cards_of, DECLARED, health_of, hello_of, kpi_of, NOW } from "../support/page_frames.ts";

/** One feed for all tabs of a browser: who comes later has what the others have, and connections are few. */

type Listener = (event: { data: string; lastEventId: string }) => void;

class Source {
  onerror: () => void = () => {};
  readonly listeners = new Map<string, Listener>();
  constructor(readonly url: string, readonly close: () => void) {}
  addEventListener(name: string, listener: Listener) {
    this.listeners.set(name, listener);
  }
  send(name: string, data: unknown, lastEventId = "log-10") {
    this.listeners.get(name)?.({ data: JSON.stringify(data), lastEventId });
  }
}

interface Message {
  readonly query: string;
  readonly link?: { readonly state: string; readonly turn_ms: number };
  readonly name?: string;
  readonly data?: { readonly position?: number };
}

/** A hub whose clock, timers, connections and pages are in the test's hands. */
function stage() {
  const clock = { ms: NOW };
  const timers = new Set<{ run: () => void; at_ms: number }>();
  const set_timer = (run: () => void, ms: number) => {
    const timer = { run, at_ms: clock.ms + ms };
    timers.add(timer);
    return timer;
  };
  const clear_timer = (timer: { run: () => void; at_ms: number }) => timers.delete(timer);
  const open = new Set<Source>();
  const make_source = (url: string) => {
    const source: Source = new Source(url, () => open.delete(source));
    open.add(source);
    return source;
  };
  const load = { works: true };
  const load_turns = () => load.works ? Promise.resolve({ make_turns }) : Promise.reject(new Error("away"));
  const connect = make_hub({ make_source, load_turns, now: () => clock.ms, set_timer, clear_timer });
  const page = () => {
    const heard: Message[] = [];
    const port = {
      onmessage: (_event: { data: unknown }) => {},
      postMessage: (message: Message) => heard.push(structuredClone(message)),
    };
    connect(port);
    const say = (data: unknown) => port.onmessage({ data });
    return {
      heard,
      say,
      show: (query: string) => say({ query, join: true }),
      last_link: () => heard.findLast(({ link }) => link !== undefined)?.link,
      frames: () => heard.flatMap(({ name, data }) => name === undefined ? [] : [`${name} ${data?.position}`]),
    };
  };
  /** Lets time pass, with all that falls due on the way. */
  const pass = async (ms: number) => {
    const until_ms = clock.ms + ms;
    for (;;) {
      const due = [...timers].filter(({ at_ms }) => at_ms <= until_ms).sort((a, b) => a.at_ms - b.at_ms)[0];
      if (due === undefined) break;
      timers.delete(due);
      clock.ms = due.at_ms;
      due.run();
      // What is loaded comes in a later turn.
      for (let i = 0; i < 5; i++) await Promise.resolve();
    }
    clock.ms = until_ms;
  };
  const source_of = (query: string) =>
    [...open].find(({ url }) => url.startsWith(`/api/v1/feed?${query}`)) ?? assert.fail(`no connection for ${query}`);
  return { page, pass, open, source_of, clock, load };
}

Deno.test("equal views share one connection, and who comes later has what the others have", () => {
  const { page, open, source_of } = stage();
  const first = page(), second = page(), other = page();
  first.show("range=15m");
  source_of("range=15m").send("hello", hello_of());
  source_of("range=15m").send("kpi", kpi_of({ position: 12, completed: 3 }), "log-12");
  second.show("range=15m");
  assert.deepEqual(second.frames(), ["hello 12"]);
  assert.equal(second.last_link()?.state, "connected");
  source_of("range=15m").send("kpi", kpi_of({ position: 13, completed: 4 }), "log-13");
  assert.deepEqual(first.frames(), ["hello 10", "kpi 12", "kpi 13"]);
  assert.deepEqual(second.frames(), ["hello 12", "kpi 13"]);
  for (const { heard } of [first, second]) {
    const told = heard.map(({ name, link }) => name ?? link?.state);
    assert.equal(
      told[told.indexOf("hello") - 1],
      "connected",
      "that the link stands is known before what came over it",
    );
  }
  other.show("range=1h");
  assert.equal(open.size, 2);
  assert.deepEqual(other.frames(), [], "another view has other figures");
  first.say({ query: null });
  assert.equal(open.size, 2, "the second tab still looks");
  second.show("range=1h");
  assert.deepEqual([...open].map(({ url }) => url), ["/api/v1/feed?range=1h"]);
});

Deno.test("a hello made of frames says what a page knows that heard them one by one", () => {
  const old_s = Math.floor(NOW / 60_000) * 60 - 900;
  const hello = { ...hello_of(), series: { ...hello_of().series } };
  const trip = (trip_id: string, position: number) => ({ trip_id, position });
  const frames: [string, Record<string, unknown>][] = [
    ["kpi", { ...kpi_of({ position: 12, completed: 3 }), compared: { weekday: null } }],
    ["trip", { position: 12, trips: [trip("b", 12), trip("a", 11)] }],
    ["kpi", { ...kpi_of({ position: 14, completed: 7 }), from_s: old_s + 120, cards: cards_of(9) }],
    ["trip", { position: 14, trips: [trip("a", 14)] }],
    ["hb", { now_ms: NOW + 5_000, position: 99, health: health_of({ lag: 4 }), build: "one" }],
  ];
  const known = frames.reduce(
    (board, [name, data]) => apply_frame(board, name, data, NOW, DECLARED.list),
    apply_frame(empty_board(), "hello", hello, NOW, DECLARED.list),
  );
  const later = apply_frame(empty_board(), "hello", fold_frames(hello, frames), NOW, DECLARED.list);
  const { hello: _one, told_ms: _two, buckets, ...rest } = known;
  const { hello: _three, told_ms: _four, buckets: buckets_later, ...rest_later } = later;
  assert.deepEqual(rest_later, rest);
  assert.deepEqual([...buckets_later], [...buckets]);
  assert.equal(later.position, 14, "a heartbeat's position is not that of the figures");
  const replaced = fold_frames(hello, [...frames, ["trip", { position: 15, replace: true, trips: [trip("z", 15)] }]]);
  assert.deepEqual(replaced.trips, [trip("z", 15)]);
});

Deno.test("frames do not pile up: of many a hello is kept, and it is the same one", () => {
  const { page, source_of } = stage();
  page().show("range=15m");
  const source = source_of("range=15m");
  source.send("hello", hello_of());
  for (let i = 1; i <= 500; i++) source.send("kpi", kpi_of({ position: 10 + i, completed: i }), `log-${10 + i}`);
  const late = page();
  late.show("range=15m");
  assert.deepEqual(late.frames(), ["hello 510"]);
  source.send("reset", { reason: "another log" });
  const later = page();
  later.show("range=15m");
  assert.deepEqual(later.frames(), [], "what was thrown away is not told");
});

Deno.test("ten views: two stream, one connection serves the others in turns, each says how often it is asked", async () => {
  const { page, pass, open, source_of } = stage();
  const pages = Array.from({ length: 10 }, page);
  pages.forEach((each, i) => each.show(`range=15m&city=${i}`));
  const answered = new Set<Source>();
  const seen: number[] = [];
  const answer = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      await pass(50);
      assert.ok(open.size <= 3, `${open.size} connections`);
      for (const source of open) {
        if (answered.has(source)) continue;
        answered.add(source);
        const { length } = [...answered].filter(({ url }) => url === source.url);
        source.send("hello", hello_of({ position: 10 + length }), `log-${10 + length}`);
      }
      seen.push(open.size);
    }
  };
  await answer(2_000);
  for (const each of pages) assert.deepEqual(each.frames(), ["hello 11"]);
  assert.deepEqual(pages.map((each) => each.last_link()?.turn_ms), [0, 0, ...Array(8).fill(10_000)]);
  assert.ok(pages.every((each) => each.last_link()?.state === "connected"));
  await answer(11_000);
  assert.deepEqual(pages.map((each) => each.frames().length), [1, 1, ...Array(8).fill(2)]);
  assert.equal(seen.at(-1), 2, "between turns there is room");
  pages[0]?.say({ query: null });
  await answer(100);
  assert.equal(pages[2]?.last_link()?.turn_ms, 0, "who waited longest streams when another ends");
  source_of("range=15m&city=2").send("kpi", kpi_of({ position: 50, completed: 5 }), "log-50");
  assert.equal(pages[2]?.frames().at(-1), "kpi 50");
});

Deno.test("a turn without figures ends, so that the next has one; one that fails is tried again", async () => {
  const { page, pass, open, source_of, load } = stage();
  load.works = false;
  for (const city of "ab") page().show(`city=${city}`);
  const slow = page(), next = page();
  slow.show("city=slow");
  next.show("city=next");
  await pass(2_500);
  assert.deepEqual([...open].map(({ url }) => url.at(-1)), ["a", "b"], "what serves turns could not be loaded");
  assert.equal(next.last_link()?.state, "connecting");
  load.works = true;
  await pass(1_500);
  source_of("city=slow").send("hello", hello_of({ cards: null }));
  await pass(4_000);
  assert.deepEqual(next.frames(), []);
  await pass(1_500);
  source_of("city=next").send("hello", hello_of());
  assert.deepEqual(next.frames(), ["hello 10"]);
  assert.deepEqual(slow.frames(), ["hello 10"]);
  await pass(10_000);
  source_of("city=slow").onerror();
  assert.equal(slow.last_link()?.state, "reconnecting");
  // The other one has its turn meanwhile.
  await pass(7_000);
  source_of("city=slow").send("hello", hello_of());
  assert.equal(slow.last_link()?.state, "connected");
});

Deno.test("a tab that says nothing any more is let go, one that gives signs of life is answered", async () => {
  const { page, pass, open, source_of } = stage();
  const dead = page(), alive = page();
  dead.show("city=dead");
  alive.show("city=alive");
  for (let i = 0; i < 11; i++) {
    await pass(20_000);
    const before = alive.heard.length;
    alive.say({ query: "city=alive" });
    assert.ok(alive.heard.length > before);
    source_of("city=alive").send("hb", { now_ms: NOW, health: health_of() });
  }
  assert.deepEqual([...open].map(({ url }) => url), ["/api/v1/feed?city=alive"]);
  dead.say({ query: "city=dead" });
  assert.equal(open.size, 2, "a tab that was only frozen comes back");
});

Deno.test("a page finds out that its worker is dead or mute, and says so", async () => {
  const clock = { ms: NOW };
  const links: string[] = [],
    frames: unknown[] = [],
    made: { own: boolean; said: unknown[]; hear: (data: unknown) => void }[] = [];
  const feed = make_feed_port({
    now: () => clock.ms,
    shares: true,
    early: undefined,
    on_link: ({ state }: { state: string }) => links.push(state),
    on_frame: (name: string, _data: unknown, at_ms: number) => frames.push([name, at_ms]),
    make_port(own: boolean) {
      const said: unknown[] = [];
      const port = { onmessage: (_event: { data: unknown }) => {}, postMessage: (data: unknown) => said.push(data) };
      made.push({ own, said, hear: (data) => port.onmessage({ data }) });
      return port;
    },
  });
  const settle = async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  const check = async (ms: number) => {
    clock.ms += ms;
    feed.check();
    await settle();
  };
  feed.open([["range", "1h"]]);
  await settle();
  assert.deepEqual(made[0]?.said, [{ query: "range=1h", join: true }]);
  made[0]?.hear({ query: "range=1h", link: { state: "connected" } });
  made[0]?.hear({ query: "range=1h", name: "hello", data: {}, at_ms: 5 });
  made[0]?.hear({ query: "range=6h", name: "hello", data: {}, at_ms: 6 });
  assert.deepEqual(frames, [["hello", 5]], "of another view nothing is taken, and times are those of the worker");
  await check(20_001);
  assert.deepEqual(made[0]?.said.at(-1), { query: "range=1h" });
  await check(25_000);
  assert.equal(links.at(-1), "reconnecting");
  assert.equal(made.length, 2);
  assert.deepEqual(made[1]?.said, [{ query: "range=1h", join: true }]);
  await check(5_001);
  assert.deepEqual(made.map(({ own }) => own), [false, false, true], "a worker that never spoke cannot run here");
  for (const left of made.slice(0, 2)) {
    assert.deepEqual(left.said.at(-1), { query: null }, "where it runs after all, it ends");
  }
  assert.ok(feed.alone());
  made[2]?.hear({ query: "range=1h", link: { state: "connected" } });
  feed.close();
  assert.deepEqual(made[2]?.said.at(-1), { query: null });
  await check(SILENCE_MS * 10);
  assert.equal(made.length, 3, "a page that does not look needs none");
  feed.resume();
  assert.deepEqual(made[2]?.said.at(-1), { query: "range=1h", join: true, hurry: true });
});
