/**
 * Projections: read models written from what a batch changed. The cells are live: folded in the transaction that appends.
 */
export { CellsTable, type EncodedCells } from "./cells_table.ts";
export { verify_read_models } from "./verify_read_models.ts";
