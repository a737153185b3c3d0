import { turns_every } from "../../runtime/mod.ts";
import { message_bytes } from "../message_buffer.ts";
import { type Coordinates, partition_name, type SourceMessage, type TopicPartition } from "../message_source.ts";
import { type Cluster, KafkaClient, partition_of_key, READ_COMMITTED } from "./kafka_client.ts";
import { failure_of } from "./kafka_trouble.ts";
import type { KafkaConnectionOptions } from "./kafka_options.ts";
import { type FetchedPartition, slices } from "./records/mod.ts";

/** What is looked for in topics: messages of one key, whose times are about known. */
interface Sought {
  readonly topics: readonly string[];
  /** The key that they have, where producers go by it. */
  readonly key: Uint8Array;
  /**
   * Times, the latest first, milliseconds since the Unix epoch: what came after the first is looked through first, then what came between the
   * first and the second, at last what came before.
   */
  readonly since_ms: readonly number[];
  /** Takes a message; whether it is one of those. */
  readonly take: (message: SourceMessage) => boolean;
  /** Whether nothing more is wanted. */
  readonly enough: () => boolean;
}

/** What a search is bounded by: time, messages, their bytes unpacked; and of one record, which is cut where it has more. */
export interface SearchLimits {
  readonly ms: number;
  readonly messages: number;
  readonly bytes: number;
  readonly record_bytes: number;
}

/** What came of a search, besides what was taken. */
export interface Searched {
  readonly messages: number;
  readonly bytes: number;
  readonly took_ms: number;
  /** What ended it before all was looked through; null: nothing did. */
  readonly stopped: "enough" | "time" | "messages" | "bytes" | null;
  /** Why brokers could not be asked, in words; null: they could. */
  readonly failure: string | null;
  /** Where something was found; the partition of the key where nothing was. */
  readonly places: readonly TopicPartition[];
  /** The first message that is left of those places, where these were looked through from there. */
  readonly begins: readonly (Coordinates & { readonly timestamp_ms: number })[];
}

/** The ends of a partition where offsets are asked for by time. */
const EARLIEST = -2, LATEST = -1;
const FETCH_BYTES = 1 << 20;
const SLICE = { messages: 500, bytes: 256 << 10 };
/** Who looks for something lets go after so long: the page and its feed are on the same thread. */
const TURN_MS = 2;
/** A goodbye takes no longer. */
const CLOSE_MS = 500;

/** A stretch of a partition that is to be looked through. */
interface Stretch extends TopicPartition {
  next: number;
  readonly end: number;
  /** 0: it came after all times; 1: between the first two; … */
  readonly age: number;
  /** Whether it is the partition of the key. */
  readonly keyed: boolean;
  /** Whether the partition begins with it. */
  readonly first: boolean;
  fetches: number;
}

/** Ends the reading of a batch in its middle. */
class Over extends Error {}

/** How a search ended: it had no time left, or could not go on; neither: it was through, or at another limit. */
interface Ended {
  readonly late: boolean;
  readonly failure: string | null;
}

/**
 * Looks for messages, in the order in which they are likely to be found: first in the partition that Java's producers put the key in, then in all
 * others of the topic in turn, since a producer may place keys otherwise; as soon as a partition has one of them, in that alone. It is in no
 * consumer group, commits nothing, and ends within its limits, whatever brokers do. Never rejects.
 */
export async function search_topics(
  options: KafkaConnectionOptions,
  sought: Sought,
  limits: SearchLimits,
): Promise<Searched> {
  const client = new KafkaClient(options), cluster = client.cluster();
  const search = new Search(cluster, sought, limits);
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<Ended>((resolve) => timer = setTimeout(resolve, limits.ms, { late: true, failure: null }));
  const through = search.run().then(() => null, (error) => error instanceof Over ? null : failure_of(error).reason);
  const ended = await Promise.race([late, through.then((failure): Ended => ({ late: false, failure }))])
    .finally(() => clearTimeout(timer));
  const found = search.found(ended);
  const cut = setTimeout(() => client.cut(), CLOSE_MS);
  // Who asked need not wait for that; a request that hangs ends with its connection.
  void cluster.disconnect().catch(() => {}).finally(() => {
    clearTimeout(cut);
    client.cut();
  });
  return found;
}

