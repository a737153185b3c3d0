import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import type { TripPayload } from "../../src/domains/trips/mod.ts";
import { messages_after, type SourceMessage } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import {
  type Place,
  refused_connection,
  type Running,
  start_ingest,
  WatchedDatabase,
} from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { compare_with_database } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { expected, whole_trip } from "../support/trip_events.ts";
import { builtin, mapping_with } from "../support/trip_mapping.ts";
import { message, migrated, TEST_DOMAIN } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";
import { verified } from "../support/verified_log.ts";

/** A test on a migrated database of its own; what is still running at its end is stopped. */
function loop_test(name: string, fn: (database: Database, keep: (running: Running) => Running) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const database = await open_database({ url, data_dir: null, connections: 4 });
      const started: Running[] = [];
      try {
        await fn(database, (running) => {
          started.push(running);
          return running;
        });
      } finally {
        for (const running of started) await running.stop().catch(() => {});
        await database.close();
      }
    },
  });
}

const places = (...partitions: unknown[][]): SourceMessage[][] =>
  partitions.map((events) => events.map((each, offset) => message(offset, each)));
const trips = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => whole_trip(`T-${from + i}`, { city: "Boston" })).flat();
const differences = (database: Database, partitions: SourceMessage[][]) =>
  compare_with_database((sql) => database.query(sql), expected(partitions));
const quarantine = (database: Database) =>
  database.query("select partition, message_offset, stage, reason from quarantine order by partition, message_offset");

loop_test("an outage of the database pauses ingest, quarantines nothing, and passes", async (database, keep) => {
  let left = { query: 2, begin: 3 };
  const states: string[] = [];
  let running: Running | null = null;
  const partitions = places(trips(0, 10));
  const source = new MemorySource("trips", partitions);
  const watched = new WatchedDatabase(database, (place) => {
    states.push(running?.ingest.status().state ?? "starting");
    if ((place !== "query" && place !== "begin") || left[place] === 0) return;
    left = { ...left, [place]: left[place] - 1 };
    throw refused_connection();
  });
  running = keep(start_ingest(watched, source, { batch_messages: 7 }));
  await running.caught_up();
  assert.deepEqual(left, { query: 0, begin: 0 });
  assert.ok(states.includes("paused"), "it was paused meanwhile");
  const waits = running.lines.filter(([level, text]) => level === "warn" && text.includes("in trouble"));
  assert.equal(waits.length, 4, "one for the two reads at the start, three for the first batch");
  assert.match(String(waits[0]![2]!.reason), /ECONNREFUSED/);
  assert.equal(running.ingest.status().state, "running");
  assert.equal(running.ingest.counts.quarantined, 0);
  assert.equal(source.rewinds, 0, "nothing was planned anew: the batches waited");
  await running.stop();
  assert.deepEqual(await differences(database, partitions), []);
});

const at = (id: string, time: string) => ({
  trip_id: id,
  event_id: id,
  type: "trip.started",
  occurred_at: `2026-03-01T${time}Z`,
});
const head_of = async (database: Database) => {
  const [row] = await database.query(
    "select late::int as late, to_char(watermark at time zone 'UTC', 'HH24:MI') as watermark from log_head",
  );
  return [row!.late, row!.watermark];
};

loop_test("late is told across batches, instances and restarts, and in halves", async (database, keep) => {
  const source = new MemorySource("trips", places([at("A", "10:00:00")]));
  const running = keep(start_ingest(database, source, { batch_messages: 1 }));
  // Planned while the one before is being appended: it is late against that one.
  source.put(0, [message(0, at("B", "10:30:00")), message(0, at("C", "10:20:00")), message(0, at("D", "10:26:00"))]);
  await running.caught_up();
  assert.deepEqual(await head_of(database), [1, "10:30"]);
  // Another instance moves event time on; this one hears of it with its next batch.
  const other = keep(start_ingest(database, new MemorySource("others", places([at("E", "10:50:00")]))));
  await other.caught_up();
  source.put(0, [message(0, at("F", "10:30:00"))]);
  await running.caught_up();
  source.put(0, [message(0, at("G", "10:40:00"))]);
  await running.caught_up();
  await running.stop();
  assert.deepEqual(await head_of(database), [2, "10:50"]);
  source.put(0, [message(0, at("H", "10:44:00")), message(0, at("I", "10:45:00"))]);
  const again = keep(start_ingest(database, source));
  await again.caught_up();
  await again.stop();
  assert.deepEqual(await head_of(database), [3, "10:50"], "begun anew it knows how far event time had come");
  await database.script("alter table trips add constraint no_evil check (city <> 'Evil')");
  source.put(0, [message(0, at("J", "10:30:00")), message(0, { ...at("K", "10:30:00"), city: "Evil" })]);
  await keep(start_ingest(database, source)).caught_up();
  assert.deepEqual(await head_of(database), [4, "10:50"]);
});

