import { declaration_of, type DomainBoard } from "../../domains/mod.ts";
import { counts_all, type Reading, type ShownBoard, type View } from "../figures/mod.ts";
import {
  type Coverage,
  type FeedSettings,
  type FrameSettings,
  type Health,
  heartbeat_frame,
  hello_frame,
  kpi_frame,
  lines_frame,
  type LogPosition,
  position_of,
  reset_frame,
  type Shown,
} from "./frame.ts";

/**
 * Bytes that may wait in a subscriber's stream before it counts as stalled. The kernel takes about 4 MB before any wait here.
 */
export const WAITING_BYTES = 65_536;

/** What a subscriber's connection is bound to. */
interface Connection {
  /** Whom it counts for. */
  readonly address: string;
  /** When it is ended so that none lives for ever. */
  readonly rotate_at_ms: number;
  readonly waiting_bytes: number;
}

/** What a subscriber still has to be told before it follows: everything, or what it missed since a position. */
export type Greeting =
  | { readonly kind: "hello"; readonly reset: string | null }
  | { readonly kind: "resume"; readonly from: LogPosition };

/**
 * One open stream and what its reader has. Nothing is queued for a reader that does not drain: whoever sends asks `drained`
 * first and leaves it out otherwise, so that its next frame is the latest state since its own coverage.
 */
export class Subscriber {
  readonly stream: ReadableStream<Uint8Array>;
  /** Null once it was greeted. */
  greeting: Greeting | null;
  /** What it has, once it was greeted. */
  coverage: Coverage | null = null;
  /** The log its coverage belongs to. */
  log_id = "";
  lines_position = 0;
  /** Since when it does not drain; null while it does. */
  stalled_since_ms: number | null = null;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  /**
   * @param left called once when the reader is gone or the stream was ended
   */
  constructor(
    readonly view: View,
    readonly key: string,
    greeting: Greeting,
    readonly connection: Connection,
    readonly left: (subscriber: Subscriber) => void,
  ) {
    this.greeting = greeting;
    // A default stream: a byte stream would detach the buffer, and these bytes are shared by all subscribers of a view.
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => this.#forget(),
    }, new ByteLengthQueuingStrategy({ highWaterMark: connection.waiting_bytes }));
  }

  /** Whether its reader takes what it is given. */
  get drained(): boolean {
    return this.#controller !== null && (this.#controller.desiredSize ?? 0) > 0;
  }

  /** Sends bytes; gives false when the stream has ended. Enqueueing after an end throws, so it is never tried. */
  send(bytes: Uint8Array): boolean {
    if (this.#controller === null || this.#controller.desiredSize === null) {
      this.#forget();
      return false;
    }
    this.#controller.enqueue(bytes);
    return true;
  }

  /** Ends the stream after last bytes. A reader that does not drain is cut instead: its end would never arrive. */
  end(bytes: Uint8Array): void {
    if (!this.drained) return this.cut("the reader does not drain");
    this.send(bytes);
    this.#controller?.close();
    this.#forget();
  }

  /** Breaks the connection and drops what waits in it. */
  cut(reason: string): void {
    const error = new Error(`send the feed to ${this.connection.address}: ${reason}`);
    // Deno's server writes a broken stream's error to stderr: one line, not a stack of where it was noticed.
    error.stack = error.message;
    this.#controller?.error(error);
    this.#forget();
  }

  #forget(): void {
    if (this.#controller === null) return;
    this.#controller = null;
    this.left(this);
  }
}

/** What was sent since the start. `encodes` are distinct frames; `frames` are deliveries; `skipped` were left out as stalled. */
interface FeedCounts {
  readonly frames: number;
  readonly encodes: number;
  readonly skipped: number;
}

/** Work that lets the rest of the program have its turn at each step. */
export type Turns = Generator<void, void, void>;

/**
 * Frames that are sent in one turn. A frame takes some 10 µs, with what the runtime does for it: thousands at once would keep ingest and requests
 * waiting for a tenth of a second, four times a second.
 */
const FRAMES_A_TURN = 400;

/** Between clocks of the machine that recorded an event and of this one. */
const CLOCK_SLACK_S = 60;

