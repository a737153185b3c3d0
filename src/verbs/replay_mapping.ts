import { open_record_file } from "../files/mod.ts";
import {
  detect,
  index_lookup,
  type Lookup,
  type Mapping,
  type MappingContext,
  type SourceRecord,
} from "../mapping/mod.ts";
import { builtin_mappings, definition_of, mapping_of } from "./mappings.ts";
import { UsageError } from "./shell.ts";

/** A table that mappings enrich records from, as the command line names it. */
export interface LookupFile {
  readonly name: string;
  readonly file: string;
  readonly key: string;
}

/** A table is in memory as a whole. */
const LOOKUP_ROWS = 2_000_000;

/** Reads `name=file:keycolumn`; throws UsageError. */
export function lookup_of(text: string): LookupFile {
  const [, name, file, key] = /^([^=]+)=(.+):([^:]+)$/.exec(text) ?? [];
  if (name === undefined || file === undefined || key === undefined) {
    throw new UsageError(`replay: expected --lookup name=file:keycolumn, got ${JSON.stringify(text)}`);
  }
  return { name, file, key };
}

/** Reads the tables. Throws UsageError for one that lacks its key or is too large, FileError for one that cannot be read. */
export async function read_lookups(files: readonly LookupFile[]): Promise<ReadonlyMap<string, Lookup>> {
  const lookups = new Map<string, Lookup>();
  for (const { name, file, key } of files) {
    const wrong = (expected: string) =>
      new UsageError(`replay: lookup ${name} from ${JSON.stringify(file)}: ${expected}`);
    const rows: SourceRecord[] = [];
    for await (const batch of (await open_record_file(file)).rows()) {
      for (const row of batch.rows) {
        if (row.record === null) throw wrong(`line ${row.line}: ${row.fault.detail}`);
        if (!Object.hasOwn(row.record, key)) {
          throw wrong(`expected the column ${JSON.stringify(key)}, got ${Object.keys(row.record).join(", ")}`);
        }
        rows.push(row.record);
      }
      if (rows.length > LOOKUP_ROWS) throw wrong(`expected at most ${LOOKUP_ROWS} rows`);
    }
    lookups.set(name, index_lookup(rows, key));
  }
  return lookups;
}

/** Records that are trip events already, bare or as CloudEvents: they go as they stand. */
const TRIP_EVENT: Mapping = { name: "trip_event", map: (record) => ({ ok: true, value: [record] }) };
const is_trip_event = (record: SourceRecord): boolean =>
  ["specversion", "event_id"].some((name) => Object.hasOwn(record, name)) && Object.hasOwn(record, "type");

/** Whether a mapping of this name comes with the program. */
export const is_builtin = (name: string): boolean =>
  name === TRIP_EVENT.name || builtin_mappings().some((each) => each.name === name);

/** The mapping that is named: a built-in one, or a file with its definition. Throws UsageError and InvalidMapping. */
export const named_mapping = (name: string, context: MappingContext): Mapping =>
  name === TRIP_EVENT.name ? TRIP_EVENT : mapping_of(definition_of(name), context);

/** The built-in mapping that records look made for, by their columns and values. Throws UsageError. */
export function detected_mapping(path: string, sample: readonly SourceRecord[], context: MappingContext): Mapping {
  // Without records there is nothing to map, only faults to tell.
  if (sample.every(is_trip_event)) return TRIP_EVENT;
  const found = detect(builtin_mappings(), sample, context);
  if (!found.ok) throw new UsageError(`replay: ${JSON.stringify(path)}: ${found.fault.detail}`);
  return mapping_of(found.value.form, context);
}
