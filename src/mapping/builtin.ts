import type { StreamNames, Validation } from "../domains/mod.ts";
import { lookups_in, type MappingForm } from "./definition.ts";
import { any_spelling, is_unknown, text_of, top_of } from "./field.ts";
import type { DeclaredMapping, Lookup, MappingContext, SourceRecord } from "./mapping.ts";
import { make_mapping, read_definition } from "./parse_mapping.ts";

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
