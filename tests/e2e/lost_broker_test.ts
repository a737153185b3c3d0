import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment, send_known_trips } from "../support/deployment.ts";
import { API, type FaultProxy, type Frame, type Meddler } from "../support/fault_proxy.ts";
import { start_faulty_kafka } from "../support/faulty_kafka.ts";
import { unique_name } from "../support/kafka.ts";
import { options_of, produce, send_to } from "../support/kafka_topic.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import { with_error } from "./silences/answers.ts";

/** Domains share the brokers of the configuration. What is amiss between the brokers and one of them holds up no other, and ends with the trouble. */

const EACH = 5;
const execution = (id: string): string =>
  JSON.stringify({ trade_id: id, ticker: "AAPL", price: 1, volume: 1, side: "buy", timestamp: "2026-03-01T10:00:00" });

/** Who sends a request. */
const client_of = ({ bytes }: Frame): string => {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getInt16(12);
  return new TextDecoder().decode(bytes.subarray(14, 14 + length));
};

const pass: Meddler = ({ bytes }) => bytes;

/** Does to what goes between the brokers and one client, both ways, what it is told; the others are served as ever. */
function meddle_with(client: string, proxy: FaultProxy): { request: Meddler; answer: Meddler } {
  const told: { request: Meddler; answer: Meddler } = { request: pass, answer: pass };
  const own = new Set<number>();
  proxy.request = (frame) => {
    if (client_of(frame) !== client) return frame.bytes;
    own.add(frame.connection);
    return told.request(frame);
  };
  proxy.answer = (frame) => own.has(frame.connection) ? told.answer(frame) : frame.bytes;
  return told;
}

tacho_test({
  name:
    "brokers that one domain cannot reach or that answer it nothing, at the start and later, and a group that refuses it: the others go on",
  needs: ["postgres", "kafka"],
  limit_ms: 300_000,
  async fn() {
    await using kafka = await start_faulty_kafka(1);
    const direct = kafka.server.brokers, proxy = kafka.take_proxy(), topic = unique_name("orders");
    const deployment = await make_deployment("broker", "UTC", undefined, kafka.server);
    const env = {
      ...deployment,
      KAFKA_BROKERS: proxy.brokers,
      TACHO_SESSION_SECONDS: "6",
      TACHO_DOMAINS: "trips,trades",
      TACHO_TRADES_TOPICS: topic,
      TACHO_TRADES_MAPPINGS: `${topic}=executions`,
    };
    for (const domain of ["trips", "trades"]) await run_verb(["migrate", "--domain", domain], { env });
    for (const each of [deployment.TACHO_TOPICS, topic]) await produce(options_of(direct, each), []);
    const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 1 });
    try {
      const number = async (sql: string) => Number(Object.values((await database.query(sql))[0]!)[0]);
      const trips = () => number("select position from public.log_head");
      const trades = () => number("select position from trades.log_head");
      const [{ log_id } = {}] = await database.query("select log_id from trades.log_head");
      const between = meddle_with(`tacho-${log_id}`, proxy);

      between.request = between.answer = () => "cut";
      await using program = await TachoProgram.serve("start", { env });
      const { url } = program;
      const domains = async () => {
        const response = await fetch(`${url}readyz`);
        return JSON.stringify((await response.json() as { domains: unknown }).domains);
      };
      const broken = '{"trips":"ok","trades":"not ready"}', well = '{"trips":"ok","trades":"ok"}';
      let sent = 0;
      /** Sends to both: trips come in and are well, trades wait and are said to. */
      const only_trips_come_in = async () => {
        await send_to(direct, topic, 0, Array.from({ length: EACH }, (_, i) => execution(`${sent}-${i}`)));
        await send_known_trips({ ...deployment, KAFKA_BROKERS: direct }, EACH, `phase-${sent}`);
        sent += EACH;
        await program.brings(until("trips come in", async () => await trips() === sent, 60_000));
        await program.brings(until("trades are said to be broken", async () => await domains() === broken, 90_000));
        assert.equal(await trades(), sent - EACH);
      };
      const all_is_well = async () => {
        between.request = between.answer = pass;
        await program.brings(until("trades go on by themselves", async () => await trades() === sent, 90_000));
        await program.brings(until("both are well", async () => await domains() === well, 60_000));
      };
      await only_trips_come_in();
      await all_is_well();
      for (const fate of ["withheld", "cut"] as const) {
        between.request = between.answer = () => fate;
        await only_trips_come_in();
        await all_is_well();
      }

      // For good: it has to join anew, and is refused. 30 is GROUP_AUTHORIZATION_FAILED; a member that came back in time is told that it
      // is none: 25 is UNKNOWN_MEMBER_ID.
      between.request = between.answer = () => "cut";
      await only_trips_come_in();
      between.request = pass;
      between.answer = ({ api, bytes }) =>
        api === API.JoinGroup ? with_error(bytes, 30) : api === API.Heartbeat ? with_error(bytes, 25) : bytes;
      await program.brings(
        until(
          "it is refused",
          () => /a source refuses; the other domains go on domain=trades .*authorized/i.test(program.stderr),
          60_000,
        ),
      );
      const alone = await (await fetch(`${url}trades/readyz`)).text();
      assert.match(alone, /stopped since .*authorized.*; it is tried again/i);
      assert.equal((await fetch(`${url}trades/`)).status, 200, "its page is served on");
      const waits = () =>
        [...program.stderr.matchAll(/Kafka refuses; waiting domain=trades .*next_try_ms=(\d+)/g)].map(([, ms]) =>
          Number(ms)
        );
      await program.brings(until("it is asked again and again", () => waits().length > 2, 60_000));
      for (const [i, wait_ms] of waits().slice(0, 3).entries()) {
        const ceiling = 1_000 * 2 ** i;
        assert.ok(wait_ms >= ceiling / 2 && wait_ms <= ceiling, `wait ${i + 1} is ${wait_ms} ms`);
      }
      await all_is_well();
      assert.equal(await program.term(), 0);
    } finally {
      await database.close();
    }
  },
});
