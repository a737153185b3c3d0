import {
  type FeedSource,
  is_whole,
  shown_board,
  type ShownBoard,
  type View,
  view_key,
  type Watched,
} from "../figures/mod.ts";
import { Broadcast, type Greeting, Subscriber, type Turns, WAITING_BYTES } from "./broadcast.ts";
import { bye_frame, type FeedSettings, type Health, health_state, parse_event_id, type Shown } from "./frame.ts";
import { Grains } from "./grain.ts";
import { Lane } from "./lane.ts";
import { BoardReader, type FeedRuntime, LEAST_GAP_MS } from "./reader.ts";

/** Calls `work` every so many milliseconds until the function it gives is called. */
export type Ticker = (every_ms: number, work: () => void) => () => void;

/** Ticks by the runtime's interval timer. */
export const interval_ticker: Ticker = (every_ms, work) => {
  const timer = setInterval(work, every_ms);
  return () => clearInterval(timer);
};

/** What the feed is bounded by. */
export interface FeedLimits {
  readonly subscribers: number;
  readonly subscribers_per_address: number;
  /** Distinct views that are read, and how many of them may be filtered or by arrival: those are computed from states, in part at least. */
  readonly views: number;
  readonly filtered_views: number;
}

export const FEED_LIMITS: FeedLimits = {
  subscribers: 12_000,
  subscribers_per_address: 200,
  views: 64,
  filtered_views: 16,
};

export interface HubDeps extends FeedSource, FeedRuntime {
  readonly ticker: Ticker;
  /** How the program does; must not throw. */
  readonly health: () => Health;
  readonly settings: FeedSettings;
  readonly limits?: FeedLimits;
}

/** Why a subscriber is not taken in. */
export type Refusal = "closing" | "too_many_subscribers" | "too_many_of_this_address" | "too_many_views";

export type Subscription =
  | { readonly ok: true; readonly stream: ReadableStream<Uint8Array> }
  | { readonly ok: false; readonly reason: Refusal };

const HEARTBEAT_MS = 15_000;
const STALLED_MS = 30_000;
const LIFE_MS = 600_000;
const LIFE_JITTER_MS = 60_000;
const RETRY_MS = 1_000;
const RETRY_JITTER_MS = 4_000;
/** A hello waits so long for what the slow lane reads; then it says what is unknown. */
const LANE_GRACE_MS = 500;

/**
 * The hub: who watches what. It asks the read models at most four times a second, whatever the number of subscribers, and
 * not at all while there are none. What is dear to read has a lane of its own (`lane.ts`).
 *
 * Each beat (250 ms) it begins a reading when one is due, sends every drained subscriber what it lacks of the newest one,
 * heartbeats every 15 s and at once when the health changes, ends connections that are old, and cuts those that have not
 * drained for 30 s. Heartbeats do not wait for the database.
 */
