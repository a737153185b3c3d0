/**
 * The port to PostgreSQL. Two adapters, both real PostgreSQL: node-postgres for a server, PGlite for the embedded default.
 * SQL that goes through here is what PostgreSQL 14 understands.
 *
 * Values in rows: bigint and numeric come as strings (no precision is lost silently), bytea as Uint8Array, json and jsonb parsed, text[] as
 * an array of strings. Times are selected as numbers (`extract(epoch …)`), bigint[] as text[]: what the drivers make of them differs.
 * Parameters: strings, numbers, booleans, null, Uint8Array; arrays are passed as array literals built by `text_format.ts`, or, where they are
 * long, as `binary_array` of `binary_format.ts` writes them.
 */
export type Row = Record<string, unknown>;
export type Value = string | number | boolean | null | Uint8Array;

/** A statement; one with a name is prepared once a connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

export interface Queryable {
  /** Runs one statement; gives its rows. */
  query<R extends Row = Row>(statement: string | Statement, values?: readonly Value[]): Promise<R[]>;
  /** Runs one statement; gives the number of rows it changed. */
  execute(statement: string | Statement, values?: readonly Value[]): Promise<number>;
}

export type CopyFormat = "text" | "binary";

export interface Transaction extends Queryable {
  /**
   * COPY rows into a table's columns; gives the number of rows.
   * @param rows in COPY's text format (each line ended by \n), as text or in pieces of UTF-8; or in pieces of its binary format
   * @param format absent: text
   */
  copy(
    table: string,
    columns: readonly string[],
    rows: string | Iterable<Uint8Array<ArrayBuffer>>,
    format?: CopyFormat,
  ): Promise<number>;
}

export interface Database extends Queryable {
  readonly kind: "server" | "embedded";
  /** Runs several statements without parameters (migrations). */
  script(text: string): Promise<void>;
  /** One transaction on one connection: commits when `work` resolves, rolls back when it throws. */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** What other connections to the same database are like. */
export interface Beside {
  /** At most; they are made when they are needed. */
  readonly connections?: number;
  /** The log of another domain: all statements mean the tables of this schema; null: of the one that the search path says. Absent: as this database. */
  readonly schema?: string | null;
}

/** A database that was opened. */
export interface OpenedDatabase extends Database {
  /**
   * Further connections, so that work of one kind never waits for those that another has taken. The embedded database has one, which all
   * share. Each is closed for itself: closing it leaves this one open.
   */
  beside(beside: Beside): OpenedDatabase;
}

/** A name as SQL quotes it. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
