import assert from "node:assert/strict";
import fc from "fast-check";
import { trips_board } from "../support/trip_board.ts";
import { changed_since, type LaneBoard, shown_board, type ShownBoard } from "../../src/feed/figures/board.ts";
import { Broadcast, type Greeting, Subscriber } from "../../src/feed/live/broadcast.ts";
import { NO_KEYED } from "../../src/feed/figures/keyed.ts";
import type { Compared } from "../../src/feed/figures/comparisons.ts";
import { type Health, parse_event_id, type Shown } from "../../src/feed/live/frame.ts";
import { sources_of } from "../../src/feed/figures/question.ts";
import type { Reading } from "../../src/feed/figures/readings.ts";
import type { Line } from "../../src/feed/figures/states.ts";
import { type View, view_key, window_at } from "../../src/feed/figures/view.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { FeedModel, type Frame, parse_frames } from "../support/feed_client.ts";

const LOG = "5f0c2c0a-0000-4000-8000-000000000001";
const START_MS = Date.UTC(2026, 2, 1, 12);
const VIEW: View = { range: "15m", to_s: null, filter: [], compare: "weekday" };
const UTC = days_in("UTC");
const SETTINGS = { build: "test", time_zone: "UTC", currency: "USD" };
const STRETCH = { from_s: 0, to_s: 1, since_s: null, least_base: 20, cards: {} };
/** A board of cells without anything from the slow lane. */
const STILL = {
  view: VIEW,
  newest_event_ms: null,
  known: true,
  breakdowns: [],
  sources: { cards: "cells", breakdowns: "cells" },
  states: null,
  failed: null,
  arrived: null,
  compared: null,
  version: 0,
  compared_version: 0,
  lines_of: {},
  lines_version: "",
} as const;
const HEALTH: Health = {
  ingest: { state: "running", reason: null, since_ms: START_MS, source: "none" },
  database: { ok: true, since_ms: START_MS, reason: null },
  recorded_ms: null,
  lag: 0,
  events_per_s: 0,
  late: 0,
  duplicates: 0,
  quarantined: 0,
  position: 0,
};

/** A read model in memory: cells that remember who changed them last, as the table does. */
class World {
  now_ms = START_MS;
  position = 0;
  log_id = LOG;
  readonly cells = new Map<number, { trips: number; changed_at: number }>();
  readonly recorded = new Map<number, number>();
  readonly lines = new Map<string, number>();

  change(bucket_s: number, trips: number, trip_id: string): void {
    this.position++;
    this.recorded.set(this.position, this.now_ms);
    this.cells.set(bucket_s, { trips, changed_at: this.position });
    this.lines.set(trip_id, this.position);
  }

  shown(): Shown {
    const window = window_at(VIEW, this.now_ms, UTC);
    const shown = [...this.cells].filter(([t]) => t >= window.from_s && t < window.to_s).sort(([a], [b]) => a - b);
    const position = this.position;
    const lines: Line[] = [...this.lines].map(([trip_id, position]) => ({ trip_id, position }))
      .sort((a, b) => b.position - a.position).slice(0, 20);
    const board: ShownBoard = {
      ...STILL,
      log_id: this.log_id,
      position,
      lines,
      lines_at: position,
      window,
      series: { t: shown.map(([t]) => t), trips: shown.map(([, cell]) => cell.trips) },
      changed_at: shown.map(([, cell]) => cell.changed_at),
      cards: { trips: shown.reduce((sum, [, cell]) => sum + cell.trips, 0) },
    };
    const reading: Reading = {
      kept: {},
      log_id: this.log_id,
      position,
      newest_event_ms: null,
      lines,
      boards: new Map(),
      recorded_ms: this.recorded,
    };
    return { reading, boards: new Map([[view_key(VIEW, UTC), board]]), health: HEALTH, now_ms: this.now_ms };
  }
}

/** A world that is watched through a filter: by cells, or computed in the slow lane, which lags behind. */
class FilteredWorld extends World {
  /** Which trips match, as long as they do. */
  readonly matching = new Set<string>();
  #figures: LaneBoard | null = null;
  #compared = 0;
  #version = 0;

  constructor(readonly view: View) {
    super();
  }

