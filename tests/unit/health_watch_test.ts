import assert from "node:assert/strict";
import type { Database, Row } from "../../src/database/mod.ts";
import { until } from "../support/until.ts";
import { HealthWatch, readiness_of } from "../../src/verbs/parts/health_watch.ts";

const HEAD: Row = { log_id: "1", position: "7", batch: "1", messages_read: "7", held: 2 };

/** A database whose next answer the test gives; nothing else of it is used. */
class AskedDatabase {
  kind: Database["kind"] = "server";
  answer: () => Promise<Row[]> = () => Promise.resolve([HEAD]);
  query: (statement?: unknown) => Promise<Row[]> = () => this.answer();
}

async function with_watch(test: (asked: AskedDatabase, watch: HealthWatch, clock: { ms: number }) => Promise<void>) {
  const asked = new AskedDatabase(), clock = { ms: 1_000 };
  const ingest = { status: () => ({ state: "running" as const, reason: null, since_ms: 1_000 }), lag: () => 0 };
  const watch = new HealthWatch(
    asked as unknown as Database,
    { ...ingest, events_per_s: () => 0, source: "kafka" },
    { now_ms: () => clock.ms },
  );
  await test(asked, watch, clock);
  watch.close();
}

Deno.test("a database that does not answer is so since its first failure, whatever the later ones say", () =>
  with_watch(async (asked, watch, clock) => {
    await watch.ask();
    assert.equal(watch.now().position, 7);
    assert.deepEqual(watch.now().database, { ok: true, since_ms: 1_000, reason: null });
    for (const [ms, reason] of [[2_000, "refused"], [3_000, "reset"], [9_000, "refused"]] as const) {
      clock.ms = ms;
      asked.answer = () => Promise.reject(new Error(reason));
      await watch.ask();
      assert.deepEqual(watch.now().database, { ok: false, since_ms: 2_000, reason });
    }
    const [database, ingest] = readiness_of(watch.now());
    const reason = "does not answer since 1970-01-01T00:00:02.000Z: refused";
    assert.deepEqual(database, { name: "database", ok: false, reason });
    assert.deepEqual(ingest, { name: "ingest", ok: true, reason: null });
    clock.ms = 10_000;
    asked.answer = () => Promise.resolve([HEAD]);
    await watch.ask();
    assert.deepEqual(watch.now().database, { ok: true, since_ms: 10_000, reason: null });
  }));

Deno.test("ingest that runs with a remark is ready, and says it", () =>
  with_watch((_, watch) => {
    const health = watch.now();
    const narrowed = { ...health, ingest: { ...health.ingest, reason: "2 partitions are read by others" } };
    assert.deepEqual(readiness_of(narrowed)[1], {
      name: "ingest",
      ok: true,
      reason: "2 partitions are read by others",
    });
    return Promise.resolve();
  }));

Deno.test("a gap that the log keeps is told beside what ingest says, and not twice where ingest stopped at one", () =>
  with_watch(async (asked, watch) => {
    const row = { count: 8 };
    const gap = {
      topic: "t",
      partition: 0,
      kind: "truncated",
      cursor: 9,
      first_available: 0,
      end: 4,
      noticed_at: "2026-03-01T12:00:00.000000Z",
    };
    asked.answer = () => Promise.resolve([{ ...HEAD, ...row, gap }]);
    await watch.ask();
    assert.equal(watch.open_gaps(), 8);
    const { ingest } = watch.now();
    assert.match(
      ingest.reason ?? "",
      /^t\/0 ends at offset 4, .* noticed at 2026-03-01T12:00:00.000000Z; 7 more gaps$/,
    );
    assert.match(ingest.advice ?? "", /tacho accept-gap/);
    const health = watch.now();
    const reading = { ...health, ingest: { ...ingest, source: "elsewhere" as const } };
    assert.match(readiness_of(reading)[0]?.reason ?? "", /^this program only reads; another one writes the log; t\/0 /);
  }));

Deno.test("a rebuild is told with how much of the log it has come to; a role that may not know of any tells of none", () =>
  with_watch(async (asked, watch) => {
    const row = { name: "v2", percent: "12", fault: null };
    asked.answer = () => Promise.resolve([{ ...HEAD, ...row, read: true, gap: null }]);
    await watch.ask();
    assert.deepEqual(watch.now().rebuilding, { name: "v2", percent: 12, fault: null });
    assert.equal(readiness_of(watch.now()).every(({ ok }) => ok), true);
    asked.answer = () => Promise.resolve([{ ...HEAD, ...row, read: false, gap: null }]);
    await watch.ask();
    assert.equal("rebuilding" in watch.now(), false);
  }));

