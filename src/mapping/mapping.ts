import type { Validation } from "../domains/mod.ts";

/**
 * A record as its file or message has it: CSV and Parquet columns or JSON members, by name. Blank means unknown. A time is text or a
 * number; a `Date` is taken for the instant it is, so what reads a file whose times have no zone gives them as text without zone.
 */
export type SourceRecord = Readonly<Record<string, unknown>>;

/** An event in bare JSON, as a producer could have sent it: envelope names and data flattened. */
export type BareEvent = Readonly<Record<string, unknown>>;

/** The names of bare JSON that are no data, beside that of the id of its stream. */
export const BARE_NAMES: ReadonlySet<string> = new Set([
  "event_id",
  "type",
  "occurred_at",
  "schema_version",
  "correlation_id",
  "causation_id",
]);

/** Turns records of one shape into events. Pure: the same record gives the same events with the same ids. */
export interface Mapping {
  /** What it is chosen by. */
  readonly name: string;
  /**
   * The events of one record, in the order of their times; none: the mapping skips the record on purpose. Or what is wrong with the record
   * and where.
   */
  readonly map: (record: SourceRecord) => Validation<readonly BareEvent[]>;
}

/** A named table, by the text of its key column: what a mapping enriches records from. Its rows may change between two records. */
export type Lookup = Pick<ReadonlyMap<string, SourceRecord>, "get">;

/** What a mapping is made for. */
export interface MappingContext {
  /** The IANA time zone that `"zone": "business"` means. */
  readonly business_zone: string;
  /** The currency of the deployment, whose sign or code an amount may have, and no other's; absent: any. */
  readonly currency?: string;
  /** The decimal mark of the texts, where it is known better than by the mapping. */
  readonly decimal?: "." | ",";
  /** The tables that are there, by name; one that the mapping does not require may lack, and its fields are unknown then. */
  readonly lookups?: ReadonlyMap<string, Lookup>;
}

/** Where a value of an event came from. */
export interface SourceField {
  readonly field: string;
  readonly value: unknown;
}

/** A mapping made from its JSON. */
export interface DeclaredMapping extends Mapping {
  /** What is around the JSON of its messages; null: nothing. */
  readonly framing: "schema_registry" | "connect" | null;
  /** Whether it reads more of a message than its value: only then a record is given its message. */
  readonly reads_message: boolean;
  /** The names in events' data whose values come from tables, as far as they have them; null: none do. */
  readonly enriched: ReadonlySet<string> | null;
  /** The columns of a message that is one CSV line; null when it takes JSON alone. */
  readonly columns: readonly string[] | null;
  /** Whether rows of one file that come to one stream id are different streams all the same, told apart by their number among their equals. */
  readonly number_equal_rows: boolean;
  /** The field of the record that a field of an event was read from (the id of its stream, `occurred_at` or a name in data); null when none was. */
  readonly source_of: (record: SourceRecord, event_type: string, event_field: string) => SourceField | null;
}
