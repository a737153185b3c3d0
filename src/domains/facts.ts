import {
  type CellShape,
  type Contribution,
  type Integer,
  is_dated,
  is_extreme,
  is_of_values,
  type Measure,
  sketches_among,
  UNKNOWN,
} from "../kpi/mod.ts";
import type { StateDate, StateFact } from "./board.ts";

/**
 * What a domain's states add to the figures, declared once: the function that ingest asks for each event, and the SQL by which boards of any
 * set of states are computed, are made of the same words. A field is named as the state or what is derived of it has it.
 */

/** Whether a state has a fact, beside its time. */
export type Condition =
  | { readonly field: string; readonly unknown: true }
  | { readonly field: string; readonly known: true }
  | { readonly field: string; readonly is: string };

/**
 * What a fact adds to a measure: one; one where a field is known, or is not; the field's value, or its product with another's, nothing where
 * it is unknown.
 */
type Addition =
  | { readonly adds: "one" }
  | { readonly adds: "known" | "unknown" | "value"; readonly field: string }
  | { readonly adds: "product"; readonly field: string; readonly by: string };

/** Adds one. */
export const ONE: Addition = { adds: "one" };
/** Adds one where a field is known. */
export const known = (field: string): Addition => ({ adds: "known", field });
/** Adds one where a field is not known. */
export const unknown = (field: string): Addition => ({ adds: "unknown", field });
/** Adds a field's value, where it is known. */
export const value = (field: string): Addition => ({ adds: "value", field });
/** Adds the product of two fields, where both are known. */
export const product = (field: string, by: string): Addition => ({ adds: "product", field, by });

/** The product of two integers, exact; 0 where one is unknown. */
function exact_product(a: Integer | null, b: Integer | null): Integer {
  if (a === null || b === null) return 0;
  const exact = BigInt(a) * BigInt(b);
  return exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : exact;
}

/** A dated part of a state, or several: each of a list. */
export interface FactForm {
  /**
   * Fields that are times: the earliest that is known dates the fact; a state that knows none of them has it not. Or one that is a list of times:
   * the state has the fact at each of them, and of lists it adds what they have in the same place. Such a fact has no extremes and no sketches.
   */
  readonly at: readonly string[];
  /** The field that has the id of the event which dates it: a fact that adds to a first or last has one. */
  readonly by?: string;
  /** Absent: every state that has the time has the fact. */
  readonly when?: Condition;
  /** What it adds, by the names of measures. */
  readonly adds: Readonly<Record<string, Addition>>;
}

/** Where a field's value is: in its column, and in a state, where it is either kept or made. */
interface Source {
  readonly column: string;
  /** Absent: the state has it under its name. */
  readonly get?: (state: never) => unknown;
  /** Whether it is a list. */
  readonly many?: boolean;
}
type Sources = Readonly<Record<string, Source>>;

/** The column of a field, of a list what it has of the fact that is looked at. */
const column_sql = ({ column, many = false }: Source): string => `${many ? "item" : "states"}.${column}`;

const addition_sql = (addition: Addition, sources: Sources): string => {
  if (addition.adds === "one") return "1";
  const column = column_sql(sources[addition.field]!);
  switch (addition.adds) {
    case "known":
      return `(${column} is not null)::integer`;
    case "unknown":
      return `(${column} is null)::integer`;
    case "value":
      return column;
    case "product":
      return `${column}::numeric * ${column_sql(sources[addition.by]!)}`;
  }
};

/** The condition of a fact, as SQL over a row whose columns this stands before. */
const condition_sql = (when: Condition | undefined, sources: Sources, before: string): string =>
  when === undefined
    ? "true"
    : `${before}${sources[when.field]!.column}${
      "is" in when ? ` = '${when.is}'` : "known" in when ? " is not null" : " is null"
    }`;

/** The fields of a fact: its dates and what it adds. */
const fields_of = ({ at, adds }: FactForm): readonly string[] => [
  ...at,
  ...Object.values(adds).flatMap((addition) =>
    addition.adds === "one" ? [] : addition.adds === "product" ? [addition.field, addition.by] : [addition.field]
  ),
];

/** Whether a state may have a fact several times. Throws for lists in a fact that it has but once, and for several dates of one that it has not. */
function is_repeated(fact: FactForm, sources: Sources): boolean {
  const lists = fields_of(fact).filter((field) => sources[field]?.many === true);
  const [date, ...others] = fact.at;
  if (lists.length === 0 || (lists.includes(date!) && others.length === 0)) return lists.length > 0;
  throw new Error(`declare facts: expected ${lists.join(", ")} in a fact that one list of times alone dates`);
}

