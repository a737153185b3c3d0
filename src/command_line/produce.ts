import { Option } from "commander";
import { duration, instant, number, speed, whole } from "./arguments.ts";
import { own_shares, produce_verb } from "../verbs/mod.ts";
import { example, program, run } from "./program.ts";

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
