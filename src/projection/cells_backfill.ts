import type { Backfill } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import { column_measures, keeps } from "../kpi/mod.ts";
import { AT } from "./bucket_time.ts";

/** Work on cells that were there before their table changed. */

/** Cells of one piece: a second or so under the head's lock. */
const PIECE_CELLS = 20_000;

/**
 * Works on cells from before a change of their table, in pieces along the primary key.
 * Nobody may have appended since the change: programs that know it wait until all is done, those that do not are refused.
 * Its checkpoint is the last cell of the pieces so far: `[grain, dimension, seconds of the bucket, key]`, of cells by currency with that after the dimension.
 * @param change the statement that changes those of a piece, which a condition holds for
 * @param among which cells are looked at; a range of the primary key is best
 */
function cells_backfill(
  { tables: { cells }, by_currency }: Pick<Domain, "tables" | "by_currency">,
  change: (piece: string) => string,
  { among = "true", piece_cells = PIECE_CELLS }: { readonly among?: string; readonly piece_cells?: number },
): Backfill {
  const columns = ["grain", "dimension", ...by_currency === undefined ? [] : ["currency"], "bucket", "key"];
  const names = columns.join(", ");
  const place = (from: number) =>
    `(${columns.map((name, i) => name === "bucket" ? AT(`$${from + i}::bigint`) : `$${from + i}::text`).join(", ")})`;
  const after = `(${names}) > ${place(1)} and ${among}`;
  // Before all cells: no grain is empty.
  const begun = (checkpoint: unknown) =>
    (checkpoint ?? columns.map((name) => name === "bucket" ? 0 : "")) as readonly (string | number)[];
  return {
    async left(tx, checkpoint) {
      const [row] = await tx.query(`select count(*) as cells from ${cells} where ${after}`, begun(checkpoint));
      return Number(row?.cells);
    },
    async piece(tx, checkpoint) {
      const from = begun(checkpoint);
      const [last] = await tx.query(
        `with piece as (
          select ${names} from ${cells} where ${after} order by ${names} limit ${piece_cells}
        ) select ${names}, extract(epoch from bucket)::bigint as bucket_s, (select count(*) from piece) as cells
          from piece order by ${columns.map((name) => `piece.${name} desc`).join(", ")} limit 1`,
        from,
      );
      if (last === undefined) return { checkpoint: null, items: 0 };
      const to = columns.map((name) => name === "bucket" ? Number(last.bucket_s) : String(last[name]));
      await tx.execute(change(`${after} and (${names}) <= ${place(columns.length + 1)}`), [...from, ...to]);
      const items = Number(last.cells);
      return { checkpoint: items < piece_cells ? null : to, items };
    },
  };
}

/** Fills in a measure that is newer than a cells table, where in all cells from before it equals another one. */
export const equal_measure_backfill = (
  domain: Pick<Domain, "tables" | "by_currency">,
  measure: string,
  equal_to: string,
  piece_cells?: number,
): Backfill =>
  cells_backfill(
    domain,
    (piece) => `update ${domain.tables.cells} set ${measure} = ${equal_to} where ${piece} and ${equal_to} <> 0`,
    piece_cells === undefined ? {} : { piece_cells },
  );

/**
 * Moves totals that are kept as cells, as they all were once, into the table of totals.
 * @param position SQL: which event changed one of these cells last; 0 where that is not known, since it may be one that totals do not count
 */
export function totals_backfill(
  domain: Pick<Domain, "tables" | "dimensions" | "measures" | "by_currency">,
  position: "last_position" | "0",
  piece_cells = PIECE_CELLS,
): Backfill {
  const { tables: { cells, totals }, dimensions, measures, by_currency } = domain;
  const some = dimensions.filter((dimension) => dimension.totals !== undefined);
  const kept = column_measures(measures).filter((measure) => some.some((dimension) => keeps(dimension, measure)));
  const currency = by_currency === undefined ? [] : ["currency"];
  const names = ["dimension", ...currency, "key", ...kept.map(({ name }) => name)].join(", ");
  return cells_backfill(
    domain,
    (piece) =>
      `with moved as (delete from ${cells} where ${piece} returning *)
      insert into ${totals} (${names}, last_position) select ${names}, ${position} from moved`,
    { among: `grain = 'all' and dimension in (${some.map(({ name }) => `'${name}'`).join(", ")})`, piece_cells },
  );
}
