import type { Database } from "../database/mod.ts";
import type { DomainBoard } from "../domains/mod.ts";
import { backoff_ms, Paced, type Runtime, told_once, type WakeUp } from "../runtime/mod.ts";
import { type AlertMessage, message_of } from "./message.ts";
import { claim_deliveries, type Claimed, note_delivery } from "./store.ts";

/** Delivers changes: once or more each, of one rule in order, however long a receiver is away. No receiver holds up another, or a rule of its own. */

/** Who is told. */
export interface Receiver {
  /** As the file calls it. */
  readonly name: string;
  /** Resolves when it has the message; once more does no harm. What it throws says nothing that is secret. */
  readonly send: (message: AlertMessage, signal: AbortSignal) => Promise<void>;
}

export interface OutboxSource {
  readonly database: Database;
  readonly board: DomainBoard;
  readonly domain: string;
  readonly log_id: string;
  readonly receivers: readonly Receiver[];
  /** Rings when there may be something to deliver; what other programs noted is looked for. */
  readonly noted: WakeUp;
}

const LOOK_MS = 2_000;
/** Messages that a receiver is sent at a time. */
const AT_A_TIME = 8;
/** Another program tries after so long: longer than any receiver may take. */
const CLAIM_S = 60;
/** The waits between tries of a message, which double. */
const FIRST_MS = 1_000, CAP_MS = 300_000;

/** Delivers until the signal; rejects with its reason. Resolves at once where nobody is told. */
export async function keep_delivering(runtime: Runtime, source: OutboxSource): Promise<void> {
  const holder = crypto.randomUUID();
  await Promise.all(source.receivers.map((receiver) => deliver_to(runtime, source, receiver, holder)));
}

async function deliver_to(runtime: Runtime, source: OutboxSource, receiver: Receiver, holder: string): Promise<never> {
  const { signal, logger } = runtime, { database, noted } = source;
  const pace = new Paced(runtime, { first_ms: LOOK_MS, cap_ms: 30_000 });
  for (;;) {
    const claimed = await pace.until_done(
      signal,
      () => claim_deliveries(database, receiver.name, AT_A_TIME, holder, CLAIM_S),
      {
        passes: () => true,
        ...told_once(logger, "alerts cannot be delivered", "alerts are delivered again"),
      },
    );
    await Promise.all(claimed.map((each) => attempt(runtime, source, receiver, each, holder)));
    if (claimed.length === 0) await noted.next(signal, LOOK_MS);
    signal.throwIfAborted();
  }
}

/** Tries one delivery and notes what came of it. Where that cannot be noted it is tried again when the claim has ended. */
async function attempt(
  { signal, logger, random }: Runtime,
  { database, board, domain, log_id }: OutboxSource,
  receiver: Receiver,
  claimed: Claimed,
  holder: string,
): Promise<void> {
  const message = message_of(board, { domain, log_id }, claimed.change);
  const told = { receiver: receiver.name, rule: message.rule, id: message.id };
  let failed: Parameters<typeof note_delivery>[3] = null;
  try {
    await receiver.send(message, signal);
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error);
    // Who ends leaves it to others at once.
    const again_ms = signal.aborted ? 0 : backoff_ms(claimed.attempts, random(), FIRST_MS, CAP_MS);
    failed = { trouble: signal.aborted ? "the program ended while it was sent" : trouble, again_ms };
    if (claimed.attempts === 1 && !signal.aborted) {
      logger.log("warn", "an alert was not delivered; trying again", { ...told, reason: trouble });
    }
  }
  try {
    await note_delivery(database, claimed, holder, failed);
    if (failed === null && claimed.attempts > 1) {
      logger.log("info", "an alert was delivered", { ...told, attempts: claimed.attempts });
    }
  } catch (error) {
    logger.log("warn", "what came of a delivery cannot be noted; it is tried again", { ...told, reason: error });
  }
}
