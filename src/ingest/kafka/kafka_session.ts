import {
  type Cursor,
  type CursorBook,
  partition_name,
  type SourceGap,
  type TopicPartition,
} from "../message_source.ts";
import type { MessageBuffer } from "../message_buffer.ts";
import type { WakeUp } from "../../runtime/mod.ts";
import { kafka_admin, type KafkaAdmin } from "./kafka_admin.ts";
import { type Admin, type Consumer, KafkaClient } from "./kafka_client.ts";
import { KafkaDelivery } from "./kafka_delivery.ts";
import type { KafkaOptions, KafkaSettings } from "./kafka_options.ts";
import { failure_of, LifeSigns } from "./kafka_trouble.ts";
import type { PartitionWatch } from "./partition_watch.ts";

/** How a life of the consumer ended. */
export type SessionEnd =
  | { readonly end: "stopped" }
  | { readonly end: "lost"; readonly reason: string; readonly cause: unknown; readonly unreadable: boolean }
  | { readonly end: "failed"; readonly reason: string; readonly cause: unknown }
  | { readonly end: "gap"; readonly gap: SourceGap };

/** What outlives a session. */
interface SessionParts {
  readonly options: KafkaOptions;
  readonly settings: KafkaSettings;
  readonly book: CursorBook;
  readonly buffer: MessageBuffer;
  readonly watch: PartitionWatch;
  readonly changed: WakeUp;
  /** Told the cluster's id at every connecting, join and rewind; a gap returned ends the life. */
  readonly on_cluster: (cluster_id: string) => SourceGap | null;
  readonly on_running: () => void;
  readonly on_waiting: (reason: string) => void;
  /** Told at once what ends the session; closing takes its time after it. */
  readonly on_end: (end: SessionEnd) => void;
}

/** Brokers say nothing to whom they do not understand: it looks like an outage that lasts. */
const HANDSHAKE_HINT = "they take connections and end them; if that lasts, see TACHO_KAFKA_TLS and TACHO_KAFKA_SASL";

/**
 * One life of the Kafka consumer, from connecting to the end of its last socket. kafkajs may crash, stall or restart; the
 * session watches it and ends, and the source begins another one.
 */
export class KafkaSession {
  readonly #parts: SessionParts;
  readonly #client: KafkaClient;
  readonly #consumer: Consumer;
  readonly #admin_client: Admin;
  readonly #admin: KafkaAdmin;
  readonly #committer: KafkaCommitter;
  readonly #delivery: KafkaDelivery;
  readonly #signs: LifeSigns;
  readonly #life = new AbortController();
  readonly #over = Promise.withResolvers<SessionEnd>();
  #cluster_id: string | null = null;
  /** Whether the brokers let us in: behind TLS and login. */
  #served = false;
  #consuming = false;
  #quiet = false;
  #opened_ms: number | null = null;

