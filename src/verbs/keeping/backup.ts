import { hold_data_dir, open_database, type Queryable, require_schema, snapshot } from "../../database/mod.ts";
import { type Head, read_head, require_log } from "../../event_log/mod.ts";
import { remove } from "../../sort/mod.ts";
import { schema_of } from "../domains.ts";
import { open_log, open_with } from "../open.ts";
import { type Shell, UsageError } from "../shell.ts";
import { verify_verb } from "../verify.ts";

/**
 * Backups: a server's log by pg_dump, the embedded database as a copy of its folder. Each is called after the last link that it has, so that whoever
 * restores it knows which log it has to be, up to where.
 */

/** Which log a backup is of, by its name. */
interface Named {
  readonly domain: string;
  readonly batch: number;
  /** The first digits of the link of that batch. */
  readonly link: string;
  readonly kind: "dump" | "pglite";
}

const DIGITS = 16;

const name_of = (domain: string, { batch, link }: Head, kind: Named["kind"]): string =>
  `${domain}-${String(batch).padStart(12, "0")}-${link.toHex().slice(0, DIGITS)}.${kind}`;

function read_name(path: string): Named {
  const name = path.replace(/\/+$/, "").replace(/^.*\//, "");
  const [, domain, batch, link, kind] = /^([a-z]+)-(\d{12})-([0-9a-f]{16})\.(dump|pglite)$/.exec(name) ?? [];
  if (kind === undefined) {
    throw new UsageError(
      `restore: expected the name of a backup, such as <domain>-000000000042-0123456789abcdef.dump, got ${
        JSON.stringify(name)
      }`,
    );
  }
  return { domain: domain!, batch: Number(batch), link: link!, kind: kind as Named["kind"] };
}

/** `tacho backup`: writes all that there is of a log, as of one moment, while others append; of the embedded database, of all domains, while no program uses it. */
export async function backup_verb(shell: Shell, { out }: { readonly out: string }): Promise<void> {
  const folder = out.replace(/\/+$/, "");
  await Deno.mkdir(folder, { recursive: true });
  const part = `${folder}/${shell.domain.name}.part`, embedded = shell.config.database_url === null;
  using _ = await hold_part(part);
  const { name, head } = await (embedded ? copied(shell, folder, `${part}.pglite`) : dumped(shell, part))
    .finally(() => embedded && remove(part));
  if (!embedded) await Deno.rename(part, `${folder}/${name}`);
  console.log(`backed up batch ${head.batch}, position ${head.position} in ${folder}/${name}`);
}

/** `tacho restore`: makes a log of a backup where there is none, and verifies it up to the link that the backup is called after. */
export async function restore_verb(shell: Shell, path: string): Promise<void> {
  const named = read_name(path), { config, domain } = shell;
  if (named.domain !== domain.name) {
    throw new UsageError(
      `restore: the backup is of ${named.domain}, the command works on ${domain.name}: use --domain`,
    );
  }
  const wanted = config.database_url === null ? "pglite" : "dump";
  if (named.kind !== wanted) {
    throw new UsageError(
      wanted === "dump"
        ? "restore: that is a backup of an embedded database: leave DATABASE_URL out"
        : "restore: that is a backup of a server's database: set DATABASE_URL",
    );
  }
  await (wanted === "dump" ? restore_dump(shell, path, named) : restore_copy(shell, path.replace(/\/+$/, ""), named));
  const { database } = await open_log(shell);
  const head = await end_of(database).finally(() => database.close());
  if (head === null || !is_of(named, head)) {
    throw new Error(
      `restore: expected a log that ends with batch ${named.batch} and a link that begins with ${named.link}, got ${head?.batch} and ${
        head?.link.slice(0, DIGITS)
      }: what was restored is not that backup`,
    );
  }
  await verify_verb(shell, { from: 1, sample: 1, key: [] });
}

/**
 * Makes the file that a backup is written to until it is whole anew, and keeps others from it until it is let go. What is there is of a backup that
 * was killed: its pg_dump may still write, to a file that has no name any more. Throws UsageError where another backup is at it.
 */
async function hold_part(part: string): Promise<Disposable> {
  const locked = async (options: Deno.OpenOptions): Promise<Deno.FsFile> => {
    const file = await Deno.open(part, { write: true, ...options });
    if (await file.tryLock(true)) return file;
    file.close();
    throw new UsageError(`backup: another backup is writing ${JSON.stringify(part)}: let it end`);
  };
  using _ = await locked({ create: true });
  await remove(part);
  return await locked({ createNew: true });
}

interface BackedUp {
  readonly name: string;
  readonly head: Head;
}

/** By pg_dump, in the moment of a transaction that reads which one it is. */
function dumped(shell: Shell, part: string): Promise<BackedUp> {
  const begin = async (database: Parameters<Parameters<typeof open_with>[1]>[0]) => {
    await require_schema(database);
    // Two of them would have one name: there is no link that tells them apart.
    await require_log(database);
    return database;
  };
  return open_with(shell, begin, { read_only: true }).then(async (database) => {
    try {
      return await snapshot(
        database,
        async (reading) => {
          await reading.query(
            "select set_config(name, '0', true) from pg_settings where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')",
          );
          const head = await read_head(reading), name = name_of(shell.domain.name, head, "dump");
          const [at] = await reading.query<{ snapshot: string; schema: string }>(
            "select pg_export_snapshot() as snapshot, current_schema() as schema",
          );
          await run_tool(shell, "pg_dump", [
            "--format=custom",
            `--schema=${at!.schema}`,
            `--snapshot=${at!.snapshot}`,
            `--file=${part}`,
          ]);
          // All of it can be read again.
          await run_tool(shell, "pg_restore", ["--file=/dev/null", part], null);
          return { name, head };
        },
        [],
        0,
      );
    } finally {
      await database.close();
    }
  });
}

/** The last batch of a log and its link, of whatever version its schema is; null where there is no log. */
async function end_of(database: Queryable): Promise<{ readonly batch: number; readonly link: string } | null> {
  const [found] = await database.query<{ log: boolean }>("select to_regclass('log_head') is not null as log");
  if (found?.log !== true) return null;
  const [head] = await database.query("select batch, encode(link, 'hex') as link from log_head");
  return { batch: Number(head!.batch), link: String(head!.link) };
}

const is_of = (named: Named, { batch, link }: { readonly batch: number; readonly link: string }): boolean =>
  batch === named.batch && link.startsWith(named.link);

/** Whether a log that is there already is the one of a backup: who restored it was stopped before it was verified. Throws UsageError for another. */
function is_restored(named: Named, end: Awaited<ReturnType<typeof end_of>>): boolean {
  if (end === null) return false;
  if (!is_of(named, end)) {
    const log = end.batch > 0 ? `a log of ${end.batch} batches` : "a log that was begun, empty";
    throw new UsageError(`restore: the database holds ${log}; a backup is restored where there is none`);
  }
  console.error("restore: the database holds that very log: it is verified");
  return true;
}

async function restore_dump(shell: Shell, path: string, named: Named): Promise<void> {
  if (!(await Deno.stat(path).catch(() => null))?.isFile) {
    throw new UsageError(`restore: expected a file, ${JSON.stringify(path)} is none that can be read`);
  }
  const own = schema_of(shell.domain);
  const schema = await open_with(shell, async (database) => {
    const restored = is_restored(named, await end_of(database));
    const [found] = await database.query<{ schema: string | null }>("select current_schema() as schema");
    if (!restored && own !== null) await database.script(`create schema if not exists "${own}"`);
    await database.close();
    return restored ? null : own ?? found?.schema ?? "public";
  });
  if (schema === null) return;
  await run_tool(shell, "pg_restore", [
    ...["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"],
    `--schema=${schema}`,
    path,
  ]);
}

/** Runs a program of PostgreSQL on the database of the configuration; null: on none. Passwords are not among its arguments, which others may see. */
async function run_tool(
  { config, signal }: Shell,
  tool: "pg_dump" | "pg_restore",
  args: readonly string[],
  database_url: string | null = config.database_url,
): Promise<void> {
  const connection: string[] = [], env: Record<string, string> = {};
  if (database_url !== null) {
    const url = new URL(database_url);
    if (url.password !== "") env.PGPASSWORD = decodeURIComponent(url.password);
    url.password = "";
    connection.push("--no-password", `--dbname=${url.href}`);
  }
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(tool, { args: [...connection, ...args], env, signal, stdin: "null" }).output();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new UsageError(`${tool} is not on the PATH; it comes with PostgreSQL, as postgresql-client`, { cause });
    }
    if (cause instanceof Deno.errors.NotCapable) {
      throw new UsageError(`this program may not run ${tool}: \`deno task backup\` and \`deno task restore\` may`, {
        cause,
      });
    }
    throw cause;
  }
  signal.throwIfAborted();
  if (output.success) return;
  const said = new TextDecoder().decode(output.stderr).trim().split("\n").slice(-3).join("; ");
  throw new Error(`${tool} ended with exit code ${output.code}: ${said}`);
}

