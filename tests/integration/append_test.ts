import assert from "node:assert/strict";
import { type Database, open_database } from "../../src/database/mod.ts";
import { type CursorAdvance, Overtaken, read_cursors, read_head, read_headers } from "../../src/event_log/mod.ts";
import type { SourceBatch, SourceMessage } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import { WatchedDatabase } from "../support/ingest_harness.ts";
import { compare_with_database } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { expected, whole_trip } from "../support/trip_events.ts";
import { feed, message, migrated, placed, trip_pipeline } from "../support/trip_pipeline.ts";
import { until } from "../support/until.ts";

/** A test with a database of its own, on as many connections as programs would have. */
function append_test(name: string, fn: (database: Database, other: Database) => Promise<void>): void {
  tacho_test({
    name,
    needs: ["postgres"],
    async fn() {
      const { url } = await (await shared_postgres()).create_database(migrated);
      const databases = [1, 2].map(() => open_database({ url, data_dir: null, connections: 2 }));
      const [one, other] = await Promise.all(databases);
      try {
        await fn(one!, other!);
      } finally {
        await one!.close();
        await other!.close();
      }
    },
  });
}

const batch_of = (partition: number, from_offset: number, events: readonly unknown[]): SourceBatch =>
  placed({
    topic: "trips",
    partition,
    from_offset,
    next_offset: from_offset + events.length,
    messages: events.map((each, i) => message(from_offset + i, each)),
  });
const advance_of = ({ topic, partition, from_offset, next_offset }: SourceBatch): CursorAdvance => ({
  topic,
  partition,
  from: from_offset === 0 ? null : from_offset,
  to: next_offset,
});
type Pipeline = ReturnType<typeof trip_pipeline>;

append_test(
  "a batch finds what it changes by index: it reads no table whole, however large batch and table are",
  async (database) => {
    const read_whole: unknown[] = [];
    const watched: Database = {
      ...database,
      transaction: (work) =>
        database.transaction(async (tx) => {
          const result = await work(tx);
          read_whole.push(
            ...await tx.query(
              `select relname, seq_scan::int from pg_stat_xact_user_tables
              where relname in ('trips', 'trip_cells', 'trip_totals', 'trip_sketches') and seq_scan > 0`,
            ),
          );
          return result;
        }),
    };
    const trips = (type: string, more: Record<string, unknown>) =>
      Array.from({ length: 2_000 }, (_, i) => ({
        ...{ event_id: type, trip_id: `T-${i}`, type: `trip.${type}`, driver_id: `D${i}` },
        ...{ occurred_at: new Date(Date.UTC(2026, 2, 1, 9, 0, i)).toISOString(), ...more },
      }));
    const pipeline = trip_pipeline(watched);
    await feed(pipeline, [
      batch_of(0, 0, trips("started", {})),
      batch_of(1, 0, trips("completed", { fare: 5 })),
      // Lowers what they counted, and takes extremes back.
      batch_of(2, 0, trips("voided", {})),
    ]);
    const [{ voided } = { voided: 0 }] = await database.query(
      "select count(*)::int as voided from trips where status = 'voided'",
    );
    assert.equal(voided, 2_000);
    assert.deepEqual(read_whole, []);
  },
);
const plan = (pipeline: Pipeline, batch: SourceBatch) => pipeline.plan([batch], [advance_of(batch)], "test");

const TABLES = [
  "log_head",
  "events",
  "batches",
  "source_cursors",
  "quarantine",
  "trips",
  "trip_cells",
  "trip_totals",
  "trip_sketches",
];
/** Everything the log and the read models hold. */
const everything = async (database: Database) => {
  const all = TABLES.map((table) => `select '${table}' as name, t::text as text from ${table} t`).join(" union all ");
  return (await database.query(`${all} order by 1, 2`)).map(({ name, text }) => `${name} ${text}`);
};
const differences = (database: Database, partitions: SourceMessage[][]) =>
  compare_with_database((sql) => database.query(sql), expected(partitions));
const positions = async (database: Database) =>
  (await database.query("select position, stream_id from events order by position")).map(({ position, stream_id }) =>
    `${position} ${stream_id}`
  );

