import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { type AlertMessage, keep_delivering, read_deliveries, type Receiver, webhook } from "../../src/alerts/mod.ts";
import type { OpenedDatabase } from "../../src/database/mod.ts";
import { WakeUp } from "../../src/runtime/mod.ts";
import { RULED, runtime_of } from "../support/alerted_log.ts";
import { tacho_test } from "../support/available.ts";
import { with_payments } from "../support/told_payments.ts";
import { until } from "../support/until.ts";

const SECRET = "a secret that nobody is told";

/** A request that a receiver heard, and when it began to be answered. */
interface Heard {
  readonly body: string;
  readonly headers: Headers;
}

/** Lends a receiver that answers as it is told. */
async function with_server(
  answer: (heard: Heard, count: number) => Response | Promise<Response>,
  work: (url: string, heard: readonly Heard[]) => Promise<void>,
): Promise<void> {
  const heard: Heard[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const each = { body: await request.text(), headers: request.headers };
    heard.push(each);
    return await answer(each, heard.length);
  });
  try {
    await work(`http://127.0.0.1:${server.addr.port}/hook/of-a-secret`, heard);
  } finally {
    await server.shutdown();
  }
}

/** Notes changes to `firing` of some rules, for receivers. */
async function note(database: OpenedDatabase, rules: readonly string[], receivers: readonly string[]): Promise<void> {
  for (const rule of rules) {
    const [row] = await database.query(
      `insert into alert_changes (rule, definition, from_phase, to_phase, why, since, window_from, window_to, figure)
       values ($1, $2::jsonb, 'ok', 'firing', 'window', '2026-03-01T00:00Z', '2026-03-01T00:00Z', '2026-03-01T00:05Z', 3) returning change_id`,
      [rule, JSON.stringify({ name: rule, figure: "captured", below: 10, note: "call Ada" })],
    );
    for (const receiver of receivers) {
      await database.execute("insert into alert_deliveries (receiver, change_id, rule) values ($1, $2::bigint, $3)", [
        receiver,
        String(row!.change_id),
        rule,
      ]);
    }
  }
}

/** Delivers while work goes on. */
async function delivering(
  database: OpenedDatabase,
  receivers: readonly Receiver[],
  work: () => Promise<void>,
): Promise<ReturnType<typeof runtime_of>["lines"]> {
  const end = new AbortController(), { runtime, lines } = runtime_of(end.signal);
  const source = { database, board: RULED.board, domain: "payments", log_id: "log", receivers, noted: new WakeUp() };
  const running = keep_delivering(runtime, source).catch((error) => {
    if (!end.signal.aborted) throw error;
  });
  try {
    await work();
  } finally {
    end.abort(new Error("the test is over"));
    await running;
  }
  return lines;
}

const hook = (name: string, url: string, timeout_ms = 10_000): Receiver =>
  webhook(name, url, SECRET, { now_ms: () => 1_700_000_000_000, timeout_ms });
/** Whoever fails is tried again at once. */
const hurry = (database: OpenedDatabase) =>
  database.execute(
    "update alert_deliveries set next_try_at = now() where settled_at is null and claimed_until < now()",
  );
const settled = (database: OpenedDatabase, many: number) =>
  until(`${many} are settled`, async () => {
    await hurry(database);
    const [row] = await database.query("select count(*)::int as n from alert_deliveries where settled_at is not null");
    return row!.n === many;
  });
const id_of = ({ body }: Heard): string => (JSON.parse(body) as AlertMessage).id;

const deliveries_test = (name: string, fn: (database: OpenedDatabase) => Promise<void>) =>
  tacho_test({ name, needs: ["postgres"], fn: () => with_payments(fn) });

deliveries_test("a change arrives signed, by its id, in words and in figures", async (database) => {
  await with_server(() => new Response(null, { status: 204 }), async (url, heard) => {
    await note(database, ["few"], ["ops"]);
    await delivering(database, [hook("ops", url)], () => settled(database, 1).then(() => {}));
    assert.equal(heard.length, 1);
    const { body, headers } = heard[0]!;
    const wanted = createHmac("sha256", SECRET).update(`1700000000.${body}`).digest("hex");
    assert.equal(headers.get("tacho-signature"), `v1=${wanted}`);
    assert.equal(headers.get("tacho-timestamp"), "1700000000");
    const message = JSON.parse(body) as AlertMessage;
    assert.equal(headers.get("tacho-id"), message.id);
    assert.equal(message.text, "payments few fires: captured below 10, is 3, since 2026-03-01T00:00:00.000000Z");
    assert.deepEqual([message.value, message.unit, message.note, message.state], [3, "count", "call Ada", "firing"]);
  });
});

deliveries_test(
  "a receiver that fails, redirects or breaks off is tried again with the same id, in order of the rule",
  async (database) => {
    const answers = [
      () => new Response("no", { status: 503 }),
      () => Response.redirect("http://127.0.0.1:1/elsewhere", 307),
      () => new Response("x".repeat(1 << 20), { status: 500 }),
      () => new Response(null, { status: 200 }),
    ];
    await with_server((_, count) => (answers[count - 1] ?? answers[3]!)(), async (url, heard) => {
      await note(database, ["few", "few", "few"], ["ops"]);
      const lines = await delivering(database, [hook("ops", url)], () => settled(database, 3).then(() => {}));
      const ids = heard.map(id_of);
      assert.deepEqual(ids.slice(0, 4), Array(4).fill(ids[0]), "nothing of the rule overtakes what fails");
      assert.deepEqual(ids.slice(3), [...new Set(ids)]);
      assert.deepEqual(ids, ids.toSorted());
      assert.ok(lines.some(([, text]) => text.startsWith("an alert was not delivered")));
    });
  },
);

