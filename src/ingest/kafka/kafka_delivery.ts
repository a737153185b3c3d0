import { type Clock, Paced, type WakeUp } from "../../runtime/mod.ts";
import type { Amount, MessageBuffer } from "../message_buffer.ts";
import {
  type Coordinates,
  type CursorBook,
  partition_name,
  type PartitionEnds,
  type SourceGap,
  type TopicPartition,
} from "../message_source.ts";
import type { KafkaAdmin } from "./kafka_admin.ts";
import { type EachBatchPayload, fetched_offset, fetched_partition } from "./kafka_client.ts";
import { failure_of } from "./kafka_trouble.ts";
import { slices } from "./records/mod.ts";
import { gap_at, type PartitionWatch } from "./partition_watch.ts";

/** What the delivery of one consumer's life works with. */
interface DeliveryParts {
  readonly book: CursorBook;
  readonly buffer: MessageBuffer;
  readonly watch: PartitionWatch;
  /** Rung when the buffer or the delivery changes. */
  readonly changed: WakeUp;
  readonly admin: Pick<KafkaAdmin, "watermarks">;
  readonly topics: readonly string[];
  readonly clock: Clock;
  readonly slice: Amount;
  /** Records with more bytes are cut. */
  readonly most_record_bytes: number;
  /** Aborted when this life ends. */
  readonly ended: AbortSignal;
  /** Moves kafkajs's fetch position; throws when the consumer is gone. */
  readonly seek: (topic: string, partition: number, offset: number) => void;
  readonly on_open: () => void;
  readonly on_waiting: (reason: string) => void;
  readonly on_gap: (gap: SourceGap) => void;
  /** Asks which cluster answers; a gap when it is not the cursors'. */
  readonly other_cluster: () => Promise<SourceGap | null>;
  /** Settles where topics begin that were never read. */
  readonly begin: (ends: readonly PartitionEnds[]) => Promise<void>;
  readonly on_broken: (error: unknown) => void;
}

/** A handler leaves in the middle of unpacking: the partition is not its any more. */
class Left extends Error {}

/**
 * Hands fetched batches to the buffer, for one life of a consumer.
 *
 * After a join nothing is delivered until the cursors were read again and compared with the log's ends (`#check_cursors`);
 * kafkajs fetches meanwhile, its handlers wait and heartbeat. Each batch must have been fetched at the partition's
 * position: kafkajs resets its position silently when the offset is out of range, and here it is found out.
 * A batch that came before a join or a rewind belongs to an older generation and is dropped.
 */
export class KafkaDelivery {
  readonly #parts: DeliveryParts;
  #generation = 0;
  #open = false;
  #join = Symbol("none");
  /** Partitions whose handler holds messages that are not in the buffer yet: their position is about to move. */
  readonly #in_hand = new Set<string>();
  #looking: Promise<boolean> | null = null;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Whether the cursors were checked since the last join. */
  get is_open(): boolean {
    return this.#open;
  }

  /** The group gave us these partitions. Synchronous up to the seeks: kafkajs fetches right after. */
  joined(partitions: readonly TopicPartition[]): void {
    const { watch, book } = this.#parts;
    this.#open = false;
    watch.assign(partitions, book);
    this.#begin_anew();
    const join = this.#join = Symbol("join");
    this.#check_cursors(() => this.#parts.ended.aborted || join !== this.#join).catch(this.#parts.on_broken);
  }

  /** Begins again from the book. Never throws. */
  rewind(): void {
    const { watch, book } = this.#parts;
    watch.assign(watch.assigned(), book);
    this.#begin_anew();
  }

  /** Handles one fetched batch. Never throws: what is wrong ends this life of the consumer instead. */
  async each_batch(payload: EachBatchPayload): Promise<void> {
    const key = partition_name(payload.batch);
    this.#in_hand.add(key);
    try {
      await this.#hand_over(payload);
    } catch (error) {
      this.#parts.on_broken(error);
    } finally {
      this.#in_hand.delete(key);
    }
  }

  /** Asks for the logs' ends and looks for gaps. True when a gap is suspected and worth another look soon. */
  look(): Promise<boolean> {
    this.#looking ??= this.#look_now().finally(() => this.#looking = null);
    return this.#looking;
  }

  async #look_now(): Promise<boolean> {
    const { watch, admin, topics, ended } = this.#parts;
    const generation = this.#generation;
    const rests = (at: TopicPartition) => !this.#in_hand.has(partition_name(at));
    const asked = watch.assigned().filter(rests);
    const marks = await admin.watermarks(topics);
    if (ended.aborted) return false;
    watch.saw(marks);
    if (!this.#open || generation !== this.#generation) return false;
    const found = watch.find_gap(asked.filter(rests), marks);
    if (found.look === "gap") this.#parts.on_gap(found.gap);
    return found.look === "suspected";
  }

