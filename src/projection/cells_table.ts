import { binary_array, type Statement, type Transaction, unnested, type Value } from "../database/mod.ts";
import { type Domain, type Lacks, lacks_something, NOTHING } from "../domains/mod.ts";
import {
  ALL_KEPT,
  bucket_end,
  type ChangedCell,
  column_measures,
  date_column,
  type Days,
  type Grain,
  is_dated,
  is_extreme,
  is_kept,
  is_least,
  keeps,
  type Kept,
  UNKNOWN,
} from "../kpi/mod.ts";
import {
  cells_key,
  columns_of,
  date_sql,
  DIMENSION,
  key_columns,
  type KeyColumn,
  type MeasureColumn,
  type PlacedMeasure,
  same_key,
  side_dates,
  side_values,
} from "./cell_columns.ts";

/** The end of a bucket that never ends, in microseconds: after all times, which end with 2254, and a number without loss. */
const NEVER_US = Date.UTC(2255, 5) * 1000;

/** What each row is given last. */
const LAST_POSITION = { name: "last_position", type: "bigint" };

/** Rows written out; the positions that changed them last are filled in. */
interface EncodedRows {
  readonly columns: readonly Value[];
  readonly ordinals: readonly number[];
}

/**
 * Writes what changed in the rows of one table. Changes that only raise are upserted. Changes that lower a measure go to rows that must exist, by
 * UPDATE: the proposed row of an upsert has to pass the table's checks even where the conflict wins, and a negative difference would not. So the
 * check `>= 0` stays, and a row that would go below zero is refused by the database.
 */
class ChangedRows {
  readonly #table: string;
  readonly #key: readonly KeyColumn[];
  readonly #columns: readonly MeasureColumn[];
  readonly #raise: Statement;
  readonly #lower: Statement;

