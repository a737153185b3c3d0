import { fill, migrate, migrations_of } from "../database/mod.ts";
import { open_log, open_with, with_migrating, with_patience } from "./open.ts";
import type { Shell } from "./shell.ts";

/** `tacho migrate`: applies the migrations that are missing, and fills in what they ask for. Stopped, the next one goes on where it was. */
export async function migrate_verb(shell: Shell): Promise<void> {
  const { logger } = shell;
  const database = await open_with(shell, async (database) => {
    const applied = await with_patience(
      shell,
      () => with_migrating(shell, (migrating) => migrate(database, migrations_of(shell.domain.name), migrating)),
    );
    if (applied.length === 0) logger.log("info", "nothing to migrate: the database is up to date");
    return database;
  });
  await database.close();
}

/**
 * `tacho rebuild sketches`: makes the sketches anew from the streams, piece by piece, also while others append. Stopped or killed, the next one
 * goes on where it was. It deletes rows, for which the program's role has no right: it runs as the owner of the tables.
 */
export async function rebuild_sketches_verb(shell: Shell): Promise<void> {
  const { database } = await open_log(shell);
  try {
    await with_patience(shell, () => with_migrating(shell, (migrating) => fill(database, "sketches", migrating)));
    console.log("rebuilt the sketches");
  } finally {
    await database.close();
  }
}
