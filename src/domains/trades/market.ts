import type { Planted } from "../declared.ts";
import {
  evened,
  hash32,
  told,
  type Trouble,
  trouble_at,
  trouble_in,
  type TroubleKind,
  weekly_demand,
} from "../generator/mod.ts";

/** What is traded: its usual price in cents, how often it is traded beside the others, how restless its price is, and how many shares change hands. */
interface Ticker {
  readonly name: string;
  readonly cents: number;
  readonly share: number;
  readonly restless: number;
  readonly volume: number;
}

export const TICKERS: readonly Ticker[] = [
  { name: "AAPL", cents: 22_800, share: 0.19, restless: 1, volume: 150 },
  { name: "MSFT", cents: 43_100, share: 0.11, restless: 0.9, volume: 90 },
  { name: "GOOGL", cents: 17_600, share: 0.09, restless: 1.1, volume: 120 },
  { name: "AMZN", cents: 19_200, share: 0.12, restless: 1.2, volume: 130 },
  { name: "TSLA", cents: 26_400, share: 0.2, restless: 2.2, volume: 180 },
  { name: "META", cents: 58_700, share: 0.05, restless: 1.3, volume: 70 },
  { name: "NVDA", cents: 13_100, share: 0.24, restless: 1.8, volume: 320 },
];

/** Where it is traded, and how often. */
export const VENUES: readonly { readonly name: string; readonly share: number }[] = [
  { name: "XNAS", share: 0.44 },
  { name: "ARCX", share: 0.21 },
  { name: "BATS", share: 0.2 },
  { name: "EDGX", share: 0.1 },
  { name: "IEXG", share: 0.05 },
];

/** A little around the clock, most from half past nine to four, busiest after the opening and before the close. */
export const DEMAND: Float64Array = evened(weekly_demand({
  base: 0.22,
  workdays: [[9.9, 0.6, 2.6], [12.5, 2.6, 1.2], [15.6, 0.7, 2.4]],
  weekend: [],
}));

/** What is put into a price goes on for a second, or four times as long as the one before: up to seven weeks. */
const OCTAVES_US = Array.from({ length: 12 }, (_, octave) => 1_000_000 * 4 ** octave);
const day_us = 86_400_000_000;
/** How far a price moves in a day, where it is not restless. */
const daily = 0.015;

/** A number around 0, nearly normal with deviation 1, that belongs to an octave's turn. */
function node(seed: number, ticker: number, octave: number, turn: number): number {
  const word = hash32(seed, 41, ticker, octave, turn);
  const bytes = (word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24);
  return (bytes / 255 - 2) * 1.7320508;
}

/**
 * The prices of tickers (by their number) at moments, in cents with fraction. They walk in steps of their logarithm, as far in a time as the root of that
 * time, and stay about the usual ones over months. Read off the seed and the moment alone, so that a run goes on with the prices that an earlier one
 * ended with; what stands between the same two numbers as before costs no new ones.
 */
export function prices(seed: number): (ticker: number, at_us: number) => number {
  const walks = TICKERS.map(() => OCTAVES_US.map(() => ({ turn: NaN, before: 0, after: 0 })));
  return (ticker, at_us) => {
    const { cents, restless } = TICKERS[ticker]!;
    let walked = 0;
    walks[ticker]!.forEach((walk, octave) => {
      const octave_us = OCTAVES_US[octave]!, turn = Math.floor(at_us / octave_us), share = at_us / octave_us - turn;
      if (turn !== walk.turn) {
        walk.turn = turn;
        walk.before = node(seed, ticker, octave, turn);
        walk.after = node(seed, ticker, octave, turn + 1);
      }
      walked += (walk.before * (1 - share) + walk.after * share) * Math.sqrt(octave_us / day_us);
    });
    return cents * Math.exp(daily * restless * walked);
  };
}

/**
 * What the market has on purpose where a plan asks for anomalies. All of it follows from the seed and the hour, so that `planted` can say where it
 * is: whoever looks for anomalies in the figures can be held to that.
 */

/** About every sixth hour some ticker is traded several times as often, in greater volumes. */
const SPIKE: TroubleKind = { kind: 31, one_in: 42, least_min: 10, most_min: 20 };
/** In one hour of eight somebody slips by a decimal place, once. */
const FAT_FINGER: TroubleKind = { kind: 32, one_in: 8, least_min: 1, most_min: 1 };
/** About every twelfth hour some venue trades nothing. */
const OUTAGE: TroubleKind = { kind: 33, one_in: 60, least_min: 5, most_min: 20 };
/** In one hour of twelve two hands sell each other the same shares, back and forth. */
const WASH: TroubleKind = { kind: 34, one_in: 12, least_min: 8, most_min: 20 };

