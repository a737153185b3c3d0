import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { discard_held } from "../../src/event_log/mod.ts";
import type { DecodeTerms, RetryCounts, SourceMessage } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import { LOW, make_retry, RAISED, REPEATED, troubled_partitions } from "../support/held_messages.ts";
import { refused_connection, start_ingest, WatchedDatabase } from "../support/ingest_harness.ts";
import { MemorySource } from "../support/memory_source.ts";
import { compare_with_database } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { database_test } from "../support/read_side.ts";
import { expected, whole_trip } from "../support/trip_events.ts";
import { feed, message, migrated, READ_MS, TERMS, trip_pipeline } from "../support/trip_pipeline.ts";
import { builtin, mapping_with } from "../support/trip_mapping.ts";
import { until } from "../support/until.ts";
import { verified } from "../support/verified_log.ts";

/** A test with a database of its own, on as many connections as two programs would have. */
function retry_test(name: string, fn: (database: Database, other: Database) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const [database, other] = await Promise.all(
        [4, 2].map((connections) => open_database({ url, data_dir: null, connections })),
      );
      try {
        await fn(database!, other!);
      } finally {
        await database!.close();
        await other!.close();
      }
    },
  });
}

const NEVER = new AbortController().signal;

/** Reads the partitions as ingest would under these limits, in batches of seven. */
async function read(database: Database, partitions: readonly SourceMessage[][], terms: DecodeTerms): Promise<void> {
  const pipeline = trip_pipeline(database, () => terms.read_ms, terms);
  await feed(
    pipeline,
    partitions.flatMap((messages, partition) =>
      Array.from({ length: Math.ceil(messages.length / 7) }, (_, i) => {
        const some = messages.slice(7 * i, 7 * i + 7);
        return { topic: "trips", partition, from_offset: 7 * i, next_offset: 7 * i + some.length, messages: some };
      })
    ),
  );
}

const one_partition = (
  ...events: unknown[]
): SourceMessage[][] => [events.map((each, offset) => message(offset, each))];
const total = ({ admitted, duplicates, held }: RetryCounts) =>
  admitted + duplicates + [...held.values()].reduce((sum, each) => sum + each, 0);

/** Asserts that the log and its read models are what they were had all messages been read under these limits, account and chain included. */
async function assert_as_read(database: Database, partitions: SourceMessage[][], terms: DecodeTerms): Promise<void> {
  assert.deepEqual(await compare_with_database((sql) => database.query(sql), expected(partitions, terms)), []);
  assert.deepEqual((await verified(database)).faults, []);
}
const everything = async (database: Database) => {
  const tables = ["log_head", "events", "batches", "quarantine", "trips", "trip_cells", "trip_totals", "trip_sketches"];
  const all = tables.map((table) => `select t::text as text from ${table} t`).join(" union all ");
  return (await database.query(`${all} order by 1`)).map(({ text }) => text);
};
const account = async (database: Database) => {
  const [row] = await database.query(
    "select messages_read::int as read, position::int as position, duplicates::int as duplicates, quarantined::int as quarantined from log_head",
  );
  return row;
};

database_test(
  "what was held is retried under raised limits: then the database is what it had been under them from the start",
  async (database) => {
    // The embedded database is slow and shall only show that it understands the SQL.
    const partitions = database.kind === "server" ? troubled_partitions(2, 8) : troubled_partitions(1, 3);
    await read(database, partitions, LOW);
    await assert_as_read(database, partitions, LOW);
    const before = await everything(database);

    const rehearsed = await make_retry(database, RAISED, { dry_run: true });
    await rehearsed.run(NEVER);
    assert.deepEqual(await everything(database), before, "a dry run changes nothing");

    let heard = 0;
    await (await make_retry(database, RAISED, { progress: (messages) => heard += messages, limit: 7 })).run(NEVER);
    assert.equal(heard, 7);
    await (await make_retry(database, RAISED)).run(NEVER);
    await assert_as_read(database, partitions, RAISED);

    const [{ held, admitted, duplicates }] = await database.query(
      `select count(*) filter (where status = 'held')::int as held, count(*) filter (where status = 'admitted')::int as admitted,
        count(*) filter (where status = 'duplicate')::int as duplicates from quarantine`,
    ) as [Record<string, number>];
    assert.deepEqual(rehearsed.counts, {
      admitted,
      duplicates,
      tombstones: 0,
      skipped: 0,
      held: new Map([["malformed_json", held]]),
    });
    assert.ok(held! > 0 && admitted! > 0 && duplicates! > 0);
    assert.deepEqual(await database.query("select held::int as held from log_head"), [{ held }]);
    const rows = await database.query(
      `select status, (settled_at is null) as open, (attempts > 1) as tried, count(*) from quarantine group by 1, 2, 3 order by 1`,
    );
    assert.deepEqual(
      rows.map(({ status, open, tried }) => [status, open, tried]),
      [["admitted", false, true], ["duplicate", false, true], ["held", true, true]],
    );
  },
  { both: true },
);

