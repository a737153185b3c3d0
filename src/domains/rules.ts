import type { Condition } from "./facts.ts";
import type { Fields, FieldType, StateOf } from "./fields.ts";
import type { Integer } from "../kpi/mod.ts";

/**
 * How events fold into a state, and what is made of a state beside it, as declarations: the functions that ingest calls for each event are
 * made of them here, written out once, and so is the SQL of another engine (`src/flink`), so that the two cannot differ.
 */

/** What a value is made of, and when. All fields are the state's. */
export type Made =
  | { readonly text: string }
  | { readonly field: string }
  /** The first of these that is known. */
  | { readonly first_known: readonly string[] }
  /** Milliseconds from one time to another, rounded; none where one is unknown or the second is before the first. */
  | { readonly ms_from: string; readonly to: string }
  /** What stands beside the first conditions that all hold; else `otherwise`, or nothing. */
  | {
    readonly cases: readonly (readonly [when: readonly MadeCondition[], then: Made])[];
    readonly otherwise?: Made;
  };

/** A condition of a state: one that facts have, or that the sum of a list reaches a value. */
export type MadeCondition = Condition | { readonly sum_of: string; readonly reaches: Made };

/** What is made of a state and written beside it, for analysts and the API. */
export interface Derived<State> {
  readonly type: FieldType;
  /** How it is made, where that is declared (`made`). */
  readonly made?: Made;
  readonly get: (state: State) => string | Integer | null;
  /** Whether there always is one. */
  readonly always?: boolean;
  /** The field before which the API tells it; absent: after all of its kind. */
  readonly before?: string;
  /** What it says, where the kind of the field does not. */
  readonly says?: string;
}

/** Whether the sum of amounts, as whole numbers of any size, reaches a value that is known. */
const reaches = (amounts: readonly Integer[] | null, least: Integer | null): boolean =>
  least !== null && (amounts ?? []).reduce<bigint>((sum, amount) => sum + BigInt(amount), 0n) >= least;

function condition_js(when: MadeCondition): string {
  if ("sum_of" in when) return `reaches(s.${when.sum_of}, ${made_js(when.reaches)})`;
  const value = `s.${when.field}`;
  return "is" in when ? `${value} === ${JSON.stringify(when.is)}` : `${value} ${"known" in when ? "!==" : "==="} null`;
}

function made_js(made: Made): string {
  if ("text" in made) return JSON.stringify(made.text);
  if ("field" in made) return `s.${made.field}`;
  if ("first_known" in made) return `(${made.first_known.map((field) => `s.${field}`).join(" ?? ")})`;
  if ("ms_from" in made) {
    const from = `s.${made.ms_from}`, to = `s.${made.to}`;
    return `(${from} === null || ${to} === null || ${to} < ${from} ? null : Math.round((${to} - ${from}) / 1000))`;
  }
  const cases = made.cases.map(([when, then]) => `${when.map(condition_js).join(" && ")} ? ${made_js(then)} : `);
  return `(${cases.join("")}${made.otherwise === undefined ? "null" : made_js(made.otherwise)})`;
}

/** The function that makes a value of a state as it is declared, with the declaration. */
export function made<State, Value extends string | Integer | null = string | Integer | null>(
  declared: Made,
): { readonly made: Made; readonly get: (state: State) => Value } {
  return { made: declared, get: new Function("reaches", `return (s) => ${made_js(declared)};`)(reaches) };
}

/** A list with one more value. */
export const with_one_more = <Value>(
  list: readonly Value[] | null,
  value: Value,
): readonly Value[] => [...list ?? [], value];

/** What a fold takes of an event. */
interface Folded {
  readonly stream_id: string;
  readonly event_id: string;
  readonly type: string;
  readonly occurred_at_us: number;
  readonly payload: unknown;
}

/** The rules by which one event type changes a state beside what it names: as JavaScript, `name: value`. */
function rules_of(type: string, fields: Fields): string[] {
  return Object.entries(fields).flatMap(
    ([name, { type: { many = false }, in: named_in, time_of, id_of, required }]) => {
      const of_list = (value: string) => many ? `more(s.${name}, ${value})` : value;
      if (time_of === type) return [`${name}: ${of_list("e.occurred_at_us")}`];
      if (id_of === type) return [`${name}: e.event_id`];
      if (!many || !named_in?.includes(type)) return [];
      if (required !== true) {
        throw new Error(`declare field ${name}: expected one that is required, since it is a list`);
      }
      return [`${name}: ${of_list(`e.payload.${name}`)}`];
    },
  );
}

/**
 * The fold of a domain as its fields declare it: folds the next event, in order of (time, event id), into the state. What an event names wins
 * over what was named before, the latest of its kind dates it (`time_of`, `id_of`), and of lists it adds one more.
 * @param noun what a stream is called
 */
export function fold_of<const All extends Fields>(
  noun: string,
  event_types: readonly string[],
  fields: All,
): (state: StateOf<All>, event: Folded) => StateOf<All> {
  const cases = event_types.map((type) => {
    const parts = ["...s", "...e.payload", ...rules_of(type, fields)];
    return `case ${JSON.stringify(type)}: return { ${parts.join(", ")} };`;
  });
  const unknown = ({ stream_id, type }: Folded): never => {
    throw new Error(`fold ${noun} ${JSON.stringify(stream_id)}: no rule for event type ${JSON.stringify(type)}`);
  };
  const body = `return (s, e) => {\nswitch (e.type) {\n${cases.join("\n")}\ndefault: return unknown(e);\n}\n};`;
  return new Function("more", "unknown", body)(with_one_more, unknown);
}
