import { statfsSync } from "node:fs";
import { PGlite, type Transaction as PGliteTransaction } from "@electric-sql/pglite";
import {
  DatabaseUnreachable,
  type OpenedDatabase,
  type Queryable,
  quoted,
  type Row,
  type Statement,
  type Value,
} from "./database.ts";
import { turns_every } from "../runtime/mod.ts";

/** The embedded default: PGlite, PostgreSQL compiled to WebAssembly. One connection; queries wait for a running transaction. */

const PARSERS = { 20: String, 1700: String };
// What is bytes goes to PostgreSQL as the binary form of its type, though the driver's type of a serializer knows text alone.
const as_it_is = (value: string): string => value;
/** Arrays, by their types' numbers, are written out already: of bytea, smallint, integer, text, bigint, double precision, timestamptz and numeric. */
const SERIALIZERS = Object.fromEntries([1001, 1005, 1007, 1009, 1016, 1022, 1185, 1231].map((oid) => [oid, as_it_is]));
const OPTIONS = { parsers: PARSERS, serializers: SERIALIZERS };
const text_of = (statement: string | Statement): string => typeof statement === "string" ? statement : statement.text;

/** Lets others have a turn, if it is time. */
type GiveWay = () => Promise<void>;

/**
 * PGlite computes on the program's only thread, and its promises never let go of it: without this a backlog keeps the page's requests
 * waiting until its end (measured: 16 s for 30,000 events in batches of 2,000; with it the page moves twice a second).
 */
const TURN_MS = 20;

const MB = 1 << 20;
/** PostgreSQL's log grows by 16 MB at once, and where there is no room for that PGlite goes round in circles for ever: this is three times as much and what tables grow by. */
const LEAST_FREE = 64 * MB;
/** What a byte that is copied into a table costs at most on disk, with its share of log, indexes and read models. */
const COPIED = 8;
const WRITES =
  /\b(?:insert|update|delete|truncate|create|alter|drop|copy|do|call|refresh|vacuum|ensure_events_partition)\b/i;

/** Throws where the disk has too little left for what is about to be written, so many bytes beside the usual. */
type RequireRoom = (bytes: number) => void;

/**
 * Watches the disk of a directory. That it is full is an outage: whoever has work waits, and goes on when there is room again.
 * Without Deno's permission (`--allow-sys=statfs`) it cannot be watched.
 */
function room_on_disk_of(directory: string): RequireRoom {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "statfs" });
  if (state !== "granted") return () => {};
  const outage = (why: unknown) => new DatabaseUnreachable("write to the embedded database", why);
  const free_bytes = (): number => {
    try {
      const { bavail, bsize } = statfsSync(directory);
      return bavail * bsize;
    } catch (error) {
      // The directory or its disk went away: no message is to blame.
      throw outage(error);
    }
  };
  return (bytes) => {
    const free = free_bytes(), least = LEAST_FREE + bytes;
    if (free >= least) return;
    const told = (size: number) => `${Math.floor(size / MB)} MB`;
    const why = `the disk of ${JSON.stringify(directory)} has ${told(free)} left, at least ${
      told(least)
    } are needed: free some`;
    throw outage(new Error(why));
  };
}

const queryable = (target: PGlite | PGliteTransaction, give_way: GiveWay, require_room: RequireRoom): Queryable => ({
  async query<R extends Row>(statement: string | Statement, values: readonly Value[] = []): Promise<R[]> {
    await give_way();
    if (WRITES.test(text_of(statement))) require_room(0);
    return (await target.query<R>(text_of(statement), [...values], OPTIONS)).rows;
  },
  async execute(statement, values = []) {
    await give_way();
    if (WRITES.test(text_of(statement))) require_room(0);
    return (await target.query(text_of(statement), [...values], OPTIONS)).affectedRows ?? 0;
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

/** Keeps every program out of a data directory, until it is let go. Throws DataDirectoryInUse. */
export async function hold_data_dir(directory: string): Promise<Deno.FsFile> {
  await Deno.mkdir(directory, { recursive: true });
  const file = await Deno.open(`${directory}/lock`, { create: true, write: true });
  if (!await file.tryLock(true)) {
    file.close();
    throw new DataDirectoryInUse(directory);
  }
  return file;
}

/** Whether PGlite misses the files that it reads from beside its code: a bundle's code lies beside the bundle. */
function lacks_files(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT" && error.message.includes("pglite.data");
}

/**
 * Opens the embedded database, in a directory of its own or, with null, in memory.
 * Throws DataDirectoryInUse when another process has it open, DatabaseUnreachable when its disk is full.
 * @param options schema: of the log that is meant, null: the one that the search path says
 */
export async function open_embedded(
  directory: string | null,
  { read_only = false, schema = null }: { readonly read_only?: boolean; readonly schema?: string | null } = {},
): Promise<OpenedDatabase> {
  const lock = directory === null ? null : await hold_data_dir(directory);
  const require_room = directory === null ? () => {} : room_on_disk_of(directory);
  let db: PGlite;
  try {
    require_room(0);
    db = await (directory === null ? PGlite.create() : PGlite.create(`${directory}/postgres`));
    await db.exec(`set timezone = 'UTC'; set default_transaction_read_only = ${read_only ? "on" : "off"}`);
  } catch (error) {
    lock?.close();
    if (error instanceof DatabaseUnreachable) throw error;
    if (lacks_files(error)) {
      throw new Error(
        "open embedded database: pglite.data is not beside the program; keep all files of `deno task bundle` together, or set DATABASE_URL",
        { cause: error },
      );
    }
    throw new Error(`open embedded database ${JSON.stringify(directory)}`, { cause: error });
  }
  const turn = turns_every(TURN_MS, (go_on) => setTimeout(go_on, 0));
  let closed = false;
  const give_way = async () => {
    if (closed) throw new DatabaseUnreachable("use the embedded database", new Error("it is closed"));
    await turn();
  };
  const shared = (schema: string | null, close: () => Promise<void>): OpenedDatabase => {
    const in_schema = async (tx: PGliteTransaction) => {
      if (schema !== null) await tx.exec(`set local search_path = ${quoted(schema)}`);
    };
    const database: OpenedDatabase = {
      kind: "embedded",
      ...queryable(db, give_way, require_room),
      async script(text) {
        await give_way();
        require_room(0);
        await (schema === null ? db.exec(text) : db.transaction(async (tx) => {
          await in_schema(tx);
          await tx.exec(text);
        }));
      },
      async transaction(work) {
        await give_way();
        return await db.transaction(async (tx) => {
          await in_schema(tx);
          return await work({
            ...queryable(tx, turn, require_room),
            async copy(table, columns, rows, format = "text") {
              await turn();
              const blob = new Blob(typeof rows === "string" ? [rows] : [...rows]);
              require_room(COPIED * blob.size);
              const statement = `copy ${table} (${columns.join(", ")}) from '/dev/blob' (format ${format})`;
              const result = await tx.query(statement, [], { blob });
              return result.affectedRows ?? 0;
            },
          });
        });
      },
      beside: (beside) => shared(beside.schema === undefined ? schema : beside.schema, () => Promise.resolve()),
      close,
    };
    // One connection serves all schemas: what names one holds for a transaction alone.
    return schema === null ? database : {
      ...database,
      query: <R extends Row>(statement: string | Statement, values?: readonly Value[]) =>
        database.transaction((tx) => tx.query<R>(statement, values)),
      execute: (statement, values) => database.transaction((tx) => tx.execute(statement, values)),
    };
  };
  const close = async () => {
    closed = true;
    await db.close();
    lock?.close();
  };
  return shared(schema, close);
}
