import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { FrameReader } from "../support/feed_client.ts";
import { unique_name } from "../support/kafka.ts";
import { options_of, produce, send_to } from "../support/kafka_topic.ts";
import { shared_postgres } from "../support/postgres.ts";
import { run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** The rights on one domain's tables are taken from the program: it says so there, the others go on, and given back it goes on by itself. */

const execution = (id: string): string =>
  JSON.stringify({
    trade_id: id,
    ticker: "AAPL",
    price: 10.5,
    volume: 3,
    side: "buy",
    timestamp: "2026-03-01T10:00:00",
  });
const ids_of = (phase: number): string[] => Array.from({ length: 5 }, (_, i) => `${phase}-${i}`);

/** What a viewer of a domain's page is told of its health first, when he comes; blank when nobody tells him within 5 s. */
async function told_to_viewer(url: string): Promise<string> {
  const late = AbortSignal.timeout(5_000);
  const reader = new FrameReader((await fetch(`${url}api/v1/feed`, { signal: late })).body!);
  try {
    for (let frame = await reader.next(); frame !== null; frame = await reader.next()) {
      if (frame.data.health !== undefined) {
        const { database, ingest } = frame.data.health;
        return `${database.reason}; ${ingest.reason}`;
      }
    }
  } catch (error) {
    if (!late.aborted) throw error;
  } finally {
    await reader.cancel().catch(() => {});
  }
  return "";
}

tacho_test({
  name:
    "rights on one domain's tables that are taken in the middle of the work: the others go on, it says what is wrong, and goes on when they are given back",
  needs: ["postgres", "kafka"],
  limit_ms: 240_000,
  async fn() {
    const server = await shared_postgres();
    const { url: database_url, superuser_url, name } = await server.create_database();
    const deployment = { ...await make_deployment("taken"), DATABASE_URL: database_url };
    const topic = unique_name("orders"), role = `program_${name.slice(5, 20)}`;
    const { KAFKA_BROKERS: brokers } = deployment;
    const domains = {
      TACHO_DOMAINS: "trips,trades",
      TACHO_TRADES_TOPICS: topic,
      TACHO_TRADES_MAPPINGS: `${topic}=executions`,
    };
    const of_owner = { ...deployment, ...domains };
    const env = { ...of_owner, DATABASE_URL: database_url.replace("//tacho@", `//${role}@`) };
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    const owner = await open_database({ url: database_url, data_dir: null, connections: 1 });
    try {
      await superuser.script(`create role ${role} login`);
      await run_verb(["migrate"], { env: of_owner });
      // Without its schema, and without the right to use it, one sentence says what to do.
      const without = await run_tacho(["verify", "--domain", "trades"], { env });
      assert.equal(without.code, 2);
      assert.match(
        without.stderr,
        /expected the schema "trades", or a role that may create it, got neither; run `tacho migrate --domain trades`/,
      );
      await run_verb(["migrate", "--domain", "trades"], { env: of_owner });
      const refused = await run_tacho(["verify", "--domain", "trades"], { env });
      assert.equal(refused.code, 2);
      assert.match(
        refused.stderr,
        new RegExp(
          `expected a role with the right to use the schema "trades", got "${role}", which has none; .*grant usage on schema trades to ${role}`,
        ),
      );
      const give =
        `set search_path = public; select grant_to_program('${role}'); set search_path = trades; select grant_to_program('${role}')`;
      await owner.script(give);

      for (const each of [deployment.TACHO_TOPICS, topic]) await produce(options_of(brokers, each), []);
      await using program = await TachoProgram.serve("start", { env });
      const { url } = program;
      const status = async (path: string) => {
        const response = await fetch(url + path);
        const told = await response.json() as {
          domains?: unknown;
          detail?: string;
          errors?: { path: string; detail: string }[];
        };
        return { ...told, status: response.status };
      };
      const trips = async () => Number((await superuser.query("select position from public.log_head"))[0]?.position);
      const trades = async () =>
        (await superuser.query("select trade_id from trades.trades order by 1")).map(({ trade_id }) => trade_id);
      await program.brings(
        until("both are ready", async () => (await status("readyz")).status === 200, 60_000),
      );
      await send_to(brokers, topic, 0, ids_of(0).map(execution));
      await program.brings(until("trades come in", async () => (await trades()).length === 5, 60_000));

      const takings = [
        [`revoke all on all tables in schema trades from ${role}`, /permission denied for table/],
        [
          `revoke usage on schema trades from ${role}`,
          /expected a role with the right to use the schema "trades", got/,
        ],
        // Where the head can be read the database is well: only nothing can be appended.
        [`revoke insert on trades.events from ${role}`, /permission denied for table events/],
      ] as const;
      for (const [i, [taken, says]] of takings.entries()) {
        const phase = i + 1;
        await owner.script(taken);
        await send_to(brokers, topic, 0, ids_of(phase).map(execution));
        await send_known_trips(deployment, 4, `phase-${phase}`);
        await program.brings(until("trips go on", async () => await trips() === 4 * phase, 60_000));
        const alone = await program.brings(until("the broken one says what is wrong", async () => {
          const alone = await status("trades/readyz");
          return alone.status === 503 && alone.errors?.some(({ detail }) => says.test(detail)) && alone;
        }, 60_000));
        assert.match(alone.detail ?? "", /^not ready: /);
        const whole = await status("readyz");
        assert.deepEqual([whole.status, whole.domains], [503, { trips: "ok", trades: "not ready" }]);
        assert.ok(whole.errors?.every(({ path }) => path.startsWith("trades: ")), JSON.stringify(whole.errors));
        // A viewer of the broken one hears it, one of the others nothing of it.
        await until(
          "its page says it",
          async () => says.test(await told_to_viewer(`${url}trades/`)),
          30_000,
        );
        assert.doesNotMatch(await told_to_viewer(url), /permission|right/);
        assert.equal((await trades()).length, 5 * phase, "nothing was let in, nothing lost");
        await owner.script(give);
        await program.brings(
          until("it goes on by itself", async () => (await trades()).length === 5 * (phase + 1), 90_000),
        );
        await until("and says so", async () => (await status("readyz")).status === 200, 60_000);
      }
      assert.deepEqual(await trades(), [0, 1, 2, 3].flatMap(ids_of));
      const held = await superuser.query(
        "select (select count(*) from trades.quarantine) + (select count(*) from public.quarantine) as n",
      );
      assert.equal(Number(held[0]?.n), 0, "nobody's message is to blame");
      for (const args of [["verify"], ["verify", "--domain", "trades"]]) {
        assert.match((await run_verb(args, { env: of_owner })).stdout, /^consistent: \d+ events in /);
      }
      assert.equal(await program.term(), 0);
    } finally {
      await owner.close();
      await superuser.close();
    }
  },
});
