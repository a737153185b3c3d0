import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { card_figures, type CardFigures, make_card_traffic } from "../support/card_transactions.ts";
import {
  type Execution,
  executions_in,
  figures_by_ticker,
  make_traffic,
  time_of,
  type Traffic,
} from "../support/executions.ts";
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

type Query = (sql: string) => Promise<Record<string, unknown>[]>;

/** A deployment of one domain alone, on the records of a topic with one partition, which is there. */
async function deployment_of(domain: string, topic: string, mapping: string, brokers?: string) {
  const { DATABASE_URL, KAFKA_BROKERS, TACHO_GROUP } = await make_deployment(domain);
  const env = {
    DATABASE_URL,
    KAFKA_BROKERS: brokers ?? KAFKA_BROKERS,
    TACHO_GROUP,
    TACHO_DOMAINS: domain,
    [`TACHO_${domain.toUpperCase()}_TOPICS`]: topic,
    [`TACHO_${domain.toUpperCase()}_MAPPINGS`]: `${topic}=${mapping}`,
    TACHO_BATCH_MESSAGES: "50",
    TACHO_SESSION_SECONDS: "3",
  };
  await produce(options_of(env.KAFKA_BROKERS, topic), []);
  await run_verb(["migrate", "--domain", domain], { env });
  const database = await open_database({ url: DATABASE_URL, data_dir: null, connections: 1 });
  const query: Query = (sql) => database.query(sql);
  /** How many messages were read. */
  const read = async () =>
    Number((await query(`select sum(next_offset) as n from ${domain}.source_cursors`))[0]?.n ?? 0);
  return { env, query, read, close: () => database.close() };
}

/**
 * Sends messages in four parts, kills the program in the middle of each, and starts it again; then the account of all of it.
 * @param make the messages of a part
 * @param events how many events there are of them all
 * @param check compares what the program, which runs, says in the end with the values of the topic
 */
async function through_kills(
  domain: string,
  mapping: string,
  make: (part: number) => Traffic,
  events: (values: readonly string[]) => number,
  check: (values: readonly string[], url: string, query: Query) => Promise<void>,
): Promise<void> {
  console.log(`seed ${SEED}`);
  const topic = unique_name(domain);
  const { env, query, read, close } = await deployment_of(domain, topic, mapping);
  try {
    let sent = 0, foreign = 0, repeats = 0;
    for (let part = 0; part < 4; part++) {
      await using program = await TachoProgram.serve("start", { env });
      const traffic = make(part), enough = sent + 100;
      await send_to(env.KAFKA_BROKERS, topic, 0, traffic.values);
      await program.brings(until("it reads", async () => await read() >= enough, 60_000));
      await program.kill_nine();
      sent += traffic.values.length;
      foreign += traffic.foreign;
      repeats += traffic.repeats;
      console.log(`kill ${part + 1} after ${await read()} of ${sent} messages`);
    }
    await using program = await TachoProgram.serve("start", { env });
    await program.brings(until(`all ${sent} are read`, async () => await read() >= sent, 60_000));
    const values = await texts_of(env.KAFKA_BROKERS, topic);
    assert.equal(values.length, sent);
    const [head] = await query(`select position, quarantined, held, duplicates from ${domain}.log_head`);
    assert.deepEqual([head?.position, head?.quarantined, head?.held].map(Number), [events(values), foreign, foreign]);
    // A record that makes two events is two that come again.
    assert.ok(Number(head?.duplicates) >= repeats, `${head?.duplicates} came again`);
    assert.ok(foreign > 300 && repeats > 100, `${foreign} foreign, ${repeats} sent twice`);
    await check(values, program.url, query);
    assert.equal((await fetch(`${program.url}readyz`)).status, 200, "what is foreign stops nothing");
    const { stdout } = await run_verb(["verify", "--domain", domain], { env });
    assert.match(stdout, new RegExp(`^consistent: ${events(values)} events in `));
    assert.equal(await program.term(), 0);
  } finally {
    await close();
  }
}

