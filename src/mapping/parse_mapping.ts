import { json_place, type StreamNames, type Validation } from "../domains/mod.ts";
import { compile } from "./compile.ts";
import {
  BARE_NAMES,
  type ConditionForm,
  type DeclaredMapping,
  type FieldForm,
  type Lookup,
  lookups_in,
  mapping_form,
  type MappingContext,
  type MappingForm,
  type SourceRecord,
  type TimeForm,
} from "./definition.ts";
import { any_spelling, field_of, is_unknown, text_of, top_of } from "./field.ts";
import { formats_of } from "./time_reading.ts";

/** What is wrong with a definition, and where in its JSON: `events[0].data.amount.as`. */
interface DefinitionFault {
  readonly place: string;
  readonly message: string;
}

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
        yield { place: json_place(path), message };
      }
      for (const [table, at] of lookups_named(value, path)) {
        if (declared.includes(table)) continue;
        const known = declared.join(", ") || "none";
        const message = `expected a table that "lookups" declares (${known}), got ${JSON.stringify(table)}`;
        yield { place: json_place(at), message };
      }
    }
    const { keep_rest } = event;
    if (typeof keep_rest === "string" && (is_envelope(keep_rest) || Object.hasOwn(event.data, keep_rest))) {
      const message = `expected a name that the event has not, got ${JSON.stringify(keep_rest)}`;
      yield { place: json_place(["events", i, "keep_rest"]), message };
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
    return { place: json_place(path), message };
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
    ...issues.map(({ path, message }) => ({ place: json_place(path) || "mapping", message })),
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
      place: json_place(["lookups", name]),
      message: `expected a table with the column ${key}, got none`,
    })));
  }
  return { ok: true, value: compile(form, context) };
}

/** A mapping that comes with the program: its definition, and how to tell its records. */
export class BuiltinMapping {
  readonly name: string;
  readonly form: MappingForm;
  /** Its JSON, to begin one's own from. */
  readonly json: string;

  /** @param definition its JSON, parsed. Throws when that is faulty: a fault of the program. */
  constructor(definition: unknown, named: StreamNames) {
    this.json = JSON.stringify(definition, null, 2);
    const read = read_definition(definition, named);
    if (!read.ok) throw new Error(`read a built-in mapping: ${read.fault.detail}\nin ${this.json}`);
    this.form = read.value;
    this.name = read.value.name;
  }

  /** Whether records with these fields are of its shape. */
  recognises(field_names: Iterable<string>): boolean {
    const unlike = this.unlike(field_names);
    return unlike !== null && unlike.lacking.length === 0 && unlike.unfit.length === 0;
  }

  /** Why records with these fields are not of its shape: fields that they lack, in all their spellings, and fields that its records never have. Null for one that is found by its name alone. */
  unlike(
    field_names: Iterable<string>,
  ): { readonly lacking: readonly string[]; readonly unfit: readonly string[] } | null {
    const { recognise } = this.form;
    if (recognise === undefined) return null;
    const spelled = this.form.any_spelling === true ? any_spelling : (name: string) => name;
    const there = new Set([...field_names].map(spelled));
    const is_there = (name: string) => there.has(spelled(name));
    const lacking = recognise.fields.filter((spellings) => !spellings.some(is_there));
    return {
      lacking: [...new Set(lacking.map((spellings) => spellings.join(" or ")))],
      unfit: (recognise.without ?? []).filter(is_there),
    };
  }

  /** The fields by which it recognises its records, for people to read. */
  get wants(): string {
    const { fields = [], without = [] } = this.form.recognise ?? {};
    const listed = fields.map((spellings) => spellings.join(" or ")).join(", ");
    return without.length === 0 ? listed : `${listed}; without ${without.join(", ")}`;
  }

  /** Makes it for a deployment; a fault when a table that it requires is lacking. */
  mapping(context: MappingContext): Validation<DeclaredMapping> {
    return make_mapping(this.form, context);
  }
}

/**
 * The one built-in mapping for records like these: by the names of their fields, and of several that fit by which maps all of them
 * without a fault.
 * @param records the first records of a file, at least one
 */
