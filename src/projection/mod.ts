/**
 * Projections: read models written from what a batch changed. Cells, totals and sketches are live: folded in the transaction that appends.
 * `verify` recomputes the log and what was folded from it; `stream_history` what each event of one stream changed.
 */
export { date_sql } from "./cell_columns.ts";
export { advance_kept, type EncodedReadModels, ReadModels, type RemovalSource, remove_unkept } from "./read_models.ts";
export { sketches_anew } from "./sketches_table.ts";
export { stream_history, type StreamHistory, type StreamStep } from "./stream_history.ts";
export { type Audit, BeyondTheLog, type Scope, type Verified, verify } from "./verify.ts";
export * from "./rebuild/mod.ts";
