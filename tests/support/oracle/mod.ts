/**
 * The oracle: from all source messages, what the database must hold, computed in the plainest way there is. It shares
 * no code with the program: it collects the events of each trip, sorts them, folds from scratch and counts from
 * scratch, where the program keeps states and adds differences. Equal results are therefore evidence. (An oracle that
 * concludes again folds what has new events from scratch, and counts it anew in place of what it was.)
 *
 * What it holds to where the contract leaves room:
 * - Texts are kept as sent, not trimmed; lengths count UTF-16 code units; the length limit of an event id holds for the
 *   CloudEvents source and id together.
 * - The size limit is that of the value. A message has nesting depth 1.
 * - `canceled_by` other than driver, passenger or system is a fault; `currency` is checked and kept in every event type;
 *   other fields that the type does not list are ignored, whatever they hold. An event without a time is a fault.
 * - A duration between two times is rounded to the nearest millisecond.
 * - The bucket of a day is the instant at which that date begins in the business time zone; clocks that go back over
 *   midnight do not bring the day before back.
 */
export { CHAIN_START, type ChainEnd, follow_chain } from "./chain.ts";
export { compare_with_database } from "./compare.ts";
export { type LogReading, new_reading } from "./compare_log.ts";
export { type Measures } from "./cells.ts";
export { type DailyKpis, kpis_of_day } from "./daily.ts";
export { type AdmittedEvent, type Expectation, type Oracle, oracle, start_oracle } from "./expectation.ts";
export { type TripRow } from "./fold.ts";
export { type Query } from "./query.ts";
export { type OracleOptions, type SourceMessage } from "./source_message.ts";
export { DomainOracle } from "./domain_oracle.ts";
export { TRADES_CONTRACT } from "./trades.ts";
export { payments_contract } from "./payments.ts";