  constructor(parts: SessionParts) {
    const { options, settings, book, buffer, watch, changed } = parts;
    this.#parts = parts;
    this.#signs = new LifeSigns(settings.clock);
    this.#client = new KafkaClient(options);
    this.#consumer = this.#client.consumer(options.group, settings);
    this.#admin_client = this.#client.admin();
    this.#admin = kafka_admin(this.#admin_client, () => this.#admin_client.disconnect());
    this.#committer = new KafkaCommitter(
      (offsets) => this.#consumer.commitOffsets(offsets),
      (error) => options.log("debug", "offsets not committed to the group", { reason: failure_of(error).reason }),
    );
    this.#delivery = new KafkaDelivery({
      book,
      buffer,
      watch,
      changed,
      admin: { watermarks: (topics) => this.#signs.ask(() => this.#admin.watermarks(topics)) },
      topics: options.topics,
      clock: settings.clock,
      slice: settings.slice,
      most_record_bytes: settings.most_record_bytes,
      ended: this.#life.signal,
      seek: (topic, partition, offset) => this.#consumer.seek({ topic, partition, offset: String(offset) }),
      on_open: () => {
        this.#opened_ms ??= settings.clock.now_ms();
        parts.on_running();
      },
      on_waiting: (reason) => this.#wait_for_life(reason),
      on_gap: (gap) => this.#end({ end: "gap", gap }),
      other_cluster: () => this.#other_cluster(),
      begin: async (ends) => await book.begin?.(ends, this.#cluster_id!),
      on_broken: (error) => this.#end_with(error),
    });
  }

  /** Whether this life delivered for so long that what ended it is no sequel to what ended the one before. */
  get settled(): boolean {
    const { clock, stall_ms } = this.#parts.settings;
    return this.#opened_ms !== null && clock.now_ms() - this.#opened_ms > stall_ms;
  }

  /** Lives until something ends it; resolves when everything it opened is closed. Never rejects. */
  async live(signal: AbortSignal): Promise<SessionEnd> {
    const stop = () => this.#end({ end: "stopped" });
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const started = this.#start().catch((error) => this.#end_with(error));
    const end = await this.#over.promise;
    signal.removeEventListener("abort", stop);
    await this.#close(started);
    return end;
  }

  /** Begins again from the book. */
  rewind(): void {
    if (this.#life.signal.aborted) return;
    const gap = this.#cluster_id === null ? null : this.#parts.on_cluster(this.#cluster_id);
    if (gap === null) this.#delivery.rewind();
    else this.#end({ end: "gap", gap });
  }

  /** Passes durable cursors on to the group. */
  committed(cursors: readonly Cursor[]): void {
    if (!this.#life.signal.aborted) this.#committer.committed(cursors, this.#parts.watch.assigned());
  }

  async #start(): Promise<void> {
    const { options, watch } = this.#parts;
    this.#listen();
    this.#watch_over();
    await this.#admin_client.connect();
    const gap = await this.#other_cluster();
    this.#served = true;
    if (gap !== null) return this.#end({ end: "gap", gap });
    await this.#provide_topics();
    watch.saw(await this.#admin.watermarks(options.topics));
    if (this.#life.signal.aborted) return;
    this.#consuming = true;
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [...options.topics], fromBeginning: true });
    if (this.#life.signal.aborted) return;
    this.#look_now_and_then();
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      // Handlers only hand over; several of them may wait for the same room.
      partitionsConsumedConcurrently: 4,
      eachBatch: (payload) => this.#delivery.each_batch(payload),
    });
  }

  async #other_cluster(): Promise<SourceGap | null> {
    this.#cluster_id = await this.#admin.cluster_id();
    return this.#parts.on_cluster(this.#cluster_id);
  }

  async #provide_topics(): Promise<void> {
    const { topics, create_topic, partitions, replication, log } = this.#parts.options;
    const absent = await this.#admin.absent(topics);
    for (const topic of absent) {
      if (!create_topic) throw new Error(`topic "${topic}" does not exist`);
      if (await this.#admin.ensure_topic(topic, { partitions, replication })) {
        log("info", "topic created", { topic, partitions, replication });
      }
    }
  }

  /** kafkajs calls listeners synchronously and awaits none. */
  #listen(): void {
    const { events } = this.#consumer;
    this.#admin_client.on(this.#admin_client.events.REQUEST, ({ payload }) => {
      // Later on its looks at the logs' ends would hide that the consumer hears nothing.
      if (!this.#consuming) this.#signs.answered(payload.apiName);
    });
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      this.#signs.joined();
      const partitions = Object.entries(payload.memberAssignment).flatMap(([topic, numbers]) =>
        numbers.map((partition) => ({ topic, partition }))
      );
      if (!this.#life.signal.aborted) this.#delivery.joined(partitions);
    });
    this.#consumer.on(events.REQUEST, ({ payload }) => this.#signs.answered(payload.apiName));
    this.#consumer.on(events.FETCH_START, ({ payload }) => this.#signs.fetch_began(String(payload.nodeId)));
    this.#consumer.on(events.FETCH, ({ payload }) => this.#signs.fetched(String(payload.nodeId)));
    this.#consumer.on(events.CRASH, ({ payload }) => this.#end_with(payload.error));
  }

  /** The next look that finds no silence says that it runs again. */
  #wait_for_life(reason: string): void {
    this.#quiet = true;
    this.#parts.on_waiting(reason);
  }

  /** Watches for silence, from the first connection on. */
  #watch_over(): void {
    const { quiet_ms, stall_ms } = this.#parts.settings;
    const watching = setInterval(() => {
      const { ms, what } = this.#signs.silence();
      const told = `${what} for ${Math.round(ms / 1000)} s`;
      if (ms > stall_ms) this.#end_with(new Error(`the consumer stood still: ${told}`));
      else if (ms > quiet_ms) this.#wait_for_life(this.#hinted(told));
      else if (this.#quiet && this.#delivery.is_open) {
        this.#quiet = false;
        this.#parts.on_running();
      }
    }, Math.min(1_000, quiet_ms / 4));
    this.#life.signal.addEventListener("abort", () => clearInterval(watching), { once: true });
  }

  /** Looks at the logs' ends now and then, for lag and for gaps while nothing is fetched. */
  #look_now_and_then(): void {
    const { watch_ms } = this.#parts.settings;
    let look: ReturnType<typeof setTimeout>;
    const look_later = (ms: number) => {
      look = setTimeout(async () => {
        // A look that fails is no news: the silence says it, or the next fetch.
        const again_soon = await this.#delivery.look().catch(() => false);
        await this.#look_for_others().catch(() => {});
        if (!this.#life.signal.aborted) look_later(again_soon ? Math.min(500, watch_ms) : watch_ms);
      }, ms);
    };
    look_later(watch_ms);
    this.#life.signal.addEventListener("abort", () => clearTimeout(look), { once: true });
  }

  /** Looks who reads what is not assigned to us. */
  async #look_for_others(): Promise<void> {
    const { watch, options: { group, topics, client_id } } = this.#parts;
    const members = watch.reads_part ? await this.#signs.ask(() => this.#admin.members(group)) : [];
    const foreign = members.filter((member) => member.client_id !== client_id).map((member) => ({
      ...member,
      partitions: member.partitions.filter(({ topic }) => topics.includes(topic)),
    }));
    watch.saw_others(foreign.filter(({ partitions }) => partitions.length > 0));
  }

  #end_with(error: unknown): void {
    const { final, unreadable, reason: told } = failure_of(error, !this.#served);
    const reason = this.#hinted(told);
    this.#end(final ? { end: "failed", reason, cause: error } : { end: "lost", reason, cause: error, unreadable });
  }

  #hinted(reason: string): string {
    return !this.#served && this.#client.reached ? `${reason} (${HANDSHAKE_HINT})` : reason;
  }

  /** The first end counts. */
  #end(end: SessionEnd): void {
    if (this.#life.signal.aborted) return;
    this.#life.abort();
    this.#parts.on_end(end);
    this.#over.resolve(end);
    this.#parts.changed.ring();
  }

  /** Leaves the group politely while there is time, then cuts the sockets and waits for what that unwinds. */
  async #close(started: Promise<void>): Promise<void> {
    const { close_ms } = this.#parts.settings;
    const goodbye = (async () => {
      await within(close_ms / 4, this.#committer.settled());
      // Leaving in the middle of a join would leave a consumer behind that joins after it left.
      await started;
      await Promise.allSettled([this.#consumer.disconnect(), this.#admin_client.disconnect()]);
    })();
    await within(close_ms, goodbye);
    this.#client.cut();
    await within(close_ms / 4, goodbye);
  }
}

/** Waits for the promise, at most so long. */
async function within(most_ms: number, promise: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout>;
  const over = new Promise<void>((resolve) => timer = setTimeout(resolve, most_ms));
  await Promise.race([promise, over]).finally(() => clearTimeout(timer));
}

/** Writes offsets to the group. */
type CommitOffsets = (
  offsets: { readonly topic: string; readonly partition: number; readonly offset: string }[],
) => Promise<void>;

/**
 * Tells the broker's group which cursors are durable, for lag tools alone: nothing reads them back. One request at a time,
 * the newest cursor of each partition; what the broker refuses is replaced by the next one.
 */
class KafkaCommitter {
  readonly #commit: CommitOffsets;
  readonly #on_refused: (error: unknown) => void;
  #pending = new Map<string, Cursor>();
  #running: Promise<void> | null = null;

  /** @param on_refused told what a request failed with */
  constructor(commit: CommitOffsets, on_refused: (error: unknown) => void) {
    this.#commit = commit;
    this.#on_refused = on_refused;
  }

  /** Notes cursors, and sends them when no request is under way. Cursors of partitions that are not assigned are left out. */
  committed(cursors: readonly Cursor[], assigned: readonly TopicPartition[]): void {
    const ours = new Set(assigned.map(partition_name));
    for (const cursor of cursors) {
      const key = partition_name(cursor);
      if (ours.has(key)) this.#pending.set(key, cursor);
    }
    this.#running ??= this.#send_all().finally(() => this.#running = null);
  }

  /** Resolves when nothing is under way. Never rejects. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #send_all(): Promise<void> {
    while (this.#pending.size > 0) {
      const cursors = [...this.#pending.values()];
      this.#pending = new Map();
      const offsets = cursors.map(({ topic, partition, next_offset }) => ({
        topic,
        partition,
        offset: String(next_offset),
      }));
      await this.#commit(offsets).catch(this.#on_refused);
    }
  }
}
