import type { Generator, GeneratorPlan, GeneratorRun } from "../declared.ts";
import {
  amount_text,
  type Breakable,
  checked_mishaps,
  type Course,
  cumulate,
  EventStream,
  given_options,
  hash_text,
  type Invention,
  type JsonObject,
  planted_between,
  Random,
  Staging,
  STEPS_PER_STREAM,
  utc_offset_us,
} from "../generator/mod.ts";
import {
  crowd_at,
  DEMAND,
  extra_demand,
  is_open,
  planted_in,
  prices,
  type Staged,
  staged_in,
  TICKERS,
  VENUES,
} from "./market.ts";

const minute_us = 60_000_000;
const bare_share = 0.08;

/** A plan of trades, with what can be wished of them. */
interface TradePlan extends GeneratorPlan {
  /** 0: evenly spaced. 1 (default): the market's demand by hour and weekday, with gusts and random gaps. */
  readonly variability?: number;
  /** Shares (0 to 1) of trades whose price or volume is corrected within six hours, and that are taken back. */
  readonly corrections?: number;
  readonly busts?: number;
  /** Spikes, slips, outages and washes. Default false. */
  readonly anomalies?: boolean;
}

/** One trade as planned: all that its messages say. */
interface Trade extends Course {
  readonly ticker: string;
  /** null and "" are sent so, undefined is left out: three ways in which producers do not say. */
  readonly side: string | null | undefined;
  readonly venue: string | null | undefined;
  readonly cents: number;
  readonly volume: number;
  /** What a correction says; null: nothing. */
  readonly corrected_cents: number | null;
  readonly corrected_volume: number | null;
  readonly bust_reason: string;
}

const CORRECTED = "trade.corrected", BUSTED = "trade.busted";
const bust_reasons = ["reported_twice", "entered_in_error", "counterparty_unknown"] as const;
const unsaid = [null, "", undefined] as const;

const BREAKABLE: Breakable = {
  noun: "trade",
  stream_column: "trade_id",
  // Each names a fault for every type of event, whichever field that type has.
  faults: [
    { ticker: ["somewhere"], price: "12,50", reason: ["because"] },
    { ticker: true, price: "-4.20", reason: { code: 7 } },
    { ticker: {}, volume: 1.5, price: {}, reason: 1.5 },
  ],
};

/** Plans trades: what, at which price, how many, where, and what becomes of it. */
class Market implements Invention<Trade> {
  readonly #plan: Required<TradePlan>;
  readonly #prefix: string;
  readonly #staging: Staging<Staged>;
  readonly #random: Random;
  readonly #price: (ticker: number, at_us: number) => number;
  readonly #id_key: number;
  /** How often each ticker and venue comes in the minute `#minute`, added up. */
  #tickers = CALM;
  #venues = ALL_VENUES;
  #minute = -1;
  #number = 1;