/** What the program says of all trades by ticker: its cells over all of time, and the API's breakdown, which has to agree. */
async function told_by_ticker(url: string, query: Query) {
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

/** What the terminal's page shows, of its last 200 executions: the program's board by arrival has to show it, whatever times they say. */
async function check_last(url: string, in_order: readonly Execution[]): Promise<void> {
  const last = in_order.slice(-200);
  const { cards } = await get_json(`${url}trades/api/v1/board?order=arrival`) as { cards: Record<string, number> };
  const { rows } = await get_json(`${url}trades/api/v1/kpis/breakdown?dimension=ticker&order=arrival`) as {
    rows: { key: string; volume: number }[];
  };
  const volume = last.reduce((sum, each) => sum + each.volume, 0);
  assert.deepEqual([cards.trades, cards.volume], [last.length, volume]);
  const average = last.reduce((sum, each) => sum + each.price, 0) / last.length;
  assert.ok(Math.abs(cards.average_price! - average) < 0.005, `average price ${average}, got ${cards.average_price}`);
  assert.deepEqual(
    new Map(rows.map(({ key, volume }) => [key, volume])),
    new Map([...figures_by_ticker(last)].map(([ticker, figures]) => [ticker, figures.volume])),
  );
}

const expected_by_ticker = (executions: Iterable<Execution>) =>
  [...figures_by_ticker(executions)].map(([ticker, figures]) => ({ ticker, ...figures }))
    .sort((a, b) => a.ticker < b.ticker ? -1 : 1);

tacho_test({
  name:
    "executions at made-up times of half a century, foreign messages between them, a program killed four times: every figure is that of the messages",
  needs: ["postgres", "kafka"],
  limit_ms: 240_000,
  fn: () =>
    through_kills(
      "trades",
      "executions",
      (part) => make_traffic(SEED + part, 1_000, Date.now()),
      (values) => executions_in(values).size,
      async (values, url, query) => {
        const executions = executions_in(values);
        assert.equal(executions.size, 4_000);
        assert.deepEqual(await told_by_ticker(url, query), expected_by_ticker(executions.values()));
        await check_last(url, [...executions.values()]);
        const rows = await query(
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
      },
    ),
});

tacho_test({
  name:
    "card transactions under two spellings, foreign messages and statuses between them, a program killed four times: every figure is that of the messages",
  needs: ["postgres", "kafka"],
  limit_ms: 240_000,
  fn: () =>
    through_kills(
      "payments",
      "card_transactions",
      (part) => make_card_traffic(SEED + part, 1_000, Date.now()),
      (values) => [...card_figures(values).values()].reduce((sum, each) => sum + each.payments + each.refunds, 0),
      async (values, url, query) => {
        const wanted = card_figures(values);
        const cells = await query(
          `select key, payments, authorized, captured, captured_sum_micros, discount_sum_micros, flagged, declined, refunds,
             refunds_sum_micros from payments.transaction_cells
           where grain = 'all' and dimension = 'merchant' and currency = 'USD' and payments > 0`,
        );
        const cents = (micros: unknown) => Number(micros) / 10_000;
        const found = new Map(cells.map((cell): [string, CardFigures] => [String(cell.key), {
          payments: Number(cell.payments),
          authorized: Number(cell.authorized),
          captured: Number(cell.captured),
          captured_cents: cents(cell.captured_sum_micros),
          discount_cents: cents(cell.discount_sum_micros),
          flagged: Number(cell.flagged),
          declined: Number(cell.declined),
          refunds: Number(cell.refunds),
          refunded_cents: cents(cell.refunds_sum_micros),
        }]));
        assert.deepEqual(found, wanted);
        // What its page shows: transactions, value, average, conversion rate.
        const sum = (name: keyof CardFigures) => [...wanted.values()].reduce((all, each) => all + each[name], 0);
        assert.equal(sum("payments"), 4_000);
        const range = `from=${new Date(Date.now() - 8 * 86_400_000).toISOString()}&to=${new Date().toISOString()}`;
        const { cards } = await get_json(`${url}payments/api/v1/board?${range}`) as { cards: Record<string, number> };
        const near = (name: string, value: number) =>
          assert.ok(Math.abs(cards[name]! - value) < 0.005, `${name}: expected ${value}, got ${cards[name]}`);
        near("transactions", 4_000);
        near("value", sum("captured_cents") / 100);
        near("average_value", sum("captured_cents") / 100 / sum("captured"));
        near("conversion_rate", 100 * sum("captured") / (sum("captured") + sum("declined")));
        near("refunds_value", sum("refunded_cents") / 100);
      },
    ),
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
    const { env, query, read, close } = await deployment_of("trades", "orders", "executions_by_arrival", kafka.brokers);
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
      const [head] = await query("select position, duplicates, held from trades.log_head");
      assert.deepEqual(Object.values(head ?? {}).map(Number), [executions.size, 0, 4]);
      const by_ticker = expected_by_ticker(executions.values());
      assert.deepEqual(await told_by_ticker(program.url, query), by_ticker);
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
      await check_last(program.url, [...executions.values()]);
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
      await close();
    }
  },
});
