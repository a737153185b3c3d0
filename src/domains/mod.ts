/**
 * Domains: what is folded. `domain.ts` is the port that the engine knows; each folder beside it is one domain.
 * A second domain costs one folder, one migration and one line in the registry of main.ts.
 */
export * from "./board.ts";
export * from "./domain.ts";
export * from "./json_value.ts";