append_test("two appenders on different partitions: positions are gapless and in commit order", async (one, other) => {
  const reached = Promise.withResolvers<void>(), released = Promise.withResolvers<void>();
  const first = trip_pipeline(
    new WatchedDatabase(one, async (place) => {
      if (place !== "commit") return;
      reached.resolve();
      await released.promise;
    }),
  );
  const second = trip_pipeline(other);
  const batches = [batch_of(0, 0, whole_trip("A")), batch_of(1, 0, whole_trip("B"))] as const;
  const late = await plan(second, batches[1]);
  const appending = first.append(await plan(first, batches[0]));
  await reached.promise;
  // The first has its positions and is not committed: the second has to wait for the head.
  let second_is_through = false;
  const waiting = second.append(late).then((appended) => {
    second_is_through = true;
    return appended;
  });
  await until("the second waits for the head's lock", async () => {
    const rows = await one.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%log_head%'",
    );
    return rows.length === 1;
  });
  assert.equal(second_is_through, false);
  assert.deepEqual(await positions(one), []);
  released.resolve();
  assert.equal((await appending).before_first, 0);
  assert.equal((await waiting).before_first, 3);
  assert.deepEqual(await positions(one), ["1 A", "2 A", "3 A", "4 B", "5 B", "6 B"]);
  // The other way round now: who plans first need not append first.
  const [again, next] = [batch_of(0, 3, whole_trip("C")), batch_of(1, 3, whole_trip("D"))];
  const planned = [await plan(first, again), await plan(second, next)] as const;
  await second.append(planned[1]);
  await first.append(planned[0]);
  assert.deepEqual((await positions(one)).slice(6), ["7 D", "8 D", "9 D", "10 C", "11 C", "12 C"]);
  const partitions = [[...batches[0].messages, ...again.messages], [...batches[1].messages, ...next.messages]];
  assert.deepEqual(await differences(one, partitions), []);
});

append_test("an appender that rolls back burns no position", async (one, other) => {
  const first = trip_pipeline(
    new WatchedDatabase(one, (place) => {
      if (place === "commit") throw new Error("the process died");
    }),
  );
  await assert.rejects(first.append(await plan(first, batch_of(0, 0, whole_trip("A")))), /the process died/);
  const second = trip_pipeline(other);
  assert.equal((await second.append(await plan(second, batch_of(1, 0, whole_trip("B"))))).before_first, 0);
});

append_test("the cursor was moved by another: Overtaken, and nothing is written", async (one, other) => {
  const first = trip_pipeline(one), second = trip_pipeline(other);
  for (const batch of [batch_of(0, 0, whole_trip("A")), batch_of(0, 3, whole_trip("B"))]) {
    const [mine, theirs] = [
      await plan(first, batch),
      await plan(second, { ...batch, messages: batch.messages.slice(0, 1) }),
    ];
    await first.append(mine);
    const before = await everything(one);
    await assert.rejects(
      second.append(theirs),
      (error) => error instanceof Overtaken && /trips\/0/.test(error.message),
    );
    await assert.rejects(first.append(mine), Overtaken);
    assert.deepEqual(await everything(one), before);
    second.forget({ watermark_us: null, forgotten: null });
  }
});

append_test("a cursor of another cluster is not advanced", async (one) => {
  const pipeline = trip_pipeline(one);
  await pipeline.append(await plan(pipeline, batch_of(0, 0, whole_trip("A"))));
  const batch = batch_of(0, 3, whole_trip("B"));
  const planned = await pipeline.plan([batch], [advance_of(batch)], "another cluster");
  await assert.rejects(pipeline.append(planned), Overtaken);
});

append_test(
  "a stream was changed by another process: Overtaken, and nothing is written",
  async (one, other) => {
    const first = trip_pipeline(one), second = trip_pipeline(other);
    const [requested, started, completed] = whole_trip("T");
    const race = async (offset: number, mine: unknown, theirs: unknown) => {
      const [ours, others] = [batch_of(0, offset, [mine]), batch_of(1, 0, [theirs, ...whole_trip("U")])];
      const plans = [await plan(first, ours), await plan(second, others)] as const;
      await first.append(plans[0]);
      const before = await everything(one);
      await assert.rejects(second.append(plans[1]), Overtaken);
      assert.deepEqual(await everything(one), before);
      second.forget({ watermark_us: null, forgotten: null });
    };
    await race(0, requested, started);
    await race(1, started, completed);
    const batch = batch_of(1, 0, [completed]);
    await second.append(await plan(second, batch));
    const [trip] = await one.query(
      "select revision, status, positions::text as positions from trips where trip_id = 'T'",
    );
    assert.deepEqual(trip, { revision: 3, status: "completed", positions: "{1,2,3}" });
  },
);

append_test("the partition after the next is made when the log enters the next", async (one) => {
  await one.execute("update log_head set position = 9999998");
  const pipeline = trip_pipeline(one);
  const made = async () =>
    (await one.query("select relid::text as name from pg_partition_tree('events') where isleaf order by 1")).map((
      row,
    ) => row.name);
  await pipeline.append(await plan(pipeline, batch_of(0, 0, whole_trip("A").slice(0, 1))));
  assert.deepEqual(await made(), ["events_p000000", "events_p000001"]);
  await pipeline.append(await plan(pipeline, batch_of(0, 1, whole_trip("A").slice(1))));
  assert.deepEqual(await made(), ["events_p000000", "events_p000001", "events_p000002"]);
  const rows = await one.query("select tableoid::regclass::text as part, position from events order by position");
  assert.deepEqual(rows, [
    { part: "events_p000000", position: "9999999" },
    { part: "events_p000001", position: "10000000" },
    { part: "events_p000001", position: "10000001" },
  ]);
});

