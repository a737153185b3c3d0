import { patiently } from "../../database/mod.ts";
import { type DeclaredDomain, person_fields } from "../../domains/mod.ts";
import { forget_person, type Forgetting, messages_naming, read_aliases, read_head } from "../../event_log/mod.ts";
import { printable, system_clock } from "../../runtime/mod.ts";
import { DOMAINS } from "../domains.ts";
import { open_log, type Opened } from "../open.ts";
import { topic_mappings } from "../records/mod.ts";
import { type Shell, UsageError } from "../shell.ts";
import { ProgressLine } from "../terminal.ts";
import { names_person } from "./naming.ts";

const dimensions_of = (
  { fields }: DeclaredDomain,
): string[] => [...new Set(person_fields(fields).map(({ dimension }) => dimension))];

/** The dimensions of persons, of all domains: each is an option of `tacho forget`. */
export const forgettable_dimensions = (): string[] => [...new Set(DOMAINS.flatMap(dimensions_of))];

/** Options of `tacho forget`, as the command line gives them: beside these the ids, by the names of dimensions. */
export interface ForgetOptions {
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
