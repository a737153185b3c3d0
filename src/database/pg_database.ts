import { Buffer } from "node:buffer";
import pg from "pg";
import { from as copy_from } from "pg-copy-streams";
import type { Database, Row, Statement, Transaction, Value } from "./database.ts";
import { DatabaseUnreachable, is_outage, sqlstate } from "./errors.ts";

/** A PostgreSQL server through node-postgres. */

const as_query = (statement: string | Statement, values: readonly Value[] = []) => {
  const parameters = values.map((value) => value instanceof Uint8Array ? Buffer.from(value) : value);
  return typeof statement === "string" ? { text: statement, values: parameters } : { ...statement, values: parameters };
};

const COPY_CHUNK = 1 << 20;

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
        throw sqlstate(error) === null ? new DatabaseUnreachable("connect to the database", error) : error;
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

  copy(table: string, columns: readonly string[], text: string): Promise<number> {
    return this.#judged(
      new Promise((resolve, reject) => {
        const stream = this.#client.query(copy_from(`copy ${table} (${columns.join(", ")}) from stdin`));
        stream.on("error", reject);
        stream.on("finish", () => resolve(stream.rowCount));
        // Cut as bytes: a cut through text may part a surrogate pair, of which both halves would be written as U+FFFD.
        const bytes = Buffer.from(text);
        for (let at = 0; at < bytes.length; at += COPY_CHUNK) stream.write(bytes.subarray(at, at + COPY_CHUNK));
        stream.end();
      }),
    );
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
      if (this.#broken === null || sqlstate(error) !== null) throw error;
      throw new DatabaseUnreachable("the connection to the database broke", error);
    }
  }
}

/**
 * Opens a pool of connections to a server. Nothing is connected until the first query.
 * @param url `postgres://…`
 * @param options connections: size of the pool; failed: hears of connections that break while idle
 */
export function open_server(
  url: string,
  options: { readonly connections: number; readonly failed: (error: Error) => void },
): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections,
    application_name: "tacho",
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    // A frozen process must not hold the head's lock for ever, and nobody waits for one without end.
    idle_in_transaction_session_timeout: 20_000,
    lock_timeout: 20_000,
    statement_timeout: 300_000,
    options: "-c timezone=UTC",
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
    close: () => pool.end(),
  };
}
