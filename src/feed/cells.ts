import { type Queryable, text_array } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import type { Series } from "./board.ts";
import { type BucketRow, series_of } from "./board_figures.ts";
import type { DomainBoard } from "./domain_board.ts";
import type { Totals } from "./figure.ts";
import type { Condition } from "./filter.ts";
import { integer, sum_columns, totals_of } from "./measures.ts";
import type { ChangedBuckets } from "./revision.ts";
import type { Tile } from "./tiles.ts";
import type { Window } from "./view.ts";

/** Reads series and cards from the cells of one dimension: of one key, of several added up, or of all others. */

/** A window's figures as cells have them. */
export interface CellFigures {
  /** The board's columns, in the order of `t`. */
  readonly series: Series;
  /** For each bucket the position that changed it last. */
  readonly changed_at: readonly number[];
  readonly totals: Totals;
}

/** The cells of a condition, as SQL; the values it needs are its dimension and its keys. */
const matching = ({ excluded }: Condition, dimension: string, keys: string): string =>
  `dimension = ${dimension} and ${excluded ? `key <> all(${keys}::text[])` : `key = any(${keys}::text[])`}`;

/** Reads the buckets of a window and their totals: one statement, a range of the cells' primary key. */
export async function read_cell_figures(
  queryable: Queryable,
  board: DomainBoard,
  condition: Condition,
  window: Window,
): Promise<CellFigures> {
  const rows = await queryable.query<BucketRow>({
    name: `feed_series_${board.tables.cells}${condition.excluded ? "_excluded" : ""}`,
    text: `select floor(extract(epoch from bucket))::bigint as t, max(last_position) as changed_at, ${
      sum_columns(board)
    }
           from ${board.tables.cells} cells
           where grain = $1 and ${matching(condition, "$2", "$3")}
             and bucket >= to_timestamp($4::double precision) and bucket < to_timestamp($5::double precision)
           group by grouping sets ((bucket), ()) order by bucket nulls first`,
  }, [window.grain, condition.dimension, text_array(condition.keys), window.from_s, window.to_s]);
  const [total, ...buckets] = rows;
  if (total === undefined) throw new Error(`read series of ${board.tables.cells}: expected a row of totals, got none`);
  return {
    series: series_of(board, buckets),
    changed_at: buckets.map((row) => integer(row.changed_at)),
    totals: totals_of(board, total),
  };
}

/** Reads which position changed each bucket of the whole last, and since when it has anything. */
export async function read_changed_buckets(
  queryable: Queryable,
  board: DomainBoard,
  { grain, from_s, to_s }: Window,
): Promise<ChangedBuckets> {
  const rows = await queryable.query<BucketRow>({
    name: `feed_changed_${board.tables.cells}`,
    text:
      `select floor(extract(epoch from bucket))::bigint as t, last_position, first_position from ${board.tables.cells}
           where grain = $1 and dimension = $2 and key = $3
             and bucket >= to_timestamp($4::double precision) and bucket < to_timestamp($5::double precision)
           order by bucket`,
  }, [grain, board.whole.dimension, board.whole.key, from_s, to_s]);
  return {
    t: rows.map((row) => integer(row.t)),
    changed_at: rows.map((row) => integer(row.last_position)),
    first_at: rows.map((row) => integer(row.first_position ?? "0")),
  };
}

/** Reads what the cells of several tiles add up to. */
export async function read_cell_totals(
  queryable: Queryable,
  board: DomainBoard,
  condition: Condition,
  tiles: readonly Tile[],
): Promise<Totals> {
  const values: string[] = [condition.dimension, text_array(condition.keys)];
  const parts = tiles.map(({ grain, from_us, to_us }) => {
    const at = values.length;
    values.push(grain, format_time(from_us), format_time(to_us));
    return `select * from ${board.tables.cells} where grain = $${at + 1} and ${matching(condition, "$1", "$2")}
            and bucket >= $${at + 2}::timestamptz and bucket < $${at + 3}::timestamptz`;
  });
  if (parts.length === 0) return totals_of(board, {});
  const [row] = await queryable.query<BucketRow>(
    `select ${sum_columns(board)} from (${parts.join(" union all ")}) cells`,
    values,
  );
  return totals_of(board, row ?? {});
}

/**
 * How many states have each key of the board's `now` dimension now; null when no cell says so: a condition on another
 * dimension crosses it.
 */
export async function read_now(
  queryable: Queryable,
  board: DomainBoard,
  condition: Condition,
): Promise<Map<string, number> | null> {
  const { dimension, measure } = board.now;
  const whole = condition.dimension === board.whole.dimension;
  if (!whole && condition.dimension !== dimension) return null;
  const rows = await queryable.query<{ key: string; value: string }>({
    name: `feed_now_${board.tables.cells}${whole ? "" : condition.excluded ? "_excluded" : "_filtered"}`,
    text: `select key, ${measure} as value from ${board.tables.cells}
           where grain = 'all' and bucket = to_timestamp(0) and ${
      whole ? "dimension = $1" : matching(condition, "$1", "$2")
    }`,
  }, whole ? [dimension] : [dimension, text_array(condition.keys)]);
  return new Map(rows.map((row) => [row.key, Number(row.value)]));
}
