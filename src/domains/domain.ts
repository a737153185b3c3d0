import { type CellShape, column_measures, type Contribution, type Integer, sketches_among } from "../kpi/mod.ts";
import {
  type BoardDeclaration,
  type BoardField,
  type DomainBoard,
  type DomainTables,
  in_currency,
  type ShownField,
  type StreamNames,
} from "./board.ts";
import { require_board } from "./board_faults.ts";
import {
  contribution_of,
  type Extremes,
  extremes_of,
  fact_dates,
  type FactForm,
  facts_sql,
  sketch_dates,
} from "./facts.ts";
import {
  brought_up,
  column_name,
  CURRENCY,
  current_version,
  data_schema,
  type EarlierVersions,
  event_fields,
  event_schema,
  type EventField,
  type Fields,
  type FieldType,
  type JsonSchema,
  outside_name,
  type PayloadOf,
  type PersonField,
  persons_of,
  read_payload,
  type StateOf,
} from "./fields.ts";
import { type Derived, fold_of } from "./rules.ts";

/**
 * What a domain gives to the engine. The engine (log, ingest, projection, kpi, feed) knows no domain: everything it
 * needs to fold streams of events into states and states into KPI cells stands in one value of this type.
 *
 * Units that cross this door: event time is microseconds since the Unix epoch, a `number` (exact until the year 2255).
 * Figures that add up are integers: a `number` while it is a safe integer, a `bigint` past that.
 */

/** A validated domain event, before it has a position in the log. `payload` is what the fold reads; `data` is the canonical JSON that the log keeps (unknown fields included). */
export interface DomainEvent {
  readonly stream_id: string;
  /** Unique within its stream. For CloudEvents: source and id together, separated by one space. */
  readonly event_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly occurred_at_us: number;
  readonly payload: unknown;
  readonly data: string;
  /** Envelope attributes worth keeping (CloudEvents extensions, correlation, causation); never folded. */
  readonly attributes: Readonly<Record<string, unknown>> | null;
}

/** What folding takes of an event. */
export type FoldedEvent<Payload = unknown> =
  & Pick<DomainEvent, "stream_id" | "event_id" | "type" | "occurred_at_us">
  & { readonly payload: Payload };

/** What is wrong with a value: a stable code, the path to the value in fault, and a sentence: expected, received. */
export interface Fault {
  readonly reason: string;
  readonly path: string | null;
  readonly detail: string;
}

export type Validation<T = unknown> = { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly fault: Fault;
};

/** A column's value: text, number or bigint, event time in microseconds for timestamptz; a list of such for an array; null where unknown. */
export type StateValue = string | Integer | readonly Integer[] | null;

/** How one field of a state is kept in the domain's state table. */
export interface StateColumn<State = unknown> {
  readonly name: string;
  readonly type: FieldType["column"];
  readonly get: (state: State) => StateValue;
}

/** Values of a state row, by column name, as `StateColumn.get` gives them. */
export type StateRow = Readonly<Record<string, StateValue>>;

/** Whether two values of a column are the same. */
export const same_value = (a: StateValue | undefined, b: StateValue | undefined): boolean =>
  a === b ||
  (typeof a === "object" && typeof b === "object" && a !== null && b !== null && a.length === b.length &&
    a.every((value, i) => value === b[i]));

/** A domain as it is written: what its events name and what they fold to are made of its fields. */
export interface DomainDefinition<All extends Fields> extends StreamNames, CellShape {
  readonly name: string;
  readonly tables: DomainTables;
  /** The event types, in the order a stream usually sees them. */
  readonly event_types: readonly string[];
  readonly fields: All;
  /** Versions of event types that are not the current ones any more; absent: all are at their first. */
  readonly earlier?: EarlierVersions;
  /** Fields that have one value in a deployment: an event that names another is refused, since such are not added up. */
  readonly fixed?: Readonly<Record<string, string>>;
  readonly derived: Readonly<Record<string, Derived<StateOf<All>>>>;
  /** Folds the next event, in order of (time, event id), into the state. Pure. Absent: as the fields say (`fold_of`). */
  readonly fold?: (state: StateOf<All>, event: FoldedEvent<PayloadOf<All>>) => StateOf<All>;
  /** What states add to the measures, and when. */
  readonly facts: readonly FactForm[];
  /** What the page and the API show of it. */
  readonly board: BoardDeclaration;
}