class Search {
  readonly #cluster: Cluster;
  readonly #sought: Sought;
  readonly #limits: SearchLimits;
  readonly #began_ms = performance.now();
  readonly #stretches: Stretch[] = [];
  /** The partition of each topic that something was found in. */
  readonly #homes = new Map<string, number>();
  readonly #begins = new Map<string, Coordinates & { readonly timestamp_ms: number }>();
  readonly #turn = turns_every(TURN_MS);
  #messages = 0;
  #bytes = 0;
  #stopped: Searched["stopped"] = null;
  #ended = false;

  constructor(cluster: Cluster, sought: Sought, limits: SearchLimits) {
    this.#cluster = cluster;
    this.#sought = sought;
    this.#limits = limits;
  }

  /** Looks through one stretch after another. Rejects where brokers do not answer, and with Over where a limit is reached. */
  async run(): Promise<void> {
    const { topics } = this.#sought;
    await this.#cluster.connect();
    await this.#cluster.addMultipleTargetTopics(topics);
    for (const topic of topics) await this.#place(topic);
    for (let next = this.#next(); next !== null; next = this.#next()) await this.#look(next);
  }

  /** Cuts the partitions of a topic into stretches by the times that are known. */
  async #place(topic: string): Promise<void> {
    const { since_ms, key } = this.#sought;
    const [ends, begins, ...since] = await Promise.all(
      // Below 0 are names of ends.
      [LATEST, EARLIEST, ...since_ms.map((ms) => Math.max(ms, 0))].map((from_ms) => this.#offsets(topic, from_ms)),
    );
    const own = partition_of_key(this.#cluster, topic, key);
    for (const [partition, begin] of begins!) {
      let end = ends!.get(partition) ?? begin;
      const keyed = partition === own, borders = since.map((found) => found.get(partition) ?? -1);
      for (const [age, border] of [...borders, begin].entries()) {
        // Below 0: no message is of that time or after it.
        const next = border < 0 ? end : Math.max(border, begin);
        if (next < end) {
          const first = next === begin;
          this.#stretches.push({ topic, partition, next, end, age, keyed, first, fetches: 0 });
        }
        end = Math.min(end, next);
      }
    }
  }

  /** By partition, the offset of the first message whose time is not before one, or where the partition begins or ends; -1 where there is none. */
  async #offsets(topic: string, from_ms: number): Promise<Map<number, number>> {
    const partitions = this.#cluster.findTopicPartitionMetadata(topic).map(({ partitionId: partition }) => (
      { partition }
    ));
    const [found] = await this.#cluster.fetchTopicsOffset([{ topic, partitions, fromTimestamp: from_ms }]);
    return new Map(found?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  }

