import { gap_reason as partition_gap_reason, type PartitionGap } from "../../event_log/mod.ts";
import {
  type Coordinates,
  type CursorBook,
  partition_name,
  type PartitionEnds,
  type SourceGap,
  type SourceRemark,
  type TopicPartition,
} from "../message_source.ts";

/** What a look for gaps found. `suspected`: look again. */
type GapLook =
  | { readonly look: "sound" | "suspected" }
  | { readonly look: "gap"; readonly gap: PartitionGap };

/** Judges one partition: may reading go on at `position`? Null when it may. Pure. */
export function gap_at(position: number, mark: PartitionEnds): PartitionGap | null {
  const { topic, partition, low, high } = mark;
  const gap = { topic, partition, cursor: position, first_available: low, end: high };
  if (low > position) return { kind: "retention", ...gap };
  if (high < position) return { kind: "truncated", ...gap };
  return null;
}

/** A gap in words for operators. */
export function gap_reason(gap: SourceGap): string {
  return gap.kind === "other_cluster"
    ? `the cursor of ${partition_name(gap)} belongs to Kafka cluster "${gap.expected}", "${gap.found}" answers`
    : partition_gap_reason(gap);
}

/** So long an open transaction may keep what is behind it from being read before it is said: shorter ones are everyday. */
const HELD_FOR_MS = 5_000;

/** A member of a consumer group, and what it reads. */
export interface GroupMember {
  readonly client_id: string;
  readonly host: string;
  readonly partitions: readonly TopicPartition[];
}

/** Most names in one sentence. */
const MOST_NAMED = 6;

/**
 * What is known of the partitions: which are assigned, the next offset each will hand out (its position), and the ends of
 * its log as last seen. Knows nothing of Kafka's client; everything here is synchronous.
 */
export class PartitionWatch {
  readonly #marks = new Map<string, PartitionEnds>();
  #positions: Map<string, TopicPartition & { offset: number }> | null = null;
  /** Partitions that seemed to have a gap at the last look, with their position then. */
  #suspected = new Map<string, number>();
  /** Where an open transaction keeps what is behind it from being read: since when, and when that was last seen. */
  readonly #held = new Map<
    string,
    TopicPartition & { readonly offset: number; readonly since_ms: number; seen_ms: number }
  >();
  #others: readonly GroupMember[] = [];

  /** Replaces the assignment; every partition begins at its cursor, an unknown one at the earliest offset seen. */
  assign(partitions: readonly TopicPartition[], book: Pick<CursorBook, "get">): void {
    this.#positions = new Map(
      partitions.map(({ topic, partition }) => {
        const key = partition_name({ topic, partition });
        const offset = book.get(topic, partition) ?? this.#marks.get(key)?.low ?? 0;
        return [key, { topic, partition, offset }];
      }),
    );
    this.#suspected = new Map();
    for (const key of this.#held.keys()) if (!this.#positions.has(key)) this.#held.delete(key);
  }

  /** The assigned partitions with their positions as they are now. */
  assigned(): readonly Coordinates[] {
    return [...this.#positions?.values() ?? []].map((at) => ({ ...at }));
  }

  /** The next offset to hand out; null when the partition is not assigned. */
  position(topic: string, partition: number): number | null {
    return this.#positions?.get(partition_name({ topic, partition }))?.offset ?? null;
  }

  /** Moves an assigned partition. */
  move(topic: string, partition: number, offset: number): void {
    const at = this.#positions?.get(partition_name({ topic, partition }));
    if (at !== undefined) at.offset = offset;
  }

  /** Notes the ends of logs. */
  saw(marks: readonly PartitionEnds[]): void {
    for (const mark of marks) this.#marks.set(partition_name(mark), mark);
  }

  /**
   * Notes the end that a fetch told.
   * @param stable the offset before which every transaction has ended; what is behind it cannot be read yet
   */
  saw_end(topic: string, partition: number, high: number, stable: number, now_ms: number): void {
    const key = partition_name({ topic, partition });
    const low = this.#marks.get(key)?.low ?? 0;
    this.#marks.set(key, { topic, partition, low, high });
    const held = this.#held.get(key);
    if (stable < 0 || stable >= high) this.#held.delete(key);
    else if (held?.offset === stable) held.seen_ms = now_ms;
    else this.#held.set(key, { topic, partition, offset: stable, since_ms: now_ms, seen_ms: now_ms });
  }

  /** Whether there are partitions that are not assigned to us. */
  get reads_part(): boolean {
    return this.#positions !== null && this.#marks.size > this.#positions.size;
  }

  /** Notes who else reads in our group, and not for our database. */
  saw_others(others: readonly GroupMember[]): void {
    this.#others = others;
  }

  /** What narrows the reading, for operators. */
  remarks(): SourceRemark[] {
    const remarks: SourceRemark[] = [];
    for (const held of this.#held.values()) {
      if (held.seen_ms - held.since_ms < HELD_FOR_MS) continue;
      const since = new Date(held.since_ms).toISOString();
      const text = `an open transaction holds ${partition_name(held)} at offset ${held.offset} since ${since}`;
      remarks.push({ kind: "open_transaction", partitions: 1, text });
    }
    const taken = this.#others.flatMap(({ partitions }) => partitions);
    if (taken.length > 0) {
      const named = taken.slice(0, MOST_NAMED).map(partition_name);
      const who = this.#others.slice(0, MOST_NAMED).map(({ client_id, host }) =>
        `${JSON.stringify(client_id)} at ${host}`
      );
      const text =
        `${taken.length === 1 ? "1 partition is" : `${taken.length} partitions are`} read by others in this ` +
        `consumer group: ${named.join(", ")}${taken.length > MOST_NAMED ? ", …" : ""} by ${who.join(", ")}`;
      remarks.push({ kind: "read_by_others", partitions: taken.length, text });
    }
    return remarks;
  }

  /** The ends as last seen, or null. */
  mark(topic: string, partition: number): PartitionEnds | null {
    return this.#marks.get(partition_name({ topic, partition })) ?? null;
  }

  /**
   * Looks for a gap. One is believed when two looks find the partition at the same position: a fetch may have been under
   * way at the first, and a leader that just took over may not know its end for a moment.
   * @param asked the partitions whose position rests, as it was before the marks were asked for
   */
  find_gap(asked: readonly Coordinates[], marks: readonly PartitionEnds[]): GapLook {
    const by_key = new Map(marks.map((mark) => [partition_name(mark), mark]));
    const suspected = new Map<string, number>();
    for (const { topic, partition, offset } of asked) {
      const key = partition_name({ topic, partition });
      if (this.#positions?.get(key)?.offset !== offset) continue;
      // A partition that is gone from its topic ends at 0.
      const gap = gap_at(offset, by_key.get(key) ?? { topic, partition, low: 0, high: 0 });
      if (gap === null) continue;
      if (this.#suspected.get(key) === offset) return { look: "gap", gap };
      suspected.set(key, offset);
    }
    this.#suspected = suspected;
    return { look: suspected.size > 0 ? "suspected" : "sound" };
  }

  /** Messages between the cursors and the ends of the assigned logs; null before an assignment and while an end is unknown. */
  lag(book: Pick<CursorBook, "get">): number | null {
    if (this.#positions === null) return null;
    let lag = 0;
    for (const { topic, partition } of this.#positions.values()) {
      const mark = this.#marks.get(partition_name({ topic, partition }));
      if (mark === undefined) return null;
      lag += Math.max(0, mark.high - (book.get(topic, partition) ?? mark.low));
    }
    return lag;
  }
}