Deno.test("a database that hangs does not answer, since it was asked, and nobody waits for it to be told", () =>
  with_watch(async (asked, watch, clock) => {
    const answer = Promise.withResolvers<Row[]>();
    asked.answer = () => answer.promise;
    clock.ms = 2_000;
    const asking = watch.ask();
    clock.ms = 6_000;
    assert.equal(watch.now().database.ok, true, "it may be slow");
    clock.ms = 7_000;
    const hanging = { ok: false, since_ms: 2_000, reason: "a question was asked and not answered" };
    assert.deepEqual(watch.now().database, hanging);
    clock.ms = 30_000;
    answer.reject(new Error("reset"));
    await asking;
    assert.deepEqual(watch.now().database, { ok: false, since_ms: 2_000, reason: "reset" });
  }));

Deno.test("the embedded database may be busy for as long as it likes: it is slow, and ready, until it fails", () =>
  with_watch(async (asked, watch, clock) => {
    asked.kind = "embedded";
    const answer = Promise.withResolvers<Row[]>();
    asked.answer = () => answer.promise;
    clock.ms = 2_000;
    const asking = watch.ask();
    clock.ms = 6_999;
    assert.deepEqual(watch.now().database, { ok: true, since_ms: 1_000, reason: null });
    clock.ms = 60_000;
    const slow = { ok: true, since_ms: 1_000, reason: null, slow_since_ms: 2_000 };
    assert.deepEqual(watch.now().database, slow);
    assert.equal(readiness_of(watch.now())[0]?.ok, true);
    answer.resolve([HEAD]);
    await asking;
    assert.deepEqual(watch.now().database, { ok: true, since_ms: 1_000, reason: null });
    asked.answer = () => Promise.reject(new Error("it broke"));
    await watch.ask();
    assert.deepEqual(watch.now().database, { ok: false, since_ms: 60_000, reason: "it broke" });
  }));

Deno.test("a database that takes nothing in is read-only since it was first seen so, and not ready, though it answers", () =>
  with_watch(async (asked, watch, clock) => {
    for (
      const [ms, row, reason] of [
        [2_000, { read_only: true }, /^is read-only since 1970-01-01T00:00:02.000Z: .*default_transaction_read_only/],
        [3_000, { read_only: true, in_recovery: true }, /^is read-only since 1970-01-01T00:00:02.000Z: .*standby/],
      ] as const
    ) {
      clock.ms = ms;
      asked.answer = () => Promise.resolve([{ ...HEAD, ...row }]);
      await watch.ask();
      const { ok, since_ms } = watch.now().database;
      assert.deepEqual([ok, since_ms], [true, 1_000]);
      const [database] = readiness_of(watch.now());
      assert.equal(database?.ok, false);
      assert.match(database?.reason ?? "", reason);
    }
    asked.answer = () => Promise.resolve([HEAD]);
    await watch.ask();
    assert.equal(readiness_of(watch.now())[0]?.ok, true);
  }));

Deno.test("how many are held is told as the head has it, and stands while the database is away", () =>
  with_watch(async (asked, watch) => {
    await watch.ask();
    assert.equal(watch.now().quarantined, 2);
    asked.answer = () => Promise.reject(new Error("refused"));
    await watch.ask();
    assert.equal(watch.now().quarantined, 2);
  }));

Deno.test("hints by the hundred ask the database at once and then four times a second, and the last one is not forgotten", async () => {
  const { setInterval } = globalThis;
  // Without its look every second.
  globalThis.setInterval = (() => 0) as unknown as typeof setInterval;
  try {
    await with_watch(async (asked, watch, clock) => {
      let heads = 0;
      asked.query = (statement) => {
        if (JSON.stringify(statement).includes("log_head")) heads++;
        return Promise.resolve([HEAD]);
      };
      for (let hint = 0; hint < 100; hint++) watch.hint();
      assert.equal(heads, 1);
      clock.ms += 200;
      watch.hint();
      assert.equal(heads, 1);
      await until("the last hint is followed", () => heads === 2);
      clock.ms += 250;
      watch.hint();
      assert.equal(heads, 3);
    });
  } finally {
    globalThis.setInterval = setInterval;
  }
});
