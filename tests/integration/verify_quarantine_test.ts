import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { discard_held } from "../../src/event_log/mod.ts";
import { tacho_test } from "../support/available.ts";
import { LOW, make_retry, RAISED } from "../support/held_messages.ts";
import { CHAIN_START, follow_chain } from "../support/oracle/mod.ts";
import type { Template } from "../support/postgres.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, message, migrated, READ_MS, trip_pipeline } from "../support/trip_pipeline.ts";
import { SMALL_BOUND, verified, with_log } from "../support/verified_log.ts";

/** Whatever happens to a message in quarantine is noted by the batch that did it; what happened otherwise is found. */

const MESSAGES = [...whole_trip("T"), "bad", "{}", "worse", "[]"].map((each, offset) => message(offset, each));

/** A log of which a completion and four broken messages were set aside; then all were retried, one of them discarded, and one read anew. */
const with_quarantine: Template = {
  name: "with_quarantine",
  async prepare(url) {
    await migrated.prepare(url);
    const database = await open_database({ url, data_dir: null, connections: 2 });
    const batch = { topic: "trips", partition: 0, from_offset: 0, next_offset: MESSAGES.length, messages: MESSAGES };
    await feed(trip_pipeline(database, () => LOW.read_ms, LOW), [batch]);
    const retry = await make_retry(database, RAISED);
    await retry.run(new AbortController().signal);
    const discard = { filter: { ids: [3] }, newest_id: 1e6, limit: 10, by: "Ada", reason: "sent by mistake" };
    assert.equal(await discard_held(database, discard, READ_MS * 1000), 1);
    await feed(trip_pipeline(database), [{ ...batch, topic: "again", messages: [message(0, "bad")], next_offset: 1 }]);
    await database.close();
  },
};

const settled = "status = 'admitted'";
const HARM: readonly (readonly [what: string, sql: string, told: RegExp])[] = [
  [
    "a held message's bytes",
    "update quarantine set message_value = 'mad' where quarantine_id = 2",
    /quarantined message 2 is not what batch 2 wrote/,
  ],
  ["a header", `update quarantine set headers = '{"a":"YQ=="}' where quarantine_id = 2`, /message 2 is not what batch/],
  ["a key", "update quarantine set message_key = 'k' where quarantine_id = 2", /message 2 is not what batch/],
  ["a message's absence", "delete from quarantine where quarantine_id = 2", /message 2 is missing, batch 2 wrote it/],
  [
    "a discarded message's absence",
    "delete from quarantine where quarantine_id = 3",
    /message 3 is missing, batch 3 wrote it/,
  ],
  [
    "a message that no batch set aside",
    `insert into quarantine (topic, partition, message_offset, headers, stage, reason, detail, code_version, quarantined_at, message_hash)
      select topic, partition, 99, headers, stage, reason, detail, code_version, quarantined_at, message_hash(null, headers, null)
      from quarantine where quarantine_id = 2`,
    /quarantined message \d+: no batch set it aside/,
  ],
  [
    "a settled message that is held again",
    `update quarantine set status = 'held', settled_at = null where ${settled}`,
    /message 1 is not what batch 2 wrote/,
  ],
  [
    "a held message that is settled",
    "update quarantine set status = 'admitted', settled_at = quarantined_at where quarantine_id = 2",
    /message 2 is not what batch 2 wrote/,
  ],
  [
    "a discarded message that is held again",
    "update quarantine set status = 'held', settled_at = null where quarantine_id = 3",
    /message 3 is not what batch 3 wrote/,
  ],
  [
    "what a message held",
    `update quarantine set message_key = null, headers = '{}', message_value = null, path = null, status = 'discarded', settled_at = quarantined_at,
      erased_bytes = coalesce(octet_length(message_key), 0) + octet_length(headers::text) + coalesce(octet_length(message_value), 0)
      where quarantine_id = 4`,
    /message 4 is not what batch/,
  ],
  ["a reason", "update quarantine set reason = 'too_large' where quarantine_id = 4", /message 4 is not what batch/],
  ["a detail", "update quarantine set detail = '' where quarantine_id = 4", /message 4 is not what batch/],
  ["an offset", "update quarantine set message_offset = 77 where quarantine_id = 4", /message 4 is not what batch/],
  ["a broker's time", "update quarantine set message_timestamp = 'epoch' where quarantine_id = 4", /message 4 is not/],
  ["the number of attempts", "update quarantine set attempts = 1 where quarantine_id = 4", /message 4 is not what/],
  [
    "what a batch notes of it",
    `update batches set note = note || '{"quarantine":[]}' where batch = 1`,
    /batch 1 notes 0 quarantined messages and accounts for \d+/,
  ],
  [
    "the head's count",
    "update log_head set quarantined = quarantined + 1, messages_read = messages_read + 1",
    /the head counts quarantined \d+, its batches add up to \d+/,
  ],
];

for (const [what, sql, told] of HARM) {
  tacho_test({
    name: `verify finds ${what}, changed in the quarantine by a superuser`,
    needs: ["postgres"],
    fn: () =>
      with_log(async (database, harm) => {
        assert.deepEqual((await verified(database)).faults, []);
        await harm(sql);
        for (const audit of [{}, { bound: SMALL_BOUND }]) {
          const { faults } = await verified(database, {}, audit);
          assert.ok(faults.some((fault) => told.test(fault)), `expected ${told}, got ${JSON.stringify(faults)}`);
        }
      }, with_quarantine),
  });
}

tacho_test({
  name: "every message of the quarantine is in the chain, and the oracle follows it",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database) => {
      const { quarantined, only_counted, faults } = await verified(database);
      assert.deepEqual([quarantined, only_counted, faults], [6, 0, []]);
      const { end, fault } = await follow_chain((sql) => database.query(sql), CHAIN_START);
      assert.deepEqual([end.batch, fault], [4, null]);
    }, with_quarantine),
});

tacho_test({
  name: "of messages that earlier versions set aside the number is compared, and that of those only",
  needs: ["postgres"],
  fn: () =>
    with_log(async (database, harm) => {
      // As if the first batch, which set five aside, were an earlier version's: those that a later one wrote are proved by that one.
      await harm("update batches set note = null where batch = 1");
      const { only_counted, faults } = await verified(database);
      assert.deepEqual([only_counted, faults], [0, ["batch 1 is not what was appended: its link differs"]]);
      await harm("delete from quarantine where quarantine_id = 2");
      assert.ok((await verified(database)).faults.some((fault) => /message 2 is missing/.test(fault)));
      await harm("update batches set note = note - 'quarantine' where batch = 2");
      const { only_counted: counted, faults: told } = await verified(database);
      assert.equal(counted, 3);
      assert.ok(
        told.some((fault) => /set aside or tried 9 times, the batches account for 11/.test(fault)),
        told.join(),
      );
    }, with_quarantine),
});
