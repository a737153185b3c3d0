import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { BoardPage } from "../support/board_page.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { start_kafka } from "../support/kafka.ts";
import { is_ready, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

/** What the page says when the brokers are away, and when another cluster takes their place. */

const RED = "rgb(179, 50, 43)";

tacho_test({
  name:
    "page: brokers that are away pause it, another cluster in their place stops it in red until the gap is accepted",
  needs: ["chromium", "postgres", "kafka"],
  limit_ms: 240_000,
  async fn() {
    await using kafka = await start_kafka();
    const env = { ...await make_deployment("gap", "UTC", undefined, kafka), TACHO_PARTITIONS: "2" };
    await using server = await TachoProgram.serve("start", { env });
    await using board = await BoardPage.open(server.url);
    await until("it is ready", () => is_ready(server.url));
    await send_known_trips(env, 12, "before");
    await until("the page shows the 12 trips", async () => (await board.cards()).completed === 12);

    const banner_of = (warning: string) => server.brings(board.warned(warning));
    // A slow machine may have others to tell of beside it.
    const colour = (warning: string) =>
      board.page.evaluate(`getComputedStyle(document.querySelector(".banner[data-warning=${warning}] b")).color`);
    await kafka.kill_nine();
    const paused = await banner_of("ingest");
    assert.match(paused, /^Ingest is paused since .+ \(.+\)\. It goes on when the cause is gone; nothing is lost\./);
    assert.notEqual(await colour("ingest"), RED);
    await board.picture("page_brokers_away", false);
    const since = (text: string) => / since (.+?) \(/.exec(text)?.[1];
    await until("it was tried again", () => /is in trouble; waiting .*attempt=2/.test(server.stderr), 60_000);
    assert.equal(since(await banner_of("ingest")), since(paused), "since one moment, however often it is tried");

    await kafka.replace();
    const stopped = await banner_of("stopped");
    const cause = /the cursor of \S+\/[01] belongs to Kafka cluster "(\S+)", "(\S+)" answers/.exec(stopped);
    assert.ok(cause, stopped);
    assert.match(stopped, /: tacho accept-gap --by NAME --reason TEXT$/);
    await until("it is red", async () => await colour("stopped") === RED);
    await board.picture("page_gap", false);
    const probe = await fetch(`${server.url}readyz`);
    assert.equal(probe.status, 503);
    assert.match(await probe.text(), /stopped since .* answers\. To go on .*tacho accept-gap/);

    const began = Date.now();
    const { stdout } = await run_verb(["accept-gap", "--by", "Ada", "--reason", "moved house"], { env });
    const accepted = stdout.trim().split("\n");
    assert.equal(accepted.length, 2, "both partitions");
    for (const line of accepted) {
      assert.match(line, /accepted in batch \d+: \S+\/[01]: cursor \d+ moves to 0; cluster "\S+" became "\S+"$/);
    }
    // Until more is sent, it may be said that nothing is new.
    const others = async () => (await board.banners()).filter(({ warning }) => warning !== "stale");
    await server.brings(until_holds("the banner is gone", async () => assert.deepEqual(await others(), [])));
    await until("it is ready again", () => is_ready(server.url));
    await send_known_trips(env, 5, "after");
    await server.brings(until("the 5 new ones are there", async () => (await board.cards()).completed === 17));
    assert.equal(await board.is_unloaded(), false, "the page was reloaded");
    assert.deepEqual(board.unexpected(), []);

    const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 1 });
    const batches = await database.query(
      `select note, cursors, (extract(epoch from recorded_at) * 1000)::float8 as at_ms from batches where kind = 'gap_accepted'`,
    ).finally(() => database.close());
    assert.equal(batches.length, 1, "one decision, one batch");
    const [{ note, cursors, at_ms }] = batches as [{ note: unknown; cursors: { to: number }[]; at_ms: number }];
    const [, expected, found] = cause;
    assert.deepEqual(note, { by: "Ada", reason: "moved house", cluster_id: found, cluster_ids_left: [expected] });
    assert.deepEqual(cursors.map(({ to }) => to), [0, 0]);
    assert.ok(at_ms >= began - 1_000 && at_ms <= Date.now());
    assert.equal(await server.term(), 0);
  },
});
