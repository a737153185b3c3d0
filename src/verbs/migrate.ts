import { migrate, open_database } from "../database/mod.ts";
import type { Shell } from "./shell.ts";

/** `tacho migrate`: applies the migrations that are missing. */
export async function migrate_verb({ config, logger }: Shell): Promise<void> {
  const database = await open_database({ url: config.database_url, data_dir: config.data_dir });
  try {
    const applied = await migrate(database);
    for (const { version, name } of applied) logger.log("info", "migrated", { version, name });
    if (applied.length === 0) logger.log("info", "nothing to migrate: the database is up to date");
  } finally {
    await database.close();
  }
}
