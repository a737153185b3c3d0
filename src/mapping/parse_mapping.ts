import type { StreamNames, Validation } from "../domains/mod.ts";
import { compile } from "./compile.ts";
import { type ConditionForm, type FieldForm, mapping_form, type MappingForm, type TimeForm } from "./definition.ts";
import { field_of } from "./field.ts";
import { formats_of } from "./time_reading.ts";
import { BARE_NAMES, type DeclaredMapping, type MappingContext } from "./mapping.ts";

/** What is wrong with a definition, and where in its JSON: `events[0].data.amount.as`. */
interface DefinitionFault {
  readonly place: string;
  readonly message: string;
}

const place = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(String(step))) return `${text}[${JSON.stringify(step)}]`;
    return text === "" ? String(step) : `${text}.${String(step)}`;
  }, "");

const is_object = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

/** Every table that a value looks up in, with its place. */
function* lookups_named(value: unknown, path: readonly PropertyKey[]): Generator<readonly [string, PropertyKey[]]> {
  if (!is_object(value)) return;
  if (typeof value.lookup === "string") yield [value.lookup, [...path, "lookup"]];
  if (Array.isArray(value)) { for (const [i, each] of value.entries()) yield* lookups_named(each, [...path, i]); }
}

/** What a definition says in two places that does not fit together, or that no event can have, as sentences with their place. Looks at whatever is there, valid or not. */
function* contradictions(json: unknown, { stream_column }: StreamNames): Generator<DefinitionFault> {
  if (!is_object(json) || !Array.isArray(json.events)) return;
  const is_envelope = (name: string) => name === stream_column || BARE_NAMES.has(name);
  const declared = is_object(json.lookups) ? Object.keys(json.lookups) : [];
  for (const [i, event] of json.events.entries()) {
    if (!is_object(event) || !is_object(event.data)) continue;
    for (const [name, value] of Object.entries(event.data)) {
      const path = ["events", i, "data", name];
      if (name === "__proto__" || is_envelope(name)) {
        const message = "expected the name of a data field; ids, type and time have places of their own";
        yield { place: place(path), message };
      }
      for (const [table, at] of lookups_named(value, path)) {
        if (declared.includes(table)) continue;
        const known = declared.join(", ") || "none";
        const message = `expected a table that "lookups" declares (${known}), got ${JSON.stringify(table)}`;
        yield { place: place(at), message };
      }
    }
    const { keep_rest } = event;
    if (typeof keep_rest === "string" && (is_envelope(keep_rest) || Object.hasOwn(event.data, keep_rest))) {
      const message = `expected a name that the event has not, got ${JSON.stringify(keep_rest)}`;
      yield { place: place(["events", i, "keep_rest"]), message };
    }
  }
}

/** The fields that a condition looks at. */
function* fields_of_condition(form: ConditionForm): Generator<readonly FieldForm[]> {
  if ("field" in form) yield form.field;
  else if ("not" in form) yield* fields_of_condition(form.not);
  else for (const part of "all" in form ? form.all : form.any) yield* fields_of_condition(part);
}

/**
 * Where a mapping numbers equal rows by an id that leaves out what their events hang on: the events of one row would get different numbers.
 *
 * Rows are numbered by type of event. So rows with one id make the same events, or one condition on other fields parts them in two kinds
 * that share no type, such as rides and the rows that take them back: each event has it, or its `not`.
 */