loop_test("a commit whose answer is lost is neither repeated nor forgotten", async (database, keep) => {
  let lost = false;
  const partitions = places(trips(0, 10));
  const source = new MemorySource("trips", partitions);
  const watched = new WatchedDatabase(database, (place) => {
    if (place !== "committed" || lost) return;
    lost = true;
    throw refused_connection();
  });
  const running = keep(start_ingest(watched, source, { batch_messages: 7 }));
  await running.caught_up();
  assert.ok(lost && source.rewinds > 0, "the repeated append found its cursor moved");
  await running.stop();
  assert.deepEqual(await differences(database, partitions), []);
});

/** Whole trips of which some messages are evil; beside it the same with what must be set aside made unreadable, for the oracle. */
function with_culprits(partition: number): { sent: unknown[]; judged: unknown[] } {
  const sent = trips(partition * 100, 12);
  for (const at of [4, 5, 20, 35]) sent[at] = { ...sent[at] as Record<string, unknown>, city: "Evil" };
  return { sent, judged: sent.map((each) => (each as { city: string }).city === "Evil" ? "unreadable" : each) };
}

for (
  const { name, partitions, batch_messages } of [
    { name: "one batch", partitions: 1, batch_messages: 1000 },
    { name: "overlapping batches", partitions: 1, batch_messages: 5 },
    { name: "several partitions and overlapping batches", partitions: 3, batch_messages: 12 },
  ]
) {
  loop_test(
    `what the database refuses is found by halving, in ${name}: exactly the culprits are quarantined`,
    async (database, keep) => {
      await database.script("alter table trips add constraint no_evil check (city <> 'Evil')");
      const made = Array.from({ length: partitions }, (_, partition) => with_culprits(partition));
      const source = new MemorySource("trips", places(...made.map(({ sent }) => sent)));
      const running = keep(start_ingest(database, source, { batch_messages }));
      await running.caught_up();
      await running.stop();
      const wanted = made.flatMap((_, partition) =>
        [4, 5, 20, 35].map((at) => ({
          partition,
          message_offset: String(at),
          stage: "append",
          reason: "sqlstate_23514",
        }))
      );
      assert.deepEqual(await quarantine(database), wanted);
      assert.deepEqual(await differences(database, places(...made.map(({ judged }) => judged))), []);
      assert.equal(running.ingest.counts.quarantined, wanted.length);
    },
  );
}

loop_test("an event that the fold cannot take is found and quarantined; all others go on", async (database, keep) => {
  const domain = {
    ...TEST_DOMAIN,
    fold: ((trip, event) => {
      if ((event.payload as TripPayload).city === "Evil") throw new Error("no rule for evil");
      return TEST_DOMAIN.fold(trip, event);
    }) satisfies typeof TEST_DOMAIN.fold,
  };
  const { sent, judged } = with_culprits(0);
  const running = keep(start_ingest(database, new MemorySource("trips", places(sent)), { batch_messages: 8, domain }));
  await running.caught_up();
  await running.stop();
  const wanted = [4, 5, 20, 35].map((at) => (
    { partition: 0, message_offset: String(at), stage: "append", reason: "unknown_failure" }
  ));
  assert.deepEqual(await quarantine(database), wanted);
  const [row] = await database.query(
    "select detail, message_value, code_version from quarantine where message_offset = 4",
  );
  assert.equal(row!.detail, "no rule for evil");
  assert.equal(row!.code_version, "test");
  assert.deepEqual(JSON.parse(new TextDecoder().decode(row!.message_value as Uint8Array)), sent[4]);
  assert.deepEqual(await differences(database, places(judged)), []);
});

