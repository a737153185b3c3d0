import {
  KeyUnusable,
  public_pem,
  type PublicKeys,
  read_public_keys,
  read_signing_key,
  type SigningKey,
} from "../../proof/mod.ts";
import { type Config, ConfigError, type Logger } from "../../runtime/mod.ts";
import { UsageError } from "../shell.ts";

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
