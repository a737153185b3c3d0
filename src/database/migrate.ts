import { createHash } from "node:crypto";
import { wait } from "../runtime/mod.ts";
import {
  ADVISORY_LOCKS,
  type Database,
  DatabaseUnsuitable,
  is_held_by_others,
  may_pass,
  number_or_null,
  type Queryable,
  sqlstate,
  type Transaction,
} from "./database.ts";
import {
  backfill_of,
  type BackfillName,
  type Migration,
  migrations_filled_by,
  NUMBERED_FROM,
  SCHEMA_NUMBER,
} from "./migrations.ts";
import { no_schema } from "./session.ts";
import { text_array } from "./text_format.ts";

/** Migrations cannot be applied: the database is newer than the program, or an applied migration was changed. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/**
 * A program that only reads needs the very schema that it knows. Throws MigrationError where the database is at another one, or holds no log.
 */
export async function require_schema(database: Queryable): Promise<void> {
  const [log] = await database.query<{ begun: boolean; numbered: boolean }>(
    `select to_regclass('log_head') is not null as begun, exists (select from pg_attribute
      where attrelid = to_regclass('log_head') and attname = 'schema_number' and not attisdropped) as numbered`,
  );
  if (log?.begun !== true) {
    throw new MigrationError("this database holds no log yet: start the program that writes it first");
  }
  const [head] = log.numbered
    ? await database.query<{ number: number }>("select schema_number as number from log_head")
    : [];
  if (head?.number !== SCHEMA_NUMBER) throw other_schema(head?.number ?? null);
}

/** Refuses a log that lacks what a migration asks for: whoever tells its figures would tell wrong ones. Throws MigrationError. */
export async function require_filled(database: Queryable): Promise<void> {
  const { names } = await read_unfilled(database);
  if (names.length === 0) return;
  const [may] = await database.query("select has_table_privilege('read_models', 'select') as read");
  const [made] = may?.read !== true ? [] : await database.query(
    `select 100 * model.position / greatest(head.position, 1) as percent from read_models model, log_head head where name = $1`,
    [FILLING],
  );
  throw new MigrationError(
    `this database is being filled in (${names.join(", ")}; ${
      made?.percent ?? 0
    } %): start again when that is through; \`tacho serve\` and \`tacho migrate\` do it`,
  );
}

/** What a log lacks by its migrations. */
interface Unfilled {
  readonly names: readonly BackfillName[];
  /** How often another read model was switched in by then: the next one that is lacks nothing. */
  readonly read_model: number;
}

/** The read model that is made of all of the log because a migration asks for it; that of another version is not gone on with. */
export const FILLING = `fill${SCHEMA_NUMBER}`;

/** Reads what a log lacks, whose migrations are applied. */
export async function read_unfilled(database: Queryable): Promise<Unfilled> {
  const [row] = await database.query<{ names: string[]; read_model: number }>(
    "select read_model, array(select name from schema_migrations where not filled order by version) as names from log_head",
  );
  if (row === undefined) throw new Error("read what a log lacks: log_head has no row; run `tacho migrate`");
  return { ...row, names: [...new Set(row.names.map(known_backfill))] };
}

function known_backfill(migration: string): BackfillName {
  const name = backfill_of(migration);
  if (name === null) throw new MigrationError(`migrate: the database waits for its ${migration}; run a newer tacho`);
  return name;
}

/** The database is at another schema than the one that this program reads; null: one without number. */
export const other_schema = (schema_number: number | null): MigrationError => {
  const newer = schema_number !== null && schema_number > SCHEMA_NUMBER;
  return new MigrationError(
    `this database is at schema ${
      schema_number ?? `${NUMBERED_FROM - 1} or less`
    }, this program reads ${SCHEMA_NUMBER}: ` +
      (newer ? "start the newer program" : "start the newer writer first"),
  );
};

/** The database is at a schema that only a newer program writes for. */
export const outdated = (schema_number: number): MigrationError =>
  new MigrationError(
    `this program writes for schema ${SCHEMA_NUMBER}, the database is at ${schema_number}: start the newer program`,
  );

/**
 * Work on the rows of a large table, in pieces: each is a transaction that is kept, and goes on where the checkpoint says that the one before
 * ended. A checkpoint is JSON; null stands for the beginning.
 */
export interface Pieces {
  /** How many items there are from the checkpoint on, about. */
  readonly left: (tx: Transaction, checkpoint: unknown) => Promise<number>;
  /** Does the next piece; with a checkpoint of null it was the last. */
  readonly piece: (
    tx: Transaction,
    checkpoint: unknown,
  ) => Promise<{ readonly checkpoint: unknown; readonly items: number }>;
}

/** Who migrates, and hears how it goes. */
export interface Migrating {
  readonly signal?: AbortSignal;
  readonly applied?: (migration: Migration) => void;
  /** Hears that this process waits: for what, and since when that goes on, milliseconds since the Unix epoch, where it can be seen. */
  readonly waiting?: (why: string, since_ms: number | null) => void;
  /** Hears that work in pieces begins or goes on, with so many items left; gives what hears how many of them are done. */
  readonly working?: (left: number) => (items: number) => void;
}

