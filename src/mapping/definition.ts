import { z } from "zod";
import { shown, type StreamNames, type Validation } from "../domains/mod.ts";
import { is_time_zone } from "../runtime/mod.ts";
import { time_pattern } from "./time_format.ts";

/**
 * A record as its file or message has it: CSV and Parquet columns or JSON members, by name. Blank means unknown. A time is text or a
 * number; a `Date` is taken for the instant it is, so what reads a file whose times have no zone gives them as text without zone.
 */
export type SourceRecord = Readonly<Record<string, unknown>>;

/** An event in bare JSON, as a producer could have sent it: envelope names and data flattened. */
export type BareEvent = Readonly<Record<string, unknown>>;

/** The names of bare JSON that are no data, beside that of the id of its stream. */
export const BARE_NAMES: ReadonlySet<string> = new Set([
  "event_id",
  "type",
  "occurred_at",
  "schema_version",
  "correlation_id",
  "causation_id",
]);

/** A named table, by the text of its key column: what a mapping enriches records from. Its rows may change between two records. */
export type Lookup = Pick<ReadonlyMap<string, SourceRecord>, "get">;

/** What a mapping is made for. */
export interface MappingContext {
  /** The IANA time zone that `"zone": "business"` means. */
  readonly business_zone: string;
  /** The currency of the deployment, whose sign or code an amount may have, and no other's; absent: any. */
  readonly currency?: string;
  /** The decimal mark of the texts, where it is known better than by the mapping. */
  readonly decimal?: "." | ",";
  /** The tables that are there, by name; one that the mapping does not require may lack, and its fields are unknown then. */
  readonly lookups?: ReadonlyMap<string, Lookup>;
}

/** Where a value of an event came from. */
export interface SourceField {
  readonly field: string;
  readonly value: unknown;
}

/** A mapping: turns records of one shape into events. Pure: the same record gives the same events with the same ids. */
export interface DeclaredMapping {
  /** What it is chosen by. */
  readonly name: string;
  /**
   * The events of one record, in the order of their times; none: the mapping skips the record on purpose. Or what is wrong with the record
   * and where.
   */
  readonly map: (record: SourceRecord) => Validation<readonly BareEvent[]>;
  /** What is around the JSON of its messages; null: nothing. */
  readonly framing: "schema_registry" | "connect" | null;
  /** Whether it reads more of a message than its value: only then a record is given its message. */
  readonly reads_message: boolean;
  /** The names in events' data whose values come from tables, as far as they have them; null: none do. */
  readonly enriched: ReadonlySet<string> | null;
  /** The columns of a message that is one CSV line; null when it takes JSON alone. */
  readonly columns: readonly string[] | null;
  /** Whether rows of one file that come to one stream id are different streams all the same, told apart by their number among their equals. */
  readonly number_equal_rows: boolean;
  /** The field of the record that a field of an event was read from (the id of its stream, `occurred_at` or a name in data); null when none was. */
  readonly source_of: (record: SourceRecord, event_type: string, event_field: string) => SourceField | null;
}

/**
 * The JSON of a mapping, as its author writes it. Every faulty place is found at once, by its exact path.
 *
 * A value is a field (`"city"`, `"rider.name"`, `"legs[0].km"`, `"legs[-1].km"`), a reading of one (`{"from": "total", "as": "money"}`; of several
 * fields the first that is not blank), a constant, a lookup in a named table, or a list of values: the first that is known.
 */

const SCALAR = z.union([z.string(), z.number(), z.boolean()], { error: "expected text, a number, true or false" });
const SCALAR_OR_NULL = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: "expected text, a number, true, false or null",
});

/** Reads a value by the schema that the form of the value asks for, so that a fault names the place inside it, as the union of all could not. */
const by_form = <T>(schema_of: (value: unknown) => z.ZodType<T> | string): z.ZodType<T> =>
  z.unknown().transform((value, context) => {
    const schema = schema_of(value);
    if (typeof schema === "string") {
      context.addIssue(schema);
      return z.NEVER;
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const { message, path } of parsed.error.issues) context.addIssue({ code: "custom", message, path });
    return z.NEVER;
  });

