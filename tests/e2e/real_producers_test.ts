import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { type Execution, executions_in, figures_by_ticker, make_traffic, time_of } from "../support/executions.ts";
import { GuardedFolder, KILL_TREE } from "../support/guarded_folder.ts";
import { start_kafka, unique_name } from "../support/kafka.ts";
import { options_of, produce, send_to } from "../support/kafka_topic.ts";
import { read_topic } from "../support/read_topic.ts";
import { shell } from "../support/shell.ts";
import { get_json, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/**
 * Messages of real producers through real Kafka and a program that is killed: what its API says in the end against what the messages alone
 * come to. What is none of theirs is held, and stops nothing.
 */

const SEED = Number(Deno.env.get("TACHO_TEST_SEED") ?? 20_260_301);

/** The values of a topic as texts, in order. */
async function texts_of(brokers: string, topic: string): Promise<string[]> {
  const decoder = new TextDecoder();
  return (await read_topic(brokers, topic)).map(({ value }) => decoder.decode(value ?? new Uint8Array()));
}

/** A deployment of trades alone, on the records of a topic. */
async function trades_deployment(topic: string, mapping: string, brokers?: string) {
  const { DATABASE_URL, KAFKA_BROKERS, TACHO_GROUP } = await make_deployment("trades");
  return {
    DATABASE_URL,
    KAFKA_BROKERS: brokers ?? KAFKA_BROKERS,
    TACHO_GROUP,
    TACHO_DOMAINS: "trades",
    TACHO_TRADES_TOPICS: topic,
    TACHO_TRADES_MAPPINGS: `${topic}=${mapping}`,
    TACHO_BATCH_MESSAGES: "50",
    TACHO_SESSION_SECONDS: "3",
  };
}

/** What the program says of all trades by ticker: its cells over all of time, and the API's breakdown, which has to agree. */
async function told_by_ticker(url: string, query: (sql: string) => Promise<Record<string, unknown>[]>) {
  const cells = await query(
    `select key, trades, volume, price_sum_micros, notional_micros from trades.trade_cells
      where grain = 'all' and dimension = 'ticker' and trades > 0 order by key`,
  );
  const { rows } = await get_json(`${url}trades/api/v1/kpis/breakdown?dimension=ticker&limit=100`) as {
    rows: { key: string; volume: number; turnover: string }[];
  };
  const breakdown = new Map(rows.map((row) => [row.key, row]));
  return cells.map(({ key, trades, volume, price_sum_micros, notional_micros }) => {
    const row = breakdown.get(String(key));
    assert.deepEqual(
      [row?.volume, Number(row?.turnover) * 1e6],
      [Number(volume), Number(notional_micros)],
      String(key),
    );
    return {
      ticker: key,
      trades: Number(trades),
      volume: Number(volume),
      cents: Number(price_sum_micros) / 10_000,
      turnover_cents: Number(notional_micros) / 10_000,
    };
  });
}

const expected_by_ticker = (executions: Iterable<Execution>) =>
  [...figures_by_ticker(executions)].map(([ticker, figures]) => ({ ticker, ...figures }))
    .sort((a, b) => a.ticker < b.ticker ? -1 : 1);

tacho_test({
  name:
    "executions at made-up times of half a century, foreign messages between them, a program killed four times: every figure is that of the messages",
  needs: ["postgres", "kafka"],
  limit_ms: 240_000,
  async fn() {
    console.log(`seed ${SEED}`);
    const topic = unique_name("orders"), env = await trades_deployment(topic, "executions");
    const brokers = env.KAFKA_BROKERS;
    await produce(options_of(brokers, topic), []);
    await run_verb(["migrate", "--domain", "trades"], { env });
    const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 1 });
    const read = async () =>
      Number((await database.query("select messages_read from trades.log_head"))[0]?.messages_read);
    try {
      let sent = 0, foreign = 0, repeats = 0;
      for (let round = 0; round < 4; round++) {
        await using program = await TachoProgram.serve("start", { env });
        const traffic = make_traffic(SEED + round, 1_000, Date.now());
        await send_to(brokers, topic, 0, traffic.values);
        const enough = sent + 100;
        await program.brings(until("it reads", async () => await read() >= enough, 60_000));
        await program.kill_nine();
        sent += traffic.values.length;
        foreign += traffic.foreign;
        repeats += traffic.repeats;
        console.log(`kill ${round + 1} after ${await read()} of ${sent} messages`);
      }
      await using program = await TachoProgram.serve("start", { env });
      await program.brings(until(`all ${sent} are read`, async () => await read() >= sent, 60_000));
      const executions = executions_in(await texts_of(brokers, topic));
      assert.equal(executions.size, 4_000);
      const [head] = await database.query(
        "select messages_read, position, duplicates, quarantined, held from trades.log_head",
      );
      assert.deepEqual(Object.values(head ?? {}).map(Number), [sent, 4_000, repeats, foreign, foreign]);
      assert.ok(foreign > 300 && repeats > 100, `${foreign} foreign, ${repeats} sent twice`);
      assert.deepEqual(
        await told_by_ticker(program.url, (sql) => database.query(sql)),
        expected_by_ticker(executions.values()),
      );
      const rows = await database.query(
        "select trade_id, ticker, side, volume, price_micros, extract(epoch from executed_at) as at from trades.trades",
      );
      assert.equal(rows.length, executions.size);
      for (const { trade_id, ticker, side, volume, price_micros, at } of rows) {
        const wanted = executions.get(String(trade_id))!;
        assert.deepEqual(
          [ticker, side, Number(volume), Number(price_micros), Math.floor(Number(at) * 1_000)],
          [wanted.ticker, wanted.side, wanted.volume, Math.round(wanted.price * 100) * 10_000, time_of(wanted)],
          String(trade_id),
        );
      }
      assert.equal((await fetch(`${program.url}readyz`)).status, 200, "what is foreign stops nothing");
      assert.match((await run_verb(["verify", "--domain", "trades"], { env })).stdout, /^consistent: 4000 events in /);
      assert.equal(await program.term(), 0);
    } finally {
      await database.close();
    }
  },
});

