import { Client } from "pg";
import { find_postgres } from "./program.ts";
import { free_port } from "./free_port.ts";
import { ServerProcess } from "./server_process.ts";
import { shell } from "./shell.ts";
import { PATIENCE, until } from "./until.ts";

/**
 * A real PostgreSQL server for tests. `shared_postgres` is the one of the whole run, never to be killed or reconfigured; `start_postgres` gives a private one that a
 * test may kill. Every test file takes a database of its own: channels and locks leak across schemas, and a rolled-back test never sees a commit.
 */

/** A database that others are cloned from: prepared once a server (migrations), whatever number of files ask for it. */
export interface Template {
  readonly name: string;
  /** Prepares the empty database; closes its connections before it resolves. */
  readonly prepare: (url: string) => Promise<void>;
}

/** A database of its own. `url` logs in as its owner `tacho`, who is no superuser; `superuser_url` is the same database as `postgres`. */
export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  readonly superuser_url: string;
}

/** What every test may do with a server. */
export interface Postgres {
  /** The maintenance database as superuser. */
  readonly superuser_url: string;
  /** A fresh database, empty or cloned from the template. */
  create_database(template?: Template): Promise<TestDatabase>;
}

/** A private server: its owner may take it down. Its port stays the same. `await using` disposes of it. */
export interface PostgresServer extends Postgres, AsyncDisposable {
  /** kill -9 of the server and all its backends, as a power cut would do to them. */
  kill_nine(): Promise<void>;
  /** A planned stop (fast shutdown); the data stays. */
  stop(): Promise<void>;
  /** Starts it on the same data, after a stop, a kill or while it runs; resolves when it takes connections. */
  restart(): Promise<void>;
  /** Kills it and removes its data. */
  dispose(): Promise<void>;
  read_log(): string;
  /** The folder of its data. */
  readonly data: string;
}

/** The environment variable by which the runner tells test processes of the shared server. */
export const POSTGRES_VARIABLE = "TACHO_TEST_POSTGRES_URL";

/**
 * Starts a private server on a free port of 127.0.0.1.
 * @param options.fsync false trades durability (of the machine, not of a kill -9) for speed; default true, as benches measure
 * @param options.settings further server settings by name
 */
export async function start_postgres(
  options: {
    readonly fsync?: boolean;
    readonly settings?: Readonly<Record<string, string>>;
    /** Makes it a standby of this server, which is stopped for a moment to be copied. */
    readonly standby_of?: PostgresServer;
  } = {},
): Promise<PostgresServer> {
  const binaries = find_postgres();
  if (binaries === null) throw new Error("start PostgreSQL: no initdb on PATH or in /usr/lib/postgresql/*/bin");
  const server = new ServerProcess("postgres");
  const data = `${server.folder}/data`;
  const as_user = await unprivileged(server.folder);
  const { standby_of } = options;
  if (standby_of === undefined) {
    const init = [`${binaries}/initdb`, "-D", data, ..."-U postgres -A trust -E UTF8 --locale=C --no-sync".split(" ")];
    await shell("initialise PostgreSQL", 'cd / && "$@"', ...as_user, ...init);
  } else {
    await standby_of.stop();
    const copy = 'mkdir -p "$2" && cp -a "$1/." "$2" && cp -p "$2/PG_VERSION" "$2/standby.signal"';
    await shell("copy PostgreSQL", copy, standby_of.data, data).finally(() => standby_of.restart());
  }
  const port = free_port();
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "200",
    ...(options.fsync === false ? { fsync: "off", full_page_writes: "off" } : {}),
    ...(standby_of === undefined ? {} : { primary_conninfo: standby_of.superuser_url }),
    ...options.settings,
  };
  const command = [...as_user, `${binaries}/postgres`, "-D", data];
  for (const [name, value] of Object.entries(settings)) command.push("-c", `${name}=${value}`);
  const superuser_url = `postgres://postgres@127.0.0.1:${port}/postgres`;

  const start = async (): Promise<void> => {
    server.spawn(command);
    await until(
      "PostgreSQL takes connections",
      () => !server.running || ask(superuser_url, "select 1").then(() => true),
      60_000,
    );
    if (!server.running) throw new Error(`start PostgreSQL: it ended at once\n${server.read_log().slice(-4_000)}`);
  };
  const stop = () => server.end("SIGINT", PATIENCE * 30_000);
  await start();
  if (standby_of === undefined) await ask(superuser_url, "create role tacho login");
  return {
    superuser_url,
    data,
    create_database: (template) => create_database(superuser_url, template),
    kill_nine: () => server.kill_nine(),
    stop,
    restart: async () => {
      await stop();
      await start();
    },
    dispose: () => server.dispose(),
    read_log: () => server.read_log(),
    [Symbol.asyncDispose]: () => server.dispose(),
  };
}

