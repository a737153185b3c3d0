import { trips_domain } from "../domains/trips/mod.ts";
import { open_record_file, type RecordFile } from "../files/mod.ts";
import { decode_record } from "../ingest/mod.ts";
import {
  type DeclaredMapping,
  detect,
  index_lookup,
  type Lookup,
  type MappingContext,
  type MappingForm,
  type SourceRecord,
} from "../mapping/mod.ts";
import type { RecordReading } from "../replay/mod.ts";
import { type Config, system_clock } from "../runtime/mod.ts";
import { builtin_mappings, definition_of, mapping_of } from "./mappings.ts";
import { decode_limits } from "./open.ts";
import { UsageError } from "./shell.ts";

/** A table that mappings enrich records from, as the command line names it. */
export interface LookupFile {
  readonly name: string;
  readonly file: string;
  /** The column of its keys; null: the one that the mapping declares. */
  readonly key: string | null;
}

/** A table is in memory as a whole. */
const LOOKUP_ROWS = 2_000_000;

/** Reads `name=file` or `name=file:column`; a column has no slash in it, a path may have colons. Throws UsageError. */
export function lookup_of(text: string): LookupFile {
  const [, name, file, key = null] = /^([^=]+)=(.+?)(?::([^:/\\]+))?$/s.exec(text) ?? [];
  if (name === undefined || file === undefined) {
    throw new UsageError(`--lookup: expected name=file or name=file:column, got ${JSON.stringify(text)}`);
  }
  return { name, file, key };
}

/**
 * Reads the tables whole: at most 2,000,000 rows each.
 * @param forms the mappings that may read them; a table has to be declared by one of them, and where its column is left out all that declare
 *   it have to agree on one
 * @throws UsageError for a table that no mapping has, that lacks its key or is too large, FileError for one that cannot be read
 */
export async function read_lookups(
  files: readonly LookupFile[],
  forms: readonly MappingForm[],
): Promise<ReadonlyMap<string, Lookup>> {
  const lookups = new Map<string, Lookup>();
  for (const { name, file, key: given } of files) {
    const wrong = (expected: string) => new UsageError(`--lookup ${name}=${file}: ${expected}`);
    if (lookups.has(name)) throw wrong(`expected the table ${name} once`);
    const [declared, ...others] = declared_keys(name, forms);
    if (declared === undefined) throw wrong(`expected a table of the mapping (${tables_of(forms) || "it has none"})`);
    if (given === null && others.length > 0) {
      throw wrong(`expected ${name}=file:column, as mappings have it by ${[declared, ...others].join(" and by ")}`);
    }
    const key = given ?? declared;
    const rows: SourceRecord[] = [];
    for await (const batch of (await open_record_file(file)).rows()) {
      for (const row of batch.rows) {
        if (row.record === null) throw wrong(`line ${row.line}: ${row.fault.detail}`);
        if (!Object.hasOwn(row.record, key)) {
          const columns = Object.keys(row.record).join(", ").slice(0, 500);
          throw wrong(`expected the column ${JSON.stringify(key)}, got ${columns}`);
        }
        rows.push(row.record);
      }
      if (rows.length > LOOKUP_ROWS) throw wrong(`expected at most ${LOOKUP_ROWS} rows`);
    }
    lookups.set(name, index_lookup(rows, key));
  }
  return lookups;
}

/** The columns by which mappings look up in a table, each once; none where no mapping has the table. */
const declared_keys = (name: string, forms: readonly MappingForm[]): string[] => [
  ...new Set(
    forms.flatMap(({ lookups = {} }) => Object.hasOwn(lookups, name) ? [lookups[name]!.key] : []),
  ),
];
const tables_of = (forms: readonly MappingForm[]): string =>
  [...new Set(forms.flatMap(({ lookups = {} }) => Object.keys(lookups)))].join(", ");

/** Records that are trip events already, bare or as CloudEvents: they go as they stand. */
const TRIP_EVENT: RecordReading = {
  name: "trip_event",
  number_equal_rows: false,
  events_of: (record) => ({ ok: true, value: [record] }),
};
const is_trip_event = (record: SourceRecord): boolean =>
  ["specversion", "event_id"].some((name) => Object.hasOwn(record, name)) && Object.hasOwn(record, "type");

/** Whether a mapping of this name comes with the program. */
export const is_builtin = (name: string): boolean =>
  name === TRIP_EVENT.name || builtin_mappings().some((each) => each.name === name);

/** The definitions that a record may be read by: of what is named, else of all built-in mappings. Throws UsageError and InvalidMapping. */
export const forms_of = (name: string | undefined): readonly MappingForm[] =>
  name === undefined
    ? builtin_mappings().map(({ form }) => form)
    : name === TRIP_EVENT.name
    ? []
    : [definition_of(name)];

/** The reading of what is named: a built-in mapping, or a file with a definition. Throws UsageError and InvalidMapping. */
export const named_reading = (name: string, config: Config, context: MappingContext): RecordReading =>
  name === TRIP_EVENT.name ? TRIP_EVENT : record_reading(mapping_of(definition_of(name), context), config);

/** Where else the records of a file that no mapping fits may be, in words. */
export const other_records = ({ other_lists }: RecordFile): string =>
  other_lists.length === 0
    ? ""
    : `\nIts first document has lists of objects at ${other_lists.join(", ")}: --records ${other_lists[0]} reads those`;

/** The reading by the built-in mapping that the records of a file look made for, by their columns and values. Throws UsageError. */
export function detected_reading(
  file: RecordFile,
  sample: readonly SourceRecord[],
  config: Config,
  context: MappingContext,
): RecordReading {
  // Without records there is nothing to map, only faults to tell.
  if (sample.every(is_trip_event)) return TRIP_EVENT;
  const found = detect(builtin_mappings(), sample, context);
  if (!found.ok) {
    throw new UsageError(`replay: ${JSON.stringify(file.path)}: ${found.fault.detail}${other_records(file)}`);
  }
  return record_reading(mapping_of(found.value.form, context), config);
}

/** What an event's JSON may have beyond its data: ids, type and time, escaped. */
const ENVELOPE_CHARACTERS = 8_000;

/** Records through a mapping, each with all that decoding asks of its events by now. */
export function record_reading(mapping: DeclaredMapping, config: Config): RecordReading {
  const domain = trips_domain({ currency: config.currency });
  const limits = decode_limits(config);
  const encoder = new TextEncoder();
  return {
    name: mapping.name,
    number_equal_rows: mapping.number_equal_rows,
    events_of: (record, line) => {
      const read_ms = system_clock.now_ms();
      const taken = { offset: line, timestamp_ms: read_ms };
      const events = decode_record(domain, { ...limits, read_ms }, "replay", 0, taken, mapping, record);
      if (!events.ok) return events;
      for (const { bare, decoded } of events.value) {
        // A character of data comes to three bytes at most.
        if (decoded.event.data.length * 3 + ENVELOPE_CHARACTERS <= limits.max_message_bytes) continue;
        const size = encoder.encode(JSON.stringify(bare)).length;
        if (size <= limits.max_message_bytes) continue;
        const detail = `expected events of at most ${limits.max_message_bytes} bytes, got ${size} of ${bare.type}`;
        return { ok: false, fault: { reason: "too_large", path: null, detail } };
      }
      return { ok: true, value: events.value.map(({ bare }) => bare) };
    },
  };
}