loop_test(
  "of mapped messages the culprits are found by halving, each one row with all its events; the books balance",
  async (database, keep) => {
    await database.script("alter table trips add constraint no_evil check (city <> 'Evil')");
    const ride = (i: number, changes = {}) => (
      { trip_id: "ffff", fare_usd: i, duration_min: 5, timestamp: "2026-03-01T10:00:00", city: "Boston", ...changes }
    );
    const sent = Array.from({ length: 12 }, (_, i) => ride(i));
    sent[3] = ride(3, { city: "Evil" });
    sent[7] = ride(7, { fare_usd: "much" });
    sent[9] = sent[8]!;
    const mappings = new Map([["rides", builtin("ride_sharing")]]);
    const running = keep(
      start_ingest(database, new MemorySource("rides", places(sent)), { batch_messages: 8, mappings }),
    );
    await running.caught_up();
    await running.stop();
    assert.deepEqual(await quarantine(database), [
      { partition: 0, message_offset: "3", stage: "append", reason: "sqlstate_23514" },
      { partition: 0, message_offset: "7", stage: "decode", reason: "invalid_record" },
    ]);
    const { messages_read, admitted, duplicates, quarantined } = running.ingest.counts;
    assert.deepEqual({ messages_read, admitted, duplicates, quarantined }, {
      messages_read: 22,
      admitted: 18,
      duplicates: 2,
      quarantined: 2,
    });
    const [row] = await database.query(
      "select count(*)::int as trips, sum(fare_micros)::int / 1000000 as fares from trips",
    );
    assert.deepEqual(row, { trips: 9, fares: 0 + 1 + 2 + 4 + 5 + 6 + 8 + 10 + 11 });
  },
);

loop_test("an outage in the middle of halving waits and accuses nobody", async (database, keep) => {
  await database.script("alter table trips add constraint no_evil check (city <> 'Evil')");
  let begun = 0;
  const watched = new WatchedDatabase(database, (place) => {
    if (place === "begin" && ++begun > 1 && begun % 2 === 0) throw refused_connection();
  });
  const { sent, judged } = with_culprits(0);
  const running = keep(start_ingest(watched, new MemorySource("trips", places(sent))));
  await running.caught_up();
  await running.stop();
  assert.deepEqual(await differences(database, places(judged)), []);
});

for (const at of [2, 5]) {
  loop_test(
    `a rival that takes the partition over at transaction ${at} of a halving has it, and nobody is accused twice`,
    async (database, keep) => {
      await database.script("alter table trips add constraint no_evil check (city <> 'Evil')");
      const { sent, judged } = with_culprits(0);
      let begun = 0;
      const watched = new WatchedDatabase(database, async (place) => {
        if (place !== "begin" || ++begun !== at) return;
        const rival = keep(start_ingest(database, new MemorySource("trips", places(sent))));
        await rival.caught_up();
        await rival.stop();
      });
      const running = keep(start_ingest(watched, new MemorySource("trips", places(sent))));
      await running.caught_up();
      await running.stop();
      assert.ok(begun >= at && running.lines.some(([, , fields]) => /advance cursors/.test(String(fields?.reason))));
      assert.equal(running.ingest.status().state, "running");
      assert.deepEqual(await differences(database, places(judged)), []);
    },
  );
}

loop_test(
  "more quarantined messages than the limit of a minute stop ingest loudly, with nothing lost",
  async (database, keep) => {
    const partitions = places(["bad", "bad", "bad", ...trips(0, 1), "bad", "bad", "bad", ...trips(1, 1)]);
    const source = new MemorySource("trips", partitions);
    const running = keep(start_ingest(database, source, { batch_messages: 3, quarantine_per_minute: 5 }));
    await assert.rejects(running.caught_up(), /6 messages were quarantined within a minute, the limit is 5/);
    assert.equal(running.ingest.status().state, "stopped");
    assert.match(
      running.ingest.status().reason ?? "",
      /\(TACHO_QUARANTINE_PER_MINUTE\); look at `tacho quarantine`, then start again/,
    );
    assert.ok(running.lines.some(([level, text]) => level === "error" && text === "ingest stopped"));
    const [cursor] = await database.query("select next_offset from source_cursors");
    const end = Number(cursor!.next_offset);
    assert.ok(end >= 7 && end <= 10, `what was read is committed, up to ${end}`);
    assert.deepEqual(await differences(database, [partitions[0]!.slice(0, end)]), []);
    // Started again, it goes on with what is left.
    const again = keep(start_ingest(database, source, { batch_messages: 3, quarantine_per_minute: 5 }));
    await again.caught_up();
    await again.stop();
    assert.deepEqual(await differences(database, partitions), []);
  },
);

