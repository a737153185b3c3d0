import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from as copy_from } from "pg-copy-streams";
import {
  type CopyFormat,
  DatabaseUnreachable,
  DatabaseUnsuitable,
  is_outage,
  type OpenedDatabase,
  quoted,
  type Row,
  sqlstate,
  type Statement,
  type Transaction,
  type Value,
} from "./database.ts";
import {
  LOOK_AT_SCHEMA,
  LOOK_AT_SESSION,
  NO_SESSION,
  type SessionFacts,
  SET_SESSION,
  unfit_schema,
  unfitness,
} from "./session.ts";

/** A PostgreSQL server through node-postgres. */

const as_query = (statement: string | Statement, values: readonly Value[] = []) => {
  // The driver sends a Buffer as it is, in the binary form of its type.
  const parameters = values.map((value) =>
    value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length) : value
  );
  return typeof statement === "string" ? { text: statement, values: parameters } : { ...statement, values: parameters };
};

const CONNECT_MS = 5_000;
/** In which a new connection has its settings; with another pooler's connection to wait for before. */
const READY_MS = 8_000;

/** A prepared statement that is not there, or is there already: the server's connection is not the one that it was prepared on. */
const LOST_STATEMENT = /^(?:26000|42P05)$/;

/** What a pooler says when it will not let us in, however often we ask; all its words have one SQLSTATE, outages too. */
const REFUSED_BY_POOLER = /^(?:unsupported startup parameter|no such (?:database|user)|transaction blocks not allowed)/;

/** Why there is no connection, as the port tells it. */
function not_connected(error: unknown): unknown {
  if (error instanceof DatabaseUnsuitable) return error;
  const state = sqlstate(error);
  if (state === null) return new DatabaseUnreachable("connect to the database", error);
  const words = (error as Error).message;
  if (state !== "08P01" || !REFUSED_BY_POOLER.test(words)) return error;
  if (words.startsWith("transaction")) return new DatabaseUnsuitable(NO_SESSION);
  const hint = words.startsWith("unsupported")
    ? "; take it out of DATABASE_URL and PGOPTIONS, or add it to the pooler's ignore_startup_parameters"
    : "";
  return new DatabaseUnsuitable(`the pooler in front of it refuses the login: ${words}${hint}`);
}

/** Cuts a connection that does not answer; what was asked rejects then. */
async function answered<T>(client: pg.Client, answer: Promise<T>): Promise<T> {
  const timer = setTimeout(() => client.connection.stream.destroy(), READY_MS);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}

async function look_at_session(client: pg.Client): Promise<SessionFacts> {
  const [, { rows: [facts] }] = await client.query(LOOK_AT_SESSION);
  return facts;
}

/**
 * Makes new connections fit for work. Throws DatabaseUnsuitable, before anything was set, when the database is not what it must be, or when
 * a pooler hands out server connections by the transaction: what one client sets there, others get.
 * @param config of the pool's connections
 */
function session_maker(
  config: pg.ClientConfig,
  read_only: boolean,
  schema: string | null,
): (client: pg.Client) => Promise<void> {
  let keeps_session: boolean | null = null;
  return (client) =>
    answered(
      client,
      (async () => {
        const facts = await look_at_session(client);
        // A pooler tells clients a number of its own.
        if (facts.backend !== client.processID) {
          keeps_session ??= await has_session(client, config);
          if (!keeps_session) throw new DatabaseUnsuitable(NO_SESSION);
        }
        // A schema of the program's own is made by its migrations.
        const unfit = unfitness({ ...facts, schema: schema ?? facts.schema });
        if (unfit !== null) throw new DatabaseUnsuitable(unfit);
        await client.query(SET_SESSION);
        if (schema !== null) {
          const { rows: [found] } = await client.query(LOOK_AT_SCHEMA, [schema]);
          const in_the_way = unfit_schema(schema, found);
          if (in_the_way !== null) throw new DatabaseUnsuitable(in_the_way);
          await client.query(`set search_path = ${quoted(schema)}`);
        }
        if (read_only) await client.query("set default_transaction_read_only = on");
      })(),
    );
}

/** Longest wait for another connection of the pooler: one that has no more to give keeps those that it gave. */
const RIVAL_MS = 3_000;

/**
 * Whether the pooler keeps a server connection for its client from one transaction to the next. While another client is in a transaction, ours
 * is asked again and again: where the other got the server connection that ours had, or ours gets another one, it does not.
 */
async function has_session(client: pg.Client, config: pg.ClientConfig): Promise<boolean> {
  const backend = async (asked: pg.Client): Promise<number> => (await look_at_session(asked)).backend;
  const ours = await backend(client);
  const rival = new pg.Client(config);
  rival.on("error", () => {});
  const timer = setTimeout(() => rival.connection.stream.destroy(), RIVAL_MS);
  try {
    await rival.connect();
    await rival.query("begin");
    if (await backend(rival) === ours) return false;
  } catch (error) {
    // What the pooler says counts; an answer that does not come is one that waits for a server connection.
    if (sqlstate(error) !== null) throw error;
  } finally {
    clearTimeout(timer);
    rival.end().catch(() => {});
  }
  for (let look = 0; look < 3; look++) if (await backend(client) !== ours) return false;
  return true;
}

/** A connection out of the pool, lent for one piece of work. It tells an outage from all other failures: it hears when the connection breaks. */
class Connection implements Transaction {
  readonly #client: pg.PoolClient;
  #broken: Error | null = null;
  // Without a listener a connection that breaks between two statements would end the process; the next statement rejects anyway.
  readonly #hear = (error: Error) => void (this.#broken ??= error);