const ADVISORY_LOCK = ADVISORY_LOCKS.migrate;
/**
 * Who migrates a log keeps out who migrates the same log: the lock has its schema beside the number, so that the logs of several domains are
 * migrated side by side. Programs from before that hold the number alone, and keep out all others.
 */
const LOCKED = `hashtext(coalesce(current_schema(), current_setting('search_path')))`;
const WAIT_MS = 200;
const NEVER = new AbortController().signal;
/** What waits for a lock on a table holds up whoever wants it after. Past this it gives way, for as long, and tries again. */
const LOCK_TIMEOUT_MS = 2_000;
const NO_RIGHT = "42501";

const checksum = ({ checksum, sql }: Migration): string => checksum ?? createHash("sha256").update(sql).digest("hex");

/**
 * Applies the migrations that are missing, in order, each in a transaction of its own. What is done stays done, however this ends: the next call
 * goes on there. Several programs may call it at once; a step is one program's. No time limit of the connection or the role holds here. What
 * migrations ask for of rows that were there before is not done here: `read_unfilled` tells it.
 *
 * Throws MigrationError when the database knows a newer migration than this program, or an applied one has another checksum; an Error that
 * names the migration when its SQL fails; what the adapter throws in an outage; the signal's reason.
 * @returns the migrations applied now, by this call
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
  migrating: Migrating = {},
): Promise<Migration[]> {
  const applied: Migration[] = [];
  for (;;) {
    const next = await step(database, migrating, (tx) => apply_next(tx, migrations));
    if (next === null) return applied;
    applied.push(next);
    migrating.applied?.(next);
  }
}

/**
 * Makes the sketches of a log anew, from where it was ended, or from the beginning where nobody is at it. May run while others append; not
 * while the log lacks what a migration asks for.
 */
export async function make_sketches(database: Database, pieces: Pieces, migrating: Migrating): Promise<void> {
  let done: ((items: number) => void) | null = null;
  for (let ended = false; !ended;) {
    ended = await step(database, migrating, async (tx) => {
      // Who appends waits for the piece; a piece sees all that was appended before.
      await tx.query("select 1 from log_head for update");
      await require_filled(tx);
      const [row] = await tx.query<{ name: string; came_to: unknown }>(
        "select name, came_to from schema_migrations where name = any($1::text[]) order by version limit 1",
        [text_array(migrations_filled_by("sketches"))],
      );
      const came_to = row?.came_to ?? null;
      done ??= migrating.working?.(await pieces.left(tx, came_to)) ?? (() => {});
      const { checkpoint: to, items } = await pieces.piece(tx, came_to);
      await tx.execute("update schema_migrations set came_to = $2::jsonb where name = $1", [
        row?.name ?? null,
        to === null ? null : JSON.stringify(to),
      ]);
      return { last: to === null, items };
    }).then(({ last, items }) => {
      done?.(items);
      return last;
    });
  }
}

/** One step: a transaction that only one program is in at a time, without time limits. Waits, as long as it takes, until it is this one's turn. */
async function step<T>(
  database: Database,
  { signal, waiting }: Migrating,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    let why = "another process migrates", since_ms: number | null = null, pause_ms = WAIT_MS;
    try {
      const outcome = await database.transaction(async (tx) => {
        await lift_time_limits(tx);
        const [lock] = await tx.query<{ taken: boolean }>(
          `select case when pg_try_advisory_xact_lock_shared(${ADVISORY_LOCK}::bigint)
            then pg_try_advisory_xact_lock(${ADVISORY_LOCK}, ${LOCKED}) else false end as taken`,
        );
        return lock?.taken === true
          ? { done: true as const, result: await work(tx) }
          : { done: false as const, since_ms: await locked_since(tx) };
      });
      if (outcome.done) return outcome.result;
      since_ms = outcome.since_ms;
    } catch (error) {
      if (!is_held_by_others(error)) throw error;
      why = "other transactions hold locks that the migration needs";
      pause_ms = LOCK_TIMEOUT_MS;
    }
    waiting?.(why, since_ms);
    await wait(pause_ms, signal ?? NEVER);
  }
}

/** Limits that suit a batch are too short for a migration, whoever set them: pool, role, database. The server's newest has more of them. */
async function lift_time_limits(tx: Transaction): Promise<void> {
  await tx.execute("set local statement_timeout = 0");
  await tx.query(
    `select set_config(name, case name when 'lock_timeout' then '${LOCK_TIMEOUT_MS}' else '0' end, true) from pg_settings
      where name in ('lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`,
  );
}

