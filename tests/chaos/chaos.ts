import { Judge } from "./judge.ts";
import { CHAOS_DOMAINS, type ChaosDomain } from "./domains.ts";
import { type Caused, play_round } from "./round.ts";
import { type Round, schedule, type ScheduleOptions } from "./schedule.ts";
import { Tally } from "./tally.ts";
import { World } from "./world.ts";

/** A run: how it is drawn, how long it is, and who hears of it. */
export interface ChaosOptions extends ScheduleOptions {
  readonly seed: number;
  readonly rounds: number;
  /** What the programs serve; trips unless given. */
  readonly domains?: readonly ChaosDomain[];
  /** Hears a line at a time. */
  readonly say: (line: string) => void;
  /** After it is aborted no further round begins. */
  readonly signal: AbortSignal;
}

/** How a run ended. */
export interface ChaosResult {
  readonly tally: Tally;
  /** Whether oracle and database agreed after every round that was played. */
  readonly agreed: boolean;
}

/** The topic is read from offset 0 and all is folded anew after every so many rounds, and at the end. */
export const ANEW_ROUNDS = 20;

/** Plays the rounds of a seed on servers of their own. Ends at the first round after which something differs or stands still. */
export async function run_chaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, rounds, domains = [CHAOS_DOMAINS[0]], say, signal } = options;
  const tally = new Tally();
  const aborted = new Promise<"aborted">((resolve) => signal.addEventListener("abort", () => resolve("aborted")));
  await using world = await World.open(domains, seed);
  const judges = world.sides.map((side) => new Judge(world, side, tally));
  for (const round of schedule(seed, options)) {
    if (signal.aborted || round.number > rounds) break;
    const caused: Caused[] = [];
    const exits = world.exits.length;
    const started = performance.now();
    let read_at = started;
    const anew = round.number % ANEW_ROUNDS === 0 || round.number === rounds;
    const play_and_compare = async () => {
      await play_round(world, round, tally, (each) => caused.push(each));
      read_at = performance.now();
      return (await Promise.all(judges.map((judge) => judge.compare(anew)))).flat();
    };
    const told_round = (verdict: string) => {
      const seconds = [(read_at - started) / 1_000, (performance.now() - read_at) / 1_000] as const;
      say(
        round_line(
          round,
          caused,
          domains.length,
          `${seconds[0].toFixed(1)} s, compared in ${seconds[1].toFixed(1)} s`,
          verdict,
        ),
      );
    };
    const playing = play_and_compare().catch((error) => [told(error)]);
    const differences = await Promise.race([playing, aborted]);
    if (differences === "aborted") {
      told_round("left off");
      break;
    }
    tally.rounds++;
    tally.round_seconds.push((performance.now() - started) / 1_000);
    told_round(differences.length > 0 ? "FAILS" : anew ? "agrees, read anew from offset 0" : "agrees");
    for (const exit of world.exits.slice(exits)) say(`  a program ended by itself and was started again: ${exit}`);
    if (differences.length > 0) {
      say(`seed ${seed}, round ${round.number}:\n  ${differences.join("\n  ")}\n${world.last_words()}`);
      return { tally, agreed: false };
    }
  }
  return { tally, agreed: true };
}

/** A round of the schedule, as it went. */
function round_line(
  { number, instances, load }: Round,
  caused: readonly Caused[],
  domains: number,
  took: string,
  verdict: string,
): string {
  const causes = caused.map(({ cause, moment, how, recovery_s }) =>
    `${cause.replaceAll("_", " ")} at ${Math.round(moment * 100)} %${how === "" ? "" : ` (${how})`}, recovered in ${
      recovery_s.toFixed(2)
    } s`
  );
  return [
    `round ${number}`,
    instances === 1 ? "1 instance" : "2 instances",
    `${load.messages} messages${domains === 1 ? "" : " a domain"}`,
    ...causes,
    took,
    verdict,
  ].join(" · ");
}

/** An error and its causes. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\n  because: ${told(error.cause)}`;
}
