import assert from "node:assert/strict";
import { read_fetch_answer, type Slice, slices } from "../../src/ingest/kafka/records/fetch_answer.ts";
import { write_answer, write_batch } from "../support/record_batches.ts";

/** Cuts record batches, given as the offset and the size of each of their messages. */
async function cut(batches: readonly (readonly [number, number?][])[], from: number, messages = 2, bytes = 100) {
  const written = batches.map((offsets) =>
    write_batch({
      base_offset: offsets[0]![0],
      records: offsets.map(([at, size = 1]) => ({
        offset_delta: at - offsets[0]![0],
        value: new Uint8Array(size),
      })),
      last_offset_delta: offsets.at(-1)![0] - offsets[0]![0],
    })
  );
  const [fetched] = read_fetch_answer(11, write_answer(11, [{ batches: written }])).topics[0]!.partitions;
  const found: Slice[] = [];
  const all = { topic: "t", partition: 3, batches: fetched!.batches, next_offset: fetched!.next_offset! };
  const limits = { most_bytes: 1 << 20, between: () => Promise.resolve() };
  for await (const slice of slices(all, from, { messages, bytes }, limits)) found.push(slice);
  return found.map(({ batch, bytes }) => [batch.from_offset, batch.next_offset, batch.messages.length, bytes]);
}

Deno.test("slices follow each other without holes, the last one behind what the fetch covered", async () => {
  assert.deepEqual(await cut([[[5], [6], [7]]], 5), [[5, 7, 2, 2], [7, 8, 1, 1]]);
  assert.deepEqual(await cut([[[5], [9], [20]]], 3), [[3, 20, 2, 2], [20, 21, 1, 1]]);
});

Deno.test("small batches are joined to slices, and messages below where reading begins are left out", async () => {
  assert.deepEqual(await cut([[[5]], [[6]], [[9]], [[12], [13]]], 6, 3), [[6, 13, 3, 3], [13, 14, 1, 1]]);
  assert.deepEqual(await cut([[[5], [6]]], 7), [[7, 7, 0, 0]]);
});

Deno.test("a slice keeps to the bytes, and a larger message is alone", async () => {
  const sizes: readonly [number, number?][] = [[0, 60], [1, 60], [2, 500], [3, 1]];
  assert.deepEqual(await cut([sizes], 0, 9), [[0, 1, 1, 60], [1, 2, 1, 60], [2, 3, 1, 500], [3, 4, 1, 1]]);
});
