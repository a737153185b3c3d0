/**
 * Read models beside the live one: made from the log while others append, compared with it, then switched in, in one transaction.
 *
 * What holds: a rebuild is the fold of the log that ingest does, into states of its own, so that it equals the live states and figures by
 * construction, position of each cell's last change and all, and needs nothing of them; whatever kills it, the next run goes on where the last piece ended; whoever reads sees one read model or the other.
 */
export { compare_read_models, type Difference } from "./compare.ts";
export {
  begin_flink_model,
  compare_flink_models,
  type Door,
  drop_flink_model,
  find_door,
  LIVE,
  open_live_door,
  type PartDifference,
  read_both,
  switch_flink_model,
} from "./flink_model.ts";
export { type FoldedStep, LogFold, RefusedEvent } from "./log_fold.ts";
export {
  begin_read_model,
  drop_read_model,
  find_read_model,
  read_models,
  read_rebuilding,
  type ReadModel,
  Rebuild,
  type RebuildBound,
  type Rebuilding,
  type RebuildSource,
} from "./read_model.ts";
export { beside } from "./tables.ts";
