/** A message of the source topic as the oracle takes it. The key is not consulted. */
export type SourceMessage = {
  topic: string;
  partition: number;
  offset: bigint | number | string;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: Record<string, Uint8Array>;
  /** The broker's time of the message, milliseconds since the epoch. */
  timestamp_ms: number;
};

/** The settings of the deployment that decide what the database must hold. */
export type OracleOptions = {
  /** The one currency, compared exactly. */
  currency: string;
  /** IANA name of the business time zone. */
  time_zone: string;
  /** How far an event time may lie after the broker's time. */
  future_limit_ms: number;
  /** Greatest length of a message's value. */
  max_message_bytes: number;
};

/** Where a message stands in its source. */
export type Coordinates = { topic: string; partition: number; offset: bigint };
