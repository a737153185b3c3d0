import assert from "node:assert/strict";
import { open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { unique_name } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { get_json, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { shared_postgres } from "../support/postgres.ts";
import { until } from "../support/until.ts";

/** Several domains in one program: each with its own topics, log, page and API; one that is broken holds up no other. */

/** Executions as their producer sends them: one by one, the last of them again, and a message that is none. */
const EXECUTIONS = [
  { trade_id: "e-1", ticker: "AAPL", price: 123.45, volume: 500, side: "buy", timestamp: "2026-03-01T10:00:00.123456" },
  { trade_id: "e-2", ticker: "AAPL", price: 120, volume: 100, side: "sell", timestamp: "2026-03-01T10:00:30" },
  { trade_id: "e-3", ticker: "TSLA", price: 0.01, volume: 1, side: "buy", timestamp: "1999-12-31T23:59:59Z" },
  { trade_id: "e-3", ticker: "TSLA", price: 0.01, volume: 1, side: "buy", timestamp: "1999-12-31T23:59:59Z" },
  { hello: "world" },
];

async function send(brokers: string, topic: string, values: readonly unknown[]): Promise<void> {
  const producer = await open_kafka_producer(options_of(brokers, topic));
  try {
    const encoder = new TextEncoder();
    await producer.send(
      topic,
      values.map((value) => ({
        key: encoder.encode("k"),
        value: encoder.encode(JSON.stringify(value)),
        timestamp_ms: Date.now(),
      })),
    );
  } finally {
    await producer.close();
  }
}

const answer = async (url: string) => {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
};
const metric = async (url: string, name: string, domain: string): Promise<number> => {
  const { text } = await answer(`${url}metrics`);
  return Number(new RegExp(`^${name}\\{domain="${domain}"\\} (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
};

tacho_test({
  name:
    "two domains in one program: topics, log, page, API and verify of each its own; one whose tables are gone holds up no other",
  needs: ["postgres", "kafka"],
  async fn() {
    const deployment = await make_deployment("domains"), topic = unique_name("orders");
    const env = {
      ...deployment,
      TACHO_DOMAINS: "trips,trades",
      TACHO_TRADES_TOPICS: topic,
      TACHO_TRADES_MAPPINGS: `${topic}=executions`,
    };
    await using program = await TachoProgram.serve("start", { env });
    const { url } = program;
    await until("both are ready", async () => (await answer(`${url}readyz`)).status === 200, 60_000);
    await send_known_trips(deployment, 5, "first");
    await send(env.KAFKA_BROKERS, topic, EXECUTIONS);
    await until("the trips are there", async () => await metric(url, "tacho_log_position", "trips") === 5);
    await until("all trades are read", async () => await metric(url, "tacho_messages_read_total", "trades") === 5);
    assert.deepEqual(
      [
        await metric(url, "tacho_events_admitted_total", "trades"),
        await metric(url, "tacho_messages_duplicate_total", "trades"),
        await metric(url, "tacho_messages_quarantined_total", "trades"),
        await metric(url, "tacho_messages_quarantined_total", "trips"),
      ],
      [3, 1, 1, 0],
    );
    const { trades } = await get_json(`${url}trades/api/v1/trades`) as { trades: Record<string, unknown>[] };
    assert.deepEqual(
      trades.map(({ trade_id, status, ticker, price, volume, executed_at }) => [
        trade_id,
        status,
        ticker,
        price,
        volume,
        executed_at,
      ]),
      [
        ["e-3", "executed", "TSLA", "0.01", 1, "1999-12-31T23:59:59.000000Z"],
        ["e-2", "executed", "AAPL", "120.00", 100, "2026-03-01T10:00:30.000000Z"],
        ["e-1", "executed", "AAPL", "123.45", 500, "2026-03-01T10:00:00.123456Z"],
      ],
    );
    const range = "from=2026-03-01T10:00:00Z&to=2026-03-01T11:00:00Z";
    const { cards } = await get_json(`${url}trades/api/v1/board?${range}`) as { cards: Record<string, number> };
    // 500 at 123.45 and 100 at 120: 73,725 over 600.
    assert.deepEqual([cards.trades, cards.volume, cards.turnover, cards.weighted_price], [2, 600, 73_725, 122.875]);
    assert.equal((await get_json(`${url}api/v1/trips`) as { trips: unknown[] }).trips.length, 5);
    for (const [path, says] of [["", "Latest trips"], ["trades/", "Latest trades"]]) {
      const page = await answer(url + path);
      assert.equal(page.status, 200);
      assert.ok(page.text.includes(says!), path);
    }
    const trade = await get_json(`${url}trades/api/v1/trades/e-1`) as { events: { type: string }[] };
    assert.deepEqual(trade.events.map(({ type }) => type), ["trade.executed"]);
    for (const args of [["verify"], ["verify", "--domain", "trades"]]) {
      assert.match((await run_verb(args, { env })).stdout, /^consistent: \d events in /);
    }
    const held = await run_verb(["quarantine", "list", "--domain", "trades"], { env });
    assert.match(held.stdout, /invalid_record|missing/);

    // What the program may not touch any more is said, and holds up nobody.
    const owner = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 1 });
    try {
      await owner.script("alter schema trades rename to taken_away");
      await send(env.KAFKA_BROKERS, topic, EXECUTIONS.slice(0, 1));
      await send_known_trips(deployment, 3, "second");
      await until("the trips go on", async () => await metric(url, "tacho_log_position", "trips") === 8);
      await until("trades are said to be broken", async () => /trades: /.test((await answer(`${url}readyz`)).text));
      const { trips } = await get_json(`${url}api/v1/trips`) as { trips: unknown[] };
      assert.equal(trips.length, 8);
    } finally {
      await owner.close();
    }
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "a first domain whose log cannot be opened holds up no other, and what is asked of it is to be asked again",
  needs: ["postgres"],
  async fn() {
    const { url: database_url } = await (await shared_postgres()).create_database();
    const env = { DATABASE_URL: database_url, TACHO_DOMAINS: "trips,trades", TACHO_TOKEN: "t".repeat(16) };
    const headers = { authorization: `Bearer ${env.TACHO_TOKEN}` };
    const migrated = await run_verb(["migrate", "--domain", "trades"], { env });
    assert.match(migrated.stderr, /migrated version=18 name=log/);
    // What a newer program left in the place of trips.
    const owner = await open_database({ url: database_url, data_dir: null, connections: 1 });
    await owner.script(
      "create table schema_migrations (version integer, name text, checksum text); insert into schema_migrations values (99, 'later', '')",
    ).finally(() => owner.close());
    await using program = await TachoProgram.serve("start", { env });
    const { url } = program;
    const posted = async (path: string, event: unknown) => {
      const body = JSON.stringify(event);
      const response = await fetch(url + path, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body,
      });
      return { status: response.status, again: response.headers.get("retry-after"), text: await response.text() };
    };
    const executed = { trade_id: "e", event_id: "1", type: "trade.executed", occurred_at: "2026-03-01T10:00:00Z" };
    await until(
      "trades are taken in",
      async () =>
        (await posted("trades/api/v1/events", { ...executed, ticker: "A", price: 1, volume: 2 })).status === 200,
    );
    await until("trips are said to be broken", () => /later.*run a newer tacho/.test(program.stderr));
    assert.equal((await answer(`${url}readyz`)).status, 503);
    const { status, again } = await posted("api/v1/events", {});
    assert.deepEqual([status, again], [503, "5"]);
    for (const path of ["", "api/v1/trips", "trips/x"]) {
      assert.equal((await fetch(url + path, { headers })).status, 503, path);
    }
    const board = await fetch(`${url}trades/api/v1/trades`, { headers });
    assert.equal((await board.json()).trades.length, 1);
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "domains that there are not, and topics of such, end the program with a sentence",
  needs: [],
  async fn() {
    for (
      const [env, args, says] of [
        [
          { TACHO_DOMAINS: "trips,cakes" },
          ["serve"],
          /TACHO_DOMAINS: expected one of trips, payments, trades, got "cakes"/,
        ],
        [{}, ["verify", "--domain", "cakes"], /TACHO_DOMAINS: expected one of trips, payments, trades, got "cakes"/],
        [{ TACHO_CAKES_TOPICS: "a" }, ["serve"], /TACHO_CAKES_…: no such setting/],
        [
          { TACHO_TRADES_MAPPINGS: "a=executions" },
          ["verify", "--domain", "trades"],
          /expected a topic of trades, orders, got "a"/,
        ],
        [{ TACHO_TRADES_TOPICS: "http" }, ["verify", "--domain", "trades"], /"http" is where events posted/],
        [{ TACHO_DOMAINS: "trips,trips" }, ["serve"], /TACHO_DOMAINS: names a domain twice/],
      ] as const
    ) {
      const ended = await run_tacho(args, { env });
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(ended.stderr, says);
    }
  },
});