/** The checkout of the producer that is public, github.com/TeaTafaj/kafka_realtime_pipeline; its Python, where the folder has an environment of its own. */
const checkout = Deno.env.get("TACHO_TEST_TRADES_PRODUCER") ?? "";
/** Sets `py` to what runs it. */
const PYTHON = 'py=$1/.venv/bin/python; [ -x "$py" ] || py=python3';
/** It sends to localhost:9092, whatever anybody says. */
const ITS_PORT = 9092;

/** Why the producer cannot be run here; null when it can. */
function producer_absence(): string | null {
  if (checkout === "") return "TACHO_TEST_TRADES_PRODUCER names no checkout of TeaTafaj/kafka_realtime_pipeline";
  const asked = new Deno.Command("sh", {
    args: [
      "-c",
      `${PYTHON}; [ -f "$1/producer.py" ] || { echo "no producer.py in $1"; exit; }
       "$py" -c "import confluent_kafka, faker" 2>/dev/null || echo "$py has no confluent-kafka or no faker"`,
      "sh",
      checkout,
    ],
  }).outputSync();
  const lacking = new TextDecoder().decode(asked.stdout).trim();
  if (lacking !== "") return lacking;
  try {
    Deno.listen({ hostname: "127.0.0.1", port: ITS_PORT }).close();
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return `something listens on port ${ITS_PORT}, where it sends to`;
    throw error;
  }
  return null;
}

/** Runs the producer, as it stands, so many times side by side, until disposed of; what each says is in `said`. */
function run_producers(count: number) {
  const folders = Array.from({ length: count }, () => new GuardedFolder("producer"));
  const script = `echo $$ >"$2/pid"; ${PYTHON}; cd "$1" || exit
    PYTHONUNBUFFERED=1 PYTHONIOENCODING=utf-8 exec "$py" producer.py >"$2/said" 2>&1`;
  const children = folders.map(({ path }) =>
    new Deno.Command("sh", { args: ["-c", script, "sh", checkout, path], stdin: "null", stdout: "null" })
      .spawn()
  );
  const said = () => folders.map(({ path }) => Deno.readTextFileSync(`${path}/said`)).join("\n");
  return {
    said,
    async [Symbol.asyncDispose]() {
      for (const [i, child] of children.entries()) {
        await shell("end the producer", `${KILL_TREE}\nkill_tree "$1"`, String(child.pid));
        await child.status;
        Deno.removeSync(`${folders[i]!.path}/pid`);
      }
    },
    async remove() {
      for (const folder of folders) await folder.dispose();
    },
  };
}

