import { time_or_null } from "../kpi/mod.ts";
import type { Lookup, LookupForm, ReadingForm, SourceRecord, TableForm, ValueForm } from "./definition.ts";
import { type Field, field_of, is_unknown, json_of, RecordFault, text_of } from "./field.ts";
import { type NumberReading, read_text } from "./number_reading.ts";
import { time_reading, type TimeParts } from "./time_reading.ts";

/** Reads a value of an event. Made once for a mapping. */
export interface ValueReading {
  /** Undefined where the record has no such field, null (or the field's own blank) where it is unknown. Throws RecordFault. */
  readonly read: (record: SourceRecord) => unknown;
  /** The fields it reads, in the order it tries them. */
  readonly fields: readonly Field[];
}

/** What readings are made with. */
export interface ReadingParts extends TimeParts {
  readonly lookups: ReadonlyMap<string, Lookup>;
}

type Parse = (value: unknown, field: string) => unknown;
const KM = { km: 1, mi: 1.609344, m: 1 } as const;
const minutes: Record<"ms" | "s" | "min" | "h", (value: number) => number> = {
  ms: (value) => value / 60_000,
  s: (value) => value / 60,
  min: (value) => value,
  h: (value) => value * 60,
};

function parse_of(form: ReadingForm, { number, money, code }: NumberReading): Parse {
  switch (form.as) {
    case "text":
      return read_text;
    case "code":
      return code;
    case "number":
      return number;
    case "money": {
      const { per = 1 } = form;
      return (value, field) => money(value, field, per);
    }
    case "distance": {
      const { unit } = form;
      if (unit === "m") return (value, field) => number(value, field) / 1000;
      return (value, field) => number(value, field) * KM[unit];
    }
    case "duration": {
      const in_minutes = minutes[form.unit];
      return (value, field) => in_minutes(number(value, field));
    }
    default:
      return (value) => json_of(value);
  }
}

/** The text that values are compared by: trimmed, without regard to capitals. */
export const folded = (text: string): string => text.trim().toLowerCase();

/** Puts a table behind a parse; it stays as it is without one. */
function through_table(parse: Parse, { table, else: otherwise = "keep" }: TableForm): Parse {
  if (table === undefined) return parse;
  const values = new Map(Object.entries(table).map(([text, value]) => [folded(text), value]));
  const known = Object.keys(table).join(", ");
  return (value, field) => {
    const read = parse(value, field);
    const text = text_of(read);
    const found = text === null ? undefined : values.get(folded(text));
    if (found !== undefined) return found;
    if (otherwise === "quarantine") throw new RecordFault(field, `one of ${known}`, value);
    return otherwise === "keep" ? read : null;
  };
}

function from_fields(form: ReadingForm, { numbers }: ReadingParts): ValueReading {
  const fields = form.from.map(field_of);
  const parse = "table" in form ? through_table(parse_of(form, numbers), form) : parse_of(form, numbers);
  // Without `as` the domain is given what the record has, its kind of blank included.
  const keeps_blank = form.as === undefined;
  const read = (record: SourceRecord): unknown => {
    let blank: unknown = undefined;
    for (const { name, get } of fields) {
      const value = get(record);
      if (!is_unknown(value)) return parse(value, name);
      if (value !== undefined) blank = keeps_blank && !Number.isNaN(value) ? value : null;
    }
    return blank;
  };
  return { read, fields };
}

function from_lookup(form: LookupForm, lookups: ReadingParts["lookups"]): ValueReading {
  const fields = form.key.map(field_of);
  const lookup = lookups.get(form.lookup);
  const column = field_of(form.take);
  const parse = through_table((value) => json_of(value), form);
  const read = (record: SourceRecord): unknown => {
    for (const { name, get } of fields) {
      const key = get(record);
      if (is_unknown(key)) continue;
      const row = lookup?.get(read_text(key, name));
      const value = row === undefined ? undefined : column.get(row);
      return is_unknown(value) ? undefined : parse(value, name);
    }
    return undefined;
  };
  return { read, fields };
}

/** Makes the reading of a value. */
export function value_reading(form: ValueForm, parts: ReadingParts): ValueReading {
  if (Array.isArray(form)) {
    const readings = (form as readonly ValueForm[]).map((each) => value_reading(each, parts));
    const read = (record: SourceRecord): unknown => {
      let value: unknown = undefined;
      for (const each of readings) if (!is_unknown(value = each.read(record))) break;
      return value;
    };
    return { read, fields: readings.flatMap(({ fields }) => fields) };
  }
  const one = form as Exclude<ValueForm, readonly ValueForm[]>;
  if ("constant" in one) return { read: () => one.constant, fields: [] };
  if ("lookup" in one) return from_lookup(one, parts.lookups);
  if (one.as !== "time") return from_fields(one, parts);
  const { read_us, fields } = time_reading(one, parts);
  const is_there = (record: SourceRecord) => fields.some(({ get }) => get(record) !== undefined);
  return { read: (record) => time_or_null(read_us(record)) ?? (is_there(record) ? null : undefined), fields };
}