export class FeedHub {
  readonly #deps: HubDeps;
  readonly #limits: FeedLimits;
  readonly #reader: BoardReader;
  readonly #broadcast: Broadcast;
  readonly #subscribers = new Set<Subscriber>();
  readonly #by_address = new Map<string, number>();
  readonly #lane: Lane;
  readonly #grains: Grains;
  readonly #by_view = new Map<string, { readonly view: View; readonly since_ms: number; count: number }>();
  #stop_ticking: (() => void) | null = null;
  #stop_turns: (() => void) | null = null;
  /** What is sent, in turns, one thing after the other. */
  readonly #under_way: Turns[] = [];
  /** Serving all is among that, and has not begun. */
  #serving_waits = false;
  /** Ends the wait for the next reading, between two beats. */
  #stop_waiting: (() => void) | null = null;
  #next_heartbeat_ms = 0;
  #health_seen = "";
  #closed = false;

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? FEED_LIMITS;
    this.#reader = new BoardReader(deps, deps);
    this.#lane = new Lane(deps, deps);
    this.#grains = new Grains(deps);
    this.#broadcast = new Broadcast(deps.board, deps.settings);
  }

  /**
   * Takes a subscriber in, or says why not.
   * @param last_event_id the SSE id it has last seen; null for a new one
   * @param address whom the connection counts for
   */
  subscribe(view: View, last_event_id: string | null, address: string): Subscription {
    const key = view_key(view, this.#deps.days);
    const reason = this.#refusal(view, key, address);
    if (reason !== null) return { ok: false, reason };
    const now_ms = this.#deps.clock.now_ms();
    const rotate_at_ms = now_ms + LIFE_MS + (2 * this.#deps.random() - 1) * LIFE_JITTER_MS;
    const connection = { address, rotate_at_ms, waiting_bytes: WAITING_BYTES };
    const left = (gone: Subscriber) => this.#leave(gone);
    const subscriber = new Subscriber(view, key, greeting_of(last_event_id), connection, left);
    this.#subscribers.add(subscriber);
    this.#by_address.set(address, (this.#by_address.get(address) ?? 0) + 1);
    const same_view = this.#by_view.get(key) ?? { view, since_ms: now_ms, count: 0 };
    same_view.count++;
    this.#by_view.set(key, same_view);
    this.#greet(subscriber, now_ms);
    return { ok: true, stream: subscriber.stream };
  }

  /** A hint that the log moved. Nothing depends on it. */
  wake(): void {
    this.#reader.hint();
    if (this.#stop_ticking !== null) this.#read_when_due();
  }

  /** Says bye to all and ends their streams. Takes nobody in afterwards. */
  close(): void {
    this.#closed = true;
    for (const subscriber of [...this.#subscribers]) this.#say_bye(subscriber, "shutdown");
  }

  /** How many watch, and what was sent to them since the start. */
  counts(): ReturnType<Broadcast["counts"]> & { readonly subscribers: number; readonly views: number } {
    return { ...this.#broadcast.counts(), subscribers: this.#subscribers.size, views: this.#by_view.size };
  }

  #refusal(view: View, key: string, address: string): Refusal | null {
    if (this.#closed) return "closing";
    if (this.#subscribers.size >= this.#limits.subscribers) return "too_many_subscribers";
    if ((this.#by_address.get(address) ?? 0) >= this.#limits.subscribers_per_address) return "too_many_of_this_address";
    if (this.#by_view.has(key)) return null;
    if (this.#by_view.size >= this.#limits.views) return "too_many_views";
    const filtered = [...this.#by_view.values()].filter((each) => !is_whole(each.view)).length;
    return !is_whole(view) && filtered >= this.#limits.filtered_views ? "too_many_views" : null;
  }

  /** The views that are watched, with their windows. */
  #watched(now_ms: number): Map<string, Watched> {
    return new Map(
      [...this.#by_view].map(([key, { view }]) =>
        [key, { view, window: this.#grains.window(key, view, now_ms) }] as const
      ),
    );
  }

  /** As `#watched`; where the grains of views have to be found, once they are. */
  #watched_anew(): Map<string, Watched> | Promise<Map<string, Watched>> {
    const now_ms = this.#deps.clock.now_ms();
    const due = this.#grains.due(new Map([...this.#by_view].map(([key, { view }]) => [key, view] as const)), now_ms);
    if (due.length === 0) return this.#watched(now_ms);
    return this.#grains.find(due, now_ms).then(() => this.#watched(this.#deps.clock.now_ms()));
  }

  /** What subscribers of all views are shown at this time; null before the first reading. */
  #shown(now_ms: number): Shown | null {
    const reading = this.#reader.last;
    if (reading === null) return null;
    const boards = new Map<string, ShownBoard>();
    for (const [key, watched] of this.#watched(now_ms)) {
      const wait = now_ms - (this.#by_view.get(key)?.since_ms ?? 0) < LANE_GRACE_MS;
      const read = { cells: reading.boards.get(key) ?? null, lane: this.#lane.state(key), wait };
      const board = shown_board(this.#deps.board, watched, reading, read);
      if (board !== null) boards.set(key, board);
    }
    return { reading, boards, health: this.#health(now_ms), now_ms };
  }

  /** Serves all, once what is under way is done: what is new by then goes out with it. */
  #serve_all(): void {
    if (this.#serving_waits) return;
    this.#serving_waits = true;
    this.#take_turns(this.#serve_in_turns());
  }

  *#serve_in_turns(): Turns {
    this.#serving_waits = false;
    const now_ms = this.#deps.clock.now_ms();
    const shown = this.#shown(now_ms);
    if (shown !== null) yield* this.#broadcast.serve_all(this.#subscribers, shown);
  }

  /** Does work of many turns after what is under way; its first turn at once when nothing is. */
  #take_turns(work: Turns): void {
    this.#under_way.push(work);
    if (this.#under_way.length === 1) this.#go_on();
  }

  #go_on(): void {
    for (let work = this.#under_way[0]; work !== undefined; work = this.#under_way[0]) {
      if (work.next().done !== true) {
        this.#stop_turns = this.#deps.ticker(0, () => {
          this.#stop_turns?.();
          this.#stop_turns = null;
          this.#go_on();
        });
        return;
      }
      this.#under_way.shift();
    }
  }

  /** Greets at once when there is a reading that serves; otherwise the next reading does. */
  #greet(subscriber: Subscriber, now_ms: number): void {
    if (this.#stop_ticking === null) {
      this.#reader.resume();
      this.#next_heartbeat_ms = now_ms + HEARTBEAT_MS;
      this.#health_seen = health_state(this.#health(now_ms));
      this.#stop_ticking = this.#deps.ticker(LEAST_GAP_MS, () => this.#beat());
    }
    const shown = this.#shown(now_ms);
    const health = this.#health(now_ms);
    if (shown !== null) this.#broadcast.serve(subscriber, shown);
    if (subscriber.greeting === null) return;
    // It cannot be greeted while the database is away: then it learns at least that.
    if (!health.database.ok) {
      const position = shown?.reading.position ?? 0;
      this.#take_turns(this.#broadcast.heartbeat(new Set([subscriber]), position, health, now_ms));
    }
    this.wake();
  }

  #beat(): void {
    const now_ms = this.#deps.clock.now_ms();
    for (const subscriber of [...this.#subscribers]) this.#judge(subscriber, now_ms);
    if (this.#stop_ticking === null) return;
    this.#read_when_due();
    this.#work();
    this.#serve_all();
    const health = this.#health(now_ms);
    const state = health_state(health);
    if (state !== this.#health_seen || now_ms >= this.#next_heartbeat_ms) {
      this.#health_seen = state;
      if (now_ms >= this.#next_heartbeat_ms) this.#next_heartbeat_ms = now_ms + HEARTBEAT_MS;
      const position = this.#reader.last?.position ?? 0;
      this.#take_turns(this.#broadcast.heartbeat(this.#subscribers, position, health, now_ms));
    }
  }

  /** Ends a connection that is old, cuts one that has not drained for long. */
  #judge(subscriber: Subscriber, now_ms: number): void {
    if (subscriber.drained) {
      subscriber.stalled_since_ms = null;
      if (now_ms >= subscriber.connection.rotate_at_ms) this.#say_bye(subscriber, "rotation");
      return;
    }
    subscriber.stalled_since_ms ??= now_ms;
    if (now_ms - subscriber.stalled_since_ms >= STALLED_MS) subscriber.cut("it has not drained for 30 s");
  }

  #say_bye(subscriber: Subscriber, reason: string): void {
    const retry_ms = Math.round(RETRY_MS + this.#deps.random() * RETRY_JITTER_MS);
    subscriber.end(new TextEncoder().encode(bye_frame(reason, retry_ms)));
  }

  /** Reads what is due, or as soon as it is: a beat may come just before that, and the next one a whole beat after. */
  #read_when_due(): void {
    if (!this.#reader.due) return this.#wait_until_due();
    const resumed = [...this.#subscribers].flatMap(({ greeting }) =>
      greeting?.kind === "resume" ? [greeting.from.position] : []
    );
    this.#reader.read(() => this.#watched_anew(), resumed).then((reading) => {
      if (reading === null || this.#stop_ticking === null) return;
      this.#work();
      this.#serve_all();
      this.#wait_until_due();
    });
  }

  #wait_until_due(): void {
    const wait_ms = this.#reader.due_in_ms;
    if (wait_ms === null || this.#stop_waiting !== null) return;
    this.#stop_waiting = this.#deps.ticker(wait_ms, () => {
      this.#stop_waiting?.();
      this.#stop_waiting = null;
      this.#read_when_due();
    });
  }

  /** Lets the slow lane read what is due in it, once the log's position is known. */
  #work(): void {
    if (this.#reader.last === null) return;
    const { log_id, position, newest_event_ms } = this.#reader.last;
    this.#lane.watch(this.#watched(this.#deps.clock.now_ms()));
    this.#lane.work(position, newest_event_ms, log_id).then((changed) => {
      if (this.#stop_ticking !== null && changed) this.#serve_all();
    });
  }

  #health(now_ms: number): Health {
    const health = this.#deps.health();
    return { ...health, database: this.#reader.judge(health.database, now_ms) };
  }

  #leave(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    const of_address = (this.#by_address.get(subscriber.connection.address) ?? 1) - 1;
    if (of_address > 0) this.#by_address.set(subscriber.connection.address, of_address);
    else this.#by_address.delete(subscriber.connection.address);
    const same_view = this.#by_view.get(subscriber.key);
    if (same_view !== undefined && --same_view.count === 0) this.#by_view.delete(subscriber.key);
    if (this.#subscribers.size > 0) return;
    this.#stop_ticking?.();
    this.#stop_waiting?.();
    this.#stop_turns?.();
    this.#stop_ticking = this.#stop_waiting = this.#stop_turns = null;
    this.#under_way.length = 0;
    this.#serving_waits = false;
    this.#lane.watch(new Map());
  }
}

/** Who has seen nothing gets a hello; who names an id that is none of ours is reset first. */
function greeting_of(last_event_id: string | null): Greeting {
  if (last_event_id === null || last_event_id === "") return { kind: "hello", reset: null };
  const from = parse_event_id(last_event_id);
  return from === null ? { kind: "hello", reset: "unknown_event_id" } : { kind: "resume", from };
}
