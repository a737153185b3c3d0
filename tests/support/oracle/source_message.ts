/** A message of the source topic as the oracle takes it. The key is not consulted. */
export type SourceMessage = {
  topic: string;
  partition: number;
  offset: bigint | number | string;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: Record<string, Uint8Array>;
  /** The time that its record has, milliseconds since the epoch. */
  timestamp_ms: number;
  /** The broker set that time, not the producer. */
  timestamp_is_brokers?: boolean;
};

/** The settings of the deployment that decide what the database must hold. */
export type OracleOptions = {
  /** The one currency, compared exactly. */
  currency: string;
  /** IANA name of the business time zone. */
  time_zone: string;
  /** How far an event time may lie after the time at which its message was read, or after the broker's own where that is later. */
  future_limit_ms: number;
  /** When the messages were read, milliseconds since the epoch. */
  read_ms: number;
  /** Greatest length of a message's value. */
  max_message_bytes: number;
};

/** Where a message stands in its source. */
export type Coordinates = { topic: string; partition: number; offset: bigint };
