import assert from "node:assert/strict";
import { open_database, type OpenedDatabase } from "../../src/database/mod.ts";
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

/**
 * Kills `rebuild --switch` while it waits for a reader of the tables, and right after it is committed.
 * @param shown what viewers see: trips completed, more than there are while what was live before is
 */
async function killed_at_its_switch(
  superuser_url: string,
  env: Record<string, string>,
  shown: () => Promise<number>,
): Promise<void> {
  // By itself a session ends a transaction that is idle for 20 s.
  const BEGIN = "begin; set local idle_in_transaction_session_timeout = 0";
  const [reader, witness, watcher] = await Promise.all(
    [1, 2, 3].map(() => open_database({ url: superuser_url, data_dir: null, connections: 1 })),
  ) as [OpenedDatabase, OpenedDatabase, OpenedDatabase];
  const waits_for = (table: string, mode: string) =>
    until(`it waits for ${table}`, async () => {
      const [row] = await watcher.query(
        "select exists (select from pg_locks where relation = $1::regclass and mode = $2 and not granted) as waits",
        [table, mode],
      );
      return row?.waits === true;
    });
  const state = async () => (await watcher.query("select state from read_models where name = 'v2'"))[0]?.state;
  try {
    await reader.script(`${BEGIN}; select from trip_cells limit 1`);
    {
      await using waiting = TachoProgram.spawn("tacho", { env, args: ["rebuild", "--switch"] });
      await waits_for("trip_cells", "AccessExclusiveLock");
      await waiting.kill_nine();
    }
    await reader.script("rollback");
    assert.ok(await shown() > TRIPS);
    assert.equal(await state(), "catching_up");
    for (let is_switched = false; !is_switched;) {
      await reader.script(`${BEGIN}; select from trip_cells limit 1`);
      await using ending = TachoProgram.spawn("tacho", { env, args: ["rebuild", "--switch"] });
      await waits_for("trip_cells", "AccessExclusiveLock");
      // Granted as soon as the switch is committed, or has given way to the reader: what it asks afterwards waits.
      const witnessed = witness.script(`${BEGIN}; lock table read_models in access exclusive mode`);
      await waits_for("read_models", "AccessExclusiveLock");
      await reader.script("rollback");
      await witnessed;
      const [row] = await witness.query("select state from read_models where name = 'v2'");
      is_switched = row?.state === "replaced";
      await ending.kill_nine();
      await witness.script("rollback");
    }
    const again = await run_tacho(["rebuild", "--switch"], { env });
    assert.equal(again.code, 2, again.stderr);
    assert.match(again.stderr, /v2 holds what was live before/);
    assert.equal(await shown(), TRIPS);
    await run_verb(["verify"], { env });
  } finally {
    for (const each of [reader, witness, watcher]) await each.close();
  }
}

