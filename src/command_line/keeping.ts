import { duration } from "./arguments.ts";
import {
  archive_attach_verb,
  archive_list_verb,
  archive_make_verb,
  backup_verb,
  DOMAINS,
  restore_verb,
} from "../verbs/mod.ts";
import { example, program, run } from "./program.ts";

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
    .requiredOption("--out <folder>", "where to; archives are folders in it")
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
    .option("--from <folder>", "the archive's folder; where it was written to unless given")
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
