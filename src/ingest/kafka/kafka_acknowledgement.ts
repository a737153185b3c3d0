/** What one try to send came to: where the client placed the messages, and which partitions the brokers answered for. */
export interface Sending {
  readonly placed: ReadonlySet<number>;
  readonly acknowledged: ReadonlySet<number>;
}

const MOST_TRIES = 4;

/**
 * Sends until the brokers acknowledge every partition that messages were placed in. kafkajs reports success and drops messages without a word when, between its own
 * retries, a partition is new or moves to a broker that has answered already. Sending all once more may write some twice; readers recognise them.
 * @throws when partitions stay without an answer
 */
export async function send_acknowledged(send: () => Promise<Sending>): Promise<void> {
  for (let tries = 1;; tries++) {
    const { placed, acknowledged } = await send();
    const missing = [...placed].filter((partition) => !acknowledged.has(partition));
    if (missing.length === 0) return;
    if (tries === MOST_TRIES) {
      throw new Error(`no broker acknowledged partitions ${missing.join(", ")} in ${tries} tries`);
    }
  }
}
