import {
  type Database,
  DatabaseUnreachable,
  type Statement,
  type Transaction,
  type Value,
} from "../../src/database/mod.ts";
import type { Domain } from "../../src/domains/mod.ts";
import { read_cursors } from "../../src/event_log/mod.ts";
import { Cursors, Ingest, type MessageSource, Pipeline, type TopicMappings } from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import type { Fields, Level, Logger } from "../../src/runtime/mod.ts";
import { LIMITS, TEST_DOMAIN, TEST_TIME_ZONE } from "./trip_pipeline.ts";
import { until } from "./until.ts";

/** Where a test may come between the program and its database. `commit` is inside the transaction, after all its statements. */
export type Place = "query" | "begin" | "commit" | "committed";

/** A real database with somebody in between: what `meet` throws, the program meets; while it waits, the program waits. */
export class WatchedDatabase implements Database {
  readonly kind: Database["kind"];
  readonly script: Database["script"];
  readonly close: Database["close"];

  constructor(private readonly inner: Database, private readonly meet: (place: Place) => void | Promise<void>) {
    this.kind = inner.kind;
    this.script = (text) => inner.script(text);
    this.close = () => inner.close();
  }

  async query<R extends Record<string, unknown>>(statement: string | Statement, values?: readonly Value[]) {
    await this.meet("query");
    return this.inner.query<R>(statement, values);
  }

  async execute(statement: string | Statement, values?: readonly Value[]) {
    await this.meet("query");
    return this.inner.execute(statement, values);
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    await this.meet("begin");
    const result = await this.inner.transaction(async (tx) => {
      const worked = await work(tx);
      // By itself a session ends a transaction that is idle for 20 s, which slow machines may take for what a test does here.
      await tx.execute("set local idle_in_transaction_session_timeout = 0");
      await this.meet("commit");
      return worked;
    });
    await this.meet("committed");
    return result;
  }
}

/** An outage as the adapters report it. */
export const refused_connection = (): Error =>
  new DatabaseUnreachable("connect to the database", new Error("connect ECONNREFUSED 127.0.0.1:5432"));

export interface Running {
  readonly ingest: Ingest;
  /** What was logged: level, message, fields. */
  readonly lines: readonly [Level, string, Fields?][];
  /** Settles when ingest has ended. */
  readonly ended: Promise<void>;
  readonly abort: AbortController;
  /** Waits until everything the source has is committed; fails when ingest ends before. */
  caught_up(): Promise<void>;
  /** Aborts and waits for the end. */
  stop(): Promise<void>;
}

export interface RunOptions {
  readonly batch_messages?: number;
  readonly quarantine_per_minute?: number;
  readonly domain?: Domain;
  readonly now_ms?: () => number;
  readonly time_zone?: string;
  readonly abort?: AbortController;
  readonly committed?: () => void;
  readonly mappings?: TopicMappings;
}

/** Starts the ingest loop on a source, as `serve` does, in a time that stands still. */
export function start_ingest(database: Database, source: MessageSource, options: RunOptions = {}): Running {
  const now_ms = options.now_ms ?? (() => Date.UTC(2026, 2, 1, 12));
  const lines: [Level, string, Fields?][] = [];
  const abort = options.abort ?? new AbortController();
  const pipeline = new Pipeline({
    database,
    domain: options.domain ?? TEST_DOMAIN,
    days: days_in(options.time_zone ?? TEST_TIME_ZONE),
    limits: LIMITS,
    ...(options.mappings === undefined ? {} : { mappings: options.mappings }),
    code_version: "test",
    cache_streams: 50_000,
    now_ms,
  });
  const logger: Logger = {
    log: (level, text, fields) => void lines.push(fields === undefined ? [level, text] : [level, text, fields]),
  };
  const ingest = new Ingest({ clock: { now_ms }, random: () => 0, logger }, {
    database,
    pipeline,
    cursors: new Cursors(() => read_cursors(database)),
    source,
    batch_limit: { messages: options.batch_messages ?? 1000, bytes: 8 << 20 },
    quarantine_per_minute: options.quarantine_per_minute ?? 10_000,
    committed: options.committed ?? (() => {}),
  });
  let over = false;
  const ended = ingest.run(abort.signal).finally(() => over = true);
  ended.catch(() => {});
  return {
    ingest,
    lines,
    ended,
    abort,
    async caught_up() {
      try {
        await until("ingest has caught up", () => over || source.lag() === 0);
      } catch (error) {
        const told = lines.slice(-8).map((line) => Deno.inspect(line)).join("\n");
        throw new Error(`run ingest: it did not catch up; it logged\n${told}`, { cause: error });
      }
      if (over) await ended;
    },
    async stop() {
      abort.abort();
      await ended;
    },
  };
}
