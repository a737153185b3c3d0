import { type Database, migrate, migrations_of, open_database, type OpenedDatabase } from "../../src/database/mod.ts";
import { trips_board } from "./trip_board.ts";
import { FeedHub, type Health, type HubDeps, type Ticker } from "../../src/feed/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import type { Logger } from "../../src/runtime/mod.ts";
import { needs, tacho_test } from "./available.ts";
import { open_embedded_copy } from "./embedded.ts";
import { shared_postgres, type Template } from "./postgres.ts";
import { until } from "./until.ts";

/** The read side for tests: a migrated database of each kind, and a hub whose time stands still until it is moved. */

const migrated: Template = {
  name: "read_side",
  async prepare(url) {
    const database = await open_database({ url, data_dir: null, connections: 1 });
    await migrate(database, migrations_of("trips"));
    await database.close();
  },
};

/** A migrated database of a kind; who asked closes it. */
export async function open_read_side(kind: Database["kind"]): Promise<OpenedDatabase> {
  if (kind === "server") {
    const { url } = await (await shared_postgres()).create_database(migrated);
    return open_database({ url, data_dir: null, connections: 4 });
  }
  return open_embedded_copy();
}

/**
 * Registers a test on a PostgreSQL server, or where there is none on the embedded database; with `both` on each.
 * The embedded database takes seconds to start: one test a file is enough to show that its SQL is understood there too.
 */
export function database_test(
  name: string,
  fn: (database: OpenedDatabase) => Promise<void>,
  options: { readonly both?: boolean } = {},
): void {
  const found: Database["kind"] = needs("postgres") === null ? "server" : "embedded";
  for (const kind of options.both ? ["server", "embedded"] as const : [found]) {
    tacho_test({
      name: `${name} (${kind})`,
      needs: kind === "server" ? ["postgres"] : [],
      async fn() {
        const database = await open_read_side(kind);
        try {
          await fn(database);
        } finally {
          await database.close();
        }
      },
    });
  }
}

export const SETTINGS = { build: "test", time_zone: "UTC", currency: "USD" };
export const silent: Logger = { log() {} };

/** A clock that is moved by hand, and the ticker that beats with it. */
export class ManualTime {
  now: number;
  readonly #works = new Set<() => void>();

  constructor(start: string) {
    this.now = Date.parse(start);
  }

  readonly clock = { now_ms: () => this.now };
  readonly ticker: Ticker = (_, work) => {
    this.#works.add(work);
    return () => this.#works.delete(work);
  };

  /** Whether anything ticks. */
  get ticking(): boolean {
    return this.#works.size > 0;
  }

  /** Beats, without time passing or with so much of it each time, until a promise has what it waits for. */
  async beat_until<T>(what: string, wanted: Promise<T>, ms = 0): Promise<T> {
    let got: { readonly value: T } | null = null;
    const waiting = wanted.then((value) => got = { value });
    await until(what, () => {
      this.pass(ms);
      return got !== null;
    });
    return (await waiting).value;
  }

  /** Moves the clock and beats once. */
  pass(ms: number): void {
    this.now += ms;
    for (const work of [...this.#works]) work();
  }
}

/** The health that the program would report. */
export function healthy(change: Partial<Health> = {}): Health {
  return {
    ingest: { state: "running", reason: null, since_ms: 0, source: "none" },
    database: { ok: true, since_ms: 0, reason: null },
    recorded_ms: null,
    lag: 0,
    events_per_s: 0,
    late: 0,
    duplicates: 0,
    quarantined: 0,
    position: 0,
    ...change,
  };
}

/** A hub on a database, in manual time. */
export function make_hub(
  database: Database,
  time: ManualTime,
  options: Partial<HubDeps> = {},
): FeedHub {
  return new FeedHub({
    database,
    board: trips_board,
    days: days_in("UTC"),
    clock: time.clock,
    ticker: time.ticker,
    logger: silent,
    random: () => 0.5,
    health: () => healthy(),
    settings: SETTINGS,
    ...options,
  });
}

/** A database that fails when it is told to, counts what it is asked, and says when nothing is under way: outages at will on a real one. */
export class FlakyDatabase implements Database {
  fault: Error | null = null;
  readonly kind: Database["kind"];
  queries = 0;
  #under_way = 0;

  constructor(private readonly inner: Database) {
    this.kind = inner.kind;
  }

  async #asked<T>(work: () => Promise<T>): Promise<T> {
    this.queries++;
    this.#under_way++;
    try {
      if (this.fault !== null) throw this.fault;
      return await work();
    } finally {
      this.#under_way--;
    }
  }

  /** Waits until nobody asks anything any more. */
  async settled(): Promise<void> {
    const quiet = async (): Promise<boolean> => {
      if (this.#under_way > 0) return false;
      // Who has just got an answer may ask again before the next turn.
      await new Promise((resume) => setTimeout(resume));
      return this.#under_way === 0;
    };
    await until("the database is not asked", quiet);
  }

  query: Database["query"] = (statement, values) => this.#asked(() => this.inner.query(statement, values));
  readonly execute: Database["execute"] = (statement, values) =>
    this.#asked(() => this.inner.execute(statement, values));
  readonly script: Database["script"] = (text) => this.inner.script(text);
  readonly transaction: Database["transaction"] = (work) => this.#asked(() => this.inner.transaction(work));
  readonly close: Database["close"] = () => this.inner.close();
}
