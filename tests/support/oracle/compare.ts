import { compare_bookkeeping, compare_events, type LogReading, new_reading } from "./compare_log.ts";
import { compare_cells, compare_trips } from "./compare_read_models.ts";
import { compare_sketches } from "./compare_sketches.ts";
import { collect_differences } from "./differences.ts";
import type { AdmittedEvent, Expectation } from "./expectation.ts";
import type { Query } from "./query.ts";

const MOST_SENTENCES = 20;

/**
 * Compares all that the database holds with the expectation. The database must be at rest: all messages read, nothing
 * being appended. Gives at most 20 sentences, spread over the sections, and when there are more one last line that
 * states the total; an empty list means that all agrees. Throws only when a query fails.
 * @param reading of earlier comparisons with expectations of the same oracle: then of events only the new ones are looked at, of trips those that
 * changed since the last expectation, and of all trips the totals; bookkeeping, cells and sketches are compared in full
 */
export async function compare_with_database(
  query: Query,
  expectation: Expectation,
  reading: LogReading<AdmittedEvent> = new_reading(),
): Promise<string[]> {
  const only = reading.last_position === 0 ? undefined : expectation.changed;
  const differences = collect_differences();
  await compare_bookkeeping(query, expectation, differences);
  await compare_events(query, expectation, differences, reading);
  await compare_trips(query, expectation, reading.positions, differences, only);
  // What touched a cell last is told by the events; where they are not the right ones, that is told already.
  const touched_at = differences.count("events") === 0 ? reading.touched_at : null;
  await compare_cells(query, expectation, touched_at, differences);
  await compare_sketches(query, expectation, differences);
  return differences.list(MOST_SENTENCES);
}