  /** The stretch to go on with; null where all were looked through. */
  #next(): Stretch | null {
    const left = this.#stretches.filter((each) => each.next < each.end && this.#rank(each) < Infinity);
    return left.reduce<Stretch | null>((best, each) => {
      if (best === null) return each;
      const ahead = this.#rank(each) - this.#rank(best);
      return ahead < 0 || ahead === 0 && each.fetches < best.fetches ? each : best;
    }, null);
  }

  /** The lower, the likelier something is there; Infinity: nothing is. */
  #rank({ topic, partition, age, keyed }: Stretch): number {
    const home = this.#homes.get(topic);
    if (home !== undefined) return home === partition ? age : Infinity;
    const ages = this.#sought.since_ms.length + 1;
    return keyed ? (1 + Math.min(age, 1)) * ages + age : (age === 0 ? 1.5 : 3) * ages + age;
  }

  async #look(stretch: Stretch): Promise<void> {
    this.#stop_at_limits();
    stretch.fetches++;
    const { topic, partition } = stretch;
    const fetched = await this.#fetch(stretch);
    if (fetched === null || fetched.next_offset === null || fetched.next_offset <= stretch.next) {
      // Nobody knows how it is packed, or it is gone.
      stretch.next = Math.max(fetched?.unknown_codec?.next_offset ?? stretch.end, stretch.next + 1);
      return;
    }
    const { batches, next_offset } = fetched;
    const limits = { most_bytes: this.#limits.record_bytes, between: () => this.#pause() };
    for await (const { batch } of slices({ topic, partition, batches, next_offset }, stretch.next, SLICE, limits)) {
      for (const message of batch.messages) {
        if (message.offset >= stretch.end) break;
        this.#take(stretch, message);
      }
      stretch.next = batch.next_offset;
      await this.#pause();
    }
  }

  /** What the partition holds from there on; null where nothing came within 100 ms, or its beginning was removed meanwhile. */
  async #fetch({ topic, partition, next }: Stretch): Promise<FetchedPartition | null> {
    const nodeId = this.#cluster.findTopicPartitionMetadata(topic).find((each) => each.partitionId === partition)
      ?.leader;
    if (nodeId === undefined) throw new Error(`cannot read ${partition_name({ topic, partition })}: it has no leader`);
    const broker = await this.#cluster.findBroker({ nodeId });
    const asked = { partition, fetchOffset: String(next), maxBytes: FETCH_BYTES };
    try {
      const { responses } = await broker.fetch({
        ...{ isolationLevel: READ_COMMITTED, maxWaitTime: 100, minBytes: 1, maxBytes: FETCH_BYTES },
        topics: [{ topic, partitions: [asked] }],
      });
      return responses[0]?.partitions[0]?.messages[0]?.fetched ?? null;
    } catch (error) {
      if ((error as { readonly type?: unknown }).type === "OFFSET_OUT_OF_RANGE") return null;
      throw error;
    }
  }

  #take(stretch: Stretch, message: SourceMessage): void {
    const { topic, partition, offset, timestamp_ms } = message;
    const place = partition_name({ topic, partition });
    if (stretch.first && !this.#begins.has(place)) {
      this.#begins.set(place, { topic, partition, offset, timestamp_ms });
    }
    this.#messages++;
    this.#bytes += message_bytes(message);
    if (this.#sought.take(message)) this.#homes.set(topic, partition);
  }

  async #pause(): Promise<void> {
    await this.#turn();
    this.#stop_at_limits();
  }

  /** Throws Over where no more is to be looked at. */
  #stop_at_limits(): void {
    const { ms, messages, bytes } = this.#limits;
    if (!this.#ended) {
      this.#stopped = this.#sought.enough()
        ? "enough"
        : performance.now() - this.#began_ms >= ms
        ? "time"
        : this.#messages >= messages
        ? "messages"
        : this.#bytes >= bytes
        ? "bytes"
        : null;
    }
    if (this.#ended || this.#stopped !== null) throw new Over();
  }

  /** What came of it; it takes nothing more from now on. */
  found({ late, failure }: Ended): Searched {
    this.#ended = true;
    if (late) this.#stopped = "time";
    const unreached = `the brokers did not say within ${this.#limits.ms / 1000} s where the topics lie`;
    const homes = [...this.#homes].map(([topic, partition]) => ({ topic, partition }));
    const keyed = this.#stretches.filter((each) => each.keyed && !this.#homes.has(each.topic));
    const places = [...homes, ...keyed.map(({ topic, partition }) => ({ topic, partition }))];
    const named = new Map(places.map((each) => [partition_name(each), each]));
    return {
      messages: this.#messages,
      bytes: this.#bytes,
      took_ms: performance.now() - this.#began_ms,
      stopped: this.#stopped,
      failure: late && this.#stretches.length === 0 ? unreached : failure,
      places: [...named.values()],
      begins: [...this.#begins].flatMap(([name, begin]) => named.has(name) ? [begin] : []),
    };
  }
}
