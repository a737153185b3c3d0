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

/** A number of a row that may be null, or absent. */
export const number_or_null = (value: unknown): number | null => value == null ? null : Number(value);

/** A parameter of a statement. */
export type Value = string | number | boolean | null | Uint8Array;

/** A statement; one with a name is prepared once a connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

/** What statements are asked of: a database, a transaction, or a snapshot. */
export interface Queryable {
  /** Runs one statement; gives its rows. */
  query<R extends Row = Row>(statement: string | Statement, values?: readonly Value[]): Promise<R[]>;
  /** Runs one statement; gives the number of rows it changed. */
  execute(statement: string | Statement, values?: readonly Value[]): Promise<number>;
}

/** COPY's text format, or its binary one. */
export type CopyFormat = "text" | "binary";

/** One transaction on one connection. What fails in it rolls all of it back. */
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

/** A database with its connections; each statement by itself is a transaction of its own. */
export interface Database extends Queryable {
  readonly kind: "server" | "embedded";
  /** Runs several statements without parameters (migrations). */
  script(text: string): Promise<void>;
  /** One transaction on one connection: commits when `work` resolves, rolls back when it throws. */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** What other connections to the same database are like. */
interface Beside {
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

/**
 * Advisory locks of what one program at a time does to a log: each has a number of its own, which all tachos agree on; the log's schema stands
 * beside it.
 */
export const ADVISORY_LOCKS = { migrate: 727374121, archive: 727374122, flink: 727374123, remove: 727374124 } as const;

/** A name as SQL quotes it. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Reads that all see one moment of the database. Nothing can be written through it. */
export interface Snapshot extends Queryable {
  /**
   * The rows of a select, in pages of at most so many, however many there are. The next page is asked for while one is worked on.
   * @param values of the select's parameters
   */
  pages<R extends Row = Row>(select: string, values: readonly Value[], rows: number): AsyncGenerator<R[]>;
}

/**
 * Gives one moment of the database to `work`, for as long as it takes: on a server others append meanwhile, the embedded database
 * makes them wait. What it sees cannot be vacuumed until it ends.
 * @param tables those that are not exchanged for others of the same name while it reads: they are held before the moment is taken
 */
export function snapshot<T>(
  database: Database,
  work: (reading: Snapshot) => Promise<T>,
  tables: readonly string[] = [],
  timeout_ms: number | null = null,
): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.execute("set transaction isolation level repeatable read, read only");
    // The wait for the tables counts, too.
    if (timeout_ms !== null) await tx.execute(`set local statement_timeout = ${timeout_ms}`);
    if (tables.length > 0) await tx.execute(`lock table ${tables.join(", ")} in access share mode`);
    const reading = new OneByOne(tx);
    try {
      return await work(reading);
    } finally {
      await reading.idle();
    }
  });
}

/**
 * Lends a transaction whose statements may take as long as they need: what they find must not be lost to a limit that is meant for appending.
 */
export function patiently<T>(database: Database, work: (tx: Queryable) => Promise<T>): Promise<T> {
  return database.transaction(async (tx) => {
    await tx.execute("set local statement_timeout = 0");
    return await work(tx);
  });
}

/** Reads of a transaction in which nothing else is done until they are through. It sees its own writes, as always. */
export function reading_in(tx: Transaction): Snapshot {
  return new OneByOne(tx);
}

/** A connection does one thing after the other; a page that is asked for ahead must not get in the way of what follows. */
class OneByOne implements Snapshot {
  #last: Promise<unknown> = Promise.resolve();
  #cursors = 0;
  constructor(private readonly tx: Queryable) {}

  query<R extends Row = Row>(statement: string | Statement, values?: readonly Value[]): Promise<R[]> {
    return this.#next(() => this.tx.query<R>(statement, values));
  }

