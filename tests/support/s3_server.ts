import { free_port } from "./free_port.ts";
import { find_program } from "./program.ts";
import { ServerProcess } from "./server_process.ts";
import { until } from "./until.ts";

/** A real S3 server of its own: moto's. `await using` kills it. */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
}

/** The path of moto's server; null when there is none. */
export const find_s3_server = (): string | null => find_program(["moto_server"]);

/** Starts the server on a free port, with one empty bucket. */
export async function start_s3_server(bucket: string): Promise<S3Server> {
  const program = find_s3_server();
  if (program === null) throw new Error("start an S3 server: there is no moto_server on PATH");
  const server = new ServerProcess("s3"), port = free_port(), endpoint = `http://127.0.0.1:${port}`;
  try {
    server.spawn([program, "-H", "127.0.0.1", "-p", String(port)]);
    await until("the S3 server answers", async () => {
      if (!server.running) throw new Error(server.read_log());
      const { ok, body } = await fetch(`${endpoint}/${bucket}`, { method: "PUT" });
      await body?.cancel();
      return ok;
    });
  } catch (error) {
    await server.dispose();
    throw error;
  }
  return { endpoint, [Symbol.asyncDispose]: () => server.dispose() };
}
