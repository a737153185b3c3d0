import { type Fault, JsonFault, type StreamNames, type Validation } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import {
  type BareEvent,
  type ConditionForm,
  type DeclaredMapping,
  type EventForm,
  is_message_field,
  is_timestamp,
  lookups_in,
  type MappingContext,
  type MappingForm,
  type SourceField,
  type SourceRecord,
} from "./definition.ts";
import {
  any_spelling,
  blanking,
  type Field,
  field_of,
  is_unknown,
  json_of,
  RecordFault,
  respelling,
  text_of,
  top_of,
} from "./field.ts";
import { event_hash, id_reading, type IdReading, record_hash, unfit_field } from "./identity.ts";
import { number_reading } from "./number_reading.ts";
import { clocks, time_reading } from "./time_reading.ts";
import { folded, type ReadingParts, value_reading } from "./value_reading.ts";

/** Whether an event is made from a record. */
interface Condition {
  readonly holds: (record: SourceRecord) => boolean;
  readonly fields: readonly Field[];
}

/** The first value of the fields that says something; null when none does. */
const known_of = (fields: readonly Field[], record: SourceRecord): unknown => {
  for (const { get } of fields) {
    const value = get(record);
    if (!is_unknown(value)) return value;
  }
  return null;
};

/** Makes a condition. Never throws on a record. */
function condition(form: ConditionForm, parts: ReadingParts): Condition {
  if ("all" in form || "any" in form) {
    const several = ("all" in form ? form.all : form.any).map((each) => condition(each, parts));
    const fields = several.flatMap((each) => each.fields);
    return "all" in form
      ? { holds: (record) => several.every((each) => each.holds(record)), fields }
      : { holds: (record) => several.some((each) => each.holds(record)), fields };
  }
  if ("not" in form) {
    const { holds, fields } = condition(form.not, parts);
    return { holds: (record) => !holds(record), fields };
  }
  const fields = form.field.map(field_of);
  if ("known" in form) return { holds: (record) => (known_of(fields, record) !== null) === form.known, fields };
  if (!("is" in form || "is_not" in form)) {
    const { below = Infinity, above = -Infinity, at_least = -Infinity, at_most = Infinity } = form;
    const holds = (record: SourceRecord): boolean => {
      const number = parts.numbers.known(known_of(fields, record));
      return number !== null && number < below && number > above && number >= at_least && number <= at_most;
    };
    return { holds, fields };
  }
  const is = "is" in form;
  const values = new Set((is ? form.is : form.is_not).map((value) => value === null ? null : folded(String(value))));
  const among = (record: SourceRecord): boolean => {
    const value = known_of(fields, record);
    if (value === null) return values.has(null);
    const text = text_of(value);
    return text !== null && values.has(folded(text));
  };
  return { holds: (record) => among(record) === is, fields };
}

/** Makes one event of a record; null when its condition does not hold. Throws RecordFault and JsonFault. */
interface EventReading {
  readonly type: string;
  readonly read: (record: SourceRecord, stream_id: string, whole: () => string) => BareEvent | null;
  readonly condition_fields: readonly Field[];
  /** The fields each field of the event is read from, by its name. */
  readonly sources: ReadonlyMap<string, readonly Field[]>;
}

const NO_MESSAGE_TIME = "messages of a topic have one, and those that come by HTTP; a file's rows have none, " +
  "and need a mapping that reads a time of their own";

/** The first of the fields that says something in this record, else the first. */
const telling = (fields: readonly Field[], record: SourceRecord): Field | undefined =>
  fields.find(({ get }) => !is_unknown(get(record))) ?? fields[0];

function event_reading(
  form: EventForm,
  { stream_column }: StreamNames,
  parts: ReadingParts,
  mapped: ReadonlySet<string>,
): EventReading {
  const { type, keep_rest } = form;
  const when = form.when === undefined ? null : condition(form.when, parts);
  const times = form.at.map((time) => time_reading(time, parts));
  const data = Object.entries(form.data).map(([name, value]) => ({ name, ...value_reading(value, parts) }));
  const own = form.event_id;
  /** Before its id an event that is known by what it says has all but that. */
  const says = own !== undefined && "hash" in own ? own : null;
  const id: IdReading = own === undefined
    ? { read: (_record, whole) => `${whole()}-${type}`, fields: [] }
    : "hash" in own
    ? { read: () => "", fields: [] }
    : id_reading(own, parts);
  const time_fields = times.flatMap(({ fields }) => fields);

  const occurred_at = (record: SourceRecord): string => {
    for (const { read_us } of times) {
      const us = read_us(record);
      if (us !== null) return format_time(us);
    }
    const blank = time_fields.find(({ get }) => is_unknown(get(record))) ?? time_fields[0]!;
    const hint = is_timestamp(blank.name) ? NO_MESSAGE_TIME : undefined;
    throw new RecordFault(blank.name, `what the time of ${type} is made from`, blank.get(record), hint);
  };

  const read: EventReading["read"] = (record, stream_id, whole) => {
    if (when !== null && !when.holds(record)) return null;
    const event_id = id.read(record, whole);
    if (event_id === null) throw lacking(id.fields, record, `what the id of ${type} is made from`);
    const event: Record<string, unknown> = {
      event_id,
      [stream_column]: stream_id,
      type,
      occurred_at: occurred_at(record),
    };
    for (const { name, read } of data) {
      const value = read(record);
      if (value !== undefined) event[name] = value;
    }
    if (keep_rest !== undefined) {
      const rest = Object.entries(record).filter(([name, value]) => !mapped.has(name) && !is_unknown(value));
      const kept = says === null ? rest : rest.map(([name, value]) => [name, number_of(value)]);
      if (rest.length > 0) event[keep_rest] = json_of(Object.fromEntries(kept));
    }
    if (says !== null) event.event_id = `${says.prefix ?? ""}${event_hash(event)}-${type}`;
    return event;
  };
  const sources = new Map<string, readonly Field[]>(data.map(({ name, fields }) => [name, fields]));
  sources.set("occurred_at", time_fields).set("event_id", id.fields);
  return { type, read, condition_fields: when?.fields ?? [], sources };
}