  execute(statement: string | Statement, values?: readonly Value[]): Promise<number> {
    return this.#next(() => this.tx.execute(statement, values));
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    // Who asked meets the failure; here only the end counts.
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when nothing is asked any more. */
  idle(): Promise<unknown> {
    return this.#last;
  }

  async *pages<R extends Row = Row>(select: string, values: readonly Value[], rows: number): AsyncGenerator<R[]> {
    const cursor = `pages_${++this.#cursors}`;
    await this.execute(`declare ${cursor} no scroll cursor for ${select}`, values);
    const fetch = () => {
      const page = this.query<R>(`fetch ${rows} from ${cursor}`);
      // Met when it is its turn, if it ever is.
      page.catch(() => {});
      return page;
    };
    let page = await fetch();
    while (page.length > 0) {
      const ahead = page.length < rows ? null : fetch();
      yield page;
      if (ahead === null) break;
      page = await ahead;
    }
    await this.execute(`close ${cursor}`);
  }
}

/** What failures mean: which are outages, which blame the data of a statement, which pass. */

/** SQLSTATE classes that blame the data of a statement: cardinality, data exception, constraint violation, program limit. */
const DATA_STATES = /^(?:21|22|23|54)/;

/**
 * The database could not be reached, or the connection to it broke. Only the adapters make it, where a connection is opened or is known
 * to have broken; what the driver said is the cause. Whatever else an error quotes, it is no outage.
 */
export class DatabaseUnreachable extends Error {
  override readonly name = "DatabaseUnreachable";

  /** @param action what was to be done, e.g. "connect to the database" */
  constructor(action: string, cause: unknown) {
    super(`${action}: ${words_of(cause)}`, { cause });
  }
}

/**
 * The database answers, and what it is or what stands before it would lose or spoil what we write. At the start that ends the program;
 * later it is waited out like an outage, for it is no message's fault.
 */
export class DatabaseUnsuitable extends Error {
  override readonly name = "DatabaseUnsuitable";

  /** @param why and what to do about it, in one sentence */
  constructor(why: string, cause?: unknown) {
    super(`use the database: ${why}`, cause === undefined ? {} : { cause });
  }
}

/** A driver's error in words; one that gathers several (a name with several addresses) may have a code alone. */
const words_of = (error: unknown): string =>
  error instanceof Error ? error.message || field_of(error, "code") || error.name : String(error);

const field_of = (error: object, field: "code" | "severity" | "constraint"): string | null => {
  const value: unknown = Reflect.get(error, field);
  return typeof value === "string" ? value : null;
};

/** The SQLSTATE of what the server said; null for any other error. Only what a server says has a severity: a system's error has a code too. */
export function sqlstate(error: unknown): string | null {
  return error instanceof Error && field_of(error, "severity") !== null ? field_of(error, "code") : null;
}

/** Whether others held what was to be locked, and did not let go of it within the wait: trying again helps. */
export const is_held_by_others = (error: unknown): boolean => sqlstate(error) === "55P03";

/** The name of the constraint that a database error names; null when it names none. */
export function violated_constraint(error: unknown): string | null {
  return error instanceof Error ? field_of(error, "constraint") : null;
}

/**
 * Whether the database failed for a reason that no record is to blame for. What the server says blames none unless its SQLSTATE is one of
 * data: a missing table or right is nobody's message's fault.
 */
export function blames_no_data(error: unknown): boolean {
  if (error instanceof DatabaseUnreachable || error instanceof DatabaseUnsuitable) return true;
  const state = sqlstate(error);
  return state !== null && !DATA_STATES.test(state);
}

/** Whether the database refused to take a batch because this program writes for another schema: that stays so, another program is needed. */
export function is_other_schema(error: unknown): boolean {
  return sqlstate(error) === "TA002";
}

/** Whether an error means that the database cannot be worked with now (retry for ever), not that a record is bad or the program too old. */
export function is_outage(error: unknown): boolean {
  return blames_no_data(error) && !is_other_schema(error);
}

/**
 * SQLSTATEs of trouble that passes: the connection, rollbacks to be tried again, a server that is read-only for now, resources, locks, an
 * operator's stop or start, input and output. A statement that was ended (57014) is none of them: it would be ended again.
 */
const PASSING_STATES = /^(?:08|40|53|58|57P|25006|55006|55P03)/;

/** Whether what failed may work when it is tried again, however it was asked: narrower than an outage, under which a missing right falls too. */
export function may_pass(error: unknown): boolean {
  return error instanceof DatabaseUnreachable || PASSING_STATES.test(sqlstate(error) ?? "");
}

/** Whether a statement was ended because it took longer than it may. */
export function took_too_long(error: unknown): boolean {
  return sqlstate(error) === "57014";
}
