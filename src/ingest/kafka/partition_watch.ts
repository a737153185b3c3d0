import type { CursorBook, SourceGap } from "../message_source.ts";
import type { Watermarks } from "./kafka_admin.ts";

/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A partition and the next offset to hand out. */
export interface Position extends TopicPartition {
  readonly offset: number;
}

/** A gap within one cluster. */
export type PartitionGap = Exclude<SourceGap, { readonly kind: "other_cluster" }>;

/** What a look for gaps found. `suspected`: look again. */
export type GapLook =
  | { readonly look: "sound" | "suspected" }
  | { readonly look: "gap"; readonly gap: PartitionGap };

/** Judges one partition: may reading go on at `position`? Null when it may. Pure. */
export function gap_at(position: number, mark: Watermarks): PartitionGap | null {
  const { topic, partition, low, high } = mark;
  const gap = { topic, partition, cursor: position, first_available: low, end: high };
  if (low > position) return { kind: "retention", ...gap };
  if (high < position) return { kind: "truncated", ...gap };
  return null;
}

/** A gap in words for operators. */
export function gap_reason(gap: SourceGap): string {
  const { topic, partition, cursor } = gap;
  switch (gap.kind) {
    case "retention":
      return `${topic}:${partition} keeps offsets from ${gap.first_available} on, the next one to read is ${cursor}: ` +
        `${gap.first_available - cursor} offsets are gone`;
    case "truncated":
      return `${topic}:${partition} ends at offset ${gap.end}, the next one to read is ${cursor}: the topic was cut or made anew`;
    case "other_cluster":
      return `the cursor of ${topic}:${partition} belongs to Kafka cluster "${gap.expected}", "${gap.found}" answers`;
  }
}

/** What an operator can do at a gap. */
export const GAP_ADVICE = "To go on without what is gone, on record: tacho accept-gap --by NAME --reason TEXT";

/**
 * What is known of the partitions: which are assigned, the next offset each will hand out (its position), and the ends of
 * its log as last seen. Knows nothing of Kafka's client; everything here is synchronous.
 */
export class PartitionWatch {
  readonly #marks = new Map<string, Watermarks>();
  #positions: Map<string, TopicPartition & { offset: number }> | null = null;
  /** Partitions that seemed to have a gap at the last look, with their position then. */
  #suspected = new Map<string, number>();

  /** Replaces the assignment; every partition begins at its cursor, an unknown one at the earliest offset seen. */
  assign(partitions: readonly TopicPartition[], book: Pick<CursorBook, "get">): void {
    this.#positions = new Map(
      partitions.map(({ topic, partition }) => {
        const key = key_of(topic, partition);
        const offset = book.get(topic, partition) ?? this.#marks.get(key)?.low ?? 0;
        return [key, { topic, partition, offset }];
      }),
    );
    this.#suspected = new Map();
  }

  /** The assigned partitions with their positions as they are now. */
  assigned(): readonly Position[] {
    return [...this.#positions?.values() ?? []].map((at) => ({ ...at }));
  }

  /** The next offset to hand out; null when the partition is not assigned. */
  position(topic: string, partition: number): number | null {
    return this.#positions?.get(key_of(topic, partition))?.offset ?? null;
  }

  /** Moves an assigned partition. */
  move(topic: string, partition: number, offset: number): void {
    const at = this.#positions?.get(key_of(topic, partition));
    if (at !== undefined) at.offset = offset;
  }

  /** Notes the ends of logs. */
  saw(marks: readonly Watermarks[]): void {
    for (const mark of marks) this.#marks.set(key_of(mark.topic, mark.partition), mark);
  }

  /** Notes the end that a fetch told. */
  saw_high(topic: string, partition: number, high: number): void {
    const key = key_of(topic, partition);
    const low = this.#marks.get(key)?.low ?? 0;
    this.#marks.set(key, { topic, partition, low, high });
  }

  /** The ends as last seen, or null. */
  mark(topic: string, partition: number): Watermarks | null {
    return this.#marks.get(key_of(topic, partition)) ?? null;
  }

  /**
   * Looks for a gap. One is believed when two looks find the partition at the same position: a fetch may have been under
   * way at the first, and a leader that just took over may not know its end for a moment.
   * @param asked the partitions whose position rests, as it was before the marks were asked for
   */
  find_gap(asked: readonly Position[], marks: readonly Watermarks[]): GapLook {
    const by_key = new Map(marks.map((mark) => [key_of(mark.topic, mark.partition), mark]));
    const suspected = new Map<string, number>();
    for (const { topic, partition, offset } of asked) {
      const key = key_of(topic, partition);
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
      const mark = this.#marks.get(key_of(topic, partition));
      if (mark === undefined) return null;
      lag += Math.max(0, mark.high - (book.get(topic, partition) ?? mark.low));
    }
    return lag;
  }
}

/** A partition as one word. */
export const key_of = (topic: string, partition: number): string => `${topic}:${partition}`;