  /**
   * @param since whether rows have a position from which on they could be seen
   * @param named what tells its statements from others on the same table
   */
  constructor(
    table: string,
    key: readonly KeyColumn[],
    measures: readonly PlacedMeasure[],
    since: boolean,
    named: string,
  ) {
    this.#table = table;
    this.#key = key;
    const columns = this.#columns = measures.flatMap(columns_of);
    const given = [...key, ...columns, LAST_POSITION], names = given.map(({ name }) => name).join(", ");
    const from = unnested(given.map(({ name }) => name), given.map(({ type }) => type));
    const merged = (other: (name: string) => string) =>
      columns.map((column) => `${column.name} = ${column.merged(other)}`).join(", ");
    const values = new Map(columns.map(({ name, type, nothing }) => {
      const own = `u.${name}${type === "text" ? ' collate "C"' : ""}`;
      return [name, nothing === null ? own : `coalesce(${own}, ${nothing})`];
    }));
    this.#raise = {
      name: `raise_${table}${named}`,
      text: `insert into ${table} as c (${names}${since ? ", first_position" : ""})
        select ${[...key.map(({ name }) => `u.${name}`), ...values.values()].join(", ")}, u.last_position${
        since ? ", u.last_position" : ""
      }
        from ${from} u
        on conflict (${key.map(({ name }) => name).join(", ")})
        do update set ${merged((name) => `excluded.${name}`)}, last_position = excluded.last_position`,
    };
    this.#lower = {
      name: `lower_${table}${named}`,
      text: `update ${table} c set ${merged((name) => values.get(name)!)}, last_position = u.last_position
        from ${from} u
        where ${same_key("c", key)}`,
    };
  }

  /** Writes rows out, all but the positions: so that the transaction need not wait for it. */
  encode(cells: readonly ChangedCell[]): { readonly raised: EncodedRows; readonly lowered: EncodedRows } {
    const lowered = cells.filter(({ change }) => change.lowers());
    const raised = lowered.length === 0 ? cells : cells.filter(({ change }) => !change.lowers());
    return { raised: this.#rows(raised), lowered: this.#rows(lowered) };
  }

  #rows(cells: readonly ChangedCell[]): EncodedRows {
    const changes = cells.map(({ change }) => change);
    return {
      ordinals: changes.map(({ last_ordinal }) => last_ordinal),
      columns: [
        ...this.#key.map(({ array }) => array(cells)),
        ...this.#columns.map(({ array }) => array(changes)),
      ],
    };
  }

  async write(
    tx: Transaction,
    { raised, lowered }: ReturnType<ChangedRows["encode"]>,
    before_first: number,
  ): Promise<void> {
    const values = ({ columns, ordinals }: EncodedRows) => [
      ...columns,
      binary_array("bigint", ordinals.map((ordinal) => before_first + ordinal)),
    ];
    if (raised.ordinals.length > 0) await tx.execute(this.#raise, values(raised));
    const expected = lowered.ordinals.length;
    if (expected === 0) return;
    const updated = await tx.execute(this.#lower, values(lowered));
    if (updated !== expected) {
      throw new Error(`write ${this.#table}: expected to lower ${expected} rows, found ${updated} of them`);
    }
  }
}

/** What a batch changed in cells and totals, written out. */
export interface EncodedCells {
  readonly cells: ReturnType<ChangedRows["encode"]>;
  readonly totals: ReturnType<ChangedRows["encode"]> | null;
  /** Recomputations of extremes, in the order they have to run. */
  readonly bared: readonly { readonly statement: Statement; readonly values: readonly Value[] }[];
}

type Shape = Pick<Domain, "tables" | "measures" | "dimensions" | "extremes" | "by_currency">;

/**
 * The cells of a domain, as a live read model: SQL generated once from the domain's list of measures. Dimensions of very many keys have totals in
 * a table of their own: a batch changes thousands of those, so that the width of rows and keys is what an event costs.
 */
export class CellsTable {
  readonly #shape: Shape;
  readonly #days: Days;
  readonly #lacks: Lacks;
  /** Statements of tables that lack something are other ones than when they do no more, on the same connections. */
  readonly #named: string;
  /** What a cell is named by within its dimension and bucket. */
  readonly #key: readonly KeyColumn[];
  readonly #totalled: ReadonlySet<string>;
  readonly #cells: ChangedRows;
  readonly #totals: ChangedRows | null;

  /** @param lacks measures and totals that are not written */
  constructor(domain: Shape, days: Days, lacks: Lacks = NOTHING) {
    this.#shape = domain;
    this.#days = days;
    this.#lacks = lacks;
    const named = this.#named = lacks_something(lacks) ? "_lacking" : "";
    const { tables: { cells, totals }, measures: all, dimensions } = domain;
    const measures = column_measures(all).map((measure, m) => ({ measure, m }));
    const totalled = dimensions.filter((dimension) => dimension.totals !== undefined);
    const kept = measures.filter(({ measure }) => totalled.some((dimension) => keeps(dimension, measure)));
    if (
      totalled.some((dimension) => dimension.grains.join() !== "all" || dimension.totals!.length !== kept.length) ||
      kept.some(({ measure }) => is_extreme(measure.kind)) || (totals === null) !== (totalled.length === 0)
    ) {
      throw new Error(
        `write ${cells}: expected a table for the dimensions that keep totals, and of those grain all and the same measures, no extremes`,
      );
    }
    this.#totalled = new Set(totalled.map(({ name }) => name));
    this.#key = key_columns(domain);
    const written = ({ measure: { name } }: PlacedMeasure) => !lacks.measures.has(name);
    this.#cells = new ChangedRows(cells, cells_key(domain), measures.filter(written), true, named);
    this.#totals = totals === null || lacks.totals
      ? null
      : new ChangedRows(totals, [DIMENSION, ...this.#key], kept.filter(written), false, named);
  }

  /**
   * Writes out what a batch changed, all but the positions: so that the transaction need not wait for it.
   * @param kept the changed cells are among these
   */
  encode(changed: readonly ChangedCell[], kept: Kept = ALL_KEPT): EncodedCells {
    const cells: ChangedCell[] = [], totals: ChangedCell[] = [];
    for (const cell of changed) (this.#totalled.has(cell.dimension) ? totals : cells).push(cell);
    return {
      cells: this.#cells.encode(cells),
      totals: this.#totals?.encode(totals) ?? null,
      bared: this.#recomputations(cells.filter(({ change }) => change.removed !== null), kept),
    };
  }

  /**
   * Writes what was encoded, inside the batch's transaction, after the stream states.
   * @param before_first the position before the batch's first event
   */
  async write(tx: Transaction, { cells, totals, bared }: EncodedCells, before_first: number): Promise<void> {
    await this.#cells.write(tx, cells, before_first);
    if (totals !== null) await this.#totals?.write(tx, totals, before_first);
    for (const recomputation of bared) await tx.execute(recomputation.statement, recomputation.values);
  }

  /**
   * An extreme that was taken back cannot be subtracted. Where a removed value may have held the extreme, the finest
   * grain is recomputed from the states (by the index on their time), every coarser one from the next finer that it is a union of; from the
   * states, too, where that is not kept.
   */
  #recomputations(cells: readonly ChangedCell[], kept: Kept): EncodedCells["bared"] {
    const recomputations: { statement: Statement; values: Value[] }[] = [];
    if (this.#extreme_measures().length === 0) return recomputations;
    const by_dimension = Map.groupBy(cells, ({ dimension }) => dimension);
    for (const { name, grains, column } of this.#shape.dimensions) {
      const of_dimension = by_dimension.get(name);
      if (of_dimension === undefined) continue;
      for (const [g, grain] of grains.entries()) {
        const of_grain = of_dimension.filter((cell) => cell.grain === grain);
        if (of_grain.length === 0) continue;
        const finer = g === 0 ? null : this.#on_hours(of_grain) ? grains[g - 1]! : grains[0]!;
        const source_of = ({ bucket_us }: ChangedCell) =>
          finer !== null && is_kept(kept, finer, bucket_us) ? finer : null;
        for (const [source, own] of Map.groupBy(of_grain, source_of)) {
          const statement = this.#recompute(name, column, grain, source);
          recomputations.push({ statement, values: this.#removed_values(own) });
        }
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
    return this.#shape.measures.flatMap((measure, m) =>
      "column" in measure && !this.#lacks.measures.has(measure.name) ? [{ ...measure, m }] : []
    );
  }

  #removed_values(cells: readonly ChangedCell[]): Value[] {
    const changes = cells.map(({ change }) => change);
    return [
      binary_array("timestamptz", cells.map(({ bucket_us }) => bucket_us)),
      binary_array(
        "timestamptz",
        cells.map(({ grain, bucket_us }) => Math.min(bucket_end(grain, bucket_us, this.#days), NEVER_US)),
      ),
      ...this.#key.map(({ array }) => array(cells)),
      ...this.#extreme_measures().flatMap(({ kind, m }) => {
        const values = side_values(changes, "removed", m);
        return is_dated(kind) ? [values, side_dates(changes, "removed", m)] : [values];
      }),
    ];
  }

  #recompute(dimension: string, column: string | null, grain: Grain, finer: Grain | null): Statement {
    const { tables: { states, cells }, extremes, by_currency } = this.#shape;
    if (extremes === null) {
      throw new Error(`recompute ${cells}: the domain keeps extremes and does not say where they come from`);
    }
    const keys = this.#key.map(({ name }) => name);
    const same_key = (a: string, b: string) => keys.map((key) => `${a}.${key} = ${b}.${key}`).join(" and ");
    const own_key = [
      ...column === null ? [] : [`coalesce(s.${column}, '${UNKNOWN}') = held.key`],
      ...by_currency === undefined ? [] : ["s.currency = held.currency"],
    ];
    const measures = this.#extreme_measures().map((measure) => {
      const { name, kind, column } = measure, date = date_column(measure), dated = is_dated(kind);
      const [merge, order, beats] = is_least(kind) ? ["min", "", "<="] : ["max", " desc", ">="];
      // Of several of one date the extreme in value, as when cells are merged.
      const best = (value: string, at: string) =>
        `(array_agg(${value} order by ${at}${order}, ${value}${order}) filter (where ${value} is not null))[1]`;
      const of = (value: string, at: string) =>
        dated
          ? [`${best(value, at)} as ${name}`, `${merge}(${at}) filter (where ${value} is not null) as ${date}`]
          : [`${merge}(${value}) as ${name}`];
      return {
        given: dated ? [[name, "bigint"], [date, "text"]] as const : [[name, "bigint"]] as const,
        of_states: of(`s.${column}`, date_sql(`s.${extremes.at_column}`, `s.${extremes.by_column}`)),
        of_cells: of(`f.${name}`, `f.${date}`),
        may_hold: dated
          ? `(u.${date} collate "C", u.${name}) ${beats} (h.${date}, h.${name})`
          : `u.${name} ${beats} h.${name}`,
      };
    });
    const given = measures.flatMap(({ given }) => given), names = given.map(([name]) => name);
    const since = grain === "all" ? "'-infinity'" : "held.bucket";
    const fresh = finer === null
      ? `select ${measures.flatMap(({ of_states }) => of_states).join(", ")} from ${states} s
        where s.${extremes.at_column} >= ${since} and s.${extremes.at_column} < held.until
        and ${[extremes.condition, ...own_key].join(" and ")}`
      : `select ${measures.flatMap(({ of_cells }) => of_cells).join(", ")} from ${cells} f
        where f.grain = '${finer}' and f.dimension = '${dimension}' and ${same_key("f", "held")}
        and f.bucket >= ${since} and f.bucket < held.until`;
    const types = [
      "timestamptz",
      "timestamptz",
      ...this.#key.map(({ type }) => type),
      ...given.map(([, type]) => type),
    ];
    return {
      name: `recompute_${cells}_${dimension}_${grain}_of_${finer ?? states}${this.#named}`,
      // Cells whose extreme may be gone are found first, and only those are recomputed: the fence keeps the planner to that order.
      text: `with held as materialized (
          select h.bucket, ${keys.map((key) => `h.${key}`).join(", ")}, u.until
          from ${unnested(["bucket", "until", ...keys, ...names], types)} u
          join ${cells} h on h.grain = '${grain}' and h.dimension = '${dimension}' and h.bucket = u.bucket and ${
        same_key("h", "u")
      }
          where ${measures.map(({ may_hold }) => may_hold).join(" or ")}
        )
        update ${cells} c set ${names.map((name) => `${name} = fresh.${name}`).join(", ")}
        from held cross join lateral (${fresh}) fresh
        where c.grain = '${grain}' and c.dimension = '${dimension}' and c.bucket = held.bucket and ${
        same_key("c", "held")
      }`,
    };
  }
}
