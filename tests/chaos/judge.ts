import { CHAIN_START, compare_with_database, follow_chain, new_reading, start_oracle } from "../support/oracle/mod.ts";
import { read_topic } from "../support/read_topic.ts";
import { run_tacho } from "../support/tacho_program.ts";
import type { Tally } from "./tally.ts";
import { TIME_ZONE, type World } from "./world.ts";

const start = () => ({
  oracle: start_oracle({
    currency: "USD",
    time_zone: TIME_ZONE,
    future_limit_ms: 3_600_000,
    read_ms: Date.now(),
    max_message_bytes: 1_048_576,
  }),
  next: new Map<number, bigint>(),
  reading: new_reading(),
  chain: CHAIN_START,
});

/**
 * Compares the topic with the database: the oracle reads the topic by itself, and follows the chain by itself. Nothing it does
 * shares code with the program.
 */
export class Judge {
  #state = start();

  constructor(readonly world: World, readonly tally: Tally) {}

  /**
   * The database must be at rest. Every time all cells, cursors, quarantine and totals are compared, and the events and trips that
   * are new or changed since the last time, with the chain's new links.
   * @param anew the topic is read from offset 0, all is folded anew and every event, trip and link compared, and `tacho verify` must say the same
   * @returns what differs, in sentences
   */
  async compare(anew: boolean): Promise<string[]> {
    const { world, tally } = this;
    if (anew) this.#state = start();
    const state = this.#state;
    for (const message of await read_topic(world.kafka.brokers, world.topic, state.next)) {
      state.oracle.take(message);
      state.next.set(message.partition, BigInt(message.offset) + 1n);
    }
    const concluded = state.oracle.conclude();
    // Behind the last message there may be ends of transactions, and what they rolled back.
    const ends = await world.ends();
    const partition_ends = concluded.partition_ends.map((end) => ({
      ...end,
      next_offset: BigInt(ends.get(end.partition) ?? end.next_offset),
    }));
    const expectation = { ...concluded, partition_ends };
    const query = (sql: string) => world.database.query(sql);
    const differences = await compare_with_database(query, expectation, state.reading);
    const { end, fault } = await follow_chain(query, state.chain);
    state.chain = end;
    if (fault !== null) differences.push(fault);
    tally.messages = expectation.messages_read;
    tally.events = expectation.admitted_count;
    tally.duplicates = expectation.duplicates;
    tally.quarantined = expectation.quarantined.length;
    tally.trips = expectation.trips.size;
    tally.cells = expectation.cells.size;
    tally.batches = end.batch;
    if (tally.messages < tally.sent) {
      differences.push(`the topic holds ${tally.messages} messages, ${tally.sent} were sent`);
    }
    if (anew) differences.push(...await this.#verify());
    return differences;
  }

  async #verify(): Promise<string[]> {
    const { code, stdout, stderr } = await run_tacho(["verify"], { env: this.world.env });
    return code === 0 ? [] : [`tacho verify: exit code ${code}\n${stdout}${stderr}`.slice(0, 2_000)];
  }
}
