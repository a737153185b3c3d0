import { ALL_KEPT, type Kept, type KeptDays, same_kept } from "../../kpi/mod.ts";
import { advance_kept, type RemovalSource, remove_unkept } from "../../projection/mod.ts";
import { Paced, type Runtime, told_once, wait } from "../../runtime/mod.ts";

/** How the removal of cells stands. */
interface RemovalState {
  /** From when on cells of fine grains are kept. */
  readonly kept: Kept;
  /** Rows that this process has removed since its start. */
  readonly removed: number;
  /** Whether it is at it. */
  readonly running: boolean;
}

/** How often it is looked how far event time has come. */
const LOOK_MS = 10_000;
/** Rows that others have written before they were told, such as a switch to another read model, are looked for so often. */
const AGAIN_MS = 3_600_000;

/**
 * Removes cells of fine grains that are older than they are to be kept, until the signal: in pieces, resting as long as each took. A database
 * that is away is waited for; ingest never waits for it.
 */
export class CellRemoval {
  #kept: Kept = ALL_KEPT;
  #removed = 0;
  #running = false;
  #swept_ms = -Infinity;

  constructor(
    private readonly runtime: Runtime,
    private readonly source: RemovalSource,
    private readonly ages: KeptDays,
  ) {}

  state(): RemovalState {
    return { kept: this.#kept, removed: this.#removed, running: this.#running };
  }

  /** Resolves when the signal is aborted. */
  async run(): Promise<void> {
    const { signal, logger } = this.runtime;
    const pace = new Paced(this.runtime, { first_ms: 1_000, cap_ms: 60_000 });
    try {
      for (;;) {
        await pace.until_done(signal, () => this.#turn(), {
          passes: () => true,
          ...told_once(logger, "cells that are not kept any more cannot be removed", "cells are removed again"),
        });
        await wait(LOOK_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #turn(): Promise<void> {
    const { clock, logger } = this.runtime, now_ms = clock.now_ms();
    const kept = await advance_kept(this.source, this.ages, now_ms * 1000);
    if (same_kept(this.#kept, kept) && Math.abs(now_ms - this.#swept_ms) < AGAIN_MS) return;
    this.#kept = kept;
    const before = this.#removed;
    // Where it fails in the middle, it begins anew.
    this.#swept_ms = -Infinity;
    await this.#sweep(kept);
    this.#swept_ms = now_ms;
    if (this.#removed > before) {
      logger.log("info", "removed cells that are not kept any more", { rows: this.#removed - before });
    }
  }

  async #sweep(kept: Kept): Promise<void> {
    const { signal } = this.runtime;
    const pace = new Paced(this.runtime, { rest: { times: 1, free_ms: 0 } });
    this.#running = true;
    try {
      signal.throwIfAborted();
      pace.begin();
      for await (const { removed } of remove_unkept(this.source, kept)) {
        pace.succeeded();
        this.#removed += removed;
        await pace.pause(signal);
        pace.begin();
      }
    } finally {
      this.#running = false;
    }
  }
}
