import { gap_advice } from "../../event_log/mod.ts";
import { type Clock, type Level, Paced, told_trouble, WakeUp } from "../../runtime/mod.ts";
import { type Amount, MessageBuffer } from "../message_buffer.ts";
import {
  type Cursor,
  type CursorBook,
  least_worth,
  type MessageSource,
  type SourceBatch,
  type SourceGap,
  type SourceRemark,
  type SourceState,
  type UndatedState,
  type Worth,
} from "../message_source.ts";
import { default_settings, type KafkaOptions, type KafkaSettings } from "./kafka_options.ts";
import { is_preparing } from "./kafka_trouble.ts";
import { KafkaSession, type SessionEnd } from "./kafka_session.ts";
import { gap_reason, PartitionWatch } from "./partition_watch.ts";

/**
 * Reads topics as a member of a consumer group.
 *
 * The source is a chain of sessions: starting → running ⇄ waiting, until closed; a gap stops it until `rewind` (the book
 * has moved past the gap by then), a final failure (credentials, rights, a batch that two consumers in a
 * row found damaged) for good, or until it is tried again where the settings say so. What was buffered before a gap or an outage is still handed out. Broker trouble is waited
 * out for ever, with capped and jittered backoff.
 */
export class KafkaSource implements MessageSource {
  readonly #options: KafkaOptions;
  readonly #settings: KafkaSettings;
  readonly #buffer: MessageBuffer;
  readonly #watch = new PartitionWatch();
  readonly #changed = new WakeUp();
  readonly #resumed = new WakeUp();
  readonly #closing = new AbortController();
  readonly #cluster = Promise.withResolvers<string>();
  #cluster_id: string | null = null;
  /** The cluster whose messages may be on their way to the log; null when none are. */
  #expected: string | null = null;
  #book: CursorBook | null = null;
  #session: KafkaSession | null = null;
  #lives: Promise<void> | null = null;
  #state: SourceState;
  /** When it began, until it runs for the first time. */
  #begun_ms: number | null;
  #told_preparing = false;
  /** What the last session could not read, when that was its end. */
  #unreadable: string | null = null;

  /** @param settings what differs from the production settings */
  constructor(options: KafkaOptions, clock: Clock, settings: Partial<KafkaSettings> = {}) {
    this.#options = options;
    this.#settings = { ...default_settings(clock), ...settings };
    this.#buffer = new MessageBuffer(this.#settings.bound);
    this.#state = { state: "starting", since_ms: clock.now_ms(), reason: null };
    this.#begun_ms = this.#state.since_ms;
    // Nobody need wait for the id: an early close or failure must not count as unhandled.
    this.#cluster.promise.catch(() => {});
  }

