/**
 * The runtime: configuration, clock, logger, waiting. It knows nothing of what is above it.
 * The environment is read in `config.ts` alone; time enters through `Clock`; randomness only jitters waits.
 */
export * from "./config.ts";
export { is_time_zone } from "./setting_texts.ts";
export { SETTINGS } from "./settings.ts";
export * from "./runtime.ts";
export * from "./paced.ts";