/** Facts as SQL over the rows of the state table, named `states`. */
export const facts_sql = (facts: readonly FactForm[], sources: Sources): readonly StateFact[] =>
  facts.map((fact): StateFact => {
    const { at, by, when, adds } = fact;
    const times = at.map((field) => column_sql(sources[field]!));
    const columns = [...new Set(fields_of(fact))].map((field) => sources[field]!).filter(({ many }) => many)
      .map(({ column }) => column);
    const lists = columns.map((column) => `states.${column}`);
    return {
      // SQL's least passes over nulls: the earliest time that is known.
      at: times.length === 1 ? times[0]! : `least(${times.join(", ")})`,
      ...is_repeated(fact, sources) ? { each: `unnest(${lists.join(", ")}) as item(${columns.join(", ")})` } : {},
      ...by === undefined ? {} : { by: column_sql(sources[by]!) },
      counts: condition_sql(when, sources, "states."),
      adds: Object.fromEntries(Object.entries(adds).map(([name, addition]) => [name, addition_sql(addition, sources)])),
    };
  });

/** The columns that date facts, each once. */
export const fact_dates = (facts: readonly FactForm[], sources: Sources): readonly StateDate[] =>
  [...new Set(facts.flatMap(({ at }) => at))].map((field) => {
    const { column, many } = sources[field]!, own = `states.${column}`;
    return many
      ? { column, first: `${own}[1]`, last: `${own}[cardinality(${own})]` }
      : { column, first: own, last: own };
  });

/** Where extremes come from: the state columns that date the fact which has them, by time and event, and the SQL condition that a state has it. */
export interface Extremes {
  readonly at_column: string;
  /** Null where there is no first or last. */
  readonly by_column: string | null;
  readonly condition: string;
}

/** The fact that adds to some measures, which one alone may, of one date; null where none does. */
function only_fact_of(what: string, facts: readonly FactForm[], measures: readonly Measure[], sources: Sources) {
  const [fact, ...others] = facts.filter(({ adds }) => measures.some(({ name }) => name in adds));
  if (fact === undefined) return null;
  if (others.length > 0 || fact.at.length !== 1 || is_repeated(fact, sources)) {
    throw new Error(`declare facts: expected ${what} in one, of one date, which a state has but once`);
  }
  return fact;
}

/** The state columns that date what sketches count; none where no fact adds to one. Each sketch is of one fact, by whose date it is made anew. */
export function sketch_dates(
  facts: readonly FactForm[],
  measures: readonly Measure[],
  sources: Sources,
): readonly string[] {
  const dated = sketches_among(measures).map((sketch) =>
    only_fact_of(`sketch ${sketch.name}`, facts, [sketch], sources)
  );
  return [...new Set(dated.flatMap((fact) => fact === null ? [] : fact.at))].map((field) => sources[field]!.column);
}

/** Null where no fact has extremes. All of a domain are of one fact with one date, by which they are recomputed. */
export function extremes_of(
  facts: readonly FactForm[],
  measures: readonly Measure[],
  sources: Sources,
): Extremes | null {
  const fact = only_fact_of("extremes", facts, measures.filter(({ kind }) => is_extreme(kind)), sources);
  if (fact === null) return null;
  const dated = measures.some(({ name, kind }) => is_dated(kind) && name in fact.adds);
  if (dated && fact.by === undefined) {
    throw new Error("declare facts: expected the field of the event that dates a first or last, got none");
  }
  return {
    at_column: sources[fact.at[0]!]!.column,
    by_column: fact.by === undefined ? null : sources[fact.by]!.column,
    condition: condition_sql(fact.when, sources, ""),
  };
}

/** A program that makes the contribution of a state `s`, written out once: a function for each word costs five times as much. */
class Program {
  readonly #lines: string[] = [];
  readonly #read = new Set<string>();
  /** What adds the facts that a state may have several times, one after the other. */
  readonly #repeated: string[] = [];
  readonly lists: number[][] = [];

  constructor(readonly sources: Sources, readonly measures: readonly Measure[]) {}

  /** The name of a field's value. */
  value(field: string): string {
    const source = this.sources[field];
    if (source === undefined || !/^[a-z_]\w*$/.test(field)) {
      throw new Error(`declare facts: no field is named ${field}`);
    }
    if (!this.#read.has(field)) {
      this.#read.add(field);
      this.#lines.push(`const $${field} = ${source.get === undefined ? `s.${field}` : `sources.${field}.get(s)`};`);
    }
    return `$${field}`;
  }

