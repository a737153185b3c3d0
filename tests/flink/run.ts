import { Command, InvalidArgumentError } from "commander";
import { CHAOS_DOMAINS } from "../chaos/domains.ts";
import { DOMAINS } from "../../src/verbs/domains.ts";
import { Random } from "../../src/domains/generator/mod.ts";
import { start_flink } from "../support/flink.ts";
import { start_kafka } from "../support/kafka.ts";
import { start_postgres } from "../support/postgres.ts";
import { type Disturbance, prove_flink } from "./proof.ts";

/**
 * `deno task flink_kills -- --events 150000 --kills 20`: the compiled job on a real cluster against tacho itself; first undisturbed, for its rate
 * and the size of its state beside tacho's own, then through kills.
 */

const whole = (text: string): number => {
  if (!/^\d{1,7}$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
};

const { seed, domain, events, kills, jobKills, outages, brokerOutages } = new Command("flink_kills")
  .description("Holds a Flink job's tables against those of tacho itself, through kill -9 of Flink's processes.")
  .option("--domain <name>", "whose declaration is compiled", "trips")
  .option("--events <n>", "how many messages, and 5 % more that are duplicates, late or malformed", whole, 150_000)
  .option("--kills <n>", "of the TaskManager", whole, 20)
  .option("--job-kills <n>", "of the JobManager, after which the job goes on from its newest checkpoint", whole, 5)
  .option("--outages <n>", "restarts of PostgreSQL", whole, 2)
  .option("--broker-outages <n>", "restarts of Kafka", whole, 1)
  .option("--seed <n>", "same seed, same messages and order of kills", whole, Math.floor(Math.random() * 1e6))
  .parse(Deno.args.filter((arg) => arg !== "--"), { from: "user" })
  .opts<Record<"seed" | "events" | "kills" | "jobKills" | "outages" | "brokerOutages", number> & { domain: string }>();

const declared = DOMAINS.find(({ name }) => name === domain), load = CHAOS_DOMAINS.find(({ name }) => name === domain);
if (declared === undefined || load === undefined) throw new Error(`run flink_kills: no domain is named ${domain}`);
const times = (count: number, kind: Disturbance) => Array.from({ length: count }, () => kind);
const random = new Random(seed, 5);
const disturbed = [
  ...times(kills, "kill -9 of the TaskManager"),
  ...times(jobKills, "kill -9 of the JobManager"),
  ...times(outages, "PostgreSQL is stopped and started"),
  ...times(brokerOutages, "Kafka is stopped and started"),
].map((kind) => ({ kind, at: random.between(0, 1) })).sort((a, b) => a.at - b.at).map(({ kind }) => kind);

const [postgres, kafka, flink] = await Promise.all([
  start_postgres({ fsync: false }),
  start_kafka(),
  start_flink({ task_heap_mb: 1_500, compiled: "fully" }),
]);
console.log(`seed ${seed}`);
for (const disturbances of disturbed.length === 0 ? [[]] : [[], disturbed]) {
  const started = performance.now();
  const proved = await prove_flink({
    ...{ declared, messages: load.messages, seed, events, parallelism: 2, disturbances },
    say: (line) => console.log(`${Math.round((performance.now() - started) / 1_000)} s: ${line}`),
  }, { flink, brokers: kafka.brokers, postgres, kafka });
  const seconds = Math.round((performance.now() - started) / 1_000);
  console.log(JSON.stringify({ seed, domain, disturbances: disturbances.length, ...proved, seconds }));
}
await Promise.all([flink[Symbol.asyncDispose](), kafka.dispose(), postgres.dispose()]);
Deno.exit(0);
