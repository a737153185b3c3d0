import { Option } from "commander";
import { collect, date, log_point } from "./arguments.ts";
import { daily_export_verb, DOMAINS, publish_verb, table_export_verb } from "../verbs/mod.ts";
import { example, program, run } from "./program.ts";

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
    .option("--follow", "all of them, and go on: each day when it has ended, and whenever it changes", false)
    .addHelpText("after", example("export daily --out figures --from 2026-03-01 --to 2026-03-31"))
    .action((options) => run((shell) => daily_export_verb(shell, options)));

  const EXAMPLES = {
    parquet: `export parquet --out s3://lake/${DOMAINS[0].name}`,
    ndjson: "export ndjson --out log --gzip",
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
        "only states or cells with this value; of states it may be given again; any unless given",
        collect,
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
      .action((options) => run((shell) => table_export_verb(shell, format, { gzip: false, ...options })));
    if (format !== "parquet") command.option("--gzip", "pack the files", false);
  }
}
