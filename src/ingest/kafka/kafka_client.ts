/**
 * The only file that knows kafkajs. kafkajs 2.2.4 is pinned: what reaches behind its types here (the fetched offset, the answers to fetches
 * and to questions for the ends of logs) is guarded, so that another release fails loudly instead of losing messages; without its idle
 * timer nothing is lost.
 */
import { Buffer } from "node:buffer";
import { isIP, type Socket } from "node:net";
import * as net from "node:net";
import * as tls from "node:tls";
import {
  type Admin,
  AssignerProtocol,
  type Batch,
  CompressionCodecs,
  CompressionTypes,
  ConfigResourceTypes,
  type Consumer,
  type EachBatchPayload,
  Kafka,
  type KafkaMessage,
  logLevel,
  type Message,
  Partitioners,
  type PartitionMetadata,
  type Producer,
  type ProducerConfig,
  type SASLOptions,
} from "kafkajs";
import fetch_api from "kafkajs/src/protocol/requests/fetch/index.js";
import list_offsets_api from "kafkajs/src/protocol/requests/listOffsets/index.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import {
  type FetchedPartition,
  type Pack,
  pack_lz4_frame,
  pack_snappy,
  pack_zstd,
  read_fetch_answer,
} from "./records/mod.ts";
import { partition_name, type TopicPartition } from "../message_source.ts";
import type { KafkaConnectionOptions, KafkaLogin, KafkaSettings } from "./kafka_options.ts";

export { ConfigResourceTypes };
export type { Admin, Consumer, EachBatchPayload, KafkaMessage, Message, Producer };

/** kafkajs gives up after these and we build anew with our own, endless backoff. About 5 s in all. */
const RETRY = {
  retries: 5,
  initialRetryTime: 150,
  maxRetryTime: 2_000,
  restartOnFailure: () => Promise.resolve(false),
};

/** How a producer may compress. */
export const COMPRESSIONS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const;
export type Compression = keyof typeof COMPRESSIONS;

for (const [type, pack] of [["snappy", pack_snappy], ["lz4", pack_lz4_frame], ["zstd", pack_zstd]] as const) {
  CompressionCodecs[COMPRESSIONS[type]] = () => kafkajs_codec(pack);
}
stop_idle_timer();
read_fetch_answers();
ask_for_true_ends();

/** One client of the brokers: what it opens, `cut` closes. */
export class KafkaClient {
  readonly #kafka: Kafka;
  readonly #sockets = new Set<Socket>();
  #cut = false;
  #reached = false;

