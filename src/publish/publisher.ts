import type { Database } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import { read_head } from "../event_log/mod.ts";
import type { Days } from "../kpi/mod.ts";
import { LogFold, RefusedEvent } from "../projection/mod.ts";
import {
  Paced,
  type Runtime,
  told_trouble,
  type Trouble,
  turns_every,
  unless_aborted,
  type WakeUp,
} from "../runtime/mod.ts";
import {
  type MessageTerms,
  type Publication,
  type PublishedMessage,
  stream_messages,
  window_messages,
} from "./messages.ts";
import {
  begin_run,
  changed_windows,
  derive,
  gather,
  type Gathered,
  leave_lease,
  note_sent,
  type Published,
  read_published,
  take_lease,
} from "./outbox.ts";

/** Writes to topics, in the order given, and so that nobody who was replaced writes any more. */
export interface TopicWriter {
  /** Resolves when all of them are acknowledged. */
  write(messages: readonly PublishedMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** What is published, from where, and to whom. */
interface PublisherSource {
  /** Of its own: nothing else waits for its connections. */
  readonly database: Database;
  readonly domain: Domain;
  readonly days: Days;
  readonly log_id: string;
  readonly publication: Publication;
  /** Makes the topics where they are absent, and takes over from who wrote before. */
  readonly open_writer: () => Promise<TopicWriter>;
  /** Rings when this program has appended something; what others append is looked for. */
  readonly appended: WakeUp;
  /** By what this program is known, and no other. */
  readonly holder: string;
  /** Another program takes over after so long without a sign of life. */
  readonly lease_s: number;
}

/** How publishing stands. */
export interface PublishingState {
  /** Events that are in the log and not yet in the topics; null while unknown. */
  readonly lag: number | null;
  /** Messages that were acknowledged, whichever program sent them. */
  readonly messages: number;
  /** Whether this is the program that publishes. */
  readonly holds: boolean;
  /** What keeps it from publishing. */
  readonly trouble: Trouble | null;
  /** Why it has ended for good; null while it goes on. */
  readonly ended: string | null;
}

/** Events that are taken in at a time: what a kill makes be sent again, and what others of this program wait for. */
const TURN_EVENTS = 1_000;
/** Messages that are written at a time. */
const PIECE_MESSAGES = 2_000;
const LOOK_MS = 1_000;
/** Work of the one thread at a stretch. */
const STRETCH_MS = 10;

/**
 * Publishes a log in topics, behind it: it takes some events, adds what they change to the windows, in one transaction with how far it came,
 * sends all that changed, and notes that it is sent. What was taken in and is not noted as sent is gathered again from the log and sent
 * again, the same to the letter. Ingest knows nothing of it: brokers that are slow or away only make it lag.
 */
export class Publisher {
  readonly #source: PublisherSource;
  readonly #runtime: Runtime;
  readonly #pace: Paced;
  readonly #turn = turns_every(STRETCH_MS);
  #fold: { readonly fold: LogFold; readonly at: number } | null = null;
  #writer: TopicWriter | null = null;
  #head = 0;
  #known: Published | null = null;
  #holds = false;
  #ended: string | null = null;

  constructor(runtime: Runtime, source: PublisherSource) {
    this.#runtime = runtime;
    this.#source = source;
    // It leaves as much time to others as it takes.
    this.#pace = new Paced(runtime, { rest: { times: 1, free_ms: 0 }, first_ms: 250, cap_ms: 15_000 });
  }

  /** @param position where the log ends, if that is known elsewhere: a turn that waits for brokers does not look */
  state(position = 0): PublishingState {
    const known = this.#known, { signature } = this.#source.publication;
    const sent = known === null ? null : known.topics === signature ? known.sent.position : 0;
    return {
      lag: sent === null ? null : Math.max(0, Math.max(this.#head, position) - sent),
      messages: known?.messages ?? 0,
      holds: this.#holds,
      trouble: this.#pace.trouble,
      ended: this.#ended,
    };
  }

  /** Publishes until the signal; resolves then, or when the log holds an event that the domain refuses by now. */
  async run(): Promise<void> {
    const { signal, logger } = this.#runtime;
    while (!signal.aborted) {
      this.#pace.begin();
      let worked = false;
      try {
        worked = await this.#work();
        const over = this.#pace.succeeded();
        if (over !== null) logger.log("info", "topics are published again", told_trouble(over));
      } catch (error) {
        await this.#forget();
        if (signal.aborted) break;
        if (error instanceof RefusedEvent) {
          this.#ended = error.message;
          logger.log("error", "topics are not published any more", { reason: error });
          break;
        }
        const trouble = this.#pace.failed(error);
        if (trouble.attempt === 1) logger.log("warn", "cannot publish; trying again", told_trouble(trouble));
      }
      if (worked || this.#pace.trouble !== null) await this.#pace.pause(signal).catch(() => {});
      else await this.#source.appended.next(signal, LOOK_MS);
    }
    await this.#forget();
    // Who comes next need not wait for the lease to end; where this fails it has to.
    await leave_lease(this.#source.database, this.#source.holder).catch((error) =>
      logger.log("debug", "the lease to publish ends by itself", { reason: error })
    );
  }

  /** Forgets all that is not in the database, and says goodbye to the brokers. */
  async #forget(): Promise<void> {
    const writer = this.#writer;
    this.#fold = this.#writer = null;
    this.#holds = false;
    await writer?.close().catch((error) =>
      this.#runtime.logger.log("debug", "the producer did not say goodbye", { reason: error })
    );
  }

  /** One turn; whether there was anything to do. */
  async #work(): Promise<boolean> {
    const { database, holder, lease_s, publication: { signature } } = this.#source;
    this.#head = (await read_head(database)).position;
    let known = await take_lease(database, holder, lease_s);
    if (known === null) {
      if (this.#holds) await this.#forget();
      this.#known = await read_published(database);
      return false;
    }
    // Long turns keep it; who is frozen does not. That it is lost is seen where it counts.
    const keeping = setInterval(() => void take_lease(database, holder, lease_s).catch(() => {}), lease_s * 1000 / 3);
    try {
      this.#known = known;
      if (known.topics !== signature) {
        this.#runtime.logger.log("info", "publishing all of the log", {
          topics: this.#source.publication.topics.length,
        });
        await begin_run(database, holder, signature);
        this.#fold = null;
        this.#known = known = await read_published(database);
      }
      if (this.#writer === null) {
        const opening = this.#source.open_writer();
        // One that comes after the end is not needed.
        this.#writer = await unless_aborted(this.#runtime.signal, opening).catch((error) => {
          opening.then((late) => late.close()).catch(() => {});
          throw error;
        });
      }
      this.#holds = true;
      const { derived, sent, run } = known;
      if (sent.position === derived.position && this.#head <= sent.position) return false;
      const unsent = sent.position < derived.position;
      const through = unsent ? derived.position : Math.min(this.#head, derived.position + TURN_EVENTS);
      const gathered = await this.#gather(sent, through);
      if (!unsent) await database.transaction((tx) => derive(tx, holder, run, gathered));
      const messages = await this.#send(gathered, run);
      await note_sent(database, holder, run, through, messages);
      const at = { position: through, watermark_us: gathered.watermark_us };
      this.#known = { ...known, derived: at, sent: at, messages: known.messages + messages };
      return true;
    } finally {
      clearInterval(keeping);
    }
  }

  async #gather(from: Published["sent"], through: number): Promise<Gathered> {
    const { database, domain } = this.#source;
    const kept = this.#fold;
    this.#fold = null;
    const fold = kept?.at === from.position ? kept.fold : new LogFold(domain);
    const gathered = await gather(database, this.#source, fold, from, through);
    this.#fold = { fold, at: through };
    return gathered;
  }

  /** Sends all that was changed; gives how many messages that were. */
  async #send(gathered: Gathered, run: number): Promise<number> {
    const terms: MessageTerms = this.#source, { signal } = this.#runtime;
    let waiting: PublishedMessage[] = [], sent = 0;
    const flush = async () => {
      signal.throwIfAborted();
      // Who ends does not wait for brokers: what was not noted as sent is sent again.
      if (waiting.length > 0) await unless_aborted(signal, this.#writer!.write(waiting));
      sent += waiting.length;
      waiting = [];
    };
    for (const stream of gathered.streams) {
      waiting.push(...stream_messages(terms, stream));
      if (waiting.length >= PIECE_MESSAGES) await flush();
      await this.#turn();
    }
    for await (const windows of changed_windows(this.#source.database, run, gathered)) {
      for (const window of windows) {
        waiting.push(...window_messages(terms, window, gathered.watermark_us!));
        if (waiting.length >= PIECE_MESSAGES) await flush();
        await this.#turn();
      }
    }
    await flush();
    return sent;
  }
}
