import type { Planted } from "../../declared.ts";
import { told, type Trouble, trouble_at, trouble_in, type TroubleKind } from "../../generator/mod.ts";
import { TICKERS, VENUES } from "./market.ts";

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
