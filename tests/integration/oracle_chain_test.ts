import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { Cursors } from "../../src/ingest/mod.ts";
import { tacho_test } from "../support/available.ts";
import { CHAIN_START, compare_with_database, follow_chain, new_reading, start_oracle } from "../support/oracle/mod.ts";
import { shared_postgres } from "../support/postgres.ts";
import { whole_trip } from "../support/trip_events.ts";
import { feed, message, migrated, TERMS, TEST_TIME_ZONE, trip_pipeline } from "../support/trip_pipeline.ts";

/** What the oracle does bit by bit over a long run must find what it finds at once. */

const MESSAGES = ["T-1", "T-2", "T\t3\\"].flatMap((trip_id) =>
  whole_trip(trip_id, { city: "O'Hare\n", note: [1.5, "ä"] })
)
  .map((event, offset) => message(offset, event));

tacho_test({
  name: "the oracle follows chain, events and trips from where it was, and sees what is changed from then on",
  needs: ["postgres"],
  async fn() {
    const { url, superuser_url } = await (await shared_postgres()).create_database(migrated);
    const database = await open_database({ url, data_dir: null, connections: 2 });
    const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
    try {
      const query = (sql: string) => superuser.query(sql);
      const oracle = start_oracle({ currency: "USD", time_zone: TEST_TIME_ZONE, ...TERMS });
      const reading = new_reading();
      const pipeline = trip_pipeline(database), cursors = new Cursors();
      let chain = CHAIN_START;
      for (const [from, to] of [[0, 2], [2, 7], [7, 9]] as const) {
        const messages = MESSAGES.slice(from, to);
        const batch = { topic: "trips", partition: 0, from_offset: from, next_offset: to, messages };
        await feed(pipeline, [batch], cursors);
        for (const each of messages) oracle.take(each);
        const expectation = oracle.conclude();
        assert.deepEqual(await compare_with_database(query, expectation, reading), []);
        const { end, fault } = await follow_chain(query, chain);
        assert.equal(fault, null);
        chain = end;
      }
      assert.deepEqual([chain.batch, chain.position], [3, 9]);
      // Past the append-only triggers.
      await superuser.script("set session_replication_role = replica");
      const off = async (sql: string, look: () => Promise<unknown>) => {
        await superuser.script(`begin; ${sql}`);
        const found = await look();
        await superuser.script("rollback");
        return found;
      };
      const follow = async () => (await follow_chain(query, CHAIN_START)).fault;
      assert.equal(
        await off("update events set data = data || '{\"x\": 1}' where position = 4", follow),
        "chain: batch 2 has another content_hash",
      );
      assert.equal(
        await off("update batches set late = late + 1 where batch = 2", follow),
        "chain: batch 2 has another link",
      );
      assert.equal(await off("delete from events where position = 9", follow), "chain: event 9 of batch 3 is missing");
      assert.match(
        String(await off("delete from batches where batch = 2", follow)),
        /expected batch 2 from position 3, found batch 3/,
      );
      const follow_on = async () => (await follow_chain(query, chain)).fault;
      assert.equal(
        await off("update log_head set link = decode(repeat('11', 32), 'hex')", follow_on),
        "chain: the head is not the end of batch 3",
      );
      const compare_on = () => compare_with_database(query, oracle.conclude(), reading);
      assert.deepEqual(await off("delete from trips where trip_id = 'T-1'", compare_on), [
        "trips: expected 3 trips in all, found 2",
        "trips: expected 9 events in all, found 6",
      ]);
    } finally {
      await superuser.close();
      await database.close();
    }
  },
});