  async #hand_over(payload: EachBatchPayload): Promise<void> {
    const { watch, buffer, changed, slice: most, most_record_bytes: most_bytes } = this.#parts;
    const { topic, partition } = payload.batch;
    const { high_watermark, last_stable_offset, batches, next_offset, unknown_codec } = fetched_partition(
      payload.batch,
    );
    const generation = this.#generation;
    const stale = () => this.#parts.ended.aborted || generation !== this.#generation || payload.isStale();
    const gone = () => stale() || !payload.isRunning();
    while (!this.#open) {
      if (gone() || !await this.#pause(payload)) return;
    }
    const position = watch.position(topic, partition);
    if (gone() || position === null) return;
    if (fetched_offset(payload.batch) !== position) return await this.#refetch(topic, partition, position, gone);
    watch.saw_end(topic, partition, high_watermark, last_stable_offset, this.#parts.clock.now_ms());
    if (next_offset === null || next_offset <= position) {
      // What came before it is handed over; it is the first that is asked for now.
      if (unknown_codec !== null && unknown_codec.next_offset > position) {
        const { codec, next_offset: first_available } = unknown_codec;
        const place = { topic, partition, cursor: position, first_available, end: high_watermark };
        this.#parts.on_gap({ kind: "unknown_codec", ...place, codec });
      }
      return;
    }
    const between = async () => {
      if (!await this.#beat(payload) || gone()) throw new Left();
    };
    const fetched = { topic, partition, batches, next_offset };
    try {
      for await (const { batch, bytes } of slices(fetched, position, most, { most_bytes, between })) {
        while (!buffer.has_room({ messages: batch.messages.length, bytes }, batch)) {
          if (!await this.#pause(payload) || gone()) return;
        }
        if (batch.messages.length > 0) buffer.push(batch, bytes);
        else buffer.push_empty(topic, partition, batch.from_offset, batch.next_offset);
        watch.move(topic, partition, batch.next_offset);
        payload.resolveOffset(String(batch.next_offset - 1));
        changed.ring();
        if (!await this.#beat(payload) || gone()) return;
      }
    } catch (error) {
      if (!(error instanceof Left)) throw error;
    }
  }

  /** kafkajs fetched elsewhere than at the position: a gap, or its own doing, then it is sent back. */
  async #refetch(topic: string, partition: number, position: number, gone: () => boolean): Promise<void> {
    // Not in hand any more: nothing of this batch will be delivered.
    this.#in_hand.delete(partition_name({ topic, partition }));
    await this.look().catch((error) => this.#parts.on_waiting(failure_of(error).reason));
    if (!gone()) this.#seek(topic, partition, position);
  }

  /** Waits for a change, at most a second, and heartbeats. False when the handler should leave. */
  async #pause(payload: EachBatchPayload): Promise<boolean> {
    await this.#parts.changed.next(this.#parts.ended, 1_000);
    return await this.#beat(payload);
  }

  /** A refused heartbeat is a rebalance: kafkajs asks again right after the handler and then joins anew. */
  #beat(payload: EachBatchPayload): Promise<boolean> {
    return payload.heartbeat().then(() => true, () => false);
  }

  #begin_anew(): void {
    this.#generation++;
    this.#parts.buffer.clear();
    for (const { topic, partition, offset } of this.#parts.watch.assigned()) this.#seek(topic, partition, offset);
    this.#parts.changed.ring();
  }

  #seek(topic: string, partition: number, offset: number): void {
    try {
      this.#parts.seek(topic, partition, offset);
    } catch (error) {
      this.#parts.on_broken(error);
    }
  }

  /** After a join: the book read again, topics begun that were never read, unknown partitions placed, gaps looked for; then delivery opens. Retries for ever. */
  async #check_cursors(gone: () => boolean): Promise<void> {
    const { book, watch, admin, topics, ended, changed, clock } = this.#parts;
    const pace = new Paced({ clock, random: Math.random }, { first_ms: 300, cap_ms: 5_000 });
    while (!gone()) {
      try {
        await book.refresh?.();
        // The join may be to a cluster that took the place of the one before.
        const other = await this.#parts.other_cluster();
        if (gone()) return;
        if (other !== null) return this.#parts.on_gap(other);
        const marks = await admin.watermarks(topics);
        if (gone()) return;
        await this.#parts.begin(marks);
        if (gone()) return;
        watch.saw(marks);
        for (const at of watch.assigned()) this.#place(at);
        const kept = this.#kept_gap();
        if (kept !== null) return this.#parts.on_gap(kept);
        const found = watch.find_gap(watch.assigned(), marks);
        if (found.look === "gap") return this.#parts.on_gap(found.gap);
        if (found.look === "sound") {
          this.#open = true;
          this.#parts.on_open();
          return changed.ring();
        }
        pace.failed("a gap is suspected");
      } catch (error) {
        if (gone()) return;
        this.#parts.on_waiting(`the cursors cannot be checked: ${failure_of(error).reason}`);
        pace.failed(error);
      }
      await pace.pause(ended).catch(() => {});
    }
  }

  /** A gap of an assigned partition that the book keeps, as it is now where it still shows. */
  #kept_gap(): SourceGap | null {
    const { book, watch } = this.#parts;
    for (const { topic, partition, offset } of watch.assigned()) {
      const kept = book.gap?.(topic, partition) ?? null, mark = watch.mark(topic, partition);
      // It is met again where this version does not know the codec either.
      if (kept !== null && kept.kind !== "unknown_codec") return (mark === null ? null : gap_at(offset, mark)) ?? kept;
    }
    return null;
  }

  /** Moves a partition to where the book says now, if that is elsewhere. */
  #place({ topic, partition, offset }: Coordinates): void {
    const { book, watch } = this.#parts;
    const wanted = book.get(topic, partition) ?? watch.mark(topic, partition)?.low ?? offset;
    if (wanted === offset) return;
    watch.move(topic, partition, wanted);
    this.#seek(topic, partition, wanted);
  }
}
