import type { Database, Queryable, Row, Statement, Transaction, Value } from "./database.ts";

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
