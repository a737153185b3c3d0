import { plain_array, type Queryable, text_array } from "../database/mod.ts";
import { type Days, format_time, type Grain, quantile } from "../kpi/mod.ts";
import type { DomainBoard, QuantileFigure } from "./domain_board.ts";
import { quantile_number, quantile_within } from "./figure.ts";
import { declared_figure, totals_of } from "./measures.ts";
import { tile } from "./tiles.ts";

/** Quantiles over a stretch of event time: sketches of as few buckets as possible, added up bin by bin. */

/** The states that are counted: those with one of the keys of a dimension, or with none of them. */
export interface CountedKeys {
  readonly dimension: string;
  readonly keys: readonly string[];
  readonly excluded: boolean;
}

/** The quantiles among a board's cards, by the card's name. */
export function quantile_cards(board: DomainBoard): Map<string, QuantileFigure> {
  const cards = new Map<string, QuantileFigure>();
  for (const card of board.cards) {
    const figure = "figure" in card ? declared_figure(board, card.figure) : null;
    if (figure?.kind === "quantile") cards.set(card.name, figure);
  }
  return cards;
}

/**
 * Reads the quantiles among a board's cards; null where nothing is counted, and all of them where the dimension keeps no sketches.
 * @param stretch widened to whole buckets of the finest grain that keeps sketches, a minute for trips
 */
export async function read_quantiles(
  queryable: Queryable,
  board: DomainBoard,
  days: Days,
  counted: CountedKeys,
  stretch: { readonly from_us: number; readonly to_us: number },
): Promise<Map<string, number | null>> {
  const grains = board.dimensions.find(({ name }) => name === counted.dimension)?.sketches ?? [];
  const tiles = tile(stretch.from_us, stretch.to_us, grains, days);
  const { sketches: table } = board.tables;
  const rows = table === null || tiles.length === 0 ? [] : await queryable.query<BinRow>({
    name: `feed_quantiles_${table}_${counted.excluded ? "without" : "of"}`,
    // Each tile by itself, a range of the primary key: the fence keeps the planner to that order.
    text: `select s.sketch, b.bin::integer as bin, sum(b.count)::text as count
      from unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) as t(grain, from_at, to_at)
      cross join lateral (
        select sketch, bins, counts from ${table}
        where grain = t.grain and dimension = $4 and bucket >= t.from_at and bucket < t.to_at
          and key ${counted.excluded ? "<> all" : "= any"} ($5::text[]) offset 0
      ) s
      cross join lateral unnest(s.bins, s.counts) as b(bin, count)
      group by 1, 2 order by 1, 2`,
  }, [
    plain_array(tiles.map(({ grain }) => grain)),
    plain_array(tiles.map(({ from_us }) => format_time(from_us))),
    plain_array(tiles.map(({ to_us }) => format_time(to_us))),
    counted.dimension,
    text_array(counted.keys),
  ]);
  const sketches = sketches_of(rows);
  return new Map(
    [...quantile_cards(board)].map((
      [name, figure],
    ) => [name, quantile_number(figure, quantile(sketches.get(figure.sketch) ?? [], figure.q))]),
  );
}

/**
 * Reads the quantile of each bucket of a grain that has a sketch of this key, by ascending bucket; in the sketch's unit, and within the
 * extremes of the bucket's cell.
 */
export async function read_quantile_series(
  queryable: Queryable,
  board: DomainBoard,
  figure: QuantileFigure,
  cells: {
    readonly grain: Grain;
    readonly dimension: string;
    readonly key: string;
    readonly from_us: number;
    readonly to_us: number;
  },
): Promise<{ readonly at_us: number; readonly value: number | null }[]> {
  const rows = await queryable.query<{ at_us: string; bins: number[]; counts: number[] }>(
    `select (extract(epoch from bucket) * 1000000)::bigint as at_us, bins::integer[] as bins, counts, ${
      board.measures.map(({ name }) => `cells.${name}`).join(", ")
    }
     from ${board.tables.sketches} sketches left join ${board.tables.cells} cells using (grain, dimension, bucket, key)
     where grain = $1 and dimension = $2 and key = $3 and sketch = $4 and bucket >= $5::timestamptz and bucket < $6::timestamptz
     order by bucket`,
    [cells.grain, cells.dimension, cells.key, figure.sketch, format_time(cells.from_us), format_time(cells.to_us)],
  );
  return rows.map(({ at_us, bins, counts, ...measures }) => {
    const value = quantile(bins.map((bin, i) => [bin, counts[i]!]), figure.q);
    return { at_us: Number(at_us), value: quantile_within(figure, totals_of(board, measures), value, 1) };
  });
}

/** One bin of one sketch. */
interface BinRow extends Record<string, unknown> {
  readonly sketch: string;
  readonly bin: number;
  readonly count: string;
}

function sketches_of(rows: readonly BinRow[]): Map<string, (readonly [number, number])[]> {
  const sketches = new Map<string, (readonly [number, number])[]>();
  for (const { sketch, bin, count } of rows) {
    let bins = sketches.get(sketch);
    if (bins === undefined) sketches.set(sketch, bins = []);
    bins.push([bin, Number(count)]);
  }
  return sketches;
}
