import { plain_array, type Snapshot, text_array } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import type { Faults } from "../event_log/mod.ts";
import { CellChange, type CellChanges, type CellLevel, zero_sums } from "../kpi/mod.ts";
import { time_of } from "./bucket_time.ts";

const PAGE_CELLS = 5_000;

/**
 * Compares every cell with what the streams add to it: no other, none missing. A cell of zeros is as good as none.
 * Memory: `changes` holds every cell of the finest grains, a coarser grain at a time.
 * @param changes what the streams add, all of them
 * @param progress hears how many cells were read
 * @returns the number of cells that the streams make
 */
export async function verify_cells(
  reading: Snapshot,
  domain: Pick<Domain, "tables" | "dimensions" | "measures">,
  changes: CellChanges,
  faults: Faults,
  signal: AbortSignal,
  progress: (cells: number) => void,
): Promise<number> {
  let cells = 0;
  for (const level of changes.levels()) {
    cells += await verify_level(reading, domain, level, faults, signal, progress);
    if (faults.enough) return cells;
  }
  const kept = domain.dimensions.flatMap(({ name, grains }) => grains.map((grain) => [name, grain] as const));
  const unknown = await reading.query<{ grain: string; dimension: string }>(
    `select distinct grain, dimension from ${domain.tables.cells}
      where (dimension, grain) not in (select * from unnest($1::text[], $2::text[]))`,
    [text_array(kept.map(([name]) => name)), plain_array(kept.map(([, grain]) => grain))],
  );
  for (const { grain, dimension } of unknown) {
    faults.add(`${domain.tables.cells} ${grain} ${dimension}: no such cells are kept`);
  }
  return cells;
}

async function verify_level(
  reading: Snapshot,
  { tables, measures }: Pick<Domain, "tables" | "measures">,
  { dimension, grain, buckets }: CellLevel,
  faults: Faults,
  signal: AbortSignal,
  progress: (cells: number) => void,
): Promise<number> {
  const name_of = (bucket_us: number, key: string) =>
    `${tables.cells} ${grain} ${time_of(bucket_us)} ${dimension}=${key}`;
  const nothing = new CellChange(zero_sums(measures.length));
  const found = new Set<CellChange>();
  const select = `select extract(epoch from bucket) * 1000000 as bucket_us, key, ${
    measures.map(({ name }) => name).join(", ")
  } from ${tables.cells} where grain = $1 and dimension = $2`;
  for await (const page of reading.pages(select, [grain, dimension], PAGE_CELLS)) {
    signal.throwIfAborted();
    for (const row of page) {
      const bucket_us = Number(row.bucket_us), key = row.key as string;
      const change = buckets.get(bucket_us)?.get(key);
      if (change !== undefined) found.add(change);
      const fault = cell_fault(measures, change ?? nothing, row);
      if (fault !== null) faults.add(`${name_of(bucket_us, key)}: ${fault}`);
    }
    progress(page.length);
    if (faults.enough) return found.size;
  }
  for (const [bucket_us, keys] of buckets) {
    for (const [key, change] of keys) {
      if (!found.has(change)) faults.add(`${name_of(bucket_us, key)}: it is missing, the streams make it`);
    }
  }
  return found.size;
}

/** Where a cell differs from what the streams add to it; null when it does not. */
function cell_fault(measures: Domain["measures"], change: CellChange, row: Record<string, unknown>): string | null {
  const differences = measures.flatMap(({ name, kind }, m) => {
    const expected = kind === "min" || kind === "max" ? change.added?.[m] ?? null : change.sum(m);
    return String(expected) === String(row[name]) ? [] : [`${name} is ${row[name]}, the streams say ${expected}`];
  });
  return differences.length === 0 ? null : differences.join("; ");
}
