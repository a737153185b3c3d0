import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { discard_held } from "../../src/event_log/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_retry, RAISED } from "../support/held_messages.ts";
import { type Answer, make_intake_side, NOON_MS } from "../support/intake_side.ts";
import { CHAIN_START, follow_chain } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { whole_trip } from "../support/trip_events.ts";
import { LIMITS, migrated } from "../support/trip_pipeline.ts";
import { verified } from "../support/verified_log.ts";

/** What is faulty and posted again comes at a new place of its topic: its content makes it the same. */

function posted_test(name: string, fn: (database: Database, other: Database) => Promise<void>): void {
  tacho_test({
    name: `posted again: ${name}`,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const open = (connections: number) => open_database({ url, data_dir: null, connections });
      const database = await open(4), other = await open(2);
      try {
        await fn(database, other);
        // Whatever happened, every row is what the batch that wrote it last noted, and all accounts add up.
        const { faults, only_counted } = await verified(database);
        assert.deepEqual([faults, only_counted], [[], 0]);
        assert.equal((await follow_chain((sql) => database.query(sql), CHAIN_START)).fault, null);
      } finally {
        await database.close();
        await other.close();
      }
    },
  });
}

// deno-lint-ignore no-explicit-any -- answers are JSON
const results = (answer: Answer): any[] => {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.results;
};
const rows = (database: Database) =>
  database.query(
    "select topic, message_offset::integer as at, attempts, status, posted from quarantine order by quarantine_id",
  );
const BAD = { ...whole_trip("A")[0], occurred_at: "yesterday" };

posted_test(
  "a faulty message is one row, however often, also within one request and after a restart",
  async (database) => {
    const { post } = await make_intake_side(database);
    const first = results(await post(BAD))[0];
    assert.partialDeepStrictEqual(first, { status: "quarantined", offset: 0, quarantine_id: 1, attempts: 1 });
    assert.partialDeepStrictEqual(results(await post(BAD))[0], { offset: 1, quarantine_id: 1, attempts: 2 });
    const { post: restarted } = await make_intake_side(database);
    const other = { ...BAD, occurred_at: "tomorrow" };
    const together = results(await restarted([BAD, other, ...whole_trip("B"), BAD, other]));
    const second = together[1].quarantine_id;
    assert.notEqual(second, 1);
    assert.deepEqual(together.map(({ status, quarantine_id, attempts }) => [status, quarantine_id, attempts]), [
      ["quarantined", 1, 4],
      ["quarantined", second, 2],
      ["admitted", undefined, undefined],
      ["admitted", undefined, undefined],
      ["admitted", undefined, undefined],
      ["quarantined", 1, 4],
      ["quarantined", second, 2],
    ]);
    const held = { topic: "http", status: "held", posted: true };
    assert.deepEqual(await rows(database), [{ ...held, at: 0, attempts: 4 }, { ...held, at: 3, attempts: 2 }]);
    const [head] = await database.query("select messages_read, quarantined, held, position from log_head");
    assert.deepEqual(head, { messages_read: "9", quarantined: "6", held: "2", position: "3" });
  },
);

posted_test(
  "the topic, the headers and each byte are part of what it is; its time and place are not",
  async (database) => {
    const { post } = await make_intake_side(database);
    const text = JSON.stringify(BAD);
    const binary = { "ce-specversion": "1.0", "ce-source": "/a", "ce-type": "trip.started", "ce-time": "yesterday" };
    for (let again = 0; again < 2; again++) {
      await post(text);
      await post(`${text} `, { "content-type": "application/x-ndjson" });
      await post(text.replace("{", "{ "));
      await post("{}", { ...binary, "ce-id": "1" });
      await post("{}", { ...binary, "ce-id": "2" });
      await post({ pickup_datetime: "?" }, {}, "?mapping=nyc_yellow");
      await post({ pickup_datetime: "?" }, {}, "?mapping=nyc_green");
    }
    const found = await rows(database);
    assert.deepEqual(
      found.map(({ topic, attempts }) => [topic, attempts]),
      [
        ["http", 2],
        ["http", 2],
        ["http", 2],
        ["http", 2],
        ["http", 2],
        ["http:nyc_yellow", 2],
        ["http:nyc_green", 2],
      ].map(([topic, attempts], i) => i === 0 ? [topic, attempts] : [topic, attempts]),
    );
  },
);

posted_test(
  "by several at the same time, through two programs, it is one row that counts each",
  async (database, other) => {
    const sides = await Promise.all([database, other].map((each) => make_intake_side(each)));
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => sides[i % 2]!.post([BAD, ...whole_trip(`T-${i}`)])),
    );
    const ids = answers.map((answer) => results(answer)[0].quarantine_id);
    assert.deepEqual(new Set(ids).size, 1, "one row");
    const counted = answers.map((answer) => results(answer)[0].attempts).sort((a, b) => a - b);
    assert.deepEqual(counted, Array.from({ length: 12 }, (_, i) => i + 1), "each counts once");
    assert.deepEqual((await rows(database)).map(({ attempts }) => attempts), [12]);
    await assert.rejects(
      database.execute(
        `insert into quarantine (topic, partition, message_offset, message_key, headers, message_value, stage, reason, detail, code_version,
          quarantined_at, posted)
        select topic, partition, 99, message_key, headers, message_value, stage, reason, detail, code_version, quarantined_at, true from quarantine`,
      ),
      /quarantine_posted_are_unique/,
      "the database refuses a second one, too",
    );
  },
);

posted_test("what was discarded is held again; what a retry admitted is a duplicate", async (database) => {
  const late = whole_trip("L").map((event) => ({ ...event, occurred_at: "2026-03-01T13:30:00Z" }));
  const { post } = await make_intake_side(database);
  await post(BAD);
  await post(late);
  const discard = { filter: { ids: [1] }, newest_id: 1e6, limit: 10, by: "Ada", reason: "a test" };
  assert.equal(await discard_held(database, discard, NOON_MS * 1000), 1);
  assert.deepEqual(results(await post(BAD))[0].attempts, 2);
  assert.deepEqual((await rows(database)).map(({ status }) => status), ["held", "held", "held", "held"]);
  await (await make_retry(database, RAISED)).run(new AbortController().signal);
  assert.deepEqual((await rows(database)).map(({ status, attempts }) => [status, attempts]), [
    ["held", 3],
    ["admitted", 2],
    ["admitted", 2],
    ["admitted", 2],
  ]);
  const { post: believing } = await make_intake_side(database, { limits: { ...LIMITS, future_limit_ms: 86_400_000 } });
  const again = results(await believing([...late, BAD]));
  assert.deepEqual(again.map(({ status, attempts }) => [status, attempts]), [
    ["duplicate", undefined],
    ["duplicate", undefined],
    ["duplicate", undefined],
    ["quarantined", 4],
  ]);
});
