import { model_name } from "./arguments.ts";
import { dev_verb, DOMAINS, migrate_verb, rebuild_sketches_verb, rebuild_verb, serve_verb } from "../verbs/mod.ts";
import { example, program, run } from "./program.ts";

/** What runs, and what makes the tables and the read models ready. */
export function add_serving(): void {
  program.command("dev")
    .description("run everything here: embedded database, generated events and the page")
    .option(
      "--domains <names>",
      `several side by side: all, or some of ${DOMAINS.map(({ name }) => name).join(",")}; one unless given`,
    )
    .option(
      "--generate",
      "write generated events also to the servers of DATABASE_URL and KAFKA_BROKERS, unless others are there",
      false,
    )
    .addHelpText("after", example("dev --domains all"))
    .action((options) =>
      run((shell) => dev_verb(shell, { ...options, alone: program.opts().domain !== undefined }), ".env")
    );

  program.command("serve")
    .description("serve the page, the API and the intake of events; with KAFKA_BROKERS consume its topics into the log")
    .option(
      "--read-only",
      "write nothing: the page and the API over a log that another program writes, or a standby",
      false,
    )
    .addHelpText("after", example("serve"))
    .action(({ readOnly: read_only }) =>
      run((shell) => serve_verb(shell, { read_only, alone: program.opts().domain !== undefined }))
    );

  program.command("migrate")
    .description("apply the migrations that are missing, and fill in what they ask for; goes on where it was stopped")
    .addHelpText("after", example("migrate"))
    .action(() => run(migrate_verb));

  const rebuild = program.command("rebuild")
    .description(
      "make cells, totals and sketches anew from the log, beside the live ones, while the program runs; say how they differ; goes on where it was stopped",
    )
    .option("--as <name>", "what the tables beside the live ones are called after", model_name, "v2")
    .option("--switch", "when it is through, exchange it with the live one, in one transaction", false)
    .option("--all-cells", "with the cells of minutes and five minutes that are not kept any more, too", false)
    .option("--rollback", "exchange it back", false)
    .option("--drop", "remove the one that is not live", false)
    .addHelpText("after", example("rebuild --switch"))
    .action((options) => run((shell) => rebuild_verb(shell, options)));
  rebuild.command("sketches")
    .description(
      "the percentiles' sketches, from what they are of, while the program runs; goes on where it was stopped",
    )
    .addHelpText("after", example("rebuild sketches"))
    .action(() => run(rebuild_sketches_verb));
}
