/**
 * Domains: what is folded. `domain.ts` is the port that the engine knows; each folder beside it is one domain.
 * A second domain costs one folder and one migration. What runs is composed in `src/verbs`, which names the trips domain where it opens a log.
 */
export * from "./amount.ts";
export * from "./board.ts";
export * from "./board_words.ts";
export * from "./declaration.ts";
export * from "./declared.ts";
export * from "./domain.ts";
export * from "./facts.ts";
export * from "./fields.ts";
export * from "./json_value.ts";
export * from "./stream_words.ts";
