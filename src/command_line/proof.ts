import { checkpoint_verb } from "../verbs/mod.ts";
import { example, program, run } from "./program.ts";

/** What can be proven of the log to somebody who does not trust whoever owns its database. */
export function add_proof(): void {
  program.command("checkpoint")
    .description(
      "sign the last link of the hash chain with the key of TACHO_SIGNING_KEY, keep it in the log, and deliver what TACHO_CHECKPOINTS and TACHO_CHECKPOINT_WEBHOOK lack; a program that serves does so by itself",
    )
    .addHelpText("after", example("checkpoint"))
    .action(() => run(checkpoint_verb));
}