/** What a domain is declared as, for what makes something else of it than functions. */
interface Declared extends Required<Pick<DomainDefinition<Fields>, "fields" | "fixed" | "earlier" | "facts">> {
  readonly derived: Readonly<Record<string, Derived<never>>>;
  /** Whether it folds as its fields say, and not by code of its own. */
  readonly folds_by_fields: boolean;
  /** The field of each column. */
  readonly columns: Readonly<Record<string, string>>;
}

/** A domain as the engine knows it: payloads and states are values that it keeps and hands back, never looks into. */
export interface Domain extends StreamNames, CellShape {
  readonly name: string;
  readonly tables: DomainTables;
  readonly event_types: readonly string[];
  /** Validates the data of one event type and version. */
  readonly parse: (type: string, version: number, data: Readonly<Record<string, unknown>>) => Validation;
  /** What each event type may say, by version, from 1 on. */
  readonly schemas: () => Readonly<Record<string, readonly JsonSchema[]>>;
  /**
   * The fields of an event type and version, for reading plain data without `parse`: data is admitted if each of its fields can be read, and the payload is what they
   * are read into, blank ones left out, in this order. Null where there are no such events.
   */
  readonly fields: (type: string, version: number) => readonly EventField[] | null;
  /** The fields that name persons. */
  readonly persons: readonly PersonField[];
  /** What all of this is made of. */
  readonly declared: Declared;
  readonly initial: unknown;
  readonly fold: (state: unknown, event: FoldedEvent) => unknown;
  readonly columns: readonly StateColumn[];
  readonly from_row: (row: StateRow) => unknown;
  readonly contribution: (state: unknown) => Contribution;
  /** Null for a domain that keeps none. */
  readonly extremes: Extremes | null;
  /** The state columns that date what its sketches count; none for a domain that keeps none. */
  readonly sketch_dates: readonly string[];
  readonly board: DomainBoard;
}

/** Makes a domain of its definition. The types are lost here alone: whatever the engine hands to a domain came from it. */
export function define_domain<const All extends Fields>(definition: DomainDefinition<All>): Domain {
  const { fields, fixed = {}, derived, event_types, earlier = {}, facts, fold: own_fold, ...given } = definition;
  const { noun, stream_column, tables, dimensions, by_currency } = given;
  const measures = [...column_measures(given.measures), ...sketches_among(given.measures)];
  if (by_currency !== undefined) require_currency(given, derived);
  require_distinct(given);
  require_sketches(given);
  require_board({ ...given, facts });
  const persons = persons_of(given, fields);
  const kept = Object.entries(fields).map(([name, { type }]) => ({
    name,
    column: column_name(name, type),
    type,
    many: type.many === true,
  }));
  const made = Object.entries(derived).map(([name, { type, get }]) => ({
    name,
    column: column_name(name, type),
    type,
    get,
  }));
  const sources = Object.fromEntries([...kept, ...made].map(({ name, type: _, ...source }) => [name, source]));
  const initial = Object.fromEntries(kept.map(({ name }) => [name, null]));
  const read_from = new Map(event_types.map((type) => [type, event_fields(fields, type)]));
  const only_fixed = (field: EventField): EventField => {
    const value = fixed[field.target];
    return value === undefined ? field : { ...field, read: (given) => given === value ? value : null };
  };
  const own_values = Object.entries(fixed);
  const told = shown_fields(fields, derived), dates = fact_dates(facts, sources), { lines } = given.board;
  const fast = new Map([...read_from].map(([type, all]) => [type, all.map(only_fixed)]));
  return {
    ...given,
    event_types,
    parse: (type, version, data) => parse_data({ fields: read_from, fixed: own_values, earlier }, type, version, data),
    schemas: () =>
      Object.fromEntries(
        [...read_from].map(([type, own]) => [
          type,
          [...(earlier[type] ?? []).map(({ schema }) => schema), data_schema(type, own)],
        ]),
      ),
    fields: (type, version) => version === current_version(earlier, type) ? fast.get(type) ?? null : null,
    persons,
    initial,
    declared: {
      ...{ fields, fixed, earlier, facts, derived, folds_by_fields: own_fold === undefined },
      columns: Object.fromEntries([...kept, ...made].map(({ name, column }) => [column, name])),
    },
    fold: (own_fold ?? fold_of(noun, event_types, fields)) as Domain["fold"],
    columns: [
      ...kept.map(({ name, column, type }): StateColumn => ({
        name: column,
        type: type.column,
        get: (state) => (state as StateRow)[name]!,
      })),
      ...made.map(({ column, type, get }): StateColumn => ({
        name: column,
        type: type.column,
        get: get as StateColumn["get"],
      })),
    ],
    from_row(row) {
      const state: Record<string, unknown> = { ...initial };
      for (const { name, column } of kept) state[name] = row[column] ?? null;
      return state;
    },
    measures,
    contribution: contribution_of(facts, { ...given, measures }, sources),
    extremes: extremes_of(facts, measures, sources),
    sketch_dates: sketch_dates(facts, measures, sources),
    board: in_currency({
      ...given.board,
      ...{ noun, stream_column, tables, dimensions, measures, dates },
      ...by_currency === undefined ? {} : { by_currency },
      fields: told,
      facts: facts_sql(facts, sources),
      lines: { ...lines, fields: lines.fields.map((name) => line_field(name, stream_column, told, dates)) },
    }, by_currency),
  };
}

