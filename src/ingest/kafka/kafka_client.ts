/**
 * The only file that knows kafkajs. kafkajs 2.2.4 is pinned: three things here reach behind its types (the idle timer,
 * the fetched offset and the check of record batches), each guarded so that another release fails loudly instead of losing messages.
 */
import { isIP, type Socket } from "node:net";
import * as net from "node:net";
import * as tls from "node:tls";
import {
  type Admin,
  type Batch,
  CompressionCodecs,
  CompressionTypes,
  type Consumer,
  type EachBatchPayload,
  Kafka,
  type KafkaMessage,
  logLevel,
  type Message,
  Partitioners,
  type Producer,
  type SASLOptions,
} from "kafkajs";
import fetch_api from "kafkajs/src/protocol/requests/fetch/index.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import { type Codec, lz4_codec, snappy_codec, zstd_codec } from "./kafka_codecs.ts";
import { check_fetch_answer } from "./fetch_answer.ts";
import type { KafkaConnectionOptions, KafkaLogin, KafkaSettings } from "./kafka_options.ts";

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

for (const [type, codec] of [["snappy", snappy_codec], ["lz4", lz4_codec], ["zstd", zstd_codec]] as const) {
  CompressionCodecs[COMPRESSIONS[type]] = () => kafkajs_codec(codec);
}
stop_idle_timer();
check_record_batches();

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
      logCreator: () => ({ level, namespace, log: { message, error } }) => {
        // After the cut it only tells of the cut.
        if (this.#cut) return;
        options.log(level === logLevel.ERROR ? "info" : "debug", `kafkajs: ${message}`, { namespace, error });
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
    return this.#kafka.producer({
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
    });
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

/**
 * The offset kafkajs asked the broker for when it got this batch; its types leave the field out. It tells a hole left by
 * compaction (asked for what we want, nothing there) from a silent reset of the position (asked for something else).
 */
export function fetched_offset(batch: Batch): number {
  const offset = Number((batch as Batch & { readonly fetchedOffset?: string }).fetchedOffset);
  if (!Number.isSafeInteger(offset)) {
    throw new Error(
      `cannot read a batch of ${batch.topic}:${batch.partition}: kafkajs no longer gives "fetchedOffset"`,
    );
  }
  return offset;
}

/**
 * Whether a message's time is the broker's (LogAppendTime, bit 3 of its record batch's attributes); kafkajs's types leave
 * out what it knows of the batch. False for message sets of before Kafka 0.11, which it tells nothing of.
 */
export function timestamp_is_brokers(message: KafkaMessage): boolean {
  const { batchContext } = message as KafkaMessage & { readonly batchContext?: { readonly timestampType?: number } };
  return batchContext?.timestampType === LOG_APPEND_TIME;
}

/** kafkajs's number for it. */
const LOG_APPEND_TIME = 1;

function kafkajs_login(login: KafkaLogin): SASLOptions {
  const { mechanism, username, password } = login;
  return { mechanism, username, password } as SASLOptions;
}

function kafkajs_codec(codec: Codec) {
  return {
    compress: (encoder: { readonly buffer: Uint8Array }) => codec.compress(encoder.buffer),
    decompress: (bytes: Uint8Array) => codec.decompress(bytes),
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

/** kafkajs checks neither the checksum of a record batch nor whether it knows its codec: we do before it reads an answer. */
function check_record_batches(): void {
  interface Response {
    readonly decode: (answer: Uint8Array) => Promise<unknown>;
  }
  interface Protocol {
    readonly response: Response;
  }
  type Protocols = (of: { readonly version: number }) => (parameters: unknown) => Protocol;
  const api: { protocol?: Protocols } = fetch_api;
  const original = api.protocol;
  if (typeof original !== "function") {
    throw new Error("cannot check record batches: kafkajs has another fetch protocol");
  }
  api.protocol = ({ version }) => (parameters) => {
    const made = original({ version })(parameters);
    const decode = async (answer: Uint8Array) => {
      check_fetch_answer(version, answer);
      return await made.response.decode(answer);
    };
    return { ...made, response: { ...made.response, decode } };
  };
}
