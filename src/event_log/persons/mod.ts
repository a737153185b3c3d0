/**
 * Persons that can be forgotten: the log holds an alias of each, and one table whose it is (docs/forgetting.md). Who plans by the aliases of before
 * a person was forgotten is `Overtaken`.
 */
export * from "./aliases.ts";
export * from "./forgetting.ts";