  private constructor(client: pg.PoolClient) {
    this.#client = client;
    client.on("error", this.#hear);
  }

  /** Lends a connection to work, and takes it back however that ends. Throws DatabaseUnreachable when there is none to be had. */
  static async lend<T>(pool: pg.Pool, work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = new Connection(
      await pool.connect().catch((error: unknown) => {
        throw not_connected(error);
      }),
    );
    let failure: unknown;
    try {
      return await work(connection);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      connection.#client.off("error", connection.#hear);
      // A connection that the server ends may still look whole.
      connection.#client.release(connection.#broken !== null || is_outage(failure));
    }
  }

  async query<R extends Row>(statement: string | Statement, values?: readonly Value[]): Promise<R[]> {
    return (await this.#send(as_query(statement, values))).rows;
  }

  async execute(statement: string | Statement, values?: readonly Value[]): Promise<number> {
    return (await this.#send(as_query(statement, values))).rowCount ?? 0;
  }

  copy(
    table: string,
    columns: readonly string[],
    rows: string | Iterable<Uint8Array>,
    format: CopyFormat = "text",
  ): Promise<number> {
    const statement = `copy ${table} (${columns.join(", ")}) from stdin (format ${format})`;
    const stream = this.#client.query(copy_from(statement));
    const pieces = typeof rows === "string" ? [Buffer.from(rows)] : rows;
    return this.#judged(pipeline(Readable.from(pieces), stream).then(() => stream.rowCount));
  }

  async script(text: string): Promise<void> {
    await this.#send({ text });
  }

  /** Never rejects: a connection that cannot roll back is of no more use, and why it had to is what counts. */
  async roll_back(): Promise<void> {
    await this.#client.query("rollback").catch(this.#hear);
  }

  #send(query: { readonly text: string; readonly values?: readonly unknown[] }): Promise<pg.QueryResult> {
    return this.#judged(this.#client.query(query));
  }

  /** What fails on a connection that broke, failed because it broke. */
  async #judged<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (LOST_STATEMENT.test(sqlstate(error) ?? "")) throw new DatabaseUnsuitable(NO_SESSION, error);
      if (this.#broken === null || sqlstate(error) !== null) throw error;
      throw new DatabaseUnreachable("the connection to the database broke", error);
    }
  }
}

/** Where a connection would go; reads the certificates that the URL names. The error of a URL that cannot be read quotes it, password and all: it goes no further. */
function read_address(config: pg.ClientConfig): { readonly host: string; readonly port: number } {
  try {
    return new pg.Client(config);
  } catch (error) {
    if (error instanceof TypeError) throw new DatabaseUnsuitable("its URL cannot be read");
    if (!(error instanceof Error && "code" in error && "path" in error) || error instanceof Deno.errors.NotCapable) {
      throw error;
    }
    throw new DatabaseUnsuitable(`a file that its URL names cannot be read: ${error.message}`);
  }
}

/**
 * Throws DatabaseUnsuitable when the server is named by a Unix socket that the program may not use. Asked for ahead: Deno would ask whoever
 * sits at the terminal, and the driver would never hear of a refusal.
 */
function require_socket_rights(config: pg.ClientConfig): void {
  const { host, port } = read_address(config);
  if (!host.startsWith("/")) return;
  const path = `${host}/.s.PGSQL.${port}`;
  const may = (name: "read" | "write") => Deno.permissions.querySync({ name, path }).state === "granted";
  if (may("read") && may("write")) return;
  throw new DatabaseUnsuitable(
    `${
      JSON.stringify(path)
    } is a Unix socket, which the tasks of deno.json do not let the program use; run main.ts with ` +
      `--allow-net --allow-env --allow-read --allow-write=.tacho,${host} of your own, or name the server by host and port`,
  );
}

/**
 * Opens a pool of connections to a server. Nothing is connected until the first query. Throws DatabaseUnsuitable for a socket without rights.
 * @param url `postgres://…`
 * @param options connections: size of the pool; failed: hears of connections that break while idle; read_only: the server refuses writes;
 *   schema: of the log that is meant, null: the one that the search path says
 */
export function open_server(
  url: string,
  options: {
    readonly connections: number;
    readonly failed: (error: Error) => void;
    readonly read_only: boolean;
    readonly schema: string | null;
  },
): OpenedDatabase {
  const config = {
    connectionString: url,
    application_name: "tacho",
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  };
  require_socket_rights(config);
  const pool = new pg.Pool({
    ...config,
    max: options.connections,
    idleTimeoutMillis: 60_000,
    onConnect: session_maker(config, options.read_only, options.schema),
  });
  pool.on("error", (error: Error) => {
    options.failed(sqlstate(error) === null ? new DatabaseUnreachable("an idle connection broke", error) : error);
  });
  return {
    kind: "server",
    query: <R extends Row>(statement: string | Statement, values?: readonly Value[]) =>
      Connection.lend(pool, (connection) => connection.query<R>(statement, values)),
    execute: (statement, values) => Connection.lend(pool, (connection) => connection.execute(statement, values)),
    script: (text) => Connection.lend(pool, (connection) => connection.script(text)),
    transaction: (work) =>
      Connection.lend(pool, async (connection) => {
        await connection.script("begin");
        try {
          const result = await work(connection);
          await connection.script("commit");
          return result;
        } catch (error) {
          await connection.roll_back();
          throw error;
        }
      }),
    beside: (beside) => open_server(url, { ...options, ...beside }),
    close: () => pool.end(),
  };
}
