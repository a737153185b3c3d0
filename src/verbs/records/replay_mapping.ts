import {
  type DeclaredDomain,
  event_fields,
  ExactNumber,
  type Fault,
  type FieldType,
  is_blank,
  JsonFault,
  parse_record_json,
} from "../../domains/mod.ts";
import type { RecordFile } from "../../files/mod.ts";
import { decode_message, decode_record, NO_HEADERS } from "../../ingest/mod.ts";
import { format_time, local_clock, parse_time } from "../../kpi/mod.ts";
import {
  any_spelling,
  type BareEvent,
  detect,
  field_of,
  iso_time,
  type MappingContext,
  type MappingForm,
  number_reading,
  type NumberReading,
  RecordFault,
  type SourceRecord,
} from "../../mapping/mod.ts";
import type { RecordReading } from "../../replay/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { builtin_mappings, definition_of, mapping_of } from "./mappings.ts";
import { decode_limits } from "../open.ts";
import { lookup_of, read_lookups } from "./lookups.ts";
import { type Shell, UsageError } from "../shell.ts";

/** What events of a domain may say in their data, by how it is written. */
interface DataNames {
  readonly amounts: readonly string[];
  readonly numbers: readonly string[];
  readonly times: readonly string[];
}

function data_names({ event_types, fields }: DeclaredDomain): DataNames {
  const all = event_types.flatMap((type) => event_fields(fields, type));
  const named = (kind: FieldType["shown"]) => [
    ...new Set(all.flatMap(({ name, type }) => type.shown === kind ? [name] : [])),
  ];
  return { amounts: named("amount"), numbers: named("number"), times: named("time") };
}

/** The micros of an amount of any size and sign; null where there is none to read. */
function micros_of({ money }: NumberReading, value: unknown, field: string, per: number): bigint | null {
  try {
    return BigInt(money(value, field, per).replace(".", ""));
  } catch (error) {
    if (error instanceof RecordFault) return null;
    throw error;
  }
}

/** Which fields of a record a mapping reads as amounts, and how many of their unit make one of the currency. */
function amounts_of({ events }: MappingForm, named: readonly string[]): ReadonlyMap<string, number> {
  const amounts = new Map<string, number>();
  const take = (name: string, value: unknown): void => {
    if (Array.isArray(value)) { for (const each of value) take(name, each); }
    else if (typeof value === "object" && value !== null && "from" in value && Array.isArray(value.from)) {
      const { as, per } = value as { readonly as?: unknown; readonly per?: unknown };
      if (as !== "money" && !(as === undefined && named.includes(name))) return;
      for (const field of value.from) {
        if (typeof field === "string") amounts.set(field, typeof per === "number" ? per : 1);
      }
    }
  };
  for (const { data } of events) for (const [name, value] of Object.entries(data)) take(name, value);
  return amounts;
}

/** What reads events of a domain that need no mapping. */
const own_event = ({ noun }: DeclaredDomain): string => `${noun}_event`;

/** How the texts of events in files are to be read. */
interface FileTexts extends Pick<MappingContext, "decimal" | "currency"> {
  /** The zone of times that state none, where the command line names one: else they are refused. */
  readonly zone: string | undefined;
}

/**
 * Records that are events of the domain already, bare or as CloudEvents. They go as they stand but for what files cannot say as the contract has it:
 * CSV has text for numbers, a column of text for the data of CloudEvents or a column for each (`data.tip`); binary floats have more
 * decimals than amounts may have, times of Parquet and of pandas often no zone, others one as `+0000` or ` UTC`.
 */
export function event_reading(domain: DeclaredDomain, { decimal, currency, zone }: FileTexts): RecordReading {
  const { amounts, numbers: plain, times } = data_names(domain);
  const numbers = number_reading({ decimal: decimal ?? null, currency: currency ?? null });
  const clock = zone === undefined ? null : local_clock(zone);
  const time = (value: unknown): unknown => {
    if (typeof value !== "string") return value;
    const text = value.trim();
    if (parse_time(text).ok) return text;
    const read = iso_time(text);
    if (read === null) return text;
    const at_us = read.ahead_us === null ? clock?.(read.local_us) ?? null : read.local_us - read.ahead_us;
    return at_us === null ? text : format_time(at_us);
  };
  const amount = (value: unknown, field: string): unknown => {
    const text = typeof value === "string" ? value.trim() : value instanceof ExactNumber ? value.text : String(value);
    if (AMOUNT.test(text)) return typeof value === "string" ? text : value;
    return numbers.money(value, field, 1);
  };
  const is_given = (value: unknown) => !is_blank(value) && typeof value !== "object" || value instanceof ExactNumber;
  /** Replaces what has to be read, in place. */
  const read_data = (data: Record<string, unknown>): void => {
    for (const field of amounts) if (is_given(data[field])) data[field] = amount(data[field], field);
    for (const field of plain) {
      if (typeof data[field] === "string" && is_given(data[field])) data[field] = numbers.number(data[field], field);
    }
    for (const field of times) data[field] === undefined || (data[field] = time(data[field]));
  };
  const events_of = (record: SourceRecord): BareEvent => {
    const event: Record<string, unknown> = { ...record };
    for (const name of ["occurred_at", "time"]) if (event[name] !== undefined) event[name] = time(event[name]);
    if (!Object.hasOwn(event, "specversion")) {
      read_data(event);
      return event;
    }
    const data = cloud_data(event);
    if (data !== null) {
      read_data(data);
      event.data = data;
    }
    return event;
  };
  return {
    name: own_event(domain),
    domain,
    number_equal_rows: false,
    events_of: (record) => {
      try {
        return { ok: true, value: [events_of(record)] };
      } catch (error) {
        if (error instanceof RecordFault) return { ok: false, fault: { ...error.fault, reason: "invalid_field" } };
        if (error instanceof JsonFault) {
          return { ok: false, fault: { reason: error.reason, path: "data", detail: error.message } };
        }
        throw error;
      }
    },
    amount_of: (record, field) => {
      if (!amounts.includes(field)) return null;
      const { data } = record;
      const value = typeof data === "object" && data !== null && Object.hasOwn(data, field)
        ? (data as SourceRecord)[field]
        : record[`data.${field}`] ?? record[field];
      return micros_of(numbers, value, field, 1);
    },
  };
}

