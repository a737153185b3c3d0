import type { StreamNames } from "../board.ts";
import type { DeclaredDomain, DeploymentTerms } from "../declared.ts";
import { define_domain, type Domain } from "../domain.ts";
import { PAYMENT_BOARD } from "./board.ts";
import { PAYMENT_GENERATOR } from "./generator.ts";
import card_transactions from "./mappings/card_transactions.json" with { type: "json" };
import {
  derived_by,
  EVENT_TYPES,
  PAYMENT_DIMENSIONS,
  PAYMENT_FACTS,
  PAYMENT_FIELDS,
  PAYMENT_MEASURES,
} from "./payment.ts";

/** What a payment is called, by people and in events. */
const NAMES: StreamNames = { noun: "payment", stream_column: "payment_id" };

/** The payments domain of a deployment: a card processor's payments, in any currency, their refunds and charge-backs. Everything here is pure. */
export function payments_domain({ currency }: DeploymentTerms): Domain {
  return define_domain({
    name: "payments",
    ...NAMES,
    tables: {
      states: "transactions",
      cells: "transaction_cells",
      totals: "transaction_totals",
      sketches: "transaction_sketches",
    },
    by_currency: currency,
    event_types: EVENT_TYPES,
    fields: PAYMENT_FIELDS,
    derived: derived_by(currency),
    dimensions: PAYMENT_DIMENSIONS,
    measures: PAYMENT_MEASURES,
    facts: PAYMENT_FACTS,
    board: PAYMENT_BOARD,
  });
}

/** Payments, as the program's verbs know them. */
export const PAYMENTS: DeclaredDomain = {
  name: "payments",
  ...NAMES,
  event_types: EVENT_TYPES,
  fields: PAYMENT_FIELDS,
  make: payments_domain,
  mappings: [card_transactions],
  topics: [{ topic: "payments" }, { topic: "orders_json", mapping: "card_transactions" }],
  record_lists: ["payments", "transactions", "orders"],
  reversal: null,
  generator: PAYMENT_GENERATOR,
};
