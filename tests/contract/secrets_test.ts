import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { open_database } from "../../src/database/mod.ts";
import { ConfigError, format_line, read_config } from "../../src/runtime/mod.ts";
import { tacho_test } from "../support/available.ts";
import { free_port } from "../support/free_port.ts";

/** A server that asks for a password in clear and refuses it, quoting nothing; gives its port. */
function refusing_server(): { readonly port: number; [Symbol.dispose](): void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const message = (type: string, body: string) => {
    const bytes = new TextEncoder().encode(`${type}\0\0\0\0${body}`);
    new DataView(bytes.buffer).setInt32(1, bytes.length - 1);
    return bytes;
  };
  const serve = async (connection: Deno.Conn): Promise<void> => {
    using _ = connection;
    const block = new Uint8Array(4_096);
    await connection.read(block);
    await connection.write(message("R", "\0\0\0\x03"));
    await connection.read(block);
    await connection.write(message("E", "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user\0\0"));
  };
  void (async () => {
    for await (const connection of listener) await serve(connection);
  })();
  return { port: (listener.addr as Deno.NetAddr).port, [Symbol.dispose]: () => listener.close() };
}

const CHARACTERS = [..."abcXYZ0189+/=#?@:%&! '\"\\<>[]|^`{}~$,;ü"];
/** Parts that are passwords of their own, between characters that URLs are cut at. */
const part = fc.string({ unit: fc.constantFrom(..."QRSTUVW23456789"), minLength: 6, maxLength: 9 });
const passwords = fc.tuple(fc.array(part, { minLength: 1, maxLength: 3 }), fc.constantFrom(...CHARACTERS));

/** What of an error anybody could come to see: words, causes, stack, properties, the line of the log. */
const seen_of = (error: unknown): string =>
  inspect(error, { depth: 12, showHidden: true }) + format_line(0, "warn", "x", { reason: error });

tacho_test({
  name: "no part of a password is in any error, whatever it consists of and however the URL is written",
  async fn() {
    using server = refusing_server();
    const forms: readonly ((password: string, escaped: string, port: number) => string)[] = [
      (password, _, port) => `postgres://user:${password}@127.0.0.1:${port}/name`,
      (_, escaped, port) => `postgres://user:${escaped}@127.0.0.1:${port}/name`,
      (_, escaped, port) => `postgres://127.0.0.1:${port}/name?user=u&password=${escaped}`,
      (_, escaped, port) => `postgres://user:${escaped}@[::1]:${port}/name`,
      (_, escaped) => `postgres://user:${escaped}@127.0.0.1:99999/name`,
      (_, escaped) => `postgres://user:${escaped}@/name?host=/nowhere`,
      (_, escaped, port) => `postgres://user:${escaped}@127.0.0.1:${port}/name?sslmode=nonsense`,
    ];
    const property = fc.asyncProperty(
      passwords,
      fc.constantFrom(...forms),
      fc.boolean(),
      async ([parts, between], form, away) => {
        const password = parts.join(between);
        const url = form(password, encodeURIComponent(password), away ? free_port() : server.port);
        let seen: string;
        try {
          const { database_url } = read_config({ DATABASE_URL: url });
          const database = await open_database({ url: database_url, data_dir: null, connections: 1 });
          try {
            await database.query("select 1");
            seen = "it was let in";
          } finally {
            await database.close();
          }
        } catch (error) {
          seen = error instanceof ConfigError ? seen_of(error) + error.faults.join() : seen_of(error);
        }
        assert.notEqual(seen, "it was let in");
        for (const each of parts) assert.ok(!seen.includes(each), `${url} gives ${seen}`);
      },
    );
    await fc.assert(property, { numRuns: Number(Deno.env.get("TACHO_TEST_RUNS") ?? 150), endOnFailure: true });
  },
});
