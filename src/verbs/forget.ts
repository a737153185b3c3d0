import { Buffer } from "node:buffer";
import { patiently } from "../database/mod.ts";
import {
  type DeclaredDomain,
  ExactNumber,
  JsonFault,
  parse_json,
  person_fields,
  type PersonField,
} from "../domains/mod.ts";
import {
  forget_person,
  type Forgetting,
  messages_naming,
  read_aliases,
  read_head,
  type SourceMessage,
} from "../event_log/mod.ts";
import { printable, system_clock } from "../runtime/mod.ts";
import { DOMAINS } from "./domains.ts";
import { open_log, type Opened } from "./open.ts";
import { topic_mappings } from "./records/mod.ts";
import { ProgressLine, type Shell, UsageError } from "./shell.ts";
import { read_record, type TopicMappings } from "../ingest/mod.ts";

const dimensions_of = (
  { fields }: DeclaredDomain,
): string[] => [...new Set(person_fields(fields).map(({ dimension }) => dimension))];

/** The dimensions of persons, of all domains: each is an option of `tacho forget`. */
export const forgettable_dimensions = (): string[] => [...new Set(DOMAINS.flatMap(dimensions_of))];

/** Options of `tacho forget`, as the command line gives them: beside these the ids, by the names of dimensions. */
interface ForgetOptions {
  readonly by: string;
  readonly reason: string;
  readonly dryRun: boolean;
}

/**
 * `tacho forget`: forgets one person in the log of a domain, also beside running programs: these plan anew. What it did is on record, without the
 * id; the same again finds nothing more, and finishes what was killed. Fails where the log names the person from before it had aliases.
 */
export async function forget_verb(
  shell: Shell,
  { by, reason, dryRun, ...ids }: ForgetOptions & Readonly<Record<string, unknown>>,
): Promise<void> {
  const { domain } = shell;
  const { dimension, id } = await asked(domain, ids);
  if (`${by} ${reason}`.includes(id)) {
    throw new UsageError("forget: expected --by and --reason without the id: they are on record, and stay");
  }
  const { mappings } = await topic_mappings(domain, shell.config);
  const opened = await open_log(shell), { database } = opened;
  try {
    if ((await read_head(database)).forgotten === null) {
      throw new UsageError(
        `forget: the log of ${domain.name} has the ids of persons as they came, and does not change; TACHO_FORGETTABLE=true keeps ` +
          "aliases from then on",
      );
    }
    const fields = person_fields(domain.fields).filter((field) => field.dimension === dimension);
    const names = names_person(domain, fields, id, mappings);
    const line = new ProgressLine("look through the quarantine", null, system_clock.now_ms);
    const found = await messages_naming(database, { names }, 0, (messages) => {
      shell.signal.throwIfAborted();
      line.add(messages);
    }).finally(() => line.end());
    const earlier = await told_before(opened, dimension, id);
    if (dryRun) {
      const alias = (await read_aliases(database, dimension, [id])).get(id);
      const known = alias === undefined ? `the log has no alias of that ${dimension}` : `${dimension} ${alias}`;
      console.log(`would forget: ${known}${told_messages(found.ids)}`);
      if (earlier !== null) console.log(`would not forget: ${earlier}`);
      return;
    }
    const forgetting: Forgetting = { dimension, person_id: id, by, reason, names };
    const { alias, erased, batches } = await forget_person(database, forgetting, found, system_clock.now_ms() * 1000);
    if (batches.length === 0) {
      console.log(`nothing to forget: the log has no alias of that ${dimension}, nor a message`);
    } else {
      const told = alias === null ? `a ${dimension} without an alias` : `${dimension} ${alias}`;
      console.log(`forgotten in batch ${batches.join(", ")}: ${told}; ${erased} messages of the quarantine erased`);
      await clean(opened);
    }
    if (earlier !== null) throw new Error(`forget: not forgotten: ${earlier}`);
  } finally {
    await database.close();
  }
}

/** The one person that the options name: `-` stands for an id that is read, so that no shell keeps it. Throws UsageError. */
async function asked(
  domain: DeclaredDomain,
  ids: Readonly<Record<string, unknown>>,
): Promise<{ readonly dimension: string; readonly id: string }> {
  const given = Object.entries(ids).filter(([, id]) => id !== undefined);
  const known = dimensions_of(domain).map((dimension) => `--${dimension}`).join(" or ") || "no person";
  const [[dimension, id] = ["", ""]] = given;
  if (given.length !== 1 || !dimensions_of(domain).includes(dimension)) {
    const got = given.map(([name]) => `--${name}`).join(" and ") || "none";
    throw new UsageError(`forget: expected ${known}, as the domain ${domain.name} has it, got ${got}`);
  }
  const read = id === "-" ? (await new Response(Deno.stdin.readable).text()).replace(/\r?\n$/, "") : String(id);
  if (read.trim() === "") throw new UsageError(`forget --${dimension}: expected an id, got none`);
  return { dimension, id: read };
}

const MOST_TOLD = 20;
const told_messages = (ids: readonly number[]): string => {
  if (ids.length === 0) return "; no message of the quarantine names it";
  const told = ids.slice(0, MOST_TOLD).join(", "), more = ids.length > MOST_TOLD ? ", …" : "";
  return `; ${ids.length} messages of the quarantine name it: ${told}${more}`;
};