tacho_test({
  name:
    "a wrong state and wrong cells are told by rebuild and cured by its switch under a running program: viewers hear anew, kill -9 and appends harm nothing",
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
      await superuser.script(
        "update trip_cells set completed = completed + 1000 where dimension = 'none'; update trips set city = 'Nowhere' where trip_id = 'T7'",
      );
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
      const [looked_at] = await superuser.query(
        "select reltuples::integer as states from pg_class where relname = 'trips_v2'",
      );
      assert.deepEqual(looked_at, { states: TRIPS });
      assert.match(told.stdout, /trips T7: live has city Nowhere; made anew city Boston; since position \d+/);
      assert.match(told.stdout, /trip_cells 1m .* none all: live has completed 1\d\d\d; made anew completed \d+/);

      await killed_at_its_switch(superuser_url, env, async () => {
        const { cards } = await (await fetch(`${program.url}api/v1/board?range=24h`)).json();
        return cards.completed as number;
      });
      const back_again = await run_verb(["rebuild", "--rollback"], { env });
      assert.match(back_again.stdout, /^switched back: /);
      await run_verb(["rebuild", "--drop"], { env });

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
      // One that an earlier version has begun has no states: it can be dropped, and nothing else.
      await superuser.script(
        "insert into read_models (name, position) values ('v1', 5); create table trip_cells_v1 ()",
      );
      const earlier = await run_tacho(["rebuild", "--as", "v1"], { env });
      assert.deepEqual([earlier.code, /an earlier version has begun v1, without states/.test(earlier.stderr)], [
        2,
        true,
      ]);
      assert.match((await run_verb(["rebuild", "--as", "v1", "--drop"], { env })).stdout, /^dropped v1/);
      assert.match((await run_verb(["verify"], { env })).stdout, /^consistent: 9002 events/);
      await stream.body!.cancel().catch(() => {});
      assert.equal(await program.term(), 0);
    } finally {
      await superuser.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

tacho_test({
  name:
    "the business time zone is changed by a rebuild while a program serves by the old one: that ends and says so, the next start is by the new one, and back",
  needs: ["postgres"],
  limit_ms: 300_000,
  async fn() {
    const { url: database_url } = await (await shared_postgres()).create_database();
    const old = { DATABASE_URL: database_url }, wanted = { ...old, TACHO_TIME_ZONE: "Asia/Kolkata" };
    const folder = await Deno.makeTempDir({ prefix: "tacho_rebuild_" });
    const take = async (lines: readonly string[], env: Record<string, string>) => {
      await Deno.writeTextFile(`${folder}/events.ndjson`, lines.join("\n"));
      await run_verb(["replay", "--to", "log", `${folder}/events.ndjson`], { env });
    };
    /** A command that is refused, and what it says. */
    const refused = async (args: readonly string[], env: Record<string, string>, says: RegExp) => {
      const { code, stderr } = await run_tacho([...args], { env });
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    };
    try {
      await take(events(0, 300), old);
      await using program = await TachoProgram.serve("start", { env: old });
      await refused(["verify"], wanted, /it is made with TACHO_TIME_ZONE=UTC .*a rebuild changes time zone/);
      await refused(["rebuild", "--switch"], wanted, /make it by these first, `tacho rebuild --as v2`, then switch/);
      const { stdout } = await run_verb(["rebuild"], { env: wanted });
      const by = "TACHO_TIME_ZONE=Asia/Kolkata TACHO_H3_RESOLUTION=8";
      const live = "the live one by TACHO_TIME_ZONE=UTC TACHO_H3_RESOLUTION=8; what follows from that is not compared";
      assert.ok(stdout.startsWith(`v2 is at position 600, made by ${by}, ${live}: all `), stdout);
      assert.match(stdout, /: all \d+ rows are those of the live one$/m);
      await refused(["rebuild", "--switch"], old, /v2 is made by TACHO_TIME_ZONE=Asia\/Kolkata/);
      assert.equal(program.running, true);
      const switched = await run_verb(["rebuild", "--switch"], { env: wanted });
      assert.ok(switched.stdout.startsWith(`switched v2 in at position 600, by ${by}; `), switched.stdout);
      assert.equal(await program.ended, 2);
      assert.match(program.stderr, /a rebuild has changed the business time zone or the H3 resolution of this log/);
      await refused(["verify"], old, /it is made with TACHO_TIME_ZONE=Asia\/Kolkata/);

      await using next = await TachoProgram.serve("start", { env: wanted });
      await take(events(300, 320), wanted);
      const board = await (await fetch(`${next.url}api/v1/board?range=24h`)).json() as Record<string, unknown>;
      assert.equal(board.time_zone, "Asia/Kolkata");
      assert.match((await run_verb(["verify"], { env: wanted })).stdout, /^consistent: 640 events/);
      assert.equal(await next.term(), 0);
      await refused(["rebuild", "--rollback"], wanted, /v2 is made by TACHO_TIME_ZONE=UTC/);
      assert.match(
        (await run_verb(["rebuild", "--rollback"], { env: old })).stdout,
        /^switched back: .*TACHO_TIME_ZONE=UTC/,
      );
      assert.match((await run_verb(["verify"], { env: old })).stdout, /^consistent: 640 events/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
