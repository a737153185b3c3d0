import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { poster } from "../../src/alerts/mod.ts";
import type { Database } from "../../src/database/mod.ts";
import { past_states } from "../../src/feed/mod.ts";
import { board_answers } from "../../src/http/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import {
  make_report,
  read_reports_file,
  read_reports_of,
  ReportKeeper,
  type ReportSource,
} from "../../src/reports/mod.ts";
import { minute_us, Payments, runtime_of } from "../support/alerted_log.ts";
import { tacho_test } from "../support/available.ts";
import { with_domain_log } from "../support/domain_log.ts";
import { PAYMENTS_DOMAIN } from "../support/told_payments.ts";
import { until } from "../support/until.ts";

/** Minutes count from 06:00 of 1 March 2026. */
const DAY = 24 * 60, SEVEN = 60, SECRET = "a secret that nobody is told";

const source_of = (database: Database): ReportSource => {
  const board = PAYMENTS_DOMAIN.board, days = days_in("UTC"), time_zone = "UTC";
  const read = { database, board, days, time_zone, currency: "USD", build: "b" };
  const clock = { now_ms: () => minute_us(2 * DAY) / 1_000 };
  return { board, days, time_zone, answer: board_answers({ ...read, clock, past: past_states(PAYMENTS_DOMAIN) }) };
};

/** A request that a receiver heard, and what it answered. */
interface Heard {
  readonly id: string;
  readonly body: Uint8Array;
  readonly headers: Headers;
  readonly status: number;
}

/** Lends a receiver that answers as it is told. */
async function with_receiver(
  status_of: (count: number) => number,
  work: (url: string, heard: readonly Heard[]) => Promise<void>,
): Promise<void> {
  const heard: Heard[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const body = await request.bytes(), status = status_of(heard.length + 1);
    heard.push({ id: request.headers.get("tacho-id") ?? "", body, headers: request.headers, status });
    return new Response(null, { status });
  });
  try {
    await work(`http://127.0.0.1:${server.addr.port}/hook`, heard);
  } finally {
    await server.shutdown();
  }
}

const definition = (name: string, webhook: string, more: Record<string, unknown> = {}): Record<string, unknown> => (
  { name, view: "range=1h", at: "07:00", as: "csv", webhook, ...more }
);

/** What makes and sends reports of payments; `at` is where the clock stands, a minute. */
function keeper_of(database: Database, at: { minute: number }, definitions: readonly Record<string, unknown>[]) {
  const end = new AbortController(), { runtime, lines } = runtime_of(end.signal);
  const file = read_reports_file(JSON.stringify({ reports: { payments: definitions } }), ["payments"]);
  assert.ok(file.ok, JSON.stringify(file));
  const read = read_reports_of(PAYMENTS_DOMAIN.board, "payments", file.file);
  assert.ok(read.ok, JSON.stringify(read));
  const reports = read.reports.map((each) => ({
    ...each,
    post: poster(each.webhook, SECRET, { now_ms: () => 1_700_000_000_000 }),
  }));
  const now_us = () => minute_us(at.minute);
  const keeper = new ReportKeeper(runtime, { ...source_of(database), database, log_id: "log", reports, now_us });
  let running: Promise<void> | null = null;
  return {
    keeper,
    lines,
    start: () => {
      running = keeper.run().catch((error) => {
        if (!end.signal.aborted) throw error;
      });
    },
    async stop() {
      end.abort(new Error("the program ends"));
      await running;
    },
  };
}

/** Whoever fails is tried again at once. */
const hurry = (database: Database) =>
  database.execute(
    "update report_deliveries set next_try_at = now() where settled_at is null and claimed_until < now()",
  );
const told = async (database: Database): Promise<string[]> =>
  (await database.query(
    `select report || ' ' || to_char(due_at at time zone 'UTC', 'DD HH24:MI') || ' ' || coalesce(outcome, 'waits') as told from report_deliveries
     order by report, due_at`,
  )).map((row) => String(row.told));