/** A text that is a number as that number: a file of text and one of numbers then say the same. What a double would change stays text. */
const number_of = (value: unknown): unknown => {
  if (typeof value !== "string" || !/^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(value) || value.length > 15) return value;
  return Number(value);
};

function lacking(fields: readonly Field[], record: SourceRecord, what: string): RecordFault {
  const blank = fields.find(({ get }) => is_unknown(get(record))) ?? fields[0]!;
  return new RecordFault(blank.name, what, blank.get(record));
}

/**
 * The fields that a mapping reads, with the columns or top members that they begin with.
 * @param hashes whether those too that are read for a hash alone
 */
function fields_read(value: unknown, hashes: boolean, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) { for (const each of value) fields_read(each, hashes, found); }
  else if (typeof value === "object" && value !== null) {
    for (const [name, each] of Object.entries(value)) {
      const names_fields = ["from", "field", "key", "join"].includes(name) || (name === "hash" && each !== "all");
      if (names_fields && Array.isArray(each)) {
        for (const path of each) if (typeof path === "string") found.add(path).add(top_of(path));
      }
      if (name !== "hash" || hashes) fields_read(each, hashes, found);
    }
  }
  return found;
}

/** Tells the columns and top members of records that a mapping reads, for whatever it does, from those that it does not. */
export function columns_read(form: MappingForm): (column: string) => boolean {
  const spelled = form.any_spelling === true ? any_spelling : (name: string) => name;
  const names = new Set(Array.from(fields_read(form, true), spelled));
  return (column) => names.has(spelled(column));
}

const refused = (fault: Fault): Validation<never> => ({ ok: false, fault });

/** Makes a mapping from its definition. */
export function compile(form: MappingForm, context: MappingContext): DeclaredMapping {
  const parts: ReadingParts = {
    clock_of: clocks(context.business_zone, form.zone),
    lookups: context.lookups ?? new Map(),
    numbers: number_reading({
      decimal: context.decimal ?? form.decimal ?? null,
      currency: context.currency ?? null,
    }),
  };
  const skip = form.skip === undefined ? null : condition(form.skip, parts);
  // What is read for a hash or a condition alone is nowhere to be seen in the event: it is kept with the rest.
  const mapped = fields_read([form.stream_id, form.events.map(({ at, data }) => [at, Object.values(data)])], false);
  const blanked = form.blank === undefined ? (record: SourceRecord) => record : blanking(form.blank);
  const respelled = form.any_spelling === true ? respelling(fields_read(form, true)) : (record: SourceRecord) => record;
  const stream_id = id_reading(form.stream_id, parts);
  const events = form.events.map((event) => event_reading(event, form.named, parts, mapped));

  const read = (record: SourceRecord): readonly BareEvent[] => {
    if (skip?.holds(record)) return [];
    let hash: string | null = null;
    const whole = () => hash ??= record_hash(record);
    const id = stream_id.read(record, whole);
    if (id === null) throw lacking(stream_id.fields, record, `what the ${form.named.noun} id is made from`);
    const made: BareEvent[] = [];
    for (const event of events) {
      const one = event.read(record, id, whole);
      if (one !== null) made.push(one);
    }
    if (made.length === 0) {
      const field = telling(events.flatMap(({ condition_fields }) => condition_fields), record)!;
      throw new RecordFault(field.name, "a value that one of the mapping's events is made for", field.get(record));
    }
    // Written in one form, so that texts compare as times do.
    return made.length === 1
      ? made
      : made.sort((a, b) => a.occurred_at === b.occurred_at ? 0 : a.occurred_at! < b.occurred_at! ? -1 : 1);
  };

  const enriched = form.events.flatMap(({ data }) =>
    Object.entries(data).filter(([, value]) => lookups_in(value).length > 0).map(([name]) => name)
  );
  return {
    name: form.name,
    columns: form.columns ?? null,
    framing: form.framing ?? null,
    reads_message: [...fields_read(form, true)].some(is_message_field),
    enriched: enriched.length === 0 ? null : new Set(enriched),
    number_equal_rows: form.number_equal_rows ?? false,
    map: (given) => {
      const record = blanked(respelled(given));
      try {
        return { ok: true, value: read(record) };
      } catch (error) {
        if (error instanceof RecordFault) return refused(error.fault);
        if (error instanceof JsonFault) {
          return refused({ reason: error.reason, path: unfit_field(record), detail: error.message });
        }
        throw error;
      }
    },
    source_of: (given, event_type, event_field): SourceField | null => {
      const record = blanked(respelled(given));
      const fields = event_field === form.named.stream_column
        ? stream_id.fields
        : events.find(({ type, sources }) => type === event_type && sources.has(event_field))?.sources.get(event_field);
      try {
        const field = telling(fields ?? [], record);
        return field === undefined ? null : { field: field.name, value: field.get(record) };
      } catch (error) {
        if (error instanceof RecordFault) return { field: error.field, value: error.value };
        throw error;
      }
    },
  };
}
