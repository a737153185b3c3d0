import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { FrameReader } from "../support/feed_client.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** A read model made anew beside the live one, through the real program, while that serves and takes events in. */

const TRIPS = 4_000;
/** Trips of today, so that the page's range holds them. */
const events = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => from + i).flatMap((i) => {
    const at = (seconds: number) =>
      new Date(Date.now() - 3_600_000 + (i % 1_000) * 1_000 + seconds * 1_000).toISOString();
    const trip = { trip_id: `T${i}`, city: ["Chicago", "Boston", "Köln"][i % 3], driver_id: `D${i % 50}` };
    return [
      { ...trip, event_id: "s", type: "trip.started", occurred_at: at(0) },
      { ...trip, event_id: "c", type: "trip.completed", occurred_at: at(600), fare: "12.50", distance_km: 3 },
    ].map((event) => JSON.stringify(event));
  });

tacho_test({
  name:
    "a wrong cell is told by rebuild and cured by its switch under a running program: viewers hear anew, kill -9 and appends harm nothing",
  needs: ["postgres"],
  limit_ms: 300_000,
  async fn() {
    const { url: database_url, superuser_url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: database_url };
    const folder = await Deno.makeTempDir({ prefix: "tacho_rebuild_" });
    const take = async (lines: readonly string[]) => {
      await Deno.writeTextFile(`${folder}/events.ndjson`, lines.join("\n"));
      await run_verb(["replay", "--to", "log", `${folder}/events.ndjson`], { env });
    };
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    try {
      await take(events(0, TRIPS));
      await superuser.script("update trip_cells set completed = completed + 1000 where dimension = 'none'");
      await using program = await TachoProgram.serve("start", { env });
      const stream = await fetch(`${program.url}api/v1/feed?range=24h`);
      const frames = new FrameReader(stream.body!);
      /** What the next frame says that has cards: the whole board, or what changed. */
      const completed = async () => {
        for (;;) {
          const frame = await frames.next();
          if (frame === null) throw new Error("the feed ended");
          if (frame.event === "hello" || frame.event === "kpi") return frame.data.cards.completed as number;
        }
      };
      const shown = (wanted: (completed: number) => boolean) =>
        program.brings(until("the figure is shown", async () => wanted(await completed())));
      await shown((figure) => figure > TRIPS);

      // Killed again and again it goes on where it was.
      for (let kills = 0; kills < 2; kills++) {
        await using killed = TachoProgram.spawn("tacho", { env, args: ["rebuild"] });
        const position = async () => {
          const [row] = await superuser.query<{ position: string }>(
            "select coalesce((select max(position) from read_models), 0) as position from (values (1)) one where to_regclass('read_models') is not null",
          );
          return Number(row?.position ?? 0);
        };
        const before = await position();
        await until("it gets on or ends", async () => !killed.running || await position() > before);
        await killed.kill_nine();
      }
      const told = await run_verb(["rebuild"], { env });
      assert.match(
        told.stdout,
        /^v2 is at position 8000: \d+ of \d+ rows are not those of the live one, since position \d+ at the earliest/,
      );
      assert.match(told.stdout, /trip_cells 1m .* none all: live has completed 1\d\d\d; made anew completed \d+/);

      const switched = take(events(TRIPS, TRIPS + 500)).then(() => run_verb(["rebuild", "--switch"], { env }));
      const { stdout } = await switched;
      assert.match(stdout, /^switched v2 in at position 9000; v2 holds what was live before/);
      // Viewers are told all anew: what they had belongs to other figures.
      await shown((figure) => figure === TRIPS + 500);
      await take(events(TRIPS + 500, TRIPS + 501));
      await shown((figure) => figure === TRIPS + 501);
      assert.match((await run_verb(["verify"], { env })).stdout, /^consistent: 9002 events/);

      const again = await run_tacho(["rebuild", "--switch"], { env });
      assert.deepEqual(
        [again.code, /v2 holds what was live before; --rollback/.test(again.stderr)],
        [2, true],
        again.stderr,
      );
      const back = await run_verb(["rebuild", "--rollback"], { env });
      assert.match(back.stdout, /^switched back: .* from position 9002 on/);
      await shown((figure) => figure > TRIPS + 501);
      // What was harmed is harmed again; switched once more it is right.
      assert.notEqual((await run_tacho(["verify"], { env })).code, 0);
      await run_verb(["rebuild", "--rollback"], { env });
      assert.match((await run_verb(["rebuild", "--drop"], { env })).stdout, /^dropped v2/);
      for (const args of [["--drop"], ["--rollback"]]) {
        assert.equal((await run_tacho(["rebuild", ...args], { env })).code, 2);
      }
      assert.equal((await run_tacho(["rebuild", "--as", "V 2"], { env })).code, 2);
      assert.equal((await run_tacho(["rebuild", "--drop", "--switch"], { env })).code, 2);
      assert.match((await run_verb(["verify"], { env })).stdout, /^consistent: 9002 events/);
      await stream.body!.cancel().catch(() => {});
      assert.equal(await program.term(), 0);
    } finally {
      await superuser.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
