import { Option } from "commander";
import {
  collect,
  conditions,
  date,
  duration,
  each_whole,
  example,
  instant,
  number,
  program,
  run,
  whole,
} from "./program.ts";
import {
  accept_gap_verb,
  alerts_check_verb,
  checkpoint_verb,
  DOMAINS,
  forget_verb,
  forgettable_dimensions,
  quarantine_discard_verb,
  quarantine_list_verb,
  quarantine_retry_verb,
  quarantine_show_verb,
  receipt_verb,
  reports_check_verb,
  verify_archive_verb,
  verify_verb,
  watermark_verb,
} from "../verbs/mod.ts";

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

/** The log: its proof, and operators' decisions that are recorded in it. */
export function add_log(): void {
  program.command("verify")
    .description(
      "recompute the hash chain, positions, cursors, streams' states and KPI cells from the log, as of one moment; others may append meanwhile",
    )
    .option(
      "--from <position>",
      "only batches from this position on, and streams with an event there",
      whole(1, 1e15),
      1,
    )
    .option("--sample <share>", "fold only this share of the streams from their events", number(0.000001, 1), 1)
    .option("--seed <n>", "which streams are in the sample; drawn anew unless given", whole(0, 4_294_967_295))
    .option(
      "--checkpoints <place>",
      "hold the log against the signed checkpoints there, and say which stretch was rewritten: a folder, or s3://bucket/prefix; against none unless given",
    )
    .option(
      "--receipt <file>",
      "check a receipt that `tacho receipt` wrote, without the log; the log is checked unless given",
    )
    .option(
      "--key <file>",
      "public key (PEM) that is believed; may be given again; that of TACHO_SIGNING_KEY unless given",
      collect,
      [],
    )
    .option(
      "--archive <place>",
      "an archive instead, a folder or s3://bucket/prefix/name, without a database; the log unless given",
    )
    .addHelpText("after", example("verify --sample 0.1"))
    .action(({ archive, ...options }) =>
      run((shell) => archive === undefined ? verify_verb(shell, options) : verify_archive_verb(shell, archive))
    );

  program.command("accept-gap")
    .description(
      "accept that messages were lost: move cursors across what the topic no longer has, and record it in the log",
    )
    .requiredOption("--by <name>", "who accepts it")
    .requiredOption("--reason <text>", "why")
    .option(
      "--only <partition...>",
      "only these partitions, as topic/number; one without a gap is read anew; all with a gap unless given",
    )
    .option("--skip <batch...>", "skip batches of an unknown codec, as topic/number:from-to; none unless given")
    .option("--dry-run", "only say what would be accepted", false)
    .addHelpText("after", example('accept-gap --by ada --reason "retention was too short" --dry-run'))
    .action((options) => run((shell) => accept_gap_verb(shell, options)));

  program.command("watermark")
    .description(
      "set event time back after an event of a wrong clock was admitted that lies far ahead, and record it in the log",
    )
    .requiredOption("--by <name>", "who decides it")
    .requiredOption("--reason <text>", "why")
    .option(
      "--not-after <time>",
      "event times later than this are not believed; now and the future limit unless given",
      instant,
    )
    .option("--dry-run", "only say what would be set back", false)
    .addHelpText("after", example('watermark --by ada --reason "a clock in 2090" --not-after 2026-03-01T12:00:00Z'))
    .action((options) => run((shell) => watermark_verb(shell, options)));

  const forget = program.command("forget").description(
    "forget a person, while programs run or not: the log's alias says nothing any more, messages in quarantine that name it are erased; recorded in the log, without the id",
  );
  for (const dimension of forgettable_dimensions()) {
    forget.option(
      `--${dimension} <id>`,
      `the ${dimension}, by the id that producers send, - reads it from stdin; one of these has to be named, none unless given`,
    );
  }
  forget
    .requiredOption("--by <name>", "who decides it")
    .requiredOption("--reason <text>", "why; without the id")
    .option("--dry-run", "only say what would be forgotten", false)
    .addHelpText(
      "after",
      example(`forget --${forgettable_dimensions()[0]} X-1042 --by ada --reason "asked for it on 1 March" --dry-run`),
    )
    .action((options) => run((shell) => forget_verb(shell, options)));
}

/** Rules that tell when a figure goes beyond a threshold. */
export function add_alerts(): void {
  const alerts = program.command("alerts").description("rules that tell when a figure goes beyond a threshold");
  alerts.command("check")
    .description("say what is wrong with a file of alerts, and what its rules would have done; nobody is told")
    .argument("<file>", "rules and receivers as JSON, as TACHO_ALERTS names it")
    .option(
      "--replay <length>",
      "over so much of the log up to its newest event, change by change as JSON; the rules are read alone unless given",
      duration,
    )
    .addHelpText("after", example("alerts check alerts.json --replay 7d"))
    .action((file, options) => run((shell) => alerts_check_verb(shell, file, options)));
}

/** Tables and pictures of a board that are sent at set times. */
export function add_reports(): void {
  const reports = program.command("reports").description("tables and pictures of boards that are sent at set times");
  reports.command("check")
    .description("say what is wrong with a file of reports, and print what would be sent of one; nothing is sent")
    .argument("<file>", "reports as JSON, as TACHO_REPORTS names it")
    .option(
      "--print <name>",
      "the report of that name, as of when it was due last; the file is read alone unless given",
    )
    .addHelpText("after", example("reports check reports.json --print morning > morning.svg"))
    .action((file, options) => run((shell) => reports_check_verb(shell, file, options)));
}

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
      conditions,
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
