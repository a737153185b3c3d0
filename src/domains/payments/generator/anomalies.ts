import type { Planted } from "../../declared.ts";
import { told, type Trouble, trouble_at, trouble_in, type TroubleKind } from "../../generator/mod.ts";
import { MERCHANTS, METHODS } from "./market.ts";

/**
 * What goes wrong with payments on purpose where a plan asks for anomalies. All of it follows from the seed and the hour, so that `planted` can say
 * where it is: whoever looks for anomalies in the figures can be held to that.
 */

/** About every sixth hour some merchant sells several times as much. */
const SPIKE: TroubleKind = { kind: 61, one_in: 240, least_min: 10, most_min: 25 };
/** About every eighth hour some payment method is declined, whoever pays by it. */
const OUTAGE: TroubleKind = { kind: 62, one_in: 32, least_min: 5, most_min: 20 };
/** In one hour of ten stolen cards are tried at a merchant: small captures, one after the other, then declines. */
const FRAUD: TroubleKind = { kind: 63, one_in: 10, least_min: 6, most_min: 15 };

/** How many times as often a merchant is paid at a moment: 1 but in a spike. */
export const crowd_at = (seed: number, merchant: number, at_us: number): number => {
  const trouble = trouble_at(seed, SPIKE, merchant, at_us);
  return trouble === null ? 1 : 8 + ((trouble.word >>> 4) % 6);
};

/** What spikes add at a moment, as a share of the usual demand. */
export const extra_demand = (seed: number, at_us: number): number =>
  MERCHANTS.reduce((sum, { share }, merchant) => sum + share * (crowd_at(seed, merchant, at_us) - 1), 0);

/** Whether a payment method is declined at a moment, whoever pays by it. */
export const is_out = (seed: number, method: number, at_us: number): boolean =>
  trouble_at(seed, OUTAGE, method, at_us) !== null;

/** Where stolen cards are tried in the hour of a moment, or null. */
const fraud_in = (seed: number, at_us: number): Trouble & { readonly merchant: number } | null => {
  const trouble = trouble_in(seed, FRAUD, 0, at_us);
  return trouble === null ? null : { ...trouble, merchant: (trouble.word >>> 3) % MERCHANTS.length };
};

/** A payment that is tried on purpose. */
export interface Staged {
  readonly at_us: number;
  readonly merchant: number;
  readonly cents: number;
  readonly is_declined: boolean;
}

/** The payments that are tried on purpose in the hour of a moment, in order: every ten seconds one, of which the last two thirds are declined. */
export function staged_in(seed: number, at_us: number): Staged[] {
  const fraud = fraud_in(seed, at_us);
  if (fraud === null) return [];
  const { from_us, until_us, word, merchant } = fraud;
  const count = Math.floor((until_us - from_us) / 10_000_000);
  return Array.from({ length: count }, (_, i) => ({
    at_us: from_us + i * 10_000_000,
    merchant,
    cents: 100 + ((word >>> (i % 16)) % 400),
    is_declined: i >= count / 3,
  }));
}

/** What is planted in the hour of a moment. */
export const planted_in = (seed: number, at_us: number): (Planted | null)[] => [
  ...MERCHANTS.map(({ name }, i) =>
    told("merchant_spike", trouble_in(seed, SPIKE, i, at_us), () => ({ merchant: name }))
  ),
  ...METHODS.map(({ name }, i) =>
    told("method_outage", trouble_in(seed, OUTAGE, i, at_us), () => ({ payment_method: name }))
  ),
  told("card_testing", fraud_in(seed, at_us), ({ merchant }) => ({ merchant: MERCHANTS[merchant]!.name })),
];