  override change(bucket_s: number, trips: number, trip_id: string): void {
    super.change(bucket_s, trips, trip_id);
    if (trips % 3 === 0) this.matching.delete(trip_id);
    else this.matching.add(trip_id);
    // What the lane reads goes by the figures alone: a bucket of nothing is gone.
    if (trips === 0 && this.from_states) this.cells.delete(bucket_s);
  }

  get from_states(): boolean {
    return sources_of({ board: trips_board }, this.view, { grain: "1m", from_s: 0 }).cards === "states";
  }

  /** The slow lane reads the world as it is now. */
  read_lane(): void {
    const { reading, boards } = super.shown();
    const { window, series, cards } = boards.get(view_key(VIEW, UTC))!;
    const list = reading.lines.filter(({ trip_id }) => this.matching.has(String(trip_id)));
    const last = this.#figures?.log_id === this.log_id ? this.#figures : null;
    this.#figures = {
      log_id: this.log_id,
      position: this.position,
      read_ms: this.now_ms,
      window,
      known: this.from_states,
      ...this.from_states
        ? changed_since(trips_board, series, this.position, window.from_s, last)
        : { series: { t: [] }, changed_at: [] },
      cards: this.from_states ? { ...cards, in_progress: this.position } : { in_progress: this.position },
      breakdowns: [{ dimension: "driver", total_keys: this.position, rows: [] }],
      lines_of: {},
      keyed: NO_KEYED,
      lines: JSON.stringify(last?.lines?.list) === JSON.stringify(list)
        ? last!.lines
        : { list, changed_at: this.position },
      arrived: null,
      missing: null,
    };
    this.#compared = Math.floor(this.now_ms / 60_000);
    this.#version++;
  }

  get forgotten(): boolean {
    return this.#figures === null;
  }

  /** Nobody watches any more. */
  forget(): void {
    this.#figures = null;
    this.#version = 0;
  }

  override shown(): Shown {
    const shown = super.shown(), { reading, boards } = shown;
    const plain = boards.get(view_key(VIEW, UTC))!;
    const { log_id, position } = reading;
    const compared: Compared = {
      log_id,
      position,
      cards: { previous: STRETCH, weekday: STRETCH },
      series: { shift_s: this.#compared },
      step_s: plain.window.step_s,
      keys: {},
    };
    const lane = {
      board: this.#figures,
      compared,
      tried: true,
      failed: null,
      version: this.#version,
      compared_version: this.#compared,
    };
    const watched = { view: this.view, window: plain.window };
    const cells = this.from_states
      ? null
      : { ...plain, marked: { t: [], changed_at: [], first_at: [], revised_ms: [] } };
    const board = shown_board(trips_board, watched, reading, { cells, lane, wait: false });
    return { ...shown, boards: new Map(board === null ? [] : [[view_key(this.view, UTC), board]]) };
  }
}

class CountingSubscriber extends Subscriber {
  sent = 0;
  override send(bytes: Uint8Array): boolean {
    const taken = super.send(bytes);
    if (taken) this.sent++;
    return taken;
  }
}

/** A viewer that reads when it is told to, and comes back with its last id. */
class Viewer {
  readonly model = new FeedModel();
  readonly frames: Frame[] = [];
  #subscriber: CountingSubscriber;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #read = 0;

  constructor(readonly waiting_bytes: number, readonly view = VIEW) {
    [this.#subscriber, this.#reader] = this.#connect({ kind: "hello", reset: null });
  }

  get subscriber(): Subscriber {
    return this.#subscriber;
  }

  #connect(greeting: Greeting): [CountingSubscriber, ReadableStreamDefaultReader<Uint8Array>] {
    const connection = { address: "test", rotate_at_ms: Infinity, waiting_bytes: this.waiting_bytes };
    const subscriber = new CountingSubscriber(this.view, view_key(this.view, UTC), greeting, connection, () => {});
    this.#read = 0;
    return [subscriber, subscriber.stream.getReader()];
  }

  async drain(): Promise<void> {
    for (; this.#read < this.#subscriber.sent; this.#read++) {
      const { value } = await this.#reader.read();
      const { frames } = parse_frames(new TextDecoder().decode(value));
      for (const frame of frames) this.model.apply(frame);
      this.frames.push(...frames);
    }
  }

