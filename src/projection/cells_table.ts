import {
  type Backfill,
  plain_array,
  type Statement,
  text_array,
  type Transaction,
  type Value,
} from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import {
  bucket_end,
  type ChangedCell,
  type Days,
  type Grain,
  is_extreme,
  keeps,
  type Measure,
  UNKNOWN,
} from "../kpi/mod.ts";
import { AT } from "./bucket_time.ts";

/** The end of a bucket that never ends, in seconds: the year 2300. */
const NEVER_S = 10_413_792_000;

/** The measures that some dimensions keep, by their place among all, and the statements for their cells. */
interface Kept {
  readonly measures: readonly { readonly measure: Measure; readonly m: number }[];
  readonly raise: Statement;
  readonly lower: Statement;
}

/** Cells that keep the same measures, written out; the positions that changed them last are filled in. */
interface EncodedRows {
  readonly kept: Kept;
  readonly columns: readonly Value[];
  readonly ordinals: readonly number[];
}

/** What a batch changed in the cells, written out. */
export interface EncodedCells {
  readonly raised: readonly EncodedRows[];
  readonly lowered: readonly EncodedRows[];
  /** Recomputations of extremes, in the order they have to run. */
  readonly bared: readonly { readonly statement: Statement; readonly values: readonly Value[] }[];
}

type Shape = Pick<Domain, "tables" | "measures" | "dimensions" | "extremes">;

/**
 * The cells table of a domain, as a live read model: SQL generated once from the domain's list of measures. Dimensions that keep fewer
 * measures have statements of their own; what they do not keep is null, so that it costs neither bytes nor time.
 *
 * Changes that only raise are upserted. Changes that lower a measure go to cells that must exist, by UPDATE: the proposed row of
 * an upsert has to pass the table's checks even where the conflict wins, and a negative difference would not. So the check
 * `>= 0` stays, and a cell that would go below zero is refused by the database.
 */
export class CellsTable {
  readonly #shape: Shape;
  readonly #days: Days;
  readonly #kept_by: ReadonlyMap<string, Kept>;