/** The folder of the embedded database in a data directory. */
const FOLDER = "postgres";

/** The folder, copied while no program has it open; it is then opened once, which tells what it is and that it can be. */
async function copied(shell: Shell, folder: string, part: string): Promise<BackedUp> {
  const { config: { data_dir }, domain, signal } = shell;
  await remove(part);
  using _ = await hold_data_dir(data_dir);
  if (!(await Deno.stat(`${data_dir}/${FOLDER}`).catch(() => null))?.isDirectory) {
    throw new UsageError(`backup: there is no embedded database in ${JSON.stringify(data_dir)}`);
  }
  await copy_folder(`${data_dir}/${FOLDER}`, `${part}/${FOLDER}`, signal);
  const database = await open_database({ url: null, data_dir: part, schema: schema_of(domain) });
  const head = await require_schema(database).then(() => read_head(database)).finally(() => database.close());
  const name = name_of(domain.name, head, "pglite"), path = `${folder}/${name}`;
  // One of that link is as good: it goes when this one is in its place.
  const replaced = `${part}.replaced`;
  await remove(replaced);
  await Deno.rename(path, replaced).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.rename(part, path);
  await remove(replaced);
  return { name, head };
}

async function restore_copy(
  { config: { data_dir }, domain, signal }: Shell,
  path: string,
  named: Named,
): Promise<void> {
  if (!(await Deno.stat(`${path}/${FOLDER}`).catch(() => null))?.isDirectory) {
    throw new UsageError(`restore: expected a folder with ${FOLDER} in it, ${JSON.stringify(path)} is none`);
  }
  if (await Deno.stat(`${data_dir}/${FOLDER}`).catch(() => null) !== null) {
    const database = await open_database({ url: null, data_dir, schema: schema_of(domain) });
    if (is_restored(named, await end_of(database).finally(() => database.close()))) return;
    throw new UsageError(
      `restore: ${
        JSON.stringify(data_dir)
      } holds a database; a backup is restored where there is none: set TACHO_DATA_DIR to another folder`,
    );
  }
  using _ = await hold_data_dir(data_dir);
  const part = `${data_dir}/${FOLDER}.part`;
  await remove(part);
  await copy_folder(`${path}/${FOLDER}`, part, signal);
  await Deno.rename(part, `${data_dir}/${FOLDER}`);
}

async function copy_folder(from: string, to: string, signal: AbortSignal): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    signal.throwIfAborted();
    if (isDirectory) await copy_folder(`${from}/${name}`, `${to}/${name}`, signal);
    else {
      await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
      using file = await Deno.open(`${to}/${name}`);
      await file.sync();
    }
  }
}
