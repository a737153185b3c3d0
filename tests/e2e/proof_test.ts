import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { check_receipt } from "../support/proof_checker.ts";
import { shell } from "../support/shell.ts";
import { run_tacho, run_verb, type ServingProgram, TachoProgram, task_command } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** Checkpoints and receipts through the real program, with a key that openssl made. */

const TOKEN = "0123456789abcdef";

interface World {
  readonly folder: string;
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** Starts the program, which may write in the folder. */
  readonly serve: (more?: Readonly<Record<string, string>>) => Promise<ServingProgram>;
  readonly files: () => string[];
}

async function with_world(work: (world: World) => Promise<void>): Promise<void> {
  const made = new GuardedFolder("proof");
  await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
  const { url } = await (await shared_postgres()).create_database();
  const folder = made.path;
  // As docs/proof.md has it.
  await shell(
    "make a key",
    `cd "$1" && umask 077 && openssl genpkey -algorithm ed25519 -out signing.pem && openssl pkey -in signing.pem -pubout -out signing.pub`,
    folder,
  );
  const env = {
    DATABASE_URL: url,
    TACHO_SIGNING_KEY: `${folder}/signing.pem`,
    TACHO_CHECKPOINTS: `${folder}/outside`,
    TACHO_CHECKPOINT_BATCHES: "1",
    TACHO_TOKEN: TOKEN,
  };
  const command = task_command("start").map((word) =>
    word === "--allow-write=.tacho" ? `--allow-write=.tacho,${folder}` : word
  );
  const files = () => {
    try {
      return [...Deno.readDirSync(`${folder}/outside/checkpoints/trips`)].map(({ name }) => name).sort();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  };
  await work({
    folder,
    url,
    env,
    files,
    serve: (more = {}) => TachoProgram.serve("start", { command, env: { ...env, ...more } }),
  });
}

const post = async (url: string, id: string, fare: string) => {
  const answer = await fetch(`${url}api/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({
      event_id: id,
      type: "trip.completed",
      trip_id: id,
      occurred_at: "2026-03-01T10:00:00Z",
      fare,
      city: "Chicago",
    }),
  });
  assert.equal(answer.status, 200, await answer.text());
};

tacho_test({
  name:
    "a program that serves signs and delivers by itself, the last link at its end; verify holds the log against what is outside",
  needs: ["postgres", "openssl"],
  fn: () =>
    with_world(async ({ folder, url, env, serve, files }) => {
      {
        await using program = await serve();
        await post(program.url, "A", "10.00");
        await program.brings(until("a checkpoint is outside", () => files().length === 1));
        await post(program.url, "B", "11.00");
        assert.equal(await program.term(), 0);
        assert.deepEqual(files().map((name) => name.slice(0, 12)), ["000000000001", "000000000002"]);
        assert.doesNotMatch(program.stderr, /can read the signing key/);
      }
      const verify = (...more: readonly string[]) =>
        run_tacho(["verify", "--checkpoints", `${folder}/outside`, ...more], { env: { DATABASE_URL: url } });
      const well = await verify("--key", `${folder}/signing.pub`);
      assert.deepEqual([well.code, well.stderr], [0, well.stderr]);
      assert.match(
        well.stdout,
        /^consistent: .*; 2 checkpoints in \S+outside and 2 in the log agree, the last one of batch 2, signed 20/,
      );
      const keyless = await verify();
      assert.deepEqual([keyless.code, /expected --key with the file of a public key, got none/.test(keyless.stderr)], [
        2,
        true,
      ]);
      const no_key = await verify("--key", `${folder}/signing.pem`);
      assert.deepEqual([no_key.code, /expected an Ed25519 key as PEM \(PUBLIC KEY\)/.test(no_key.stderr)], [2, true]);
      const path = `${folder}/outside/checkpoints/trips/${files()[0]}`, text = Deno.readTextFileSync(path);
      Deno.writeTextFileSync(path, text.replace('\\"position\\":1', '\\"position\\":2'));
      const wrong = await verify("--key", `${folder}/signing.pub`);
      assert.deepEqual([
        wrong.code,
        /\n {2}\S+000000000001-\S+: the checkpoint of batch 1, \S+, has a bad signature/.test(wrong.stderr),
      ], [1, true]);
      // Nothing to sign: the verb says so, and delivers what lacks.
      Deno.writeTextFileSync(path, text);
      const signed = await run_tacho(["checkpoint"], { env: { ...env, TACHO_CHECKPOINTS: "" } });
      assert.deepEqual([signed.code, signed.stdout.trim()], [
        0,
        "nothing to sign: there is no batch since the last checkpoint",
      ]);
      for (
        const [wrong, said] of [
          [{ TACHO_SIGNING_KEY: `${folder}/none.pem` }, /TACHO_SIGNING_KEY: .*none\.pem/],
          [
            { TACHO_SIGNING_KEY: `${folder}/signing.pub` },
            /TACHO_SIGNING_KEY: read the key .*expected an Ed25519 key as PEM \(PRIVATE KEY\)/,
          ],
          [{ TACHO_SIGNING_KEY: "" }, /TACHO_CHECKPOINTS: needs TACHO_SIGNING_KEY as well/],
          [{ TACHO_CHECKPOINTS: "s3://x" }, /TACHO_CHECKPOINTS: .*got "s3:\/\/x"/],
        ] as const
      ) {
        const refused = await run_tacho(["serve"], { env: { ...env, ...wrong } });
        assert.deepEqual([refused.code, said.test(refused.stderr)], [2, true], refused.stderr);
      }
    }),
});

tacho_test({
  name:
    "a webhook that is away holds nothing up: what it lacks, also from before a kill -9, it gets later, in order; a key that others can read is told",
  needs: ["postgres", "openssl"],
  fn: () =>
    with_world(async ({ folder, url, serve }) => {
      const got: number[] = [];
      let away = true, asked = 0;
      const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
        const { checkpoint } = await request.json();
        asked++;
        if (away) return new Response(null, { status: 503 });
        got.push(JSON.parse(checkpoint).batch);
        return new Response(null, { status: 204 });
      });
      Deno.chmodSync(`${folder}/signing.pem`, 0o644);
      const database = await open_database({ url, data_dir: null, connections: 1 });
      const more = { TACHO_CHECKPOINTS: "", TACHO_CHECKPOINT_WEBHOOK: `http://127.0.0.1:${server.addr.port}/hook` };
      const signed = async () => Number((await database.query("select count(*) as n from log_checkpoints"))[0]!.n);
      try {
        {
          await using program = await serve(more);
          assert.match(program.stderr, /warn +others can read the signing key .*remedy="chmod 600"/);
          for (const [i, id] of ["A", "B"].entries()) {
            await post(program.url, id, "10.00");
            await program.brings(until("a checkpoint is signed", async () => await signed() === i + 1));
          }
          await until("the webhook was asked", () => asked > 0);
          const said = /delivering checkpoints to the webhook at 127\.0\.0\.1:\d+ cannot be done; trying again/;
          await program.brings(until("it is said", () => said.test(program.stderr)));
          await program.kill_nine();
        }
        away = false;
        await using program = await serve(more);
        await program.brings(until("both have arrived", () => got.length === 2));
        await post(program.url, "C", "10.00");
        assert.equal(await program.term(), 0);
        assert.deepEqual(got, [1, 2, 3]);
      } finally {
        await database.close();
        await server.shutdown();
      }
    }),
});