loop_test(
  "the limit of a minute that is reached while ingest is to end is said all the same",
  async (database, keep) => {
    const partitions = places(["bad", "bad", "bad", "bad", "bad", "bad", ...trips(0, 1)]);
    const abort = new AbortController();
    const running = keep(start_ingest(database, new MemorySource("trips", partitions), {
      batch_messages: 6,
      quarantine_per_minute: 5,
      abort,
      committed: () => abort.abort(),
    }));
    await assert.rejects(running.ended, /6 messages were quarantined within a minute, the limit is 5/);
    assert.equal(running.ingest.status().state, "stopped");
    assert.ok(running.lines.some(([level, text]) => level === "error" && text === "ingest stopped"));
  },
);

loop_test("any number of tombstones is read past, counted, and stops nothing", async (database, keep) => {
  const [events] = places([...trips(0, 1), ...Array.from({ length: 40 }, () => ""), ...trips(1, 1), "bad"]);
  const partitions = [events!.map((each) => each.value!.length === 0 ? { ...each, value: null } : each)];
  const running = keep(start_ingest(database, new MemorySource("trips", partitions), { quarantine_per_minute: 5 }));
  await running.caught_up();
  await running.stop();
  assert.deepEqual([running.ingest.counts.tombstones, running.ingest.counts.quarantined], [40, 1]);
  assert.deepEqual(await differences(database, partitions), []);
  const [{ tombstones }] = await database.query("select tombstones::int as tombstones from log_head") as [
    { tombstones: number },
  ];
  assert.equal(tombstones, 40);
});

loop_test("what a mapping skips is read past, counted in every account, and stops nothing", async (database, keep) => {
  const at = "2026-03-01T10:00:00Z";
  const skip = { field: "fare", below: 0 };
  const records = [{ id: "T", at, fare: 1 }, ...Array.from({ length: 40 }, () => ({ fare: -1 })), {}, { id: "U", at }];
  const source = new MemorySource("trips", places(records));
  const mappings = new Map([["trips", mapping_with({ fare: ["fare", { constant: 0 }] }, { skip })]]);
  const running = keep(start_ingest(database, source, { mappings, batch_messages: 15, quarantine_per_minute: 5 }));
  await running.caught_up();
  await running.stop();
  const { messages_read, admitted, quarantined, skipped } = running.ingest.counts;
  assert.deepEqual({ messages_read, admitted, quarantined, skipped }, {
    messages_read: 43,
    admitted: 2,
    quarantined: 1,
    skipped: 40,
  });
  const counted = (table: string) =>
    database.query(`select sum(messages_read)::int as read, sum(skipped)::int as skipped from ${table}`);
  assert.deepEqual(await counted("batches"), [{ read: 43, skipped: 40 }]);
  assert.deepEqual(await counted("log_head"), [{ read: 43, skipped: 40 }]);
  assert.deepEqual((await verified(database)).faults, []);
  await assert.rejects(
    database.script("alter table batches disable trigger user; update batches set skipped = skipped + 1"),
    /batches_account_for_all_read/,
  );
});

loop_test(
  "a source of nothing but bad messages: every start gets on by the limit, until all are held",
  async (database, keep) => {
    const partitions = places(Array.from({ length: 30 }, () => "bad"));
    const source = new MemorySource("trips", partitions);
    const held = async () => (await quarantine(database)).length;
    let starts = 0;
    for (let before = -1; await held() < 30; starts++) {
      assert.ok(await held() > before, "the start before got on");
      before = await held();
      const running = keep(start_ingest(database, source, { batch_messages: 3, quarantine_per_minute: 5 }));
      await running.caught_up().catch((error) => assert.match(error.message, /the limit is 5/));
      await running.stop().catch(() => {});
    }
    assert.ok(starts > 1 && starts <= 6, `it took ${starts} starts`);
    assert.deepEqual(await differences(database, partitions), []);
  },
);