const is_object = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a name is one of a message's own: `$key` and paths into it, `$header.NAME`, `$timestamp`, `$topic`. */
export const is_message_field = (name: string): boolean =>
  name.startsWith("$") && /^\$(?:key(?:[.[].*)?|header\..+|timestamp|topic)$/s.test(name);

/** Whether a field is the time of the message: the broker's, where the topic lets it stamp messages, else that of its producer's client. */
export const is_timestamp = (field: FieldForm): boolean => field === "$timestamp";

const field = z.string().trim().min(1, "expected the name or path of a field, got blank text")
  .refine((name) => is_message_field(name) || !/^\$(?:keys?|headers?|timestamp|topic)\b/i.test(name), {
    error: "expected $key, $key.PATH, $header.NAME, $timestamp or $topic, which are of the message",
  });
const A_FIELD = "expected at least one field";
/** Spellings of a field: any one of them. */
const spellings = by_form<readonly string[]>((value) =>
  Array.isArray(value) ? z.array(field).min(1, A_FIELD) : field.transform((name) => [name])
);
/** The texts of several fields as one, where all of them are known: a date and a time that have columns of their own. */
const joined_fields = z.strictObject({
  join: z.array(field).min(2, "expected at least two fields"),
  /** What is put between them; a space, unless it is said. */
  with: z.string().max(10).optional(),
});
export type FieldForm = string | z.output<typeof joined_fields>;
const field_form = by_form<FieldForm>((value) => is_object(value) ? joined_fields : field);
const fields = by_form<readonly FieldForm[]>((value) =>
  Array.isArray(value) ? z.array(field_form).min(1, A_FIELD) : field_form.transform((one) => [one])
);

const table = {
  /** Values by the text that is read, compared without regard to capitals; a blank one means unknown. */
  table: z.record(z.string(), SCALAR_OR_NULL).optional(),
  /** What becomes of a value that the table has not. */
  else: z.enum(["keep", "unknown", "quarantine"]).optional(),
};
const duration = z.strictObject({ from: fields, unit: z.enum(["ms", "s", "min", "h"]) });
const zone = z.string().refine((name) => name === "business" || is_time_zone(name), {
  error: 'expected "business" or an IANA time zone such as Europe/Berlin',
});
const NAMED_FORMATS = ["iso", "us", "epoch_s", "epoch_ms", "epoch_us"];
const format = z.string().superRefine((text, context) => {
  const pattern = NAMED_FORMATS.includes(text) ? null : time_pattern(text);
  if (typeof pattern !== "string") return;
  context.addIssue(`expected ${NAMED_FORMATS.join(", ")} or a pattern such as DD.MM.YYYY HH:mm: ${pattern}`);
});
const formats = by_form<readonly string[]>((value) =>
  Array.isArray(value) ? z.array(format).min(1, "expected at least one format") : format.transform((one) => [one])
);
const time_fields = {
  from: fields,
  /** How it is written; of several formats the first that fits. */
  format: formats.optional(),
  zone: zone.optional(),
  plus: duration.optional(),
  minus: duration.optional(),
};

const plain_reading = z.strictObject({
  from: fields,
  as: z.enum(["text", "code", "number"]).optional(),
  ...table,
});
const READINGS = {
  text: plain_reading,
  code: plain_reading,
  number: plain_reading,
  money: z.strictObject({ from: fields, as: z.literal("money"), per: z.number().positive().optional() }),
  distance: z.strictObject({ from: fields, as: z.literal("distance"), unit: z.enum(["km", "mi", "m"]) }),
  duration: z.strictObject({ from: fields, as: z.literal("duration"), unit: z.enum(["ms", "s", "min", "h"]) }),
  time: z.strictObject({ ...time_fields, as: z.literal("time") }),
};
const KINDS = Object.keys(READINGS) as (keyof typeof READINGS)[];
const constant = z.strictObject({ constant: SCALAR });
const lookup = z.strictObject({ lookup: z.string().min(1), key: fields, take: z.string().min(1), ...table });

const table_form = z.strictObject(table);
export type TableForm = z.output<typeof table_form>;
export type ReadingForm = z.output<(typeof READINGS)[keyof typeof READINGS]>;
export type LookupForm = z.output<typeof lookup>;
export type ValueForm =
  | readonly ValueForm[]
  | ReadingForm
  | z.output<typeof constant>
  | LookupForm;

const A_VALUE = 'a field, a list of values, or an object with "from", "constant" or "lookup"';
const value_form: z.ZodType<ValueForm> = by_form<ValueForm>((value) => {
  if (typeof value === "string") return field.transform((name) => ({ from: [name] }));
  if (Array.isArray(value)) return z.array(z.lazy(() => value_form)).min(1, "expected at least one value");
  if (!is_object(value)) return `expected ${A_VALUE}, got ${shown(value)}`;
  if ("constant" in value) return constant;
  if ("lookup" in value) return lookup;
  if (!("from" in value)) return `expected ${A_VALUE}, got ${shown(value)}`;
  const { as } = value;
  if (as === undefined) return plain_reading;
  return KINDS.find((kind) => kind === as) !== undefined
    ? READINGS[as as keyof typeof READINGS]
    : z.looseObject({ as: z.enum(KINDS) }).transform(() => z.NEVER);
});

const one_time = z.strictObject(time_fields);
export type TimeForm = z.output<typeof one_time>;
const time_form = by_form<readonly TimeForm[]>((value) => {
  const one = by_form<TimeForm>((each) =>
    typeof each === "string" ? field.transform((name) => ({ from: [name] })) : one_time
  );
  return Array.isArray(value) ? z.array(one).min(1, "expected at least one time") : one.transform((time) => [time]);
});

export type ConditionForm =
  | { readonly all: readonly ConditionForm[] }
  | { readonly any: readonly ConditionForm[] }
  | { readonly not: ConditionForm }
  | { readonly field: readonly FieldForm[]; readonly known: boolean }
  | { readonly field: readonly FieldForm[]; readonly is: readonly (string | number | boolean | null)[] }
  | { readonly field: readonly FieldForm[]; readonly is_not: readonly (string | number | boolean | null)[] }
  | z.output<typeof bounds>;
/** Numbers that the number in a field is compared with; what is blank or no number is within none. */
const bounds = z.strictObject({
  field: fields,
  below: z.number().optional(),
  above: z.number().optional(),
  at_least: z.number().optional(),
  at_most: z.number().optional(),
});
const BOUNDS = ["below", "above", "at_least", "at_most"] as const;
/** Values a field is compared with, without regard to capitals; null is a blank field. */
const values = z.array(SCALAR_OR_NULL).min(1);
const condition_form: z.ZodType<ConditionForm> = by_form<ConditionForm>((value) => {
  const several = z.array(z.lazy(() => condition_form)).min(1);
  if (is_object(value)) {
    if ("all" in value) return z.strictObject({ all: several });
    if ("any" in value) return z.strictObject({ any: several });
    if ("not" in value) return z.strictObject({ not: z.lazy(() => condition_form) });
    if ("known" in value) return z.strictObject({ field: fields, known: z.boolean() });
    if ("is" in value) return z.strictObject({ field: fields, is: values });
    if ("is_not" in value) return z.strictObject({ field: fields, is_not: values });
    if (BOUNDS.some((bound) => bound in value)) return bounds;
  }
  const words = `"is", "is_not", "known", "below", "above", "at_least" or "at_most"`;
  return `expected an object with "all", "any", "not", or "field" and ${words}, got ${shown(value)}`;
});

/** A field as a hash takes it: as it stands, or read, so that a file's `1.60` and another's `1.6` are one. Values without a table: that would merge some. */
const hashed = by_form<string | IdReadingForm>((value) => {
  if (!is_object(value)) return field;
  return value.as === "time" ? READINGS.time : z.strictObject({ from: fields, as: z.enum(["text", "code", "number"]) });
});
const prefix = z.string().max(40).optional();
const hash = z.strictObject({
  /** Of the whole record, or of these fields in this order. */
  hash: by_form<"all" | readonly (string | IdReadingForm)[]>((value) =>
    value === "all" ? z.literal("all") : z.array(hashed).min(1)
  ),
  prefix,
});
export type IdReadingForm =
  | z.output<typeof READINGS.time>
  | { readonly from: readonly FieldForm[]; readonly as: "text" | "code" | "number" };
export type IdPart = { readonly from: readonly FieldForm[] } | { readonly constant: string } | z.output<typeof hash>;
const id_part: z.ZodType<IdPart> = by_form<IdPart>((value) => {
  if (typeof value === "string") return field.transform((name) => ({ from: [name] }));
  if (is_object(value)) {
    if ("from" in value) return z.strictObject({ from: fields });
    if ("constant" in value) return z.strictObject({ constant: z.string().min(1) });
    if ("hash" in value) return hash;
  }
  return `expected a field or an object with "from", "constant", "hash" or "join", got ${shown(value)}`;
});
/** An id: its parts, joined. */
export interface IdForm {
  readonly join: readonly IdPart[];
  readonly with?: string | undefined;
}
const one_id: z.ZodType<IdForm> = by_form<IdForm>((value) =>
  is_object(value) && "join" in value
    ? z.strictObject({ join: z.array(id_part).min(1), with: z.string().max(10).optional() })
    : id_part.transform((part) => ({ join: [part] }))
);
/** Ids in the order they are tried: the first whose fields are all known. */
const id_form = by_form<readonly IdForm[]>((value) =>
  Array.isArray(value) ? z.array(one_id).min(1) : one_id.transform((id) => [id])
);

/** The hash of what the event says: one that says the same is the same event. */
const event_hash = z.strictObject({ hash: z.literal("event"), prefix });

const name = z.string().regex(/^[a-z][a-z0-9_]*$/, "expected a name of small letters, digits and _");
const event_form = z.strictObject({
  type: z.string().min(1),
  at: time_form,
  when: condition_form.optional(),
  event_id: by_form<readonly IdForm[] | z.output<typeof event_hash>>((value) =>
    is_object(value) && value.hash === "event" ? event_hash : id_form
  ).optional(),
  data: z.record(z.string(), value_form),
  keep_rest: z.string().min(1).optional(),
});

const MEMBERS = {
  name,
  about: z.string().optional(),
  /** How its records are recognised: these fields are there (of a list: any one), and none of those. */
  recognise: z.strictObject({
    fields: z.array(spellings).min(1),
    without: z.array(field).optional(),
  }).optional(),
  columns: z.array(z.string().min(1)).min(1).optional(),
  /** What is around the JSON of a message: the bytes of a schema registry's serializer, or Kafka Connect's envelope. */
  framing: z.enum(["schema_registry", "connect"]).optional(),
  /** Whether names of fields match columns whatever their capitals, spaces, `_` and `-`, where one column alone is spelled like it. */
  any_spelling: z.boolean().optional(),
  /** Texts that mean that nothing is known, such as NA; compared without regard to capitals. */
  blank: z.array(z.string().trim().min(1, "expected text, which blank text is anyway")).min(1).optional(),
  zone: zone.optional(),
  /** What stands before the decimals of numbers that are text. */
  decimal: z.enum([".", ","]).optional(),
  lookups: z.record(z.string(), z.strictObject({ key: z.string().min(1), required: z.boolean().optional() }))
    .optional(),
  /** Records for which it holds are passed over on purpose: they make no event and are no fault. */
  skip: condition_form.optional(),
};
const EVENT_MEMBERS = {
  /** Whether rows of one file with one stream id are different streams all the same: the second, third … get their number behind their ids. */
  number_equal_rows: z.boolean().optional(),
  events: z.array(event_form).min(1, "expected at least one event"),
};

/** A definition that was read: the id of its streams under one name, and what it is called in the definition and in events. */
export type MappingForm = z.output<z.ZodObject<typeof MEMBERS & typeof EVENT_MEMBERS>> & {
  readonly stream_id: readonly IdForm[];
  readonly named: StreamNames;
};

/** The schema of a definition for events of a domain, whose streams' ids stand under their own name. */
export const mapping_form = (named: StreamNames): z.ZodType<MappingForm> =>
  z.strictObject({ ...MEMBERS, [named.stream_column]: id_form, ...EVENT_MEMBERS }).transform(
    (members) => {
      const { [named.stream_column]: stream_id, ...form } = members as Record<string, unknown>;
      // Names alone, whatever else stands beside them: the form is searched for the fields that it reads.
      const { noun, stream_column } = named;
      return { ...form, stream_id, named: { noun, stream_column } } as unknown as MappingForm;
    },
  );

export type EventForm = MappingForm["events"][number];

/** The lookups by which a value may be had. */
export const lookups_in = (value: ValueForm): readonly LookupForm[] =>
  Array.isArray(value)
    ? (value as readonly ValueForm[]).flatMap(lookups_in)
    : "lookup" in value
    ? [value as LookupForm]
    : [];
