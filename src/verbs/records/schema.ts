import type { Shell } from "../shell.ts";

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
