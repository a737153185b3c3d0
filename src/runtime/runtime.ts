import type { Logger } from "./logger.ts";

/** The clock port: the only way time enters the shell. Pure modules get times as arguments. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now_ms(): number;
}

/** The system's clock. */
export const system_clock: Clock = { now_ms: () => Date.now() };

/** What all that works through time shares: one value, handed down from the verb. */
export interface Runtime {
  readonly clock: Clock;
  /** In [0, 1): jitters waits. */
  readonly random: () => number;
  readonly logger: Logger;
  /** Aborted by the wish to end: finish what is under way, then end. */
  readonly signal: AbortSignal;
}