deliveries_test(
  "what is said of a receiver that cannot be reached has neither its address nor the secret",
  async (database) => {
    await note(database, ["few"], ["ops"]);
    const lines = await delivering(
      database,
      [hook("ops", "http://127.0.0.1:1/hook/of-a-secret?key=hush")],
      async () => {
        await until("it was tried", async () => (await read_deliveries(database))[0]?.trouble);
      },
    );
    const { trouble, waiting } = (await read_deliveries(database))[0]!;
    assert.equal(waiting, 1);
    assert.doesNotMatch(trouble! + JSON.stringify(lines), /of-a-secret|hush|nobody is told|127\.0\.0\.1:1\b/);
  },
);

deliveries_test("a slow receiver holds up no other, and is given up after its time", async (database) => {
  const free = Promise.withResolvers<void>();
  await with_server(async () => {
    await free.promise;
    return new Response();
  }, async (slow_url, heard_slow) => {
    await with_server(() => new Response(), async (url, heard) => {
      await note(database, ["a", "b", "c", "d"], ["slow", "ops"]);
      const receivers = [hook("slow", slow_url, 300), hook("ops", url)];
      await delivering(database, receivers, async () => {
        await until("the other has all", () => heard.length === 4);
        await until("the slow one was told of each", async () => {
          await hurry(database);
          return heard_slow.length >= 4;
        });
        await until(
          "the slow one was told why",
          async () =>
            /within 0.3 s, got none/.test(
              (await read_deliveries(database)).find((each) => each.receiver === "slow")?.trouble ?? "",
            ),
        );
      });
    });
    free.resolve();
  });
});

deliveries_test(
  "two programs deliver together: each message arrives, of a rule in order, and is claimed by one at a time",
  async (database) => {
    await with_server((_, count) => new Response(null, { status: count % 5 === 0 ? 503 : 200 }), async (url, heard) => {
      const rules = ["a", "b", "c", "d", "e"];
      for (let i = 0; i < 6; i++) await note(database, rules, ["ops"]);
      const receivers = [hook("ops", url)];
      await delivering(database, receivers, async () => {
        await delivering(database, receivers, () => settled(database, 30).then(() => {}));
      });
      const seen = new Map<string, number[]>();
      for (const each of heard) {
        const { rule, id } = JSON.parse(each.body) as AlertMessage;
        seen.set(rule, [...seen.get(rule) ?? [], Number(id.replace("log.", ""))]);
      }
      assert.deepEqual([...seen.keys()].sort(), rules);
      for (const ids of seen.values()) {
        assert.equal(new Set(ids).size, 6);
        assert.deepEqual(ids, ids.toSorted((a, b) => a - b), "none comes after a later one of its rule");
      }
    });
  },
);

deliveries_test(
  "what a program claimed and did not finish is delivered by the next when the claim has ended",
  async (database) => {
    await with_server(() => new Response(), async (url, heard) => {
      await note(database, ["few"], ["ops"]);
      await database.execute(
        "update alert_deliveries set claimed_by = gen_random_uuid(), claimed_until = now() + interval '1 hour', attempts = 1",
      );
      await delivering(database, [hook("ops", url)], async () => {
        await note(database, ["other"], ["ops"]);
        await until("the other came", () => heard.length === 1);
        await database.execute(
          "update alert_deliveries set claimed_until = now() - interval '1 second' where settled_at is null",
        );
        await settled(database, 2);
      });
      assert.equal(heard.length, 2);
    });
  },
);

deliveries_test(
  "what a receiver did not take for three days is given up, and what follows is delivered",
  async (database) => {
    await with_server((_, count) => new Response(null, { status: count === 1 ? 500 : 200 }), async (url, heard) => {
      await note(database, ["few", "few"], ["ops"]);
      await database.execute(
        "update alert_changes set changed_at = now() - interval '4 days' where change_id = (select min(change_id) from alert_changes)",
      );
      await delivering(database, [hook("ops", url)], () => settled(database, 2).then(() => {}));
      assert.equal(heard.length, 2);
      assert.deepEqual(await read_deliveries(database), [{ receiver: "ops", waiting: 0, given_up: 1, trouble: null }]);
    });
  },
);

deliveries_test("a program that ends leaves what it was sending to others at once", async (database) => {
  const asked = Promise.withResolvers<void>(), free = Promise.withResolvers<void>();
  await with_server(async () => {
    asked.resolve();
    await free.promise;
    return new Response();
  }, async (url) => {
    await note(database, ["few"], ["ops"]);
    await delivering(database, [hook("ops", url)], () => asked.promise);
    const [row] = await database.query(
      "select claimed_until < now() and next_try_at <= now() as free, settled_at is null as waits, trouble from alert_deliveries",
    );
    assert.deepEqual(row, { free: true, waits: true, trouble: "the program ended while it was sent" });
    free.resolve();
  });
});