const bodies = async (database: Database): Promise<number> =>
  Number((await database.query("select count(*) as n from report_deliveries where body is not null"))[0]!.n);
const body_of = async (response: Promise<Response>): Promise<Uint8Array> => {
  const answer = await response, body = await answer.bytes();
  assert.equal(answer.status, 200, text_of(body));
  return body;
};
const text_of = (body: Uint8Array): string => new TextDecoder().decode(body);

const reports_test = (name: string, fn: (database: Database) => Promise<void>) => {
  for (const kind of ["server", "embedded"] as const) {
    tacho_test({
      name: `${name}${kind === "embedded" ? " (embedded)" : ""}`,
      needs: kind === "server" ? ["postgres"] : [],
      fn: () => with_domain_log("payments", (database) => fn(database), kind),
    });
  }
};

reports_test(
  "two programs, a receiver that fails twice, a restart between: one report, the API's table, by one id, signed",
  async (database) => {
    await new Payments(database).take_in([5, 3], [30, 2], [61, 9]);
    const at = { minute: 30 };
    let restarted = false;
    await with_receiver((count) => restarted && count > 2 ? 204 : 503, async (url, heard) => {
      const all = [definition("morning", url)];
      const [a, b] = [keeper_of(database, at, all), keeper_of(database, at, all)];
      await a.keeper.look();
      assert.deepEqual(await told(database), ["morning 28 07:00 begun"], "what was due before is not sent");
      at.minute = SEVEN + 1;
      a.start();
      b.start();
      await until("it was sent once", () => heard.length >= 1);
      await Promise.all([a.stop(), b.stop()]);
      restarted = true;
      const c = keeper_of(database, at, all);
      c.start();
      await until("it was taken", async () => {
        await hurry(database);
        return heard.some(({ status }) => status === 204) && !(await told(database)).join().includes("waits");
      });
      await c.stop();
      assert.deepEqual(new Set(heard.map(({ id }) => id)), new Set(["log.morning.2026-03-01T07:00:00.000000Z"]));
      assert.equal(heard.filter(({ status }) => status === 204).length, 1);
      const { body, headers } = heard.at(-1)!;
      for (const each of heard) assert.deepEqual(each.body, body, "each try sends the same");
      const hour = "from=2026-03-01T06:00:00Z&to=2026-03-01T07:00:00Z";
      const answer = source_of(database).answer;
      assert.deepEqual(body, await body_of(answer(`/api/v1/board?${hour}&format=csv`)));
      assert.deepEqual([...body.slice(0, 3)], [0xef, 0xbb, 0xbf], "spreadsheets are told that it is UTF-8");
      const { series } = JSON.parse(text_of(await body_of(answer(`/api/v1/board?${hour}`))));
      const [head, ...rows] = text_of(body).trim().split("\r\n").map((row) => row.split(","));
      assert.deepEqual(rows.map((row) => row[head!.indexOf("captured")]), series.captured.map(String));
      assert.deepEqual(rows.map(([from, to]) => `${from!.slice(11, 16)} ${to!.slice(11, 16)}`), [
        "06:05 06:06",
        "06:30 06:31",
      ]);
      assert.equal(headers.get("content-type"), "text/csv; charset=utf-8");
      assert.equal(headers.get("content-disposition"), 'attachment; filename="morning-2026-03-01T0700Z.csv"');
      assert.deepEqual([headers.get("tacho-report"), headers.get("tacho-due")], [
        "morning",
        "2026-03-01T07:00:00.000000Z",
      ]);
      const wanted = createHmac("sha256", SECRET).update("1700000000.").update(body).digest("hex");
      assert.equal(headers.get("tacho-signature"), `v1=${wanted}`);
      assert.equal(await bodies(database), 0, "what is settled has no body any more");
    });
  },
);