/** Throws where a domain that is declared by currency lacks what that needs. */
function require_currency(
  { name, dimensions, board: { whole } }: Pick<DomainDefinition<Fields>, "name" | "dimensions" | "board">,
  derived: Readonly<Record<string, Derived<never>>>,
): void {
  const refuse = (expected: string) => {
    throw new Error(`declare ${name} by currency: expected ${expected}`);
  };
  const { currency } = derived;
  if (currency?.type !== CURRENCY || currency.always !== true) {
    refuse("`currency` among what is derived, of type CURRENCY, which there always is");
  }
  if (dimensions.some((dimension) => dimension.name === "currency")) {
    refuse("no dimension `currency`: a board is of one, and what asks for it has that name");
  }
  if (!dimensions.some((dimension) => dimension.name === whole.dimension && dimension.grains.includes("all"))) {
    refuse("cells of all that there is, of all of time: they tell which currencies there are");
  }
}

/** Throws where a figure counts keys that there are none of, or by what is no count. */
function require_distinct(
  { name, dimensions, measures, board: { figures } }: Pick<
    DomainDefinition<Fields>,
    "name" | "dimensions" | "measures" | "board"
  >,
): void {
  for (const [figure, declared] of Object.entries(figures)) {
    if (declared.kind !== "distinct") continue;
    const { dimension, count } = declared;
    const refuse = (expected: string, got: string) => {
      throw new Error(`declare ${name}, figure ${figure}: expected ${expected}, got ${JSON.stringify(got)}`);
    };
    if (dimensions.find((each) => each.name === dimension)?.column == null) {
      refuse("a dimension whose keys are read from a column", dimension);
    }
    if (measures.find((each) => each.name === count)?.kind !== "count") refuse("a measure of kind count", count);
  }
}

/** Throws where quantiles are of what is no sketch, or sketches lack what they are kept in. */
function require_sketches(
  { name, tables, dimensions, measures, board: { figures } }: Pick<
    DomainDefinition<Fields>,
    "name" | "tables" | "dimensions" | "measures" | "board"
  >,
): void {
  const sketches = sketches_among(measures).map((measure) => measure.name);
  const kept = dimensions.some((dimension) => (dimension.sketches ?? []).length > 0);
  if ((tables.sketches !== null) !== sketches.length > 0 || (kept && sketches.length === 0)) {
    throw new Error(
      `declare ${name}: expected a table of sketches where a measure is one, got ${tables.sketches ?? "none"} for ${
        sketches.join(", ") || "none"
      }`,
    );
  }
  for (const [figure, declared] of Object.entries(figures)) {
    if (declared.kind !== "quantile" || sketches.includes(declared.sketch)) continue;
    throw new Error(
      `declare ${name}, figure ${figure}: expected a measure of kind sketch, got ${JSON.stringify(declared.sketch)}`,
    );
  }
}