function* unnumbered({ number_equal_rows, stream_id, named, events }: MappingForm): Generator<DefinitionFault> {
  if (number_equal_rows !== true) return;
  const key = (fields: readonly FieldForm[]) => JSON.stringify(fields);
  const [id, ...other_ways] = stream_id;
  const parts = id?.join ?? [];
  const whole = parts.some((part) => "hash" in part && part.hash === "all");
  const from = parts.flatMap((part) => {
    if ("from" in part) return [part.from];
    return "hash" in part && part.hash !== "all"
      ? part.hash.map((each) => typeof each === "string" ? [each] : each.from)
      : [];
  });
  const known = new Set(from.map(key));
  const is_known = (fields: readonly FieldForm[]) =>
    whole || known.has(key(fields)) ||
    fields.every((each) => typeof each !== "string" && each.join.every((part) => known.has(key([part]))));
  if (other_ways.length > 0) {
    yield { place: named.stream_column, message: 'expected one way to the id with "number_equal_rows", got several' };
  }
  const unknown_field = (fields: readonly FieldForm[], path: readonly PropertyKey[]): DefinitionFault => {
    const names = fields.map((each) => field_of(each).name).join(" or ");
    const message = `expected "number_equal_rows" with a ${named.stream_column} that has ${names} among its fields`;
    return { place: place(path), message };
  };
  /** Of each event: what it hangs on beside the id's fields. */
  const parting = events.map(({ when }) => {
    const conditions = when === undefined ? [] : "all" in when ? when.all : [when];
    return conditions.filter((each) => ![...fields_of_condition(each)].every(is_known));
  });
  const positive = (each: ConditionForm) => JSON.stringify("not" in each ? each.not : each);
  const kinds = new Map([true, false].map((holds) => [
    holds,
    new Set(events.flatMap(({ type }, i) => parting[i]!.some((each) => "not" in each !== holds) ? [type] : [])),
  ]));
  const parts_in_two = new Set(parting.flat().map(positive)).size === 1 &&
    parting.every(({ length }) => length === 1) && kinds.get(true)!.isDisjointFrom(kinds.get(false)!);
  for (const [i, { at, when }] of events.entries()) {
    for (const { from, plus, minus } of at) {
      for (const fields of [from, plus?.from, minus?.from]) {
        if (fields !== undefined && !is_known(fields)) yield unknown_field(fields, ["events", i, "at"]);
      }
    }
    if (when === undefined || parts_in_two) continue;
    for (const fields of fields_of_condition(when)) {
      if (!is_known(fields)) yield unknown_field(fields, ["events", i, "when"]);
    }
  }
}

/** Every reading of a time among values, of data or under a hash. */
function* times_in(value: unknown): Generator<Pick<TimeForm, "from" | "format" | "zone">> {
  if (!is_object(value)) return;
  if (value.as === "time") yield value as unknown as TimeForm;
  else for (const each of Object.values(value)) yield* times_in(each);
}

/** A zone of the mapping that no time is read by, since all are epochs: whoever wrote it thinks that it moves them. */
function* idle_zone({ zone, stream_id, events }: MappingForm): Generator<DefinitionFault> {
  if (zone === undefined || zone === "UTC") return;
  const times = [...events.flatMap(({ at }) => at), ...times_in([stream_id, events.map(({ data }) => data)])];
  const is_instant = (time: Pick<TimeForm, "from" | "format" | "zone">) =>
    time.zone === undefined &&
    time.from.every((field) => formats_of(time, field).every((each) => each.startsWith("epoch_")));
  if (!times.every(is_instant)) return;
  const message = "expected a time that the zone is for, got epochs alone, which are instants: " +
    'put the zone beside "format" where the number was made of a local clock, else leave it out';
  yield { place: "zone", message };
}

const invalid = (path: string | null, detail: string): Validation<never> => ({
  ok: false,
  fault: { reason: "invalid_mapping", path, detail },
});

/** All faults in one: the path is that of the first, the detail has a line for each. */
const together = (faults: readonly DefinitionFault[]): Validation<never> =>
  invalid(faults[0]!.place, faults.map(({ place, message }) => `${place}: ${message}`).join("\n"));

/** No mapping that somebody writes nests deeper; what goes down it by recursion must not run out of its stack. */
const DEEPEST = 64;
const nests_too_deep = (value: unknown, depth = 0): boolean =>
  depth > DEEPEST || (is_object(value) && Object.values(value).some((each) => nests_too_deep(each, depth + 1)));

/** Reads the definition of a mapping for events of a domain, already parsed from JSON. All faults are found at once, each with its place. */
export function read_definition(json: unknown, named: StreamNames): Validation<MappingForm> {
  if (nests_too_deep(json)) {
    return together([{ place: "mapping", message: `expected at most ${DEEPEST} levels of nesting` }]);
  }
  const parsed = mapping_form(named).safeParse(json);
  const issues = parsed.success ? [] : parsed.error.issues;
  const faults = [
    ...issues.map(({ path, message }) => ({ place: place(path) || "mapping", message })),
    ...contradictions(json, named),
    ...(parsed.success ? [...unnumbered(parsed.data), ...idle_zone(parsed.data)] : []),
  ];
  return parsed.success && faults.length === 0 ? { ok: true, value: parsed.data } : together(faults);
}

/** Makes the mapping of a definition for a deployment; a table that it requires has to be there. */
export function make_mapping(form: MappingForm, context: MappingContext): Validation<DeclaredMapping> {
  const lacking = Object.entries(form.lookups ?? {}).filter(([name, { required = false }]) =>
    required && context.lookups?.has(name) !== true
  );
  if (lacking.length > 0) {
    return together(lacking.map(([name, { key }]) => ({
      place: place(["lookups", name]),
      message: `expected a table with the column ${key}, got none`,
    })));
  }
  return { ok: true, value: compile(form, context) };
}
