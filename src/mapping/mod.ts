/**
 * Mappings: any producer's records as a domain's events, declared in JSON. Pure.
 *
 * A definition is read once, with all its faults at their places, and made into closures; `map` then never throws, and gives equal
 * events for an equal record. What is in the data of these bare events the domain validates.
 */
export {
  BARE_NAMES,
  type BareEvent,
  type DeclaredMapping,
  type Lookup,
  type MappingContext,
  type MappingForm,
  type SourceRecord,
} from "./definition.ts";
export { unfit_field } from "./identity.ts";
export { columns_read } from "./compile.ts";
export {
  BuiltinMapping,
  columns_taken,
  detect,
  LookupBuilder,
  make_mapping,
  read_definition,
} from "./parse_mapping.ts";
export { any_spelling, blanking, field_of, is_unknown, RecordFault, shown_value, with_message } from "./field.ts";
export { type CsvForm, type CsvRow, read_csv_line, read_csv_row } from "./csv_line.ts";
export { number_reading, type NumberReading } from "./number_reading.ts";
export { iso_time } from "./time_format.ts";
