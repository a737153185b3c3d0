import {
  binary_array,
  type Pieces,
  plain_array,
  reading_in,
  type Statement,
  text_array,
  type Transaction,
  unnested,
  type Value,
} from "../database/mod.ts";
import { type Domain, type Lacks, NOTHING } from "../domains/mod.ts";
import { StreamStates } from "../event_log/mod.ts";
import {
  type BinChanges,
  bucket_end,
  bucket_start,
  cell_name,
  CellChanges,
  type ChangedCell,
  type Days,
  filled_bins,
  format_time,
  type Grain,
  type Measure,
  sketches_among,
} from "../kpi/mod.ts";
import { cells_key, key_columns, type KeyColumn, same_key } from "./cell_columns.ts";

type Shape = Pick<Domain, "measures" | "by_currency">;

/** A changed sketch of a cell. */
interface ChangedSketch {
  readonly cell: ChangedCell;
  readonly sketch: string;
  readonly bins: BinChanges;
}

/** What a batch changed in the sketches, written out as far as it goes before what the table holds is known. */
export interface EncodedSketches {
  readonly names: readonly Value[];
  readonly changed: readonly ChangedSketch[];
}

/**
 * The sketches table of a domain, as a live read model: a row has the bins of one sketch, ascending, and how many values each holds.
 *
 * The rows that a batch touches are read, changed and written back, which the head's lock makes safe: 450 rows for 20,000 events of
 * 17 keys in 8 minutes. A row for each bin would be 28,000 upserts, more than all cells together.
 */
export class SketchesTable {
  readonly #table: string;
  readonly #domain: Shape;
  readonly #select: Statement;
  readonly #write: Statement;
  readonly #sketches: readonly Measure[];
  readonly #lacks: Lacks;
  /** What a cell, which sketches are of, is named by. */
  readonly #key: readonly KeyColumn[];