retry_test("pages follow topic, partition and offset, and hold no more bytes than they may", async (database) => {
  const large = { note: "x".repeat(390) };
  const partitions = [0, 1].map((partition) =>
    whole_trip(`T-${partition}`, partition === 1 ? large : {}).map((each, offset) => message(offset, each))
  );
  // What comes later in this order is set aside first.
  const pipeline = trip_pipeline(database, () => 0, TERMS);
  for (const partition of [1, 0]) {
    const messages = partitions[partition]!;
    await feed(pipeline, [{ topic: "trips", partition, from_offset: 0, next_offset: messages.length, messages }]);
  }
  const retry = await make_retry(database, TERMS, { page: { messages: 5, bytes: 250 } });
  await retry.run(NEVER);
  const batches = await database.query(
    "select admitted::int, messages_read::int as read, cursors, note - 'quarantine' as note from batches where kind = 'retried' order by batch",
  );
  assert.deepEqual(batches.map(({ admitted }) => admitted), [2, 1, 1, 1, 1], "small ones together, a large one alone");
  assert.deepEqual([batches[0]!.cursors, batches[0]!.note], [[], { count: 2, filter: {} }]);
  const order = await database.query(
    "select metadata->>'partition' as partition, metadata->>'offset' as at from events order by position",
  );
  assert.deepEqual(order.map(({ partition, at }) => `${partition}/${at}`), ["0/0", "0/1", "0/2", "1/0", "1/1", "1/2"]);
});

retry_test("what still fails stays held, counts the attempt and says what is wrong now", async (database) => {
  const partitions = one_partition("bad", { ...whole_trip("T")[0], city: 7.5 }, whole_trip("T")[1]);
  await read(database, partitions, { ...TERMS, max_message_bytes: 10 });
  await database.execute("update quarantine set code_version = 'old'");
  const faults = () =>
    database.query(
      "select stage, reason, path, code_version, attempts from quarantine where status = 'held' order by quarantine_id",
    );
  assert.deepEqual((await faults()).map(({ reason }) => reason), ["malformed_json", "too_large", "too_large"]);
  const before = await account(database);
  const retry = await make_retry(database, TERMS);
  await retry.run(NEVER);
  assert.deepEqual(retry.counts, {
    admitted: 1,
    duplicates: 0,
    tombstones: 0,
    skipped: 0,
    held: new Map([["malformed_json", 1], ["invalid_field", 1]]),
  });
  assert.deepEqual(await faults(), [
    { stage: "decode", reason: "malformed_json", path: null, code_version: "test", attempts: 2 },
    { stage: "decode", reason: "invalid_field", path: "city", code_version: "test", attempts: 2 },
  ]);
  assert.deepEqual([before, await account(database)], [
    { read: 3, position: 0, duplicates: 0, quarantined: 3 },
    { read: 3, position: 1, duplicates: 0, quarantined: 2 },
  ]);
  await assert_as_read(database, partitions, TERMS);
});

retry_test(
  "a message that fails for an unforeseen reason is found by halving and stays held with its SQLSTATE",
  async (database) => {
    const events = Array.from(
      { length: 12 },
      (_, i) => whole_trip(`T-${i}`, { city: i === 3 || i === 10 ? "Evil" : "Boston" })[0],
    );
    const partitions = one_partition(...events);
    await read(database, partitions, { ...TERMS, max_message_bytes: 10 });
    await database.script("alter table trips add constraint no_evil check (city <> 'Evil')");
    const retry = await make_retry(database, TERMS, { page: { messages: 100, bytes: 1 << 20 } });
    await retry.run(NEVER);
    assert.deepEqual(retry.counts, {
      admitted: 10,
      duplicates: 0,
      tombstones: 0,
      skipped: 0,
      held: new Map([["sqlstate_23514", 2]]),
    });
    const held = await database.query(
      "select message_offset::int as at, stage, attempts, detail from quarantine where status = 'held' order by 1",
    );
    assert.deepEqual(held.map(({ at, stage, attempts }) => [at, stage, attempts]), [[3, "append", 2], [
      10,
      "append",
      2,
    ]]);
    assert.match(String(held[0]!.detail), /no_evil/);
    assert.deepEqual(await account(database), { read: 12, position: 10, duplicates: 0, quarantined: 2 });

    await database.script("alter table trips drop constraint no_evil");
    const again = await make_retry(database, TERMS, { filter: { stage: "append", reason: "sqlstate_23514" } });
    await again.run(NEVER);
    assert.equal(again.counts.admitted, 2);
    await assert_as_read(database, partitions, TERMS);
  },
);

