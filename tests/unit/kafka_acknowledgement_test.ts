import assert from "node:assert/strict";
import { send_acknowledged } from "../../src/ingest/kafka/kafka_producer.ts";

/** A client that places messages in two partitions and tells which were written, try by try. */
function client(...written: readonly number[][]) {
  let tries = 0;
  return {
    send: () => Promise.resolve({ placed: new Set([0, 3]), acknowledged: new Set(written[tries++] ?? []) }),
    tries: () => tries,
  };
}

Deno.test("what no broker acknowledged is sent again", async () => {
  const sound = client([3, 0]);
  await send_acknowledged(sound.send);
  assert.equal(sound.tries(), 1);

  const dropping = client([0], [], [0, 3]);
  await send_acknowledged(dropping.send);
  assert.equal(dropping.tries(), 3);
});

Deno.test("messages that stay without an answer are an error, never a success", async () => {
  const dropping = client([0], [0], [0], [0]);
  await assert.rejects(send_acknowledged(dropping.send), /no broker acknowledged partitions 3 in 4 tries/);
  assert.equal(dropping.tries(), 4);
});