export function detect(
  builtins: readonly BuiltinMapping[],
  records: readonly SourceRecord[],
  context: MappingContext,
): Validation<BuiltinMapping> {
  const names = new Set(records.flatMap((record) => Object.keys(record)));
  const fit = builtins.filter((each) => each.recognises(names));
  const maps_all = (each: BuiltinMapping): boolean => {
    const made = each.mapping(context);
    return made.ok && records.every((record) => made.value.map(record).ok);
  };
  const [only, ...others] = fit.length > 1 ? fit.filter(maps_all) : fit;
  if (only !== undefined && others.length === 0) return { ok: true, value: only };
  const detail = fit.length > 0
    ? `${fit.map(({ name }) => name).join(" and ")} fit its fields: name one of them`
    : `no built-in mapping fits the fields ${listed([...names])}${nearest(builtins, names)}`;
  return { ok: false, fault: { reason: "unknown_shape", path: null, detail } };
}

const TOLD_NAMES = 30;
const listed = (names: readonly string[]): string =>
  names.slice(0, TOLD_NAMES).map((name) => name.slice(0, 60)).join(", ") +
  (names.length > TOLD_NAMES ? ` and ${names.length - TOLD_NAMES} more` : "");

/** Which built-in mapping is the nearest to records with these fields, and what keeps it from fitting; blank when none has half of them. */
function nearest(builtins: readonly BuiltinMapping[], names: ReadonlySet<string>): string {
  let best = { share: 0.5, words: "" };
  for (const each of builtins) {
    const unlike = each.unlike(names);
    if (unlike === null) continue;
    const { lacking, unfit } = unlike;
    const wanted = new Set(each.form.recognise!.fields.map((spellings) => spellings.join())).size;
    const share = 1 - (lacking.length + unfit.length) / wanted;
    if (share < best.share || (share === best.share && best.words !== "")) continue;
    const but = [
      ...(lacking.length > 0 ? [`lacking ${lacking.join(" and ")}`] : []),
      ...(unfit.length > 0 ? [`whose records have no ${unfit.join(" and ")}`] : []),
    ];
    best = { share, words: `; nearest: ${each.name}, ${but.join(", ")}` };
  }
  return best.words;
}

/** The columns that mappings take from a table, and those in which a path begins. */
export function columns_taken(forms: readonly MappingForm[], table: string): string[] {
  const lookups = forms.flatMap(({ events }) => events.flatMap(({ data }) => Object.values(data).flatMap(lookups_in)));
  const taken = lookups.flatMap(({ lookup, take }) => lookup === table ? [take, top_of(take)] : []);
  return [...new Set(taken)];
}

/** Distinct rows that are looked for among those kept: tables of few values (a kind of vehicle) have one row of each, whatever their length. */
const MOST_DISTINCT = 10_000;

/** A text of its own: a part of a longer one would keep all of that in memory. */
const own = (value: unknown): unknown => typeof value === "string" && value.length > 12 ? ` ${value}`.slice(1) : value;

/** Makes a table by the text of its key column, row by row. Of several rows with one key the last counts. */
export class LookupBuilder {
  readonly #rows = new Map<string, SourceRecord>();
  readonly #distinct = new Map<unknown, SourceRecord>();
  readonly #key: string;
  readonly #columns: readonly string[] | null;

  /** @param columns those that mappings take, all others are left out; null: none are */
  constructor(key: string, columns: readonly string[] | null = null) {
    this.#key = key;
    this.#columns = columns;
  }

  add(row: SourceRecord): void {
    const value = Object.hasOwn(row, this.#key) ? row[this.#key] : undefined;
    const text = is_unknown(value) ? null : text_of(value);
    if (text !== null) {
      this.#rows.set(own(text.trim()) as string, this.#columns === null ? row : this.#kept(row, this.#columns));
    }
  }

  /** What is kept of a row; one that is equal to an earlier one is that one. */
  #kept(row: SourceRecord, columns: readonly string[]): SourceRecord {
    const values = columns.map((name) => Object.hasOwn(row, name) ? row[name] : undefined);
    const plain = values.every((value) => typeof value !== "object" && typeof value !== "bigint");
    const content = values.length === 1 ? values[0] : plain ? JSON.stringify(values) : null;
    const found = plain ? this.#distinct.get(content) : undefined;
    if (found !== undefined) return found;
    const kept = Object.fromEntries(columns.map((name, i) => [name, own(values[i])]));
    if (plain && this.#distinct.size < MOST_DISTINCT) this.#distinct.set(own(content), kept);
    return kept;
  }

  /** How many keys it has. */
  get size(): number {
    return this.#rows.size;
  }

  /** The table of all rows that were added. */
  get lookup(): Lookup {
    return this.#rows;
  }
}