  constructor(plan: Required<TradePlan>, { prefix, time_zone }: Pick<GeneratorRun, "prefix" | "time_zone">) {
    const { seed, start_us, anomalies } = plan;
    this.#plan = plan;
    this.#prefix = prefix;
    this.#random = new Random(seed, start_us, 31);
    this.#price = prices(seed);
    this.#id_key = new Random(seed, hash_text(prefix)).whole(0, 0x1_0000_0000);
    this.#staging = new Staging(
      {
        ...plan,
        demand: DEMAND,
        utc_offset_us: utc_offset_us(start_us, time_zone),
        ...anomalies ? { extra: (at_us: number) => extra_demand(seed, at_us) } : {},
      },
      anomalies ? (at_us) => staged_in(seed, at_us) : null,
    );
  }

  next_us(): number {
    return this.#staging.next_us();
  }

  next(): Trade {
    const { at_us, staged } = this.#staging.next();
    return this.#trade(this.#number++, at_us, staged);
  }

  data(trade: Trade, step: number): JsonObject {
    switch (trade.steps[step]) {
      case "trade.executed": {
        const { ticker, cents, volume, side, venue } = trade;
        return { ticker, price: amount_text(cents), volume, side, venue };
      }
      case CORRECTED:
        return {
          price: trade.corrected_cents === null ? undefined : amount_text(trade.corrected_cents),
          volume: trade.corrected_volume ?? undefined,
        };
      case BUSTED:
        return { reason: trade.bust_reason };
      default:
        throw new Error(
          `writing a message of trade "${trade.stream_id}": expected a step below ${trade.steps.length}, got "${step}"`,
        );
    }
  }

  #trade(number: number, at_us: number, staged: Staged | null): Trade {
    const random = this.#random;
    const { seed, anomalies } = this.#plan;
    this.#settle(at_us);
    const drawn = random.weighted(this.#tickers);
    const ticker = staged?.ticker ?? drawn;
    const { name, volume: usual } = TICKERS[ticker]!;
    const side = random.chance(0.5) ? "buy" : "sell";
    // Who buys pays a little more than who sells gets.
    const spread = 1 + (side === "buy" ? 1 : -1) * random.between(0.00005, 0.0003);
    const shares = usual * Math.exp(0.9 * random.bell()) * (anomalies ? Math.sqrt(crowd_at(seed, ticker, at_us)) : 1);
    // Most deal in lots of ten, some in single shares.
    const lot = random.chance(0.7) ? 10 : 1;
    const venue = VENUES[random.weighted(this.#venues)]!.name;
    const says = {
      side: random.chance(0.015) ? unsaid[random.whole(0, unsaid.length)] : side,
      venue: random.chance(0.01) ? undefined : venue,
    };
    const wash = staged?.wash ?? null;
    const priced = wash === null
      ? this.#price(ticker, at_us) * spread * (staged?.factor ?? 1)
      : this.#price(ticker, wash.priced_us);
    const cents = Math.max(1, Math.round(priced));
    const volume = wash?.volume ?? Math.max(1, Math.round(shares / lot)) * lot;
    const said_at = wash === null ? venue : VENUES[wash.venue]!.name;
    return {
      stream_id: `${this.#prefix}${number}`,
      id_key: this.#id_key,
      id_counter: number * STEPS_PER_STREAM,
      source: `/venue/${said_at.toLowerCase()}`,
      bare: random.chance(bare_share),
      base_us: at_us,
      not_before_us: 0,
      ticker: name,
      cents,
      volume,
      ...(wash === null ? says : { side: wash.side, venue: said_at }),
      ...this.#course(cents, volume, staged),
    };
  }

  /** What becomes of a trade: of few that something was wrong with it. */
  #course(
    cents: number,
    volume: number,
    staged: Staged | null,
  ): Pick<Trade, "steps" | "after_ms" | "corrected_cents" | "corrected_volume" | "bust_reason"> {
    const random = this.#random;
    const { corrections, busts } = this.#plan;
    const corrected = random.chance(corrections), busted = random.chance(busts);
    // Two minutes to six hours later, sooner more often.
    const corrected_ms = Math.round(120_000 * 180 ** random.fraction());
    const busted_ms = corrected_ms + Math.round(60_000 * 30 ** random.fraction());
    const price_was_wrong = random.chance(0.6);
    const corrected_cents = price_was_wrong ? Math.max(1, Math.round(cents * random.between(0.985, 1.015))) : null;
    const corrected_volume = price_was_wrong ? null : Math.max(1, Math.round(volume * random.between(0.2, 1.8)));
    const reason = random.pick(bust_reasons);
    const says = { corrected_cents, corrected_volume, bust_reason: reason };
    if (staged !== null) {
      if (!staged.taken_back) return { ...says, steps: ["trade.executed"], after_ms: [0] };
      const after_ms = [0, Math.round(random.between(600_000, 2_400_000))];
      return { ...says, bust_reason: "clearly_erroneous", steps: ["trade.executed", BUSTED], after_ms };
    }
    const later: (readonly [type: string, after_ms: number])[] = [
      ...corrected ? [[CORRECTED, corrected_ms] as const] : [],
      ...busted ? [[BUSTED, busted_ms] as const] : [],
    ];
    return {
      ...says,
      steps: ["trade.executed", ...later.map(([type]) => type)],
      after_ms: [0, ...later.map(([, after_ms]) => after_ms)],
    };
  }

  /** Settles what each ticker and venue has of the trades at a moment: what is planted begins and ends with a minute. */
  #settle(at_us: number): void {
    const minute = Math.floor(at_us / minute_us), { seed, anomalies } = this.#plan;
    if (!anomalies || minute === this.#minute) return;
    this.#minute = minute;
    this.#tickers = cumulate(TICKERS.map(({ share }, i) => share * crowd_at(seed, i, at_us)));
    this.#venues = cumulate(VENUES.map(({ share }, i) => is_open(seed, i, at_us) ? share : 0));
  }
}

const CALM = cumulate(TICKERS.map(({ share }) => share));
const ALL_VENUES = cumulate(VENUES.map(({ share }) => share));

/** The messages of a market, without end, in order of delivery. Throws when an option is out of its range. */
function trade_stream(given: TradePlan, run: GeneratorRun): EventStream<Trade> {
  const plan = { variability: 1, corrections: 0.008, busts: 0.002, anomalies: false, ...given };
  const mishaps = checked_mishaps("trade", plan, run, ["corrections", "busts"]);
  return new EventStream(BREAKABLE, new Market(plan, run), new Random(plan.seed, plan.start_us, 51), mishaps);
}

/** How trades are invented. */
export const TRADE_GENERATOR: Generator = {
  letter: "X",
  per_rate: 2,
  // What a trade is, its first message says.
  open: "false",
  plan: ({ rate, seed, currency, start_us }, { variability, corrections, voids, anomalies }) => {
    const asked = { variability, corrections, busts: voids, anomalies };
    return { rate, seed, currency, start_us, ...given_options(asked) };
  },
  messages: trade_stream,
  planted: ({ seed, start_us, anomalies = false }: TradePlan, until_us) =>
    anomalies ? planted_between(start_us, until_us, (at_us) => planted_in(seed, at_us)) : [],
};
