import { randomBytes } from "node:crypto";
import type { Queryable } from "../database/mod.ts";
import {
  ALIAS,
  canonical_json,
  type Domain,
  type DomainEvent,
  is_blank,
  parse_json,
  type PersonField,
} from "../domains/mod.ts";
import { type Person, read_aliases, read_person_ids, type RecordedEvent } from "../event_log/mod.ts";
import type { Decoded } from "./decode/mod.ts";
import { aliases_under, type StoredEvent } from "./working_stream.ts";

/**
 * The door of a log whose persons can be forgotten: what decoding read names them by their ids, what is planned by aliases (docs/forgetting.md).
 * Under the names by which the domain's events call a person its id is replaced, in the payload and at any depth of the data, whatever the event's
 * type. What has the form of an alias is one, and stays: so an exported log goes in as it was.
 */

/** Draws an alias: 48 bits of the time, so that rows that are written together lie together, and 80 that nobody can guess. */
export function draw_alias(now_ms: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now_ms, 0, 6);
  return `~${bytes.toString("base64url")}`;
}

/** What stands where an alias belongs and is none. */
class NoAlias extends Error {}

const QUOTE = 34, COMMA = 44, OPEN = 123;
const MOST_CHARACTERS = 200;
const SCALAR = /-?[0-9][^,}\]]*|true|false|null/y;

/** Where a text of JSON that begins at a place ends: past its second quote. */
function text_end(json: string, from: number): number {
  for (let at = from + 1;; at++) {
    const next = json.indexOf('"', at);
    let escapes = 0;
    while (json.charCodeAt(next - 1 - escapes) === 92) escapes++;
    if (escapes % 2 === 0) return next + 1;
    at = next;
  }
}

/**
 * Canonical JSON with what stands under a name, at any depth, replaced by aliases. A name follows a brace or a comma: within a text a quote is escaped, and
 * one that ends a text is followed by neither letter. Throws NoAlias.
 * @param key the name as JSON has it, with its colon
 * @param alias_of null: the id stays
 */
export function with_aliases(data: string, key: string, alias_of: (id: string) => string | null): string {
  let out = "", done = 0;
  for (let at = data.indexOf(key); at >= 0; at = data.indexOf(key, at + key.length)) {
    const before = data.charCodeAt(at - 1), from = at + key.length;
    if (before !== COMMA && before !== OPEN) continue;
    let id: string, end: number;
    if (data.charCodeAt(from) === QUOTE) {
      end = text_end(data, from);
      const text = data.slice(from + 1, end - 1);
      id = text.includes("\\") ? JSON.parse(data.slice(from, end)) : text;
    } else {
      SCALAR.lastIndex = from;
      const [value] = SCALAR.exec(data) ?? [];
      if (value === undefined) throw new NoAlias("a list or an object");
      if (value === "true" || value === "false" || value === "null") continue;
      id = value;
      end = from + value.length;
    }
    if (ALIAS.test(id) || is_blank(id)) continue;
    if (id.length > MOST_CHARACTERS) throw new NoAlias(`text of ${id.length} characters`);
    const alias = alias_of(id);
    if (alias === null) continue;
    out += `${data.slice(done, from)}"${alias}"`;
    done = end;
  }
  return done === 0 ? data : out + data.slice(done);
}

/** Aliases by dimension and id. */
type ByDimension = ReadonlyMap<string, Map<string, string>>;

/** The aliases of a pipeline: those that are known, and those that its plans draw. */
export class Aliases {
  readonly #fields: readonly (PersonField & { readonly key: string })[];
  readonly #capacity: number;
  readonly #now_ms: () => number;
  /** Those that the table has, or will have by what is planned; the oldest are dropped first. */
  readonly #known: ByDimension;
  /** Those that a plan has drawn, and for which events. */
  readonly #drawn: ByDimension;
  readonly #drawn_for = new Map<DomainEvent, readonly Person[]>();

  /** @param capacity aliases of a dimension kept in memory: more than two batches can name */
  constructor({ persons }: Pick<Domain, "persons">, capacity: number, now_ms: () => number) {
    this.#fields = persons.map((field) => ({ ...field, key: `${JSON.stringify(field.name)}:` }));
    this.#capacity = capacity;
    this.#now_ms = now_ms;
    const empty = () => new Map(persons.map(({ dimension }) => [dimension, new Map<string, string>()]));
    this.#known = empty();
    this.#drawn = empty();
  }