/** What an event's data is read by. */
interface Readings {
  readonly fields: ReadonlyMap<string, readonly EventField[]>;
  readonly fixed: readonly (readonly [name: string, value: string])[];
  readonly earlier: EarlierVersions;
}

function parse_data(
  { fields, fixed, earlier }: Readings,
  type: string,
  version: number,
  given: Readonly<Record<string, unknown>>,
): Validation {
  const own = fields.get(type);
  if (own === undefined) {
    const detail = `expected one of ${[...fields.keys()].join(", ")}, got ${JSON.stringify(type.slice(0, 100))}`;
    return { ok: false, fault: { reason: "unknown_type", path: "type", detail } };
  }
  const current = current_version(earlier, type);
  if (version < 1 || version > current) {
    const known = current === 1 ? "1" : `1 to ${current}`;
    const detail = `expected schema version ${known} of ${type}, got ${version}`;
    return { ok: false, fault: { reason: "unknown_version", path: "schema_version", detail } };
  }
  const data = brought_up(earlier, type, version, given);
  if (data === null) {
    const detail = `expected data of version ${version} of ${type}; it cannot be brought up to version ${current}`;
    return { ok: false, fault: { reason: "invalid_field", path: "data", detail } };
  }
  const payload = read_payload(own, data);
  if (payload === null) {
    const { error } = event_schema(own).safeParse(data);
    if (error === undefined) throw new Error(`read ${type}: its schema admits data that cannot be read`);
    const issue = error.issues[0]!;
    const path = issue.path.join(".");
    const missing = data[path] === undefined;
    const detail = missing ? `expected ${path}, which ${type} requires; it is absent` : issue.message;
    return { ok: false, fault: { reason: missing ? "missing_field" : "invalid_field", path, detail } };
  }
  for (const [name, value] of fixed) {
    const told = payload[name];
    if (told === undefined || told === value) continue;
    const detail = `expected the ${name} of this deployment, ${value}, got ${JSON.stringify(told)}`;
    return { ok: false, fault: { reason: `other_${name}`, path: name, detail } };
  }
  return { ok: true, value: payload };
}

/** In which order the API tells a state's fields: what there always is, then by kind, what has a unit last. */
const SHOWN = ["time", "text", "number", "amount"] as const;
const rank = ({ always, kind, per }: ShownField): number =>
  always ? -1 : kind === "number" && per > 1 ? SHOWN.length : SHOWN.indexOf(kind);

/** The fields of a state as the API tells them. */
function shown_fields(fields: Fields, derived: Readonly<Record<string, Derived<never>>>): readonly ShownField[] {
  const all: { name: string; type: FieldType; says?: string; always?: boolean }[] = Object.entries(fields)
    .filter(([, { hidden }]) => hidden !== true).map(([name, field]) => ({ name, ...field }));
  for (const [name, field] of Object.entries(derived)) {
    const before = all.findIndex((other) => other.name === field.before);
    all.splice(before < 0 ? all.length : before, 0, { name, ...field });
  }
  return all.map(({ name, type, says, always = false }): ShownField => ({
    name: outside_name(name, type),
    column: column_name(name, type),
    kind: type.shown,
    per: type.per,
    values: type.values ?? null,
    always,
    ...type.many === true ? { many: true } : {},
    says: says ?? null,
  })).sort((a, b) => rank(a) - rank(b));
}

/** A field of a line by its name: one that the API tells, the stream's id, or `at_ms`, when last something happened; a stream without a date has that of its last event. */
function line_field(
  name: string,
  stream_column: string,
  fields: readonly ShownField[],
  dates: DomainBoard["dates"],
): BoardField {
  if (name === stream_column) return { name, sql: `states.${name}`, kind: "text", per: 1 };
  if (name === "at_ms") {
    const latest = `greatest(${dates.map(({ last }) => last).join(", ")})`;
    return { name, sql: `coalesce(${latest}, states.last_occurred_at)`, kind: "time", per: 1 };
  }
  const field = fields.find((each) => each.name === name);
  if (field === undefined) throw new Error(`declare the list: no field is named ${name}`);
  const { column, kind, per } = field;
  return { name, sql: `states.${column}`, kind: kind === "amount" ? "number" : kind, per };
}
