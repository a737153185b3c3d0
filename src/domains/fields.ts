import { z } from "zod";
import { digits, type Integer, parse_time } from "../kpi/mod.ts";
import { ExactNumber, is_blank, shown, whole_number_text } from "./json_value.ts";

const LIMIT_MICROS = 10n ** 18n;
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

/** Micros of an amount written as decimal text with at most 6 decimals, from 0 to 1e12; null when it is not one. */
export function parse_amount(text: string): Integer | null {
  const point = text.indexOf(".");
  const end = point < 0 ? text.length : point;
  const decimals = point < 0 ? 0 : text.length - point - 1;
  if (end < 1 || end > 13 || decimals > 6 || (point >= 0 && decimals === 0)) return null;
  const whole = digits(text, 0, end);
  const fraction = digits(text, text.length - decimals, text.length) * POWERS[6 - decimals]!;
  if (Number.isNaN(whole) || Number.isNaN(fraction)) return null;
  if (whole < 1e9) return whole * 1e6 + fraction;
  const micros = BigInt(whole) * 1_000_000n + BigInt(fraction);
  if (micros > LIMIT_MICROS) return null;
  return micros <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(micros) : micros;
}

/**
 * The fields of a domain's states, each declared once: its type, the events that name it and how they call it. What events may say, columns,
 * reading rows back and the API follow from that. Blank (null, "" or white space) is unknown; data that no field is named by is kept in the
 * log and ignored. What a value must be is asked in one place, where it is read: a schema refuses what reading does.
 */

/** A type of field. */
export interface FieldType<Value = unknown> {
  /** What is expected of it, in words. */
  readonly what: string;
  /** Whether states have a list of what events name one of, in the order in which the fold adds them; null: there is none. Its column is an array. */
  readonly many?: true;
  /** How a value that is not blank is read, in units of the state; null: it is refused. */
  readonly read: (value: string | number | ExactNumber | boolean) => Value | null;
  /** What events may say of it, as JSON Schema: any of these. It admits all that can be read. */
  readonly accepts: readonly JsonSchema[];
  /** Whether events may say true or false, too. */
  readonly or_boolean?: true;
  /** Texts that are read as others, without white space around them and in small letters; absent: none. */
  readonly words?: Readonly<Record<string, string>>;
  readonly column:
    | "text"
    | "integer"
    | "bigint"
    | "double precision"
    | "timestamptz"
    | "bigint[]"
    | "timestamptz[]";
  /** How names end: of the state's field, of its column, and of what events and the API call it. */
  readonly ends: readonly [state: string, column: string, outside: string];
  /** How the API writes it: time as RFC 3339, an amount as decimal text. */
  readonly shown: "text" | "time" | "amount" | "number";
  /** How many of the state's unit make one of the API's. */
  readonly per: number;
  /** All that it may be, where that is a list. */
  readonly values?: readonly string[];
}

/** The double nearest to a JSON number. */
const as_number = (value: unknown): unknown => value instanceof ExactNumber ? Number(value.text) : value;

const number_between = (value: unknown, from: number, to: number): number | null => {
  const number = as_number(value);
  return typeof number === "number" && number >= from && number <= to ? number : null;
};
/** A number that is kept in whole smaller units. */
const in_units = (most: number, units: number) => (value: unknown): number | null => {
  const number = number_between(value, 0, most);
  return number === null ? null : Math.round(number * units);
};

/** Micros of an amount: a number counts by its digits, or where it has too many of them, by the shortest text of its double. */
function read_amount(value: unknown): Integer | null {
  if (typeof value === "string") return parse_amount(value);
  const digits = value instanceof ExactNumber ? parse_amount(value.text) : null;
  return digits ?? parse_amount(String(as_number(value)));
}

const between = (minimum: number, maximum: number, type: "number" | "integer" = "number"): readonly JsonSchema[] => [
  { type, minimum, maximum },
];

const AS_IT_IS = { ends: ["", "", ""], per: 1 } as const;

