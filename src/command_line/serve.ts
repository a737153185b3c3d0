import { duration, example, instant, model_name, number, program, run, speed, whole } from "./program.ts";
import {
  dev_verb,
  DOMAINS,
  migrate_verb,
  own_shares,
  produce_verb,
  rebuild_sketches_verb,
  rebuild_verb,
  serve_verb,
} from "../verbs/mod.ts";
import { Option } from "commander";

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
    .addOption(
      new Option(
        "--read-model <who>",
        "who writes the tables; where flink does, nothing is consumed or written here; as TACHO_READ_MODEL says unless given",
      ).choices(["log", "flink"]),
    )
    .addHelpText("after", example("serve"))
    .action(({ readOnly: read_only, readModel: read_model }) =>
      run((shell) => serve_verb(shell, { read_only, read_model, alone: program.opts().domain !== undefined }))
    );

  program.command("migrate")
    .description("apply the migrations that are missing, and fill in what they ask for; goes on where it was stopped")
    .addHelpText("after", example("migrate"))
    .action(() => run(migrate_verb));

  const rebuild = program.command("rebuild")
    .description(
      "make states, cells, totals and sketches anew from the log, beside the live ones, while the program runs; say how they differ; goes on where it was stopped",
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

/** Generated events. */
export function add_produce(): void {
  const produce = program.command("produce")
    .description("send generated events of the domain to its topic, until Ctrl-C")
    .option("--rate <n>", "streams a second, on the average of a week", number(0.001, 100_000), 10)
    .option("--seed <n>", "same seed, same streams", whole(0, 4_294_967_295), 1)
    .option("--variability <n>", "0 evenly spaced, 1 with demand by hour and weekday, gusts and gaps", number(0, 1), 1)
    .option("--late <share>", "share of messages sent minutes late", number(0, 1), 0)
    .option("--duplicates <share>", "share of messages sent twice", number(0, 1), 0)
    .option("--malformed <share>", "share of messages preceded by a broken copy", number(0, 1), 0)
    .option("--corrections <share>", "share of streams that are corrected later; few unless given", number(0, 1))
    .option("--voids <share>", "share of streams that are taken back later; few or none unless given", number(0, 1))
    .option("--anomalies", "spikes, outages and what looks like fraud", false)
    .option(
      "--history <length>",
      "begin this long ago, catch up, then go on live; now unless given",
      duration,
    )
    .addOption(
      new Option("--start <time>", "begin at this time instead; same start and options, same bytes; now unless given")
        .argParser(instant).conflicts("history"),
    )
    .addOption(
      new Option("--speed <factor>", "how fast the past goes by; max is as fast as the broker takes it")
        .argParser(speed).default(Infinity, "max"),
    )
    .option("--count <n>", "end after so many messages; never unless given", whole(1, 1e12))
    .option("--topic <name>", "topic to send to; the first of the domain's topics unless given")
    .addHelpText("after", example("produce --history 7d --rate 2 --anomalies"))
    .action((options) => run((shell) => produce_verb(shell, options)));
  for (const { option, says } of own_shares()) produce.option(`--${option} <share>`, says, number(0, 1));
}