  constructor(options: KafkaConnectionOptions) {
    this.#kafka = new Kafka({
      brokers: [...options.brokers],
      clientId: options.client_id,
      ssl: options.tls,
      ...(options.sasl === null ? {} : { sasl: kafkajs_login(options.sasl) }),
      connectionTimeout: 3_000,
      requestTimeout: 10_000,
      retry: RETRY,
      socketFactory: ({ host, port, ssl, onConnect }) => this.#open_socket(host, port, ssl, onConnect),
      logLevel: logLevel.WARN,
      // kafkajs calls every retry an error. What matters to operators is told by the source's state.
      logCreator: () => ({ namespace, log: { message, error } }) => {
        // After the cut it only tells of the cut.
        if (this.#cut) return;
        options.log("debug", `kafkajs: ${message}`, { namespace, error });
      },
    });
  }

  /** A consumer that never restarts by itself and commits nothing by itself. */
  consumer(group: string, settings: KafkaSettings): Consumer {
    return this.#kafka.consumer({
      groupId: group,
      sessionTimeout: settings.session_ms,
      heartbeatInterval: settings.heartbeat_ms,
      rebalanceTimeout: settings.rebalance_ms,
      maxWaitTimeInMs: settings.max_wait_ms,
      metadataMaxAge: 30_000,
      allowAutoTopicCreation: false,
      retry: RETRY,
    });
  }

  /** An admin client. */
  admin(): Admin {
    return this.#kafka.admin({ retry: RETRY });
  }

  /**
   * A producer that places a key where Java producers place it. Retries through about half a minute of outage.
   * @param placed hears where each message is placed, again with every retry
   */
  producer(placed: (message: Message, partition: number) => void = () => {}): Producer {
    return this.#kafka.producer(this.#placing(placed));
  }

  /**
   * As `producer`, idempotent and under a transactional name: brokers refuse who had it before.
   * @param transaction_ms after so long without an end a transaction is rolled back
   */
  publisher(name: string, transaction_ms: number, placed: (message: Message, partition: number) => void): Producer {
    return this.#kafka.producer({
      ...this.#placing(placed),
      transactionalId: name,
      transactionTimeout: transaction_ms,
      idempotent: true,
      maxInFlightRequests: 1,
    });
  }

  #placing(placed: (message: Message, partition: number) => void): ProducerConfig {
    return {
      createPartitioner: () => {
        const place = Partitioners.DefaultPartitioner();
        return (arriving) => {
          const partition = place(arriving);
          placed(arriving.message, partition);
          return partition;
        };
      },
      allowAutoTopicCreation: false,
      metadataMaxAge: 30_000,
      retry: { retries: 12, initialRetryTime: 200, maxRetryTime: 4_000 },
    };
  }

  /** What brokers are asked by without a consumer; it reads what is committed. */
  cluster(): Cluster {
    const own = this.#kafka as unknown as Readonly<Record<symbol, unknown>>;
    const make = own[Object.getOwnPropertySymbols(own).find(({ description }) => description === MAKES_CLUSTERS)!];
    if (typeof make !== "function") throw new Error("cannot read partitions: kafkajs makes no clusters any more");
    return make({ metadataMaxAge: 30_000, allowAutoTopicCreation: false, isolationLevel: READ_COMMITTED });
  }

  /** Whether any broker ever took a connection, before TLS and login. */
  get reached(): boolean {
    return this.#reached;
  }

  /** Cuts every connection and refuses new ones: kafkajs's pending calls end with an error, its retries run out. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy(new Error("the connection was closed by this program"));
  }

  /** kafkajs's own sockets, but known to us: its disconnect waits for a dead broker's answers for ever. */
  #open_socket(host: string, port: number, ssl: tls.ConnectionOptions, on_connect: () => void): Socket {
    if (this.#cut) throw new Error(`cannot connect to ${host}:${port}: the client is closed`);
    const socket = ssl
      ? tls.connect({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, on_connect)
      : net.connect({ host, port }, on_connect);
    socket.setKeepAlive(true, 60_000);
    this.#sockets.add(socket);
    socket.once("connect", () => this.#reached = true);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

const MAKES_CLUSTERS = "private:Kafka:createCluster";

/** What kafkajs's consumers and admin clients ask brokers by; its types leave it out. */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[];
  fetchTopicsOffset(
    asked: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
      readonly fromTimestamp: number;
    }[],
  ): Promise<readonly { readonly partitions: readonly { readonly partition: number; readonly offset: string }[] }[]>;
  findBroker(of: { readonly nodeId: number }): Promise<{ fetch(asked: unknown): Promise<FetchResponse> }>;
}

interface FetchResponse {
  readonly responses: readonly {
    readonly partitions: readonly { readonly messages: readonly Partial<Carrier>[] }[];
  }[];
}

/** The partition that Java's producers, and ours, put a key in (murmur2). */
export function partition_of_key(cluster: Cluster, topic: string, key: Uint8Array): number {
  const partitionMetadata = [...cluster.findTopicPartitionMetadata(topic)] as PartitionMetadata[];
  return Partitioners.DefaultPartitioner()({ topic, partitionMetadata, message: { key: Buffer.from(key), value: "" } });
}

/**
 * The offset kafkajs asked the broker for when it got this batch; its types leave the field out. It tells a hole left by
 * compaction (asked for what we want, nothing there) from a silent reset of the position (asked for something else).
 */
export function fetched_offset(batch: Batch): number {
  const offset = Number((batch as Batch & { readonly fetchedOffset?: string }).fetchedOffset);
  if (!Number.isSafeInteger(offset)) {
    throw new Error(
      `cannot read a batch of ${partition_name(batch)}: kafkajs no longer gives "fetchedOffset"`,
    );
  }
  return offset;
}

/** What a fetch brought of the batch's partition, as `read_fetch_answers` put it where kafkajs has its messages. */
export function fetched_partition(batch: Batch): FetchedPartition {
  const [carrier] = batch.messages as readonly Partial<Carrier>[];
  if (carrier?.fetched === undefined) {
    throw new Error(
      `cannot read a batch of ${partition_name(batch)}: kafkajs no longer gives what was fetched`,
    );
  }
  return carrier.fetched;
}

/** What a member of a group was given, as `describeGroups` has it; nothing where its client writes that in another way. */
export function assigned_partitions(assignment: Uint8Array): TopicPartition[] {
  try {
    const read = AssignerProtocol.MemberAssignment.decode(Buffer.from(assignment));
    return Object.entries(read?.assignment ?? {}).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition }))
    );
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

