import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { BoardPage, until_cards_agree } from "../support/board_page.ts";
import { type Deployment, expectation_of, make_deployment, send_known_trips } from "../support/deployment.ts";
import { free_port } from "../support/free_port.ts";
import { options_of, produce as send } from "../support/kafka_topic.ts";
import { type Postgres, start_postgres } from "../support/postgres.ts";
import { reading_members } from "../support/read_topic.ts";
import { slowness } from "../support/slowness.ts";
import { is_ready, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

/** From a message on a Kafka topic to a figure that a viewer sees, and what the page says when something on the way is away. */

/** A deployment whose page keeps its port through restarts. */
async function deployment(server?: Postgres) {
  const env = { ...await make_deployment("page", "UTC", server), PORT: String(free_port()) };
  await run_verb(["migrate"], { env });
  return env;
}

const produce = (env: Deployment, ...args: string[]) => run_verb(["produce", ...args], { env });

tacho_test({
  name:
    "page: a message on the topic is a figure on the page within seconds, without a reload, and every card is the oracle's",
  needs: ["chromium", "postgres", "kafka"],
  limit_ms: 180_000,
  async fn() {
    const env = await deployment();
    await using server = await TachoProgram.serve("start", { env });
    await using board = await BoardPage.open(server.url);
    await until("the page says that nothing came yet", async () => await board.phase() === "empty");
    await board.picture("page_empty");

    await until("the consumer reads", async () => await reading_members(env.KAFKA_BROKERS, env.TACHO_GROUP) === 1);
    const sent = performance.now();
    await send_known_trips(env, 12, "known");
    await until("the page shows the 12 trips", async () => (await board.cards()).completed === 12);
    const seen_ms = performance.now() - sent;
    console.log(`on the page ${Math.round(seen_ms)} ms after it was sent`);
    assert.ok(seen_ms < 10_000 * slowness(), `it took ${seen_ms} ms`);
    const { in_progress, revenue, average_fare, average_distance, max_fare } = await board.cards();
    assert.deepEqual(
      { in_progress, revenue, average_fare, average_distance, max_fare },
      {
        in_progress: 0,
        revenue: 153,
        average_fare: 12.75,
        average_distance: 2.5,
        max_fare: 15.5,
      },
    );

    const flow = [
      "--rate",
      "2",
      "--variability",
      "0",
      "--seed",
      "7",
      "--history",
      "2h",
      "--late",
      "0.01",
      "--duplicates",
      "0.005",
    ];
    await using producer = TachoProgram.spawn("tacho", { env, args: ["produce", ...flow] });
    await until("the page has many trips", async () => (await board.cards()).completed > 3_000, 60_000);
    const position = await board.position();
    await until("the page moves on", async () => await board.position() > position + 20);

    assert.equal(await producer.term("SIGINT"), 0);
    const expectation = await expectation_of(env);
    await until_cards_agree(board, expectation, 15_000);
    assert.equal(await board.is_unloaded(), false, "the page was reloaded");
    await assert_refused_and_late(env, board, server.url);
    assert.deepEqual(board.unexpected(), []);
    assert.equal(await server.term(), 0);
  },
});

/** What is warned of, but for that nothing is new: nobody sends while a test waits. */
const warnings = async (board: BoardPage) => (await board.banners()).filter(({ warning }) => warning !== "stale");

/** Sends what is no message, and a trip that comes late: the page says how many were set aside, and which bucket was corrected. */
async function assert_refused_and_late(env: Deployment, board: BoardPage, url: string): Promise<void> {
  const { page } = board;
  const late = { event_id: "late", trip_id: "late", type: "trip.completed", fare: "9.50", city: "Lateville" };
  const occurred_at = new Date(Date.now() - 20 * 60_000).toISOString();
  const values = ["{", "no message", "[]", JSON.stringify({ ...late, occurred_at })];
  await send(options_of(env.KAFKA_BROKERS, env.TACHO_TOPICS), values);
  const told = await until("the banner counts what was set aside", async () => {
    const found = (await board.banners()).find(({ warning }) => warning === "quarantine");
    return found !== undefined && /3 in all/.test(found.text) && found.text;
  });
  assert.equal(
    told,
    "Quarantine: 3 more set aside just now, 3 in all. They are in no figure. See them with: tacho quarantine",
  );
  await until_holds("so does the footer", async () => {
    assert.equal(await page.innerText("#health .amber"), "quarantine 3");
  });
  await board.picture("page_quarantine", false);
  await page.goto(`${url}?city=Lateville`);
  await page.locator("#corrected").waitFor();
  await page.keyboard.press("d");
  const remarks = page.locator("#chart_tools + * tbody tr td:last-child, .scroll tbody tr td:last-child");
  await until(
    "its bucket says when it was corrected",
    async () => (await remarks.allInnerTexts()).filter((text) => /^corrected \d\d:\d\d:\d\d$/.test(text)).length === 1,
  );
}

tacho_test({
  name:
    "page: its server is killed, the page says so; it is started again, the page recovers by itself and its figures are right",
  needs: ["chromium", "postgres", "kafka"],
  limit_ms: 120_000,
  async fn() {
    const env = await deployment();
    await produce(env, "--rate", "2", "--seed", "3", "--history", "1h", "--count", "3000");
    await using server = await TachoProgram.serve("start", { env });
    // The last hour to the minute, however few events there are.
    await using board = await BoardPage.open(`${server.url}?grain=1m`);
    await until_cards_agree(board, await expectation_of(env), 30_000);
    await until("it is connected", async () => await board.link() === "connected");
    await until_holds("nothing is warned of", async () => assert.deepEqual(await warnings(board), []));

    await server.kill_nine();
    await until("the page says that the link is lost", async () => await board.link() === "reconnecting");
    assert.match(await board.warned("link"), /Connection lost since .*figures are from before/);
    await until("the figures are doubtful", () => board.is_amber());
    await board.picture("page_link_lost", false);
    await send_known_trips(env, 7, "meanwhile");

    await using again = await TachoProgram.serve("start", { env });
    assert.equal(again.url, server.url);
    await until("the page is connected again", async () => await board.link() === "connected", 40_000);
    // The killed consumer's partitions are free after one session timeout of 10 s.
    await until_cards_agree(board, await expectation_of(env), 40_000);
    await until_holds("the banner is gone", async () => assert.deepEqual(await warnings(board), []));
    assert.equal(await board.is_unloaded(), false, "the page was reloaded");
    assert.deepEqual(board.unexpected(), []);
    assert.equal(await again.term(), 0);
  },
});

tacho_test({
  name: "page: a database that is away and a feed that has stalled never look live",
  needs: ["chromium", "postgres", "kafka"],
  limit_ms: 180_000,
  async fn() {
    await using postgres = await start_postgres();
    const env = await deployment(postgres);
    await produce(env, "--rate", "2", "--seed", "4", "--history", "1h", "--count", "2000");
    await using server = await TachoProgram.serve("start", { env });
    // The last hour to the minute, however few events there are.
    await using board = await BoardPage.open(`${server.url}?grain=1m`);
    await until_cards_agree(board, await expectation_of(env), 30_000);
    // What was read longest ago may be a minute old by now.
    await send_known_trips(env, 1, "before");
    await until("the figures are trusted", async () => !await board.is_amber());

    await postgres.kill_nine();
    assert.match(await board.warned("database"), /database does not answer since .*Nothing is lost/);
    await until("the page's server still answers", async () => await board.link() === "connected");
    await send_known_trips(env, 5, "outage");
    await until("what came in the outage makes the figures doubtful", () => board.is_amber(), 30_000);
    await board.picture("page_database_down", false);

    await postgres.restart();
    await until_cards_agree(board, await expectation_of(env), 40_000);
    await until_holds("the banner is gone", async () => assert.deepEqual(await warnings(board), []));
    await send_known_trips(env, 1, "after");
    await until("the age is trusted again", async () => !await board.is_amber());

    // Nobody sends any more.
    await board.warned("stale", 90_000);
    await until("the figures are doubtful again", () => board.is_amber());
    await board.picture("page_stalled", false);
    await until("it is the producers that are silent", () => is_ready(server.url));
    assert.deepEqual(board.unexpected(), []);
  },
});