loop_test("quarantine spread over more than a minute does not stop ingest", async (database, keep) => {
  let now = Date.UTC(2026, 2, 1, 12);
  const partitions = places(["bad", "bad", "bad", "bad", "bad", "bad"]);
  const running = keep(start_ingest(database, new MemorySource("trips", partitions), {
    batch_messages: 3,
    quarantine_per_minute: 5,
    now_ms: () => now,
    committed: () => now += 61_000,
  }));
  await running.caught_up();
  await running.stop();
  assert.deepEqual(await differences(database, partitions), []);
});

loop_test(
  "what is planned on events of the batch under way waits for their positions: nothing fails, nothing begins anew",
  async (database, keep) => {
    const released = Promise.withResolvers<void>();
    let commits = 0;
    const watched = new WatchedDatabase(database, async (place) => {
      if (place === "commit" && ++commits === 1) await released.promise;
    });
    const completed = { type: "trip.completed", trip_id: "T-1", fare: "5.00" };
    const partitions = places([
      { ...completed, event_id: "e-1", occurred_at: "2026-03-01T10:20:00Z" },
      // Before what is being appended, and the same again: both need that event.
      { type: "trip.started", trip_id: "T-1", event_id: "e-0", occurred_at: "2026-03-01T10:00:00Z" },
      { ...completed, event_id: "e-1", occurred_at: "2026-03-01T10:20:00Z" },
    ]);
    let parsed = 0;
    const domain = {
      ...TEST_DOMAIN,
      // Else plain data is read without `parse`, and nothing counts it.
      fields: () => null,
      parse: ((...args) => {
        parsed++;
        return TEST_DOMAIN.parse(...args);
      }) satisfies typeof TEST_DOMAIN.parse,
    };
    const source = new MemorySource("trips", partitions);
    const running = keep(start_ingest(watched, source, { batch_messages: 1, domain }));
    await until("the start is being planned while the completion is being appended", () => parsed === 2);
    released.resolve();
    await running.caught_up();
    await running.stop();
    assert.deepEqual(running.lines.filter(([level]) => level === "error" || level === "warn"), []);
    assert.equal(source.rewinds, 0);
    assert.deepEqual(await differences(database, partitions), []);
  },
);

loop_test("an abort finishes the transaction under way and begins no other", async (database, keep) => {
  const reached = Promise.withResolvers<void>(), released = Promise.withResolvers<void>();
  const seen: Place[] = [];
  const watched = new WatchedDatabase(database, async (place) => {
    if (place === "query") return;
    seen.push(place);
    if (place !== "commit") return;
    reached.resolve();
    await released.promise;
  });
  let planned = 0;
  const domain = {
    ...TEST_DOMAIN,
    fields: () => null,
    parse: ((...args) => {
      planned++;
      return TEST_DOMAIN.parse(...args);
    }) satisfies typeof TEST_DOMAIN.parse,
  };
  const partitions = places(trips(0, 3));
  const running = keep(start_ingest(watched, new MemorySource("trips", partitions), { batch_messages: 3, domain }));
  await reached.promise;
  await until("the next batch is planned", () => planned === 6);
  running.abort.abort();
  released.resolve();
  await running.ended;
  assert.deepEqual(seen, ["begin", "commit", "committed"]);
  assert.deepEqual(await differences(database, [partitions[0]!.slice(0, 3)]), []);
});

Deno.test("a batch that changes many cells makes the next one smaller, one that changes few lets it grow, and a few messages say nothing", () => {
  const sizes = (messages_taken: number, cells_each: number, batches: number): number[] => {
    const sizes = [8_000];
    for (let i = 0; i < batches; i++) {
      const messages = Math.min(sizes.at(-1)!, messages_taken);
      sizes.push(messages_after(Math.min(sizes.at(-1)!, 20_000), messages, messages * cells_each));
    }
    return sizes;
  };
  assert.deepEqual(sizes(20_000, 2, 3), [8_000, 16_000, 30_000, 30_000]);
  assert.deepEqual(sizes(20_000, 20, 2), [8_000, 3_000, 3_000]);
  assert.deepEqual(sizes(20_000, 1_000, 2), [8_000, 500, 500]);
  assert.deepEqual(sizes(20, 1_000, 2), [8_000, 8_000, 8_000]);
  assert.equal(messages_after(3_000, 3_000, 0), 6_000);
});