append_test(
  "the same id: equal content is a duplicate, other content is set aside, in one batch and across",
  async (one) => {
    const [, started, completed] = whole_trip("T", { note: { b: 1, a: [1.5] } });
    const equal = {
      ...completed,
      fare: "12.50",
      note: { a: [1.50], b: 1e0 },
      occurred_at: "2026-03-01T11:20:00.000+01:00",
    };
    const others = [
      { ...completed, fare: "12.5" },
      { ...completed, note: { a: [1.5], b: 2 } },
      { ...completed, occurred_at: "2026-03-01T10:20:00.000001Z" },
      { ...completed, type: "trip.fare_adjusted" },
    ];
    const events = [completed, equal, ...others, started, completed, equal, ...others];
    const messages = events.map((each, offset) => message(offset, each));
    for (const cache of ["kept", "forgotten"]) {
      const partition = cache === "kept" ? 0 : 1;
      const pipeline = trip_pipeline(one);
      for (const [from_offset, next_offset] of [[0, 7], [7, 13]] as const) {
        const part = messages.slice(from_offset, next_offset).map((each) => ({
          ...each,
          value: new TextEncoder().encode(new TextDecoder().decode(each.value!).replace('"T"', `"T${partition}"`)),
        }));
        await pipeline.append(
          await plan(pipeline, placed({ topic: "trips", partition, from_offset, next_offset, messages: part })),
        );
        if (cache === "forgotten") pipeline.forget({ watermark_us: null, forgotten: null });
      }
      const counts = await one.query(
        "select admitted, duplicates, quarantined from batches order by batch desc limit 2",
      );
      assert.deepEqual(counts, [{ admitted: "0", duplicates: "2", quarantined: "4" }, {
        admitted: "2",
        duplicates: "1",
        quarantined: "4",
      }]);
    }
    const reasons = await one.query("select distinct stage, reason, path from quarantine");
    assert.deepEqual(reasons, [{ stage: "plan", reason: "identity_conflict", path: "event_id" }]);
  },
);

append_test("a batch keeps how far event time had come with it, whoever appended", async (one, two) => {
  const first = trip_pipeline(one), other = trip_pipeline(two);
  const late = { trip_id: "B", event_id: "late", type: "trip.started", occurred_at: "2026-03-01T09:00:00Z" };
  await feed(first, [batch_of(0, 0, whole_trip("A"))]);
  await other.append(await plan(other, batch_of(1, 0, [late])));
  const marks = await one.query(
    "select to_char(watermark at time zone 'UTC', 'HH24:MI') as mark from batches order by batch",
  );
  assert.deepEqual(marks.map(({ mark }) => mark), ["10:20", "10:20"]);
});

append_test("a batch of duplicates moves the cursor and the account, not the log", async (one) => {
  const pipeline = trip_pipeline(one);
  await feed(pipeline, [batch_of(0, 0, whole_trip("A"))]);
  const before = await one.query(
    "select t::text, c from trips t, (select array_agg(c::text order by c::text) as c from trip_cells c) c",
  );
  await pipeline.append(await plan(pipeline, batch_of(0, 3, whole_trip("A"))));
  const { position, batch, messages_read, duplicates } = await read_head(one);
  assert.deepEqual({ position, batch, messages_read, duplicates }, {
    position: 3,
    batch: 2,
    messages_read: 6,
    duplicates: 3,
  });
  const [row] = await one.query("select first_position, last_position, admitted from batches where batch = 2");
  assert.deepEqual(row, { first_position: "4", last_position: "3", admitted: "0" });
  const [cursor] = await one.query("select next_offset from source_cursors");
  assert.equal(cursor!.next_offset, "6");
  const after = await one.query(
    "select t::text, c from trips t, (select array_agg(c::text order by c::text) as c from trip_cells c) c",
  );
  assert.deepEqual(after, before);
});