/** Where records of files lie, as far as decoding tells. */
const FILE = { topic: "replay", partition: 0 };

/** What would be wrong with an event on arrival; null when nothing would. */
function event_fault({ config, domain: declared }: Shell): (event: BareEvent) => Fault | null {
  const domain = declared.make({ currency: config.currency });
  const encoder = new TextEncoder();
  return (event) => {
    const read_ms = system_clock.now_ms();
    const value = encoder.encode(JSON.stringify(event));
    const message = { ...FILE, offset: 0, key: null, value, headers: NO_HEADERS, timestamp_ms: read_ms };
    const outcome = decode_message(domain, { ...decode_limits(config), read_ms }, message);
    return "fault" in outcome ? outcome.fault : null;
  };
}

/** An amount as the contract has it. */
const AMOUNT = /^\d{1,13}(?:\.\d{1,6})?$/;
const DATA_COLUMN = "data.";

/** The data of a CloudEvent, to be changed: an object, text that says one, or columns of their own, which are taken out; null for none. */
function cloud_data(event: Record<string, unknown>): Record<string, unknown> | null {
  const { data } = event;
  if (typeof data === "object" && data !== null && !Array.isArray(data)) return { ...data };
  const said = typeof data === "string" && data.trim().startsWith("{") ? parse_record_json(data) : null;
  if (said !== null) return said as Record<string, unknown>;
  const columns = Object.keys(event).filter((name) => name.startsWith(DATA_COLUMN));
  if (columns.length === 0) return null;
  const gathered: Record<string, unknown> = {};
  for (const column of columns) {
    gathered[column.slice(DATA_COLUMN.length)] = event[column];
    delete event[column];
  }
  return gathered;
}

const has = (record: SourceRecord, name: string): boolean => Object.hasOwn(record, name);
const is_event = (record: SourceRecord): boolean =>
  (has(record, "specversion") || has(record, "event_id")) && has(record, "type");

/** What events have at least, bare and as CloudEvents. */
const bare_names = ({ stream_column }: DeclaredDomain) => ["event_id", stream_column, "type", "occurred_at"];
const CLOUD = ["specversion", "id", "source", "type", "time"];

/** What records lack that look like events of the domain; null for others. */
function envelope_fault(domain: DeclaredDomain, sample: readonly SourceRecord[]): string | null {
  const bare = bare_names(domain);
  const there = (name: string) => sample.some((record) => has(record, name));
  const spelled = new Map(Object.keys(sample[0] ?? {}).map((name) => [any_spelling(name), name]));
  for (const names of [CLOUD, bare]) {
    const got = names.map((name) => spelled.get(any_spelling(name)));
    if (names.every(there) || got.includes(undefined)) continue;
    return `expected the names of events as they are spelled, ${names.join(", ")}; got ${got.join(", ")}`;
  }
  const form = there("specversion") ? CLOUD : bare;
  if (form === bare && !((there("event_id") || there("occurred_at")) && bare.filter(there).length > 1)) return null;
  const lacking = form.filter((name) => !sample.every((record) => has(record, name)));
  const what = form === CLOUD ? "CloudEvents" : `${domain.noun} events`;
  return lacking.length === 0
    ? null
    : `these look like ${what}, but lack ${lacking.join(" and ")}: expected ${form.join(", ")} in each`;
}

/** Whether a mapping of this name comes with the program. */
export const is_builtin = (domain: DeclaredDomain, name: string): boolean =>
  name === own_event(domain) || builtin_mappings(domain).some((each) => each.name === name);

