import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { BoardReader } from "../../src/feed/live/reader.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { silent } from "../support/read_side.ts";

const WELL = { ok: true, since_ms: 0, reason: null };
const AWAY = { ok: false, since_ms: 500, reason: "reset" };

/** A reader on a database whose answer the test gives. */
function reader_of(answer: Promise<never>) {
  const clock = { ms: 1_000 };
  answer.catch(() => {});
  const database = { query: () => answer } as unknown as Database;
  const source = { database, board: { ...trips_board, dimensions: [] }, days: days_in("UTC") };
  const reader = new BoardReader(source, { clock: { now_ms: () => clock.ms }, logger: silent, random: () => 0 });
  return { clock, reader, reading: reader.read(() => new Map(), []) };
}

Deno.test("a reading that takes long tells of a slow database, not of one that is away", async () => {
  const answer = Promise.withResolvers<never>();
  const { clock, reader, reading } = reader_of(answer.promise);
  assert.deepEqual(reader.judge(WELL, 5_999), WELL);
  assert.deepEqual(reader.judge(WELL, 6_000), { ...WELL, slow_since_ms: 1_000 });
  assert.deepEqual(reader.judge(AWAY, 6_000), AWAY);
  clock.ms = 9_000;
  answer.reject(Object.assign(new Error("statement timeout"), { severity: "ERROR", code: "57014" }));
  assert.equal(await reading, null);
  assert.deepEqual(reader.judge(WELL, 9_000), { ...WELL, slow_since_ms: 9_000 });
});

Deno.test("a reading that fails tells of a database that is away, since the first of both to know", async () => {
  const { reader, reading } = reader_of(Promise.reject(new Error("refused")));
  assert.equal(await reading, null);
  assert.deepEqual(reader.judge(WELL, 2_000), { ok: false, since_ms: 1_000, reason: "refused" });
  assert.deepEqual(reader.judge(AWAY, 2_000), AWAY);
  assert.equal(reader.judge({ ...AWAY, since_ms: 1_500 }, 2_000).since_ms, 1_000);
});

Deno.test("after a reading the database rests by what it took beyond the turns of a busy program", async () => {
  const clock = { ms: 1_000 };
  let took_ms = 0;
  const head = { log_id: "1", position: "0", batch: "0", messages_read: "0" };
  const query = (statement: unknown) => {
    const of_head = JSON.stringify(statement).includes("from log_head");
    if (of_head) head.position = `${Number(head.position) + 1}`;
    else clock.ms += took_ms;
    return Promise.resolve(of_head ? [head] : []);
  };
  const tx = { query, execute: () => Promise.resolve(0) };
  const database = { query, transaction: (work: (given: typeof tx) => unknown) => work(tx) } as unknown as Database;
  const source = { database, board: { ...trips_board, dimensions: [] }, days: days_in("UTC") };
  const reader = new BoardReader(source, { clock: { now_ms: () => clock.ms }, logger: silent, random: () => 0 });
  for (const [took, next] of [[0, 250], [100, 250], [120, 250], [200, 700], [1_000, 5_500]] as const) {
    took_ms = took;
    const started_ms = clock.ms;
    assert.notEqual(await reader.read(() => new Map(), []), null);
    assert.equal(clock.ms - started_ms, took);
    reader.hint();
    assert.equal(reader.due_in_ms, next - took, `after ${took} ms`);
    clock.ms = started_ms + next;
    assert(reader.due);
  }
});
