import { FileError, open_record_file } from "../../files/mod.ts";
import type { ReadinessCheck } from "../../http/mod.ts";
import { columns_taken, type Lookup, LookupBuilder, type MappingForm } from "../../mapping/mod.ts";
import { type Clock, type Logger, wait } from "../../runtime/mod.ts";
import { UsageError } from "../shell.ts";

/**
 * Tables that mappings enrich records from, each a file that is in memory as a whole: read once for a verb that ends, and kept up with for a
 * program that serves.
 */

/** A table as it is named on the command line or in the configuration. */
interface LookupFile {
  readonly name: string;
  readonly file: string;
  /** The column of its keys; null: the one that the mapping declares. */
  readonly key: string | null;
}

const LOOKUP_ROWS = 2_000_000;

/** Reads `name=file` or `name=file:column`; a column has no slash in it, a path may have colons. Throws UsageError. */
export function lookup_of(text: string): LookupFile {
  const [, name, file, key = null] = /^([^=]+)=(.+?)(?::([^:/\\]+))?$/s.exec(text) ?? [];
  if (name === undefined || file === undefined) {
    throw new UsageError(`--lookup: expected name=file or name=file:column, got ${JSON.stringify(text)}`);
  }
  return { name, file, key };
}

/**
 * Reads a table: the rows of its file by a column, and of them what mappings take.
 * @param pause is called after some rows, and waited for
 * @throws UnfitTable for one that lacks its key, has no rows or too many, FileError for one that cannot be read
 */
async function read_table(
  file: string,
  key: string,
  columns: readonly string[],
  pause: () => Promise<void> | void,
): Promise<LookupBuilder> {
  const builder = new LookupBuilder(key, columns);
  let rows = 0;
  for await (const batch of (await open_record_file(file)).rows()) {
    for (const row of batch.rows) {
      if (row.record === null) throw new UnfitTable(`line ${row.line}: ${row.fault.detail}`);
      if (!Object.hasOwn(row.record, key)) {
        const there = Object.keys(row.record).join(", ").slice(0, 500);
        throw new UnfitTable(`expected the column ${JSON.stringify(key)}, got ${there}`);
      }
      if (++rows > LOOKUP_ROWS) throw new UnfitTable(`expected at most ${LOOKUP_ROWS} rows`);
      builder.add(row.record);
    }
    await pause();
  }
  // As a file is that somebody has only begun to write.
  if (rows === 0) throw new UnfitTable("expected rows, got none");
  return builder;
}

/** A file that is no such table: why. */
class UnfitTable extends Error {}

/**
 * Reads the tables whole: at most 2,000,000 rows each.
 * @param forms the mappings that may read them; a table has to be declared by one of them, and where its column is left out all that declare
 *   it have to agree on one
 * @throws UsageError for a table that no mapping has, that lacks its key or is too large, FileError for one that cannot be read
 */
export async function read_lookups(
  files: readonly LookupFile[],
  forms: readonly MappingForm[],
): Promise<ReadonlyMap<string, Lookup>> {
  const lookups = new Map<string, Lookup>();
  for (const { name, file, key: given } of files) {
    const wrong = (expected: string) => new UsageError(`--lookup ${name}=${file}: ${expected}`);
    if (lookups.has(name)) throw wrong(`expected the table ${name} once`);
    const [declared, ...others] = declared_keys(name, forms);
    if (declared === undefined) throw wrong(`expected a table of the mapping (${tables_of(forms) || "it has none"})`);
    if (given === null && others.length > 0) {
      throw wrong(`expected ${name}=file:column, as mappings have it by ${[declared, ...others].join(" and by ")}`);
    }
    const { lookup } = await read_table(file, given ?? declared, columns_taken(forms, name), () => {}).catch(
      (error) => {
        throw error instanceof UnfitTable ? wrong(error.message) : error;
      },
    );
    lookups.set(name, lookup);
  }
  return lookups;
}

/** The columns by which mappings look up in a table, each once; none where no mapping has the table. */
const declared_keys = (name: string, forms: readonly MappingForm[]): string[] => [
  ...new Set(
    forms.flatMap(({ lookups = {} }) => Object.hasOwn(lookups, name) ? [lookups[name]!.key] : []),
  ),
];
const tables_of = (forms: readonly MappingForm[]): string =>
  [...new Set(forms.flatMap(({ lookups = {} }) => Object.keys(lookups)))].join(", ");

