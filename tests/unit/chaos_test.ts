import assert from "node:assert/strict";
import { LoadStream } from "../chaos/load.ts";
import { KINDS, type Round, schedule } from "../chaos/schedule.ts";
import { Tally } from "../chaos/tally.ts";
import { trip_messages } from "../chaos/trips.ts";
import { oracle, type SourceMessage, start_oracle } from "../support/oracle/mod.ts";

/** The plan of `deno task chaos`: what it does is decided beforehand, and nothing is left out. */

function rounds(seed: number, count: number, options: Parameters<typeof schedule>[1] = {}): Round[] {
  const drawn = schedule(seed, options);
  return Array.from({ length: count }, () => drawn.next().value);
}

Deno.test("the same seed gives the same schedule, another seed another one", () => {
  assert.deepEqual(rounds(7, 50), rounds(7, 50));
  assert.notDeepEqual(rounds(7, 50), rounds(8, 50));
});

Deno.test("any 20 rounds in a row hold every kind of disturbance and both numbers of instances", () => {
  for (let seed = 0; seed < 50; seed++) {
    const drawn = rounds(seed, 100);
    for (let from = 0; from + 20 <= drawn.length; from++) {
      const some = drawn.slice(from, from + 20);
      const kinds = new Set(some.flatMap(({ disturbances }) => disturbances.map(({ kind }) => kind)));
      assert.deepEqual([...kinds].sort(), [...KINDS].sort(), `seed ${seed}, rounds ${from + 1} to ${from + 20}`);
      assert.equal(new Set(some.map(({ instances }) => instances)).size, 2);
    }
  }
});

Deno.test("a round has one to three disturbances at moments of its progress, and trouble among its messages", () => {
  const drawn = rounds(3, 200);
  assert.deepEqual([...new Set(drawn.map(({ disturbances }) => disturbances.length))].sort(), [1, 2, 3]);
  for (const { load, disturbances } of drawn) {
    assert.ok(load.messages >= 300 && load.messages <= 1_200);
    for (const part of [load.duplicates, load.reordered, load.late, load.malformed]) assert.ok(part > 0 && part <= 1);
    for (const { moment } of disturbances) assert.ok(moment > 0 && moment < 1);
  }
});

Deno.test("chosen kinds are dealt once each before any comes again", () => {
  const kinds = ["broker_killed", "database_killed", "program_killed"] as const;
  const dealt = rounds(1, 30, { kinds, most: 1 }).map(({ disturbances }) => disturbances.map(({ kind }) => kind));
  assert.ok(dealt.every(({ length }) => length === 1));
  for (let at = 0; at < 30; at += 3) assert.deepEqual(dealt.slice(at, at + 3).flat().sort(), [...kinds]);
});

const LOAD = { messages: 600, duplicates: 0.1, reordered: 0.5, late: 0.1, malformed: 0.05 };

Deno.test("the same seed gives the same messages, with all the trouble that was asked for", () => {
  const take = () => {
    const stream = new LoadStream(5, trip_messages(5));
    return [1, 2, 3, 4, 5].map((round) => stream.take(round, LOAD));
  };
  const taken = take();
  assert.deepEqual(taken, take());
  const all = taken.flat();
  const texts = all.map(({ value }) => typeof value === "string" ? value : String(value));
  assert.ok(texts.length - new Set(texts).size > 100, "messages are sent twice");
  assert.ok(all.some(({ value }) => value === null) && all.some(({ value }) => value instanceof Uint8Array));
  const out_of_order = all.filter(({ timestamp_ms }, i) => timestamp_ms < (all[i - 1]?.timestamp_ms ?? 0));
  assert.ok(out_of_order.length > 500, "messages come in another order than they happened");
  const first_ms = Math.min(...taken[0]!.map(({ timestamp_ms }) => timestamp_ms));
  const last_ms = Math.max(...taken[0]!.map(({ timestamp_ms }) => timestamp_ms));
  const held_back = taken[2]!.filter(({ timestamp_ms }) => timestamp_ms >= first_ms && timestamp_ms <= last_ms);
  assert.ok(held_back.length > 10, "messages of the first round come in the third");
});

Deno.test("a trip stays in its partition when partitions are added, and new ones get trips", () => {
  const stream = new LoadStream(5, trip_messages(5));
  const of_trip = new Map<string, number>();
  for (const [round, partitions] of [[1, 4], [2, 5], [3, 6]] as const) {
    const used = new Set<number>();
    for (const sent of stream.take(round, LOAD)) {
      const { partition } = stream.place(sent, partitions);
      assert.equal(of_trip.get(sent.key) ?? partition, partition, sent.key);
      of_trip.set(sent.key, partition);
      used.add(partition);
    }
    assert.equal(used.size, partitions);
  }
});

Deno.test("an oracle that concludes after every part says what one says that takes everything at once", () => {
  const options = {
    currency: "USD",
    time_zone: "Europe/Berlin",
    future_limit_ms: 3_600_000,
    read_ms: Date.now(),
    max_message_bytes: 1_048_576,
  };
  const stream = new LoadStream(6, trip_messages(6));
  // Fares at both ends of their cells that are adjusted to where others are; a trip that leaves cells empty behind it.
  const fares = [
    ["a", "completed", 5],
    ["b", "completed", 9],
    ["c", "completed", 7],
    ["a", "fare_adjusted", 8],
    [
      "b",
      "fare_adjusted",
      7,
    ],
    ["a", "canceled", 0],
    ["d", "requested", 0],
    ["d", "started", 0],
  ].map(([trip, type, fare], i) =>
    `{"event_id":"${i}","trip_id":"X-${trip}","type":"trip.${type}","occurred_at":"2026-03-01T10:00:0${i}Z","fare":${fare}}`
  );
  const generated = [1, 2].flatMap((round) => stream.take(round, { ...LOAD, messages: 200 }));
  const messages = [...fares, ...generated.map(({ value }) => value)].map((value, offset): SourceMessage => ({
    topic: "trips",
    partition: 0,
    offset,
    key: null,
    value: typeof value === "string" ? new TextEncoder().encode(value) : value,
    headers: {},
    timestamp_ms: Date.UTC(2026, 2, 2),
  }));
  const steps = start_oracle(options);
  for (const [i, message] of messages.entries()) {
    steps.take(message);
    if (i < fares.length || i % 20 === 0) steps.conclude();
  }
  // `touched` is no conclusion but a question that may be asked.
  const { changed: _, touched: __, ...at_last } = steps.conclude();
  const { changed: ___, touched: ____, ...at_once } = oracle(messages, options);
  assert.deepEqual(at_last, at_once);
  assert.ok(at_once.quarantined.length > 5 && at_once.duplicates > 20 && at_once.trips.size > 100);
});

Deno.test("the tally tells percentiles by cause, and of all", () => {
  const tally = new Tally();
  for (let i = 1; i <= 100; i++) {
    tally.caused("broker_killed");
    tally.recovered("broker_killed", i / 10);
  }
  tally.caused("program_stopped");
  const [, broker, stopped, all] = tally.table().split("\n").map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(broker, ["broker killed", "100", "100", "5.00", "9.90", "10.00"]);
  assert.deepEqual(stopped?.slice(0, 3), ["program stopped", "1", "0"]);
  assert.deepEqual(all, ["all", "101", "100", "5.00", "9.90", "10.00"]);
  const figures = JSON.parse(tally.json(9, 12.3, true));
  assert.deepEqual(
    [figures.kills, figures.disturbances, figures.recovery_p99_s, figures.recovery_max_s, figures.agreed],
    [100, 101, 9.9, 10, true],
  );
});
