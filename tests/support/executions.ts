/**
 * Executions as a producer of a small market terminal sends them: `{trade_id, ticker, price, volume, side, timestamp}`, the times made up,
 * between 1970 and today, most without zone; and what its page would show of them, computed from the messages alone.
 */

/** One execution as its message has it. */
export interface Execution {
  readonly trade_id: string;
  readonly ticker: string;
  readonly price: number;
  readonly volume: number;
  readonly side: string;
  readonly timestamp: string;
}

const TICKERS = ["AAPL", "MSFT", "GOOGL", "AMZN", "TSLA", "META", "NVDA"];

/** The same numbers in [0, below) every time (a linear congruential generator). */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Messages that are none of the producer's: of an older one, of other programs, damaged. All of them have to be set aside. */
const FOREIGN: readonly (string | Uint8Array)[] = [
  '{"order_id": "o-1", "status": "new", "amount": 12.5, "city": "Dallas"}',
  "hello",
  "[1, 2]",
  "42",
  '"text"',
  "{}",
  '{"trade_id": "x", "ticker": "AAPL", "price": "much", "volume": 5, "side": "buy", "timestamp": "2020-01-01T00:00:00"}',
  '{"trade_id": "y", "ticker": "AAPL", "price": 1.5, "volume": 5.5, "side": "buy", "timestamp": "2020-01-01T00:00:00"}',
  '{"trade_id": "z", "ticker": "AAPL", "price": 1.5, "volume": 5, "side": "buy", "timestamp": "never"}',
  '{"trade_id": "cut", "ticker": "AA',
  new Uint8Array([0xff, 0xfe, 0x00, 0x80]),
];

/** Messages of such a topic: executions, some sent twice, and foreign ones between them. */
export interface Traffic {
  readonly values: readonly (string | Uint8Array)[];
  readonly foreign: number;
  readonly repeats: number;
}

/** Makes messages from a seed. @param count how many executions, each once */
export function make_traffic(seed: number, count: number, now_ms: number): Traffic {
  const draw = numbers(seed);
  const values: (string | Uint8Array)[] = [];
  let foreign = 0, repeats = 0;
  for (let i = 0; i < count; i++) {
    const at = new Date(draw(Math.floor(now_ms / 1_000)) * 1_000).toISOString().slice(0, 19);
    const ending = ["", "", "", ".123456", "Z", "+02:00"][draw(6)]!;
    const value = JSON.stringify({
      trade_id: `${seed}-${i}-${draw(2 ** 31).toString(16)}`,
      ticker: TICKERS[draw(TICKERS.length)],
      price: (5_000 + draw(45_001)) / 100,
      volume: 1 + draw(1_000),
      side: draw(2) === 0 ? "buy" : "sell",
      timestamp: at + ending,
    });
    values.push(value);
    if (draw(20) === 0) {
      values.push(value);
      repeats++;
    }
    if (draw(10) === 0) {
      values.push(FOREIGN[draw(FOREIGN.length)]!);
      foreign++;
    }
  }
  return { values, foreign, repeats };
}

/** What executions come to: money in cents. */
export interface Figures {
  trades: number;
  volume: number;
  /** The prices, added up. */
  cents: number;
  /** Price times volume, added up. */
  turnover_cents: number;
}

const is_execution = (value: unknown): value is Execution =>
  typeof value === "object" && value !== null && !Array.isArray(value) &&
  ["trade_id", "ticker", "price", "volume", "side", "timestamp"].every((name) => name in value);

/** The executions among messages, each once by its id, as the terminal's consumer takes them; what is no JSON or lacks a field is passed over. */
export function executions_in(values: readonly string[]): Map<string, Execution> {
  const found = new Map<string, Execution>();
  for (const text of values) {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      if (error instanceof SyntaxError) continue;
      throw error;
    }
    if (!is_execution(value) || found.has(value.trade_id)) continue;
    // What its table (numeric, integer, timestamp) would refuse.
    if (typeof value.price !== "number" || !Number.isInteger(value.volume) || Number.isNaN(time_of(value))) continue;
    found.set(value.trade_id, value);
  }
  return found;
}

/** The time that an execution says, milliseconds; one without zone is UTC. */
export const time_of = ({ timestamp }: Execution): number =>
  Date.parse(/(?:Z|[+-]\d\d:\d\d)$/.test(timestamp) ? timestamp : `${timestamp}Z`);

/** Figures by ticker. */
export function figures_by_ticker(executions: Iterable<Execution>): Map<string, Figures> {
  const by_ticker = new Map<string, Figures>();
  for (const { ticker, price, volume } of executions) {
    const of = by_ticker.get(ticker) ?? { trades: 0, volume: 0, cents: 0, turnover_cents: 0 };
    const cents = Math.round(price * 100);
    of.trades++;
    of.volume += volume;
    of.cents += cents;
    of.turnover_cents += cents * volume;
    by_ticker.set(ticker, of);
  }
  return by_ticker;
}
