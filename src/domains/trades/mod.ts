import type { StreamNames } from "../board.ts";
import type { DeclaredDomain, DeploymentTerms } from "../declared.ts";
import { define_domain, type Domain } from "../domain.ts";
import { TRADE_BOARD } from "./board.ts";
import { TRADE_GENERATOR } from "./generator.ts";
import executions from "./mappings/executions.json" with { type: "json" };
import executions_by_arrival from "./mappings/executions_by_arrival.json" with { type: "json" };
import { DERIVED, EVENT_TYPES, TRADE_DIMENSIONS, TRADE_FACTS, TRADE_FIELDS, TRADE_MEASURES } from "./trade.ts";

/** What a trade is called, by people and in events. */
const NAMES: StreamNames = { noun: "trade", stream_column: "trade_id" };

/** The trades domain of a deployment: executions on a market, their corrections and busts. Everything here is pure. */
export function trades_domain(_terms: DeploymentTerms): Domain {
  return define_domain({
    name: "trades",
    ...NAMES,
    tables: { states: "trades", cells: "trade_cells", totals: null, sketches: null },
    event_types: EVENT_TYPES,
    fields: TRADE_FIELDS,
    derived: DERIVED,
    dimensions: TRADE_DIMENSIONS,
    measures: TRADE_MEASURES,
    facts: TRADE_FACTS,
    board: TRADE_BOARD,
  });
}

/** Trades, as the program's verbs know them. */
export const TRADES: DeclaredDomain = {
  name: "trades",
  ...NAMES,
  event_types: EVENT_TYPES,
  fields: TRADE_FIELDS,
  make: trades_domain,
  mappings: [executions, executions_by_arrival],
  topics: [{ topic: "trades" }, { topic: "orders", mapping: "executions" }],
  record_lists: ["trades", "executions"],
  reversal: null,
  generator: TRADE_GENERATOR,
};
