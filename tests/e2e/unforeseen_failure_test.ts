import assert from "node:assert/strict";
import { open_database } from "../../src/database/mod.ts";
import { tacho_test } from "../support/available.ts";
import { make_deployment } from "../support/deployment.ts";
import { options_of, produce } from "../support/kafka_topic.ts";
import { compare_with_database, oracle, type SourceMessage } from "../support/oracle/mod.ts";
import { read_topic } from "../support/read_topic.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { whole_trip } from "../support/trip_events.ts";
import { until } from "../support/until.ts";

/** Constraints that nobody foresaw, put on the tables by hand. The first is about a trip, the second about an event. */
const CONSTRAINTS = `
  alter table trips add constraint no_vouchers check (payment_method <> 'voucher');
  alter table events add constraint zones_are_numbers check ((data->>'dropoff_zone')::integer > 0);`;

/** The reason for which an event must be set aside. */
const refusal_of = (event: Record<string, unknown>): string | null =>
  event.payment_method === "voucher" ? "sqlstate_23514" : event.dropoff_zone === "pier" ? "sqlstate_22P02" : null;

/** Trips with culprits of both kinds here and there, alone and side by side. */
const events_of = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => whole_trip(`${prefix}-${i}`, { dropoff_zone: "7" })).flat().map(
    (event, i) => {
      if (event.type === "trip.completed" && i % 60 < 10) return { ...event, payment_method: "voucher" };
      return i % 41 === 5 ? { ...event, dropoff_zone: "pier" } : event;
    },
  );

const event_of = ({ value }: SourceMessage) => JSON.parse(new TextDecoder().decode(value ?? undefined));
const unreadable = (message: SourceMessage): SourceMessage => (
  refusal_of(event_of(message)) === null ? message : { ...message, value: new TextEncoder().encode("unreadable") }
);

tacho_test({
  name: "what a constraint refuses that nobody foresaw is found, set aside with its SQLSTATE, and all else goes on",
  needs: ["postgres", "kafka"],
  async fn() {
    const env = { ...await make_deployment("unforeseen"), TACHO_PARTITIONS: "2" };
    const { KAFKA_BROKERS: brokers, TACHO_TOPICS: topic } = env;
    await using program = await TachoProgram.serve("start", { env });
    const database = await open_database({ url: env.DATABASE_URL, data_dir: null, connections: 2 });
    try {
      await database.script(CONSTRAINTS);
      const options = options_of(brokers, topic, { partitions: 2 });
      for (const [prefix, count] of [["first", 200], ["second", 100]] as const) {
        await produce(options, events_of(prefix, count).map((event) => JSON.stringify(event)));
        const messages = await read_topic(brokers, topic);
        await program.brings(until("all is read", async () => {
          const [head] = await database.query("select messages_read from log_head");
          return Number(head?.messages_read) === messages.length;
        }, 60_000));
        // To the oracle a culprit is a message that cannot be read: it is set aside, and counts nowhere.
        const expectation = oracle(messages.map(unreadable), {
          currency: "USD",
          time_zone: env.TACHO_TIME_ZONE,
          future_limit_ms: 3_600_000,
          read_ms: Date.now(),
          max_message_bytes: 1_048_576,
        });
        assert.deepEqual(await compare_with_database((sql) => database.query(sql), expectation), []);
        const wanted = messages.flatMap((message) => {
          const reason = refusal_of(event_of(message));
          return reason === null ? [] : [{ at: `${message.partition}/${message.offset}`, reason, stage: "append" }];
        });
        const found = await database.query(
          "select partition || '/' || message_offset as at, reason, stage from quarantine",
        );
        const by_place = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort();
        assert.deepEqual(by_place(found), by_place(wanted));
        assert.equal(new Set(wanted.map(({ reason }) => reason)).size, 2, "culprits of both kinds");
        const metrics = await (await fetch(`${program.url}metrics`)).text();
        const told = (name: string) =>
          Number(new RegExp(`^tacho_messages_${name}_total (\\d+)$`, "m").exec(metrics)?.[1]);
        assert.deepEqual([told("read"), told("quarantined"), told("duplicate")], [messages.length, wanted.length, 0]);
      }
      assert.equal((await fetch(`${program.url}readyz`)).status, 200);
    } finally {
      await database.close();
    }
    assert.match(program.stderr, /error quarantined a message that could not be appended .*no_vouchers/);
    assert.match((await run_verb(["verify"], { env })).stdout, /^consistent/);
    assert.equal(await program.term(), 0);
  },
});
