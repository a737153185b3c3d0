import type { ConditionForm } from "./definition.ts";
import { type Field, field_of, is_unknown, text_of } from "./field.ts";
import type { SourceRecord } from "./mapping.ts";
import { folded, type ReadingParts } from "./value_reading.ts";

/** Whether an event is made from a record. */
export interface Condition {
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
export function condition(form: ConditionForm, parts: ReadingParts): Condition {
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
