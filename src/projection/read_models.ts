import { ADVISORY_LOCKS, type Database, type Transaction } from "../database/mod.ts";
import { type Domain, type Lacks, NOTHING } from "../domains/mod.ts";
import { kept_values, read_head } from "../event_log/mod.ts";
import {
  ALL_KEPT,
  type CellChanges,
  type Days,
  is_kept,
  type Kept,
  kept_at,
  kept_from,
  type KeptDays,
  PASSING_GRAINS,
  type PassingGrain,
  same_kept,
} from "../kpi/mod.ts";
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

  /** @param lacks what is not written: tables that lack it of what was before hold nothing of it, no part that could be taken for all of it */
  constructor(domain: ReadModelsShape, days: Days, lacks: Lacks = NOTHING) {
    this.#cells = new CellsTable(domain, days, lacks);
    const { sketches } = domain.tables;
    this.#sketches = sketches === null ? null : new SketchesTable(sketches, domain, lacks);
  }

  /** Writes out what a batch changed of the cells that are kept, all but what only the transaction knows. */
  encode(changes: CellChanges, kept: Kept = ALL_KEPT): EncodedReadModels {
    const all = [...changes.cells()];
    const cells = same_kept(kept, ALL_KEPT)
      ? all
      : all.filter(({ grain, bucket_us }) => is_kept(kept, grain, bucket_us));
    return { cells: this.#cells.encode(cells, kept), sketches: this.#sketches?.encode(cells) ?? null };
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

/*
 * What removes cells and sketches of fine grains that are not kept any more. First the head says from when on they are: whoever appends or reads takes
 * it from there, in the transaction in which it does, so that nobody writes or reads what lies before. Then that is removed, in pieces of which
 * each is a transaction: ended at any moment, what is left is removed the next time.
 */

/** Rows of one piece: some ten milliseconds. */
const PIECE_ROWS = 2_000;

/** What a removal works on. */
export interface RemovalSource {
  readonly database: Database;
  readonly domain: Domain;
  readonly days: Days;
}

/**
 * Moves on from when on cells are kept, as far as event time has come; by a wrong clock no further than this one.
 * @returns what is kept by then
 */
export async function advance_kept(
  { database, days }: Pick<RemovalSource, "database" | "days">,
  ages: KeptDays,
  now_us: number,
): Promise<Kept> {
  const { watermark_us, kept } = await read_head(database);
  if (watermark_us === null) return kept;
  const wanted = kept_at(ages, Math.min(watermark_us, now_us), days);
  if (PASSING_GRAINS.every((grain) => kept_from(wanted, grain) <= kept_from(kept, grain))) return kept;
  await database.execute(
    `update log_head set kept_1m_from = greatest(kept_1m_from, $1::timestamptz), kept_5m_from = greatest(kept_5m_from, $2::timestamptz)`,
    kept_values(wanted),
  );
  return (await read_head(database)).kept;
}

/** What may be removed: cells or sketches of a grain and a dimension, or published windows. */
interface Removable {
  readonly grain: PassingGrain;
  /** Null: windows. */
  readonly table: string | null;
  readonly dimension: string;
}

function removable({ tables, dimensions }: Pick<Domain, "tables" | "dimensions">, kept: Kept): Removable[] {
  return PASSING_GRAINS.filter((grain) => kept[grain] !== undefined).flatMap((grain) => [
    ...dimensions.flatMap(({ name: dimension, grains, sketches = [] }) => [
      ...grains.includes(grain) ? [{ grain, table: tables.cells, dimension }] : [],
      ...sketches.includes(grain) && tables.sketches !== null ? [{ grain, table: tables.sketches, dimension }] : [],
    ]),
    ...grain === "5m" ? [{ grain, table: null, dimension: "" }] : [],
  ]);
}

/** One process removes cells of a log at a time. */
const LOCKED =
  `pg_try_advisory_xact_lock(${ADVISORY_LOCKS.remove}, hashtext(coalesce(current_schema(), current_setting('search_path'))))`;

/**
 * Removes what is not kept, piece by piece: each is removed when the next is asked for, and the last when there is no next one.
 * @returns rows that were removed, by piece; ends early where another process is at it
 */
export async function* remove_unkept(
  { database, domain }: RemovalSource,
  kept: Kept,
  piece_rows = PIECE_ROWS,
): AsyncGenerator<{ readonly removed: number }> {
  for (const { grain, table, dimension } of removable(domain, kept)) {
    for (let since = "-infinity";;) {
      const piece = await database.transaction(async (tx) => {
        const [lock] = await tx.query<{ taken: boolean }>(`select ${LOCKED} as taken`);
        if (lock?.taken !== true) return null;
        const [row] = await (table === null
          ? tx.query("select removed, up_to::text from remove_unkept_windows($1::timestamptz, $2)", [since, piece_rows])
          : tx.query("select removed, up_to::text from remove_unkept($1, $2, $3, $4::timestamptz, $5)", [
            ...[table, grain, dimension, since],
            piece_rows,
          ]));
        return { removed: Number(row?.removed), up_to: row?.up_to as string | null };
      });
      if (piece === null) return;
      yield { removed: piece.removed };
      if (piece.removed < piece_rows || piece.up_to === null) break;
      // What is removed is still passed over for a while: the next piece begins where this one ended.
      since = piece.up_to;
    }
  }
}