/** How many times as often, and as much, a ticker is traded at a moment: 1 but in a spike. */
export function crowd_at(seed: number, ticker: number, at_us: number): number {
  const trouble = trouble_at(seed, SPIKE, ticker, at_us);
  return trouble === null ? 1 : 5 + ((trouble.word >>> 4) % 4);
}

/** What spikes add at a moment, as a share of the usual demand. */
export const extra_demand = (seed: number, at_us: number): number =>
  TICKERS.reduce((sum, { share }, ticker) => sum + share * (crowd_at(seed, ticker, at_us) - 1), 0);

/** Where two hands wash in the hour of a moment, or null. */
function wash_in(seed: number, at_us: number): Trouble & { readonly ticker: number; readonly venue: number } | null {
  const trouble = trouble_in(seed, WASH, 0, at_us);
  if (trouble === null) return null;
  return { ...trouble, ticker: (trouble.word >>> 3) % TICKERS.length, venue: (trouble.word >>> 7) % VENUES.length };
}

/** The outage of a venue in the hour of a moment, or null. Where two hands wash there is none. */
function outage_in(seed: number, venue: number, at_us: number): Trouble | null {
  return wash_in(seed, at_us)?.venue === venue ? null : trouble_in(seed, OUTAGE, venue, at_us);
}

/** Whether a venue trades at a moment. */
export function is_open(seed: number, venue: number, at_us: number): boolean {
  const outage = outage_in(seed, venue, at_us);
  return outage === null || at_us < outage.from_us || at_us >= outage.until_us;
}

/** A trade that is made on purpose. */
export interface Staged {
  readonly at_us: number;
  readonly ticker: number;
  /** What the price is multiplied by. */
  readonly factor: number;
  /** Whether it is taken back within the hour. */
  readonly taken_back: boolean;
  /** Of a wash: where, which side and how many. Of a slip it is as of any other. */
  readonly wash: {
    readonly venue: number;
    readonly side: "buy" | "sell";
    readonly volume: number;
    readonly priced_us: number;
  } | null;
}

function slip_in(seed: number, at_us: number): Staged | null {
  const trouble = trouble_in(seed, FAT_FINGER, 0, at_us);
  if (trouble === null) return null;
  const { from_us, word } = trouble;
  return {
    at_us: from_us + (word % 59_000) * 1_000,
    ticker: (word >>> 3) % TICKERS.length,
    factor: (word >>> 9) % 2 === 0 ? 10 : 0.1,
    taken_back: (word >>> 10) % 2 === 0,
    wash: null,
  };
}

/** The trades that are made on purpose in the hour of a moment, in order. */
export function staged_in(seed: number, at_us: number): Staged[] {
  const staged: Staged[] = [];
  const slip = slip_in(seed, at_us);
  if (slip !== null) staged.push(slip);
  const wash = wash_in(seed, at_us);
  if (wash !== null) {
    const { from_us, until_us, word, ticker, venue } = wash;
    const volume = 311 + (word % 1_200);
    const plain = { ticker, factor: 1, taken_back: false };
    // Every twenty seconds one sells and three seconds later the other does, at the same price.
    for (let sold_us = from_us; sold_us + 3_000_000 < until_us; sold_us += 20_000_000) {
      for (const [side, after_us] of [["sell", 0], ["buy", 3_000_000]] as const) {
        staged.push({ ...plain, at_us: sold_us + after_us, wash: { venue, side, volume, priced_us: sold_us } });
      }
    }
  }
  return staged.sort((a, b) => a.at_us - b.at_us);
}

/** What is planted in the hour of a moment. */
export function planted_in(seed: number, at_us: number): (Planted | null)[] {
  const slip = slip_in(seed, at_us);
  const slipped = slip === null ? null : { ...slip, from_us: slip.at_us, until_us: slip.at_us + 1_000 };
  return [
    ...TICKERS.map(({ name }, i) => told("volume_spike", trouble_in(seed, SPIKE, i, at_us), () => ({ ticker: name }))),
    ...VENUES.map(({ name }, i) => told("venue_outage", outage_in(seed, i, at_us), () => ({ venue: name }))),
    told("fat_finger", slipped, ({ ticker }) => ({ ticker: TICKERS[ticker]!.name })),
    told("wash_trading", wash_in(seed, at_us), ({ ticker, venue }) => ({
      ticker: TICKERS[ticker]!.name,
      venue: VENUES[venue]!.name,
    })),
  ];
}
