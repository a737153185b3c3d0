import assert from "node:assert/strict";
import { AlertKeeper, read_changes, read_rule, write_file_rules } from "../../src/alerts/mod.ts";
import type { Database } from "../../src/database/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import type { Fields, Level, Runtime } from "../../src/runtime/mod.ts";
import { start_ingest } from "./ingest_harness.ts";
import { MemorySource } from "./memory_source.ts";
import { as_message, at, PAYMENTS_DOMAIN, type Told } from "./told_payments.ts";

/** A log of payments whose figures a test sets minute by minute, and rules over them. */

export const RULED = { board: PAYMENTS_DOMAIN.board, days: days_in("UTC") };
export const minute_us = (minute: number): number => Date.parse(at(minute)) * 1_000;

/** What such work runs with. */
export function runtime_of(
  signal: AbortSignal = new AbortController().signal,
): { readonly runtime: Runtime; readonly lines: [Level, string, Fields?][] } {
  const lines: [Level, string, Fields?][] = [];
  const logger = { log: (...line: [Level, string, Fields?]) => void lines.push(line) };
  return { runtime: { clock: { now_ms: () => Date.now() }, random: Math.random, logger, signal }, lines };
}

/** Captures so many payments of 10.00 in a minute, each another one. */
export class Payments {
  #offset = 0;
  #made = 0;

  constructor(private readonly database: Database) {}

  /** @param captured [minute, payments] */
  async take_in(...captured: readonly (readonly [minute: number, payments: number])[]): Promise<void> {
    const told = captured.flatMap(([minute, payments]) =>
      Array.from({ length: payments }, (): Told => ({
        payment: `P-${this.#made++}`,
        id: "c1",
        kind: "captured",
        minute,
        cents: 1_000,
        named: { merchant: "Kiosk", currency: "USD" },
        discount: null,
      }))
    );
    const messages = told.map((each) => ({ ...as_message(each), offset: this.#offset++ }));
    const running = start_ingest(this.database, new MemorySource(`payments-${this.#offset}`, [messages]), {
      domain: PAYMENTS_DOMAIN,
      time_zone: "UTC",
      now_ms: () => Date.parse(at(100_000)),
    });
    await running.caught_up();
    await running.stop();
  }
}

/** Makes these the rules of the log; each is checked. */
export async function put_rules(database: Database, ...rules: readonly Record<string, unknown>[]): Promise<void> {
  for (const rule of rules) {
    const read = read_rule(RULED.board, rule);
    assert.ok(read.ok, JSON.stringify(read));
  }
  const written = rules.map((definition) => ({ name: String(definition.name), definition }));
  await database.transaction((tx) => write_file_rules(tx, written));
}

/** What looks at the rules of a log; `at` is where the clock stands, a minute. */
export function keeper_of(
  database: Database,
  options: { at: number; readonly receivers?: readonly string[]; readonly read_only?: boolean },
): AlertKeeper {
  return new AlertKeeper(runtime_of().runtime, {
    ...RULED,
    database,
    receivers: options.receivers ?? [],
    read_only: options.read_only ?? false,
    noted: () => {},
    now_us: () => minute_us(options.at),
  });
}

/** The changes of state, the oldest first: `pending>firing window`. */
export const changes_of = async (database: Database): Promise<string[]> =>
  (await read_changes(database, 500)).reverse().map(({ rule, from, to, why }) => `${rule} ${from}>${to} ${why}`);
