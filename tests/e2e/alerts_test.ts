import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { is_ready, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

const TOKEN = "a token of more than 16 characters", SECRET = "a secret of webhooks that nobody is told";
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

interface Heard {
  readonly id: string;
  readonly rule: string;
  readonly state: string;
}

/** Takes messages, once they are signed rightly, when it is told to. */
function start_receiver() {
  const heard: Heard[] = [], taken: Heard[] = [], receiver = { status: 503, heard, taken };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const body = await request.text(), at = request.headers.get("tacho-timestamp");
    const signature = createHmac("sha256", SECRET).update(`${at}.${body}`).digest("hex");
    if (request.headers.get("tacho-signature") !== `v1=${signature}`) return new Response(null, { status: 401 });
    const message = JSON.parse(body) as Heard;
    heard.push(message);
    if (receiver.status === 200) taken.push(message);
    return new Response(null, { status: receiver.status });
  });
  return Object.assign(receiver, { url: `http://127.0.0.1:${server.addr.port}/`, stop: () => server.shutdown() });
}

async function post(url: string, at_ms: readonly number[]): Promise<void> {
  const events = at_ms.map((at, i) => ({
    event_id: `e-${at}-${i}`,
    trip_id: `T-${at}-${i}`,
    type: "trip.completed",
    occurred_at: new Date(at).toISOString(),
    fare: "10.00",
  }));
  const answer = await fetch(`${url}api/v1/events`, {
    method: "POST",
    headers: { ...AUTHORIZED, "content-type": "application/json" },
    body: JSON.stringify(events),
  });
  assert.equal(answer.status, 200, await answer.text());
}

tacho_test({
  name:
    "two programs look at one log's rules: each change is told once or more, by one id, through kill -9 and a receiver that fails",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const receiver = start_receiver(), { url: database_url } = await (await shared_postgres()).create_database();
    const folder = await Deno.makeTempDir({ prefix: "tacho_alerts_" }), path = `${folder}/alerts.json`;
    await Deno.writeTextFile(`${folder}/secret`, `${SECRET}\n`);
    const rule = { name: "many", figure: "completed", window: "1m", wait: "0s", above: 2 };
    const file = (rules: unknown[]) => ({
      rules: { trips: rules },
      receivers: { ops: { webhook: receiver.url, secret_file: `${folder}/secret` } },
    });
    await Deno.writeTextFile(path, JSON.stringify(file([rule])));
    const env = { DATABASE_URL: database_url, TACHO_ALERTS: path, TACHO_TOKEN: TOKEN };
    const database = await open_database({ url: database_url, data_dir: null, connections: 1 });
    const changes = async () =>
      (await database.query("select from_phase, to_phase from alert_changes order by change_id"))
        .map((row) => `${row.from_phase}>${row.to_phase}`);
    const serve = async () => {
      const program = await TachoProgram.serve("start", { env });
      await until("it is ready", () => is_ready(program.url), 60_000);
      return program;
    };
    try {
      await using first = await serve();
      await using second = await serve();
      const minute = Math.floor(Date.now() / 60_000) * 60_000 - 120_000;
      await post(first.url, [10, 11, 12, 13, 14, 65].map((s) => minute + s * 1_000));
      await until("the receiver was tried twice", () => receiver.heard.length >= 2, 60_000);
      assert.deepEqual(await changes(), ["ok>firing"]);
      await first.kill_nine();
      const metrics = await until("the other one says that it fires", async () => {
        const metrics = await (await fetch(`${second.url}metrics`, { headers: AUTHORIZED })).text();
        assert.match(metrics, /^tacho_alerts_undelivered\{receiver="ops"\} 1$/m);
        assert.match(metrics, /^tacho_alerts\{rule="many",state="firing"\} 1$/m);
        assert.match(metrics, /^tacho_alerts\{rule="many",state="ok"\} 0$/m);
        return metrics;
      });
      receiver.status = 200;
      await until("it has it", () => receiver.taken.length >= 1, 120_000);
      await second.kill_nine();
      await using third = await serve();
      const health = await (await fetch(`${third.url}api/v1/health`, { headers: AUTHORIZED })).json();
      await until("the page is told", async () => {
        const told = await (await fetch(`${third.url}api/v1/health`, { headers: AUTHORIZED })).json();
        return told.alerts?.firing === 1 && told.alerts.named[0].name === "many";
      });
      assert.ok(health.ingest !== undefined);
      await post(third.url, [125].map((s) => minute + s * 1_000));
      await until(
        "it was told that it is over",
        () => receiver.taken.some(({ state }) => state === "resolved"),
        60_000,
      );
      assert.deepEqual(await changes(), ["ok>firing", "firing>resolved"]);
      const ids = new Map(receiver.heard.map(({ id, state }) => [state, id]));
      assert.equal(ids.size, 2);
      for (const { id, state } of receiver.heard) assert.equal(id, ids.get(state), "one id each, however often");
      const alerts = await (await fetch(`${third.url}api/v1/alerts`, { headers: AUTHORIZED })).text();
      assert.deepEqual(JSON.parse(alerts).rules.map((each: Record<string, unknown>) => each.words), [
        "completed above 2",
      ]);
      for (const said of [first.output, second.output, third.output, alerts, metrics]) {
        assert.doesNotMatch(said, new RegExp(SECRET));
      }
      const { stdout, stderr } = await run_verb(["alerts", "check", path, "--replay", "1h"], { env });
      assert.deepEqual(stdout.trim().split("\n").map((line) => JSON.parse(line).to), ["firing", "resolved"]);
      assert.match(
        stderr,
        /^many: \d+ windows of 1m from .*; would have fired 1 time, for 1m in all; resolved at the end$/m,
      );
      await Deno.writeTextFile(path, JSON.stringify(file([{ ...rule, figure: "moons" }])));
      for (const args of [["alerts", "check", path], ["serve"]]) {
        const refused = await run_tacho(args, { env });
        assert.equal(refused.code, 2, refused.stderr);
        assert.match(refused.stderr, /rules\.trips\[0\]\.figure: expected one of trips, .* got "moons"/);
      }
    } finally {
      await database.close();
      await receiver.stop();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
