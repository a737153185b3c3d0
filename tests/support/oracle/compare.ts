import { compare_bookkeeping, compare_events } from "./compare_log.ts";
import { compare_cells, compare_trips } from "./compare_read_models.ts";
import { collect_differences } from "./differences.ts";
import type { Expectation } from "./expectation.ts";
import type { Query } from "./query.ts";

const MOST_SENTENCES = 20;

/**
 * Compares all that the database holds with the expectation. The database must be at rest: all messages read, nothing
 * being appended. Gives at most 20 sentences, spread over the sections, and when there are more one last line that
 * states the total; an empty list means that all agrees. Throws only when a query fails.
 */
export async function compare_with_database(query: Query, expectation: Expectation): Promise<string[]> {
  const differences = collect_differences();
  await compare_bookkeeping(query, expectation, differences);
  const positions = await compare_events(query, expectation, differences);
  await compare_trips(query, expectation, positions, differences);
  await compare_cells(query, expectation, differences);
  return differences.list(MOST_SENTENCES);
}