reports_test("of an outage, of tacho or of the receiver, the last that was due is sent alone", async (database) => {
  await new Payments(database).take_in([5, 3]);
  const at = { minute: 0 };
  await with_receiver((count) => count === 1 ? 500 : 200, async (url, heard) => {
    const one = keeper_of(database, at, [definition("morning", url)]);
    await one.keeper.look();
    at.minute = SEVEN;
    await one.keeper.look();
    assert.equal(await bodies(database), 1);
    // For two days nobody looks, and nothing is sent.
    at.minute = SEVEN + 2 * DAY + 30;
    await one.keeper.look();
    await one.keeper.look();
    assert.deepEqual(await told(database), [
      "morning 28 07:00 begun",
      "morning 01 07:00 replaced",
      "morning 03 07:00 waits",
    ]);
    assert.equal(await bodies(database), 1);
    one.start();
    await until("it was taken", async () => {
      await hurry(database);
      return (await told(database)).includes("morning 03 07:00 delivered");
    });
    await one.stop();
    assert.deepEqual(heard.map(({ id }) => id), Array(2).fill("log.morning.2026-03-03T07:00:00.000000Z"));
  });
});

reports_test("what cannot be made or delivered is told, and holds up no other", async (database) => {
  await new Payments(database).take_in([5, 3]);
  const at = { minute: 0 };
  await with_receiver(() => 204, async (url, heard) => {
    const long = "from=2025-01-01T00:00:00Z&to=2026-01-20T00:00:00Z&city=Wien&payment_method=card";
    const one = keeper_of(database, at, [
      definition("a-long", url, { view: long }),
      definition("b-nobody", "http://127.0.0.1:1/of-a-secret?key=hush"),
      definition("c-items", url, { figure: "captured" }),
      definition("d-picture", url, { as: "picture" }),
    ]);
    await one.keeper.look();
    at.minute = SEVEN;
    one.start();
    await until("two were taken", () => heard.length === 2);
    await until("the others' troubles are told", () => {
      const { deliveries, troubles } = one.keeper.standing();
      const waiting = deliveries.filter(({ waiting }) => waiting > 0);
      return troubles.has("a-long") && waiting.length === 1 && waiting[0]!.trouble !== null;
    });
    const { deliveries, troubles } = one.keeper.standing();
    await one.stop();
    assert.match(troubles.get("a-long")!, /expected 200, got 400: .*expected a shorter range/);
    assert.deepEqual(deliveries.filter(({ waiting }) => waiting > 0).map(({ receiver }) => receiver), ["b-nobody"]);
    assert.doesNotMatch(JSON.stringify([deliveries, one.lines]), /of-a-secret|hush|nobody is told|127\.0\.0\.1:1\b/);
    assert.deepEqual(one.lines.filter(([level]) => level === "warn").map(([, text]) => text).sort(), [
      "a report cannot be made; trying again",
      "a report was not delivered; trying again",
    ]);
    const [items, picture] = ["c-items", "d-picture"].map((name) =>
      heard.find(({ headers }) => headers.get("tacho-report") === name)!
    );
    assert.equal(text_of(items!.body).trim().split("\r\n").length, 4, "its head, and an item each");
    assert.equal(picture!.headers.get("content-type"), "image/svg+xml");
    assert.match(text_of(picture!.body), /^<svg [\s\S]*2026-03-01 06:00 to 2026-03-01 07:00, UTC[\s\S]*<\/svg>\n$/);
  });
});

reports_test("a report that is too long is not made, and says what to do", async (database) => {
  const answer = () => Promise.resolve(new Response("x".repeat((8 << 20) + 1)));
  const file = read_reports_file(JSON.stringify({ reports: { payments: [definition("all", "http://a/")] } }), [
    "payments",
  ]);
  assert.ok(file.ok);
  const read = read_reports_of(PAYMENTS_DOMAIN.board, "payments", file.file);
  assert.ok(read.ok);
  await assert.rejects(
    make_report({ ...source_of(database), answer }, read.reports[0]!, minute_us(SEVEN)),
    /expected at most 8388608 bytes, got 8388609; ask for less/,
  );
});