tacho_test({
  name: "a receipt of a figure, and one of a stream, are written by the program and checked without a database",
  needs: ["postgres", "openssl"],
  fn: () =>
    with_world(async ({ folder, env }) => {
      const events = ["A 10.00 Chicago", "B 11.50 Chicago", "C 3 Boston"].map((each) => {
        const [id, fare, city] = each.split(" ");
        return { event_id: id, type: "trip.completed", trip_id: id, occurred_at: "2026-03-01T10:00:00Z", fare, city };
      });
      Deno.writeTextFileSync(`${folder}/events.ndjson`, events.map((each) => JSON.stringify(each)).join("\n"));
      const own = { ...env, TACHO_CHECKPOINTS: "" }, keyless = { ...own, TACHO_SIGNING_KEY: "" };
      await run_verb(["replay", "--to", "log", `${folder}/events.ndjson`], { env: keyless });
      const path = `${folder}/receipt.ndjson`,
        without = await run_tacho(["receipt", "--stream", "A"], { env: keyless });
      assert.deepEqual(
        [without.code, /there is no checkpoint of this log: sign one, with `tacho checkpoint`/.test(without.stderr)],
        [1, true],
      );
      // What is written by a verb is signed at its end.
      Deno.writeTextFileSync(`${folder}/more.ndjson`, JSON.stringify({ ...events[2], event_id: "D", trip_id: "D" }));
      await run_verb(["replay", "--to", "log", `${folder}/more.ndjson`], { env: own });
      const figure = await run_verb([
        "receipt",
        "--figure",
        "revenue",
        "--day",
        "2026-03-01",
        "--filter",
        "city=Chicago",
      ], { env: own });
      assert.match(
        figure.stderr,
        /revenue of 2026-03-01 is 21\.5, as of position 4: 2 of trips, 3 events in \d+ batches/,
      );
      check_receipt(new TextEncoder().encode(figure.stdout), Deno.readTextFileSync(`${folder}/signing.pub`));
      const check = async (text: string) => {
        Deno.writeTextFileSync(path, text);
        return await run_tacho(["verify", "--receipt", path, "--key", `${folder}/signing.pub`], {
          env: { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" },
        });
      };
      const proven = await check(figure.stdout);
      assert.deepEqual([proven.code, proven.stderr.includes("proves nothing")], [0, false], proven.stderr);
      assert.match(
        proven.stdout,
        /^proven: revenue of 2026-03-01 \(UTC\) with city=Chicago is 21\.5, by 2 events of 2 trips, .* position 4, signed .*; not proven: that no other/,
      );
      const forged = await check(figure.stdout.replace("Chicago", "chicago"));
      assert.deepEqual([forged.code, /the receipt "\S+" proves nothing: line \d+: /.test(forged.stderr)], [1, true]);
      const stream = await run_verb(["receipt", "--stream", "C", "--complete"], { env: keyless });
      const of_stream = await check(stream.stdout);
      assert.match(
        of_stream.stdout,
        /^proven: these are 1 events of a stream, .*none was left out\n\{.*"fare_micros":3000000.*\}\n$/,
      );
      for (
        const [args, said] of [
          [[], /expected --stream ID, or --figure NAME --day DATE/],
          [["--figure", "revenue"], /of a figure expected --day/],
          [["--stream", "A", "--day", "2026-03-01"], /--day and --filter are of a figure/],
          [["--figure", "fares", "--day", "2026-03-01"], /expected a figure that adds up \(.*revenue.*\), got "fares"/],
        ] as const
      ) {
        const refused = await run_tacho(["receipt", ...args], { env: keyless });
        assert.deepEqual([refused.code, said.test(refused.stderr)], [2, true], refused.stderr);
      }
    }),
});
