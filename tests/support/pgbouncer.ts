import { free_port } from "./free_port.ts";
import { unprivileged } from "./postgres.ts";
import { find_pgbouncer } from "./program.ts";
import { ServerProcess } from "./server_process.ts";
import { until } from "./until.ts";

/** A real PgBouncer before a PostgreSQL. `await using` kills it. */
export interface PgBouncer extends AsyncDisposable {
  /** The address of one of the server's databases through it. */
  url_of(database: string): string;
}

/**
 * Starts a PgBouncer on a free port, with its defaults but for these.
 * @param superuser_url the server's
 * @param settings of its section `[pgbouncer]`
 */
export async function start_pgbouncer(
  superuser_url: string,
  settings: Readonly<Record<string, string>>,
): Promise<PgBouncer> {
  const program = find_pgbouncer();
  if (program === null) throw new Error("start PgBouncer: there is none on PATH or in /usr/sbin");
  const server = new ServerProcess("pgbouncer");
  const { hostname, port } = new URL(superuser_url);
  const listen_port = free_port();
  const all = {
    listen_addr: "127.0.0.1",
    listen_port: String(listen_port),
    unix_socket_dir: "",
    auth_type: "any",
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  const file = `${server.folder}/pgbouncer.ini`;
  Deno.writeTextFileSync(
    file,
    ["[databases]", `* = host=${hostname} port=${port} user=tacho`, "[pgbouncer]", ...lines, ""].join("\n"),
  );
  try {
    server.spawn([...await unprivileged(server.folder), program, file]);
    await until("PgBouncer takes connections", async () => {
      if (!server.running) throw new Error(server.read_log());
      (await Deno.connect({ hostname: "127.0.0.1", port: listen_port })).close();
      return true;
    });
  } catch (error) {
    await server.dispose();
    throw error;
  }
  return {
    url_of: (database) => `postgres://tacho@127.0.0.1:${listen_port}/${database}`,
    [Symbol.asyncDispose]: () => server.dispose(),
  };
}
