import { createHash } from "node:crypto";
import type { Database } from "./database.ts";
import { type Migration, MIGRATIONS, NUMBERED_FROM, SCHEMA_NUMBER } from "./migrations.ts";

/** Migrations cannot be applied: the database is newer than the program, or an applied migration was changed. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** The database is at a schema that only a newer program writes for. */
export const outdated = (schema_number: number): MigrationError =>
  new MigrationError(
    `this program writes for schema ${SCHEMA_NUMBER}, the database is at ${schema_number}: start the newer program`,
  );

/** Any 64-bit number: all tachos agree on it. */
const ADVISORY_LOCK = "727374121";

const checksum = (migration: Migration): string => createHash("sha256").update(migration.sql).digest("hex");

/**
 * Applies the migrations that are missing, all in one transaction under an advisory lock: several programs may start at once.
 * Throws MigrationError when the database knows a newer migration than this program, or an applied one has another checksum.
 * @returns the migrations applied now
 */
export function migrate(database: Database, migrations: readonly Migration[] = MIGRATIONS): Promise<Migration[]> {
  return database.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCK})`);
    // Asked first: `if not exists` asks for the right to create even where there is nothing to create, and the program's role has none.
    const [found] = await tx.query<{ exists: boolean }>(
      "select to_regclass('schema_migrations') is not null as exists",
    );
    if (found?.exists !== true) {
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
    const applied = await tx.query<{ version: number; name: string; checksum: string }>(
      "select version, name, checksum from schema_migrations order by version",
    );
    const newest = migrations.at(-1)?.version ?? 0;
    for (const row of applied) {
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
    const missing = migrations.filter((migration) => !applied.some((row) => row.version === migration.version));
    for (const migration of missing) {
      for (const statement of split_statements(migration.sql)) await tx.query(statement);
      await tx.query("insert into schema_migrations (version, name, checksum) values ($1, $2, $3)", [
        migration.version,
        migration.name,
        checksum(migration),
      ]);
    }
    // Programs that write for less are refused from here on, whatever the migrations changed.
    if (missing.length > 0 && newest >= NUMBERED_FROM) {
      await tx.query("update log_head set schema_number = greatest(schema_number, $1)", [newest]);
    }
    return missing;
  });
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
