import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { trips_board } from "../../src/domains/trips/mod.ts";
import { BoardReader } from "../../src/feed/reader.ts";
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
  const reader = new BoardReader(source, { now_ms: () => clock.ms }, silent, () => 0);
  return { clock, reader, reading: reader.read(new Map(), []) };
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
