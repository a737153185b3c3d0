import { collect, duration, instant, number, whole } from "./arguments.ts";
import {
  accept_gap_verb,
  alerts_check_verb,
  forget_verb,
  forgettable_dimensions,
  verify_archive_verb,
  verify_verb,
  watermark_verb,
} from "../verbs/mod.ts";
import { example, program, run } from "./program.ts";

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
    .option("--archive <folder>", "the files of an archive instead, without a database; the log unless given")
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
