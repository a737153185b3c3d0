import type { Database } from "../database/mod.ts";

/** A gate: dear work, only so much of it at a time. */

/** What a gate is bounded by. */
export interface GateLimits {
  /** Pieces of work at a time. */
  readonly most: number;
  /** How many wait, and how long each, milliseconds. */
  readonly waiting: number;
  readonly wait_ms: number;
}

/** Lets some work in at a time; who comes then waits for a while, in order of coming, and is turned away after that. */
export class Gate {
  #inside = 0;
  /** Calls who waits; removed by who gives up. */
  readonly #waiting = new Set<() => void>();

  constructor(private readonly limits: GateLimits) {}

  /** Runs the work when it is its turn; gives null when that does not come in time. */
  async run<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.#inside < this.limits.most) this.#inside++;
    else if (!await this.#turn()) return null;
    try {
      return await work();
    } finally {
      // Who waits longest takes the place over: whoever comes at this moment finds none free.
      const [call] = this.#waiting;
      if (call === undefined) this.#inside--;
      else call();
    }
  }

  #turn(): Promise<boolean> {
    if (this.#waiting.size >= this.limits.waiting) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (called: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(call);
        resolve(called);
      };
      const call = () => settle(true);
      const timer = setTimeout(() => settle(false), this.limits.wait_ms);
      this.#waiting.add(call);
    });
  }
}

/** It was not a reader's turn in time. */
export class Busy extends Error {
  override readonly name = "Busy";
}

/**
 * A database whose every piece of work waits for its turn at a gate. Throws Busy when that does not come in time. A transaction is one piece:
 * nothing within it may ask the database itself.
 */
export function gated(database: Database, gate: Gate): Database {
  const through = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = await gate.run(async () => ({ result: await work() }));
    if (done === null) throw new Busy("read the database: too many ask at a time");
    return done.result;
  };
  return {
    kind: database.kind,
    query: (statement, values) => through(() => database.query(statement, values)),
    execute: (statement, values) => through(() => database.execute(statement, values)),
    script: (text) => through(() => database.script(text)),
    transaction: (work) => through(() => database.transaction(work)),
    close: () => database.close(),
  };
}
