import { migrate } from "../database/mod.ts";
import { open_with } from "./open.ts";
import type { Shell } from "./shell.ts";

/** `tacho migrate`: applies the migrations that are missing. */
export async function migrate_verb(shell: Shell): Promise<void> {
  const { logger } = shell;
  const database = await open_with(shell, async (database) => {
    const applied = await migrate(database);
    for (const { version, name } of applied) logger.log("info", "migrated", { version, name });
    if (applied.length === 0) logger.log("info", "nothing to migrate: the database is up to date");
    return database;
  });
  await database.close();
}