  /** Drops everything: what is not committed, and what may have been forgotten since. */
  clear(): void {
    for (const each of this.#known.values()) each.clear();
    this.begin();
  }

  /** Begins a plan: what one before it drew and did not keep is dropped. */
  begin(): void {
    for (const each of this.#drawn.values()) each.clear();
    this.#drawn_for.clear();
  }

  /** What slices were decoded into, with aliases. Those that are not in memory are read, those that nobody has are drawn. */
  async replace(database: Queryable, slices: readonly (readonly Decoded[])[]): Promise<Decoded[][]> {
    const missing = new Map<string, Set<string>>();
    const first = slices.map((slice) => slice.map((each) => this.#replaced(each, missing)));
    if (missing.size === 0) return first as Decoded[][];
    await Promise.all(
      [...missing].map(async ([dimension, ids]) => {
        const found = await read_aliases(database, dimension, [...ids]);
        for (const id of ids) {
          const alias = found.get(id);
          if (alias === undefined) this.#drawn.get(dimension)!.set(id, draw_alias(this.#now_ms()));
          else this.#know(dimension, id, alias);
        }
      }),
    );
    const again = (given: Decoded): Decoded => {
      const replaced = this.#replaced(given, missing);
      if (replaced === null) throw new Error("replace persons: more than memory has room for are named at once");
      return replaced;
    };
    return first.map((slice, s) => slice.map((each, i) => each ?? again(slices[s]![i]!)));
  }

  /** Null where an alias is missing, which is noted. */
  #replaced(given: Decoded, missing: Map<string, Set<string>>): Decoded | null {
    const { outcome } = given;
    if (!("event" in outcome)) return given;
    const { event } = outcome, payload = event.payload as Readonly<Record<string, unknown>>;
    let { data } = event, lacks = false, drawn: Person[] | null = null;
    const named: Record<string, unknown> = {};
    for (const { dimension, name, target, key } of this.#fields) {
      let found = 0;
      const alias_of = (id: string): string | null => {
        found++;
        const known = this.#known.get(dimension)!.get(id);
        if (known !== undefined) return known;
        const alias = this.#drawn.get(dimension)!.get(id);
        if (alias !== undefined) {
          (drawn ??= []).push({ dimension, person_id: id, alias });
          return alias;
        }
        lacks = true;
        const ids = missing.get(dimension);
        if (ids === undefined) missing.set(dimension, new Set([id]));
        else ids.add(id);
        return null;
      };
      try {
        data = with_aliases(data, key, alias_of);
      } catch (error) {
        if (!(error instanceof NoAlias)) throw error;
        return refused(given, name, `expected an id of at most ${MOST_CHARACTERS} characters, got ${error.message}`);
      }
      const id = payload[target];
      if (typeof id !== "string" || ALIAS.test(id)) continue;
      // What an earlier version called otherwise is not found under this name, and must not stay.
      if (found === 0) return refused(given, name, `expected the ${dimension} under this name in the data, got none`);
      const alias = alias_of(id);
      if (alias !== null) named[target] = alias;
    }
    if (lacks) return null;
    if (data === event.data) return given;
    const aliased = { ...event, data, payload: { ...payload, ...named } };
    if (drawn !== null) this.#drawn_for.set(aliased, drawn);
    return { ...given, outcome: { ...outcome, event: aliased, told: event } };
  }

  #know(dimension: string, id: string, alias: string): void {
    const known = this.#known.get(dimension)!;
    known.set(id, alias);
    if (known.size <= this.#capacity) return;
    for (const oldest of known.keys()) {
      known.delete(oldest);
      return;
    }
  }

  /** The persons whom events that are admitted are the first to name: they are to be kept with them. */
  take(admitted: readonly DomainEvent[]): Person[] {
    const fresh = new Map<string, Person>();
    if (this.#drawn_for.size > 0) {
      for (const event of admitted) {
        for (const person of this.#drawn_for.get(event) ?? []) fresh.set(person.alias, person);
      }
      for (const { dimension, person_id, alias } of fresh.values()) this.#know(dimension, person_id, alias);
    }
    this.begin();
    return [...fresh.values()];
  }

  /**
   * The events that the log has, with the names under which theirs have aliases that are nobody's any more: a message that comes again names such a person by
   * its id, and is the same event all the same.
   * @param again ids of events that have come again
   */
  async stored(
    database: Queryable,
    events: readonly RecordedEvent[],
    again: ReadonlySet<string>,
  ): Promise<readonly StoredEvent[]> {
    const told = new Map<RecordedEvent, (readonly [name: string, alias: string])[]>();
    for (const event of events) {
      if (!again.has(event.event_id)) continue;
      const data = canonical_json(parse_json(event.data));
      const own = this.#fields.flatMap(({ name }) =>
        [...data.matchAll(aliases_under(name))].map(([, , alias]) => [name, alias!] as const)
      );
      if (own.length > 0) told.set(event, own);
    }
    if (told.size === 0) return events;
    const known = await read_person_ids(database, [...told.values()].flatMap((own) => own.map(([, alias]) => alias)));
    return events.map((event) => {
      const gone = (told.get(event) ?? []).filter(([, alias]) => !known.has(alias));
      return gone.length === 0 ? event : { ...event, forgotten: new Set(gone.map(([name]) => name)) };
    });
  }
}

const refused = ({ message }: Decoded, path: string, detail: string): Decoded => ({
  message,
  outcome: { fault: { reason: "unforgettable", path, detail } },
});
