/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A partition as one word: in errors, in the log, on the command line, and as a key. */
export const partition_name = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** Where a message lies in its source. */
export interface Coordinates extends TopicPartition {
  readonly offset: number;
}

/** A message before it has its place: as it is handed in. */
export interface Message {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Header values as bytes; a repeated header keeps its last value. Empty when none. */
  readonly headers: Readonly<Record<string, Uint8Array>>;
  /** The time of the message, milliseconds since the Unix epoch: the producer's, unless `timestamp_is_brokers`. */
  readonly timestamp_ms: number;
  /** Whether the broker set the time when it took the message (LogAppendTime). Absent where that is not known. */
  readonly timestamp_is_brokers?: boolean;
}

/** The headers of a message that has none. */
export const NO_HEADERS: Message["headers"] = Object.freeze({});

/** One message as its source delivered it. */
export interface SourceMessage extends Message, Coordinates {}
