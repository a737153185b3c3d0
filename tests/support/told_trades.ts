import { Buffer } from "node:buffer";
import type { Database } from "../../src/database/mod.ts";
import { trades_domain } from "../../src/domains/trades/mod.ts";
import { DEPLOYMENT, with_domain_log } from "./domain_log.ts";
import { message } from "./trip_pipeline.ts";

/** Trades as somebody tells of them, and what comes of it: folded here anew, in words of these tests' own. */

export const TRADES_DOMAIN = trades_domain(DEPLOYMENT);

/** What was told of trades, in words of this test's own: prices in cents. */
export interface Told {
  readonly trade: string;
  readonly id: string;
  readonly minute: number;
  readonly what:
    | {
      readonly kind: "executed";
      readonly ticker: string;
      readonly side: string | null;
      readonly cents: number;
      readonly volume: number;
    }
    | { readonly kind: "corrected"; readonly cents: number | null; readonly volume: number | null }
    | { readonly kind: "busted" };
}

/** The same pseudo-random numbers every time (a linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Ends of ids. What lies above U+FFFF comes after all that does not, though its UTF-16 units do not; and what a row's text has to quote. */
export const IDS = ["a", "a\u{1F600}", "a\uFFFD", "", 'a", (b)\\', "\u{10FFFF}", "\uE000", "é"];

export const by_id = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Some trades, in any order of arrival. */
export function some_trades(seed: number, trades: number): Told[] {
  const draw = numbers(seed);
  const told: Told[] = [];
  for (let t = 0; t < trades; t++) {
    const trade = `X-${t}`, minute = draw(180);
    // Now and then none, or a second one that may come first, or in the same minute. Trades share ids.
    for (let e = draw(20) === 0 ? 0 : 1 + Number(draw(6) === 0); e > 0; e--) {
      const ticker = ["AAPL", "MSFT", "TSLA"][draw(3)]!, side = ["buy", "sell", null][draw(3)]!;
      told.push({
        trade,
        id: `${e}${IDS[draw(IDS.length)]!}`,
        minute: minute + draw(2) * draw(40),
        what: { kind: "executed", ticker, side, cents: 1 + draw(50_000), volume: 1 + draw(1_000_000_000) },
      });
    }
    for (let c = draw(3); c > 0; c--) {
      const cents = draw(2) === 0 ? null : 1 + draw(50_000), volume = draw(2) === 0 ? null : 1 + draw(1_000);
      told.push({ trade, id: `c${c}`, minute: minute + draw(60), what: { kind: "corrected", cents, volume } });
    }
    if (draw(8) === 0) told.push({ trade, id: "z", minute: minute + draw(60), what: { kind: "busted" } });
  }
  // Any order of arrival.
  for (let i = told.length - 1; i > 0; i--) {
    const j = draw(i + 1);
    [told[i], told[j]] = [told[j]!, told[i]!];
  }
  return told;
}

export const START_MS = Date.UTC(2026, 2, 1, 6);
export const at = (minute: number) => new Date(START_MS + minute * 60_000).toISOString();
export const as_message = ({ trade, id, minute, what }: Told) => {
  const { kind, ...said } = what;
  const data = "cents" in said
    ? { ...said, price: said.cents === null ? null : (said.cents / 100).toFixed(2), cents: undefined }
    : said;
  return message(0, { trade_id: trade, event_id: id, type: `trade.${kind}`, occurred_at: at(minute), ...data });
};

/** What a trade comes to: when it counts, in which keys, and what. */
export interface Standing {
  /** The minute and the id of what dates it. */
  readonly minute: number;
  readonly id: string;
  readonly busted: boolean;
  readonly cents: number;
  readonly volume: number;
  readonly keys: Readonly<Record<string, string>>;
}

/** What trades come to that were executed or busted. */
export function standings(told: readonly Told[]): Standing[] {
  return [...Map.groupBy(told, ({ trade }) => trade).values()].flatMap((of_trade) => {
    const in_order = of_trade.toSorted((a, b) => a.minute - b.minute || by_id(a.id, b.id));
    const busted = in_order.findLast(({ what }) => what.kind === "busted");
    const executed = in_order.findLast(({ what }) => what.kind === "executed");
    const dated = busted ?? executed;
    if (dated === undefined) return [];
    const side = in_order.reduce<string | null>(
      (side, { what }) => what.kind === "executed" ? what.side ?? side : side,
      null,
    );
    const execution = executed?.what.kind === "executed" ? executed.what : null;
    let cents = execution?.cents ?? 0, volume = execution?.volume ?? 0;
    for (const { what } of in_order) {
      if (what.kind !== "corrected") continue;
      cents = what.cents ?? cents;
      volume = what.volume ?? volume;
    }
    const status = busted === undefined ? "executed" : "busted";
    const { minute, id } = dated, ticker = execution?.ticker ?? "unknown";
    const keys = { none: "all", status, ticker, side: side ?? "unknown", venue: "unknown" };
    return [{ minute, id, busted: busted !== undefined, cents, volume, keys }];
  });
}

/** A price, and the minute and id of the execution that it is of. */
export interface Priced {
  readonly minute: number;
  readonly id: string;
  readonly cents: number;
}

/** In order of time and event id; of one time and id the greater price is the later. */
export const by_date = (a: Priced, b: Priced): number => a.minute - b.minute || by_id(a.id, b.id) || a.cents - b.cents;

/** A price as cells keep it; null: there is none, of no date. */
export function priced(micros: string | null, by: string | null): Priced | null {
  if ((micros === null) !== (by === null)) {
    throw new Error(`expected a price and its date or neither, got ${micros}, ${by}`);
  }
  if (micros === null || by === null) return null;
  const minute = (Date.parse(by.slice(0, 27)) - START_MS) / 60_000;
  return { minute, id: by.slice(28), cents: Number(micros) / 10_000 };
}

/** Lends a log of trades in a schema of its own. */
export const with_trades = (work: (database: Database) => Promise<void>): Promise<void> =>
  with_domain_log("trades", work);
