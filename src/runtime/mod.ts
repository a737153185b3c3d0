/**
 * The runtime: configuration, clock, logger, waiting. It knows nothing of what is above it.
 * The environment is read in `config.ts` alone; time enters through `Clock`; randomness only jitters waits.
 */
export * from "./clock.ts";
export * from "./config.ts";
export * from "./logger.ts";
export * from "./retry.ts";
export * from "./turns.ts";
