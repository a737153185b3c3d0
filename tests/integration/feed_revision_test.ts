import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import { trips_board } from "../support/trip_board.ts";
import { type Filter, read_boards, type Reading, type View, view_key, window_at } from "../../src/feed/figures/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { database_test, FlakyDatabase } from "../support/read_side.ts";
import { builtin } from "../support/trip_mapping.ts";
import { message, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

const DAYS = days_in(TEST_TIME_ZONE);
const RECORDED_MS = Date.UTC(2026, 2, 1, 12);
const at = (time: string) => `2026-03-01T${time}Z`;
const started = (trip_id: string, time: string) => ({
  trip_id,
  event_id: `s-${trip_id}`,
  type: "trip.started",
  occurred_at: at(time),
  city: "Bonn",
});
const completed = (trip_id: string, time: string) => ({
  ...started(trip_id, time),
  event_id: `c-${trip_id}`,
  type: "trip.completed",
  fare: 5,
});

/** A log that batches are appended to, and what the feed reads of it. */
function log_of(database: Database) {
  const mappings = new Map([["rides", builtin("ride_sharing")]]);
  const pipeline = trip_pipeline(database, () => RECORDED_MS + later_ms + offset, undefined, mappings);
  let offset = 0, later_ms = 0;
  let last: Reading | null = null;
  const next = new Map<string, number>();
  async function append(topic: string, values: readonly unknown[]): Promise<void> {
    const from = next.get(topic) ?? null, from_offset = from ?? 0, to = from_offset + values.length;
    const messages = values.map((each, i) => message(from_offset + i, each));
    offset += values.length;
    next.set(topic, to);
    const batch = { topic, partition: 0, from_offset, next_offset: to, messages };
    await pipeline.append(await pipeline.plan([batch], [{ topic, partition: 0, from, to }], "test"));
  }
  return {
    /** Lets time pass before the next batch is recorded. */
    wait: (ms: number) => void (later_ms += ms),
    append: (...events: readonly unknown[]) => append("trips", events),
    /** Records of whole trips, that are told when they end. */
    append_rides: (...rides: readonly unknown[]) => append("rides", rides),
    /** The marked buckets of a view, by their times; with when they were revised. */
    async revised(filter: Filter = [], of: Pick<View, "range"> & { range: "1h" | "6h" } = { range: "1h" }) {
      const view: View = { ...of, to_s: Date.parse(at("10:59:00")) / 1000, filter, compare: "weekday" };
      const watched = new Map([[view_key(view, DAYS), { view, window: window_at(view, 0, DAYS) }]]);
      last = await read_boards({ database, board: trips_board, days: DAYS }, watched, [], last);
      const { series } = last.boards.get(view_key(view, DAYS))!;
      return series.t.flatMap((t, i) =>
        series.revised_ms![i] === 0 ? [] : [[new Date(t * 1000).toISOString().slice(11, 16), series.revised_ms![i]]]
      );
    },
  };
}
const bonn = [{ dimension: "city", keys: ["Bonn"], excluded: false }];

database_test("a bucket is marked when it was changed after it had closed, and no other is", async (database) => {
  const { append, revised, wait } = log_of(database);
  await append(started("A", "10:00:30"));
  await append(started("B", "10:01:30"));
  // Out of order by seconds, and by minutes less than it takes to close.
  await append(started("C", "10:01:10"));
  await append(started("D", "10:05:59"));
  await append(started("E", "10:00:40"));
  assert.deepEqual(await revised(), []);
  await append(started("F", "10:12:00"));
  assert.deepEqual(await revised(), []);
  wait(3_000);
  await append(started("G", "10:01:50"), started("H", "10:11:00"));
  const recorded_ms = RECORDED_MS + 3_008;
  assert.deepEqual(await revised(), [["10:01", recorded_ms]]);
  assert.deepEqual(await revised(bonn), [["10:01", recorded_ms]]);
  assert.deepEqual(await revised([{ ...bonn[0]!, excluded: true }]), []);
  assert.deepEqual(await revised([], { range: "6h" }), [["10:00", recorded_ms]], "five minutes, by their own end");
  await append(started("I", "10:00:50"));
  assert.deepEqual(await revised(), [["10:00", recorded_ms + 1], ["10:01", recorded_ms]]);
  await append(started("J", "10:03:30"));
  assert.equal((await revised()).length, 2, "nothing of a minute without a trip could be taken for settled");
});

database_test(
  "a trip that goes on is no late correction of its beginning, whatever its status is filtered by",
  async (database) => {
    const { append, revised, wait } = log_of(database);
    await append(started("A", "10:00:30"));
    await append(started("Z", "10:24:30"));
    await append(completed("A", "10:25:00"));
    assert.deepEqual(await revised(), []);
    const by_status = [{ dimension: "status", keys: ["completed"], excluded: false }];
    assert.deepEqual(await revised(by_status), []);
    // A fare that is corrected an hour later corrects the minute of the completion.
    await append(started("B", "10:50:00"));
    wait(3_000);
    await append({ ...completed("A", "10:51:00"), event_id: "f-A", type: "trip.fare_adjusted", fare: 6 });
    assert.deepEqual((await revised()).map(([time]) => time), ["10:25"]);
    assert.deepEqual((await revised(by_status)).map(([time]) => time), ["10:25"]);
  },
);

database_test("batches are looked up only for closed buckets that changed; old ones tell nothing", async (database) => {
  const flaky = new FlakyDatabase(database);
  const statements: string[] = [];
  const watching: Database = {
    ...flaky,
    kind: database.kind,
    query: flaky.query,
    transaction: (work) =>
      database.transaction((tx) =>
        work({
          execute: (...asked) => tx.execute(...asked),
          copy: (...asked) => tx.copy(...asked),
          query: (statement, values) => {
            if (typeof statement !== "string" && statement.name === "feed_bucket_changes") {
              statements.push(String(values?.[1]));
            }
            return tx.query(statement, values);
          },
        })
      ),
  };
  const { append, revised, wait } = log_of(watching);
  await append(started("A", "10:00:30"), started("a", "10:02:00"), started("b", "10:04:00"), started("c", "10:05:00"));
  await append(started("B", "10:20:00"));
  wait(3_000);
  await append(started("C", "10:02:30"));
  await append(started("D", "10:20:10"));
  assert.deepEqual((await revised()).map(([time]) => time), ["10:02"]);
  assert.deepEqual(statements.splice(0).map((list) => list.match(/\d+/g)!.toSorted()), [["1", "3", "4", "6"]]);
  await append(started("E", "10:04:30"));
  assert.deepEqual((await revised()).map(([time]) => time), ["10:02", "10:04"]);
  assert.deepEqual(statements.splice(0), ["{8}"]);
  await database.script("alter table batches disable trigger all; update batches set watermark = null");
  await append(started("F", "10:05:30"));
  assert.deepEqual((await revised()).map(([time]) => time), ["10:02", "10:04"], "the batch before it does not say");
});

database_test(
  "a bucket of several keys is marked by the last that changed, and anew each time it changes while it is followed",
  async (database) => {
    const { append, revised, wait } = log_of(database);
    const both = [{ dimension: "city", keys: ["Bonn", "Oslo"], excluded: false }];
    await append({ ...started("A", "10:00:30"), city: "Oslo" });
    await append(started("B", "10:20:00"));
    assert.deepEqual(await revised(both), []);
    wait(3_000);
    await append(started("C", "10:00:40"));
    assert.deepEqual(await revised(both), [["10:00", RECORDED_MS + 3_003]]);
    await append(started("D", "10:00:45"));
    assert.deepEqual(await revised(both), [["10:00", RECORDED_MS + 3_004]]);
    await append(started("E", "10:20:30"));
    assert.deepEqual(await revised(both), [["10:00", RECORDED_MS + 3_004]]);
  },
);

const minutes = async (marks: Promise<unknown[][]>) => (await marks).map(([time]) => time);
const ride = (trip_id: string, end: string, duration_min: number) => ({
  ...{ trip_id, duration_min, fare_usd: 5, city: "Bonn", payment_method: "card" },
  timestamp: at(end),
});

database_test(
  "records of whole trips tell their starts at their ends: none corrects the minute of its start",
  async (database) => {
    const { append_rides, revised, wait } = log_of(database);
    for (let minute = 10; minute < 60; minute += 2) {
      await append_rides(ride(`T${minute}`, `10:${minute}:10`, 9), ride(`U${minute}`, `10:${minute}:40`, 10));
    }
    assert.deepEqual(await revised(), []);
    assert.deepEqual(await revised(bonn), []);
    assert.deepEqual(await revised([], { range: "6h" }), []);
    wait(3_000);
    // One that comes late does, the minute of its start and that of its end.
    await append_rides(ride("late", "10:20:30", 5));
    assert.deepEqual(await minutes(revised()), ["10:15", "10:20"]);
    assert.deepEqual(await minutes(revised(bonn)), ["10:15", "10:20"]);
    assert.deepEqual(await minutes(revised([{ ...bonn[0]!, keys: ["Cologne"] }])), []);
  },
);

database_test(
  "what a trip names as it goes on moves its beginning from key to key: that is no correction",
  async (database) => {
    const { append, revised, wait } = log_of(database);
    await append(started("A", "10:00:30"));
    await append(started("Z", "10:24:30"));
    wait(3_000);
    await append({ ...completed("A", "10:25:00"), payment_method: "card" });
    const by_card = [{ dimension: "payment_method", keys: ["card"], excluded: false }];
    assert.deepEqual(await minutes(revised(by_card)), []);
  },
);

database_test(
  "a backfill corrects no bucket that it fills; what comes late to one that was there for a while does",
  async (database) => {
    const { append, revised, wait } = log_of(database);
    let count = 0;
    await append(started("now", "10:55:00"));
    for (const minute of ["10:05", "10:06", "10:05", "10:07"]) {
      await append(started(`${minute} ${count++}`, `${minute}:10`));
      await append(started(`${minute} ${count++}`, `${minute}:20`));
    }
    assert.deepEqual(await minutes(revised()), []);
    wait(2_900);
    await append(started("soon", "10:05:30"));
    assert.deepEqual(await minutes(revised()), [], "nobody could have taken it for settled");
    wait(3_000);
    await append(started("later", "10:06:30"));
    assert.deepEqual(await minutes(revised()), ["10:06"]);
  },
);

database_test("a followed board looks anew at a bucket that is changed anew", async (database) => {
  const { append, revised, wait } = log_of(database);
  await append(started("A", "10:00:30"), started("B", "10:02:30"));
  assert.deepEqual(await revised(), []);
  await append(started("C", "10:20:00"));
  assert.deepEqual(await revised(), [], "it has closed, and nothing came since");
  wait(3_000);
  await append(started("D", "10:02:40"));
  const first = RECORDED_MS + 3_004;
  assert.deepEqual(await revised(), [["10:02", first]]);
  await append(started("E", "10:02:50"), started("F", "10:20:10"));
  assert.deepEqual(await revised(), [["10:02", first + 2]], "when it was corrected last");
  await append(started("G", "10:00:50"));
  assert.deepEqual(await revised(), [["10:00", first + 3], ["10:02", first + 2]], "one that was not marked is, now");
});
