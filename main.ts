import { Command, InvalidArgumentError, Option } from "commander";
import {
  accept_gap_verb,
  dev_verb,
  migrate_verb,
  produce_verb,
  quarantine_list_verb,
  quarantine_show_verb,
  replay_verb,
  run_verb,
  serve_verb,
  verify_verb,
  VERSION,
} from "./src/verbs/mod.ts";

/** A number of the command line, within bounds. */
const number = (from: number, to: number) => (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !(value >= from && value <= to)) {
    throw new InvalidArgumentError(`Expected a number from ${from} to ${to}.`);
  }
  return value;
};
const whole = (from: number, to: number) => (text: string): number => {
  const value = number(from, to)(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError("Expected a whole number.");
  return value;
};

const program = new Command("tacho")
  .description("Event-sourced, real-time KPIs for trips. Configuration comes from the environment; see README.md.")
  .version(VERSION)
  .configureOutput({
    writeOut: (text) => console.log(text.trimEnd()),
    writeErr: (text) => console.error(text.trimEnd()),
  })
  .exitOverride((error) => Deno.exit(error.exitCode === 0 ? 0 : 2));

program.command("dev")
  .description(
    "run everything here: embedded database and generated trips unless DATABASE_URL or KAFKA_BROKERS say otherwise",
  )
  .action(() => run_verb(dev_verb, ".env"));

program.command("serve")
  .description("consume the topics of KAFKA_BROKERS into the log and serve the page")
  .action(() => run_verb(serve_verb));

program.command("migrate")
  .description("apply the migrations that are missing")
  .action(() => run_verb(migrate_verb));

program.command("produce")
  .description("send generated trips to the topic, until Ctrl-C")
  .option("--rate <n>", "trips a second, on the average of a week", number(0.001, 100_000), 10)
  .option("--seed <n>", "same seed, same city and trips", whole(0, 4_294_967_295), 1)
  .option("--variability <n>", "0 evenly spaced, 1 with demand by hour and weekday, gusts and gaps", number(0, 1), 1)
  .option("--late <share>", "share of messages sent minutes late", number(0, 1), 0)
  .option("--duplicates <share>", "share of messages sent twice", number(0, 1), 0)
  .option("--malformed <share>", "share of messages preceded by a broken copy", number(0, 1), 0)
  .option("--anomalies", "spikes, outages and fraud-like trips", false)
  .option("--history-hours <n>", "begin this long ago and catch up as fast as possible", number(0, 8760), 0)
  .option("--count <n>", "end after so many messages", whole(1, 1e12))
  .option("--topic <name>", "topic to send to; the first of TACHO_TOPICS unless given")
  .action((options) => run_verb((shell) => produce_verb(shell, options)));

program.command("replay")
  .description("send the records of CSV files (trip starts, trip ends) as trip events; again is harmless")
  .argument("<files...>", "CSV files, sent in this order")
  .addOption(
    new Option("--to <where>", "the topic, or straight into the log").choices(["kafka", "log"]).default("kafka"),
  )
  .option("--first <n>", "only the first records of each file", whole(1, 1e12))
  .option("--zone <zone>", "time zone of times that state none; TACHO_TIME_ZONE unless given")
  .action((files, options) => run_verb((shell) => replay_verb(shell, files, options)));

const quarantine = program.command("quarantine").description("look at messages that were set aside");
quarantine.command("list", { isDefault: true })
  .description("what is held, newest first, one JSON object a line")
  .option("--reason <reason>", "only of this reason")
  .option("--limit <n>", "at most so many", whole(1, 1e6), 100)
  .action((options) => run_verb((shell) => quarantine_list_verb(shell, options)));
quarantine.command("show")
  .description("one message: its key, headers and value, and what is wrong with it")
  .argument("<id>", "its quarantine_id", whole(1, Number.MAX_SAFE_INTEGER))
  .action((id) => run_verb((shell) => quarantine_show_verb(shell, id)));

program.command("verify")
  .description("recompute the hash chain, positions, trips and KPI cells from the log; while nothing is appended")
  .action(() => run_verb(verify_verb));

program.command("accept-gap")
  .description(
    "accept that messages were lost: move cursors across what the topic no longer has, and record it in the log",
  )
  .requiredOption("--by <name>", "who accepts it")
  .requiredOption("--reason <text>", "why")
  .option("--only <partition...>", "only these partitions, as topic:number; one without a gap is read anew")
  .option("--dry-run", "only say what would be accepted", false)
  .action((options) => run_verb((shell) => accept_gap_verb(shell, options)));

await program.parseAsync(["deno", "tacho", ...Deno.args]);
