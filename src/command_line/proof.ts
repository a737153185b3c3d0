import { collect, date } from "./arguments.ts";
import { checkpoint_verb, receipt_verb } from "../verbs/mod.ts";
import { example, program, run } from "./program.ts";

/** What can be proven of the log to somebody who does not trust whoever owns its database. */
export function add_proof(): void {
  program.command("checkpoint")
    .description(
      "sign the last link of the hash chain with the key of TACHO_SIGNING_KEY, keep it in the log, and deliver what TACHO_CHECKPOINTS and TACHO_CHECKPOINT_WEBHOOK lack; a program that serves does so by itself",
    )
    .addHelpText("after", example("checkpoint"))
    .action(() => run(checkpoint_verb));

  program.command("receipt")
    .description(
      "write what a stream or a figure of a day is made of, with the chain from there to signed checkpoints, to stdout; `tacho verify --receipt` checks it without the database",
    )
    .option("--stream <id>", "the stream, by its id; a figure unless given")
    .option("--figure <name>", "the figure, such as revenue; a stream unless given")
    .option(
      "--day <date>",
      "the day of the figure, in the business time zone; required with a figure, none unless given",
      date,
    )
    .option(
      "--filter <dimension=value>",
      "only what has this value, such as city=Chicago; may be given again; any unless given",
      collect,
      [],
    )
    .option(
      "--complete",
      "put in all events of the log up to the checkpoint, which proves that none was left out",
      false,
    )
    .addHelpText("after", example("receipt --figure revenue --day 2026-03-01 --filter city=Chicago > receipt.ndjson"))
    .action((options) => run((shell) => receipt_verb(shell, options)));
}