for (const place of ["begin", "commit", "committed"] as const) {
  retry_test(`a retry that dies at ${place} leaves nothing half; the next one finishes`, async (database) => {
    const partitions = troubled_partitions(2, 4);
    await read(database, partitions, LOW);
    let transactions = 0;
    const watched = new WatchedDatabase(database, (met) => {
      if (met === "begin") transactions++;
      if (met === place && transactions === 3) throw refused_connection();
    });
    const dying = await make_retry(watched, RAISED);
    await assert.rejects(dying.run(NEVER), /ECONNREFUSED/);
    assert.equal(total(dying.counts), 10, "it counts what it knows to be committed");
    const [tried] = await database.query("select count(*)::int as tried from quarantine where attempts = 2");
    assert.equal(tried!.tried, place === "committed" ? 15 : 10);
    const { read: messages, position, duplicates, quarantined } = await account(database) as Record<string, number>;
    assert.equal(messages, position! + duplicates! + quarantined!);
    assert.deepEqual((await verified(database)).faults, []);
    await (await make_retry(database, RAISED)).run(NEVER);
    await assert_as_read(database, partitions, RAISED);
  });
}

retry_test("a signal ends a retry after the transaction under way", async (database) => {
  const partitions = troubled_partitions(1, 8);
  await read(database, partitions, LOW);
  const stop = new AbortController();
  const retry = await make_retry(database, RAISED, { progress: () => stop.abort() });
  await retry.run(stop.signal);
  assert.equal(total(retry.counts), 5);
  const [tried] = await database.query("select count(*)::int as tried from quarantine where attempts = 2");
  assert.equal(tried!.tried, 5);
});

for (
  const [what, events] of [
    ["events of a new trip", whole_trip("T")],
    ["duplicates and what stays held", [...whole_trip("U"), "bad"]],
  ] as const
) {
  retry_test(
    `of two retries at once one settles each message and the other finds it settled: ${what}`,
    async (database, other) => {
      const partitions = [...one_partition(...whole_trip("U")), ...one_partition(...events)];
      await read(database, partitions.slice(0, 1), TERMS);
      await feed(trip_pipeline(database, undefined, { ...TERMS, max_message_bytes: 1 }), [
        { topic: "trips", partition: 1, from_offset: 0, next_offset: events.length, messages: partitions[1]! },
      ]);
      const reached = Promise.withResolvers<void>(), released = Promise.withResolvers<void>();
      const watched = new WatchedDatabase(other, async (place) => {
        if (place !== "commit") return;
        reached.resolve();
        await released.promise;
      });
      const first = await make_retry(watched, TERMS), second = await make_retry(database, TERMS);
      const running = first.run(NEVER);
      await reached.promise;
      const waiting = second.run(NEVER);
      await until("the second waits for the head's lock", async () => {
        const rows = await database.query(
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%log_head%'",
        );
        return rows.length === 1;
      });
      released.resolve();
      await Promise.all([running, waiting]);
      assert.equal(total(first.counts), events.length);
      assert.deepEqual([second.counts.admitted, second.counts.duplicates], [0, 0]);
      await assert_as_read(database, partitions, TERMS);
    },
  );
}

retry_test(
  "a message that is discarded between a retry's reading and its settling stays discarded; the others are retried",
  async (database, other) => {
    const [requested, started, completed] = whole_trip("T");
    const low = { ...TERMS, max_message_bytes: 1 };
    await read(database, one_partition(requested, started, completed), low);
    let attempts = 0;
    const watched = new WatchedDatabase(other, async (place) => {
      if (place !== "begin" || attempts++ > 0) return;
      const discard = { filter: { ids: [2] }, newest_id: 9, limit: 9, by: "Ada", reason: "not ours" };
      assert.equal(await discard_held(database, discard, 0), 1);
    });
    const retry = await make_retry(watched, TERMS);
    await retry.run(NEVER);
    assert.equal(attempts, 2, "what was planned with it was dropped");
    assert.deepEqual(retry.counts, { admitted: 2, duplicates: 0, held: new Map(), tombstones: 0, skipped: 0 });
    const rows = await database.query("select status, attempts from quarantine order by quarantine_id");
    const admitted = { status: "admitted", attempts: 2 };
    assert.deepEqual(rows, [admitted, { status: "discarded", attempts: 1 }, admitted]);
    assert.deepEqual(await account(database), { read: 3, position: 2, duplicates: 0, quarantined: 1 });
    assert.deepEqual((await verified(database)).faults, []);
  },
);