  constructor(domain: Shape, days: Days) {
    this.#shape = domain;
    this.#days = days;
    const by_names = new Map<string, Kept>();
    this.#kept_by = new Map(domain.dimensions.map((dimension) => {
      const measures = domain.measures.map((measure, m) => ({ measure, m })).filter(({ measure }) =>
        keeps(dimension, measure)
      );
      const names = measures.map(({ measure }) => measure.name).join();
      if (!by_names.has(names)) by_names.set(names, this.#statements(measures, by_names.size));
      return [dimension.name, by_names.get(names)!];
    }));
  }

  #statements(measures: Kept["measures"], nth: number): Kept {
    const { tables: { cells }, measures: all } = this.#shape;
    const kept = measures.map(({ measure }) => measure);
    const types = kept.map(({ kind }) => kind === "sum" ? "numeric" : "bigint");
    const parameters = ["text", "bigint", "text", "text", ...types, "bigint"].map((type, i) => `$${i + 1}::${type}[]`);
    const from = `unnest(${parameters.join(", ")}) as u(grain, bucket_s, dimension, key, ${
      kept.map(({ name }) => name).join(", ")
    }, last_position)`;
    const merged = (value_of: (measure: Measure) => string) =>
      kept.map((measure) => {
        const { name, kind } = measure, value = value_of(measure);
        if (kind === "min") return `${name} = least(c.${name}, ${value})`;
        return kind === "max" ? `${name} = greatest(c.${name}, ${value})` : `${name} = c.${name} + ${value}`;
      }).join(", ");
    // A measure that is zero in all cells is given as no array at all: most batches have several, and each costs writing and reading a column.
    const given = ({ name, kind }: Measure) => is_extreme(kind) ? `u.${name}` : `coalesce(u.${name}, 0)`;
    const named = nth === 0 ? cells : `${cells}_${nth}`;
    return {
      measures,
      raise: {
        name: `raise_${named}`,
        text: `insert into ${cells} as c (grain, bucket, dimension, key, ${
          all.map(({ name }) => name).join(", ")
        }, last_position, first_position)
        select u.grain, ${AT("u.bucket_s")}, u.dimension, u.key, ${
          all.map((measure) => kept.includes(measure) ? given(measure) : "null").join(", ")
        }, u.last_position, u.last_position
        from ${from}
        on conflict (grain, dimension, bucket, key)
        do update set ${merged(({ name }) => `excluded.${name}`)}, last_position = excluded.last_position`,
      },
      lower: {
        name: `lower_${named}`,
        text: `update ${cells} c set ${merged(given)}, last_position = u.last_position
        from ${from}
        where c.grain = u.grain and c.bucket = ${AT("u.bucket_s")} and c.dimension = u.dimension and c.key = u.key`,
      },
    };
  }

  /** Writes out what a batch changed, all but the positions: so that the transaction need not wait for it. */
  encode(cells: readonly ChangedCell[]): EncodedCells {
    const raised: ChangedCell[] = [], lowered: ChangedCell[] = [], bared: ChangedCell[] = [];
    for (const cell of cells) {
      (cell.change.lowers() ? lowered : raised).push(cell);
      if (cell.change.removed !== null) bared.push(cell);
    }
    return { raised: this.#rows(raised), lowered: this.#rows(lowered), bared: this.#recomputations(bared) };
  }

  /**
   * Writes encoded cells, inside the batch's transaction, after the stream states.
   * @param before_first the position before the batch's first event
   */
  async write(tx: Transaction, { raised, lowered, bared }: EncodedCells, before_first: number): Promise<void> {
    const values = ({ columns, ordinals }: EncodedRows) => [
      ...columns,
      plain_array(ordinals.map((ordinal) => before_first + ordinal)),
    ];
    for (const rows of raised) await tx.execute(rows.kept.raise, values(rows));
    for (const rows of lowered) {
      const expected = rows.ordinals.length, updated = await tx.execute(rows.kept.lower, values(rows));
      if (updated !== expected) {
        throw new Error(
          `write ${this.#shape.tables.cells}: expected to lower ${expected} cells, found ${updated} of them`,
        );
      }
    }
    for (const recomputation of bared) await tx.execute(recomputation.statement, recomputation.values);
  }

  #rows(cells: readonly ChangedCell[]): EncodedRows[] {
    const by_kept = Map.groupBy(cells, ({ dimension }) => this.#kept_by.get(dimension)!);
    return [...by_kept].map(([kept, alike]) => ({
      kept,
      ordinals: alike.map(({ change }) => change.last_ordinal),
      columns: [
        plain_array(alike.map(({ grain }) => grain)),
        plain_array(alike.map(({ bucket_us }) => bucket_us / 1e6)),
        plain_array(alike.map(({ dimension }) => dimension)),
        text_array(alike.map(({ key }) => key)),
        ...kept.measures.map(({ measure: { kind }, m }) => {
          if (is_extreme(kind)) return plain_array(alike.map(({ change }) => change.added?.[m] ?? null));
          const sums = alike.map(({ change }) => change.sum(m));
          return sums.every((sum) => Number(sum) === 0) ? null : plain_array(sums);
        }),
      ],
    }));
  }

  /**
   * A minimum or maximum that was taken back cannot be subtracted. Where a removed value may have held the extreme, the finest
   * grain is recomputed from the states (by the index on their time), every coarser one from the next finer that it is a union of.
   */
  #recomputations(cells: readonly ChangedCell[]): EncodedCells["bared"] {
    const recomputations: { statement: Statement; values: Value[] }[] = [];
    const by_dimension = Map.groupBy(cells, ({ dimension }) => dimension);
    for (const { name, grains, column } of this.#shape.dimensions) {
      const of_dimension = by_dimension.get(name);
      if (of_dimension === undefined) continue;
      for (const [g, grain] of grains.entries()) {
        const of_grain = of_dimension.filter((cell) => cell.grain === grain);
        if (of_grain.length === 0) continue;
        const finer = g === 0 ? null : this.#on_hours(of_grain) ? grains[g - 1]! : grains[0]!;
        const statement = this.#recompute(name, column, grain, finer);
        recomputations.push({ statement, values: this.#removed_values(of_grain) });
      }
    }
    return recomputations;
  }

  /** Whether all begin and end with an hour: days of some zones do not, and are no union of hours. */
  #on_hours(cells: readonly ChangedCell[]): boolean {
    const on_hour = (us: number) => us === Infinity || us % 3_600e6 === 0;
    return cells.every(({ grain, bucket_us }) =>
      grain !== "1d" || (on_hour(bucket_us) && on_hour(bucket_end(grain, bucket_us, this.#days)))
    );
  }

  #extreme_measures() {
    return this.#shape.measures.flatMap((measure, m) => "column" in measure ? [{ ...measure, m }] : []);
  }

  #removed_values(cells: readonly ChangedCell[]): Value[] {
    return [
      plain_array(cells.map(({ bucket_us }) => bucket_us / 1e6)),
      plain_array(cells.map(({ grain, bucket_us }) => {
        const end_us = bucket_end(grain, bucket_us, this.#days);
        return end_us === Infinity ? NEVER_S : end_us / 1e6;
      })),
      text_array(cells.map(({ key }) => key)),
      ...this.#extreme_measures().map(({ m }) => plain_array(cells.map(({ change }) => change.removed![m]!))),
    ];
  }

  #recompute(dimension: string, column: string | null, grain: Grain, finer: Grain | null): Statement {
    const { tables: { states, cells }, extremes } = this.#shape;
    if (extremes === null) {
      throw new Error(`recompute ${cells}: the domain keeps extremes and does not say where they come from`);
    }
    const measures = this.#extreme_measures();
    const names = measures.map(({ name }) => name);
    const fresh = finer === null
      ? `select ${
        measures.map(({ kind, column, name }) => `${kind}(s.${column}) as ${name}`).join(", ")
      } from ${states} s
        where s.${extremes.at_column} >= held.bucket and s.${extremes.at_column} < held.until
        and ${extremes.condition}${column === null ? "" : ` and coalesce(s.${column}, '${UNKNOWN}') = held.key`}`
      : `select ${measures.map(({ kind, name }) => `${kind}(f.${name}) as ${name}`).join(", ")} from ${cells} f
        where f.grain = '${finer}' and f.dimension = '${dimension}' and f.key = held.key
        and f.bucket >= ${grain === "all" ? "'-infinity'" : "held.bucket"} and f.bucket < held.until`;
    const may_hold = measures.map(({ name, kind }) => `u.${name} ${kind === "min" ? "<=" : ">="} h.${name}`);
    return {
      name: `recompute_${cells}_${dimension}_${grain}_of_${finer ?? states}`,
      // Cells whose extreme may be gone are found first, and only those are recomputed: the fence keeps the planner to that order.
      text: `with held as materialized (
          select h.bucket, h.key, ${AT("u.to_s")} as until
          from unnest($1::bigint[], $2::bigint[], $3::text[], ${names.map((_, i) => `$${i + 4}::bigint[]`).join(", ")})
            as u(from_s, to_s, key, ${names.join(", ")})
          join ${cells} h on h.grain = '${grain}' and h.dimension = '${dimension}' and h.bucket = ${
        AT("u.from_s")
      } and h.key = u.key
          where ${may_hold.join(" or ")}
        )
        update ${cells} c set ${names.map((name) => `${name} = fresh.${name}`).join(", ")}
        from held cross join lateral (${fresh}) fresh
        where c.grain = '${grain}' and c.dimension = '${dimension}' and c.bucket = held.bucket and c.key = held.key`,
    };
  }
}

/** Cells of one piece: a second or so under the head's lock. */
const PIECE_CELLS = 20_000;

/**
 * Works on cells from before a change of their table, in pieces along the primary key: sets `set` in those that `where` holds for.
 * Nobody may have appended since the change: programs that know it wait until all is done, those that do not are refused.
 * Its checkpoint is the last cell of the pieces so far: `[grain, dimension, seconds of the bucket, key]`.
 * @param among which cells are looked at; a range of the primary key is best
 */
function cells_backfill(
  cells: string,
  { set, where = "true", among = "true" }: { readonly set: string; readonly where?: string; readonly among?: string },
  piece_cells: number,
): Backfill {
  const place = (from: number) =>
    `($${from}::text, $${from + 1}::text, ${AT(`$${from + 2}::bigint`)}, $${from + 3}::text)`;
  const after = `(grain, dimension, bucket, key) > ${place(1)} and ${among}`;
  // Before all cells: no grain is empty.
  const begun = (checkpoint: unknown) => (checkpoint ?? ["", "", 0, ""]) as readonly (string | number)[];
  return {
    async left(tx, checkpoint) {
      const [row] = await tx.query(`select count(*) as cells from ${cells} where ${after}`, begun(checkpoint));
      return Number(row?.cells);
    },
    async piece(tx, checkpoint) {
      const from = begun(checkpoint);
      const [last] = await tx.query(
        `with piece as (
          select grain, dimension, bucket, key from ${cells} where ${after} order by grain, dimension, bucket, key limit ${piece_cells}
        ) select grain, dimension, extract(epoch from bucket)::bigint as bucket_s, key, (select count(*) from piece) as cells
          from piece order by piece.grain desc, piece.dimension desc, piece.bucket desc, piece.key desc limit 1`,
        from,
      );
      if (last === undefined) return { checkpoint: null, items: 0 };
      const to = [String(last.grain), String(last.dimension), Number(last.bucket_s), String(last.key)];
      await tx.execute(
        `update ${cells} set ${set} where ${after} and (grain, dimension, bucket, key) <= ${place(5)} and ${where}`,
        [...from, ...to],
      );
      const items = Number(last.cells);
      return { checkpoint: items < piece_cells ? null : to, items };
    },
  };
}

/** Fills in a measure that is newer than a cells table, where in all cells from before it equals another one. */
export const equal_measure_backfill = (
  cells: string,
  measure: string,
  equal_to: string,
  piece_cells = PIECE_CELLS,
): Backfill => cells_backfill(cells, { set: `${measure} = ${equal_to}`, where: `${equal_to} <> 0` }, piece_cells);

/**
 * Makes the all-time cells of dimensions that kept all measures once keep those that they keep. Which event changed one of these last is not
 * known then (`last_position` 0): it may have been one that no longer touches it.
 */
export function kept_measures_backfill(
  { tables: { cells }, dimensions, measures }: Pick<Domain, "tables" | "dimensions" | "measures">,
  piece_cells = PIECE_CELLS,
): Backfill {
  const some = dimensions.filter((dimension) => dimension.measures !== undefined);
  const unkept = measures.filter((measure) => !some.some((dimension) => keeps(dimension, measure)));
  return cells_backfill(cells, {
    set: [...unkept.map(({ name }) => `${name} = null`), "last_position = 0"].join(", "),
    among: `grain = 'all' and dimension in (${some.map(({ name }) => `'${name}'`).join(", ")})`,
  }, piece_cells);
}