/**
 * Decides what each subscriber lacks of a reading, encodes each distinct frame once and hands the same bytes to all who
 * need it.
 */
export class Broadcast {
  readonly #encoder = new TextEncoder();
  readonly #settings: FrameSettings;
  /** Frames already encoded for this reading and this beat. */
  #encoded = new Map<string, Uint8Array>();
  #encoded_for: { readonly reading: Reading; readonly now_ms: number } | null = null;
  #lines_second = -1;
  #lines_sent = 0;
  #frames = 0;
  #encodes = 0;
  #skipped = 0;

  constructor(board: DomainBoard, settings: FeedSettings) {
    this.#settings = { ...settings, board, declared: declaration_of(board, settings.base) };
  }

  counts(): FeedCounts {
    return { frames: this.#frames, encodes: this.#encodes, skipped: this.#skipped };
  }

  /** Sends every subscriber what it lacks, in turns. Lines go out in one call of a second only. */
  *serve_all(subscribers: ReadonlySet<Subscriber>, shown: Shown): Turns {
    const second = Math.floor(shown.now_ms / 1000);
    const lines_due = second !== this.#lines_second;
    const sent_before = this.#lines_sent;
    yield* this.#in_turns(subscribers, (subscriber) => this.#serve(subscriber, shown, lines_due));
    if (this.#lines_sent > sent_before) this.#lines_second = second;
  }

  /** Goes through subscribers, those that come or leave meanwhile too, and gives the turn back after so many frames. */
  *#in_turns(subscribers: ReadonlySet<Subscriber>, work: (subscriber: Subscriber) => void): Turns {
    let turn_ends_at = this.#frames + FRAMES_A_TURN;
    for (const subscriber of subscribers) {
      work(subscriber);
      if (this.#frames < turn_ends_at) continue;
      yield;
      turn_ends_at = this.#frames + FRAMES_A_TURN;
    }
  }

  /** Sends one subscriber what it lacks, without lines unless it is greeted. */
  serve(subscriber: Subscriber, shown: Shown): void {
    this.#serve(subscriber, shown, false);
  }

  /** Sends a heartbeat to those who drain, in turns. */
  *heartbeat(subscribers: ReadonlySet<Subscriber>, position: number, health: Health, now_ms: number): Turns {
    let bytes: Uint8Array | null = null;
    const text = () => heartbeat_frame(this.#settings.build, now_ms, position, health);
    yield* this.#in_turns(subscribers, (subscriber) => {
      if (subscriber.drained) this.#send(subscriber, bytes ??= this.#encode(text()));
      else this.#skipped++;
    });
  }

  #serve(subscriber: Subscriber, shown: Shown, lines_due: boolean): void {
    const { reading, now_ms } = shown;
    const board = shown.boards.get(subscriber.key);
    if (board === undefined) return;
    if (!subscriber.drained) {
      this.#skipped++;
      return;
    }
    if (this.#encoded_for?.reading !== reading || this.#encoded_for.now_ms !== now_ms) {
      this.#encoded_for = { reading, now_ms };
      this.#encoded = new Map();
    }
    const { greeting } = subscriber;
    // What is computed from states remembers changes only as long as it is watched: who resumes there begins anew.
    if (
      greeting?.kind === "resume" && greeting.from.log_id === reading.log_id && board.sources.cards === "cells" &&
      !of_other_buckets(greeting, board)
    ) {
      const since = resumed_coverage(greeting.from, reading, board);
      if (since === "unread") return;
      if (since !== null) return this.#follow(subscriber, shown, board, since, { after: -1, due: true });
    }
    const coverage = subscriber.coverage;
    const known = greeting === null && coverage !== null && subscriber.log_id === reading.log_id &&
      coverage.position <= board.position && coverage.step_s === board.window.step_s;
    if (!known) return this.#hello(subscriber, shown, board);
    this.#follow(subscriber, shown, board, coverage, { after: subscriber.lines_position, due: lines_due });
  }

