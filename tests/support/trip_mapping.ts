import type { Validation } from "../../src/domains/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import {
  BuiltinMapping,
  type DeclaredMapping,
  type Lookup,
  LookupBuilder,
  make_mapping,
  type MappingContext,
  read_definition,
  type SourceRecord,
} from "../../src/mapping/mod.ts";

/** The mappings that come with the program. */
export const BUILTINS: readonly BuiltinMapping[] = TRIPS.mappings.map((definition) =>
  new BuiltinMapping(definition, TRIPS)
);

/** Reads the JSON of a mapping and makes it for a deployment. */
export function parse_mapping(json: string, context: MappingContext): Validation<DeclaredMapping> {
  const form = read_definition(JSON.parse(json), TRIPS);
  return form.ok ? make_mapping(form.value, context) : form;
}

/** A built-in mapping by its name. */
export function builtin(name: string, context: MappingContext = { business_zone: "UTC" }): DeclaredMapping {
  const made = BUILTINS.find((each) => each.name === name)!.mapping(context);
  if (!made.ok) throw new Error(made.fault.detail);
  return made.value;
}

/** A mapping of a test's own: one event with this data, unless it says otherwise. */
export function mapping_with(
  data: Record<string, unknown>,
  changes: Record<string, unknown> = {},
  context: MappingContext = { business_zone: "America/New_York" },
): DeclaredMapping {
  const event = { type: "trip.completed", at: "at", data };
  const made = parse_mapping(JSON.stringify({ name: "own", trip_id: "id", events: [event], ...changes }), context);
  if (!made.ok) throw new Error(made.fault.detail);
  return made.value;
}

/** A table of rows that are there, by the text of its key column. */
export function index_lookup(rows: Iterable<SourceRecord>, key: string): Lookup {
  const builder = new LookupBuilder(key);
  for (const row of rows) builder.add(row);
  return builder.lookup;
}
