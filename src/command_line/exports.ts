import { Option } from "commander";
import { collect, conditions, currency, date, duration, example, log_point, program, run } from "./program.ts";
import {
  archive_attach_verb,
  archive_list_verb,
  archive_make_verb,
  backup_verb,
  daily_export_verb,
  DOMAINS,
  publish_verb,
  restore_verb,
  table_export_verb,
} from "../verbs/mod.ts";

/** Files and topics for others. */
export function add_exports(): void {
  program.command("publish")
    .description(
      "keep the topics of TACHO_PUBLISH up with the log, as `serve` does, in a program of its own: of several one publishes",
    )
    .addHelpText("after", example("publish"))
    .action(() => run(publish_verb));

  const exports = program.command("export").description(
    "write figures, and what they are made of, where others look for them",
  );
  exports.command("daily")
    .description(
      "a document a day, daily/<date>/metrics.json; one that says the same already is left as it is, one that a late event changed is written anew",
    )
    .requiredOption("--out <place>", "a folder, or s3://bucket/prefix")
    .option("--from <date>", "the first day; yesterday unless given", date)
    .option("--to <date>", "the last day; yesterday unless given", date)
    .option("--all", "all whole days that anything lies in", false)
    .option(
      "--currency <code>",
      "whose amounts, of a domain that has several: in a folder called after it; the deployment's unless given",
      currency,
    )
    .option("--follow", "all of them, and go on: each day when it has ended, and whenever it changes", false)
    .addHelpText("after", example("export daily --out figures --from 2026-03-01 --to 2026-03-31"))
    .action((options) => run((shell) => daily_export_verb(shell, options)));

  const EXAMPLES = {
    parquet: `export parquet --out s3://lake/${DOMAINS[0].name}`,
    ndjson: "export ndjson --out log --zstd",
    csv: "export csv --out figures --what cells --grain 1d --filter city=Chicago",
  };
  for (const format of ["parquet", "ndjson", "csv"] as const) {
    const command = exports.command(format)
      .description(
        `the events of the log as ${format}, in files of a million, of which \`tacho replay --to log\` makes the same log: goes on where it was stopped, and adds what came since; or a table of what is made of them, as of one moment`,
      )
      .requiredOption("--out <place>", "a folder, or s3://bucket/prefix")
      .addOption(
        new Option("--what <table>", "events; or streams' states, KPI cells, totals of dimensions of very many keys")
          .choices(["events", "states", "cells", "totals"]).default("events"),
      )
      .option(
        "--from <point>",
        "the first event: its position, or when it was recorded; of cells when the first bucket begins; the first of all unless given",
        log_point,
      )
      .option("--to <point>", "the last one; the last of all unless given", log_point)
      .option("--type <type>", "only events of this type; may be given again; all unless given", collect, [])
      .option(
        "--filter <dimension=value>",
        "only states or cells with this value; of states it may be given again, of one dimension for either; any unless given",
        conditions,
        [],
      )
      .addOption(
        new Option("--grain <grain>", "only cells of this grain; all unless given").choices([
          "1m",
          "5m",
          "1h",
          "1d",
          "all",
        ]),
      )
      .addHelpText("after", example(EXAMPLES[format]))
      .action((options) => run((shell) => table_export_verb(shell, format, options)));
    if (format !== "parquet") {
      command.option("--gzip", "pack the files by gzip", false).addOption(
        new Option("--zstd", "pack the files by zstd, which is quicker").conflicts("gzip").default(false),
      );
    }
  }
}

/** What is kept of a log, and where. */
export function add_keeping(): void {
  const archive = program.command("archive").description(
    "the beginning of the log as files that prove themselves, out of the database",
  );
  archive.command("list", { isDefault: true })
    .description("what of the log is archived and where, oldest first, one JSON object a line")
    .addHelpText("after", example("archive list"))
    .action(() => run(archive_list_verb));
  archive.command("make")
    .description(
      "write the oldest partitions of the log as Parquet with their batches, read that back, and take their events out of the table, while the program runs; goes on where it was stopped",
    )
    .requiredOption("--out <place>", "a folder, or s3://bucket/prefix; archives are folders in it")
    .requiredOption("--older-than <length>", "only partitions all of whose batches were recorded so long ago", duration)
    .option(
      "--drop",
      "drop what was taken out, once its files were read again; it stays beside the log unless given",
      false,
    )
    .option("--dry-run", "only say what would be archived next", false)
    .addHelpText("after", example("archive make --out .tacho/archive --older-than 365d"))
    .action((options) => run((shell) => archive_make_verb(shell, options)));
  archive.command("attach")
    .description(
      "bring the newest archive back into the log, row for row, when all of it is right; the next newest can follow",
    )
    .option(
      "--from <place>",
      "where the archive is now: its folder, or s3://bucket/prefix/name; where it was written to unless given",
    )
    .addHelpText("after", example("archive attach"))
    .action((options) => run((shell) => archive_attach_verb(shell, options)));

  program.command("backup")
    .description(
      "all that there is of a log, as of one moment, called after its last link: by pg_dump beside a running program; of the embedded database a copy of its folder, while nothing uses it",
    )
    .requiredOption("--out <folder>", "where to")
    .addHelpText("after", example("backup --out backups"))
    .action((options) => run((shell) => backup_verb(shell, options)));
  program.command("restore")
    .description("make a log of a backup where there is none, and verify it up to the link that it is called after")
    .argument("<backup>", "what `tacho backup` wrote, under its name")
    .addHelpText("after", example(`restore backups/${DOMAINS[0].name}-000000000042-0123456789abcdef.dump`))
    .action((path) => run((shell) => restore_verb(shell, path)));
}
