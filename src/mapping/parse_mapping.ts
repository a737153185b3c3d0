import type { Validation } from "../domains/mod.ts";
import { compile } from "./compile.ts";
import { mapping_form, type MappingForm } from "./definition.ts";
import type { DeclaredMapping, MappingContext } from "./mapping.ts";

const place = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, step) =>
      typeof step === "number" ? `${text}[${step}]` : text === "" ? String(step) : `${text}.${String(step)}`,
    "",
  );

/** Every place in a form that names a lookup, with its path. */
function* lookups_named(
  value: unknown,
  path: readonly PropertyKey[] = [],
): Generator<readonly [string, PropertyKey[]]> {
  if (typeof value !== "object" || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    const here = [...path, Array.isArray(value) ? Number(name) : name];
    if (name === "lookup" && typeof each === "string") yield [each, here];
    else if (name !== "table") yield* lookups_named(each, here);
  }
}

/** What a definition says of tables and conditions that does not fit together: sentences with their place. */
function contradictions(form: MappingForm): string[] {
  const declared = Object.keys(form.lookups ?? {});
  const faults: string[] = [];
  for (const [name, path] of lookups_named({ events: form.events.map(({ data }) => ({ data })) })) {
    if (declared.includes(name)) continue;
    faults.push(
      `${place(path)}: expected a table that "lookups" declares (${declared.join(", ")}), got ${JSON.stringify(name)}`,
    );
  }
  return faults;
}

const invalid = (path: string | null, detail: string): Validation<never> => ({
  ok: false,
  fault: { reason: "invalid_mapping", path, detail },
});

/** All faults in one: the path is that of the first, the detail has a line for each. */
const together = (faults: readonly string[]): Validation<never> =>
  invalid(/^([^:]*):/.exec(faults[0]!)?.[1] ?? null, faults.join("\n"));

/** Reads the definition of a mapping, already parsed from JSON. All faults are found at once, each with its place. */
export function read_definition(json: unknown): Validation<MappingForm> {
  const parsed = mapping_form.safeParse(json);
  if (!parsed.success) {
    return together(parsed.error.issues.map(({ path, message }) => `${place(path) || "mapping"}: ${message}`));
  }
  const faults = contradictions(parsed.data);
  return faults.length > 0 ? together(faults) : { ok: true, value: parsed.data };
}

/** Makes the mapping of a definition for a deployment; a table that it requires has to be there. */
export function make_mapping(form: MappingForm, context: MappingContext): Validation<DeclaredMapping> {
  const lacking = Object.entries(form.lookups ?? {}).filter(([name, { required = false }]) =>
    required && context.lookups?.has(name) !== true
  );
  if (lacking.length > 0) {
    return together(
      lacking.map(([name, { key }]) => `lookups.${name}: expected a table with the column ${key}, got none`),
    );
  }
  return { ok: true, value: compile(form, context) };
}

/** Reads the JSON text of a mapping and makes it for a deployment. All faults are found at once, each with its place. */
export function parse_mapping(json_text: string, context: MappingContext): Validation<DeclaredMapping> {
  let json: unknown;
  try {
    json = JSON.parse(json_text);
  } catch (error) {
    return invalid(null, `expected JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const form = read_definition(json);
  return form.ok ? make_mapping(form.value, context) : form;
}
