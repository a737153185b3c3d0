import { backoff_ms, type Fields, Paced, type Runtime, told_once, type WakeUp } from "../runtime/mod.ts";

/**
 * The loop that delivers what waits in an outbox of the database, once or more, however long whoever gets it is away. Of several programs one has each
 * delivery at a time, by a claim that ends by itself.
 */

const LOOK_MS = 2_000;
/** Messages that a receiver is sent at a time. */
const AT_A_TIME = 8;
/** Another program tries after so long: longer than any receiver may take. */
const CLAIM_S = 60;
/** The waits between tries of a message, which double. */
const FIRST_MS = 1_000, CAP_MS = 300_000;

/** Something that is to be delivered and that this program has claimed. */
export interface Claimed {
  /** By which whoever gets it knows what it has already. */
  readonly id: string;
  /** What it is about, for the log. */
  readonly about: Fields;
  /** This one among them. */
  readonly attempts: number;
  /** Resolves when it was taken; once more does no harm. What it throws says nothing that is secret. */
  readonly send: (signal: AbortSignal) => Promise<void>;
  /** Notes what came of it, in the database: that it arrived, or why it did not and when it is tried again. */
  readonly note: (failed: Failed | null) => Promise<void>;
}

/** Why a delivery failed, and in how many milliseconds it is tried again. */
export interface Failed {
  readonly trouble: string;
  readonly again_ms: number;
}

/** What is delivered, one of it and several, in words, and where it waits. */
export interface Outbox {
  readonly one: string;
  readonly many: string;
  /** Claims so many that are due: no other program has them for so long, or until what came of them is noted. */
  readonly claim: (most: number, holder: string, claim_s: number) => Promise<readonly Claimed[]>;
  /** Rings when there may be something to deliver; what other programs noted is looked for. */
  readonly noted: WakeUp;
}

/** Delivers what waits in an outbox until the signal; rejects with its reason. A database that is away is waited for. */
export async function deliver(runtime: Runtime, outbox: Outbox): Promise<never> {
  const { signal, logger } = runtime, { one, many, noted } = outbox, holder = crypto.randomUUID();
  const pace = new Paced(runtime, { first_ms: LOOK_MS, cap_ms: 30_000 });
  for (;;) {
    const claimed = await pace.until_done(signal, () => outbox.claim(AT_A_TIME, holder, CLAIM_S), {
      passes: () => true,
      ...told_once(logger, `${many} cannot be delivered`, `${many} are delivered again`),
    });
    await Promise.all(claimed.map((each) => attempt(runtime, one, each)));
    if (claimed.length === 0) await noted.next(signal, LOOK_MS);
    signal.throwIfAborted();
  }
}

/** Tries one delivery and notes what came of it. Where that cannot be noted it is tried again when the claim has ended. */
async function attempt({ signal, logger, random }: Runtime, one: string, claimed: Claimed): Promise<void> {
  const { attempts } = claimed, told = { ...claimed.about, id: claimed.id };
  let failed: Failed | null = null;
  try {
    await claimed.send(signal);
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error);
    // Who ends leaves it to others at once.
    const again_ms = signal.aborted ? 0 : backoff_ms(attempts, random(), FIRST_MS, CAP_MS);
    failed = { trouble: signal.aborted ? "the program ended while it was sent" : trouble, again_ms };
    if (attempts === 1 && !signal.aborted) {
      logger.log("warn", `${one} was not delivered; trying again`, { ...told, reason: trouble });
    }
  }
  try {
    await claimed.note(failed);
    if (failed === null && attempts > 1) logger.log("info", `${one} was delivered`, { ...told, attempts });
  } catch (error) {
    logger.log("warn", "what came of a delivery cannot be noted; it is tried again", { ...told, reason: error });
  }
}