  /** @param lacks sketches that are not written */
  constructor(table: string, domain: Shape, lacks: Lacks = NOTHING) {
    this.#table = table;
    this.#domain = domain;
    this.#lacks = lacks;
    this.#sketches = sketches_among(domain.measures);
    const key = this.#key = cells_key(domain);
    const named = [...key.map(({ name }) => name), "sketch"], names = named.join(", ");
    const types = [...key.map(({ type }) => type), "text"];
    this.#select = {
      name: `read_${table}`,
      text: `select u.place::integer, array_to_string(s.bins, ',') as bins, array_to_string(s.counts, ',') as counts
        from unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(", ")}) with ordinality as u(${names}, place)
        join ${table} s on ${same_key("s", key)} and s.sketch = u.sketch`,
    };
    this.#write = {
      name: `write_${table}`,
      text: `insert into ${table} as s (${names}, bins, counts)
        select ${key.map(({ name }) => `u.${name}`).join(", ")}, u.sketch, u.bins::smallint[], u.counts::integer[]
        from ${unnested([...named, "bins", "counts"], [...types, "text", "text"])} u
        on conflict (${names}) do update set bins = excluded.bins, counts = excluded.counts`,
    };
  }

  /** Writes out what changed in the sketches of cells. */
  encode(cells: Iterable<ChangedCell>): EncodedSketches {
    const changed: ChangedSketch[] = [];
    for (const cell of cells) {
      for (const [k, bins] of cell.change.sketches?.entries() ?? []) {
        const { name } = this.#sketches[k]!;
        if (bins !== null && !this.#lacks.measures.has(name)) changed.push({ cell, sketch: name, bins });
      }
    }
    const of = changed.map(({ cell }) => cell);
    return {
      changed,
      names: [...this.#key.map(({ array }) => array(of)), binary_array("text", changed.map(({ sketch }) => sketch))],
    };
  }

  /** Writes encoded sketches, inside the batch's transaction. Throws when one would hold less than nothing of a bin. */
  async write(tx: Transaction, { names, changed }: EncodedSketches): Promise<void> {
    if (changed.length === 0) return;
    const held = await tx.query<{ place: number; bins: string; counts: string }>(this.#select, names);
    const before = new Map(held.map(({ place, bins, counts }) => [place - 1, bins_of(bins, counts)]));
    const bins: string[] = [], counts: string[] = [];
    for (const [place, { cell, sketch, bins: changes }] of changed.entries()) {
      const merged = before.get(place) ?? new Map<number, number>();
      changes.forEach((times, bin) => merged.set(bin, (merged.get(bin) ?? 0) + times));
      const filled = filled_bins(merged);
      const below = filled.find(([, count]) => count < 0);
      if (below !== undefined) {
        const { grain, dimension, key } = cell;
        throw new Error(
          `write ${this.#table}: bin ${below[0]} of ${sketch} of ${grain} ${
            cell_name(this.#domain, dimension, key)
          } would hold ${below[1]} values`,
        );
      }
      bins.push(plain_array(filled.map(([bin]) => bin)));
      counts.push(plain_array(filled.map(([, count]) => count)));
    }
    await tx.execute(this.#write, [...names, binary_array("text", bins), binary_array("text", counts)]);
  }
}

const numbers = (text: string): number[] => text === "" ? [] : text.split(",").map(Number);

/** A row's bins with their counts. */
function bins_of(bins: string, counts: string): Map<number, number> {
  const values = numbers(counts);
  return new Map(numbers(bins).map((bin, i) => [bin, values[i]!]));
}

/** Streams of one piece, about: a second or so under the head's lock. */
const PIECE_STREAMS = 20_000;
const PAGE_STREAMS = 2_000;

/** What the sketches of a domain are and where they come from. */
interface Sketched {
  readonly table: string;
  readonly states: string;
  /** The columns that date the values. */
  readonly dates: readonly string[];
  /** What a cell is named by within its dimension and bucket. */
  readonly key: readonly string[];
  readonly dimensions: readonly string[];
  readonly finest: Grain;
  /** Grains made of the finest, each with the dimensions that keep it. */
  readonly coarser: ReadonlyMap<Grain, readonly string[]>;
}

/** A stretch of event time, microseconds; null: without a beginning, without an end. */
interface Stretch {
  readonly from_us: number | null;
  readonly before_us: number | null;
}

/** By what a log counts. */
interface Counted {
  readonly domain: Domain;
  readonly days: Days;
}

/**
 * Makes the sketches of a domain what its streams say, whatever they were: streams may have been written by a version that kept none. In
 * pieces of event time, each exact when it is through; others may append between any two of them.
 *
 * A piece replaces the sketches of the finest grain in a stretch, and those coarser ones that end with it, which are made of the finest. Its
 * checkpoint is how far the finest go: `{"before_us": …}`.
 */
export function sketches_anew({ domain, days }: Counted, piece_streams = PIECE_STREAMS): Pieces {
  return {
    left: (tx, checkpoint) => count_dated(tx, sketched(domain), reached(checkpoint)),
    async piece(tx, checkpoint) {
      const made = sketched(domain);
      const ended_us = reached(checkpoint);
      // Pieces of versions before ended in the middle of a bucket.
      const from_us = ended_us === null ? null : bucket_start(made.finest, ended_us, days);
      const before_us = await end_of_piece(tx, made, days, { from_us, streams: piece_streams });

      const dimensions = domain.dimensions.map((dimension) => ({ ...dimension, grains: dimension.sketches ?? [] }));
      const changes = new CellChanges({ ...domain, dimensions }, days);
      let items = 0;
      const stretch = in_sql({ from_us, before_us });
      for await (const page of new StreamStates(domain).dated(reading_in(tx), made.dates, stretch, PAGE_STREAMS)) {
        for (const { stream } of page) changes.replace(null, domain.contribution(stream.state), 1);
        items += page.length;
      }
      await forget(tx, made, made.finest, made.dimensions, { from_us, before_us });
      const rows = new SketchesTable(made.table, domain);
      // What a stream adds at its other dates is another piece's.
      const own = ({ grain, bucket_us }: ChangedCell) =>
        grain === made.finest && bucket_us >= (from_us ?? -Infinity) && bucket_us < (before_us ?? Infinity);
      await rows.write(tx, rows.encode([...changes.cells()].filter(own)));

      const start = (grain: Grain, us: number | null) => us === null ? null : bucket_start(grain, us, days);
      for (const [grain, dimensions] of made.coarser) {
        const ended = { from_us: start(grain, from_us), before_us: start(grain, before_us) };
        await forget(tx, made, grain, dimensions, ended);
        await roll_up(tx, made, { grain, dimensions, days }, ended);
      }
      return { checkpoint: before_us === null ? null : { before_us }, items };
    },
  };
}

function sketched(
  domain: Pick<Domain, "tables" | "dimensions" | "sketch_dates" | "by_currency">,
): Sketched {
  const { tables: { sketches: table, states }, dimensions, sketch_dates } = domain;
  const kept = dimensions.filter(({ sketches = [] }) => sketches.length > 0);
  const finest = kept[0]?.sketches?.[0];
  if (
    table === null || sketch_dates.length === 0 || finest === undefined ||
    kept.some(({ sketches }) => sketches![0] !== finest)
  ) {
    throw new Error(
      `rebuild sketches of ${states}: expected a domain that dates its values and keeps sketches of one finest grain`,
    );
  }
  const coarser = new Map<Grain, string[]>();
  for (const { name, sketches } of kept) {
    for (const grain of sketches!.slice(1)) coarser.set(grain, [...coarser.get(grain) ?? [], name]);
  }
  return {
    table,
    states,
    dates: sketch_dates,
    key: key_columns(domain).map(({ name }) => name),
    dimensions: kept.map(({ name }) => name),
    finest,
    coarser,
  };
}

/** How far pieces go by a checkpoint, microseconds; null: none are made yet. */
const reached = (checkpoint: unknown): number | null =>
  checkpoint === null ? null : (checkpoint as { readonly before_us: number }).before_us;

const in_sql = ({ from_us, before_us }: Stretch): { readonly from: string; readonly before: string } => ({
  from: from_us === null ? "-infinity" : format_time(from_us),
  before: before_us === null ? "infinity" : format_time(before_us),
});

/** How many streams one of some dates of is at or after a time. */
async function count_dated(
  tx: Transaction,
  { states, dates }: Pick<Sketched, "states" | "dates">,
  from_us: number | null,
): Promise<number> {
  const { from } = in_sql({ from_us, before_us: null });
  const [row] = await tx.query(
    `select count(*) as streams from ${states} where ${dates.map((at) => `${at} >= $1::timestamptz`).join(" or ")}`,
    [from],
  );
  return Number(row?.streams);
}

/** The end of the finest bucket that holds the last of so many dates; null where no more than those are left. */
async function end_of_piece(
  tx: Transaction,
  { states, dates, finest }: Pick<Sketched, "states" | "dates" | "finest">,
  days: Days,
  { from_us, streams }: { readonly from_us: number | null; readonly streams: number },
): Promise<number | null> {
  const next = dates.map((at) =>
    `(select ${at} as at from ${states} where ${at} >= $1::timestamptz order by ${at} limit $2)`
  );
  const [row] = await tx.query(
    `select count(*) as dates, (extract(epoch from max(at)) * 1000000)::bigint as last_us
      from (select at from (${next.join(" union all ")}) as next order by at limit $2) as first`,
    [in_sql({ from_us, before_us: null }).from, streams],
  );
  const last = bucket_start(finest, Number(row?.last_us), days);
  return Number(row?.dates) < streams ? null : bucket_end(finest, last, days);
}

/** SQL for the time of a bucket given in seconds; exact, since buckets start on whole seconds. */
const AT = (seconds: string): string => `timestamptz 'epoch' + ${seconds} * interval '1 second'`;

/** Removes the sketches of a grain in a stretch. */
async function forget(
  tx: Transaction,
  { table }: Sketched,
  grain: Grain,
  dimensions: readonly string[],
  stretch: Stretch,
): Promise<void> {
  const { from, before } = in_sql(stretch);
  await tx.execute(
    `delete from ${table} where grain = $1 and dimension = any($2::text[]) and bucket >= $3::timestamptz and bucket < $4::timestamptz`,
    [grain, text_array(dimensions), from, before],
  );
}

/** Makes the sketches of a coarser grain in a stretch, whose ends are those of buckets, from the finest ones. */
async function roll_up(
  tx: Transaction,
  { table, key, finest }: Sketched,
  { grain, dimensions, days }: { readonly grain: Grain; readonly dimensions: readonly string[]; readonly days: Days },
  stretch: Stretch,
): Promise<void> {
  const { from, before } = in_sql(stretch);
  const fine = (await tx.query(
    `select distinct extract(epoch from bucket)::bigint as at_s from ${table}
      where grain = $1 and dimension = any($2::text[]) and bucket >= $3::timestamptz and bucket < $4::timestamptz`,
    [finest, text_array(dimensions), from, before],
  )).map(({ at_s }) => Number(at_s));
  if (fine.length === 0) return;
  const named = ["dimension", ...key, "sketch"].join(", ");
  await tx.execute(
    `insert into ${table} (grain, bucket, ${named}, bins, counts)
      select $1, bucket, ${named}, array_agg(bin order by bin), array_agg(count order by bin) from (
        select ${AT("u.bucket_s")} as bucket, ${named}, b.bin, sum(b.count)::integer as count
        from unnest($2::bigint[], $3::bigint[]) as u(fine_s, bucket_s)
        join ${table} s on s.grain = $4 and s.dimension = any($5::text[]) and s.bucket = ${AT("u.fine_s")}
        cross join lateral unnest(s.bins, s.counts) as b(bin, count)
        group by 1, ${named}, b.bin
      ) merged group by bucket, ${named}`,
    [
      grain,
      plain_array(fine),
      plain_array(fine.map((at_s) => bucket_start(grain, at_s * 1e6, days) / 1e6)),
      finest,
      text_array(dimensions),
    ],
  );
}
