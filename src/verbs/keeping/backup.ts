import { hold_data_dir, open_database, require_schema, snapshot } from "../../database/mod.ts";
import { type Head, read_head } from "../../event_log/mod.ts";
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
  const { name, head } = await (shell.config.database_url === null ? copied(shell, folder) : dumped(shell, folder));
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
  await (wanted === "dump" ? restore_dump(shell, path) : restore_copy(shell, path.replace(/\/+$/, "")));
  const { database } = await open_log(shell);
  const head = await read_head(database).finally(() => database.close());
  if (head.batch !== named.batch || head.link.toHex().slice(0, DIGITS) !== named.link) {
    throw new Error(
      `restore: expected a log that ends with batch ${named.batch} and a link that begins with ${named.link}, got ${head.batch} and ${
        head.link.toHex().slice(0, DIGITS)
      }: what was restored is not that backup`,
    );
  }
  await verify_verb(shell, { from: 1, sample: 1, key: [] });
}

/** What is not whole yet. It is removed by the next one of its name. */
const part_of = (path: string): string => `${path}.part`;

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

interface BackedUp {
  readonly name: string;
  readonly head: Head;
}

/** By pg_dump, in the moment of a transaction that reads which one it is. */
function dumped(shell: Shell, folder: string): Promise<BackedUp> {
  const begin = async (database: Parameters<Parameters<typeof open_with>[1]>[0]) => {
    await require_schema(database);
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
          const path = `${folder}/${name}`, part = part_of(path);
          await remove(part);
          await run_tool(shell, "pg_dump", [
            "--format=custom",
            `--schema=${at!.schema}`,
            `--snapshot=${at!.snapshot}`,
            `--file=${part}`,
          ]);
          // All of it can be read again.
          await run_tool(shell, "pg_restore", ["--file=/dev/null", part], null);
          await Deno.rename(part, path);
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

async function restore_dump(shell: Shell, path: string): Promise<void> {
  if (!(await Deno.stat(path).catch(() => null))?.isFile) {
    throw new UsageError(`restore: expected a file, ${JSON.stringify(path)} is none that can be read`);
  }
  const own = schema_of(shell.domain);
  const schema = await open_with({ ...shell, domain: shell.domain }, async (database) => {
    const [found] = await database.query<{ schema: string | null; log: boolean }>(
      "select current_schema() as schema, to_regclass('log_head') is not null as log",
    );
    if (found?.log === true) {
      const [head] = await database.query("select batch from log_head");
      throw new UsageError(
        Number(head?.batch) > 0
          ? `restore: the database holds a log of ${head!.batch} batches; a backup is restored where there is none`
          : "restore: the database holds a log that was begun, empty; a backup is restored where there is none: take a new database",
      );
    }
    if (own !== null) await database.script(`create schema if not exists "${own}"`);
    await database.close();
    return own ?? found?.schema ?? "public";
  });
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
async function copied(shell: Shell, folder: string): Promise<BackedUp> {
  const { config: { data_dir }, domain, signal } = shell;
  const part = part_of(`${folder}/${domain.name}.pglite`);
  await remove(part);
  using _ = await hold_data_dir(data_dir);
  if (!(await Deno.stat(`${data_dir}/${FOLDER}`).catch(() => null))?.isDirectory) {
    throw new UsageError(`backup: there is no embedded database in ${JSON.stringify(data_dir)}`);
  }
  await copy_folder(`${data_dir}/${FOLDER}`, `${part}/${FOLDER}`, signal);
  const database = await open_database({ url: null, data_dir: part, schema: schema_of(domain) });
  const head = await require_schema(database).then(() => read_head(database)).finally(() => database.close());
  const name = name_of(domain.name, head, "pglite"), path = `${folder}/${name}`;
  await remove(path);
  await Deno.rename(part, path);
  return { name, head };
}

async function restore_copy({ config: { data_dir }, signal }: Shell, path: string): Promise<void> {
  if (!(await Deno.stat(`${path}/${FOLDER}`).catch(() => null))?.isDirectory) {
    throw new UsageError(`restore: expected a folder with ${FOLDER} in it, ${JSON.stringify(path)} is none`);
  }
  using _ = await hold_data_dir(data_dir);
  if (await Deno.stat(`${data_dir}/${FOLDER}`).catch(() => null) !== null) {
    throw new UsageError(
      `restore: ${
        JSON.stringify(data_dir)
      } holds a database; a backup is restored where there is none: set TACHO_DATA_DIR to another folder`,
    );
  }
  const part = part_of(`${data_dir}/${FOLDER}`);
  await remove(part);
  await copy_folder(`${path}/${FOLDER}`, part, signal);
  await Deno.rename(part, `${data_dir}/${FOLDER}`);
}

async function copy_folder(from: string, to: string, signal: AbortSignal): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    signal.throwIfAborted();
    if (isDirectory) await copy_folder(`${from}/${name}`, `${to}/${name}`, signal);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
