import assert from "node:assert/strict";
import { open_database } from "../../../src/database/mod.ts";
import { KafkaSource } from "../../../src/ingest/kafka/mod.ts";
import { system_clock } from "../../../src/runtime/mod.ts";
import { API } from "../../support/fault_proxy.ts";
import { start_ingest, WatchedDatabase } from "../../support/ingest_harness.ts";
import { numbers } from "../../support/kafka_topic.ts";
import { compare_with_database, oracle } from "../../support/oracle/mod.ts";
import { shared_postgres } from "../../support/postgres.ts";
import { read_topic } from "../../support/read_topic.ts";
import { whole_trip } from "../../support/trip_events.ts";
import { migrated, TERMS, TEST_TIME_ZONE } from "../../support/trip_pipeline.ts";
import { until } from "../../support/until.ts";
import { produce_patiently, Reading, type Silence, WITHIN_MS } from "./reading.ts";

/** The group forgets a member whose batch takes too long: another one reads the batch, and neither loses nor doubles any of it. */
export const slow_database: Silence = async (kafka, proxy) => {
  await using reading = new Reading(kafka, proxy.brokers);
  const send = (from: number) => {
    const trips = numbers(from, from + 20).flatMap((id) => whole_trip(`T-${id}`, { city: "Boston" }));
    return produce_patiently(reading.direct, trips.map((event) => JSON.stringify(event)));
  };
  await send(0);
  const { url } = await (await shared_postgres()).create_database(migrated);
  const database = await open_database({ url, data_dir: null, connections: 4 });
  const slow = Promise.withResolvers<void>();
  let begun = 0;
  const watched = new WatchedDatabase(database, async (place) => {
    if (place === "begin" && ++begun === 1) await slow.promise;
  });
  // The broker hears no heartbeat of ours, and the batch is under way: it gives the partition to the other one.
  const heartless = new Set<number>();
  proxy.request = ({ api, connection, bytes }) => {
    if (api === API.Heartbeat && begun === 1) heartless.add(connection);
    return heartless.has(connection) && api === API.Heartbeat ? "withheld" : bytes;
  };
  const other = new KafkaSource(reading.direct, system_clock);
  const running = [start_ingest(watched, reading.source)];
  try {
    await until("a batch is under way", () => begun === 1);
    await until("the group hears nothing", () => heartless.size > 0);
    running.push(start_ingest(database, other));
    await until("the other one appended it", () => running[1]!.ingest.counts.admitted >= 60, WITHIN_MS);
    slow.resolve();
    await send(20);
    const read = () => running[0]!.ingest.counts.admitted + running[1]!.ingest.counts.admitted;
    await until("all is read", () => read() >= 120, WITHIN_MS);
    await until("it is a member again", () => reading.source.state().state === "running", WITHIN_MS);
    const messages = await read_topic(kafka.server.brokers, reading.topic);
    const expectation = oracle(messages, { currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS });
    assert.equal(expectation.messages_read, 120);
    for (const each of running) await each.stop();
    assert.deepEqual(await compare_with_database((sql) => database.query(sql), expectation), []);
  } finally {
    slow.resolve();
    for (const each of running) await each.stop().catch(() => {});
    await other.close();
    await database.close();
  }
};
