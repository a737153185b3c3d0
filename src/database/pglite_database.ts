import { PGlite, type Transaction as PGliteTransaction } from "@electric-sql/pglite";
import type { Database, Queryable, Row, Statement, Value } from "./database.ts";

/** The embedded default: PGlite, PostgreSQL compiled to WebAssembly. One connection; queries wait for a running transaction. */

const PARSERS = { 20: String, 1700: String };
const text_of = (statement: string | Statement): string => typeof statement === "string" ? statement : statement.text;

const queryable = (target: PGlite | PGliteTransaction): Queryable => ({
  async query<R extends Row>(statement: string | Statement, values: readonly Value[] = []): Promise<R[]> {
    return (await target.query<R>(text_of(statement), [...values], { parsers: PARSERS })).rows;
  },
  async execute(statement, values = []) {
    return (await target.query(text_of(statement), [...values], { parsers: PARSERS })).affectedRows ?? 0;
  },
});

/** Another process works on the data directory. */
export class DataDirectoryInUse extends Error {
  override readonly name = "DataDirectoryInUse";
  constructor(directory: string) {
    super(
      `open embedded database ${
        JSON.stringify(directory)
      }: another tacho is using it; stop that one, or set TACHO_DATA_DIR to another directory`,
    );
  }
}

async function lock_directory(directory: string): Promise<Deno.FsFile> {
  await Deno.mkdir(directory, { recursive: true });
  const file = await Deno.open(`${directory}/lock`, { create: true, write: true });
  if (!await file.tryLock(true)) {
    file.close();
    throw new DataDirectoryInUse(directory);
  }
  return file;
}

/**
 * Opens the embedded database, in a directory of its own or, with null, in memory.
 * Throws DataDirectoryInUse when another process has it open.
 */
export async function open_embedded(directory: string | null): Promise<Database> {
  const lock = directory === null ? null : await lock_directory(directory);
  let db: PGlite;
  try {
    db = await (directory === null ? PGlite.create() : PGlite.create(`${directory}/postgres`));
    await db.exec("set timezone = 'UTC'");
  } catch (error) {
    lock?.close();
    throw new Error(`open embedded database ${JSON.stringify(directory)}`, { cause: error });
  }
  return {
    kind: "embedded",
    ...queryable(db),
    async script(text) {
      await db.exec(text);
    },
    transaction: (work) =>
      db.transaction((tx) =>
        work({
          ...queryable(tx),
          async copy(table, columns, text) {
            const blob = new Blob([text]);
            const result = await tx.query(`copy ${table} (${columns.join(", ")}) from '/dev/blob'`, [], { blob });
            return result.affectedRows ?? 0;
          },
        })
      ),
    async close() {
      await db.close();
      lock?.close();
    },
  };
}