/** Text, or a whole number as its digits. */
export const TEXT: FieldType<string> = {
  ...AS_IT_IS,
  what: "text of at most 200 characters",
  accepts: [{ type: "string", maxLength: 200 }, { type: "integer" }],
  read(value) {
    const text = typeof value === "string" ? value : whole_number_text(value);
    return text !== null && text.length <= 200 ? text : null;
  },
  column: "text",
  shown: "text",
};
/** Text that is one of a list. */
export const one_of = (...values: readonly string[]): FieldType<string> => ({
  ...TEXT,
  what: `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`,
  accepts: [{ enum: values }],
  read: (value) => typeof value === "string" && values.includes(value) ? value : null,
  values,
});
/** A currency by its code; events may write it in small letters. */
export const CURRENCY: FieldType<string> = {
  ...TEXT,
  what: "a currency's code of three letters such as EUR",
  accepts: [{ type: "string", pattern: "^[A-Za-z]{3}$" }],
  read: (value) => typeof value === "string" && /^[a-z]{3}$/i.test(value) ? value.toUpperCase() : null,
};
/** An amount, of the deployment's currency unless its domain is by currency, kept in micros. */
export const AMOUNT: FieldType<Integer> = {
  what: "an amount from 0 to 1e12 with at most 6 decimals, as text or number",
  accepts: [{ type: "string", pattern: "^\\d{1,13}(\\.\\d{1,6})?$" }, ...between(0, 1e12)],
  read: read_amount,
  column: "bigint",
  ends: ["_micros", "_micros", ""],
  shown: "amount",
  per: 1_000_000,
};
/** A distance in kilometres, kept in metres. */
export const KILOMETRES: FieldType<number> = {
  what: "a number from 0 to 1e9",
  accepts: between(0, 1e9),
  read: in_units(1e9, 1_000),
  column: "bigint",
  ends: ["_m", "_m", "_km"],
  shown: "number",
  per: 1_000,
};
/** A duration in minutes, kept in milliseconds. */
export const MINUTES: FieldType<number> = {
  what: "a number from 0 to 1e9",
  accepts: between(0, 1e9),
  read: in_units(1e9, 60_000),
  column: "bigint",
  ends: ["_ms", "_ms", "_min"],
  shown: "number",
  per: 60_000,
};
/** How many, up to a million. */
export const COUNT: FieldType<number> = {
  ...AS_IT_IS,
  what: "a whole number from 0 to 1e6",
  accepts: between(0, 1e6, "integer"),
  read: (value) => Number.isInteger(as_number(value)) ? number_between(value, 0, 1e6) : null,
  column: "integer",
  shown: "number",
};
/** How many of something: shares, lots, units. */
export const QUANTITY: FieldType<number> = {
  ...AS_IT_IS,
  what: "a whole number from 1 to 1e9",
  accepts: between(1, 1e9, "integer"),
  read: (value) => Number.isInteger(as_number(value)) ? number_between(value, 1, 1e9) : null,
  column: "bigint",
  shown: "number",
};
const degrees = (most: number): FieldType<number> => ({
  ...AS_IT_IS,
  what: `degrees from -${most} to ${most}`,
  accepts: between(-most, most),
  read: (value) => number_between(value, -most, most),
  column: "double precision",
  shown: "number",
});
export const LATITUDE: FieldType<number> = degrees(90);
export const LONGITUDE: FieldType<number> = degrees(180);
/** A moment, kept in microseconds since the epoch. */
export const TIME: FieldType<number> = {
  what: "an RFC 3339 time with zone",
  accepts: [{ type: "string", format: "date-time" }],
  read(value) {
    const parsed = typeof value === "string" ? parse_time(value) : null;
    return parsed?.ok === true ? parsed.us : null;
  },
  column: "timestamptz",
  ends: ["_us", "_at", "_at"],
  shown: "time",
  per: 1,
};

/** Moments, and amounts: of what may happen to a stream several times. Lists that are of the same have their values in the same places. */
export const TIMES = {
  ...TIME,
  many: true,
  column: "timestamptz[]",
  ends: ["_us", "_ats", "_ats"],
} as const satisfies FieldType<number>;
export const AMOUNTS = {
  ...AMOUNT,
  many: true,
  column: "bigint[]",
  ends: ["_micros", "_micros", "s"],
} as const satisfies FieldType<Integer>;

/** A field of a state, by its name there. */
export interface Field<Value = unknown> {
  readonly type: FieldType<Value>;
  /** The types of events that name it in their data; absent: none does, the fold makes it of something else. */
  readonly in?: readonly string[];
  /** The type of event whose latest dates it, or whose id it is; of a list each does, in order. */
  readonly time_of?: string;
  readonly id_of?: string;
  /** What they call it, where that is not its name outside. */
  readonly as?: string;
  /** Whether an event without it, or with a blank one, is refused. */
  readonly required?: boolean;
  /** Whether the API tells it not. */
  readonly hidden?: boolean;
  /** What it says, where the kind of the field does not. */
  readonly says?: string;
  /** The dimension of the persons that it names, by an id of theirs: they can be forgotten. It is of type TEXT. Absent: it names none. */
  readonly person?: string;
}
/** The fields of a domain's states, by their names there. */
export type Fields = Readonly<Record<string, Field>>;

type ValueOf<One> = One extends { readonly type: FieldType<infer Value> } ? Value : never;
type KeptOf<One> = One extends { readonly type: { readonly many: true } } ? readonly ValueOf<One>[] : ValueOf<One>;
/** A state: what is known of its fields; null is unknown. */
export type StateOf<All extends Fields> = { readonly [Name in keyof All]: KeptOf<All[Name]> | null };
/** What one event names; a field that is absent was not named. */
export type PayloadOf<All extends Fields> = {
  readonly [Name in keyof All as All[Name] extends { readonly in: readonly string[] } ? Name : never]?: ValueOf<
    All[Name]
  >;
};

/** A name of a field with another ending. */
function renamed(name: string, { ends }: FieldType, to: 1 | 2): string {
  if (!name.endsWith(ends[0])) throw new Error(`declare field ${name}: expected a name that ends in ${ends[0]}`);
  return name.slice(0, name.length - ends[0].length) + ends[to];
}
/** The column of a field. */
export const column_name = (name: string, type: FieldType): string => renamed(name, type, 1);
/** What the API calls a field, and events that say nothing else. */
export const outside_name = (name: string, type: FieldType): string => renamed(name, type, 2);

