/**
 * Projections: read models written from what a batch changed. Cells, totals and sketches are live: folded in the transaction that appends.
 * `verify` recomputes the log and what was folded from it; `stream_history` what each event of one stream changed.
 */
export { date_sql } from "./bucket_time.ts";
export { advance_kept, type EncodedReadModels, ReadModels, type RemovalSource, remove_unkept } from "./read_models.ts";
export { sketches_anew } from "./rebuild_sketches.ts";
export * from "./stream_history.ts";
export { type Audit, BeyondTheLog, type Scope, type Verified, verify, type Watch } from "./verify.ts";
export * from "./rebuild/mod.ts";
