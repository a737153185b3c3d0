import { TRIP_MAPPINGS } from "../domains/trips/mappings/mod.ts";
import { mapped_topic } from "../ingest/mod.ts";
import {
  BuiltinMapping,
  type DeclaredMapping,
  make_mapping,
  type MappingContext,
  type MappingForm,
  read_definition,
} from "../mapping/mod.ts";
import { type Config, ConfigError } from "../runtime/mod.ts";
import { UsageError } from "./shell.ts";

let builtins: readonly BuiltinMapping[] | null = null;

/** The mappings that come with the program; read and validated once, when they are first asked for. */
export const builtin_mappings = (): readonly BuiltinMapping[] =>
  builtins ??= TRIP_MAPPINGS.map((definition) => new BuiltinMapping(definition));

/** A mapping that says what no mapping can: every fault with its place. */
export class InvalidMapping extends Error {
  override readonly name = "InvalidMapping";
  constructor(name: string, faults: string) {
    super(`mapping ${JSON.stringify(name)}: invalid at\n  ${faults.replaceAll("\n", "\n  ")}`);
  }
}

/** Reads a definition: of a built-in by its name, or of a file. Throws InvalidMapping, or UsageError where there is none. */
export function definition_of(name_or_file: string): MappingForm {
  const builtin = builtin_mappings().find(({ name }) => name === name_or_file);
  if (builtin !== undefined) return builtin.form;
  const quoted = JSON.stringify(name_or_file);
  let json: unknown;
  try {
    json = JSON.parse(Deno.readTextFileSync(name_or_file));
  } catch (error) {
    const names = builtin_mappings().map(({ name }) => name).join(", ");
    if (error instanceof SyntaxError) throw new InvalidMapping(name_or_file, error.message);
    throw new UsageError(`mapping ${quoted}: expected a readable file or one of ${names}`, { cause: error });
  }
  const read = read_definition(json);
  if (!read.ok) throw new InvalidMapping(name_or_file, read.fault.detail);
  return read.value;
}

/** Makes the mapping of a definition. Throws UsageError when a table that it requires is lacking. */
export function mapping_of(form: MappingForm, context: MappingContext): DeclaredMapping {
  const made = make_mapping(form, context);
  if (!made.ok) throw new UsageError(`mapping ${JSON.stringify(form.name)}: ${made.fault.detail}`);
  return made.value;
}

/**
 * The mappings of topics, without tables: what a table would give is unknown. Those of the configuration's topics, and the built-in ones
 * of the topics under which posted records are logged. Throws ConfigError.
 */
export function topic_mappings({ mappings, time_zone, currency }: Config): ReadonlyMap<string, DeclaredMapping> {
  const context = { business_zone: time_zone, currency };
  try {
    return new Map([
      ...builtin_mappings().map(({ name, form }) => [mapped_topic(name), mapping_of(form, context)] as const),
      ...(mappings ?? []).map(({ topic, mapping }) => [topic, mapping_of(definition_of(mapping), context)] as const),
    ]);
  } catch (error) {
    if (!(error instanceof InvalidMapping || error instanceof UsageError)) throw error;
    throw new ConfigError([`TACHO_MAPPINGS: ${error.message}`]);
  }
}
