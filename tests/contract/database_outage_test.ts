import assert from "node:assert/strict";
import { type Database, is_outage, open_database, sqlstate } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { open_embedded_copy } from "../support/embedded.ts";
import { free_port } from "../support/free_port.ts";
import { shared_postgres } from "../support/postgres.ts";
import { assert_within } from "../support/slowness.ts";

/** How both adapters of the `Database` port tell of an outage, and what a server's transactions see of each other. */
async function open(kind: Database["kind"]): Promise<Database> {
  if (kind === "embedded") return open_embedded_copy();
  const { url } = await (await shared_postgres()).create_database();
  return open_database({ url, data_dir: null, connections: 4 });
}

async function with_server(work: (database: Database) => Promise<void>): Promise<void> {
  const database = await open("server");
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

tacho_test({
  name: "a database that is closed is an outage, not a fault of the data",
  needs: ["postgres"],
  async fn() {
    for (const kind of ["server", "embedded"] as const) {
      const database = await open(kind);
      await database.query("select 1");
      await database.close();
      await assert.rejects(database.query("select 1"), (error) => is_outage(error) && sqlstate(error) === null);
    }
  },
});

tacho_test({
  name: "an error of our own is no outage, whatever it quotes, not even on a connection that broke",
  needs: ["postgres"],
  async fn() {
    const quotes = ["Connection terminated unexpectedly", "connection closed", "timeout exceeded", "PGlite is closed"];
    for (const kind of ["server", "embedded"] as const) {
      const database = await open(kind);
      for (const words of quotes) {
        const mine = Object.assign(new Error(words), { code: "ECONNRESET" });
        const failing = database.transaction(async (tx) => {
          await tx.query("select 1");
          throw mine;
        });
        await assert.rejects(failing, (error) => error === mine && !is_outage(error) && sqlstate(error) === null);
        const raised = database.query(`do $$ begin raise exception '${words}' using errcode = '22000'; end $$`);
        await assert.rejects(raised, (error) => !is_outage(error) && sqlstate(error) === "22000");
      }
      await database.close();
    }
    await with_server(async (database) => {
      const mine = new Error("mine");
      const failing = database.transaction(async (tx) => {
        const [self] = await tx.query<{ pid: number }>("select pg_backend_pid() as pid");
        await database.query("select pg_terminate_backend($1)", [self!.pid]);
        await assert.rejects(tx.query("select 1"), (error) => is_outage(error));
        throw mine;
      });
      await assert.rejects(failing, (error) => error === mine);
      // A value that the driver cannot write never reaches the server.
      const circular: unknown[] = [];
      circular.push({ circular });
      const unwritable = database.query("select $1::text", [circular as unknown as string]);
      await assert.rejects(unwritable, (error) => !is_outage(error));
      assert.deepEqual(await database.query("select 1 as n"), [{ n: 1 }]);
    });
  },
});

tacho_test({
  name: "a server that is not there is an outage, by name and by address",
  async fn() {
    for (const host of ["127.0.0.1", "localhost"]) {
      const database = await open_database({ url: `postgres://tacho@${host}:${free_port()}/x`, data_dir: null });
      await assert.rejects(database.query("select 1"), (error) => is_outage(error));
      await assert.rejects(database.transaction(() => Promise.resolve()), (error) => is_outage(error));
      await database.close();
    }
  },
});

tacho_test({
  name: "a server that lets us in and then says nothing is an outage within seconds",
  async fn() {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const connections: Deno.Conn[] = [];
    // AuthenticationOk, BackendKeyData and ReadyForQuery, whatever it is asked.
    const let_in = new Uint8Array([
      82,
      0,
      0,
      0,
      8,
      0,
      0,
      0,
      0,
      75,
      0,
      0,
      0,
      12,
      0,
      0,
      0,
      7,
      0,
      0,
      0,
      9,
      90,
      0,
      0,
      0,
      5,
      73,
    ]);
    void (async () => {
      for await (const connection of listener) {
        connections.push(connection);
        await connection.read(new Uint8Array(4_096));
        await connection.write(let_in);
      }
    })();
    const { port } = listener.addr as Deno.NetAddr;
    const database = await open_database({ url: `postgres://u@127.0.0.1:${port}/x`, data_dir: null, connections: 1 });
    const from = performance.now();
    await assert.rejects(database.query("select 1"), (error) => is_outage(error));
    assert_within(15_000, performance.now() - from, "to be told of the outage");
    await database.close();
    for (const connection of connections) connection.close();
  },
});

tacho_test({
  name: "an embedded database whose directory went away is an outage, no message's fault",
  async fn() {
    const data_dir = Deno.makeTempDirSync();
    const database = await open_database({ url: null, data_dir });
    await database.script("create table kept (n integer)");
    Deno.renameSync(data_dir, `${data_dir}_gone`);
    await assert.rejects(database.execute("insert into kept values (1)"), (error) => is_outage(error));
    Deno.renameSync(`${data_dir}_gone`, data_dir);
    assert.equal(await database.execute("insert into kept values (1)"), 1);
    await database.close();
    Deno.removeSync(data_dir, { recursive: true });
  },
});

tacho_test({
  name: "two transactions at once: one does not see what the other has not committed",
  needs: ["postgres"],
  fn: () =>
    with_server(async (database) => {
      await database.script("create table seen (n integer)");
      const written = Promise.withResolvers<void>(), looked = Promise.withResolvers<void>();
      const writer = database.transaction(async (tx) => {
        await tx.execute("insert into seen values (1)");
        written.resolve();
        await looked.promise;
      });
      await written.promise;
      const before = await database.transaction((tx) => tx.query("select n from seen"));
      looked.resolve();
      await writer;
      assert.deepEqual(before, []);
      assert.deepEqual(await database.query("select n from seen"), [{ n: 1 }]);
    }),
});

tacho_test({
  name:
    "a backend that is killed in the middle of a transaction is an outage; nothing stays of it, and the next one works",
  needs: ["postgres"],
  fn: () =>
    with_server(async (database) => {
      await database.script("create table torn (n integer)");
      const kill = "select pg_terminate_backend($1)";
      for (const then of ["a statement", "a copy", "nothing"] as const) {
        const failing = database.transaction(async (tx) => {
          await tx.execute("insert into torn values (1)");
          const [self] = await tx.query<{ pid: number }>("select pg_backend_pid() as pid");
          await database.query(kill, [self!.pid]);
          if (then === "a statement") await tx.query("select 1");
          if (then === "a copy") await tx.copy("torn", ["n"], "2\n".repeat(200_000));
        });
        await assert.rejects(failing, (error) => is_outage(error), then);
        assert.deepEqual(await database.query("select n from torn"), []);
      }
      assert.equal(await database.transaction((tx) => tx.execute("insert into torn values (1)")), 1);
    }),
});

tacho_test({
  name: "an idle connection that is killed is told of, and the next query works",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const heard = Promise.withResolvers<Error>();
    const database = await open_database({ url, data_dir: null, connections: 1 }, heard.resolve);
    const other = await open_database({ url, data_dir: null, connections: 1 });
    try {
      const [self] = await database.query<{ pid: number }>("select pg_backend_pid() as pid");
      await other.query("select pg_terminate_backend($1)", [self!.pid]);
      assert.ok(is_outage(await heard.promise));
      assert.deepEqual(await database.query("select 1 as n"), [{ n: 1 }]);
    } finally {
      await database.close();
      await other.close();
    }
  },
});
