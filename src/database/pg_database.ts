import { Buffer } from "node:buffer";
import pg from "pg";
import { from as copy_from } from "pg-copy-streams";
import type { Database, Queryable, Row, Statement, Transaction, Value } from "./database.ts";

/** A PostgreSQL server through node-postgres. */

const as_query = (statement: string | Statement, values: readonly Value[] = []) => {
  const parameters = values.map((value) => value instanceof Uint8Array ? Buffer.from(value) : value);
  return typeof statement === "string" ? { text: statement, values: parameters } : { ...statement, values: parameters };
};

const queryable = (client: pg.Pool | pg.ClientBase): Queryable => ({
  async query<R extends Row>(statement: string | Statement, values?: readonly Value[]): Promise<R[]> {
    return (await client.query<R>(as_query(statement, values))).rows;
  },
  async execute(statement, values) {
    return (await client.query(as_query(statement, values))).rowCount ?? 0;
  },
});

const COPY_CHUNK = 1 << 20;

function copy(client: pg.ClientBase, table: string, columns: readonly string[], text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = client.query(copy_from(`copy ${table} (${columns.join(", ")}) from stdin`));
    stream.on("error", reject);
    stream.on("finish", () => resolve(stream.rowCount));
    // Cut as bytes: a cut through text may part a surrogate pair, of which both halves would be written as U+FFFD.
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += COPY_CHUNK) stream.write(bytes.subarray(at, at + COPY_CHUNK));
    stream.end();
  });
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
  pool.on("error", options.failed);
  return {
    kind: "server",
    ...queryable(pool),
    async script(text) {
      await pool.query(text);
    },
    async transaction(work) {
      const client = await pool.connect();
      // Without a listener a connection that breaks between two statements would end the process; the next statement rejects anyway.
      const broken: Error[] = [];
      const hear = (error: Error) => broken.push(error);
      client.on("error", hear);
      let spoiled: Error | undefined;
      try {
        await client.query("begin");
        const transaction: Transaction = {
          ...queryable(client),
          copy: (table, columns, text) => copy(client, table, columns, text),
        };
        const result = await work(transaction);
        await client.query("commit");
        return result;
      } catch (error) {
        await client.query("rollback").catch((rollback_error: Error) => spoiled = rollback_error);
        throw error;
      } finally {
        client.off("error", hear);
        client.release(spoiled ?? broken[0]);
      }
    },
    close: () => pool.end(),
  };
}