/** By what records of files are read, as the command line says it. */
export interface ReadingOptions {
  /** A built-in mapping or a file with one, for all files; absent: each file's records tell. */
  readonly mapping?: string | undefined;
  /** Tables for mappings: `name=file` or `name=file:column`. */
  readonly lookup: readonly string[];
  /** The zone of times that state none, in place of the business zone. */
  readonly zone?: string | undefined;
  readonly decimal?: "point" | "comma" | undefined;
}

/** How the records of a file are read. */
interface ChosenReading {
  readonly reading: RecordReading;
  /** The definition of its mapping; null for events as they are, which need none. */
  readonly form: MappingForm | null;
  readonly context: MappingContext;
}

/**
 * Reads the mapping that is named, and the tables.
 * @returns chooses how a file's records are read. Throws UsageError where nothing fits, or a table is lacking
 * @throws UsageError, InvalidMapping, and FileError for a table that cannot be read
 */
export async function choose_readings(
  shell: Shell,
  { mapping, lookup, zone, decimal }: ReadingOptions,
): Promise<(file: RecordFile) => Promise<ChosenReading>> {
  const { config, domain } = shell;
  const named = mapping === undefined
    ? undefined
    : mapping === own_event(domain)
    ? null
    : definition_of(domain, mapping);
  const forms = named === undefined ? builtin_mappings(domain).map(({ form }) => form) : named === null ? [] : [named];
  const context: MappingContext = {
    business_zone: zone ?? config.time_zone,
    currency: config.currency,
    lookups: await read_lookups(lookup.map(lookup_of), forms),
    ...(decimal === undefined ? {} : { decimal: decimal === "comma" ? "," : "." }),
  };
  return async (file) => {
    const form = named === undefined ? await detected_form(shell, file, context) : named;
    const reading = form === null
      ? { ...event_reading(domain, { ...context, zone }), fault_of: event_fault(shell) }
      : record_reading(shell, form, context);
    return { reading, form, context };
  };
}

/** Rows of a file that its mapping is chosen by. */
const SAMPLE = 100;

/** The first records of a file. */
async function first_records(file: RecordFile, signal: AbortSignal): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  for await (const { rows } of file.rows()) {
    signal.throwIfAborted();
    for (const { record } of rows) {
      if (record !== null) records.push(record);
      if (records.length === SAMPLE) return records;
    }
  }
  return records;
}

/** The definition of the built-in mapping that the records of a file look made for, by their columns and values; null for events as they are. Throws UsageError. */
async function detected_form(
  { domain, signal }: Shell,
  file: RecordFile,
  context: MappingContext,
): Promise<MappingForm | null> {
  const sample = await first_records(file, signal);
  // Without records there is nothing to map, only faults to tell; one that is none among many is refused by itself.
  if (sample.filter(is_event).length * 2 >= sample.length) return null;
  const found = detect(builtin_mappings(domain), sample, context);
  if (found.ok) return found.value.form;
  const quoted = JSON.stringify(file.path);
  const fault = envelope_fault(domain, sample);
  if (fault !== null) throw new UsageError(`${quoted}: ${fault}`);
  const { other_lists: [list], other_lists: lists } = file;
  const elsewhere = list === undefined
    ? ""
    : `\n  its first document has lists of objects at ${lists.join(", ")}: --records ${list} reads those`;
  const how =
    "\n  `tacho mapping list` names the built-in ones; to write your own, begin with `tacho mapping show NAME > own.json`" +
    ` and see what it makes of the file: tacho mapping check own.json --sample ${quoted}`;
  throw new UsageError(`${quoted}: ${found.fault.detail}${elsewhere}${how}`);
}

/** What an event's JSON may have beyond its data: ids, type and time, escaped. */
const ENVELOPE_CHARACTERS = 8_000;

/** Records through a mapping, each with all that decoding asks of its events by now. Throws UsageError where a table is lacking. */
function record_reading(
  { config, domain: declared }: Shell,
  form: MappingForm,
  context: MappingContext,
): RecordReading {
  const mapping = mapping_of(form, context);
  const domain = declared.make({ currency: config.currency });
  const limits = decode_limits(config);
  const encoder = new TextEncoder();
  const amounts = amounts_of(form, data_names(declared).amounts);
  const numbers = number_reading({
    decimal: context.decimal ?? form.decimal ?? null,
    currency: context.currency ?? null,
  });
  return {
    name: mapping.name,
    zone: form.zone === "business" ? undefined : form.zone,
    domain: declared,
    number_equal_rows: mapping.number_equal_rows,
    events_of: (record, line) => {
      const read_ms = system_clock.now_ms();
      const taken = { ...FILE, offset: line, timestamp_ms: read_ms };
      const events = decode_record(domain, { ...limits, read_ms }, taken, mapping, record);
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
    amount_of: (record, field) => {
      const per = amounts.get(field);
      if (per === undefined) return null;
      const is_it = (name: string) => form.any_spelling === true && any_spelling(name) === any_spelling(field);
      const name = Object.hasOwn(record, field) ? field : Object.keys(record).find(is_it) ?? field;
      return micros_of(numbers, field_of(name).get(record), field, per);
    },
  };
}
