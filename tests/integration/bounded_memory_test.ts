import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress, gzipSync, zstdCompressSync } from "node:zlib";
import { trips_domain } from "../../src/domains/trips/mod.ts";
import { json_rows } from "../../src/files/json_rows.ts";
import { open_record_file } from "../../src/files/mod.ts";
import { read_fetch_answer } from "../../src/ingest/kafka/records/fetch_answer.ts";
import { read_records } from "../../src/ingest/kafka/records/record_batch.ts";
import { FIRST_BYTES } from "../../src/ingest/kafka/records/codecs.ts";
import type { SourceMessage } from "../../src/ingest/message_source.ts";
import { PlainEvents } from "../../src/ingest/decode/plain_event.ts";
import { stated_fault } from "../../src/ingest/decode/decode.ts";
import { int, joined, varint, write_answer, write_batch, write_record } from "../support/record_batches.ts";

/** What memory a reading takes, as the process has it: in a process of its own, without other tests beside it. */

const BEFORE = new TextEncoder().encode("before"), AFTER = new TextEncoder().encode("after");

async function read_all(batch: Uint8Array, between: () => void) {
  const [found] = read_fetch_answer(11, write_answer(11, [{ batches: [batch] }])).topics[0]!.partitions;
  const messages: SourceMessage[] = [];
  for (const packed of found!.batches) {
    const limits = { most_bytes: 10_000, between: () => Promise.resolve(between()) };
    for await (const run of read_records(packed, 0, limits)) messages.push(...run);
  }
  return messages;
}

/** Packs a record of so many zeros between two others, without ever holding it. */
async function pack_zeros(packer: Transform, bytes: number): Promise<Uint8Array> {
  const step = new Uint8Array(1 << 20);
  const head = joined(int(8, 0), varint(0), varint(1), varint(-1), varint(bytes));
  async function* parts() {
    yield joined(write_record({ value: BEFORE }), varint(head.length + bytes + 1), head);
    for (let left = bytes; left > 0; left -= step.length) yield step.subarray(0, Math.min(left, step.length));
    yield joined(varint(0), write_record({ value: AFTER }, 2));
  }
  const packed: Uint8Array[] = [];
  await pipeline(Readable.from(parts()), packer, async (pieces: AsyncIterable<Uint8Array>) => {
    for await (const piece of pieces) packed.push(piece);
  });
  return joined(...packed);
}

Deno.test("300 MB of zeros are unpacked within bounds, and can be left in the middle", async () => {
  const bytes = 300_000_000;
  const expected = createHash("sha256");
  for (let left = bytes; left > 0; left -= 1e6) expected.update(new Uint8Array(1e6));
  const end = expected.digest("hex");
  for (const [codec, packer] of [[1, createGzip()], [4, createZstdCompress()]] as const) {
    const batch = write_batch({ base_offset: 5, codec, packed: await pack_zeros(packer, bytes), count: 3 });
    assert.ok(batch.length < 400_000);
    const before_bytes = Deno.memoryUsage().rss;
    let most_bytes = 0, breaths = 0;
    const found = await read_all(batch, () => {
      if (++breaths % 20 === 0) most_bytes = Math.max(most_bytes, Deno.memoryUsage().rss);
    });
    assert.deepEqual(found.map(({ value }) => value!.length), [6, FIRST_BYTES, 5]);
    assert.ok(stated_fault(found[1]!)!.detail.endsWith(end));
    assert.ok(breaths > 300, `${breaths} breaths`);
    assert.ok(most_bytes - before_bytes < 150e6, `${most_bytes - before_bytes} bytes`);
    const left = new Error("left");
    const leave = () => {
      throw left;
    };
    await assert.rejects(() => read_all(batch, leave), (error) => error === left);
  }
});

/** Zstd that refers back as far as is read at most. */
const far = (bytes: Uint8Array | string) =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 } });

for (const [packing, ending, pack] of [["gzip", "gz", gzipSync], ["zstd", "zst", far]] as const) {
  Deno.test(`${packing} that unpacks to hundreds of megabytes of one line is read through in little memory`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "tacho_files_" });
    try {
      // Members or frames one behind the other: 600 MB of zeros from less than 600 kB.
      const member = pack(new Uint8Array(100_000_000));
      assert.ok(member.length < 100_000);
      const path = `${folder}/a.csv.${ending}`;
      await Deno.writeFile(path, pack("a,b\n1,x\n"));
      for (let i = 0; i < 6; i++) await Deno.writeFile(path, member, { append: true });
      await Deno.writeFile(path, pack("\n2,y\n"), { append: true });
      const before = Deno.memoryUsage().rss;
      let most = 0;
      const rows = [];
      for await (const batch of (await open_record_file(path)).rows()) {
        rows.push(...batch.rows);
        most = Math.max(most, Deno.memoryUsage().rss - before);
      }
      assert.deepEqual(rows.map(({ line, record }) => [line, record?.a ?? null]), [[2, "1"], [3, null], [4, "2"]]);
      assert.ok(most < 300_000_000, `${most} bytes of memory`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("JSON: arrays of any length are read in little memory, and so are records that are too long", async () => {
  const record = JSON.stringify({ id: 1, note: "x".repeat(1_000) });
  const long = JSON.stringify({ id: 2, note: ["y".repeat(1 << 20), ...Array<number>(4 << 20).fill(1)] });
  const parts = 500_000;
  const pieces = async function* () {
    yield { text: '{"meta":[1,2],"skipped":[', share: 0 };
    for (let i = 0; i < 10; i++) yield { text: `${long},`, share: 0 };
    yield { text: '0],"trips":[', share: 0 };
    for (let i = 0; i < parts; i += 100) yield { text: `${record},`.repeat(100), share: 0 };
    yield { text: `${long},${record}]}`, share: 1 };
  };
  const before = Deno.memoryUsage().rss;
  let most = 0, count = 0;
  const faults: string[] = [];
  for await (const { rows } of json_rows(pieces(), ["trips"])) {
    for (const row of rows) {
      if (row.record === null) faults.push(`${row.fault.reason} ${row.text.length}`);
      else count++;
    }
    most = Math.max(most, Deno.memoryUsage().rss - before);
  }
  assert.deepEqual([count, faults], [parts + 1, ["too_large 1000"]]);
  // Of 600 MB.
  assert.ok(most < 400_000_000, `${most} bytes of memory`);
});

Deno.test("ids and fields of decoded events keep no message alive", () => {
  const plain = new PlainEvents(trips_domain({ currency: "USD" }));
  const encoder = new TextEncoder();
  const note = "x".repeat(3_000);
  const before = Deno.memoryUsage().rss;
  const kept: unknown[] = [];
  let most = 0;
  for (let i = 0; i < 200_000; i++) {
    const ids =
      `"event_id":"an event's long id ${i}","trip_id":"a trip's long id ${i}","driver_id":"a driver's long id ${i}"`;
    const text = `{${ids},"type":"trip.started","occurred_at":"2026-03-01T09:31:02Z","note":"${note}"}`;
    const { event } = plain.read({ topic: "trips", partition: 0, offset: i }, encoder.encode(text), 4e15)!;
    kept.push(event.stream_id, event.event_id, event.payload);
    if (i % 1_000 === 0) most = Math.max(most, Deno.memoryUsage().rss - before);
  }
  assert.equal(kept.length, 600_000);
  // Of 640 MB.
  assert.ok(most < 400_000_000, `${most} bytes of memory`);
});
