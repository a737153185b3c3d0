import { evened, hash32, weekly_demand } from "../../generator/mod.ts";

/** What is traded: its usual price in cents, how often it is traded beside the others, how restless its price is, and how many shares change hands. */
export interface Ticker {
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