retry_test(
  "a message that another retry left held between a retry's reading and its settling is read anew",
  async (database, other) => {
    await read(database, one_partition("bad"), TERMS);
    let attempts = 0;
    const watched = new WatchedDatabase(other, async (place) => {
      if (place === "begin" && attempts++ === 0) await (await make_retry(database, TERMS)).run(NEVER);
    });
    await (await make_retry(watched, TERMS)).run(NEVER);
    assert.equal(attempts, 2, "what was planned before was dropped");
    assert.deepEqual(await database.query("select status, attempts from quarantine"), [{
      status: "held",
      attempts: 3,
    }]);
    assert.deepEqual((await verified(database)).faults, []);
  },
);

retry_test(
  "ingest and a retry work on one trip at once: whoever was overtaken reads anew, and all is counted once",
  async (database, other) => {
    const [requested, started, completed] = whole_trip("T", { city: "Boston" });
    const partitions = [[
      message(0, requested),
      message(1, started),
      message(2, completed),
      message(3, { ...completed, event_id: "d", type: "trip.fare_adjusted", fare: "3.00" }),
    ]];
    const source = new MemorySource("trips", [partitions[0]!.slice(0, 2)]);
    let now_ms = READ_MS - 3 * 3_600_000 + 120_000;
    const running = start_ingest(database, source, { now_ms: () => now_ms });
    try {
      // The start lies in the future, and is held.
      await running.caught_up();
      now_ms = READ_MS;
      let overtaken = 0;
      const watched = new WatchedDatabase(other, async (place) => {
        if (place !== "begin" || overtaken++ > 0) return;
        // Planned, not yet committed: ingest admits the trip's next event first.
        source.put(0, [partitions[0]![2]!]);
        await running.caught_up();
      });
      const retry = await make_retry(watched, RAISED);
      await retry.run(NEVER);
      assert.deepEqual([retry.counts.admitted, overtaken], [1, 2], "the second attempt went through");
      // Ingest still has the trip in memory as it was before the retry.
      source.put(0, [partitions[0]![3]!]);
      await running.caught_up();
    } finally {
      await running.stop();
    }
    assert.equal(running.lines.filter(([, text]) => text === "begin anew from the committed cursors").length, 1);
    await assert_as_read(database, partitions, RAISED);
  },
);

retry_test(
  "a retry of many pages beside running ingest: the figures are those of all messages",
  async (database, other) => {
    // Without repeats: which of two equal messages is admitted is decided by who is faster.
    const partitions = troubled_partitions(2, 40).map((messages) => messages.slice(0, -REPEATED));
    const middle = partitions.map((messages) => messages.slice(0, messages.length >> 1));
    await read(database, middle, LOW);
    await database.execute("update source_cursors set cluster_id = 'memory'");
    const source = new MemorySource("trips", partitions);
    const running = start_ingest(database, source, { batch_messages: 10 });
    try {
      await Promise.all([running.caught_up(), (await make_retry(other, RAISED)).run(NEVER)]);
    } finally {
      await running.stop();
    }
    await (await make_retry(other, RAISED)).run(NEVER);
    await assert_as_read(database, partitions, RAISED);
  },
);

retry_test(
  "a message that a mapping makes two events of is retried as one, and the account stays right",
  async (database) => {
    const mappings = new Map([["rides", builtin("ride_sharing")]]);
    const ride = (trip_id: string) => ({
      ...{ trip_id, driver_id: "D1", city: "Chicago", distance_km: 1, duration_min: 10, fare_usd: 5 },
      ...{ vehicle_type: "SUV", timestamp: "2026-03-01T09:00:00" },
    });
    // Refused for its length, as its mapping would not refuse it.
    const messages = [ride("a"), { ...ride("b"), note: "x".repeat(400) }, ride("a")].map((each, offset) =>
      message(offset, each)
    );
    const batch = { topic: "rides", partition: 0, from_offset: 0, next_offset: 3, messages };
    await feed(trip_pipeline(database, undefined, LOW, mappings), [batch]);
    assert.deepEqual(await account(database), { read: 5, position: 2, duplicates: 2, quarantined: 1 });

    const rehearsed = await make_retry(database, RAISED, { dry_run: true }, mappings);
    await rehearsed.run(NEVER);
    const retry = await make_retry(database, RAISED, {}, mappings);
    await retry.run(NEVER);
    assert.deepEqual(retry.counts, { admitted: 1, duplicates: 0, tombstones: 0, skipped: 0, held: new Map() });
    assert.deepEqual(rehearsed.counts, retry.counts);
    assert.deepEqual(await account(database), { read: 6, position: 4, duplicates: 2, quarantined: 0 });
    assert.deepEqual((await verified(database)).faults, []);
  },
);

