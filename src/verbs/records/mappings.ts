import type { DeclaredDomain } from "../../domains/mod.ts";
import { mapped_topic, type TopicMappings } from "../../ingest/mod.ts";
import {
  BuiltinMapping,
  type DeclaredMapping,
  make_mapping,
  type MappingContext,
  type MappingForm,
  read_definition,
} from "../../mapping/mod.ts";
import { type Config, ConfigError, system_clock } from "../../runtime/mod.ts";
import { lookup_of, LookupTables } from "./lookups.ts";
import { type Shell, UsageError } from "../shell.ts";

const builtins = new Map<DeclaredDomain, readonly BuiltinMapping[]>();

/** The mappings that come with a domain; read and validated once, when they are first asked for. */
export function builtin_mappings(domain: DeclaredDomain): readonly BuiltinMapping[] {
  let made = builtins.get(domain);
  if (made === undefined) {
    made = domain.mappings.map((definition) => new BuiltinMapping(definition, domain));
    builtins.set(domain, made);
  }
  return made;
}

/** A mapping that says what no mapping can: every fault with its place. */
class InvalidMapping extends Error {
  override readonly name = "InvalidMapping";
  constructor(name: string, faults: string) {
    super(`mapping ${JSON.stringify(name)}: invalid at\n  ${faults.replaceAll("\n", "\n  ")}`);
  }
}

/** Reads a definition: of a built-in by its name, or of a file. Throws InvalidMapping, or UsageError where there is none. */
export function definition_of(domain: DeclaredDomain, name_or_file: string): MappingForm {
  const builtin = builtin_mappings(domain).find(({ name }) => name === name_or_file);
  if (builtin !== undefined) return builtin.form;
  const quoted = JSON.stringify(name_or_file);
  let json: unknown;
  try {
    json = JSON.parse(Deno.readTextFileSync(name_or_file));
  } catch (error) {
    const names = builtin_mappings(domain).map(({ name }) => name).join(", ");
    if (error instanceof SyntaxError) throw new InvalidMapping(name_or_file, error.message);
    const why = error instanceof Deno.errors.NotFound ? "" : `; ${error instanceof Error ? error.message : error}`;
    throw new UsageError(`mapping ${quoted}: expected a readable file or one of ${names}${why}`, { cause: error });
  }
  const read = read_definition(json, domain);
  if (!read.ok) throw new InvalidMapping(name_or_file, read.fault.detail);
  return read.value;
}

/** Makes the mapping of a definition. Throws UsageError when a table that it requires is lacking. */
export function mapping_of(form: MappingForm, context: MappingContext): DeclaredMapping {
  const made = make_mapping(form, context);
  if (!made.ok) throw new UsageError(`mapping ${JSON.stringify(form.name)}: ${made.fault.detail}`);
  return made.value;
}

/** The mappings of topics, and the tables that they read. */
export interface TopicsMapped {
  readonly mappings: TopicMappings;
  /** As the files were when they were read; who goes on for long lets them keep up. */
  readonly tables: LookupTables;
}

/**
 * The mappings of topics: those of the configuration's topics, and the built-in ones of the topics under which posted records are logged.
 * Reads the tables. Throws ConfigError.
 */
export async function topic_mappings(
  domain: DeclaredDomain,
  { mappings, lookups, time_zone, currency }: Config,
): Promise<TopicsMapped> {
  const of_setting = <T>(setting: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw of_config(setting, error);
    }
  };
  const chosen = of_setting(
    "TACHO_MAPPINGS",
    () => (mappings ?? []).map(({ topic, mapping }) => ({ topic, form: definition_of(domain, mapping) })),
  );
  const files = (lookups ?? []).map((text) => lookup_of(text));
  const built_in = builtin_mappings(domain).map(({ name, form }) => ({ topic: mapped_topic(name), form }));
  const forms_of = (each: typeof chosen) => each.map(({ form }) => form);
  const tables = await LookupTables.read(files, forms_of(chosen), forms_of(built_in), system_clock).catch((error) => {
    throw of_config("TACHO_LOOKUPS", error);
  });
  const made = of_setting("TACHO_MAPPINGS", () =>
    [...built_in, ...chosen].map(({ topic, form }) => {
      const context = { business_zone: time_zone, currency, lookups: tables.of(form) };
      return [topic, mapping_of(form, context)] as const;
    }));
  return { mappings: new Map(made), tables };
}

/** What is wrong with a setting, as a fault of the configuration. */
const of_config = (setting: string, error: unknown): unknown =>
  error instanceof InvalidMapping || error instanceof UsageError
    ? new ConfigError([`${setting}: ${error.message}`])
    : error;

/** `tacho mapping list`: the built-in mappings, with the fields by which each knows its records. */
export function mapping_list_verb({ domain }: Shell): Promise<void> {
  for (const { name, form, wants } of builtin_mappings(domain)) {
    const known = wants === "" ? "chosen by its name alone" : `fields: ${wants}`;
    console.log(`${name}\n  ${form.about}\n  ${known}`);
    for (const [table, { key }] of Object.entries(form.lookups ?? {})) {
      console.log(`  --lookup ${table}=FILE: by ${key}`);
    }
  }
  return Promise.resolve();
}

/** `tacho mapping show`: the JSON of a built-in mapping, to begin one's own from. */
export function mapping_show_verb({ domain }: Shell, name: string): Promise<void> {
  const builtin = builtin_mappings(domain).find((each) => each.name === name);
  if (builtin === undefined) {
    const names = builtin_mappings(domain).map((each) => each.name).join(", ");
    throw new UsageError(`mapping show: expected one of ${names}, got ${JSON.stringify(name)}`);
  }
  console.log(builtin.json);
  return Promise.resolve();
}

/** `tacho schema`: what the events of a domain may say, as JSON Schema by type and version. Needs no database. */
export function schema_verb({ domain, config: { currency } }: Shell): Promise<void> {
  console.log(published_schemas(domain, currency));
  return Promise.resolve();
}

/** The schemas of a domain as text, a document. */
export function published_schemas({ name, make }: Pick<Shell["domain"], "name" | "make">, currency: string): string {
  const schemas = Object.entries(make({ currency }).schemas());
  const types = schemas.map(([type, versions]) => [
    type,
    Object.fromEntries(versions.map((schema, i) => [i + 1, schema])),
  ]);
  return JSON.stringify({ domain: name, types: Object.fromEntries(types) }, null, 2);
}
