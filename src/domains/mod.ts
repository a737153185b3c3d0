/**
 * Domains: what is folded. `domain.ts` is the port that the engine knows; each folder beside it is one domain, and alone knows its words.
 * A domain is declared: its fields (`fields.ts`), what its states add to the figures (`facts.ts`), its board, its fold, and what the verbs
 * need before there is a deployment (`declared.ts`). `src/verbs/domains.ts` is the one place that names those that there are.
 */
export * from "./board.ts";
export { require_board } from "./board_faults.ts";
export * from "./board_words.ts";
export * from "./declaration.ts";
export * from "./declared.ts";
export * from "./domain.ts";
export * from "./facts.ts";
export * from "./fields.ts";
export * from "./json_value.ts";
export * from "./lacking.ts";
export * from "./rules.ts";
