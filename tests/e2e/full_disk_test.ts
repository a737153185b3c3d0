import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { shared_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { get_json, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** A data directory whose disk is full: the embedded database, and the runs of a replay. */

/** Why no small disk can be made here; null when one can. */
const no_disk = ((): string | null => {
  const script = 'mkdir "$1" && mount -t tmpfs -o size=1m tmpfs "$1" && umount "$1" && rmdir "$1"';
  const folder = `${Deno.env.get("TMPDIR") ?? "/tmp"}/tacho_mount_${crypto.randomUUID()}`;
  const { success } = new Deno.Command("sh", { args: ["-c", script, "sh", folder], stdout: "null", stderr: "null" })
    .outputSync();
  return success ? null : "this user may not mount a tmpfs";
})();

/** Lends a disk of so many megabytes. */
async function with_disk(megabytes: number, work: (path: string) => Promise<void>): Promise<void> {
  const folder = new GuardedFolder("full_disk");
  const path = `${folder.path}/disk`;
  await shell("mount a small disk", 'mkdir "$1" && mount -t tmpfs -o size="$2"m tmpfs "$1"', path, String(megabytes));
  try {
    await work(path);
  } finally {
    await shell("unmount the small disk", 'umount -l "$1"', path);
    await folder.dispose();
  }
}

/** Leaves so many megabytes of the disk. */
const fill = (path: string, left: number) =>
  shell(
    "fill the disk",
    'head -c $(($(stat -f -c "%a * %S" "$1") - $2 * 1048576)) /dev/zero >"$1/ballast"',
    path,
    String(left),
  );

/** The dev program on that disk, with the permissions of the task but for the directory. */
const dev = (data_dir: string) => ({
  command: [
    "run",
    "--no-prompt",
    "--allow-net",
    "--allow-env",
    "--allow-sys=statfs",
    "--allow-read",
    `--allow-write=${data_dir}`,
    "main.ts",
    "dev",
  ],
  env: { TACHO_DATA_DIR: data_dir, TACHO_RATE: "20" },
});

tacho_test({
  name:
    "the embedded database on a full disk: ingest pauses with a sentence, the page goes on, and so does ingest when there is room; SIGTERM ends it",
  unless: no_disk,
  limit_ms: 240_000,
  fn: () =>
    with_disk(400, async (disk) => {
      const data_dir = `${disk}/tacho`;
      const position = async (url: string): Promise<number> => {
        const { position } = await get_json(`${url}api/v1/board?range=1h`) as { position: number };
        return position;
      };
      const readiness = async (url: string): Promise<string> => await (await fetch(`${url}readyz`)).text();
      {
        await using program = await TachoProgram.serve("dev", dev(data_dir));
        const { url } = program;
        await program.brings(until("trips are logged", async () => await position(url) > 0, 60_000));
        await fill(disk, 40);
        // 40, or less by what was written while the disk was filled, a segment of the write-ahead log among it.
        const why = /has (?:40|[123]?\d) MB left, at least \d+ MB are needed: free some/;
        await program.brings(until("ingest says why it waits", async () => why.test(await readiness(url)), 60_000));
        assert.match(program.stderr, /the database is in trouble; waiting .* the disk of /);
        const stood = await position(url);
        assert.ok(stood > 0, "the board is still answered");

        Deno.removeSync(`${disk}/ballast`);
        await program.brings(until("ingest goes on", async () => await position(url) > stood, 60_000));

        await fill(disk, 40);
        await program.brings(until("ingest waits again", async () => why.test(await readiness(url)), 60_000));
        assert.equal(await program.term(), 0);
      }
      await using refused = TachoProgram.spawn("dev", dev(data_dir));
      assert.equal(await refused.ended, 1);
      assert.match(
        refused.stderr,
        /^tacho: write to the embedded database: the disk of ".*" has \d+ MB left, at least 64 MB are needed: free some\n$/,
      );

      Deno.removeSync(`${disk}/ballast`);
      const { command, env } = dev(data_dir);
      await using verified = TachoProgram.spawn("dev", { command: [...command.slice(0, -1), "verify"], env });
      assert.equal(await verified.ended, 0, verified.stderr);
    }),
});

tacho_test({
  name: "a replay whose runs find no room ends with a sentence, keeps how far it came and leaves none behind",
  needs: ["postgres"],
  unless: no_disk,
  fn: () =>
    with_disk(8, async (disk) => {
      const file = new GuardedFolder("replay");
      await using _ = { [Symbol.asyncDispose]: () => file.dispose() };
      const path = `${file.path}/ends.csv`;
      const header =
        "dropoff_datetime,rate_code,passenger_count,trip_distance,fare_amount,tip_amount,payment_type,trip_type,trip_id";
      const rows = Array.from({ length: 101_000 }, (_, i) =>
        `2024-05-25 ${String(i % 24).padStart(2, "0")}:00:00,1,1,1.5,10,0,1,1,T${i}`);
      Deno.writeTextFileSync(path, [header, ...rows].join("\n"));
      const { url } = await (await shared_postgres()).create_database();
      const rights = ["--allow-net", "--allow-env", "--allow-read", `--allow-write=${disk}`];
      await using replay = TachoProgram.spawn("tacho", {
        command: ["run", "--no-prompt", ...rights, "main.ts", "replay", "--to", "log", path],
        env: { DATABASE_URL: url, TACHO_DATA_DIR: disk },
      });
      assert.equal(await replay.ended, 1);
      assert.match(
        replay.stderr,
        /\ntacho: write run .*\n {2}because: No space left on device.*\n {2}a disk is full, most likely that of TACHO_DATA_DIR/,
      );
      assert.match(replay.stderr, /replay stopped sent=0 how="the same command with --resume goes on there"/);
      const [folder, ...others] = [...Deno.readDirSync(disk)].map(({ name }) =>
        name
      );
      assert.deepEqual(others, []);
      assert.deepEqual([...Deno.readDirSync(`${disk}/${folder}`)].map(({ name }) => name).sort(), [
        "lock",
        "state.json",
      ]);
    }),
});