/** Since when whoever migrates is at it with the step under way, milliseconds since the Unix epoch; null where that cannot be seen. */
async function locked_since(tx: Transaction): Promise<number | null> {
  const [holder] = await tx.query(
    `select (extract(epoch from min(a.xact_start)) * 1000)::bigint as since_ms from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid() and (
          l.objsubid = 1 and l.classid = 0 and l.objid = ${ADVISORY_LOCK} and l.mode = 'ExclusiveLock'
          or l.objsubid = 2 and l.classid = ${ADVISORY_LOCK} and l.objid = (${LOCKED}::bigint & 4294967295)::oid
        ) and l.database = (select oid from pg_database where datname = current_database())`,
  );
  return number_or_null(holder?.since_ms);
}

/** Applies the first migration that is missing; null when none is. */
async function apply_next(tx: Transaction, migrations: readonly Migration[]): Promise<Migration | null> {
  await provide_schema(tx);
  const known_before = await read_applied(tx);
  const newest = migrations.at(-1)?.version ?? 0;
  for (const row of known_before ?? []) {
    const known = migrations.find((migration) => migration.version === row.version);
    if (known === undefined) {
      throw new MigrationError(
        `migrate: the database has migration ${row.version} (${row.name}), this program knows up to ${newest}; run a newer tacho`,
      );
    }
    if (checksum(known) !== row.checksum) {
      throw new MigrationError(
        `migrate: migration ${row.version} (${row.name}) was applied with checksum ${
          row.checksum.slice(0, 12)
        }…, this program's is ${checksum(known).slice(0, 12)}…; an applied migration must not change`,
      );
    }
  }
  const next = migrations.find(({ version }) => !known_before?.some((row) => row.version === version));
  if (next === undefined) return null;
  try {
    await make_room(tx, known_before !== null);
    for (const statement of split_statements(next.sql)) await tx.query(statement);
    // Of a log that was never begun nothing lacks.
    await tx.query(
      `insert into schema_migrations (version, name, checksum, filled)
        values ($1, $2, $3, $4 or not exists (select from log_head where batch > 0))`,
      [next.version, next.name, checksum(next), next.backfill === undefined],
    );
    // Programs that write for less are refused from here on, whatever the migration changed.
    if (next.version >= NUMBERED_FROM) {
      await tx.query("update log_head set schema_number = greatest(schema_number, $1)", [next.version]);
    }
  } catch (error) {
    if (may_pass(error)) throw error;
    throw new Error(`migrate: apply migration ${next.version} (${next.name})`, { cause: error });
  }
  return next;
}

/** Makes the schema where it is missing: only one of the program's own may be, sessions without any are refused. */
async function provide_schema(tx: Transaction): Promise<void> {
  const [path] = await tx.query<{ missing: boolean; schema: string }>(
    "select current_schema() is null as missing, current_setting('search_path') as schema",
  );
  if (path?.missing !== true) return;
  try {
    await tx.query(`create schema ${path.schema}`);
  } catch (error) {
    if (sqlstate(error) !== NO_RIGHT) throw error;
    throw new DatabaseUnsuitable(no_schema(path.schema.replaceAll('"', "")), error);
  }
}

/** The applied migrations in order; null before the first. */
async function read_applied(
  tx: Transaction,
): Promise<{ version: number; name: string; checksum: string }[] | null> {
  // Asked first: `if not exists` asks for the right to create even where there is nothing to create, and the program's role has none.
  const [found] = await tx.query<{ exists: boolean }>("select to_regclass('schema_migrations') is not null as exists");
  if (found?.exists !== true) return null;
  return await tx.query("select version, name, checksum from schema_migrations order by version");
}

/** Makes the table of what is applied, and keeps appenders out: they lock the head first, so that nobody waits for the other. */
async function make_room(tx: Transaction, exists: boolean): Promise<void> {
  if (!exists) {
    await tx.query(
      `create table schema_migrations (
        version integer not null,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default now(),
        constraint schema_migrations_pkey primary key (version)
      )`,
    );
  }
  await tx.query(
    `do $$ begin
      alter table schema_migrations add column if not exists filled boolean not null default true;
      -- Named otherwise by a later migration.
      if not exists (select from pg_attribute where attrelid = 'schema_migrations'::regclass and attname = 'came_to') then
        alter table schema_migrations add column if not exists checkpoint jsonb;
      end if;
    end $$`,
  );
  const [head] = await tx.query<{ exists: boolean }>("select to_regclass('log_head') is not null as exists");
  if (head?.exists === true) await tx.query("lock table log_head in exclusive mode");
}

/** Splits a script at semicolons that end a line, outside $$ bodies. Migrations are written so that this is enough. */
export function split_statements(script: string): string[] {
  const statements: string[] = [];
  let current = "";
  let in_body = false;
  for (const line of script.split("\n")) {
    current += line + "\n";
    if ((line.split("$$").length - 1) % 2 === 1) in_body = !in_body;
    if (!in_body && line.trimEnd().endsWith(";")) {
      statements.push(current.trim());
      current = "";
    }
  }
  if (current.replace(/--.*$/gm, "").trim() !== "") statements.push(current.trim());
  return statements;
}
