import assert from "node:assert/strict";
import { CopyLines } from "../../src/database/mod.ts";
import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  type BatchHeader,
  content_hash,
  ContentHash,
  EVENT_COLUMNS,
  FIRST_LINK,
  hash_event_id,
  next_link,
  write_event_line,
} from "../../src/event_log/mod.ts";

const sha256 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};
const hex = (bytes: Uint8Array) => bytes.toHex();
const HEADER: BatchHeader = {
  batch: 1,
  kind: "append",
  first_position: 1,
  last_position: 2,
  messages_read: 4,
  admitted: 2,
  duplicates: 1,
  tombstones: 0,
  skipped: 0,
  quarantined: 1,
  late: 0,
  cursors: '[{"from":null,"partition":0,"to":4,"topic":"trips"}]',
  note: null,
  recorded_at: "2026-03-01T12:00:00.000000Z",
};
const EVENT = {
  stream_id: "T-1",
  revision: 1,
  event_id: "/fleet e\t1",
  type: "trip.started",
  schema_version: 1,
  occurred_at_us: Date.UTC(2026, 2, 1, 10) * 1000 + 1,
  data: '{"city":"a\\\\b"}',
  metadata: '{"offset":1}',
};

const line_of = (event: typeof EVENT, recorded_at: string) => {
  const lines = new CopyLines();
  write_event_line(lines, event, event.revision, event.metadata, recorded_at);
  return new TextDecoder().decode(lines.bytes);
};

Deno.test("an event's line is its row in the text form of COPY, without the position", () => {
  assert.equal(
    line_of(EVENT, HEADER.recorded_at),
    'T-1\t1\t/fleet e\\t1\ttrip.started\t1\t2026-03-01T10:00:00.000001Z\t2026-03-01T12:00:00.000000Z\t{"city":"a\\\\\\\\b"}\t{"offset":1}\n',
  );
  assert.equal(line_of(EVENT, "now").split("\t").length, EVENT_COLUMNS.length - 1);
});

const bytes_of = (text: string) => new TextEncoder().encode(text);

Deno.test("the content hash is SHA-256 of the lines, however many there are", () => {
  for (const count of [0, 1, 999, 1000, 1001, 2500]) {
    const lines = Array.from({ length: count }, (_, n) => `ü${n}\n`);
    assert.equal(hex(content_hash(bytes_of(lines.join("")))), sha256(lines.join("")));
  }
});

Deno.test("events that come one by one are hashed as their lines are together", () => {
  for (const count of [0, 1, 999, 1000, 1001, 2500]) {
    const events = Array.from({ length: count }, (_, n) => ({ ...EVENT, position: n, revision: n, data: `"ü${n}\\"` }));
    const hash = new ContentHash();
    const recorded_at_us = Date.parse(HEADER.recorded_at) * 1000;
    for (const event of events) hash.add({ ...event, recorded_at_us });
    assert.equal(hex(hash.digest()), sha256(events.map((event) => line_of(event, HEADER.recorded_at)).join("")));
  }
});

Deno.test("a link is SHA-256 of the link before, the content hash and the header as a JSON list", () => {
  const content = content_hash(bytes_of("x\n"));
  const text = JSON.stringify([1, "append", 1, 2, 4, 2, 1, 1, 0, HEADER.cursors, null, HEADER.recorded_at]);
  assert.equal(hex(next_link(FIRST_LINK, content, HEADER)), sha256(new Uint8Array(32), content, text));
});

Deno.test("a header names its tombstones behind all else, where it has any: links from before there were any stay valid", () => {
  const content = content_hash(bytes_of("x\n"));
  const text = JSON.stringify([1, "append", 1, 2, 4, 2, 1, 1, 0, HEADER.cursors, null, HEADER.recorded_at, 3]);
  const link = next_link(FIRST_LINK, content, { ...HEADER, tombstones: 3 });
  assert.equal(hex(link), sha256(new Uint8Array(32), content, text));
});

Deno.test("a header names what was skipped behind its tombstones, of which there are none then if it does not say so", () => {
  const content = content_hash(bytes_of("x\n"));
  const head = [1, "append", 1, 2, 4, 2, 1, 1, 0, HEADER.cursors, null, HEADER.recorded_at];
  const links = [[0, 3], [3, 0], [3, 3]].map(([tombstones, skipped]) =>
    hex(next_link(FIRST_LINK, content, { ...HEADER, tombstones: tombstones!, skipped: skipped! }))
  );
  assert.equal(links[0], sha256(new Uint8Array(32), content, JSON.stringify([...head, 0, 3])));
  assert.equal(links[2], sha256(new Uint8Array(32), content, JSON.stringify([...head, 3, 3])));
  assert.equal(new Set(links).size, 3);
});

Deno.test("whatever is changed changes the link: the link before, the content, each field of the header", () => {
  const content = content_hash(bytes_of("x\n"));
  const seen = new Set([hex(next_link(FIRST_LINK, content, HEADER))]);
  const add = (link: Uint8Array) => {
    assert.ok(!seen.has(hex(link)));
    seen.add(hex(link));
  };
  add(next_link(content, content, HEADER));
  add(next_link(FIRST_LINK, content_hash(bytes_of("y\n")), HEADER));
  for (const [name, value] of Object.entries(HEADER)) {
    const other = typeof value === "number" ? value + 1 : value === null ? "{}" : `${value}x`;
    add(next_link(FIRST_LINK, content, { ...HEADER, [name]: other }));
  }
  assert.equal(seen.size, 3 + Object.keys(HEADER).length);
});

Deno.test("hashes of event ids are safe integers that keep apart what differs", () => {
  const ids = new Set<string>();
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (id) => {
      const hash = hash_event_id(id);
      assert.ok(Number.isSafeInteger(hash) && hash >= 0);
      assert.equal(hash_event_id(id), hash);
      ids.add(id);
    }),
    { numRuns: 1000 },
  );
  for (let n = 0; n < 200_000; n++) ids.add(`/fleet/chicago e-${n}`);
  assert.equal(new Set([...ids].map(hash_event_id)).size, ids.size);
});
