import { ExactNumber, is_blank, JsonFault, parse_record_json } from "../domains/mod.ts";
import { trips_domain } from "../domains/trips/mod.ts";
import type { RecordFile } from "../files/mod.ts";
import { decode_record } from "../ingest/mod.ts";
import { format_time, local_clock, parse_time } from "../kpi/mod.ts";
import {
  type BareEvent,
  detect,
  field_of,
  type MappingContext,
  type MappingForm,
  number_reading,
  type NumberReading,
  RecordFault,
  type SourceRecord,
} from "../mapping/mod.ts";
import type { RecordReading } from "../replay/mod.ts";
import { type Config, system_clock } from "../runtime/mod.ts";
import { builtin_mappings, definition_of, mapping_of } from "./mappings.ts";
import { decode_limits } from "./open.ts";
import { UsageError } from "./shell.ts";

/** The data of a trip event that are amounts. */
const AMOUNTS = ["fare", "tip", "estimated_fare"];

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
function amounts_of({ events }: MappingForm): ReadonlyMap<string, number> {
  const amounts = new Map<string, number>();
  const take = (name: string, value: unknown): void => {
    if (Array.isArray(value)) { for (const each of value) take(name, each); }
    else if (typeof value === "object" && value !== null && "from" in value && Array.isArray(value.from)) {
      const { as, per } = value as { readonly as?: unknown; readonly per?: unknown };
      if (as !== "money" && !(as === undefined && AMOUNTS.includes(name))) return;
      for (const field of value.from) {
        if (typeof field === "string") amounts.set(field, typeof per === "number" ? per : 1);
      }
    }
  };
  for (const { data } of events) for (const [name, value] of Object.entries(data)) take(name, value);
  return amounts;
}

/** The data of a trip event that are numbers, and that are times. */
const NUMBERS = [
  "distance_km",
  "duration_min",
  "passenger_count",
  "pickup_lat",
  "pickup_lon",
  "dropoff_lat",
  "dropoff_lon",
];
const TIMES = ["estimated_dropoff_at"];

const TRIP_EVENT = "trip_event";

/** How the texts of trip events in files are to be read. */
export interface FileTexts extends Pick<MappingContext, "decimal" | "currency"> {
  /** The zone of times that state none, where the command line names one: else they are refused. */
  readonly zone: string | undefined;
}

/**
 * Records that are trip events already, bare or as CloudEvents. They go as they stand but for what files cannot say as the contract has it:
 * CSV has text for numbers, a column of text for the data of CloudEvents or a column for each (`data.fare`); binary floats have more
 * decimals than amounts may have, and times of Parquet and of pandas often no zone.
 */
export function trip_event_reading({ decimal, currency, zone }: FileTexts): RecordReading {
  const numbers = number_reading({ decimal: decimal ?? null, currency: currency ?? null });
  const clock = zone === undefined ? null : local_clock(zone);
  const time = (value: unknown): unknown => {
    if (typeof value !== "string") return value;
    const text = value.trim();
    const parsed = parse_time(text);
    if (parsed.ok || parsed.why !== "without_zone" || clock === null) return text;
    const local = parse_time(`${text}Z`);
    const at_us = local.ok ? clock(local.us) : null;
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
    for (const field of AMOUNTS) if (is_given(data[field])) data[field] = amount(data[field], field);
    for (const field of NUMBERS) {
      if (typeof data[field] === "string" && is_given(data[field])) data[field] = numbers.number(data[field], field);
    }
    for (const field of TIMES) data[field] === undefined || (data[field] = time(data[field]));
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
    name: TRIP_EVENT,
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
      if (!AMOUNTS.includes(field)) return null;
      const { data } = record;
      const value = typeof data === "object" && data !== null && Object.hasOwn(data, field)
        ? (data as SourceRecord)[field]
        : record[`data.${field}`] ?? record[field];
      return micros_of(numbers, value, field, 1);
    },
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

const is_trip_event = (record: SourceRecord): boolean =>
  ["specversion", "event_id"].some((name) => Object.hasOwn(record, name)) && Object.hasOwn(record, "type");

/** Whether a mapping of this name comes with the program. */
export const is_builtin = (name: string): boolean =>
  name === TRIP_EVENT || builtin_mappings().some((each) => each.name === name);

/** The definitions that a record may be read by: of what is named, else of all built-in mappings. Throws UsageError and InvalidMapping. */
export const forms_of = (name: string | undefined): readonly MappingForm[] =>
  name === undefined ? builtin_mappings().map(({ form }) => form) : name === TRIP_EVENT ? [] : [definition_of(name)];

/** The reading of what was named, a mapping's definition or none for trip events. Throws UsageError where a table is lacking. */
export const named_reading = (
  [form]: readonly MappingForm[],
  config: Config,
  context: MappingContext,
  zone: string | undefined,
): RecordReading =>
  form === undefined ? trip_event_reading({ ...context, zone }) : record_reading(form, config, context);

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
  zone: string | undefined,
): RecordReading {
  // Without records there is nothing to map, only faults to tell.
  if (sample.every(is_trip_event)) return trip_event_reading({ ...context, zone });
  const found = detect(builtin_mappings(), sample, context);
  if (!found.ok) {
    throw new UsageError(`replay: ${JSON.stringify(file.path)}: ${found.fault.detail}${other_records(file)}`);
  }
  return record_reading(found.value.form, config, context);
}

/** What an event's JSON may have beyond its data: ids, type and time, escaped. */
const ENVELOPE_CHARACTERS = 8_000;

/** Records through a mapping, each with all that decoding asks of its events by now. Throws UsageError where a table is lacking. */
export function record_reading(form: MappingForm, config: Config, context: MappingContext): RecordReading {
  const mapping = mapping_of(form, context);
  const domain = trips_domain({ currency: config.currency });
  const limits = decode_limits(config);
  const encoder = new TextEncoder();
  const amounts = amounts_of(form);
  const numbers = number_reading({
    decimal: context.decimal ?? form.decimal ?? null,
    currency: context.currency ?? null,
  });
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
    amount_of: (record, field) => {
      const per = amounts.get(field);
      return per === undefined ? null : micros_of(numbers, field_of(field).get(record), field, per);
    },
  };
}
