import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_checkout } from "../support/checkout.ts";
import { FrameReader } from "../support/feed_client.ts";
import { run_verb, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** `deno task dev` as a stranger runs it: a fresh checkout, no configuration, no server. */

/** The greeting of the feed, as a page gets it when it is opened. */
async function hello({ url }: ServingProgram): Promise<{ log_id: string; position: number }> {
  const response = await fetch(`${url}api/v1/feed`);
  const reader = new FrameReader(response.body!);
  const { data } = await reader.until("hello");
  await reader.cancel();
  return { log_id: String(data.log_id), position: Number(data.position) };
}

const until_position = (program: ServingProgram, position: number, timeout_ms: number) =>
  until(`the log is at ${position}`, async () => (await hello(program)).position >= position, timeout_ms);

/** Asks for the page again and again while something goes on; gives the longest time it took, milliseconds. */
async function slowest_answer({ url }: ServingProgram, work: () => Promise<unknown>): Promise<number> {
  const working = work().finally(() => done = true);
  let done = false, slowest_ms = 0;
  while (!done) {
    const from = performance.now();
    await (await fetch(url)).text();
    slowest_ms = Math.max(slowest_ms, performance.now() - from);
  }
  await working;
  return slowest_ms;
}

/** A look into the embedded database, while no program has it open. */
async function look_into(folder: string) {
  const database = await open_database({ url: null, data_dir: `${folder}/.tacho` });
  try {
    const [log] = await database.query(
      `select count(*)::int as events, max(position)::int as last, (select position::int from log_head) as head from events`,
    );
    const trips = await database.query("select trip_id, status from trips");
    return { log, status: new Map(trips.map(({ trip_id, status }) => [String(trip_id), String(status)])) };
  } finally {
    await database.close();
  }
}

tacho_test({
  name:
    "dev in a fresh checkout: the page is there and moves within 15 s, Ctrl-C ends it cleanly, the next start goes on where it was",
  limit_ms: 240_000,
  async fn() {
    const checkout = await make_checkout();
    const folder = checkout.path;
    try {
      const from = performance.now();
      let first_log: { log_id: string; position: number };
      {
        await using program = await TachoProgram.serve("dev", { folder });
        const page = await fetch(program.url);
        assert.equal(page.status, 200);
        assert.match(await page.text(), /<title>tacho<\/title>/);
        await until_position(program, 1, 15_000);
        const seconds = (performance.now() - from) / 1000;
        console.log(`events on the page's feed ${seconds.toFixed(1)} s after the start`);
        assert.ok(seconds < 15, `took ${seconds} s`);
        // Hours of trips are caught up with now, in the thread that also answers the page.
        const { position } = await hello(program);
        const slowest_ms = await slowest_answer(program, () => until_position(program, position + 10_000, 60_000));
        console.log(`slowest answer while catching up: ${Math.round(slowest_ms)} ms`);
        assert.ok(slowest_ms < 3_000, `an answer took ${slowest_ms} ms`);

        assert.match(program.stdout, /tacho is live at http:\/\/127\.0\.0\.1:\d+\//);
        assert.match(program.stdout, /embedded PostgreSQL in \.tacho\/ \(set DATABASE_URL for a server\)/);
        assert.match(program.stdout, /in-process queue \(set KAFKA_BROKERS for Kafka\)/);
        assert.match(program.stdout, /DATABASE_URL=postgres:\/\/… KAFKA_BROKERS=host:9092 deno task start/);

        await using second = TachoProgram.spawn("dev", { folder });
        assert.equal(await second.ended, 2);
        assert.match(second.stderr, /"\.tacho": another tacho is using it; stop that one, or set TACHO_DATA_DIR/);

        first_log = await hello(program);
        assert.equal(await program.term("SIGINT"), 0);
      }
      const before = await look_into(folder);
      const open = [...before.status].filter(([, status]) => status === "requested" || status === "in_progress");
      assert.ok(open.length > 0);
      assert.ok(Number(before.log?.head) >= first_log.position);

      // Going on: the same log, and the trips that were open come to their end.
      {
        await using program = await TachoProgram.serve("dev", { folder, env: { TACHO_RATE: "5" } });
        const { log_id, position } = await hello(program);
        assert.equal(log_id, first_log.log_id);
        assert.ok(position >= first_log.position);
        await until_position(program, Number(before.log?.head) + 100, 60_000);
        await program.kill_nine();
      }
      const killed = await look_into(folder);
      const ended = open.filter(([trip_id]) => ["completed", "canceled"].includes(killed.status.get(trip_id) ?? ""));
      console.log(`${ended.length} of ${open.length} open trips ended in the second run`);
      assert.ok(ended.length > 0);

      // And after kill -9.
      {
        await using program = await TachoProgram.serve("dev", { folder });
        assert.equal((await hello(program)).log_id, first_log.log_id);
        await until_position(program, Number(killed.log?.head) + 1, 60_000);
        assert.equal(await program.term("SIGINT"), 0);
      }
      const { log } = await look_into(folder);
      assert.deepEqual([log?.events, log?.last], [log?.head, log?.head], "positions without a gap");
      const verified = await run_verb(["verify"], { folder });
      console.log(verified.stdout.trim());
      assert.match(verified.stdout, /consistent/);
    } finally {
      await checkout.dispose();
    }
  },
});
