/** The generator of trades: a small market whose prices walk (`market.ts`), with anomalies where the seed plants them (`anomalies.ts`). */
export { TRADE_GENERATOR } from "./generator.ts";
export { prices, TICKERS } from "./market.ts";