let own: Promise<Postgres> | null = null;

/** The server that the whole run shares; a test file that is run by hand starts one of its own at first use, which ends with the process. */
export function shared_postgres(): Promise<Postgres> {
  own ??= (async () => {
    const superuser_url = Deno.env.get(POSTGRES_VARIABLE);
    if (superuser_url === undefined) return await start_postgres({ fsync: false });
    return { superuser_url, create_database: (template?: Template) => create_database(superuser_url, template) };
  })();
  return own;
}

async function create_database(superuser_url: string, template?: Template): Promise<TestDatabase> {
  const source = template === undefined ? "template1" : await ensure_template(superuser_url, template);
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await connected(superuser_url, async (client) => {
    // Where nothing is durable, copied files cost half the processor time of pages that go through the write-ahead log. PostgreSQL 14 knows no other way.
    const { rows: [server] } = await client.query(
      "select current_setting('fsync') = 'off' and current_setting('server_version_num')::int >= 150000 as copies",
    );
    const strategy = server.copies ? " strategy file_copy" : "";
    await client.query(`create database ${name} template ${source} owner tacho${strategy}`);
  });
  return database_of(superuser_url, name);
}

function database_of(superuser_url: string, name: string): TestDatabase {
  const { host } = new URL(superuser_url);
  return { name, url: `postgres://tacho@${host}/${name}`, superuser_url: `postgres://postgres@${host}/${name}` };
}

/** Prepares the template unless another test process has, under a lock; it takes its name only when it is complete. */
async function ensure_template(superuser_url: string, template: Template): Promise<string> {
  if (!/^[a-z0-9_]{1,40}$/.test(template.name)) {
    throw new Error(`prepare template database ${JSON.stringify(template.name)}: expected 1 to 40 of a-z, 0-9 and _`);
  }
  const name = `template_${template.name}`;
  await connected(superuser_url, async (client) => {
    await client.query("select pg_advisory_lock(hashtext($1))", [name]);
    const { rows } = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (rows.length > 0) return;
    await client.query(`drop database if exists ${name}_unready`);
    await client.query(`create database ${name}_unready owner tacho`);
    await template.prepare(database_of(superuser_url, `${name}_unready`).url);
    await client.query(`alter database ${name}_unready rename to ${name}`);
  });
  return name;
}

async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: PATIENCE * 5_000 });
  // A server that is killed while nobody asks it anything would otherwise end the test process; the next query fails with the reason.
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Runs one statement on a connection of its own. */
function ask(url: string, statement: string): Promise<unknown> {
  return connected(url, (client) => client.query(statement));
}

/** PostgreSQL and its poolers refuse to run as root: the words that run a command as another user, who then owns `data` in the folder; none when we are not root. */
export async function unprivileged(folder: string): Promise<string[]> {
  const script = `
[ "$(id -u)" = 0 ] || exit 0
user=$(id -u postgres 2>/dev/null || id -u nobody)
group=$(id -g postgres 2>/dev/null || id -g nobody)
mkdir "$1/data" && chown "$user:$group" "$1/data" && chmod 700 "$1/data"
echo setpriv --reuid="$user" --regid="$group" --clear-groups --`;
  const words = await shell("choose a user for PostgreSQL", script, folder);
  return words === "" ? [] : words.split(" ");
}
