import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { shared_postgres } from "../support/postgres.ts";
import { is_ready, run_tacho, run_verb, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

const TOKEN = "a token of more than 16 characters", SECRET = "a secret of webhooks that nobody is told";
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

tacho_test({
  name:
    "a report is sent once it is due, through kill -9 and a receiver that fails; a wrong file ends the program at its start",
  needs: ["postgres"],
  limit_ms: 240_000,
  async fn() {
    const heard: { id: string; body: string }[] = [];
    let status = 503;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      heard.push({ id: request.headers.get("tacho-id") ?? "", body: await request.text() });
      assert.match(request.headers.get("tacho-signature") ?? "", /^v1=[0-9a-f]{64}$/);
      return new Response(null, { status });
    });
    const { url: database_url } = await (await shared_postgres()).create_database();
    const folder = await Deno.makeTempDir({ prefix: "tacho_reports_" }), path = `${folder}/reports.json`;
    const report = {
      name: "week",
      view: "range=7d",
      at: "00:00",
      as: "picture",
      webhook: `http://127.0.0.1:${server.addr.port}/hook`,
    };
    const write = (trips: unknown) => Deno.writeTextFile(path, JSON.stringify({ reports: { trips: [trips] } }));
    await write(report);
    const env = {
      DATABASE_URL: database_url,
      TACHO_REPORTS: path,
      TACHO_ALERT_SECRET: SECRET,
      TACHO_TOKEN: TOKEN,
    };
    const database = await open_database({ url: database_url, data_dir: null, connections: 1 });
    const outcomes = async () =>
      (await database.query("select coalesce(outcome, 'waits') as outcome from report_deliveries order by due_at"))
        .map((row) => row.outcome);
    const serve = async () => {
      const program = await TachoProgram.serve("start", { env });
      await until("it is ready", () => is_ready(program.url), 60_000);
      return program;
    };
    try {
      await using first = await serve();
      await until("it has begun", async () => (await outcomes()).join() === "begun", 60_000);
      const at = new Date(Date.now() - 2 * 86_400_000).toISOString();
      const event = { event_id: "e", trip_id: "T", type: "trip.completed", occurred_at: at, fare: "10.00" };
      const answer = await fetch(`${first.url}api/v1/events`, {
        method: "POST",
        headers: { ...AUTHORIZED, "content-type": "application/json" },
        body: JSON.stringify([event]),
      });
      assert.equal(answer.status, 200, await answer.text());
      // As if it had been seen first a day before.
      await database.execute("update report_deliveries set due_at = due_at - interval '1 day'");
      await until("the receiver was tried", () => heard.length >= 1, 60_000);
      await until("that it waits is told", async () => {
        const metrics = await (await fetch(`${first.url}metrics`, { headers: AUTHORIZED })).text();
        return /^tacho_reports_undelivered\{report="week"\} 1$/m.test(metrics) &&
          /^tacho_reports_in_trouble 0$/m.test(metrics);
      }, 60_000);
      await first.kill_nine();
      status = 200;
      await using second = await serve();
      await until("it was taken", async () => (await outcomes()).at(-1) === "delivered", 120_000);
      assert.equal(new Set(heard.map(({ id }) => id)).size, 1, "one id, however often");
      assert.match(heard[0]!.id, /^[0-9a-f-]{36}\.week\.\d{4}-\d\d-\d\dT\d\d:00:00\.000000Z$/);
      assert.equal(new Set(heard.map(({ body }) => body)).size, 1);
      assert.match(heard[0]!.body, /^<svg [^>]*>\n<title>week, .*<\/title>[\s\S]*>Revenue<[\s\S]*>10\.00</);
      for (const said of [first.output, second.output]) assert.doesNotMatch(said, new RegExp(SECRET));
      const { stdout, stderr } = await run_verb(["reports", "check", path, "--print", "week"], { env });
      assert.match(stderr, /^trips: week$[\s\S]*^week: week-.*Z\.svg, due .*Z, next .*Z$/m);
      assert.match(stdout, /^<svg [\s\S]*>10\.00<[\s\S]*<\/svg>\n$/);
      const other = await run_tacho(["reports", "check", path, "--print", "month"], { env });
      assert.deepEqual([other.code, /expected one of trips \(week\), got "month"/.test(other.stderr)], [2, true]);
      await write({ ...report, at: "7 o'clock" });
      for (const args of [["reports", "check", path], ["serve"]]) {
        const refused = await run_tacho(args, { env });
        assert.equal(refused.code, 2, refused.stderr);
        assert.match(
          refused.stderr,
          /reports\.trips\[0\]\.at\[0\]: expected a time of the day such as "07:00", got "7 o'clock"/,
        );
      }
    } finally {
      await database.close();
      await server.shutdown();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
