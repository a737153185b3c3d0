/** The generator of payments: shops and shoppers (`market.ts`), with anomalies where the seed plants them (`anomalies.ts`). */
export { PAYMENT_GENERATOR } from "./generator.ts";
export { CURRENCIES, MERCHANTS, METHODS } from "./market.ts";