/** How often files are looked at. */
const LOOK_MS = 1_000;
/** A file that is another one at each look is read all the same after so many. */
const MOST_LOOKS = 5;
/** A file that could not be read is tried again after this, though it is the same. */
const TRY_AGAIN_MS = 60_000;
/** For so long at most rows are read at a stretch while others wait. */
const STRETCH_MS = 10;

/** What of a file tells whether it is another one, or was written to. */
interface Stamp {
  readonly inode: number | null;
  readonly text: string;
}

/** One table of a program that serves: the rows last read, and what of its file is known. */
class LiveTable {
  /** What mappings read in; the rows behind it are exchanged as a whole. */
  readonly lookup: Lookup = { get: (key) => this.#rows.get(key) };
  #rows: Lookup = new Map();
  #size = 0;
  #read: Stamp | null = null;
  #seen: Stamp | null = null;
  /** Looks in a row at which the file was another one than before. */
  #restless = 0;
  #trouble:
    | { readonly reason: string; readonly since_ms: number; readonly try_ms: number; readonly stamp: string }
    | null = null;

  constructor(
    readonly name: string,
    readonly file: string,
    readonly key: string,
    readonly columns: readonly string[],
    readonly clock: Clock,
  ) {}

  get rows(): number {
    return this.#size;
  }

  get trouble(): { readonly reason: string; readonly since_ms: number } | null {
    return this.#trouble;
  }

  /** Reads the file. @returns whether the table is what the file is now: one that was written to meanwhile is not taken. */
  async read(pause: () => Promise<void> | void): Promise<boolean> {
    const before = await stamp_of(this.file);
    const builder = await read_table(this.file, this.key, this.columns, pause);
    const after = await stamp_of(this.file);
    // Another file in its place leaves the one that was read as it was.
    if (after.text !== before.text && after.inode === before.inode) return false;
    this.#rows = builder.lookup;
    this.#size = builder.size;
    this.#read = before;
    this.#trouble = null;
    return true;
  }

  /**
   * Looks whether the file has changed, and has been let alone since the look before: then it is read.
   * @returns whether it was; null: nothing is to be said. Throws what keeps it from being read, the first time.
   */
  async look(pause: () => Promise<void> | void): Promise<"read" | "as before" | null> {
    let stamp: Stamp | null = null;
    try {
      stamp = await stamp_of(this.file);
      if (stamp.text === this.#read?.text) {
        const again = this.#trouble !== null;
        this.#trouble = null;
        return again ? "as before" : null;
      }
      this.#restless = stamp.text === this.#seen?.text ? 0 : this.#restless + 1;
      this.#seen = stamp;
      if (this.#restless > 0 && this.#restless < MOST_LOOKS) return null;
      if (this.#trouble?.stamp === stamp.text && this.clock.now_ms() < this.#trouble.try_ms) return null;
      this.#restless = 0;
      return await this.read(pause) ? "read" : null;
    } catch (error) {
      const reason = said(error), now_ms = this.clock.now_ms();
      const known = this.#trouble?.reason === reason;
      const since_ms = this.#trouble?.since_ms ?? now_ms;
      this.#trouble = { reason, since_ms, try_ms: now_ms + TRY_AGAIN_MS, stamp: stamp?.text ?? "" };
      if (known) return null;
      throw new Error(reason);
    }
  }
}

async function stamp_of(path: string): Promise<Stamp> {
  const { isFile, mtime, size, ino } = await Deno.stat(path).catch((cause) => {
    throw new FileError(`open ${JSON.stringify(path)}`, { cause });
  });
  if (!isFile) throw new FileError(`open ${JSON.stringify(path)}: expected a file, got something else of that name`);
  return { inode: ino, text: `${mtime?.getTime()}/${size}/${ino}` };
}

/** What an error says, and what its cause does. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${said(error.cause)}`;
}

/**
 * The tables of a program that serves. A table is exchanged as a whole once its changed file was read to the end; until then, and where the
 * file is gone or is no such table, the one from before stays.
 */
export class LookupTables {
  readonly #tables: readonly LiveTable[];
  readonly #of: (form: MappingForm, name: string) => LiveTable | undefined;
  readonly #clock: Clock;
  #reloads = 0;

  private constructor(
    tables: readonly LiveTable[],
    of: (form: MappingForm, name: string) => LiveTable | undefined,
    clock: Clock,
  ) {
    this.#tables = tables;
    this.#of = of;
    this.#clock = clock;
  }

  /**
   * Reads the tables, each by the columns that mappings declare, or by the one that is given.
   * @param chosen the mappings that the configuration names
   * @param others those that come with the program: where both declare a table the chosen ones decide its column
   * @throws UsageError
   */
  static async read(
    files: readonly LookupFile[],
    chosen: readonly MappingForm[],
    others: readonly MappingForm[],
    clock: Clock,
  ): Promise<LookupTables> {
    const tables: LiveTable[] = [];
    for (const [i, { name, file, key: given }] of files.entries()) {
      const wrong = (expected: string) => new UsageError(`${name}=${file}: ${expected}`);
      if (files.findIndex((each) => each.name === name) < i) throw wrong(`expected the table ${name} once`);
      const forms = [...chosen, ...others];
      const by_chosen = declared_keys(name, chosen);
      const declared = by_chosen.length > 0 ? by_chosen : declared_keys(name, others);
      if (declared.length === 0) throw wrong(`expected a table that a mapping declares (${tables_of(forms)})`);
      for (const key of given === null ? declared : [given]) {
        const table = new LiveTable(name, file, key, columns_taken(forms, name), clock);
        const whole = await table.read(() => {}).catch((error) => {
          if (error instanceof UnfitTable || error instanceof FileError) throw wrong(said(error));
          throw error;
        });
        if (!whole) throw wrong("expected a file that is let alone, got one that is being written to");
        tables.push(table);
      }
    }
    const given = new Set(files.filter(({ key }) => key !== null).map(({ name }) => name));
    const of = (form: MappingForm, name: string) =>
      tables.find((table) => table.name === name && (given.has(name) || table.key === form.lookups?.[name]?.key));
    return new LookupTables(tables, of, clock);
  }

  /** The tables that a mapping declares and that are there. */
  of(form: MappingForm): ReadonlyMap<string, Lookup> {
    const found = Object.keys(form.lookups ?? {}).map((name) => [name, this.#of(form, name)?.lookup] as const);
    return new Map(found.filter((each): each is readonly [string, Lookup] => each[1] !== undefined));
  }

  /** Keeps up with the files until the signal; reading leaves the others their turns. Never rejects. */
  async watch(signal: AbortSignal, logger: Logger): Promise<void> {
    let went_on_ms = 0;
    const pause = async (): Promise<void> => {
      const stretch_ms = this.#clock.now_ms() - went_on_ms;
      if (stretch_ms >= 0 && stretch_ms < STRETCH_MS) return;
      await wait(0, signal);
      went_on_ms = this.#clock.now_ms();
    };
    while (this.#tables.length > 0 && !signal.aborted) {
      await wait(LOOK_MS, signal).catch(() => {});
      await this.look(pause, signal, logger);
    }
  }

  /** Looks at each file once. Public for its test. */
  async look(pause: () => Promise<void> | void, signal: AbortSignal, logger: Logger): Promise<void> {
    for (const table of this.#tables) {
      if (signal.aborted) return;
      const { name, file } = table;
      const began_ms = this.#clock.now_ms();
      try {
        const looked = await table.look(pause);
        if (looked === "read") {
          this.#reloads++;
          const ms = Math.round(this.#clock.now_ms() - began_ms);
          logger.log("info", "read a changed table", { table: name, file, rows: table.rows, ms });
        } else if (looked === "as before") {
          logger.log("info", "a table can be read again, and is as it was", { table: name, file });
        }
      } catch (error) {
        if (signal.aborted) return;
        logger.log("warn", "a table cannot be read; the one from before stays", { table: name, file, reason: error });
      }
    }
  }

  /** Tables that were read anew because their files changed, each time counted. */
  get reloads(): number {
    return this.#reloads;
  }

  /** How many tables stay as they were since their files cannot be read. */
  get stale(): number {
    return this.#tables.filter(({ trouble }) => trouble !== null).length;
  }

  /** What is to be known of the tables: they keep nothing from going on. */
  checks(): ReadinessCheck[] {
    return this.#tables.flatMap(({ name, trouble }) => {
      if (trouble === null) return [];
      const since = new Date(trouble.since_ms).toISOString();
      const reason = `the table ${name} stays as it was since ${since}: ${trouble.reason}`;
      return [{ name: "lookups", ok: true, reason }];
    });
  }
}
