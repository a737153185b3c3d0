import { canonical_json, type Fault } from "../domains/mod.ts";
import { type FileOptions, type FileRow, open_record_file, type RecordFile } from "../files/mod.ts";
import { detect, field_of, type MappingContext, type MappingForm, type SourceRecord } from "../mapping/mod.ts";
import { printable, printable_json } from "../runtime/mod.ts";
import { builtin_mappings, definition_of } from "./mappings.ts";
import { lookup_of, read_lookups } from "./lookups.ts";
import { other_records, record_reading } from "./replay_mapping.ts";
import { type Shell, UsageError } from "./shell.ts";

/** `tacho mapping list`: the built-in mappings, with the fields by which each knows its records. */
export function mapping_list_verb(): Promise<void> {
  for (const { name, form, wants } of builtin_mappings()) {
    console.log(`${name}\n  ${form.about}\n  fields: ${wants}`);
    for (const [table, { key }] of Object.entries(form.lookups ?? {})) {
      console.log(`  --lookup ${table}=FILE: by ${key}`);
    }
  }
  return Promise.resolve();
}

/** `tacho mapping show`: the JSON of a built-in mapping, to begin one's own from. */
export function mapping_show_verb(name: string): Promise<void> {
  const builtin = builtin_mappings().find((each) => each.name === name);
  if (builtin === undefined) {
    const names = builtin_mappings().map((each) => each.name).join(", ");
    throw new UsageError(`mapping show: expected one of ${names}, got ${JSON.stringify(name)}`);
  }
  console.log(builtin.json);
  return Promise.resolve();
}

/** Options of `tacho mapping check`, as the command line gives them. */
export interface MappingCheckOptions extends FileOptions {
  readonly sample: string;
  readonly first?: number;
  /** `name=file` or `name=file:column`. */
  readonly lookup: readonly string[];
}

/** How many of the first records are looked at to tell a built-in mapping. */
const TELLING = 100;

/**
 * `tacho mapping check`: what comes out of a sample, row by row as JSON: its events, or what would be quarantined and why. Nothing is
 * sent. Throws UsageError for a faulty mapping.
 */
export async function mapping_check_verb(
  { config, signal }: Shell,
  name_or_file: string | undefined,
  options: MappingCheckOptions,
): Promise<void> {
  const deployment = { business_zone: config.time_zone, currency: config.currency };
  const sample = await open_record_file(options.sample, options);
  const form = name_or_file === undefined ? await detected(sample, deployment) : definition_of(name_or_file);
  const lookups = await read_lookups(options.lookup.map(lookup_of), [form]);
  const reading = record_reading(form, config, { ...deployment, lookups });
  let rows = 0, faulty = 0;
  const made: Record<string, number> = {};
  for await (const { line, ...row } of rows_of(sample)) {
    if (rows >= (options.first ?? Infinity)) break;
    signal.throwIfAborted();
    rows++;
    const events = row.record === null ? { ok: false as const, fault: row.fault } : reading.events_of(row.record, line);
    if (events.ok) {
      for (const { type } of events.value) made[String(type)] = (made[String(type)] ?? 0) + 1;
      const made_of_row = events.value.map((event) => canonical_json(event)).join(",");
      console.log(printable_json(`{"row":${rows},"events":[${made_of_row}]}`));
    } else {
      faulty++;
      console.log(printable_json(`{"row":${rows},"fault":${fault_json(events.fault, row.record ?? {})}}`));
    }
  }
  const events = Object.entries(made).map(([type, count]) => `${count} ${type}`).join(", ");
  console.error(
    `${printable(form.name)}: ${rows} rows, ${rows - faulty} mapped (${events || "no events"}), ${faulty} faulty`,
  );
}

const fault_json = ({ reason, path, detail }: Fault, record: SourceRecord): string => {
  const value = path === null ? null : field_of(path).get(record);
  return canonical_json({ field: path, value, expected: detail.replace(/^expected /, ""), reason });
};

async function* rows_of(file: RecordFile): AsyncGenerator<FileRow> {
  for await (const { rows } of file.rows()) yield* rows;
}

async function detected(sample: RecordFile, context: MappingContext): Promise<MappingForm> {
  const records: SourceRecord[] = [];
  for await (const { record } of rows_of(sample)) {
    if (record !== null && records.push(record) >= TELLING) break;
  }
  const found = detect(builtin_mappings(), records, context);
  if (!found.ok) {
    throw new UsageError(
      `mapping check: ${JSON.stringify(sample.path)}: ${found.fault.detail}${other_records(sample)}`,
    );
  }
  console.error(`${printable(sample.path)}: these are records of the built-in mapping ${found.value.name}`);
  return found.value.form;
}
