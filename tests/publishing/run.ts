import { Command, InvalidArgumentError } from "commander";
import { publish_through_kills } from "./kills.ts";

/** `deno task publish_kills -- --kills 200 --seed N`: kill -9 of the program that publishes, and of its broker, then a consumer's tables against the log's. */

const whole = (text: string): number => {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
};

const { kills, seed, outageEvery } = new Command("publish_kills")
  .description(
    "Kills the real program while it publishes, and the broker, and holds what a consumer has against the log.",
  )
  .option("--kills <n>", "how many", whole, 200)
  .option("--seed <n>", "same seed, same moments", whole, Math.floor(Math.random() * 1e6))
  .option("--outage-every <n>", "every so many kills the broker is killed as well", whole, 20)
  .parse(Deno.args.filter((arg) => arg !== "--"), { from: "user" })
  .opts<{ kills: number; seed: number; outageEvery: number }>();

console.log(`seed ${seed}, ${kills} kills`);
const started = performance.now();
const tally = await publish_through_kills({ kills, seed, outage_every: outageEvery, say: (line) => console.log(line) });
console.log(JSON.stringify({ seed, ...tally, seconds: Math.round((performance.now() - started) / 1_000) }));
Deno.exit(0);