  /** Loses the connection with what waits in it, and comes back. */
  async reconnect(): Promise<void> {
    await this.#reader.cancel();
    const from = this.model.last_event_id === null ? null : parse_event_id(this.model.last_event_id);
    [this.#subscriber, this.#reader] = this.#connect(
      from === null ? { kind: "hello", reset: null } : { kind: "resume", from },
    );
  }
}

/** Serves them in as many turns as it takes; gives how many that were. */
function serve_all(
  broadcast: Broadcast,
  subscribers: readonly Subscriber[],
  shown: Shown,
): number {
  return 1 + [...broadcast.serve_all(new Set(subscribers), shown)].length;
}

const STEP = fc.oneof(
  // Event times may lie up to an hour ahead of the clock.
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("change" as const),
      minute: fc.oneof(fc.integer({ min: -20, max: 30 }), fc.constantFrom(-1, 0)),
      trips: fc.oneof(fc.nat(9), fc.constant(0)),
      trip: fc.nat(30).map((n) => Math.min(n, 24)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("later" as const), seconds: fc.integer({ min: 1, max: 400 }) }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: "beat" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "drain" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "reconnect" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "lane" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "all leave" as const }) },
);

const by = (...dimensions: string[]): View => ({
  ...VIEW,
  filter: dimensions.map((dimension) => ({ dimension, keys: ["a"], excluded: false })),
});

