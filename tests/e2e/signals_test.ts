import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { free_port } from "../support/free_port.ts";
import { hold } from "../support/hold.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres, start_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** The wish to end, however it comes and whatever the program waits for just then. */

/** A verb that has begun when it says so, ends with its signal unless it hangs, and notes its end in a file. */
const verb = (hangs: boolean, note = "") => `
  import { run_verb } from "./src/verbs/mod.ts";
  await run_verb(async ({ signal, logger }) => {
    const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
    console.log("begun " + Deno.pid);
    ${hangs ? "setInterval(() => {}, 1_000); await new Promise(() => {});" : "await aborted;"}
    ${
  note === ""
    ? ""
    : `logger.log("info", "it writes to what may be gone"); Deno.writeTextFileSync(${JSON.stringify(note)}, "ended");`
}
  });`;

async function begun(hangs: boolean): Promise<TachoProgram> {
  const program = TachoProgram.spawn("tacho", { command: ["eval", "--ext=ts", verb(hangs)] });
  await program.brings(until("it has begun", () => /begun \d/.test(program.stdout)));
  return program;
}

tacho_test({
  name: "signals within a second are one wish, a later one ends the program by force, and what hangs is ended",
  async fn() {
    await using hung = await begun(true);
    hung.signal("SIGTERM");

    for (const [first, second] of [["SIGINT", "SIGINT"], ["SIGTERM", "SIGTERM"], ["SIGINT", "SIGTERM"]] as const) {
      await using program = await begun(false);
      program.signal(first);
      program.signal(second);
      assert.equal(await program.ended, 0, `${first}, ${second}: ${program.stderr}`);
      assert.equal(program.stderr, "");
    }

    await using forced = await begun(true);
    const from = performance.now();
    await until("a second wish ends it", () => {
      forced.signal("SIGINT");
      return !forced.running;
    });
    assert.equal(await forced.ended, 130);
    assert.ok(performance.now() - from >= 1_000, "not by what came within a second");

    assert.equal(await hung.ended, 1);
    assert.match(hung.stderr, /did not end within 20 s of the signal; ended by force/);
  },
});

tacho_test({
  name:
    "a terminal that is closed is a wish to end, though nothing can be written to it any more; without one it is none",
  async fn() {
    const folder = new GuardedFolder("signals");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    const note = `${folder.path}/ended`, out = `${folder.path}/typescript`;
    Deno.writeTextFileSync(`${folder.path}/verb.ts`, verb(false, note));
    const inner = `exec '${Deno.execPath()}' eval --ext=ts "$(cat '${folder.path}/verb.ts')"`;
    // `script` gives it a terminal, which is gone when script is.
    const terminal = new Deno.Command("sh", {
      args: ["-c", 'exec script -qefc "$1" "$2" </dev/null', "sh", inner, out],
      stdout: "null",
    }).spawn();
    try {
      await until("it has begun", () => /begun \d+/.test(Deno.readTextFileSync(out)));
    } finally {
      terminal.kill("SIGKILL");
      await terminal.status;
    }
    await until("it has ended as it should", () => Deno.readTextFileSync(note) === "ended");

    await using without = await begun(false);
    await shell("hang up", 'kill -HUP "$1"', String(without.pid));
    assert.equal(await without.ended, 129, "as the system has it, so that nohup can keep it alive");
  },
});

tacho_test({
  name: "SIGTERM ends a program that waits for its database: away, silent, or locked by others",
  needs: ["postgres"],
  async fn() {
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepted: Deno.Conn[] = [];
    void (async () => {
      for await (const connection of silent) accepted.push(connection);
    })();
    const { url } = await (await shared_postgres()).create_database();
    const database = await open_database({ url, data_dir: null, connections: 2 });
    /** Does work while a transaction of another has a lock. */
    const while_held = async (lock: string, work: () => Promise<void>): Promise<void> => {
      const release = await hold(database, lock);
      try {
        await work();
      } finally {
        await release();
      }
    };
    const waiting = async (): Promise<boolean> => {
      const [row] = await database.query(
        `select exists (select from pg_locks l join pg_database d on d.oid = l.database
          where d.datname = current_database() and not l.granted) as waiting`,
      );
      return row!.waiting === true;
    };
    const ended = async (verb: string, database_url: string, waits: (program: TachoProgram) => unknown) => {
      const env = { DATABASE_URL: database_url, KAFKA_BROKERS: "127.0.0.1:1" };
      await using program = TachoProgram.spawn("tacho", { args: [verb], env });
      await program.brings(until(`${verb} waits`, async () => Boolean(await waits(program))));
      // What hangs for 20 s ends by force, with another code.
      assert.equal(await program.term(), 0, program.stderr);
    };
    try {
      const away = `postgres://tacho@127.0.0.1:${free_port()}/x`;
      await ended("serve", away, ({ stderr }) => /does not answer; waiting/.test(stderr));
      for (const verb of ["serve", "migrate"]) {
        const before = accepted.length;
        const { port } = silent.addr as Deno.NetAddr;
        await ended(verb, `postgres://tacho@127.0.0.1:${port}/x`, () => accepted.length > before);
      }
      await while_held("select pg_advisory_xact_lock(727374121)", async () => {
        for (const verb of ["serve", "migrate"]) {
          await ended(verb, url, ({ stderr }) => /another process migrates; waiting/.test(stderr));
        }
      });
      await run_verb(["migrate"], { env: { DATABASE_URL: url } });
      await while_held("lock table log_head in access exclusive mode", () => ended("serve", url, waiting));
    } finally {
      await database.close();
      for (const connection of accepted) connection.close();
    }
  },
});

tacho_test({
  name: "a Unix socket works where the program may use it; else it ends and says what to do",
  needs: ["postgres"],
  async fn() {
    const folder = new GuardedFolder("socket");
    await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
    Deno.chmodSync(folder.path, 0o777);
    await using server = await start_postgres({ fsync: false, settings: { unix_socket_directories: folder.path } });
    const { name } = await server.create_database();
    const { port } = new URL(server.superuser_url);
    const socket = encodeURIComponent(folder.path);
    for (
      const url of [
        `postgres:///${name}?host=${socket}&port=${port}&user=tacho`,
        `postgres://tacho@${socket}:${port}/${name}`,
      ]
    ) {
      const env = { DATABASE_URL: url };
      await using refused = TachoProgram.spawn("tacho", { args: ["migrate"], env });
      assert.equal(await refused.ended, 2);
      assert.match(
        refused.stderr,
        /^tacho: .*\.s\.PGSQL\.\d+" is a Unix socket, .* name the server by host and port\n$/,
      );
      const rights = ["--allow-net", "--allow-env", "--allow-read", `--allow-write=.tacho,${folder.path}`];
      await using allowed = TachoProgram.spawn("tacho", {
        command: ["run", "--no-prompt", ...rights, "main.ts", "migrate"],
        env,
      });
      assert.equal(await allowed.ended, 0, allowed.stderr);
    }
  },
});
