import { example, model_name, program, run, whole } from "./program.ts";
import {
  flink_compare_verb,
  flink_drop_verb,
  flink_savepoint_verb,
  flink_sql_verb,
  flink_status_verb,
  flink_submit_verb,
  flink_switch_verb,
} from "../verbs/mod.ts";

/** The Flink job that writes a database. */
export function add_flink(): void {
  const flink = program.command("flink").description(
    "the Flink job that writes the tables of a database, see docs/scale.md",
  );
  const about_one = (command: typeof flink) =>
    command.option(
      "--as <name>",
      "the job that writes tables called after it, beside the live ones; that of the live ones unless given",
      model_name,
    );
  const with_places = (command: typeof flink) =>
    command
      .option("--brokers <list>", "Kafka as the job reaches it; KAFKA_BROKERS unless given")
      .option("--database <url>", "the database as the job reaches it, and its role; DATABASE_URL unless given")
      .option(
        "--quarantine <topic>",
        "the topic that messages are set aside in, which has to be there; the first topic's name and .quarantine unless given",
      );
  with_places(flink.command("sql"))
    .description(
      "the statements of the job, out of the domain's declaration, for Flink 2.3; they hold the password of the database",
    )
    .addHelpText("after", example("flink sql --database postgres://flink:secret@postgres/tacho > job.sql"))
    .action((options) => run((shell) => flink_sql_verb(shell, options)));
  with_places(flink.command("submit"))
    .description(
      "have the SQL gateway of TACHO_FLINK_GATEWAY begin the job; one with these statements that runs is left alone, a savepoint of theirs is gone on from",
    )
    .option("--sql <file>", "its statements; those of `tacho flink sql` unless given")
    .option(
      "--from <path>",
      "the checkpoint or savepoint to go on from; the newest savepoint that is known unless given",
    )
    .option("--anew", "read the topics from their beginning, although the tables have rows", false)
    .option(
      "--checkpoints <folder>",
      "where checkpoints and savepoints are kept, as a URL that all of Flink can write to; as Flink's configuration says unless given",
    )
    .option(
      "--as <name>",
      "write tables called after it, beside the live ones, which are made; the live ones unless given",
      model_name,
    )
    .option("--interval <seconds>", "between two checkpoints", whole(1, 3_600), 10)
    .addHelpText("after", example("flink submit --checkpoints s3://flink/tacho"))
    .action((options) => run((shell) => flink_submit_verb(shell, options)));
  about_one(flink.command("status"))
    .description(
      "how the job does, its checkpoints, how many messages wait, its last failure; exit code 1 where it does not run",
    )
    .addHelpText("after", example("flink status"))
    .action((options) => run((shell) => flink_status_verb(shell, options)));
  const to = [
    "--to <folder>",
    "where the savepoint is written to; as submit or Flink's configuration says unless given",
  ] as const;
  about_one(flink.command("savepoint"))
    .description("make a savepoint of the job, which goes on")
    .option(...to)
    .addHelpText("after", example("flink savepoint"))
    .action((options) => run((shell) => flink_savepoint_verb(shell, { ...options, stop: false })));
  about_one(flink.command("stop"))
    .description("stop the job with a savepoint, which the next submit of the same statements goes on from")
    .option(...to)
    .addHelpText("after", example("flink stop"))
    .action((options) => run((shell) => flink_savepoint_verb(shell, { ...options, stop: true })));

  const beside = (command: typeof flink) =>
    command.option("--as <name>", "what the tables beside the live ones are called after", model_name, "v2");
  beside(flink.command("compare"))
    .description("how tables that a job writes beside the live ones differ from them, row by row, at one moment")
    .addHelpText("after", example("flink compare --as v2"))
    .action((options) => run((shell) => flink_compare_verb(shell, options)));
  beside(flink.command("switch"))
    .description(
      "exchange such tables with the live ones, in one transaction, when their job has read as much; both jobs go on writing their own",
    )
    .option("--rollback", "exchange them back, when the job of those that were live has read as much", false)
    .addHelpText("after", example("flink switch --as v2"))
    .action((options) => run((shell) => flink_switch_verb(shell, options)));
  beside(flink.command("drop"))
    .description("remove such tables, when no job writes them any more")
    .addHelpText("after", example("flink drop --as v2"))
    .action((options) => run((shell) => flink_drop_verb(shell, options)));
}
