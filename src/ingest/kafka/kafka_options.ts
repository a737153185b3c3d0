import type { Clock, Fields, Level } from "../../runtime/mod.ts";
import type { SourceState } from "../message_source.ts";
import type { Amount } from "../message_buffer.ts";

/** How to reach the brokers. */
export interface KafkaConnectionOptions {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[];
  readonly client_id: string;
  /** Speak TLS, trusting the certificates the program trusts. */
  readonly tls: boolean;
  readonly sasl: KafkaLogin | null;
  /** Takes what the adapter and the client library have to say. The library's own lines come as `debug`. */
  readonly log: (level: Level, message: string, fields: Fields) => void;
}

/** A SASL login. */
export interface KafkaLogin {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** How a topic is made when it is absent. */
export interface TopicShape {
  readonly partitions: number;
  readonly replication: number;
  /** Whether of each key the newest message alone is kept, for good. */
  readonly compacted?: boolean;
}

/** What the Kafka source reads, and as whom. */
export interface KafkaOptions extends KafkaConnectionOptions, TopicShape {
  readonly topics: readonly string[];
  readonly group: string;
  /** Create absent topics. Without it an absent topic is waited for. */
  readonly create_topic: boolean;
}

/** What tests turn and operators need not. Times in milliseconds. */
export interface KafkaSettings {
  readonly clock: Clock;
  /** The buffer's bound. */
  readonly bound: Amount;
  /** The largest piece handed over at once: the work between two heartbeats. */
  readonly slice: Amount;
  /** Records with more bytes, unpacked, are not held: their first bytes are, with length and hash. */
  readonly most_record_bytes: number;
  /** How long the broker holds an empty fetch: the price of silence, and the wait at close. */
  readonly max_wait_ms: number;
  readonly session_ms: number;
  readonly heartbeat_ms: number;
  readonly rebalance_ms: number;
  /** How often the log's ends are asked for: lag, retention and truncation while nothing is fetched. */
  readonly watch_ms: number;
  /** Without a sign of life for so long the state says `waiting`. */
  readonly quiet_ms: number;
  /** Without a sign of life for so long the consumer is rebuilt. Longer than a rebalance may take, and a heartbeat before it. */
  readonly stall_ms: number;
  readonly retry_first_ms: number;
  readonly retry_cap_ms: number;
  /** The waits, which double, after which brokers that refuse for good are asked again; null: they are not. */
  readonly refused: { readonly first_ms: number; readonly cap_ms: number } | null;
  /** How long a polite goodbye may take before the sockets are cut. */
  readonly close_ms: number;
  /** Told about every change of state. */
  readonly on_state: (state: SourceState) => void;
}

/** The times that go with a session: several heartbeats in it, and a rebalance, or a stall, that may outlast it. */
export const session_settings = (session_ms: number) => ({
  session_ms,
  heartbeat_ms: session_ms / 5,
  rebalance_ms: Math.max(session_ms, 10_000),
  stall_ms: Math.max(1.5 * session_ms, 15_000),
});

/**
 * The settings in production. Short sessions because kafkajs has no static membership: after a kill -9 the partitions
 * move after `session_ms`. Whatever falls silent, with a session of at most 10 s messages come again within 30 s: found out after `stall_ms`, closed within
 * `close_ms` and a quarter, built anew after at most `retry_cap_ms`. Handlers leave within 4 s of a rebalance, so 10 s for
 * it are ample, and a frozen member's session ends in that time as well.
 */
export function default_settings(clock: Clock): KafkaSettings {
  return {
    clock,
    bound: { messages: 40_000, bytes: 32 << 20 },
    slice: { messages: 1_000, bytes: 1 << 20 },
    most_record_bytes: 4 << 20,
    max_wait_ms: 150,
    ...session_settings(10_000),
    watch_ms: 5_000,
    quiet_ms: 5_000,
    retry_first_ms: 250,
    retry_cap_ms: 5_000,
    refused: null,
    close_ms: 3_000,
    on_state: () => {},
  };
}
