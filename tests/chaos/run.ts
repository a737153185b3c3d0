import { Command, InvalidArgumentError } from "commander";
import { ANEW_ROUNDS, run_chaos } from "./chaos.ts";
import { CHAOS_DOMAINS, type ChaosDomain } from "./domains.ts";

/** `deno task chaos -- --seed N --rounds M --domains trips,payments,trades`: kills, freezes and cuts off the real program and its servers, and compares after every round. */

const whole = (from: number, to: number) => (text: string): number => {
  if (!/^\d+$/.test(text) || Number(text) < from || Number(text) > to) {
    throw new InvalidArgumentError(`Expected a whole number from ${from} to ${to}.`);
  }
  return Number(text);
};

const domains = (text: string): readonly ChaosDomain[] =>
  text.split(",").map((name) => {
    const found = CHAOS_DOMAINS.find((each) => each.name === name);
    const names = CHAOS_DOMAINS.map((each) => each.name).join(", ");
    if (found === undefined) throw new InvalidArgumentError(`Expected names of ${names}.`);
    return found;
  });

const options = new Command("chaos")
  .description("Disturbs the real program on real servers in a seeded random schedule; an oracle judges every round.")
  .option("--seed <n>", "same seed, same schedule", whole(0, 4_294_967_295), Math.floor(Math.random() * 1e6))
  .option("--rounds <n>", "how many rounds", whole(1, 100_000), 20)
  .option("--domains <names>", "what the programs serve, side by side", domains, [CHAOS_DOMAINS[0]])
  .exitOverride((error) => Deno.exit(error.exitCode === 0 ? 0 : 2))
  .parse(Deno.args.filter((arg) => arg !== "--"), { from: "user" })
  .opts<{ seed: number; rounds: number; domains: readonly ChaosDomain[] }>();

const stop = new AbortController();
const started = performance.now();
const say = (line: string): void => console.log(line);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    say(`stopped by ${signal}; cleaning up`);
    if (stop.signal.aborted) Deno.exit(130);
    stop.abort();
  });
}
say(`seed ${options.seed}, ${options.rounds} rounds, ${options.domains.map(({ name }) => name).join(" and ")}
every round: all cells, cursors, quarantine, totals, and the events, trips and links of the chain that are new or changed;
every ${ANEW_ROUNDS} rounds and at the end: everything, from offset 0 on, and tacho verify`);
const { tally, agreed } = await run_chaos({ ...options, say, signal: stop.signal });
say(`\n${tally.table()}\n`);
say(tally.json(options.seed, (performance.now() - started) / 1_000, agreed));
Deno.exit(!agreed ? 1 : stop.signal.aborted ? 130 : 0);
