import { Random } from "../../src/domains/generator/mod.ts";

/** What can be done to the program and its servers. */
export const KINDS = [
  "program_killed",
  "program_frozen",
  "program_stopped",
  "broker_killed",
  "backend_killed",
  "database_killed",
  "connection_terminated",
  "foreign_transaction",
  "partition_and_member_added",
] as const;
export type Kind = typeof KINDS[number];

/** One disturbance of a round. */
export interface Disturbance {
  readonly kind: Kind;
  /** It is caused when of the messages that are sent before it this share has been read. */
  readonly moment: number;
  /** In [0, 1): chooses the victim, and with `manner` the way it is done. */
  readonly victim: number;
  readonly manner: number;
}

/** The messages of a round. Shares are of its good messages. */
export interface Load {
  readonly messages: number;
  /** Sent a second time: at once, later, or rounds later. */
  readonly duplicates: number;
  /** Moved up to 60 places. */
  readonly reordered: number;
  /** Held back for one to three rounds. */
  readonly late: number;
  /** Followed by something that must be quarantined. */
  readonly malformed: number;
}

/** A round, all of it decided beforehand. */
export interface Round {
  readonly number: number;
  readonly instances: 1 | 2;
  /** How surplus members leave when the round begins. */
  readonly leave: "stopped" | "killed";
  /** When members come or go, as in `Disturbance`. */
  readonly moment: number;
  readonly load: Load;
  readonly disturbances: readonly Disturbance[];
}

/** What a schedule is drawn from. */
export interface ScheduleOptions {
  readonly kinds?: readonly Kind[];
  /** Most disturbances of a round. */
  readonly most?: 1 | 2 | 3;
  /** Fewest and most good messages of a round. */
  readonly messages?: readonly [number, number];
}

/**
 * The rounds of a seed, without end; the same seed and options give the same rounds. Kinds are dealt from a shuffled deck: any
 * 17 consecutive disturbances, and so any 17 rounds, hold each of the nine at least once.
 */
export function* schedule(
  seed: number,
  { kinds = KINDS, most = 3, messages = [300, 1_200] }: ScheduleOptions = {},
): Generator<Round, never> {
  const random = new Random(seed, 77);
  const deck = dealt(random, kinds);
  let instances: 1 | 2 = random.chance(0.5) ? 1 : 2;
  let stays = random.whole(1, 4);
  for (let number = 1;; number++) {
    if (stays-- === 0) {
      instances = instances === 1 ? 2 : 1;
      stays = random.whole(1, 4);
    }
    const leave = random.chance(0.5) ? "killed" : "stopped";
    const moment = random.between(0.05, 0.8);
    const load = {
      messages: random.whole(messages[0], messages[1] + 1),
      duplicates: share(random, 0.01, 0.3),
      reordered: share(random, 0.05, 1),
      late: share(random, 0.01, 0.3),
      malformed: share(random, 0.01, 0.1),
    };
    const count = Math.min(most, random.weighted([0.55, 0.85, 1]) + 1);
    const disturbances = Array.from({ length: count }, () => ({
      kind: deck.next().value,
      moment: random.between(0.05, 0.8),
      victim: random.fraction(),
      manner: random.fraction(),
    }));
    yield { number, instances, leave, moment, load, disturbances };
  }
}

/** A share that is small in most rounds and large in some. */
const share = (random: Random, low: number, high: number): number => low + (high - low) * random.fraction() ** 3;

/** Cards of a deck that is shuffled anew whenever it is empty. */
function* dealt<T>(random: Random, cards: readonly T[]): Generator<T, never> {
  for (;;) {
    const rest = [...cards];
    while (rest.length > 0) yield rest.splice(random.whole(0, rest.length), 1)[0]!;
  }
}
