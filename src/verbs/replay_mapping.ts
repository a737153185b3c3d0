import { trips_domain } from "../domains/trips/mod.ts";
import type { RecordFile } from "../files/mod.ts";
import { decode_record } from "../ingest/mod.ts";
import {
  type DeclaredMapping,
  detect,
  type MappingContext,
  type MappingForm,
  type SourceRecord,
} from "../mapping/mod.ts";
import type { RecordReading } from "../replay/mod.ts";
import { type Config, system_clock } from "../runtime/mod.ts";
import { builtin_mappings, definition_of, mapping_of } from "./mappings.ts";
import { decode_limits } from "./open.ts";
import { UsageError } from "./shell.ts";

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
