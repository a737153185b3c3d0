import { count_held, discard_held } from "../event_log/mod.ts";
import { Retry, type RetryCounts } from "../ingest/mod.ts";
import { system_clock } from "../runtime/mod.ts";
import { topic_mappings } from "./mappings.ts";
import { make_pipeline, open_log } from "./open.ts";
import { ProgressLine } from "./progress_line.ts";
import { deliberate_filter, type FilterOptions } from "./quarantine_filter.ts";
import type { Shell } from "./shell.ts";

/** Options of `tacho quarantine retry`, as the command line gives them. */
export interface QuarantineRetryOptions extends FilterOptions {
  readonly all: boolean;
  readonly limit?: number;
  readonly dryRun: boolean;
}

/** Options of `tacho quarantine discard`, as the command line gives them; `reason` is why, `heldFor` the filter. */
export interface QuarantineDiscardOptions extends QuarantineRetryOptions {
  readonly reason: string;
  readonly by: string;
  readonly heldFor?: string;
}

const RETRY_PAGE = { messages: 5_000, bytes: 8 << 20 };
/** Messages of one discarding batch: its note names each. */
const DISCARD_PAGE = 1_000;

/**
 * `tacho quarantine retry`: sends held messages through the pipeline again, also beside a running program. A signal ends it after the
 * transaction under way; what was not reached is held as before.
 */
export async function quarantine_retry_verb(
  shell: Shell,
  ids: readonly number[],
  options: QuarantineRetryOptions,
): Promise<void> {
  const filter = deliberate_filter("retry", ids, options);
  const { limit = Infinity, dryRun: dry_run } = options;
  const { mappings } = await topic_mappings(shell.config);
  const opened = await open_log(shell);
  const { database } = opened;
  try {
    const { total, newest_id } = await count_held(database, filter);
    const line = new ProgressLine(
      dry_run ? "plan held messages" : "retry held messages",
      Math.min(total, limit),
      system_clock.now_ms,
    );
    const retry = new Retry(shell, {
      database,
      pipeline: make_pipeline(shell, opened, mappings),
      filter,
      newest_id,
      limit,
      page: RETRY_PAGE,
      dry_run,
      progress: (messages) => line.add(messages),
    });
    try {
      await retry.run(shell.signal);
    } finally {
      line.end();
      // Said however it ends: what is through is committed.
      console.log(`${dry_run ? "would retry" : "retried"} ${told(retry.counts)}`);
    }
  } finally {
    await database.close();
  }
}

function told({ admitted, duplicates, tombstones, skipped, held }: RetryCounts): string {
  const still = [...held.values()].reduce((sum, each) => sum + each, 0);
  const retried = admitted + duplicates + tombstones + skipped + still;
  const without_value = tombstones === 0 ? "" : `${tombstones} tombstones, `;
  const passed_over = skipped === 0 ? "" : `${skipped} skipped, `;
  return `${retried} messages: ${admitted} admitted, ${duplicates} duplicates, ${without_value}${passed_over}${still} still held${
    by_reason(held)
  }`;
}

const by_reason = (reasons: ReadonlyMap<string, number>): string =>
  reasons.size === 0 ? "" : ` (${[...reasons].map(([reason, count]) => `${reason} ${count}`).join(", ")})`;

/** `tacho quarantine discard`: gives held messages up and records who did and why. They keep their bytes and can be listed. */
export async function quarantine_discard_verb(
  shell: Shell,
  ids: readonly number[],
  options: QuarantineDiscardOptions,
): Promise<void> {
  const { reason, by, heldFor, limit = Infinity, dryRun, ...filters } = options;
  const filter = deliberate_filter("discard", ids, heldFor === undefined ? filters : { ...filters, reason: heldFor });
  const { database } = await open_log(shell);
  try {
    const { total, newest_id, by_reason: reasons } = await count_held(database, filter);
    if (dryRun) {
      console.log(`would discard ${Math.min(total, limit)} of ${total} held messages${by_reason(reasons)}`);
      return;
    }
    const line = new ProgressLine("discard held messages", Math.min(total, limit), system_clock.now_ms);
    let discarded = 0;
    try {
      while (discarded < limit && !shell.signal.aborted) {
        const most = Math.min(DISCARD_PAGE, limit - discarded);
        const discard = { filter, newest_id, limit: most, by, reason };
        const count = await discard_held(database, discard, system_clock.now_ms() * 1000);
        if (count === 0) break;
        discarded += count;
        line.add(count);
      }
    } finally {
      line.end();
      console.log(`discarded ${discarded} messages`);
    }
  } finally {
    await database.close();
  }
}
