/**
 * The port through which source messages come in: Kafka, and the in-process queue, into which the generator and the replay of files put theirs.
 *
 * Contract
 * - Before `open` the caller has put every known cursor into the `CursorBook`. The source reads the book synchronously
 *   whenever partitions are assigned or it is told to rewind, and delivers each assigned partition from there, in order.
 *   A partition the book does not know starts at the source's earliest offset; before that the book may begin topics that were never read
 *   elsewhere (`begin`).
 * - `take` hands out what is waiting, several partitions at once, and returns as soon as there is something. Batches of
 *   one partition follow each other without holes: `from_offset` of one is `next_offset` of the one before (offsets that
 *   compaction or control records left empty lie inside a batch). What was taken is not handed out again until `rewind`.
 * - After `rewind`, nothing taken or buffered before it is handed out any more; delivery starts anew from the book.
 * - A gap (retention passed the cursor, the topic ends before the cursor, another cluster) is never delivered across: the
 *   source stops with state `gap`. So is one that the book has kept.
 *   What was buffered before a gap or an outage is still handed out. `rewind` resumes after a gap, once the book is past it.
 * - In the state `gap`, `take` waits for `rewind`, `close` or the abort; `failed` is for good, only the latter two end it, unless the source tries again by itself. Whoever supervises
 *   reads `state`.
 * - What is held is bounded in messages and bytes. At the bound Kafka is fetched from no more, and the consumer stays a live member of its
 *   group; who offers to the queue waits.
 */
import type { KeptGap, PartitionGap, SourceMessage, StoredCursor, TopicPartition } from "../event_log/mod.ts";

export {
  type Coordinates,
  type Message,
  NO_HEADERS,
  partition_name,
  type SourceMessage,
  type StoredCursor,
  type TopicPartition,
} from "../event_log/mod.ts";

/** A run of messages of one partition. May be empty when the offsets held only control records. */
export interface SourceBatch extends TopicPartition {
  readonly from_offset: number;
  readonly next_offset: number;
  readonly messages: readonly SourceMessage[];
}

/** Where one partition goes on. */
export interface Cursor extends TopicPartition {
  readonly next_offset: number;
}

/** The cursors that are committed, as the database has them. Owned by the ingest loop, read synchronously by sources. */
export interface CursorBook {
  /** The next offset to read, or null when this partition has never been read. */
  get(topic: string, partition: number): number | null;
  /** A cursor of these topics that belongs to another cluster than this one; null when none does, as far as the database was read. */
  foreign(topics: readonly string[], cluster_id: string): StoredCursor | null;
  /** The gap of a partition that was noticed, by whomever, and is not accepted: it is not delivered across, whatever the topic has by now. */
  gap?(topic: string, partition: number): KeptGap | null;
  /**
   * Reads the cursors from the database again. A source shared by several instances calls it when partitions are
   * assigned, before it delivers: another instance may have read them since, and what is then behind retention is no gap.
   * A rejection is waited out and tried again. Absent when nobody else moves the cursors.
   */
  refresh?(): Promise<void>;
  /**
   * Settles where topics begin of which no partition was ever read, by the ends of all their partitions. A source that finds messages
   * which were there before it calls it after `refresh`, before it delivers, and goes by `get` then; an in-process queue begins empty.
   * A rejection is waited out and tried again. Absent when all begin at their earliest offset.
   */
  begin?(ends: readonly PartitionEnds[], cluster_id: string): Promise<void>;
}

/** The two ends of what a partition holds: `low` is the first offset that can be read, `high` the next one to be written, whatever transaction is open. */
export interface PartitionEnds extends TopicPartition {
  readonly low: number;
  readonly high: number;
}

/** What the source is doing, in words for operators; `since_ms` is the time of the last change. */
export type SourceState =
  | { readonly state: "starting" | "running" | "closed"; readonly since_ms: number; readonly reason: null }
  | { readonly state: "waiting"; readonly since_ms: number; readonly reason: string }
  | {
    readonly state: "gap";
    readonly since_ms: number;
    readonly reason: string;
    /** What an operator can do: a sentence without its full stop, so that a command at its end can be copied. */
    readonly advice: string;
    readonly gap: SourceGap;
  }
  | {
    readonly state: "failed";
    readonly since_ms: number;
    readonly reason: string;
    /** It is tried again by itself. */
    readonly again?: true;
  };

/** A state of a source before it is dated. */
export type UndatedState = SourceState extends infer State ? State extends SourceState ? Omit<State, "since_ms"> : never
  : never;

/** Something that narrows the reading while it goes on, for operators. */
export interface SourceRemark {
  readonly kind: "open_transaction" | "read_by_others";
  /** How many partitions it is about. */
  readonly partitions: number;
  /** In words, without a full stop. */
  readonly text: string;
}

/** Messages that can no longer be read: offsets [cursor, first_available) of one partition, a cursor past the end, or one of another cluster. */
export type SourceGap =
  | PartitionGap
  | TopicPartition & {
    readonly kind: "other_cluster";
    readonly cursor: number;
    readonly expected: string;
    readonly found: string;
  };

/** How many messages are worth being handed out for now. */
export interface Worth {
  readonly messages: number;
  /** From when it settles on, anything is. */
  readonly until: Promise<unknown>;
}

/**
 * For sources: how many messages are worth being handed out, as it changes.
 * @param changed called when it has
 */
export function least_worth(worth: Worth | undefined, changed: () => void): { readonly messages: number } {
  const least = { messages: worth?.messages ?? 0 };
  const anything = () => {
    least.messages = 0;
    changed();
  };
  worth?.until.then(anything, anything);
  return least;
}

export interface MessageSource {
  /** Names the cluster (or the queue) the offsets belong to. Known after `open`; another one after an accepted change of clusters. */
  readonly cluster_id: string;
  /**
   * Connects and begins to deliver; resolves when the source can tell its cluster id, however long the brokers are away.
   * Rejects on wrong configuration, and when the signal aborts first; afterwards `close` is what ends the source.
   */
  open(book: CursorBook, signal: AbortSignal): Promise<void>;
  /**
   * What is waiting, at most `limit`; waits for at least one batch. Returns [] after close, or when aborted.
   * @param worth less is left to grow for now, in messages of all partitions together
   */
  take(
    limit: { readonly messages: number; readonly bytes: number },
    signal: AbortSignal,
    worth?: Worth,
  ): Promise<SourceBatch[]>;
  /** Tells the source that these cursors are durable (Kafka: best-effort commit for lag tools). Never throws. */
  committed(cursors: readonly Cursor[]): void;
  /** Forget all that was delivered or buffered and begin again from the book. */
  rewind(): void;
  state(): SourceState;
  /** What narrows the reading now although the state is `running`; empty when nothing does. */
  remarks(): readonly SourceRemark[];
  /** Messages between what the source knows to exist and the cursors in the book; null while unknown. */
  lag(): number | null;
  close(): Promise<void>;
}
