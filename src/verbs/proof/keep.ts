import type { Database } from "../../database/mod.ts";
import {
  deliver,
  type Destination,
  LogRewritten,
  outside_place,
  sign_when_due,
  type SigningKey,
  webhook,
} from "../../proof/mod.ts";
import {
  type Config,
  Paced,
  type Runtime,
  system_clock,
  told_once,
  unless_aborted,
  WakeUp,
} from "../../runtime/mod.ts";
import { configured_place } from "../exports/mod.ts";
import type { Shell } from "../shell.ts";
import { configured_key } from "./keys.ts";

/** How often it is looked whether a checkpoint is due. */
const LOOK_MS = 2_000;
/** Without a new one, how often it is looked whether another instance left some undelivered. */
const DELIVER_MS = 60_000;
/** What the end of the program waits for a destination. */
const LAST_MS = 5_000;

/** What signs and where it is sent, by the configuration; null where no key is set. */
export interface Checkpointing {
  readonly key: SigningKey;
  readonly destinations: readonly Destination[];
}

/** Reads what the configuration says of checkpoints. Throws ConfigError. */
export async function checkpointing_of(config: Config): Promise<Checkpointing | null> {
  const key = await configured_key(config);
  if (key === null) return null;
  const { checkpoints, checkpoint_webhook } = config, destinations: Destination[] = [];
  if (checkpoints !== null) {
    destinations.push(outside_place(configured_place("TACHO_CHECKPOINTS", checkpoints, config)));
  }
  if (checkpoint_webhook !== null) destinations.push(webhook(checkpoint_webhook));
  return { key, destinations };
}

/** The log that is signed. */
export interface SignedLog {
  readonly database: Database;
  /** The name of its domain. */
  readonly domain: string;
}

/** Keeps the checkpoints of a log while it is served. */
export interface CheckpointKeeper {
  /** Signs and delivers until the signal; a database or a destination that is away is waited for, and ingest never is. */
  run(): Promise<void>;
  /** At the end of the program, when nothing is appended any more: signs the last link, and tries once to deliver what is left. */
  finish(): Promise<void>;
}

/** @param settings how often is signed */
export function checkpoint_keeper(
  runtime: Runtime & { readonly config: Pick<Config, "checkpoint_batches" | "checkpoint_minutes"> },
  { database, domain }: SignedLog,
  { key, destinations }: Checkpointing,
): CheckpointKeeper {
  const { signal, logger, config: { checkpoint_batches: batches, checkpoint_minutes } } = runtime;
  const pace = { batches, ms: checkpoint_minutes * 60_000 };
  const signed = destinations.map(() => new WakeUp());
  const sign = async (due: typeof pace | null) => {
    const made = await sign_when_due(database, domain, key, due, system_clock.now_ms());
    if (made === null) return;
    const { batch, position } = made.checkpoint;
    logger.log("info", "checkpoint signed", { batch, position, key: key.id });
    for (const each of signed) each.ring();
  };
  /** Says trouble once, and when it is over. */
  const patient = (what: string) => ({
    passes: (error: unknown) => !(error instanceof LogRewritten),
    ...told_once(logger, `${what} cannot be done`, `${what} is done again`),
  });
  const keep_signing = async (): Promise<never> => {
    const looking = new Paced(runtime, { gap_ms: LOOK_MS, first_ms: LOOK_MS, cap_ms: 60_000 });
    for (;;) {
      await looking.until_done(signal, () => sign(pace), patient("signing checkpoints"));
      await looking.pause(signal);
    }
  };
  const keep_delivering = async (destination: Destination, woken: WakeUp): Promise<never> => {
    const sending = new Paced(runtime, { first_ms: 1_000, cap_ms: 300_000 });
    for (;;) {
      const asked = woken.next(signal, DELIVER_MS);
      await sending.until_done(
        signal,
        // What is under way is given up with the signal: it is delivered again.
        () => unless_aborted(signal, deliver(database, destination, signal)),
        patient(`delivering checkpoints to ${destination.shown}`),
      );
      await asked;
      signal.throwIfAborted();
    }
  };
  /** What ends by itself is said; pages and ingest go on without it. */
  const lasting = async (work: Promise<never>) => {
    try {
      await work;
    } catch (error) {
      if (!signal.aborted) logger.log("error", "checkpoints are not kept any more", { reason: error });
    }
  };
  return {
    async run() {
      await Promise.all([
        lasting(keep_signing()),
        ...destinations.map((destination, i) => lasting(keep_delivering(destination, signed[i]!))),
      ]);
    },
    async finish() {
      try {
        await unless_aborted(AbortSignal.timeout(LAST_MS), sign(null));
      } catch (error) {
        return logger.log("error", "the last checkpoint cannot be signed", { reason: error });
      }
      await Promise.all(destinations.map(async (destination) => {
        const last = AbortSignal.timeout(LAST_MS);
        try {
          await unless_aborted(last, deliver(database, destination, last));
        } catch (error) {
          const fields = { destination: destination.shown, reason: error, delivered: "at the next start" };
          logger.log("warn", "the last checkpoints could not be delivered", fields);
        }
      }));
    },
  };
}

/**
 * For a verb that writes to a log and ends: reads what the configuration says of checkpoints (throws ConfigError), and gives what signs and
 * delivers when all is written.
 */
export async function checkpoint_at_end(shell: Shell): Promise<(database: Database) => Promise<void>> {
  const checkpointing = await checkpointing_of(shell.config);
  return async (database) => {
    if (checkpointing === null) return;
    await checkpoint_keeper(shell, { database, domain: shell.domain.name }, checkpointing).finish();
  };
}