/** A field of the data of an event type: its name there, and how it is read. */
export interface EventField {
  readonly name: string;
  /** Its name in the payload. */
  readonly target: string;
  /** Whether an event without it, or with a blank one, is refused. */
  readonly required: boolean;
  readonly type: FieldType;
  /** What the payload has of a value that is not blank; null: it is refused. */
  readonly read: (value: string | number | ExactNumber | boolean) => unknown;
}

/** The fields that events of a type name in their data, in the order of the state's. */
export const event_fields = (fields: Fields, event_type: string): readonly EventField[] =>
  Object.entries(fields).filter(([, field]) => field.in?.includes(event_type)).map(([target, field]) => ({
    name: field.as ?? outside_name(target, field.type),
    target,
    required: field.required ?? false,
    type: field.type,
    read: field.type.read,
  }));

/** A field that names persons: their dimension, its name in states and payloads, and what events call it. */
export interface PersonField {
  readonly dimension: string;
  readonly target: string;
  readonly name: string;
}

/** The fields that name persons. */
export const person_fields = (fields: Fields): readonly PersonField[] =>
  Object.entries(fields).flatMap(([target, { person, type, as }]) =>
    person === undefined ? [] : [{ dimension: person, target, name: as ?? outside_name(target, type) }]
  );

/** The same of a domain. Throws where a person could not be told by the keys of its dimension. */
export function persons_of(
  { name, dimensions }: {
    readonly name: string;
    readonly dimensions: readonly { readonly name: string; readonly column: string | null }[];
  },
  fields: Fields,
): readonly PersonField[] {
  const persons = person_fields(fields);
  for (const { dimension, target } of persons) {
    const { column } = dimensions.find((each) => each.name === dimension) ?? { column: null };
    if (column === target && fields[target]!.type === TEXT) continue;
    throw new Error(
      `declare ${name}, field ${target}: expected text that the dimension ${JSON.stringify(dimension)} is read from`,
    );
  }
  return persons;
}

/** What stands for a person in the log: `~` and 128 bits in base64url, of which no producer's id has the form. */
export const ALIAS = /^~[A-Za-z0-9_-]{22}$/;

/** The aliases that stand as texts in JSON, each captured without its quotes; `before` is a pattern of what stands before one. */
export const aliases_in_json = (before = ""): RegExp => new RegExp(`${before}"(${ALIAS.source.slice(1, -1)})"`, "g");

/** The schema of a field: a text, a number, or blank where it may be absent; and such as can be read. */
function field_schema({ type, read, required }: EventField): z.ZodType {
  const error = (issue: { input?: unknown }) => `expected ${type.what}, got ${shown(issue.input)}`;
  const boolean = type.or_boolean ? [z.boolean()] : [];
  const scalar = z.union([z.string(), z.number(), ...boolean, z.instanceof(ExactNumber), z.null()], { error });
  return required
    ? scalar.refine((value) => value !== null && read(value) !== null, { error })
    : scalar.refine((value) => value === null || is_blank(value) || read(value) !== null, { error })
      .optional();
}

/** The schema of the data that has these fields. */
export const event_schema = (fields: readonly EventField[]): z.ZodObject =>
  z.object(Object.fromEntries(fields.map((field) => [field.name, field_schema(field)])));

/**
 * Reads data into what the fold takes: names and units of the state, unnamed fields absent. Null where the schema refuses it: reading alone
 * costs less, and the schema is needed only to tell what is wrong.
 */
export function read_payload(
  fields: readonly EventField[],
  data: Readonly<Record<string, unknown>>,
): Record<string, unknown> | null {
  const payload: Record<string, unknown> = {};
  for (const { name, target, required, type, read } of fields) {
    const value = data[name];
    if (!required && is_blank(value)) continue;
    const scalar = typeof value === "string" || typeof value === "number" || value instanceof ExactNumber ||
      (typeof value === "boolean" && type.or_boolean === true);
    const known = scalar ? read(value) : null;
    if (known === null) return null;
    payload[target] = known;
  }
  return payload;
}

/**
 * What events may say, by type and version: as JSON Schema, and how what an earlier version said is said now. The log keeps events as they came,
 * with the version that they named; they are brought up to the current one each time they are read. Pure.
 */

/** A JSON Schema, of draft 2020-12. */
export type JsonSchema = Readonly<Record<string, unknown>>;
type EventData = Readonly<Record<string, unknown>>;

/** A version of an event type that is not the current one any more. */
interface EarlierVersion {
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
    readonly type: Pick<FieldType, "what" | "accepts" | "column">;
  }[],
): JsonSchema => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title,
  type: "object",
  properties: Object.fromEntries(fields.map(({ name, type, required }) => [name, {
    description: type.what,
    anyOf: [...type.accepts, ...required ? [] : BLANK],
    ...required && type.column === "text" ? { not: BLANK[1] } : {},
  }])),
  required: fields.filter(({ required }) => required).map(({ name }) => name),
  additionalProperties: true,
});
