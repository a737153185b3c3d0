/** The clock port: the only way time enters the shell. Pure modules get times as arguments. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now_ms(): number;
}

/** The system's clock. */
export const system_clock: Clock = { now_ms: () => Date.now() };