  /** The name of a field's value, of a list of that which stands at `j`. */
  #item(field: string): string {
    const value = this.value(field);
    return this.sources[field]!.many === true ? `${value}[j]` : value;
  }

  /** Takes up a fact; gives it, or null for one that each state may have several times. */
  fact(form: FactForm, i: number): string | null {
    const { at, by, when, adds } = form;
    const [first, ...others] = at.map((field) => this.value(field));
    this.#lines.push(`${others.length === 0 ? "const" : "let"} at${i} = ${first};`);
    for (const time of others) {
      this.#lines.push(`if (${time} !== null && (at${i} === null || ${time} < at${i})) at${i} = ${time};`);
    }
    const lacks = when === undefined
      ? ""
      : ` || ${this.value(when.field)} ${
        "is" in when ? `!== ${JSON.stringify(when.is)}` : "known" in when ? "=== null" : "!== null"
      }`;
    const repeated = is_repeated(form, this.sources);
    const parts = Object.entries(adds).map(([name, addition]) => {
      const m = this.measures.findIndex((measure) => measure.name === name);
      if (m < 0) throw new Error(`declare facts: no measure is named ${name}`);
      return { m, addition, field: addition.adds === "one" ? null : addition.field };
    });
    const dated = by === undefined ? "" : `, by: ${this.value(by)} ?? ""`;
    type Part = (typeof parts)[number];
    const valued = new Set(parts.filter(({ m }) => is_of_values(this.measures[m]!.kind)).map(({ field }) => field));
    const goes_with = ({ addition, field }: Part) => valued.has(field) && addition.adds !== "unknown" ? field : null;
    // A value of nothing is not added, nor what else is said of its field: which are known tells which measures the fact has. Equal lists are one.
    const made = (taken: readonly Part[], [field, ...left]: readonly (string | null)[]): string => {
      if (field !== undefined) {
        const same = parts.filter((part) => goes_with(part) === field);
        return `(${this.#item(field!)} === null ? ${made(taken, left)} : ${made([...taken, ...same], left)})`;
      }
      const list = this.lists.push(taken.map(({ m }) => m)) - 1;
      const values = taken.map((part) => this.#value_of(part.addition, goes_with(part) !== null));
      return `{ at_us: at${i}${repeated ? "[j]" : ""}${dated}, measures: lists[${list}], values: [${
        values.join(", ")
      }] }`;
    };
    const always = parts.filter((part) => goes_with(part) === null);
    const one = made(always, [...valued]);
    if (!repeated) return `at${i} === null${lacks} ? null : ${one}`;
    this.#repeated.push(`if (!(at${i} === null${lacks})) for (let j = 0; j < at${i}.length; j++) facts.push(${one});`);
    return null;
  }

  #value_of(addition: Addition, is_known: boolean): string {
    if (addition.adds === "one") return "1";
    const value = this.#item(addition.field);
    switch (addition.adds) {
      case "known":
        return is_known ? "1" : `(${value} === null ? 0 : 1)`;
      case "unknown":
        return `(${value} === null ? 1 : 0)`;
      case "value":
        return is_known ? value : `(${value} ?? 0)`;
      case "product":
        return `product(${value}, ${this.#item(addition.by)})`;
    }
  }

  /** The function that the program is. */
  made(keys: readonly string[], facts: readonly string[]): (state: unknown) => Contribution {
    const lines = [...this.#lines, `const facts = [${facts.join(", ")}];`, ...this.#repeated];
    const body = `${lines.join("\n")}\nreturn { keys: [${keys.join(", ")}], facts };`;
    const make = new Function("sources", "lists", "product", `return (s) => {\n${body}\n};`);
    return make(this.sources, this.lists, exact_product);
  }
}

/** What states add to cells of these dimensions. The keys of a dimension are read from the field that has its column. */
export function contribution_of(
  facts: readonly FactForm[],
  { dimensions, measures, by_currency }: Pick<CellShape, "dimensions" | "measures" | "by_currency">,
  sources: Sources,
): (state: unknown) => Contribution {
  const program = new Program(sources, measures);
  const field_of = new Map(Object.entries(sources).map(([field, { column }]) => [column, field]));
  const of_column = (column: string) => program.value(field_of.get(column) ?? column);
  const code = by_currency === undefined ? null : of_column("currency");
  const keys = dimensions.map(({ column }) => {
    const key = column === null ? '"all"' : `${of_column(column)} ?? "${UNKNOWN}"`;
    return code === null ? key : `${code} + (${key})`;
  });
  return program.made(keys, facts.map((fact, i) => program.fact(fact, i)).filter((fact) => fact !== null));
}
