import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { type KafkaProducer, open_kafka_admin, open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { FrameReader } from "../support/feed_client.ts";
import { unique_name } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { is_ready, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until, until_holds } from "../support/until.ts";

/** Of two domains in one program, one is far behind, then stopped for good: the events of the other come to its board as soon as ever. */

const BACKLOG = 200_000;
const REQUEST = 10_000;
/** Between two events of trips, milliseconds. */
const PAUSE_MS = 50;
/**
 * So many trades may be committed while a trip is on its way to the board, on average. Trades and not seconds: a machine that is busy does both
 * later. 7,000 to 21,000 are, on two cores that are quiet and on two that others use; when trades give way to none, 47,000 to 60,000.
 */
const MOST_AHEAD = 35_000;
const encoder = new TextEncoder();

const as_messages = (values: readonly unknown[]) =>
  values.map((value) => ({ key: encoder.encode("k"), value: encoder.encode(JSON.stringify(value)) }));

const execution = (i: number) => ({
  trade_id: `e-${i}`,
  ticker: ["AAPL", "MSFT", "TSLA"][i % 3],
  price: 100 + i % 900 / 100,
  volume: 1 + i % 500,
  side: i % 2 === 0 ? "buy" : "sell",
  timestamp: new Date(Date.now() - 3_600_000 + i).toISOString(),
});

async function metric(url: string, name: string, domain: string): Promise<number> {
  const text = await (await fetch(`${url}metrics`)).text();
  return Number(new RegExp(`^${name}\\{domain="${domain}"\\} (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
}

/** How far the log of trades is; asked past the program, which has its hands full. */
const trades_position = async (database: Database): Promise<number> =>
  Number((await database.query("select position from trades.log_head"))[0]!.position);

/** A moment, by the clock and by how many trades were committed. */
interface Moment {
  readonly ms: number;
  readonly trades: number;
}

/** The way of each trip from its acknowledgement by Kafka to a viewer's board. */
class Ways {
  readonly #ms: readonly number[];
  readonly #trades: readonly number[];

  constructor(from: readonly Moment[], to: readonly Moment[]) {
    this.#ms = from.map(({ ms }, i) => to[i]!.ms - ms).sort((a, b) => a - b);
    this.#trades = from.map(({ trades }, i) => to[i]!.trades - trades);
  }

  get count(): number {
    return this.#ms.length;
  }

  /** How many trades were committed meanwhile, on average. */
  get ahead(): number {
    return this.#trades.reduce((sum, each) => sum + each, 0) / this.count;
  }

  toString(): string {
    const share = (of: number) => Math.round(this.#ms[Math.ceil(of * this.count) - 1]!);
    return `${this.count} trips on the board after ${share(0.5)} ms, ${share(0.99)} ms, ${
      share(1)
    } ms (p50, p99, most)` +
      `, ${Math.round(this.ahead)} trades meanwhile`;
  }
}

/** Sends trips one after the other as long as `goes_on`, and gives the way of each. */
async function ways_of(
  { url, producer, topic, database }: {
    readonly url: string;
    readonly producer: KafkaProducer;
    readonly topic: string;
    readonly database: Database;
  },
  already: number,
  goes_on: (sent: number) => Promise<boolean>,
): Promise<Ways> {
  const now = async (): Promise<Moment> => ({ ms: performance.now(), trades: await trades_position(database) });
  const { body } = await fetch(`${url}api/v1/feed?range=1h`);
  const reader = new FrameReader(body!);
  const acknowledged: Moment[] = [], seen: Moment[] = [];
  let sent = 0, over = false;
  const sending = (async () => {
    while (await goes_on(sent)) {
      const [trip_id, occurred_at] = [`T-${already + sent++}`, new Date().toISOString()];
      await producer.send(
        topic,
        as_messages([{ event_id: trip_id, trip_id, type: "trip.completed", occurred_at, fare: "10.00" }]),
      );
      acknowledged.push(await now());
      await new Promise((resume) => setTimeout(resume, PAUSE_MS));
    }
    over = true;
  })();
  sending.catch(() => reader.cancel());
  for (;;) {
    const frame = await reader.next();
    if (frame === null) break;
    const counted = frame.data?.cards?.completed;
    if (typeof counted === "number" && counted > already + seen.length) {
      const moment = await now();
      while (seen.length < counted - already) seen.push(moment);
    }
    if (over && seen.length >= sent) break;
  }
  await sending;
  await reader.cancel();
  assert.equal(seen.length, sent, "each trip is counted once");
  return new Ways(acknowledged, seen);
}

tacho_test({
  name:
    "a domain with a backlog of 200,000 messages gives way to another's events, and one whose ingest has stopped holds up none",
  needs: ["postgres", "kafka"],
  limit_ms: 300_000,
  async fn() {
    const deployment = await make_deployment("beside");
    const { KAFKA_BROKERS: brokers, TACHO_TOPICS: topic } = deployment, trades = unique_name("orders");
    const env = {
      ...deployment,
      TACHO_DOMAINS: "trips,trades",
      TACHO_TRADES_TOPICS: trades,
      TACHO_TRADES_MAPPINGS: `${trades}=executions`,
      TACHO_QUARANTINE_PER_MINUTE: "100",
    };
    for (const domain of ["trips", "trades"]) await run_verb(["migrate", "--domain", domain], { env });
    const admin = await open_kafka_admin(options_of(brokers, trades));
    const one = { partitions: 1, replication: 1 };
    await Promise.all([topic, trades].map((each) => admin.ensure_topic(each, one))).finally(() => admin.close());
    const producer = await open_kafka_producer(options_of(brokers, trades));
    const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 2 });
    try {
      for (let at = 0; at < BACKLOG; at += REQUEST) {
        await producer.send(trades, as_messages(Array.from({ length: REQUEST }, (_, i) => execution(at + i))));
      }
      await using program = await TachoProgram.serve("start", { env });
      const { url } = program, way = { url, producer, topic, database };
      await until("both are ready", () => is_ready(url), 60_000);
      // Both read their topics by the time that one trip is on the board.
      await ways_of(way, 0, (sent) => Promise.resolve(sent < 1));
      const left = BACKLOG - await trades_position(database);
      assert.ok(
        left > BACKLOG / 4,
        `the backlog was read while one trip was on its way: ${left} of ${BACKLOG} are left`,
      );
      const behind = await ways_of(
        way,
        1,
        async (sent) => sent < 20 || await trades_position(database) < BACKLOG,
      );
      assert.equal(await trades_position(database), BACKLOG);
      console.log(`${left} trades behind: ${behind}`);
      assert.ok(
        behind.ahead <= MOST_AHEAD,
        `${behind.ahead} trades went before a trip, at most ${MOST_AHEAD} expected`,
      );

      await producer.send(trades, as_messages(Array.from({ length: 500 }, (_, i) => ({ hello: i }))));
      await until(
        "the ingest of trades stops",
        async () => /trades: /.test(await (await fetch(`${url}readyz`)).text()),
      );
      const stopped = await ways_of(way, 1 + behind.count, (sent) => Promise.resolve(sent < 40));
      console.log(`trades stopped: ${stopped}`);
      const admitted = 1 + behind.count + stopped.count;
      await until_holds("each is said to be admitted, once", async () => {
        assert.equal(await metric(url, "tacho_events_admitted_total", "trips"), admitted);
      });
      assert.equal(await program.term(), 0);
    } finally {
      await producer.close();
      await database.close();
    }
  },
});
