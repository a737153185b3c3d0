import { trips_domain } from "../domains/trips/mod.ts";
import type { RecordFile } from "../files/mod.ts";
import { decode_record } from "../ingest/mod.ts";
import {
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

const PLAIN_NUMBERS = number_reading({ decimal: ".", currency: null });
/** Records that are trip events already, bare or as CloudEvents: they go as they stand. */
const TRIP_EVENT: RecordReading = {
  name: "trip_event",
  number_equal_rows: false,
  events_of: (record) => ({ ok: true, value: [record] }),
  amount_of: ({ data, ...record }, field) => {
    if (!AMOUNTS.includes(field)) return null;
    const value = field_of(field).get(typeof data === "object" && data !== null ? { ...data } : record);
    return micros_of(PLAIN_NUMBERS, value, field, 1);
  },
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

/** The reading of what was named, a mapping's definition or none for trip events. Throws UsageError where a table is lacking. */
export const named_reading = ([form]: readonly MappingForm[], config: Config, context: MappingContext): RecordReading =>
  form === undefined ? TRIP_EVENT : record_reading(form, config, context);

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