for (
  const [what, view] of [["without a filter", VIEW], ["filtered by cells", by("city")], [
    "filtered by states",
    by("city", "status"),
  ]] as const
) {
  Deno.test(`a slow, reconnecting viewer ends with the columns, cards and lines of a fresh one (${what})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 60, size: "max" }), async (steps) => {
        const world = view === VIEW ? new World() : new FilteredWorld(view);
        const broadcast = new Broadcast(trips_board, SETTINGS);
        const steady = new Viewer(65_536, view);
        // Anything that waits stalls it: it is left out until it drains.
        const slow = new Viewer(1, view);
        const beat = async () => {
          const subscribers = [steady.subscriber, slow.subscriber];
          serve_all(broadcast, subscribers, world.shown());
          await steady.drain();
        };
        for (const step of steps) {
          if (step.kind === "change") {
            const bucket_s = Math.floor(world.now_ms / 60_000) * 60 + step.minute * 60;
            world.change(bucket_s, step.trips, `t${step.trip}`);
          } else if (step.kind === "later") world.now_ms += step.seconds * 1000;
          else if (step.kind === "beat") await beat();
          else if (step.kind === "lane") {
            if (world instanceof FilteredWorld) world.read_lane();
          } else if (step.kind === "all leave") {
            await steady.reconnect();
            await slow.reconnect();
            if (world instanceof FilteredWorld) world.forget();
          } else if (step.kind === "drain") await slow.drain();
          else await slow.reconnect();
        }
        // It drains, and a second later all are told what they lack; what nobody has read yet, they go on showing as it was.
        if (world instanceof FilteredWorld && world.forgotten) world.read_lane();
        await slow.drain();
        world.now_ms += 1_000;
        await beat();
        await slow.drain();
        const fresh = new Viewer(65_536, view);
        broadcast.serve(fresh.subscriber, world.shown());
        await fresh.drain();
        for (const viewer of [steady, slow]) {
          assert.deepEqual(viewer.model.series(), fresh.model.series());
          assert.deepEqual(viewer.model.cards, fresh.model.cards);
          assert.deepEqual(viewer.model.lines, fresh.model.lines);
          assert.deepEqual(viewer.model.breakdowns, fresh.model.breakdowns);
          assert.deepEqual(viewer.model.compared_series, fresh.model.compared_series);
        }
      }),
      { numRuns: 120 },
    );
  });
}

Deno.test("only buckets that changed are sent, with their absolute values", async () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewer = new Viewer(65_536);
  const minute = START_MS / 1000;
  world.change(minute - 120, 5, "a");
  world.change(minute - 60, 6, "b");
  serve_all(broadcast, [viewer.subscriber], world.shown());
  world.change(minute - 60, 7, "b");
  serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: world.now_ms + 1_000 });
  await viewer.drain();
  const [hello, kpi, trip] = viewer.frames;
  assert.deepEqual(hello?.data.series, { t: [minute - 120, minute - 60], trips: [5, 6] });
  assert.deepEqual(kpi?.data.series, { t: [minute - 60], trips: [7] });
  assert.equal(kpi?.id, `${LOG}-3`);
  assert.deepEqual([trip?.event, trip?.data.trips.length], ["trip", 1]);
});

Deno.test("lines go out once a second, all that changed meanwhile", async () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewer = new Viewer(65_536);
  serve_all(broadcast, [viewer.subscriber], world.shown());
  for (const [ms, trip] of [[250, "a"], [500, "b"], [750, "c"], [1_000, "d"], [1_250, "e"]] as const) {
    world.change(START_MS / 1000, 1, trip);
    serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS + ms });
  }
  await viewer.drain();
  const sent = viewer.frames.filter(({ event }) => event === "trip").map(({ data }) =>
    data.trips.map((line: Line) => line.trip_id)
  );
  assert.deepEqual(sent, [["a"], ["d", "c", "b"]]);
});

Deno.test("a reader that does not drain is left out and gets one frame with the latest state", async () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewer = new Viewer(1);
  serve_all(broadcast, [viewer.subscriber], world.shown());
  for (let i = 1; i <= 50; i++) {
    world.change(START_MS / 1000, i, "a");
    serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS + 1 + i });
  }
  assert.equal(broadcast.counts().skipped, 50);
  await viewer.drain();
  serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS + 100 });
  await viewer.drain();
  const kpis = viewer.frames.filter(({ event }) => event === "kpi");
  assert.deepEqual(kpis.map(({ data }) => data.series.trips), [[50]]);
});

Deno.test("viewers with equal needs share one encoding and the same bytes", () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewers = Array.from({ length: 200 }, () => new Viewer(65_536).subscriber);
  serve_all(broadcast, viewers, world.shown());
  assert.deepEqual(broadcast.counts(), { frames: 200, encodes: 1, skipped: 0 });
  world.change(START_MS / 1000, 1, "a");
  serve_all(broadcast, viewers, { ...world.shown(), now_ms: START_MS + 1_000 });
  assert.deepEqual(broadcast.counts(), { frames: 600, encodes: 3, skipped: 0 });
});

Deno.test("a thousand viewers are served in turns: who leaves in between is passed over, who comes is served, lines go to all", async () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewers = Array.from({ length: 1_000 }, () => new Viewer(65_536));
  assert.equal(
    serve_all(broadcast, viewers.map(({ subscriber }) => subscriber), { ...world.shown(), now_ms: START_MS }),
    3,
  );
  world.change(START_MS / 1000, 7, "a");
  const watching = new Set(viewers.map(({ subscriber }) => subscriber));
  const turns = broadcast.serve_all(watching, { ...world.shown(), now_ms: START_MS + 1_000 });
  turns.next();
  assert.equal(broadcast.counts().frames, 1_400, "two frames each: buckets and lines");
  const [gone, late] = [viewers[999]!, new Viewer(65_536)];
  gone.subscriber.cut("test");
  watching.delete(gone.subscriber);
  watching.add(late.subscriber);
  assert.equal([...turns].length, 3);
  for (const viewer of [viewers[0]!, viewers[500]!, viewers[998]!, late]) await viewer.drain();
  for (const { frames } of [viewers[0]!, viewers[500]!, viewers[998]!]) {
    assert.deepEqual(frames.map(({ event }) => event), ["hello", "kpi", "trip"]);
  }
  assert.deepEqual(late.frames.map(({ event, data }) => [event, data.series.trips]), [["hello", [7]]]);
});

Deno.test("another log resets a follower, and an unknown position one that resumes", async () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewer = new Viewer(65_536);
  world.change(START_MS / 1000, 1, "a");
  serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS });
  world.log_id = LOG.replace(/1$/, "2");
  serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS + 250 });
  await viewer.drain();
  assert.deepEqual(viewer.frames.map(({ event }) => event), ["hello", "reset", "hello"]);
  await viewer.reconnect();
  world.position = 0;
  serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS + 500 });
  await viewer.drain();
  assert.deepEqual(viewer.frames.slice(3).map(({ event }) => event), ["reset", "hello"]);
});

Deno.test("a bucket that lay ahead of the clock reaches who was away when it came into the window", async () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewer = new Viewer(65_536);
  world.change(START_MS / 1000 + 300, 5, "ahead");
  serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS });
  await viewer.drain();
  assert.deepEqual(viewer.model.series(), []);
  await viewer.reconnect();
  world.now_ms += 400_000;
  serve_all(broadcast, [viewer.subscriber], world.shown());
  await viewer.drain();
  assert.deepEqual(viewer.frames.map(({ event }) => event), ["hello", "kpi", "trip"]);
  assert.deepEqual(viewer.model.series(), [[START_MS / 1000 + 300, { trips: 5 }]]);
});

Deno.test("who resumes has what it never saw, also where the machine that recorded it is more than a minute ahead", async () => {
  for (const [ahead_s, resent] of [[0, [-1, 0, 1]], [59, [0, 1]], [90, [1]], [119, [1]]] as const) {
    const world = new World();
    const broadcast = new Broadcast(trips_board, SETTINGS);
    const viewer = new Viewer(65_536);
    world.now_ms = START_MS + 59_000;
    // A bucket lies ahead of what the viewer is shown: it ends with the minute that is under way here.
    for (const minute of [-2, -1, 0, 1]) world.change(START_MS / 1000 + minute * 60, 5, `${minute}`);
    world.recorded.set(world.position, world.now_ms + ahead_s * 1_000);
    serve_all(broadcast, [viewer.subscriber], world.shown());
    await viewer.drain();
    assert.deepEqual(viewer.model.series().map(([t]) => (t - START_MS / 1000) / 60), [-2, -1, 0]);
    await viewer.reconnect();
    world.now_ms += 120_000;
    serve_all(broadcast, [viewer.subscriber], world.shown());
    await viewer.drain();
    const kpi = viewer.frames.find(({ event }) => event === "kpi");
    assert.deepEqual(kpi?.data.series.t.map((t: number) => (t - START_MS / 1000) / 60), resent, `${ahead_s} s ahead`);
    assert.equal(viewer.model.series().length, 4);
  }
});

Deno.test("a clock that is set back brings the buckets back that had left the window", async () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewer = new Viewer(65_536);
  world.change(START_MS / 1000 - 840, 5, "early");
  for (const ms of [0, 120_000, 0]) {
    world.now_ms = START_MS + ms;
    serve_all(broadcast, [viewer.subscriber], world.shown());
    await viewer.drain();
    assert.equal(viewer.model.series().length, ms === 0 ? 1 : 0);
  }
});

Deno.test("a board of which nothing is known yet is said once, then all of it", async () => {
  const world = new FilteredWorld(by("city", "status"));
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewer = new Viewer(65_536, world.view);
  world.change(START_MS / 1000, 1, "a");
  for (const ms of [0, 250, 500]) {
    serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS + ms });
  }
  world.read_lane();
  serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS + 750 });
  await viewer.drain();
  const boards = viewer.frames.filter(({ event }) => event !== "trip");
  assert.deepEqual(boards.map(({ event, data }) => [event, data.series.trips]), [["hello", []], ["kpi", [1]]]);
});

Deno.test("nothing is sent twice when nothing changed, and nothing to a stream that has ended", async () => {
  const world = new World();
  const broadcast = new Broadcast(trips_board, SETTINGS);
  const viewer = new Viewer(65_536);
  serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS });
  world.change(START_MS / 1000, 1, "a");
  for (const s of [5, 6, 7]) {
    serve_all(broadcast, [viewer.subscriber], { ...world.shown(), now_ms: START_MS + s * 1_000 });
  }
  assert.equal(broadcast.counts().frames, 3, "hello, kpi, trip");
  await viewer.subscriber.stream.cancel().catch(() => {});
  viewer.subscriber.cut("test");
  assert.equal(viewer.subscriber.send(new Uint8Array(1)), false);
  assert.equal(viewer.subscriber.drained, false);
});