  #hello(subscriber: Subscriber, shown: Shown, board: ShownBoard): void {
    const { greeting, key } = subscriber, { reading } = shown;
    const reason = greeting?.kind === "hello" ? greeting.reset : greeting?.from.log_id === reading.log_id &&
        (board.sources.cards === "states" || of_other_buckets(greeting, board))
      ? null
      : "another_log";
    if (reason !== null) this.#send(subscriber, this.#once(`reset ${reason}`, () => reset_frame(reason)));
    const text = () => hello_frame(shown, board, this.#settings);
    this.#send(subscriber, this.#once(`hello ${key} ${board.version}`, text));
    settle(subscriber, reading, board);
    subscriber.lines_position = board.lines_at;
  }

  /** Sends what changed since a coverage, and the lines that changed after a position when they are due. */
  #follow(
    subscriber: Subscriber,
    shown: Shown,
    board: ShownBoard,
    since: Coverage,
    lines: { readonly after: number; readonly due: boolean },
  ): void {
    const { reading } = shown;
    const { from_s, to_s } = board.window;
    const moved = since.position < board.position || since.from_s !== from_s || since.to_s !== to_s ||
      since.version !== board.version;
    if (moved || subscriber.greeting !== null) {
      const { position, from_s, to_s, known, compared_version, lines_version } = since;
      const name =
        `kpi ${subscriber.key} ${board.version} ${position} ${from_s} ${to_s} ${known} ${compared_version} ${lines_version}`;
      this.#send(subscriber, this.#once(name, () => kpi_frame(shown, board, since, this.#settings)));
      settle(subscriber, reading, board);
    }
    if (!lines.due) return;
    const name = counts_all(board.view)
      ? `lines ${lines.after}`
      : `lines ${subscriber.key} ${board.lines_at} ${lines.after}`;
    const text = this.#once(name, () => lines_frame(board, this.#settings.board.lines, lines.after) ?? "");
    if (text.length > 0) {
      this.#send(subscriber, text);
      this.#lines_sent++;
    }
    subscriber.lines_position = board.lines_at;
  }

  #once(name: string, text: () => string): Uint8Array {
    const known = this.#encoded.get(name);
    if (known !== undefined) return known;
    const bytes = this.#encode(text());
    this.#encoded.set(name, bytes);
    return bytes;
  }

  #encode(text: string): Uint8Array {
    if (text !== "") this.#encodes++;
    return this.#encoder.encode(text);
  }

  #send(subscriber: Subscriber, bytes: Uint8Array): void {
    if (subscriber.send(bytes)) this.#frames++;
  }
}

/** Whether who resumes has buckets of another width than the board's: what changed since would not stand beside them. */
const of_other_buckets = (greeting: Greeting | null, board: ShownBoard): boolean =>
  greeting?.kind === "resume" && greeting.from.wider !== position_of(board).wider;

/** Notes that a subscriber now has the whole board of a reading. */
function settle(subscriber: Subscriber, reading: Reading, board: ShownBoard): void {
  const { position, known, window: { from_s, to_s, step_s }, version, compared_version, lines_version } = board;
  subscriber.greeting = null;
  subscriber.log_id = reading.log_id;
  subscriber.coverage = { position, from_s, to_s, step_s, known, version, compared_version, lines_version };
}

/**
 * What a subscriber has that was last sent a position: the buckets up to the time at which that position was recorded.
 * Later ones it may never have seen, though nothing changed them since: event times may lie ahead of the clock.
 * Null when it cannot have been sent that position; `unread` when this reading was not asked about it.
 */
function resumed_coverage(from: LogPosition, reading: Reading, board: ShownBoard): Coverage | null | "unread" {
  if (from.position > reading.position) return null;
  const { window } = board;
  // Versions are told by nothing that it has seen: below any.
  const versions = { step_s: window.step_s, known: true, version: -1, compared_version: -1, lines_version: "" };
  if (from.position === 0) return { position: 0, from_s: window.from_s, to_s: window.from_s, ...versions };
  const recorded_ms = reading.recorded_ms.get(from.position);
  if (recorded_ms === undefined) return "unread";
  const to_s = Math.floor((recorded_ms / 1000 - CLOCK_SLACK_S) / window.step_s) * window.step_s;
  return { position: from.position, from_s: window.from_s, to_s, ...versions };
}
