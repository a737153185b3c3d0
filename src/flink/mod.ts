/**
 * Flink, as a place that read models are made in. Holds before: a SQL gateway and a JobManager answer. On failure nothing of a job changes but
 * what had been done by then, and what is said is one line: the cause that Flink names last. On repeat of a submission nothing
 * is submitted twice: a job is known by its name, which says the database and the statements.
 */
export * from "./rest.ts";
export * from "./sql/mod.ts";
