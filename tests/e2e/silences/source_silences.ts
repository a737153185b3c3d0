import assert from "node:assert/strict";
import { KafkaSource } from "../../../src/ingest/kafka/mod.ts";
import { system_clock } from "../../../src/runtime/mod.ts";
import { API, type FaultProxy } from "../../support/fault_proxy.ts";
import { until } from "../../support/until.ts";
import { damaged, first_batch, with_error, withhold_answers } from "./answers.ts";
import { Reading, type Silence, WITHIN_MS } from "./reading.ts";

const never = new AbortController().signal;

/** A case in which a source that reads is disturbed on the connections it has, and has to read on. */
const disturbed = (disturb: (proxy: FaultProxy) => void | Promise<unknown>): Silence => async (kafka, proxy) => {
  await using reading = new Reading(kafka, proxy.brokers);
  await reading.begin();
  await disturb(proxy);
  await reading.produce(10);
  await reading.reads_on();
};

/** What a source meets, by name. */
export const SOURCE_SILENCES: Readonly<Record<string, Silence>> = {
  "every connection goes dead without an end": disturbed((proxy) => proxy.go_dead()),
  "no fetch is answered": disturbed((proxy) => withhold_answers(proxy, API.Fetch)),
  "no heartbeat is answered": disturbed((proxy) => withhold_answers(proxy, API.Heartbeat)),
  "answers end in the middle": disturbed((proxy) => {
    const there_are = proxy.accepted;
    proxy.answer = ({ api, connection, bytes }) => connection <= there_are && api === API.Fetch ? "cut" : bytes;
  }),
  "an answer says it is longer than it is": disturbed((proxy) => {
    const there_are = proxy.accepted;
    proxy.answer = (frame) => {
      if (frame.connection <= there_are) new DataView(frame.bytes.buffer).setInt32(0, 1 << 28);
      return frame.bytes;
    };
  }),
  "an answer is damaged once": disturbed((proxy) => {
    let left = 1;
    proxy.answer = (frame) => first_batch(frame) !== null && left-- > 0 ? damaged(frame) : frame.bytes;
  }),

  async "an answer is damaged every time"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    await reading.begin();
    proxy.answer = damaged;
    await reading.produce(10);
    await reading.fails(new RegExp(`${reading.topic}/0 offset 10: the record batch does not have the checksum`));
  },

  async "no join is answered"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    let there_are = Infinity;
    proxy.answer = ({ api, connection, bytes }) => {
      if (api !== API.JoinGroup || connection > there_are) return bytes;
      there_are = Math.min(there_are, proxy.accepted);
      return "withheld";
    };
    await reading.begin();
    assert.ok(
      reading.told.some((reason) => /have not answered|has not answered/.test(reason)),
      reading.told.join("; "),
    );
  },

  async "no commit of offsets is answered"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    const asked = new Set<number>();
    proxy.request = ({ api, bytes }) => {
      asked.add(api);
      return bytes;
    };
    proxy.answer = ({ api, bytes }) => api === API.OffsetCommit ? "withheld" : bytes;
    await reading.begin();
    const began = performance.now();
    await until("several commits were given up", () => performance.now() - began > 20_000);
    await reading.produce(10);
    await reading.reads_on();
    assert.deepEqual(reading.given_up, []);
    assert.ok(asked.has(API.OffsetCommit));
    await reading.source.close();
    assert.ok(asked.has(API.LeaveGroup), "it left the group, though a commit was under way");
  },

  async "metadata comes too late, at the start"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    await reading.produce(10);
    proxy.answer = async ({ api, bytes }) => {
      if (api === API.Metadata) await new Promise((resume) => setTimeout(resume, 12_000));
      return bytes;
    };
    const opened = reading.source.open(reading.book, never);
    await reading.waits(/the brokers have not answered for \d+ s|timed out/);
    proxy.answer = ({ bytes }) => bytes;
    await opened;
    await reading.reads_on(0);
  },

  async "the brokers are silent for long"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    await reading.begin();
    proxy.go_dead("new ones too");
    await reading.waits(/stood still/);
    await until("a new session began in vain", () => reading.told.at(-1)?.includes("the brokers have not answered"));
    proxy.revive();
    await reading.produce(10);
    await reading.reads_on();
  },

  async "connections are refused"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    await reading.begin();
    proxy.refuse();
    await reading.waits(/ECONNREFUSED|Closed connection|refused/);
    proxy.listen();
    await reading.produce(10);
    await reading.reads_on();
  },

  async "the consumer crashes and does not restart"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    let left = 2;
    // 23 is INCONSISTENT_GROUP_PROTOCOL: kafkajs does not try it again.
    proxy.answer = ({ api, bytes }) => api === API.JoinGroup && left-- > 0 ? with_error(bytes, 23) : bytes;
    await reading.begin();
    assert.ok(reading.told.some((reason) => /INCONSISTENT|protocol/i.test(reason)), reading.told.join("; "));
  },

  async "a handler of ours throws"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    const get = reading.book.get.bind(reading.book);
    let left = 1;
    reading.book.get = (topic, partition) => {
      if (left-- > 0) throw new Error("the handler threw");
      return get(topic, partition);
    };
    await reading.begin();
    assert.ok(reading.told.some((reason) => /the handler threw/.test(reason)), reading.told.join("; "));
  },

  async "the group refuses us"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers);
    // 30 is GROUP_AUTHORIZATION_FAILED.
    proxy.answer = ({ api, bytes }) => api === API.JoinGroup ? with_error(bytes, 30) : bytes;
    await reading.produce(10);
    await reading.source.open(reading.book, never);
    await reading.fails(/authorized|authorization/i);
  },

  async "nobody takes what was read, for longer than a session"(kafka, proxy) {
    await using reading = new Reading(kafka, proxy.brokers, { bound: { messages: 5, bytes: 1 << 20 } });
    await reading.produce(50);
    await reading.source.open(reading.book, never);
    await until("it runs", () => reading.source.state().state === "running");
    const began = performance.now();
    await until("two sessions are over", () => performance.now() - began > 21_000);
    await reading.reads_on(0);
    assert.deepEqual(reading.given_up, []);
  },

  async "a rebalance waits for a member that is dead"(kafka, proxy) {
    await using patient = new Reading(kafka, kafka.server.brokers);
    await patient.begin();
    const options = { ...patient.direct, brokers: [proxy.brokers] };
    const dead = new KafkaSource(options, system_clock);
    const late = new KafkaSource(patient.direct, system_clock);
    try {
      await dead.open(patient.book, never);
      await until("the other one is a member", () => dead.state().state === "running");
      proxy.go_dead("new ones too");
      await late.open(patient.book, never);
      await until("the late one is a member", () => late.state().state === "running", WITHIN_MS);
      await until("the patient one is back", () => patient.source.state().state === "running", WITHIN_MS);
      assert.deepEqual(patient.given_up, []);
    } finally {
      await Promise.all([dead.close(), late.close()]);
    }
  },
};