/** What names a person from before the log had aliases, in words; null: nothing does. */
async function told_before({ database, domain }: Opened, dimension: string, id: string): Promise<string | null> {
  const [head] = await database.query<{ forgettable_from: string }>("select forgettable_from from log_head");
  if (Number(head!.forgettable_from) === 1) return null;
  const { target } = domain.persons.find((field) => field.dimension === dimension)!;
  const [row] = await patiently(
    database,
    (tx) =>
      tx.query<{ streams: string }>(`select count(*) as streams from ${domain.tables.states} where ${target} = $1`, [
        id,
      ]),
  );
  return row!.streams === "0"
    ? null
    : `${row!.streams} ${domain.name} have the id in the log, which does not change, from before position ${
      head!.forgettable_from
    }, where aliases begin`;
}

/** Frees what deleted and erased rows took in the tables' files. Who does not own the tables is told to have it done. */
async function clean({ database }: Opened): Promise<void> {
  const rows = await database.query<{ name: string; owned: boolean }>(
    `select format('%I.%I', n.nspname, c.relname) as name, pg_has_role(c.relowner, 'usage') as owned
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid in ('persons'::regclass, 'quarantine'::regclass) order by 1`,
  );
  const vacuum = `vacuum ${rows.map(({ name }) => name).join(", ")}`;
  const advice = (why: string) => console.log(printable(`${why}: have the owner of the tables run \`${vacuum}\``));
  if (rows.some(({ owned }) => !owned)) return advice("the bytes lie in the tables' files until these are vacuumed");
  const plain = database.beside({ connections: 1, schema: null });
  try {
    await plain.execute(vacuum);
  } catch (error) {
    advice(`the tables could not be vacuumed, ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await plain.close();
  }
}

/**
 * Whether a message names a person by its id, however broken it is. Pure.
 *
 * In JSON an id is a word of any text, also of one that is JSON itself, as it is or in base64; one of digits alone only what stands under a name by which
 * events call the person. In what a mapping reads it is also what that takes for the person. In any other text it is a word, in bytes that are no
 * text it is enough that they hold it.
 */
export function names_person(
  domain: Pick<DeclaredDomain, "event_types" | "noun" | "stream_column">,
  fields: readonly PersonField[],
  id: string,
  mappings: TopicMappings,
): (message: SourceMessage) => boolean {
  const names = new Set(fields.map(({ name }) => name));
  const within = new RegExp(`(?<![\\p{L}\\p{N}_-])${RegExp.escape(id)}(?![\\p{L}\\p{N}_-])`, "u");
  const bytes = Buffer.from(id), is_number = /^\d+$/.test(id);

  const in_value = (value: unknown, name: string): boolean => {
    if (typeof value === "string") return said_in(value, name) || value.length > id.length && in_text(value, name);
    if (typeof value === "number" || value instanceof ExactNumber) {
      return names.has(name) && (typeof value === "number" ? String(value) : value.text) === id;
    }
    if (typeof value !== "object" || value === null) return false;
    return Object.entries(value).some(([key, each]) => in_value(each, Array.isArray(value) ? name : key));
  };
  const said_in = (text: string, name: string): boolean =>
    is_number ? names.has(name) && text.trim() === id : within.test(text);
  /** A text within JSON may be JSON itself, as it is or in base64. */
  const in_text = (text: string, name: string): boolean => {
    const read = json_in(/^[\s[{]/.test(text) ? text : /^[A-Za-z0-9+/_-]{8,}={0,2}$/.test(text) ? decoded(text) : "");
    return read !== undefined && in_value(read, name);
  };
  const in_bytes = (part: Uint8Array | null): boolean => {
    if (part === null) return false;
    const text = text_in(part);
    if (text === null) return Buffer.from(part).includes(bytes);
    const read = json_in(text);
    if (read !== undefined) return in_value(read, "");
    const unescaped = text.replace(/\\u([0-9a-fA-F]{4})/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
    return within.test(text) || within.test(unescaped);
  };
  const in_record = (message: SourceMessage): boolean => {
    const mapping = mappings.get(message.topic);
    if (mapping === undefined) return false;
    const record = read_record(message, mapping, domain);
    if (!record.ok || record.value === null) return false;
    return domain.event_types.some((type) =>
      fields.some(({ name }) => {
        const value = mapping.source_of(record.value!, type, name)?.value;
        return value !== undefined && value !== null && String(value).trim() === id;
      })
    );
  };
  return (message) =>
    in_bytes(message.value) || in_bytes(message.key) || Object.values(message.headers).some(in_bytes) ||
    in_record(message);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
// deno-lint-ignore no-control-regex -- what has any is no text
const CONTROLS = /[\0-\x08\x0e-\x1f]/;

/** Bytes as text; null where they are none. */
function text_in(bytes: Uint8Array): string | null {
  try {
    const text = utf8.decode(bytes);
    return CONTROLS.test(text) ? null : text;
  } catch {
    return null;
  }
}

const decoded = (base64: string): string => text_in(Buffer.from(base64, "base64")) ?? "";

/** What a text says as JSON; undefined where it is none. */
function json_in(text: string): unknown {
  if (text === "") return undefined;
  try {
    return parse_json(text);
  } catch (error) {
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}