  /** Throws before `open` resolved. */
  get cluster_id(): string {
    if (this.#cluster_id === null) throw new Error("cannot tell the Kafka cluster's id: the source is not open yet");
    return this.#cluster_id;
  }

  /**
   * Waits for the brokers as long as it takes. The signal ends this waiting alone; an open source ends by `close`.
   * @throws when the brokers refuse for good and are not asked again, and the signal's reason when it is aborted or the source is closed first
   */
  async open(book: CursorBook, signal: AbortSignal): Promise<void> {
    if (this.#book !== null) throw new Error("cannot open the Kafka source: it is open already");
    this.#book = book;
    const stop = () => this.#closing.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#lives = this.#live(book);
    await this.#cluster.promise.finally(() => signal.removeEventListener("abort", stop));
  }

  async take(limit: Amount, signal: AbortSignal, worth?: Worth): Promise<SourceBatch[]> {
    const least = least_worth(worth, () => this.#changed.ring());
    for (;;) {
      if (signal.aborted || this.#closing.signal.aborted) return [];
      const batches = this.#buffer.held.messages < least.messages ? [] : this.#buffer.take(limit);
      if (batches.length > 0) {
        this.#changed.ring();
        return batches;
      }
      await this.#changed.next(signal);
    }
  }

  committed(cursors: readonly Cursor[]): void {
    this.#session?.committed(cursors);
  }

  /** Also resumes after a gap, once the book has moved past it. */
  rewind(): void {
    this.#buffer.clear();
    this.#session?.rewind();
    if (this.#state.state === "gap") {
      this.#expected = null;
      this.#become({ state: "starting", reason: null });
    }
    this.#resumed.ring();
    this.#changed.ring();
  }

  state(): SourceState {
    return this.#state;
  }

  remarks(): readonly SourceRemark[] {
    return this.#state.state === "running" ? this.#watch.remarks() : [];
  }

  lag(): number | null {
    return this.#book === null ? null : this.#watch.lag(this.#book);
  }

  /** Resolves when everything is closed: about `max_wait_ms`, at most a few seconds when the brokers do not answer. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the Kafka source was closed"));
    this.#changed.ring();
    await this.#lives;
    this.#become({ state: "closed", reason: null });
  }

  async #live(book: CursorBook): Promise<void> {
    const { signal } = this.#closing;
    const { clock, retry_first_ms, retry_cap_ms } = this.#settings;
    const new_pace = () =>
      new Paced({ clock, random: Math.random }, { first_ms: retry_first_ms, cap_ms: retry_cap_ms });
    // What brokers make ready at first is no failure: trouble that comes after it is counted from its own beginning.
    const failures = new_pace(), preparations = new_pace();
    const { refused } = this.#settings;
    const refusals = refused === null ? null : new Paced({ clock, random: Math.random }, refused);
    while (!signal.aborted) {
      const session = this.#session = this.#new_session(book);
      const ended = await session.live(signal);
      this.#session = null;
      if (session.settled) {
        failures.succeeded();
        refusals?.succeeded();
      }
      await this.#pause_after(ended, this.#prepares(ended) ? preparations : failures, refusals);
    }
    this.#changed.ring();
    this.#cluster.reject(signal.reason);
  }

  #new_session(book: CursorBook): KafkaSession {
    return new KafkaSession({
      options: this.#options,
      settings: this.#settings,
      book,
      buffer: this.#buffer,
      watch: this.#watch,
      changed: this.#changed,
      on_cluster: (cluster_id) => this.#meet_cluster(cluster_id, book),
      on_running: () => this.#become({ state: "running", reason: null }),
      on_waiting: (reason) => this.#become({ state: "waiting", reason }),
      on_end: (ended) => this.#tell(ended),
    });
  }

  #tell(ended: SessionEnd): void {
    switch (ended.end) {
      case "stopped":
        return;
      case "lost": {
        // Two consumers in a row asked for it, several times each, over connections of their own.
        const again = ended.unreadable && ended.reason === this.#unreadable && this.#session?.settled === false;
        this.#unreadable = ended.unreadable ? ended.reason : null;
        if (again) return this.#fail(ended);
        return this.#become({ state: "waiting", reason: ended.reason }, this.#prepares(ended) ? "debug" : "warn");
      }
      case "gap":
        return this.#become({
          state: "gap",
          reason: gap_reason(ended.gap),
          advice: gap_advice(ended.gap),
          gap: ended.gap,
        });
      case "failed":
        return this.#fail(ended);
    }
  }

  #fail({ reason, cause }: { readonly reason: string; readonly cause: unknown }): void {
    if (this.#settings.refused !== null) {
      return this.#become({ state: "failed", reason, again: true });
    }
    const brokers = this.#options.brokers.join(",");
    this.#cluster.reject(new Error(`cannot read Kafka at "${brokers}": ${reason}`, { cause }));
    this.#become({ state: "failed", reason });
  }

  /**
   * Waits for what lets the next session begin.
   * @param pace after trouble that passes
   * @param refusals after a final failure; null: nothing does
   */
  async #pause_after(ended: SessionEnd, pace: Paced, refusals: Paced | null): Promise<void> {
    const { signal } = this.#closing;
    if (this.#state.state === "failed" && refusals !== null) {
      const { reason, since_ms } = this.#state;
      const trouble = { ...refusals.failed(reason), since_ms };
      this.#options.log("warn", "Kafka refuses; waiting", told_trouble(trouble));
      return await refusals.pause(signal).catch(() => {});
    }
    if (ended.end === "lost") {
      const trouble = { ...pace.failed(ended.reason), since_ms: this.#state.since_ms };
      if (this.#prepares(ended)) {
        const { topics, group } = this.#options;
        const first = this.#told_preparing ? "debug" : "info";
        this.#told_preparing = true;
        this.#options.log(first, "Kafka makes the topic or the consumer group ready; it begins then", {
          topics: topics.join(","),
          group,
          says: ended.reason,
        });
      } else this.#options.log("warn", "Kafka is in trouble; waiting", told_trouble(trouble));
      await pace.pause(signal).catch(() => {});
    }
    while (!signal.aborted && (this.#state.state === "gap" || this.#state.state === "failed")) {
      await this.#resumed.next(signal);
    }
  }

  /** Whether a session was lost to brokers that make ready what is new to them: no trouble, unless it lasts. */
  #prepares(ended: SessionEnd): boolean {
    const begins = this.#begun_ms !== null && this.#settings.clock.now_ms() - this.#begun_ms < PREPARING_MS;
    return begins && ended.end === "lost" && is_preparing(ended.cause);
  }

  /** Another cluster than the cursors', or than the one whose messages may be on their way, is a gap. */
  #meet_cluster(found: string, book: CursorBook): SourceGap | null {
    const { topics } = this.#options;
    const foreign = book.foreign(topics, found);
    const expected = foreign?.cluster_id ?? this.#expected ?? found;
    this.#cluster_id ??= found;
    this.#cluster.resolve(found);
    if (expected === found) {
      this.#cluster_id = this.#expected = found;
      return null;
    }
    const { topic, partition, next_offset: cursor } = foreign ?? { topic: topics[0]!, partition: 0, next_offset: 0 };
    return { kind: "other_cluster", topic, partition, cursor, expected, found };
  }

  #become(next: UndatedState, level = LEVELS[next.state]): void {
    const before = this.#state;
    if (next.state === "running") this.#begun_ms = null;
    const same = before.state === next.state;
    if (before.state === "closed" || (same && before.reason === next.reason)) return;
    // The reason may change while it waits; how long it has been waiting counts on.
    this.#state = { ...next, since_ms: same ? before.since_ms : this.#settings.clock.now_ms() };
    if (!same) {
      const since = new Date(this.#state.since_ms).toISOString();
      const { state, ...told } = next;
      this.#options.log(level, `Kafka source ${state}`, { since, ...told });
    }
    this.#settings.on_state(this.#state);
  }
}

/** How long brokers may take to make ready what is new to them. */
const PREPARING_MS = 30_000;

const LEVELS: Readonly<Record<SourceState["state"], Level>> = {
  starting: "debug",
  running: "info",
  closed: "debug",
  waiting: "warn",
  gap: "error",
  failed: "error",
};
