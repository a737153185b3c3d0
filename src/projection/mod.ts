/**
 * Projections: read models written from what a batch changed. The cells are live: folded in the transaction that appends.
 * `verify` recomputes the log and what was folded from it.
 */
export { CellsTable, type EncodedCells } from "./cells_table.ts";
export { BeyondTheLog, type Scope, type Verified, verify, type Watch } from "./verify.ts";
