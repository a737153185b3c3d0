import { Option } from "commander";
import { each_whole, instant, whole } from "./arguments.ts";
import {
  DOMAINS,
  quarantine_discard_verb,
  quarantine_list_verb,
  quarantine_retry_verb,
  quarantine_show_verb,
} from "../verbs/mod.ts";
import { example, program, run } from "./program.ts";

/** Messages that were set aside. */
export function add_quarantine(): void {
  const quarantine = program.command("quarantine").description("messages that were set aside");
  /** A verb on the messages that ids and filters choose. */
  const quarantine_command = (name: string, reason: string, isDefault = false) =>
    quarantine.command(name, { isDefault })
      .argument("[ids...]", "their quarantine_ids", each_whole(1, Number.MAX_SAFE_INTEGER), [])
      .option(`--${reason} <reason>`, "only those held for this reason; all unless given")
      .addOption(
        new Option("--stage <stage>", "only those refused there; all unless given").choices([
          "decode",
          "plan",
          "append",
        ]),
      )
      .option("--topic <name>", "only those of this topic; all unless given")
      .option("--partition <n>", "only those of this partition; all unless given", whole(0, 2_147_483_647))
      .option("--code-version <version>", "only those refused by this version of the program; all unless given")
      .option("--since <time>", "only those set aside at this time or later; all unless given", instant)
      .option("--until <time>", "only those set aside before this time; all unless given", instant);
  quarantine_command("list", "reason", true)
    .description("what is held, newest first, one JSON object a line")
    .addOption(
      new Option("--status <status>", "what became of them")
        .choices(["held", "admitted", "duplicate", "tombstone", "skipped", "discarded", "all"]).default("held"),
    )
    .option("--limit <n>", "at most so many", whole(1, 1e12), 100)
    .addHelpText("after", example("quarantine list --reason invalid_field --since 2026-03-01T00:00:00Z"))
    .action((ids, options) => run((shell) => quarantine_list_verb(shell, ids, options)));
  quarantine.command("show")
    .description("one message: its whole key, headers and value, and what is wrong with it")
    .argument("<id>", "its quarantine_id", whole(1, Number.MAX_SAFE_INTEGER))
    .addHelpText("after", example("quarantine show 17"))
    .action((id) => run((shell) => quarantine_show_verb(shell, id)));
  quarantine_command("retry", "reason")
    .description("send held messages through the program again, as if they were read now; while it runs, or not")
    .option("--all", "all that are held", false)
    .option("--limit <n>", "at most so many, in order of topic, partition and offset; all unless given", whole(1, 1e12))
    .option("--dry-run", "plan them and say what would become of them, and change nothing", false)
    .addHelpText("after", example(`quarantine retry --topic ${DOMAINS[0].topics[0]!.topic} --dry-run`))
    .action((ids, options) => run((shell) => quarantine_retry_verb(shell, ids, options)));
  quarantine_command("discard", "held-for")
    .description("give held messages up, on record; they keep their bytes")
    .requiredOption("--by <name>", "who discards them")
    .requiredOption("--reason <text>", "why")
    .option("--all", "all that are held", false)
    .option("--limit <n>", "at most so many, the oldest first; all unless given", whole(1, 1e12))
    .option("--dry-run", "only say how many", false)
    .addHelpText("after", example('quarantine discard 17 18 --by ada --reason "test messages"'))
    .action((ids, options) => run((shell) => quarantine_discard_verb(shell, ids, options)));
}
