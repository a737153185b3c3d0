/**
 * PostgreSQL, behind the port of `database.ts`: a server through node-postgres, or PGlite embedded in the program. Same migrations,
 * same SQL; a contract suite runs against both. Each driver is imported in one file.
 *
 * A failure is an outage (`is_outage`: retry for ever, no record is to blame) or a surprise of the data (its SQLSTATE says which).
 */
export { binary_array, type BinaryType, type BinaryValue, CopyRows } from "./binary_format.ts";
export * from "./database.ts";
export {
  FILLING,
  make_sketches,
  migrate,
  type Migrating,
  MigrationError,
  other_schema,
  outdated,
  type Pieces,
  read_unfilled,
  require_filled,
  require_schema,
} from "./migrate.ts";
export { migrations_of, SCHEMA_NUMBER } from "./migrations.ts";
export { DataDirectoryInUse, hold_data_dir } from "./pglite_database.ts";
export * from "./text_format.ts";
import type { OpenedDatabase } from "./database.ts";
import { open_server } from "./pg_database.ts";
import { open_embedded } from "./pglite_database.ts";

/**
 * Opens the server at `url`, or the embedded database in `data_dir` when there is no url (null: in memory).
 * @param failed hears of server connections that break while idle
 */
export async function open_database(
  where: {
    readonly url: string | null;
    readonly data_dir: string | null;
    readonly connections?: number;
    /** The database itself then refuses every write of these connections. */
    readonly read_only?: boolean;
    /** The schema of the log that is meant, which migrations make; absent or null: the one that the search path says. */
    readonly schema?: string | null;
  },
  failed: (error: Error) => void = () => {},
): Promise<OpenedDatabase> {
  const { url, data_dir, connections = 10, read_only = false, schema = null } = where;
  return url === null
    ? await open_embedded(data_dir, { read_only, schema })
    : open_server(url, { connections, failed, read_only, schema });
}