append_test(
  "a message with NULs in its text or in a header's name is set aside like any other, its bytes unchanged",
  async (one) => {
    const pipeline = trip_pipeline(one);
    const headers = { "a\0b": new Uint8Array([1]), "a\\0b": new Uint8Array([2]), ["__proto__"]: new Uint8Array([3]) };
    const value = new TextEncoder().encode("\0abc");
    const batch = { ...batch_of(0, 0, []), next_offset: 1, messages: [{ ...message(0, ""), value, headers }] };
    await pipeline.append(await plan(pipeline, batch));
    const [row] = await one.query("select detail, message_value, headers from quarantine");
    assert.match(String(row!.detail), /got "\\u0000abc".*\\0abc/);
    assert.deepEqual(new Uint8Array(row!.message_value as Uint8Array), value);
    const read = Object.entries(read_headers(row!.headers)).map(([name, bytes]) => [name, bytes[0]]).sort();
    assert.deepEqual(read, [["__proto__", 3], ["a\0b", 1], ["a\\0b", 2]].sort());
  },
);

append_test("a message that is quarantined once more keeps its row and counts the attempt", async (one) => {
  const pipeline = trip_pipeline(one);
  const again = async (text: string) => {
    const advance = { topic: "trips", partition: 0, from: 0, to: 1 };
    await pipeline.append(await pipeline.plan([batch_of(0, 0, [text])], [advance], "test"));
    await one.execute("update source_cursors set next_offset = 0");
  };
  await pipeline.append(await plan(pipeline, batch_of(0, 0, ["bad"])));
  await one.execute("update source_cursors set next_offset = 0");
  await one.execute("update quarantine set status = 'discarded', settled_at = now(), reason = 'old'");
  await again("bad");
  const rows = () =>
    one.query("select attempts, status, settled_at, reason, message_value from quarantine order by quarantine_id");
  const bytes = (text: string) => new TextEncoder().encode(text);
  const kept = { attempts: 2, status: "held", settled_at: null, reason: "malformed_json", message_value: bytes("bad") };
  assert.deepEqual(
    (await rows()).map((row) => ({ ...row, message_value: new Uint8Array(row.message_value as Uint8Array) })),
    [kept],
  );

  // The topic was made anew: another message has the coordinates, and loses nothing to the one that had them before.
  await again("{}");
  const other = { ...kept, attempts: 1, reason: "missing_trip_id", message_value: bytes("{}") };
  assert.deepEqual(
    (await rows()).map((row) => ({ ...row, message_value: new Uint8Array(row.message_value as Uint8Array) })),
    [kept, other],
  );
});

append_test(
  "key, headers and value tell messages at the same coordinates apart, null from empty included",
  async (one) => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    // A fault that its sender states, so that one without a value is no tombstone.
    const headers = { "tacho-fault": bytes("bad") };
    const bad = { ...message(0, "bad"), headers }, empty = new Uint8Array();
    const messages = [
      bad,
      { ...bad, key: empty },
      { ...bad, key: bytes("k") },
      { ...bad, headers: { ...headers, a: bytes("1") } },
      { ...bad, headers: { ...headers, a: bytes("2") } },
      { ...bad, value: bytes("worse") },
      { ...bad, value: empty },
      { ...bad, value: null },
      { ...bad, key: bad.value, value: null },
    ];
    const pipeline = trip_pipeline(one);
    for (const round of [1, 2]) {
      for (const each of messages) {
        const batch = { ...batch_of(0, 0, [""]), messages: [each] };
        const from = (await read_cursors(one)).length === 0 ? null : 0;
        await pipeline.append(await pipeline.plan([batch], [{ ...advance_of(batch), from }], "test"));
        await one.execute("update source_cursors set next_offset = 0");
      }
      const rows = await one.query("select attempts from quarantine");
      assert.deepEqual(rows, messages.map(() => ({ attempts: round })));
    }
  },
);

append_test("amounts that no double holds are exact when a trip is read back from its row", async (database) => {
  const at = (minute: number) => `2026-03-01T10:0${minute}:00Z`;
  const fare = "999999999999.999999";
  const first = batch_of(0, 0, [
    { trip_id: "T", event_id: "c", type: "trip.completed", occurred_at: at(1), fare, tip: "9007199254.740993" },
  ]);
  const one = trip_pipeline(database);
  await one.append(await plan(one, first));
  // Another process knows the trip by its row alone; it takes back what the row says the trip added.
  const other = trip_pipeline(database);
  const second = batch_of(0, 1, [
    { trip_id: "T", event_id: "a", type: "trip.fare_adjusted", occurred_at: at(2), fare: "0.000001" },
  ]);
  await other.append(await plan(other, second));
  const [row] = await database.query("select completion_fare_micros, fare_micros, tip_micros from trips");
  const amounts = { completion_fare_micros: "999999999999999999", fare_micros: "1", tip_micros: "9007199254740993" };
  assert.deepEqual(row, amounts);
  const [cell] = await database.query(
    "select fare_sum_micros, fare_max_micros, tip_sum_micros from trip_cells where grain = 'all' and dimension = 'none'",
  );
  assert.deepEqual(cell, { fare_sum_micros: "1", fare_max_micros: "1", tip_sum_micros: "9007199254740993" });
});
