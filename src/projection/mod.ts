/**
 * Projections: read models written from what a batch changed. Cells, totals and sketches are live: folded in the transaction that appends.
 * `verify` recomputes the log and what was folded from it; `stream_history` what each event of one stream changed.
 */
export { equal_measure_backfill, totals_backfill } from "./cells_backfill.ts";
export { date_sql } from "./bucket_time.ts";
export * from "./dated_backfill.ts";
export { advance_kept, type EncodedReadModels, ReadModels, type RemovalSource, remove_unkept } from "./read_models.ts";
export * from "./rebuild_sketches.ts";
export * from "./stream_history.ts";
export { type Audit, BeyondTheLog, type Scope, type Verified, verify, type Watch } from "./verify.ts";
export {
  begin_read_model,
  compare_read_models,
  type Difference,
  drop_read_model,
  find_read_model,
  type FoldedStep,
  LogFold,
  read_models,
  read_rebuilding,
  type ReadModel,
  Rebuild,
  type RebuildBound,
  type Rebuilding,
  type RebuildSource,
  RefusedEvent,
} from "./rebuild/mod.ts";
