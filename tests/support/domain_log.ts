import { migrate, migrations_of, open_database, type OpenedDatabase } from "../../src/database/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { open_embedded_copy } from "./embedded.ts";
import { shared_postgres, type Template } from "./postgres.ts";

/** The deployment of such logs. */
export const DEPLOYMENT = { time_zone: "UTC", currency: "USD" };

/** The log of a domain, empty, in a schema of its own. All copies have the id of one log: none publishes, or reads from brokers. */
const log_of = (name: string): Template => ({
  name: `log_of_${name}`,
  async prepare(url) {
    const database = await open_database({ url, data_dir: null, connections: 1, schema: name });
    await begin_log(database, name).finally(() => database.close());
  },
});

async function begin_log(database: OpenedDatabase, name: string): Promise<void> {
  await migrate(database, migrations_of(name));
  // As the program settles it: it may serve the log.
  await settle_deployment(database, { ...DEPLOYMENT, h3_resolution: "off" });
}

/** Lends the log of a domain, empty, in a schema of its own. @param kind of the database that it is in */
export async function with_domain_log(
  name: string,
  work: (database: OpenedDatabase, url: string | null) => Promise<void>,
  kind: "server" | "embedded" = "server",
): Promise<void> {
  const url = kind === "embedded" ? null : (await (await shared_postgres()).create_database(log_of(name))).url;
  const database = url === null
    ? await open_embedded_copy(name)
    : await open_database({ url, data_dir: null, connections: 3, schema: name });
  try {
    if (url === null) await begin_log(database, name);
    await work(database, url);
  } finally {
    await database.close();
  }
}
