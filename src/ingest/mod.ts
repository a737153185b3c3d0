/**
 * Ingest: from source messages to committed batches.
 *
 * decode (pure) → plan (pure) → append (one transaction), behind the `MessageSource` port. Holds after every batch:
 * read = admitted + duplicates + quarantined + tombstones + skipped. The cursor decides what was read; sources only deliver.
 *
 * Decision: planning of a batch overlaps the append of the one before (two stages), on an in-memory overlay of streams. Price: a
 * failure drops the overlay and everything planned on it. Measured: see `deno task bench`.
 *
 * What is handed in by a request takes the same way through a `DirectIntake`, beside the loop: each request is a batch of its own.
 *
 * What was set aside goes the same way again in a `Retry`, in another process than the loop's or the same, at any time.
 */
export * from "./cursors.ts";
export * from "./decode/mod.ts";
export * from "./direct_intake.ts";
export * from "./loop.ts";
export * from "./message_source.ts";
export * from "./pipeline.ts";
export * from "./plan.ts";
export { QueueSource } from "./queue_source.ts";
export { Retry, type RetryCounts, type RetryOptions } from "./retry.ts";
