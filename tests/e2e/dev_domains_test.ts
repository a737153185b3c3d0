import assert from "node:assert/strict";
import { tacho_test } from "../support/available.ts";
import { link_checkout, make_checkout } from "../support/checkout.ts";
import { make_deployment } from "../support/deployment.ts";
import { FrameReader } from "../support/feed_client.ts";
import { unique_name } from "../support/kafka.ts";
import { shared_postgres } from "../support/postgres.ts";
import { read_topic } from "../support/read_topic.ts";
import { get_json, run_verb, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** `tacho dev --domains`: several domains in one program, each fed by its own generator. */

/** The domains, and where the page of each is. */
const BASES = { trips: "", payments: "payments/", trades: "trades/" };
type Bases = Readonly<Record<string, string>>;

/** The greeting of a domain's feed, as its page gets it; null while its log is not open. */
async function hello({ url }: ServingProgram, base: string): Promise<{ log_id: string; position: number } | null> {
  const response = await fetch(`${url}${base}api/v1/feed`);
  if (response.status !== 200) return await response.body?.cancel() ?? null;
  const reader = new FrameReader(response.body!);
  const { data } = await reader.until("hello");
  await reader.cancel();
  return { log_id: String(data.log_id), position: Number(data.position) };
}

/** Waits until the board of every domain has figures and its log has passed a position. */
async function all_move(
  program: ServingProgram,
  from: Readonly<Record<string, number>> = {},
  bases: Bases = BASES,
): Promise<string[]> {
  const ids = Object.entries(bases).map(async ([name, base]) => {
    const { log_id } = await until(`the log of ${name} goes on`, async () => {
      const now = await hello(program, base);
      return now !== null && now.position > (from[name] ?? 0) + 100 ? now : null;
    }, 120_000);
    const list = await get_json(`${program.url}${base}api/v1/${name}`) as Record<string, unknown[]>;
    assert.ok(list[name]!.length > 10, `${name} are listed`);
    const [since, to] = [Date.now() - 12 * 3_600_000, Date.now() + 60_000].map((ms) => new Date(ms).toISOString());
    const board = `${program.url}${base}api/v1/board?from=${since}&to=${to}`;
    const { cards } = await get_json(board) as { cards: Record<string, number> };
    assert.ok(Object.values(cards).some((figure) => figure > 0), `the board of ${name} has figures`);
    return log_id;
  });
  return await Promise.all(ids);
}

const positions = async (program: ServingProgram): Promise<Record<string, number>> => {
  const now = Object.entries(BASES).map(async ([name, base]) =>
    [name, (await hello(program, base))!.position] as const
  );
  return Object.fromEntries(await Promise.all(now));
};

tacho_test({
  name:
    "dev --domains all in a fresh checkout: every domain's board moves, each has its page, Ctrl-C ends all cleanly, the next start goes on",
  limit_ms: 480_000,
  async fn() {
    const checkout = await make_checkout(), folder = checkout.path, args = ["--", "--domains", "all"];
    await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
    const from = performance.now();
    let ids: string[], reached: Record<string, number>;
    {
      await using program = await TachoProgram.serve("dev", { folder, args });
      ids = await program.brings(all_move(program));
      console.log(`all boards moved ${((performance.now() - from) / 1_000).toFixed(1)} s after the start`);
      const said = program.stdout;
      for (const [name, base] of Object.entries(BASES)) {
        const line = `  ${name.padEnd(22)}${program.url}${base}  generated ${name} through an in-process queue`;
        assert.ok(said.includes(line), `${said}\nhas no line\n${line}`);
        const page = await fetch(program.url + base);
        assert.equal(page.status, 200);
        assert.match(await page.text(), /<title>tacho/);
      }
      assert.equal(new Set(ids).size, ids.length, "logs of their own");
      reached = await positions(program);
      assert.equal(await program.term("SIGINT"), 0, program.stderr);
    }
    {
      await using program = await TachoProgram.serve("dev", { folder, args, env: { TACHO_RATE: "20" } });
      assert.deepEqual(await program.brings(all_move(program, reached)), ids, "the same logs");
      assert.equal(await program.term("SIGINT"), 0, program.stderr);
      assert.doesNotMatch(program.stderr, / error /);
    }
    for (const domain of Object.keys(BASES)) {
      assert.match((await run_verb(["verify", "--domain", domain], { folder })).stdout, /consistent/);
    }
  },
});

tacho_test({
  name: "dev --domains with brokers: each domain's events take the way through a topic of its own",
  needs: ["postgres", "kafka"],
  async fn() {
    const deployment = await make_deployment("dev_domains"), trades = unique_name("trades");
    const env = { ...deployment, TACHO_TRADES_TOPICS: trades };
    await using program = await TachoProgram.serve("dev", { env, args: ["--domains", "trips,trades", "--generate"] });
    await program.brings(all_move(program, {}, { trips: "", trades: "trades/" }));
    for (const topic of [deployment.TACHO_TOPICS, trades]) {
      assert.ok(program.stdout.includes(`through Kafka at ${env.KAFKA_BROKERS}, topic ${topic}`), program.stdout);
      assert.ok((await read_topic(env.KAFKA_BROKERS, topic)).length > 100);
    }
    assert.equal(await program.term(), 0);
  },
});

tacho_test({
  name: "dev --domains: a log that holds others of one domain ends a program that was told to generate",
  needs: ["postgres"],
  async fn() {
    const { url } = await (await shared_postgres()).create_database();
    const checkout = await link_checkout(), folder = checkout.path, env = { DATABASE_URL: url };
    await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
    const own = { event_id: "1", type: "trade.executed", trade_id: "own-1", occurred_at: "2026-03-01T10:00:00Z" };
    Deno.writeTextFileSync(`${folder}/own.ndjson`, JSON.stringify({ ...own, ticker: "AAPL", price: 1, volume: 2 }));
    await run_verb(["replay", "--domain", "trades", "--to", "log", "own.ndjson"], { env, folder });
    await using program = TachoProgram.spawn("dev", { env, folder, args: ["--domains", "trips,trades", "--generate"] });
    assert.equal(await program.ended, 2, program.stderr);
    assert.match(program.stderr, /^tacho: dev: the log holds other trades than the generator's, such as "own-1"; /m);
  },
});

tacho_test({
  name: "dev --domains: what is no domain, named twice, or said beside --domain is refused with a sentence",
  async fn() {
    const checkout = await link_checkout();
    await using _ = { [Symbol.asyncDispose]: () => checkout.dispose() };
    for (
      const [args, says] of [
        [
          ["--domains", "trips,cakes"],
          /^tacho: dev --domains: expected all, or some of trips,.*; got "trips,cakes"\n$/,
        ],
        [["--domains", "trips,trips"], /got "trips,trips"\n$/],
        [["--domains", "all", "--domain", "trades"], /--domain names one domain, --domains several/],
      ] as const
    ) {
      await using program = TachoProgram.spawn("dev", { folder: checkout.path, args });
      assert.equal(await program.ended, 2, program.output);
      assert.match(program.stderr, says);
    }
  },
});