function kafkajs_login(login: KafkaLogin): SASLOptions {
  const { mechanism, username, password } = login;
  return { mechanism, username, password } as SASLOptions;
}

function kafkajs_codec(pack: Pack) {
  return {
    compress: (encoder: { readonly buffer: Uint8Array }) => pack(encoder.buffer),
    decompress: () => Promise.reject(new Error("kafkajs unpacks nothing here: `read_records` does")),
  };
}

/**
 * kafkajs re-arms a timer with a negative delay while nothing is pending: a loop of one millisecond that costs 2 % of a
 * core and prints TimeoutNegativeWarning. With nothing pending there is nothing to check; pushing a request arms it again.
 */
function stop_idle_timer(): void {
  interface Queue {
    readonly pending: readonly unknown[];
  }
  const prototype: { scheduleCheckPendingRequests?: unknown } = RequestQueue.prototype;
  const original = prototype.scheduleCheckPendingRequests;
  if (typeof original !== "function") return;
  prototype.scheduleCheckPendingRequests = function (this: Queue) {
    if (this.pending.length > 0) original.call(this);
  };
}

/** Kafka's numbers for what readers may see. We read no more than what is committed. */
const READ_UNCOMMITTED = 0;
export const READ_COMMITTED = 1;

/** What kafkajs takes for the one message of a partition in an answer. */
interface Carrier {
  readonly offset: string;
  readonly isControlRecord: false;
  readonly fetched: FetchedPartition;
}

/**
 * Reads the answers to fetches ourselves, and hands what a partition brought through kafkajs as one message: kafkajs checks no checksum, unpacks
 * without a bound, and takes data for the marker of a transaction and the other way round. It decides here only what is fetched next.
 */
function read_fetch_answers(): void {
  interface Response {
    readonly decode: (answer: Uint8Array) => Promise<unknown>;
  }
  interface Protocol {
    readonly response: Response;
  }
  interface Parameters {
    readonly isolationLevel: number;
  }
  type Protocols = (of: { readonly version: number }) => (parameters: Parameters) => Protocol;
  const api: { protocol?: Protocols } = fetch_api;
  const original = api.protocol;
  if (typeof original !== "function") {
    throw new Error("cannot read fetched messages: kafkajs has another fetch protocol");
  }
  api.protocol = ({ version }) => (parameters) => {
    const made = original({ version })(parameters);
    if (parameters.isolationLevel !== READ_COMMITTED) return made;
    const decode = (answer: Uint8Array) => Promise.resolve(answer).then(() => kafkajs_answer(version, answer));
    return { ...made, response: { ...made.response, decode } };
  };
}

/** kafkajs's admin client takes where open transactions hold readers for the end of a log: nothing would ever wait behind them. */
function ask_for_true_ends(): void {
  type Protocols = (of: { readonly version: number }) => (parameters: { readonly isolationLevel?: number }) => unknown;
  const api: { protocol?: Protocols } = list_offsets_api;
  const original = api.protocol;
  if (typeof original !== "function") throw new Error("cannot ask for the ends of logs: kafkajs has another protocol");
  api.protocol = ({ version }) => (parameters) =>
    original({ version })({ ...parameters, isolationLevel: parameters.isolationLevel ?? READ_UNCOMMITTED });
}

/** The answer as kafkajs decodes it. From version 8 on waiting is up to the client. */
function kafkajs_answer(version: number, answer: Uint8Array) {
  const { throttle_ms, error_code, session_id, topics } = read_fetch_answer(version, answer);
  return {
    throttleTime: version < 8 ? throttle_ms : 0,
    ...(version < 8 ? {} : { clientSideThrottleTime: throttle_ms }),
    errorCode: error_code,
    sessionId: session_id,
    responses: topics.map(({ topic, partitions }) => ({
      topicName: topic,
      partitions: partitions.map((fetched) => ({
        partition: fetched.partition,
        errorCode: fetched.error_code,
        highWatermark: String(fetched.high_watermark),
        preferredReadReplica: fetched.preferred_read_replica,
        abortedTransactions: [],
        messages: carried(fetched),
      })),
    })),
  };
}

/** One message where something came, and where there is something that did not come: kafkajs drops one below what it asked for. */
function carried(fetched: FetchedPartition): Carrier[] {
  const { high_watermark, last_stable_offset, unknown_codec } = fetched;
  const next_offset = fetched.next_offset ?? unknown_codec?.next_offset ?? null;
  if (next_offset === null && (last_stable_offset < 0 || last_stable_offset >= high_watermark)) return [];
  return [{ offset: String((next_offset ?? high_watermark) - 1), isControlRecord: false, fetched }];
}
