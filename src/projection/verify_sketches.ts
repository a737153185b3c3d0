import { plain_array, type Snapshot, text_array } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import type { Faults } from "../event_log/mod.ts";
import { filled_bins, type SketchChanges, type SketchLevel } from "../kpi/mod.ts";
import { time_of } from "./bucket_time.ts";

const PAGE_SKETCHES = 2_000;

/** What a row of no values says. */
const NOTHING = "";

/**
 * Compares every sketch with what the streams add to it: no other, none missing. A sketch of no values is as good as none.
 * Memory: `changes` holds every sketch of the finest grains, a coarser grain at a time.
 * @param changes what the streams add, all of them
 * @param progress hears how many sketches were read
 */
export async function verify_sketches(
  reading: Snapshot,
  { tables: { sketches: table }, dimensions }: Pick<Domain, "tables" | "dimensions">,
  changes: SketchChanges,
  faults: Faults,
  signal: AbortSignal,
  progress: (sketches: number) => void,
): Promise<void> {
  if (table === null) return;
  for (const level of changes.levels()) {
    await verify_level(reading, table, level, faults, signal, progress);
    if (faults.enough) return;
  }
  const kept = dimensions.flatMap(({ name, sketches = [] }) => sketches.map((grain) => [name, grain] as const));
  const unknown = await reading.query<{ grain: string; dimension: string }>(
    `select distinct grain, dimension from ${table}
      where (dimension, grain) not in (select * from unnest($1::text[], $2::text[]))`,
    [text_array(kept.map(([name]) => name)), plain_array(kept.map(([, grain]) => grain))],
  );
  for (const { grain, dimension } of unknown) faults.add(`${table} ${grain} ${dimension}: no such sketches are kept`);
}

/** Bins and counts as the table has them, in text: equal texts are equal sketches. */
const text_of = (bins: ReadonlyMap<number, number>): string => {
  const filled = filled_bins(bins);
  return filled.length === 0 ? NOTHING : `{${filled.map(([bin]) => bin)}} {${filled.map(([, count]) => count)}}`;
};

async function verify_level(
  reading: Snapshot,
  table: string,
  { dimension, grain, changed }: SketchLevel,
  faults: Faults,
  signal: AbortSignal,
  progress: (sketches: number) => void,
): Promise<void> {
  const name_of = (bucket_us: number, key: string, sketch: string) =>
    `${table} ${grain} ${time_of(bucket_us)} ${dimension}=${key} ${sketch}`;
  const expected = new Map<string, string>();
  for (const { bucket_us, key, sketch, bins } of changed) {
    const text = text_of(bins);
    if (text !== NOTHING) expected.set(name_of(bucket_us, key, sketch), text);
  }
  const select = `select extract(epoch from bucket) * 1000000 as bucket_us, key, sketch,
    case when cardinality(bins) = 0 then '${NOTHING}' else bins::text || ' ' || counts::text end as held
    from ${table} where grain = $1 and dimension = $2`;
  for await (const page of reading.pages(select, [grain, dimension], PAGE_SKETCHES)) {
    signal.throwIfAborted();
    for (const row of page) {
      const name = name_of(Number(row.bucket_us), row.key as string, row.sketch as string);
      const made = expected.get(name) ?? NOTHING;
      expected.delete(name);
      if (made !== row.held) {
        faults.add(`${name}: it holds ${row.held || "nothing"}, the streams say ${made || "nothing"}`);
      }
    }
    progress(page.length);
    if (faults.enough) return;
  }
  for (const name of expected.keys()) faults.add(`${name}: it is missing, the streams make it`);
}