tacho_test({
  name:
    "the public producer of a market terminal, run as it stands: the program shows the figures of what it sent, by the time it came",
  needs: ["postgres", "kafka"],
  unless: producer_absence(),
  limit_ms: 240_000,
  async fn() {
    const listener = { name: "ITS", protocol: "PLAINTEXT", port: ITS_PORT, advertised_port: ITS_PORT } as const;
    await using kafka = await start_kafka({ listeners: [listener] });
    const env = await trades_deployment("orders", "executions_by_arrival", kafka.brokers);
    await produce(options_of(kafka.brokers, "orders"), []);
    await run_verb(["migrate", "--domain", "trades"], { env });
    const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 1 });
    const read = async () =>
      Number((await database.query("select messages_read from trades.log_head"))[0]?.messages_read);
    const from = new Date(Date.now() - 60_000).toISOString();
    const producers = run_producers(8);
    try {
      {
        await using _running = producers;
        for (const [i, enough] of [40, 90].entries()) {
          await using program = await TachoProgram.serve("start", { env });
          await program.brings(until(`${enough} are read`, async () => await read() >= enough, 60_000));
          await program.kill_nine();
          // What was there before this system: skipped by its own consumer.
          await send_to(kafka.brokers, "orders", 0, ['{"order_id": "o-1", "status": "new"}', `foreign ${i}`]);
        }
        await until(
          "some were sent while nobody read",
          async () => (await texts_of(kafka.brokers, "orders")).length >= 130,
          60_000,
        );
      }
      await using program = await TachoProgram.serve("start", { env });
      const values = await texts_of(kafka.brokers, "orders");
      await program.brings(until("all are read", async () => await read() >= values.length, 60_000));
      const executions = executions_in(values);
      // It says each trade that it sent, as Python writes it.
      const printed = [...producers.said().matchAll(/Sent trade: .*'trade_id': '([^']+)'/g)].map(([, id]) => id!);
      assert.ok(printed.length > 100, `${printed.length} were said to be sent`);
      for (const id of printed) assert.ok(executions.has(id), `${id} was sent`);
      assert.equal(executions.size, values.length - 4);
      const [head] = await database.query("select position, duplicates, held from trades.log_head");
      assert.deepEqual(Object.values(head ?? {}).map(Number), [executions.size, 0, 4]);
      const by_ticker = expected_by_ticker(executions.values());
      assert.deepEqual(await told_by_ticker(program.url, (sql) => database.query(sql)), by_ticker);
      // Its page's cards: trades, average price, volume, most active ticker by volume.
      const to = new Date(Date.now() + 60_000).toISOString();
      const { cards } = await get_json(`${program.url}trades/api/v1/board?from=${from}&to=${to}`) as {
        cards: Record<string, number>;
      };
      const sum = (name: "trades" | "volume" | "cents") => by_ticker.reduce((all, each) => all + each[name], 0);
      assert.deepEqual([cards.trades, cards.volume], [executions.size, sum("volume")]);
      assert.ok(
        Math.abs(cards.average_price! - sum("cents") / 100 / executions.size) < 0.005,
        `${cards.average_price}`,
      );
      const most_active = by_ticker.reduce((most, each) => each.volume > most.volume ? each : most);
      console.log(
        `sent ${executions.size}, volume ${
          sum("volume")
        }, average price ${cards.average_price}, most active ${most_active.ticker}: ` +
          by_ticker.map(({ ticker, trades, volume }) => `${ticker} ${trades}/${volume}`).join(" "),
      );
      assert.match((await run_verb(["verify", "--domain", "trades"], { env })).stdout, /^consistent: /);
      assert.equal(await program.term(), 0);
    } finally {
      await producers.remove();
      await database.close();
    }
  },
});
