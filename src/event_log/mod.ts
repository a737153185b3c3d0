/**
 * The event log: append (one transaction a batch), read, and the chain that proves it unchanged.
 *
 * Holds before and after every append: positions 1..head are all there, in commit order; `messages_read = admitted + duplicates +
 * quarantined + tombstones + skipped`; each stream's revisions are 1..n. On failure nothing of the batch is there. On repeat of the same batch the
 * cursors have moved on, so `Overtaken` is thrown and nothing is written twice.
 *
 * A message is read once. One that was quarantined may be settled later, by a batch of its own kind: a retry moves it, in the head's
 * account, from quarantined to admitted, duplicate, tombstone or skipped; discarding it is an operator's decision and leaves the account as it is.
 */
export * from "./append.ts";
export * from "./archives.ts";
export * from "./chain.ts";
export * from "./decisions.ts";
export * from "./past_streams.ts";
export * from "./head.ts";
export * from "./fold_recorded.ts";
export * from "./persons.ts";
export * from "./quarantine.ts";
export * from "./read.ts";
export * from "./source_message.ts";
export * from "./stream_states.ts";
export { chain_start, read_log_moment, type VerifiedChain, verify_chain } from "./verify_chain.ts";
export { Faults, QuarantineCheck } from "./verify_quarantine.ts";
