import type { JsonSchema } from "../../../src/domains/mod.ts";

/**
 * What was published of events, and what may become of it: producers that send what was admitted once must be read for ever, under the version
 * that they name.
 */

/** By event type and version, `trip.completed 1`: of each field what it may be, a list of JSON Schemas as text each. */
export type Published = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** What a domain publishes, so that it can be compared. */
export const published_of = (schemas: Readonly<Record<string, readonly JsonSchema[]>>): Published =>
  Object.fromEntries(
    Object.entries(schemas).flatMap(([type, versions]) =>
      versions.map(({ properties }, i) => [
        `${type} ${i + 1}`,
        Object.fromEntries(
          Object.entries(properties as Record<string, { readonly anyOf: readonly JsonSchema[] }>).map((
            [name, { anyOf }],
          ) => [name, anyOf.map((each) => JSON.stringify(each))]),
        ),
      ])
    ),
  );

const ABSENT = '{"type":"null"}';

/** What was admitted and would be refused: each needs a new version of its type instead. */
export function breaking_changes(published: Published, now: Published): string[] {
  return Object.entries(published).flatMap(([version, fields]) => {
    const own = now[version];
    if (own === undefined) return [`${version}: it was published and is gone`];
    const changed = Object.entries(fields).flatMap(([name, admitted]) => {
      const admits = own[name];
      if (admits === undefined) return [`${version}: ${name} was read and is ignored`];
      return admitted.filter((each) => !admits.includes(each)).map((each) =>
        `${version}: ${name} might be ${each} and may not any more`
      );
    });
    const demanded = Object.entries(own).filter(([name, admits]) => !(name in fields) && !admits.includes(ABSENT))
      .map(([name]) => `${version}: ${name} is required and was not known`);
    return [...changed, ...demanded];
  });
}
