import assert from "node:assert/strict";
import { LifeSigns } from "../../src/ingest/kafka/kafka_trouble.ts";

/** Signs in a time that a test moves. */
function set_up() {
  let now_ms = 0;
  const signs = new LifeSigns({ now_ms: () => now_ms });
  return { signs, pass: (ms: number) => now_ms += ms, silence: () => [signs.silence().ms, signs.silence().what] };
}

const COORDINATOR = "the group's coordinator has not answered";

Deno.test("before the first join any answer is a sign of life", () => {
  const { signs, pass, silence } = set_up();
  pass(3_000);
  assert.deepEqual(silence(), [3_000, "the brokers have not answered"]);
  signs.answered("Metadata");
  pass(1_000);
  assert.deepEqual(silence(), [1_000, "the brokers have not answered"]);
});

Deno.test("after it fetches do not speak for the group, and the group not for fetches", () => {
  const { signs, pass, silence } = set_up();
  signs.joined();
  for (let beats = 0; beats < 5; beats++) {
    signs.fetch_began("1");
    pass(1_000);
    signs.answered("Fetch");
    signs.fetched("1");
  }
  assert.deepEqual(silence(), [5_000, COORDINATOR]);
  signs.fetch_began("1");
  for (let beats = 0; beats < 5; beats++) {
    pass(1_000);
    signs.answered("Heartbeat");
  }
  assert.deepEqual(silence(), [5_000, "broker 1 has not answered a fetch"]);
});

Deno.test("a broker that answers does not speak for another one, however often that one is asked", () => {
  const { signs, pass, silence } = set_up();
  signs.joined();
  signs.fetch_began("1");
  for (let rounds = 0; rounds < 14; rounds++) {
    if (rounds === 10) signs.fetch_began("1");
    signs.fetch_began("2");
    pass(1_000);
    signs.answered("Heartbeat");
    signs.fetched("2");
  }
  assert.deepEqual(silence(), [14_000, "broker 1 has not answered a fetch"]);
});

Deno.test("a broker that is asked no more is forgotten", () => {
  const { signs, pass, silence } = set_up();
  signs.joined();
  signs.fetch_began("1");
  pass(12_001);
  signs.answered("Heartbeat");
  assert.deepEqual(silence(), [0, COORDINATOR]);
});

Deno.test("a join that is answered makes no fetch around it late", () => {
  const { signs, pass, silence } = set_up();
  signs.joined();
  signs.fetch_began("1");
  pass(10_000);
  signs.answered("JoinGroup");
  pass(9_000);
  assert.deepEqual(silence(), [9_000, COORDINATOR]);
});

Deno.test("a question counts until it is answered or refused", async () => {
  const { signs, pass, silence } = set_up();
  signs.joined();
  const answer = Promise.withResolvers<string>();
  const refusal = Promise.withResolvers<string>();
  const asked = signs.ask(() => answer.promise);
  pass(4_000);
  const refused = signs.ask(() => refusal.promise);
  pass(4_000);
  signs.answered("Heartbeat");
  assert.deepEqual(silence(), [8_000, "the brokers have not told the ends of the logs"]);
  answer.resolve("told");
  assert.equal(await asked, "told");
  assert.equal(silence()[0], 4_000);
  refusal.reject(new Error("refused"));
  await assert.rejects(refused, /refused/);
  assert.deepEqual(silence(), [0, COORDINATOR]);
});
