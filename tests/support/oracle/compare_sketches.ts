import { type Differences, instant_text } from "./differences.ts";
import type { Expectation } from "./expectation.ts";
import { literal, micros_of, PAGE_ROWS, type Query, text_in } from "./query.ts";
import type { Bins } from "./sketches.ts";

/** Compares `trip_sketches` with the expected bins, both ways. A sketch of nothing counts as absent. */
export async function compare_sketches(
  query: Query,
  expectation: Expectation,
  differences: Differences,
): Promise<void> {
  const found = new Set<string>();
  let after = "";
  for (;;) {
    const rows: Record<string, unknown>[] = await query(`
      select grain, dimension, key, sketch, ${micros_of("bucket")} as bucket_us, bucket::text as bucket_text,
        array_to_string(bins, ',') as bins, array_to_string(counts, ',') as counts
      from trip_sketches ${after} order by grain, dimension, bucket, key, sketch limit ${PAGE_ROWS}`);
    for (const row of rows) {
      const [grain, dimension, key, sketch] = ["grain", "dimension", "key", "sketch"].map((name) => text_in(row, name));
      const name = `${grain}|${text_in(row, "bucket_us")}|${dimension}|${sketch}|${key}`;
      found.add(name);
      const wanted = bins_text(expectation.sketches.get(name) ?? new Map());
      const got = `${text_in(row, "bins")}: ${text_in(row, "counts")}`;
      if (got !== wanted) differences.add("sketches", `${sketch_text(name)}: expected ${wanted}, found ${got}`);
      const place = [grain, dimension, text_in(row, "bucket_text"), key, sketch].map((text) => literal(text!));
      after = `where (grain, dimension, bucket, key, sketch) >
        (${place[0]}, ${place[1]}, ${place[2]}::timestamptz, ${place[3]}, ${place[4]})`;
    }
    if (rows.length < PAGE_ROWS) break;
  }
  for (const [name, bins] of expectation.sketches) {
    if (!found.has(name)) differences.add("sketches", `${sketch_text(name)}: missing, expected ${bins_text(bins)}`);
  }
}

/** "345,400: 1,2": bins in ascending order, and how many trips each holds. */
function bins_text(bins: Bins): string {
  const ascending = [...bins].sort(([a], [b]) => a - b);
  return `${ascending.map(([bin]) => bin)}: ${ascending.map(([, count]) => count)}`;
}

/** "1h|1767225600000000|city|fare_micros|Chicago" as "sketch fare_micros 1h 2026-01-01T00:00:00Z city=Chicago". */
function sketch_text(name: string): string {
  const [grain, bucket_us, dimension, sketch, ...key] = name.split("|");
  return `sketch ${sketch} ${grain} ${instant_text(Number(bucket_us))} ${dimension}=${key.join("|")}`;
}
