import { deliver, sign_when_due } from "../../proof/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { open_log } from "../open.ts";
import { type Shell, UsageError } from "../shell.ts";
import { checkpointing_of } from "./keep.ts";
import { warn_of_open_key } from "./keys.ts";

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
