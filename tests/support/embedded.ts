import { migrate, migrations_of, open_database, type OpenedDatabase } from "../../src/database/mod.ts";
import { EMBEDDED_VARIABLE } from "./test_stages.ts";

/** Embedded databases for tests. A new one takes seconds of a processor (initdb, then all migrations): a run makes one, each test has a copy of its own. */

/** An embedded database that has the tables of trips, in a directory of its own, which goes when it is closed. */
export async function open_embedded_copy(schema: string | null = null): Promise<OpenedDatabase> {
  const data_dir = await Deno.makeTempDir({ prefix: "tacho_embedded_" });
  await give_embedded(data_dir);
  const database = await open_database({ url: null, data_dir, schema });
  const close = async () => {
    await database.close();
    await Deno.remove(data_dir, { recursive: true });
  };
  return { ...database, close };
}

/** Gives a program that is started later the tables of trips in its data directory, as `tacho migrate` leaves them there: it need not make them. */
export async function give_embedded(data_dir: string): Promise<void> {
  const folder = Deno.env.get(EMBEDDED_VARIABLE);
  if (folder === undefined) await make(data_dir);
  else await copy(await ensure_template(folder), data_dir);
}

async function make(data_dir: string): Promise<void> {
  const database = await open_database({ url: null, data_dir });
  await migrate(database, migrations_of("trips")).finally(() => database.close());
}

/** Makes it unless another test process has, under a lock; it takes its name only when it is complete. */
async function ensure_template(folder: string): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  using lock = await Deno.open(`${folder}/lock`, { create: true, write: true });
  await lock.lock(true);
  const entries = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  const [ready, unready] = [`${folder}/ready`, `${folder}/unready`];
  if (entries.includes("ready")) return ready;
  if (entries.includes("unready")) await Deno.remove(unready, { recursive: true });
  await make(unready);
  await Deno.rename(unready, ready);
  return ready;
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    await (isDirectory ? copy : Deno.copyFile)(`${from}/${name}`, `${to}/${name}`);
  }
}