retry_test("whatever time a record has, its message is set aside and retried", async (database) => {
  // None, 1970, seconds, microseconds, and what PostgreSQL has no timestamp for.
  const times = [-1, 0, 1_772_366_400, 1_772_366_400_000_000, 8.64e15, -8.64e15, READ_MS];
  const [first] = whole_trip("T");
  const messages = times.map((timestamp_ms, offset) => message(offset, { ...first, event_id: offset }, timestamp_ms));
  await read(database, [messages], { ...TERMS, read_ms: 0 });
  const kept = await database.query(
    "select to_char(message_timestamp at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as time, reason from quarantine order by message_offset",
  );
  assert.deepEqual(
    kept.map(({ time }) => time),
    [null, "1970-01-01 00:00", "1970-01-21 12:19", null, null, null, "2026-03-01 12:00"],
  );
  assert.deepEqual(new Set(kept.map(({ reason }) => reason)), new Set(["time_in_future"]));
  const retry = await make_retry(database, TERMS);
  await retry.run(NEVER);
  assert.deepEqual(retry.counts, { admitted: times.length, duplicates: 0, tombstones: 0, skipped: 0, held: new Map() });
});

retry_test(
  "messages without a value that were held as faults are settled as tombstones, and the account stays right",
  async (database) => {
    const partitions = one_partition(...whole_trip("T"), "bad");
    await read(database, partitions, TERMS);
    // As versions before left them.
    await database.script(`
    insert into quarantine (topic, partition, message_offset, message_key, headers, stage, reason, detail, code_version, quarantined_at, message_timestamp)
      select 'trips', 7, i, 'k', '{}', 'decode', 'empty_value', '', 'old', now(), now() from generate_series(0, 2) i;
    alter table batches disable trigger user;
    update batches set messages_read = messages_read + 3, quarantined = quarantined + 3;
    update log_head set messages_read = messages_read + 3, quarantined = quarantined + 3`);
    const retry = await make_retry(database, TERMS);
    await retry.run(NEVER);
    assert.deepEqual(retry.counts, {
      admitted: 0,
      duplicates: 0,
      tombstones: 3,
      skipped: 0,
      held: new Map([["malformed_json", 1]]),
    });
    const [head] = await database.query("select quarantined::int, tombstones::int, messages_read::int from log_head");
    const read_in_all = whole_trip("T").length + 4;
    assert.deepEqual(head, { quarantined: 1, tombstones: 3, messages_read: read_in_all });
    const rows = await database.query("select status, count(*)::int as rows from quarantine group by 1 order by 1");
    assert.deepEqual(rows, [{ status: "held", rows: 1 }, { status: "tombstone", rows: 3 }]);
  },
);

retry_test(
  "what was held and is skipped by its mapping now is settled as skipped, and the account stays right",
  async (database) => {
    const mapping = (skip: unknown) => new Map([["trips", mapping_with({ fare: "fare" }, { skip })]]);
    const records = [{ id: "T", at: "2026-03-01T10:00:00Z", fare: -1 }, { fare: -2 }, {}].map((each, offset) =>
      message(offset, each)
    );
    const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: records.length, messages: records };
    await feed(trip_pipeline(database, () => READ_MS, TERMS, mapping({ field: "fare", is: ["nothing"] })), [batch]);
    assert.deepEqual(await account(database), { read: 3, position: 0, duplicates: 0, quarantined: 3 });
    const retry = await make_retry(database, TERMS, {}, mapping({ field: "fare", below: 0 }));
    await retry.run(NEVER);
    const { skipped, held } = retry.counts;
    assert.deepEqual({ skipped, held: [...held.values()] }, { skipped: 2, held: [1] });
    assert.deepEqual(await account(database), { read: 3, position: 0, duplicates: 0, quarantined: 1 });
    const rows = await database.query("select status, count(*)::int as rows from quarantine group by 1 order by 1");
    assert.deepEqual(rows, [{ status: "held", rows: 1 }, { status: "skipped", rows: 2 }]);
    assert.deepEqual((await verified(database)).faults, []);
  },
);
