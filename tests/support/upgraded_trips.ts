import { type Database, migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import type { Domain } from "../../src/domains/mod.ts";
import { type Days, days_in } from "../../src/kpi/mod.ts";
import { system_clock } from "../../src/runtime/mod.ts";
import { fill_in, type FillingManner } from "../../src/verbs/filling.ts";
import { copy_rows, LOG_TABLES } from "./copied_rows.ts";
import { shared_postgres } from "./postgres.ts";
import { LIMITS, message, type migrated, TEST_DOMAIN, TEST_TIME_ZONE } from "./trip_pipeline.ts";

/** Databases of trips from before a version, and how what it counts is filled in. */

/** When the trips begin, shortly before clocks change. */
export const BEGUN_MS = Date.UTC(2026, 2, 7, 4, 59);
export const LATER = { ...LIMITS, future_limit_ms: 400 * 86_400_000 };
export const MIGRATIONS = migrations_of("trips");

/** Events as one batch of a topic of their own. */
export const batch = (topic: string, events: readonly unknown[]) => ({
  topic,
  partition: 0,
  from_offset: 0,
  next_offset: events.length,
  messages: events.map((each, offset) => message(offset, each)),
});

/** By what the log counts. */
export const COUNTED = { domain: TEST_DOMAIN, days: days_in(TEST_TIME_ZONE) };
/** So little at once that small logs take many pieces. */
export const SMALL = { events: 60, changes: 400, kept_events: 40 };

const never = new AbortController().signal;

/** Fills a log in, in small pieces unless it is said otherwise. */
export const fill = (
  database: Database,
  manner: Partial<FillingManner> & { readonly signal?: AbortSignal } = {},
  counted: { readonly domain: Domain; readonly days: Days } = COUNTED,
): Promise<void> =>
  fill_in(
    { clock: system_clock, random: () => 0.5, logger: { log: () => {} }, signal: manner.signal ?? never },
    { database, ...counted },
    { beside: false, bound: SMALL, ...manner },
  );

/** A manner of filling in that ends as if it was killed after so many pieces. */
export const killed_after = (pieces: number): Partial<FillingManner> => ({
  begun: () => () => {
    if (--pieces === 0) throw new Error("killed");
  },
});

/**
 * Makes an empty database hold a log as it was before a migration, and applies all that there are: it lacks what they ask for.
 * @param of a log of this version, which is left without what was not told then
 */
export async function upgrade_from(
  before: string,
  of: Database,
  database: Database,
  superuser: Database,
): Promise<void> {
  const at = MIGRATIONS.findIndex(({ name }) => name === before);
  await migrate(database, MIGRATIONS.slice(0, at));
  await copy_rows(of, superuser, LOG_TABLES);
  if (MIGRATIONS.slice(0, at).some(({ name }) => name === "sketches")) {
    await of.execute("delete from trip_sketches where sketch = 'waiting_ms'");
    await copy_rows(of, superuser, ["trip_sketches"]);
  }
  if (MIGRATIONS.slice(0, at).some(({ name }) => name === "totals")) {
    await copy_rows(of, superuser, ["trip_totals"]);
    await database.execute("delete from trip_cells where dimension in ('driver', 'passenger')");
  }
  await migrate(database, MIGRATIONS);
}

/** Databases of one server that are closed in the end. */
export async function with_databases(
  work: (
    open: (url: string, connections?: number) => Promise<Database>,
    create: (template?: typeof migrated) => Promise<{ readonly url: string; readonly superuser_url: string }>,
  ) => Promise<void>,
): Promise<void> {
  const opened: Database[] = [];
  const server = await shared_postgres();
  try {
    await work(
      async (url, connections = 3) => {
        const database = await open_database({ url, data_dir: null, connections });
        opened.push(database);
        return database;
      },
      (template) => server.create_database(template),
    );
  } finally {
    for (const database of opened) await database.close();
  }
}
