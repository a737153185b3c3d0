import type { Value } from "../database/mod.ts";
import { count_held, discard_held, filter_condition, type QuarantineFilter, read_headers } from "../event_log/mod.ts";
import { Retry, type RetryCounts } from "../ingest/mod.ts";
import { printable_json, system_clock } from "../runtime/mod.ts";
import { topic_mappings } from "./records/mod.ts";
import { make_pipeline, open_log } from "./open.ts";
import { ProgressLine, type Shell, UsageError } from "./shell.ts";

/** The filters of `tacho quarantine`, as the command line gives them. Times in microseconds. */
interface FilterOptions {
  readonly reason?: string;
  readonly stage?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly codeVersion?: string;
  readonly since?: number;
  readonly until?: number;
}

/** The filter that ids and options of the command line make. */
function filter_of(ids: readonly number[], options: FilterOptions): QuarantineFilter {
  const { reason, stage, topic, partition, codeVersion, since, until } = options;
  return {
    ...ids.length === 0 ? {} : { ids },
    ...reason === undefined ? {} : { reason },
    ...stage === undefined ? {} : { stage },
    ...topic === undefined ? {} : { topic },
    ...partition === undefined ? {} : { partition },
    ...codeVersion === undefined ? {} : { code_version: codeVersion },
    ...since === undefined ? {} : { since_us: since },
    ...until === undefined ? {} : { until_us: until },
  };
}

/** Like `filter_of`, for what changes messages: nobody means all of them by leaving everything out. Throws UsageError. */
function deliberate_filter(
  verb: string,
  ids: readonly number[],
  options: FilterOptions & { readonly all: boolean },
): QuarantineFilter {
  const filter = filter_of(ids, options);
  const named = Object.keys(filter).length > 0;
  if (named === options.all) {
    throw new UsageError(
      named
        ? `quarantine ${verb}: expected ids and filters, or --all, got both`
        : `quarantine ${verb}: expected ids, a filter such as --topic, or --all, got none of them`,
    );
  }
  return filter;
}

/** Options of `tacho quarantine list`, as the command line gives them. */
interface QuarantineListOptions extends FilterOptions {
  readonly status: "held" | "admitted" | "duplicate" | "tombstone" | "skipped" | "discarded" | "all";
  readonly limit: number;
}

const utc = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${column}`;
const SELECT = `select quarantine_id, topic, partition, message_offset, ${
  utc("message_timestamp")
}, stage, reason, path, detail, code_version, attempts, status, ${utc("quarantined_at")}, ${
  utc("settled_at")
}, octet_length(message_value) as value_bytes, headers`;

/** Rows of the list that are in memory at once, and bytes of a key or value that it shows. */
const PAGE = 100;
const SHOWN_BYTES = 1_000;

/** `tacho quarantine list`: what is held, or was, newest first, one JSON object a line, with the beginning of its key and value. */
export async function quarantine_list_verb(
  shell: Shell,
  ids: readonly number[],
  options: QuarantineListOptions,
): Promise<void> {
  const filter = filter_of(ids, options);
  const { database } = await open_log(shell);
  try {
    let before = Number.MAX_SAFE_INTEGER;
    for (let left = options.limit; left > 0 && !shell.signal.aborted;) {
      const values: Value[] = [before, Math.min(left, PAGE), SHOWN_BYTES];
      const status = options.status === "all" ? "true" : `status = $${values.push(options.status)}`;
      const rows = await database.query(
        `${SELECT}, substring(message_key from 1 for $3) as key, substring(message_value from 1 for $3) as value
          from quarantine where quarantine_id < $1 and ${status} and ${filter_condition(filter, values)}
          order by quarantine_id desc limit $2`,
        values,
      );
      for (const row of rows) console.log(printable_json(JSON.stringify(shown(row))));
      if (rows.length < PAGE) break;
      before = Number(rows.at(-1)!.quarantine_id);
      left -= rows.length;
    }
  } finally {
    await database.close();
  }
}

/** `tacho quarantine show`: one message with its whole key, headers and value: as text where it is UTF-8, in base64 otherwise. */
export async function quarantine_show_verb(shell: Shell, id: number): Promise<void> {
  const { database } = await open_log(shell);
  try {
    const [row] = await database.query(
      `${SELECT}, message_key as key, message_value as value from quarantine where quarantine_id = $1`,
      [id],
    );
    if (row === undefined) {
      throw new UsageError(`quarantine show: there is no message ${id}; \`tacho quarantine list\` has them`);
    }
    console.log(printable_json(JSON.stringify(shown(row), null, 2)));
  } finally {
    await database.close();
  }
}

/** A row as it is printed. */
function shown({ message_offset, message_timestamp, headers, key, value, ...rest }: Record<string, unknown>) {
  const { quarantine_id, topic, partition, ...fault } = rest;
  const names = Object.entries(read_headers(headers)).map(([name, bytes]) => [name, readable(bytes)]);
  return {
    quarantine_id: Number(quarantine_id),
    topic,
    partition,
    offset: Number(message_offset),
    timestamp: message_timestamp,
    ...fault,
    key: readable(key),
    headers: Object.fromEntries(names),
    value: readable(value),
  };
}

/** Bytes as text where they are UTF-8, the last character perhaps cut off; as `{base64}` otherwise; null stays null. */
function readable(bytes: unknown): string | { base64: string } | null {
  if (!(bytes instanceof Uint8Array)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return { base64: new Uint8Array(bytes).toBase64() };
  }
}

/** Options of `tacho quarantine retry`, as the command line gives them. */
interface QuarantineRetryOptions extends FilterOptions {
  readonly all: boolean;
  readonly limit?: number;
  readonly dryRun: boolean;
}

/** Options of `tacho quarantine discard`, as the command line gives them; `reason` is why, `heldFor` the filter. */
interface QuarantineDiscardOptions extends QuarantineRetryOptions {
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
  const { mappings } = await topic_mappings(shell.domain, shell.config);
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
      pipeline: make_pipeline(shell, opened, { mappings }),
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
