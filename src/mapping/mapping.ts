import type { Validation } from "../domains/mod.ts";

/** A record as its file or message has it: CSV and Parquet columns or JSON members, by name. Blank means unknown. */
export type SourceRecord = Readonly<Record<string, unknown>>;

/** A trip event in bare JSON, as a producer could have sent it: envelope names and data flattened. */
export type BareEvent = Readonly<Record<string, unknown>>;

/** Turns records of one shape into trip events. Pure: the same record gives the same events with the same ids. */
export interface Mapping {
  /** What it is chosen by. */
  readonly name: string;
  /** The events of one record, at least one, in the order of their times; or what is wrong with the record and where. */
  readonly map: (record: SourceRecord) => Validation<readonly BareEvent[]>;
}
