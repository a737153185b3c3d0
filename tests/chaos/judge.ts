import { CHAIN_START, follow_chain } from "../support/oracle/mod.ts";
import { read_topic } from "../support/read_topic.ts";
import { run_tacho } from "../support/tacho_program.ts";
import type { Tally } from "./tally.ts";
import type { Side, World } from "./world.ts";

/**
 * Compares a domain's topic with its log: an oracle reads the topic by itself, and follows the chain by itself. Nothing it does
 * shares code with the program.
 */
export class Judge {
  #state;

  constructor(readonly world: World, readonly side: Side, readonly tally: Tally) {
    this.#state = this.#start();
  }

  #start() {
    return { truth: this.side.domain.start_truth(), next: new Map<number, bigint>(), chain: CHAIN_START };
  }

  /**
   * The database must be at rest. Every time all cells, cursors, quarantine and totals are compared, and the events and streams that
   * are new or changed since the last time, with the chain's new links.
   * @param anew the topic is read from offset 0, all is folded anew and every event, stream and link compared, and `tacho verify` must say the same
   * @returns what differs, in sentences
   */
  async compare(anew: boolean): Promise<string[]> {
    const { world, side, tally } = this;
    const { name } = side.domain;
    if (anew) this.#state = this.#start();
    const state = this.#state;
    for (const message of await read_topic(world.kafka.brokers, side.topic, state.next)) {
      state.truth.take(message);
      state.next.set(message.partition, BigInt(message.offset) + 1n);
    }
    const query = (sql: string) => side.database.query(sql);
    const { differences: found, counts } = await state.truth.compare(query, await world.ends(side));
    const { end, fault } = await follow_chain(query, state.chain);
    state.chain = end;
    const differences = fault === null ? [...found] : [...found, fault];
    tally.of.set(name, { ...counts, batches: end.batch });
    if (counts.messages < side.sent) {
      differences.push(`the topic holds ${counts.messages} messages, ${side.sent} were sent`);
    }
    if (anew) differences.push(...await this.#verify());
    return world.sides.length === 1 ? differences : differences.map((each) => `${name}: ${each}`);
  }

  async #verify(): Promise<string[]> {
    const args = ["verify", "--domain", this.side.domain.name];
    const { code, stdout, stderr } = await run_tacho(args, { env: this.world.env });
    return code === 0 ? [] : [`tacho verify: exit code ${code}\n${stdout}${stderr}`.slice(0, 2_000)];
  }
}
