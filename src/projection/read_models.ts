import type { Transaction } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import type { CellChanges, Days } from "../kpi/mod.ts";
import { CellsTable, type EncodedCells } from "./cells_table.ts";
import { type EncodedSketches, SketchesTable } from "./sketches_table.ts";

/** What a batch changed in the read models, written out. */
export interface EncodedReadModels {
  readonly cells: EncodedCells;
  readonly sketches: EncodedSketches | null;
}

type ReadModelsShape = Pick<
  Domain,
  "tables" | "measures" | "dimensions" | "extremes" | "by_currency"
>;

/** The live read models of a domain: its cells, and its sketches where it keeps some. */
export class ReadModels {
  readonly #cells: CellsTable;
  readonly #sketches: SketchesTable | null;

  constructor(domain: ReadModelsShape, days: Days) {
    this.#cells = new CellsTable(domain, days);
    const { sketches } = domain.tables;
    this.#sketches = sketches === null ? null : new SketchesTable(sketches, domain);
  }

  /** Writes out what a batch changed, all but what only the transaction knows. */
  encode(changes: CellChanges): EncodedReadModels {
    const cells = [...changes.cells()];
    return { cells: this.#cells.encode(cells), sketches: this.#sketches?.encode(cells) ?? null };
  }

  /**
   * Writes what was encoded, inside the batch's transaction, after the stream states.
   * @param before_first the position before the batch's first event
   */
  async write(tx: Transaction, { cells, sketches }: EncodedReadModels, before_first: number): Promise<void> {
    await this.#cells.write(tx, cells, before_first);
    if (sketches !== null) await this.#sketches?.write(tx, sketches);
  }
}
