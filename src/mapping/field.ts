import { ExactNumber, type Fault, is_blank, JsonFault, parse_json, shown } from "../domains/mod.ts";
import { type FieldForm, is_message_field, type SourceRecord } from "./definition.ts";

/** A field of a record, by its name or by a path into nested JSON. */
export interface Field {
  readonly name: string;
  /** Its value as the record has it; undefined where the record has none. Throws RecordFault for a key or header of a message that is no text. */
  readonly get: (record: SourceRecord) => unknown;
}

/** The column or top member that a path begins with. */
export const top_of = (path: string): string => /^[^.[]+/.exec(path)?.[0] ?? path;

/** The JSON in a text, where it is a list or an object; the text that was read last is not read again for its next member. */
const json_in_text = { text: "", value: undefined as unknown };
function parsed(text: string): unknown {
  if (text === json_in_text.text) return json_in_text.value;
  const first = text.trimStart()[0];
  if (first !== "{" && first !== "[") return undefined;
  let value: unknown = undefined;
  try {
    value = parse_json(text);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
  }
  json_in_text.text = text;
  json_in_text.value = value;
  return value;
}

/** What a value has under a name, or a list so many places before its end (`-1`); one that is JSON as text has what that says. */
const member = (value: unknown, name: string): unknown => {
  const whole = typeof value === "string" ? parsed(value) : value;
  if (Array.isArray(whole) && /^-\d+$/.test(name)) return whole.at(Number(name));
  return typeof whole === "object" && whole !== null && Object.hasOwn(whole, name)
    ? (whole as Readonly<Record<string, unknown>>)[name]
    : undefined;
};
const steps_of = (path: string): string[] => [...path.matchAll(/[^.[\]]+/g)].map(([step]) => step);

/**
 * The field that a name or a path such as `legs[0].km` or `legs[-1].km` means, or the texts of several as one. A column of exactly that
 * name goes before a path. Names such as `$key` are of the message that the record came in.
 */
export function field_of(form: FieldForm): Field {
  if (typeof form !== "string") return joined(form.join.map(field_of), form.with ?? " ");
  const name = form;
  if (is_message_field(name)) return message_field(name);
  if (!/[.[]/.test(name)) return { name, get: (record) => member(record, name) };
  const steps = steps_of(name);
  return {
    name,
    get: (record) => Object.hasOwn(record, name) ? record[name] : steps.reduce<unknown>(member, record),
  };
}

/** Fields as one text. The first that is unknown, or has no text, stands for all: they are unknown, or refused. */
function joined(fields: readonly Field[], divider: string): Field {
  const get = (record: SourceRecord): unknown => {
    const texts: string[] = [];
    for (const { get } of fields) {
      const value = get(record);
      const text = is_unknown(value) ? null : text_of(value);
      if (text === null) return value;
      texts.push(text.trim());
    }
    return texts.join(divider);
  };
  return { name: fields.map(({ name }) => name).join(" and "), get };
}

/** What a mapping may read of a message beside the record in its value. */
interface MessageParts {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array>>;
  /** Milliseconds since the Unix epoch; negative where the message has no time. */
  readonly timestamp_ms: number;
}

const MESSAGE = Symbol("message");

/** Gives a record the message that it came in. Nothing that lists a record's fields meets it: hashes and what is kept are as without. */
export function with_message(record: SourceRecord, message: MessageParts): SourceRecord {
  return Object.defineProperty(record, MESSAGE, { value: message });
}

const HEADER = "$header.";

/** The field of a message's own. */
function message_field(name: string): Field {
  const field = (read: (message: MessageParts) => unknown): Field => ({
    name,
    get: (record) => {
      const message = (record as { readonly [MESSAGE]?: MessageParts })[MESSAGE];
      return message === undefined ? undefined : read(message);
    },
  });
  if (name === "$topic") return field(({ topic }) => topic);
  if (name === "$timestamp") return field(({ timestamp_ms }) => timestamp_ms < 0 ? undefined : timestamp_ms);
  if (!name.startsWith(HEADER)) {
    const steps = steps_of(name.slice("$key".length));
    return field(({ key }) => key === null ? undefined : inside(message_text(key, name), steps));
  }
  // Names of headers have dots, too: the longest that there is counts, and what follows is a path into it.
  const rest = name.slice(HEADER.length);
  const ways = [rest.length, ...[...rest.matchAll(/[.[]/g)].map(({ index }) => index).reverse()]
    .map((end) => ({ header: rest.slice(0, end), steps: steps_of(rest.slice(end)) }));
  return field(({ headers }) => {
    const way = ways.find(({ header }) => Object.hasOwn(headers, header));
    return way === undefined ? undefined : inside(message_text(headers[way.header]!, name), way.steps);
  });
}

/** What a text has at a path; without one it is the text itself, or what is between the quotes of a JSON text. */
function inside(text: string, steps: readonly string[]): unknown {
  if (steps.length > 0) return steps.reduce<unknown>(member, text);
  if (!/^\s*".*"\s*$/s.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

// A byte order mark is a character of a key like any other: without it two ids would be one.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes of a message as text. Throws RecordFault for those that are none, as of a key that is a binary number. */
function message_text(bytes: Uint8Array, name: string): string {
  try {
    const text = utf8.decode(bytes);
    if (!text.includes("\0")) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw new RecordFault(name, "UTF-8 text without NUL", `0x${bytes.subarray(0, 25).toHex()}`);
}

/** What names are compared by that mean the same column in any spelling: without capitals, spaces, `_` and `-`. */
export const any_spelling = (name: string): string => name.toLowerCase().replace(/[\s_-]+/g, "");

/**
 * Gives records the names that a mapping knows, whatever spelling theirs have: a column that the record has under no wanted name, and that
 * is alone in being spelled like one, is read under it. Records of one file have one header, of which this is found once; one that has the
 * wanted names already is handed on as it is.
 */
export function respelling(wanted: ReadonlySet<string>): (record: SourceRecord) => SourceRecord {
  const wanted_by = new Map<string, string>();
  for (const name of wanted) if (!wanted_by.has(any_spelling(name))) wanted_by.set(any_spelling(name), name);
  let header: readonly string[] = [];
  /** The header under wanted names; null when it has them. */
  let renamed: readonly string[] | null = null;

  const is_header = (record: SourceRecord): boolean => {
    let at = 0;
    for (const name in record) if (header[at++] !== name) return false;
    return at === header.length;
  };
  const named = (names: readonly string[]): readonly string[] | null => {
    const spelled = names.map(any_spelling);
    const times = new Map<string, number>();
    for (const each of spelled) times.set(each, (times.get(each) ?? 0) + 1);
    const found = names.map((name, i) =>
      wanted.has(name) || times.get(spelled[i]!) !== 1 ? name : wanted_by.get(spelled[i]!) ?? name
    );
    return found.every((name, i) => name === names[i]) ? null : found;
  };
  return (record) => {
    if (!is_header(record)) renamed = named(header = Object.keys(record));
    if (renamed === null) return record;
    const read: SourceRecord = Object.fromEntries(Object.values(record).map((value, i) => [renamed![i]!, value]));
    return with_unlisted(read, record);
  };
}

/** Gives a record what another has that listing its fields does not show: its message, and the data that a CloudEvent had in base64. */
function with_unlisted(read: SourceRecord, record: SourceRecord): SourceRecord {
  for (const name of Reflect.ownKeys(record)) {
    const property = Object.getOwnPropertyDescriptor(record, name)!;
    if (!property.enumerable) Object.defineProperty(read, name, property);
  }
  return read;
}

/** Gives records null for columns or top members that are one of these texts, in any capitals. A record without any is handed on as it is. */
export function blanking(texts: readonly string[]): (record: SourceRecord) => SourceRecord {
  const blanks = new Set(texts.map((text) => text.trim().toLowerCase()));
  const longest = Math.max(...texts.map(({ length }) => length));
  const is_one = (value: unknown): boolean =>
    typeof value === "string" && value.trim().length <= longest && blanks.has(value.trim().toLowerCase());
  return (record) => {
    const names = Object.keys(record).filter((name) => is_one(record[name]));
    if (names.length === 0) return record;
    // With what is not to be seen when fields are listed, as the message.
    const read: SourceRecord = Object.defineProperties({}, Object.getOwnPropertyDescriptors(record));
    for (const name of names) Object.defineProperty(read, name, { value: null, enumerable: true });
    return read;
  };
}

/** What a record is refused for: one of its fields. Thrown by readings, met in `map`. */
export class RecordFault extends Error {
  override readonly name = "RecordFault";
  /** @param hint what would make the value right, where that is known */
  constructor(readonly field: string, readonly expected: string, readonly value: unknown, hint?: string) {
    super(`expected ${expected} in ${field}, got ${shown_value(value)}${hint === undefined ? "" : `; ${hint}`}`);
  }
  get fault(): Fault {
    return { reason: "invalid_record", path: this.field, detail: this.message };
  }
}

/** A value of a record as a sentence quotes it; lists and objects are named, not quoted. */
export function shown_value(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? text_of(value) ?? "an object" : shown(value);
}

/** Whether a field says nothing: absent, null, white space, or the NaN that columns of doubles have in its stead. */
export const is_unknown = (value: unknown): boolean => is_blank(value) || Number.isNaN(value);

/** The text of a value that has one; null for lists and objects. */
export function text_of(value: unknown): string | null {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
  }
  if (value instanceof ExactNumber) return value.text;
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : null;
}

const is_plain = (value: unknown): boolean =>
  typeof value === "string" || typeof value === "boolean" || value === null || Number.isFinite(value);

const DEEPEST = 64;

/** A value as JSON has it: what only files have (dates, big integers, NaN) becomes text, a number or null. Deeper than the log allows it is left alone. */
export function json_of(value: unknown, depth = 0): unknown {
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value === "bigint") {
    return BigInt.asIntN(53, value) === value ? Number(value) : new ExactNumber(String(value));
  }
  if (typeof value !== "object" || value === null || value instanceof ExactNumber || depth > DEEPEST) return value;
  if (value instanceof Date) return text_of(value);
  // Most records are flat and as JSON has them: looking costs half of copying.
  if (Object.values(value).every(is_plain)) return value;
  if (Array.isArray(value)) return value.map((each) => json_of(each, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, json_of(each, depth + 1)]));
}
