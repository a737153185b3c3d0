/**
 * What events may say, by type and version: as JSON Schema, and how what an earlier version said is said now. The log keeps events as they came,
 * with the version that they named; they are brought up to the current one each time they are read. Pure.
 */

/** A JSON Schema, of draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;
export type EventData = Readonly<Record<string, unknown>>;

/** A version of an event type that is not the current one any more. */
export interface EarlierVersion {
  /** What it may say. */
  readonly schema: JsonSchema;
  /** The same in the words of the next version. Pure; of data that the schema admits. */
  readonly up: (data: EventData) => EventData;
}
/** By event type its versions from 1 on, all but the current one. */
export type EarlierVersions = Readonly<Record<string, readonly EarlierVersion[]>>;

/** The current version of an event type. */
export const current_version = (earlier: EarlierVersions, type: string): number =>
  (Object.hasOwn(earlier, type) ? earlier[type]!.length : 0) + 1;

/**
 * What data of a version says, in the words of the current one; null where the step up cannot make anything of it: bytes may say anything.
 * @param version from 1 to the current one
 */
export function brought_up(earlier: EarlierVersions, type: string, version: number, data: EventData): EventData | null {
  let said = data;
  try {
    for (let at = version; at < current_version(earlier, type); at++) said = earlier[type]![at - 1]!.up(said);
  } catch {
    return null;
  }
  return said;
}

/** What is as good as nothing said. */
const BLANK: readonly JsonSchema[] = [{ type: "null" }, { type: "string", pattern: "^\\s*$" }];

/** The schema of data that has these fields; what it names beside them is kept in the log and ignored. */
export const data_schema = (
  title: string,
  fields: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly type: { readonly what: string; readonly accepts: readonly JsonSchema[] };
  }[],
): JsonSchema => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title,
  type: "object",
  properties: Object.fromEntries(fields.map(({ name, type, required }) => [name, {
    description: type.what,
    anyOf: [...type.accepts, ...required ? [] : BLANK],
  }])),
  required: fields.filter(({ required }) => required).map(({ name }) => name),
  additionalProperties: true,
});
