import type { Database } from "../../database/mod.ts";
import {
  deliver,
  type Destination,
  KeyUnusable,
  LogRewritten,
  outside_place,
  public_pem,
  type PublicKeys,
  read_public_keys,
  read_signing_key,
  sign_when_due,
  type SigningKey,
  webhook,
} from "../../proof/mod.ts";
import {
  type Config,
  ConfigError,
  lasting,
  type Logger,
  Paced,
  type Runtime,
  system_clock,
  told_once,
  unless_aborted,
  WakeUp,
} from "../../runtime/mod.ts";
import { configured_place } from "../exports.ts";
import { type Shell, UsageError } from "../shell.ts";
import { open_log } from "../open.ts";

/** Reads the key of the configuration; null where there is none. Throws ConfigError for a file that cannot be read or is no such key. */
export async function configured_key({ signing_key }: Config): Promise<SigningKey | null> {
  if (signing_key === null) return null;
  try {
    return await read_signing_key(await Deno.readTextFile(signing_key), signing_key);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`TACHO_SIGNING_KEY: ${said}`]);
  }
}

/** Says where others than its owner can read the key: who has it can sign. */
export async function warn_of_open_key({ signing_key }: Config, logger: Logger): Promise<void> {
  if (signing_key === null) return;
  const { mode } = await Deno.stat(signing_key);
  if (mode === null || (mode & 0o077) === 0) return;
  const file = signing_key, why = "who has it can sign checkpoints";
  logger.log("warn", "others can read the signing key", { file, why, remedy: "chmod 600" });
}

/** The keys that are believed: those of some files; where none is named that of the configuration. Throws UsageError. */
export async function believed_keys(config: Config, files: readonly string[]): Promise<PublicKeys> {
  const named = await Promise.all(files.map(async (where) => {
    const text = await Deno.readTextFile(where).catch((cause) => {
      throw new UsageError(`verify: read the key ${JSON.stringify(where)}`, { cause });
    });
    return { text, where };
  }));
  if (named.length === 0) {
    const own = await configured_key(config);
    if (own === null) throw new UsageError("verify: expected --key with the file of a public key, got none");
    named.push({ text: public_pem(own), where: config.signing_key! });
  }
  return await read_public_keys(named).catch((error) => {
    throw error instanceof KeyUnusable ? new UsageError(`verify: ${error.message}`) : error;
  });
}

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
interface SignedLog {
  readonly database: Database;
  /** The name of its domain. */
  readonly domain: string;
}

/** Keeps the checkpoints of a log while it is served. */
interface CheckpointKeeper {
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
  const kept = (work: Promise<never>) => lasting(runtime, "checkpoints are not kept any more", work);
  return {
    async run() {
      await Promise.all([
        kept(keep_signing()),
        ...destinations.map((destination, i) => kept(keep_delivering(destination, signed[i]!))),
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

/** `tacho checkpoint`: signs the last link now, where there are batches since the last checkpoint, and delivers what is left to deliver. */
export async function checkpoint_verb(shell: Shell): Promise<void> {
  const { config, signal, logger } = shell;
  const checkpointing = await checkpointing_of(config);
  if (checkpointing === null) {
    throw new UsageError("checkpoint: expected the file of a key in TACHO_SIGNING_KEY, got none; see docs/proof.md");
  }
  await warn_of_open_key(config, logger);
  const { key, destinations } = checkpointing;
  const { database, domain } = await open_log(shell);
  try {
    const signed = await sign_when_due(database, domain.name, key, null, system_clock.now_ms());
    const told = signed === null
      ? "nothing to sign: there is no batch since the last checkpoint"
      : `signed batch ${signed.checkpoint.batch}, position ${signed.checkpoint.position}, by key ${key.id}`;
    const sent: string[] = [];
    for (const each of destinations) sent.push(`${await deliver(database, each, signal)} to ${each.shown}`);
    console.log(sent.length === 0 ? told : `${told}; delivered ${sent.join(", ")}`);
  } finally {
    await database.close();
  }
}
