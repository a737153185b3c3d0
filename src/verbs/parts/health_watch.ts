import {
  type Database,
  FILLING,
  type MigrationError,
  other_schema,
  outdated,
  SCHEMA_NUMBER,
} from "../../database/mod.ts";
import {
  type DeploymentMismatch,
  gap_advice,
  type Head,
  type OpenGaps,
  type PartitionWatermark,
  read_head,
  read_open_gaps,
  read_partition_watermarks,
  resettled,
  told_gaps,
} from "../../event_log/mod.ts";
import type { AlertsStanding } from "../../alerts/mod.ts";
import type { DatabaseHealth, Health } from "../../feed/mod.ts";
import type { ReadinessCheck, Watermarks } from "../../http/mod.ts";
import type { IngestStatus } from "../../ingest/mod.ts";
import { read_rebuilding, type Rebuilding } from "../../projection/mod.ts";
import type { PublishingState } from "../../publish/mod.ts";
import { type Clock, Paced, type Runtime, type Trouble } from "../../runtime/mod.ts";
import { FilledIn, type Lacking } from "../filling.ts";

/** What ingest says of itself. */
export interface IngestHealth {
  readonly status: () => IngestStatus;
  readonly lag: () => number | null;
  readonly events_per_s: () => number | null;
  readonly source: Health["ingest"]["source"];
}

/** Of a program that only reads: how the one that writes does is not known here, beyond the age of what it wrote. */
export const ingest_elsewhere = (since_ms: number): IngestHealth => ({
  status: () => ({ state: "running", reason: null, since_ms }),
  lag: () => null,
  events_per_s: () => null,
  source: "elsewhere",
});

/** What the log was like when it was opened. */
interface AsOpened {
  /** How often its settings had changed; absent: it is not looked at. */
  readonly resettled?: number;
  /** What it lacked, and what this program is kept from filling it in by; absent: nothing. */
  readonly lacking?: Pick<Lacking, "read_model" | "told"> & { readonly fault: () => string | null };
}

const EVERY_MS = 1_000;
/** After a hint, such as that of every batch, it is asked no more often than the feed reads. */
const HINTED_MS = 250;
/** Why nothing can be appended to a database that answers. */
const STANDBY = "it is a standby in recovery; DATABASE_URL must name the primary server";
const READ_ONLY = "its transactions are read-only (default_transaction_read_only); nothing can be appended";
/**
 * A server that takes longer to say how far the log is counts as one that does not answer. The embedded database is slow then, never away: it
 * computes in this program's thread, and a question waits for the transaction before it.
 */
const NO_ANSWER_MS = 5_000;

/**
 * Keeps the program's health at hand: asks the database once a second how far the log is, what is held in quarantine and which gaps are kept,
 * and notes since when it does not answer. `now` is synchronous, so that telling it never waits for the database.
 */
export class HealthWatch {
  readonly #database: Database;
  readonly #ingest: IngestHealth;
  readonly #clock: Clock;
  readonly #failed: (error: MigrationError | DeploymentMismatch | FilledIn) => void;
  readonly #as_opened: AsOpened;
  #head: Head | null = null;
  #gaps: OpenGaps = { count: 0, first: [] };
  #rebuilding: Rebuilding | null = null;
  #partitions: readonly PartitionWatermark[] = [];
  #read_only: { readonly since_ms: number; readonly reason: string } | null = null;
  readonly #pace: Paced;
  #answers_since_ms: number;
  #hinted: ReturnType<typeof setTimeout> | undefined;
  readonly #timer: ReturnType<typeof setInterval>;

  /**
   * @param failed hears when the database has been migrated past what this program can write for, a rebuild has changed its settings, or it lacks
   * nothing any more
   */
  constructor(
    database: Database,
    ingest: IngestHealth,
    clock: Clock,
    failed: (error: MigrationError | DeploymentMismatch | FilledIn) => void = () => {},
    as_opened: AsOpened = {},
  ) {
    this.#database = database;
    this.#ingest = ingest;
    this.#clock = clock;
    this.#failed = failed;
    this.#as_opened = as_opened;
    const pace = { gap_ms: HINTED_MS, cap_ms: HINTED_MS, silent_ms: NO_ANSWER_MS };
    this.#pace = new Paced({ clock, random: () => 0 }, pace);
    this.#answers_since_ms = clock.now_ms();
    this.#timer = setInterval(() => void this.ask(), EVERY_MS);
  }

  /** There may be something new: asks at once, or as soon as the last question is a quarter of a second old. */
  hint(): void {
    if (this.#hinted !== undefined) return;
    const { wait_ms } = this.#pace;
    if (wait_ms === 0) return void this.ask(false);
    this.#hinted = setTimeout(() => {
      this.#hinted = undefined;
      void this.ask(false);
    }, wait_ms);
  }

  /**
   * Asks the database now, unless it is being asked. Never rejects: that it does not answer is what is noted.
   * @param all also of gaps, rebuilds and partitions: a batch is no reason to ask for these
   */
  async ask(all = true): Promise<void> {
    if (this.#pace.unanswered_since_ms !== null) return;
    this.#pace.begin();
    try {
      this.#head = await read_head(this.#database);
      const { schema_number, resettled: by_now, read_model } = this.#head, { lacking } = this.#as_opened;
      if (by_now !== (this.#as_opened.resettled ?? by_now)) this.#failed(resettled());
      if (lacking !== undefined && read_model !== lacking.read_model) {
        this.#failed(new FilledIn("another read model was switched in"));
      }
      const reads = this.#ingest.source === "elsewhere";
      if (schema_number > SCHEMA_NUMBER) this.#failed((reads ? other_schema : outdated)(schema_number));
      const [row] = await this.#database.query(
        "select pg_is_in_recovery() as in_recovery, current_setting('transaction_read_only') = 'on' as read_only",
      );
      // Who only reads misses nothing there.
      this.#note_read_only(
        reads ? null : row?.in_recovery === true ? STANDBY : row?.read_only === true ? READ_ONLY : null,
      );
      if (all) {
        this.#rebuilding = await read_rebuilding(this.#database, lacking && FILLING);
        this.#gaps = await read_open_gaps(this.#database);
        this.#partitions = await read_partition_watermarks(this.#database);
      }
      const over = this.#pace.succeeded();
      if (over !== null && this.#means_away(over)) this.#answers_since_ms = this.#clock.now_ms();
    } catch (error) {
      this.#pace.failed(error);
    }
  }

  #note_read_only(reason: string | null): void {
    const since_ms = this.#read_only?.since_ms ?? this.#clock.now_ms();
    this.#read_only = reason === null ? null : { since_ms, reason };
  }

  /** The newest head read; null before the first answer. */
  head(): Head | null {
    return this.#head;
  }

  /** How far event time has come, in the log and by partition, microseconds. */
  watermarks(): Watermarks {
    return { watermark_us: this.#head?.watermark_us ?? null, partitions: this.#partitions };
  }

  /** How many gaps were noticed, by any program, and are not accepted. */
  open_gaps(): number {
    return this.#gaps.count;
  }

  now(): Health {
    const head = this.#head;
    return {
      ingest: { ...this.#told_status(), source: this.#ingest.source },
      database: this.#database_health(),
      recorded_ms: head?.recorded_at_us == null ? null : Math.floor(head.recorded_at_us / 1000),
      lag: this.#ingest.lag(),
      events_per_s: this.#ingest.events_per_s(),
      late: head?.late ?? 0,
      duplicates: head?.duplicates ?? 0,
      quarantined: head?.held ?? 0,
      position: head?.position ?? 0,
      ...this.#told_rebuilding(),
    };
  }

  /** What is filled in, and how far; null where the log lacks nothing. */
  filling(): Required<Health>["rebuilding"] | null {
    const { lacking } = this.#as_opened;
    if (lacking === undefined) return null;
    const { name, percent, fault } = this.#rebuilding ?? { name: FILLING, percent: 0, fault: null };
    return { name, percent, fault: fault ?? lacking.fault(), fills: lacking.told };
  }

  #told_rebuilding(): Pick<Health, "rebuilding"> {
    const rebuilding = this.filling() ?? this.#rebuilding;
    return rebuilding === null ? {} : { rebuilding };
  }

  /** What ingest says, with the gaps that are kept where it does not tell of one itself: from before it was started, or of another program. */
  #told_status(): IngestStatus {
    const status = this.#ingest.status(), gaps = told_gaps(this.#gaps);
    if (gaps === null || (status.state === "stopped" && status.advice !== undefined)) return status;
    return {
      ...status,
      reason: status.reason === null ? gaps : `${status.reason}; ${gaps}`,
      advice: gap_advice(this.#gaps.first[0]!),
    };
  }

  /** Whether trouble means that the database is away: the embedded one that gives no answer is slow. */
  #means_away({ attempt }: Trouble): boolean {
    return attempt > 0 || this.#database.kind !== "embedded";
  }

  #database_health(): DatabaseHealth {
    const { trouble } = this.#pace;
    if (trouble !== null && this.#means_away(trouble)) {
      return { ok: false, since_ms: trouble.since_ms, reason: trouble.reason };
    }
    return {
      ok: true,
      since_ms: this.#answers_since_ms,
      reason: null,
      ...trouble === null ? {} : { slow_since_ms: trouble.since_ms },
      ...this.#read_only === null ? {} : { read_only: this.#read_only },
    };
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#hinted);
  }
}

/** What must hold before requests should come here; where it does not, since when and why. */
export function readiness_of({ database, ingest }: Health): ReadinessCheck[] {
  const told = (what: string, { since_ms, reason }: { readonly since_ms: number; readonly reason: string | null }) =>
    `${what} since ${new Date(since_ms).toISOString()}: ${reason ?? "no reason given"}`;
  const { read_only } = database;
  const fault = !database.ok
    ? told("does not answer", database)
    : read_only !== undefined
    ? told("is read-only", read_only)
    : null;
  if (ingest.source === "elsewhere") {
    return [{
      name: "database",
      ok: fault === null,
      reason: fault ??
        ["this program only reads; another one writes the log", ...ingest.reason === null ? [] : [ingest.reason]].join(
          "; ",
        ),
    }];
  }
  const runs = ingest.state === "running";
  const advice = ingest.advice === undefined ? [] : [ingest.advice];
  return [
    { name: "database", ok: fault === null, reason: fault },
    { name: "ingest", ok: runs, reason: runs ? ingest.reason : [told(ingest.state, ingest), ...advice].join(". ") },
  ];
}

/** What is to know of publishing: requests may come here, whatever keeps it up. */
export function publishing_check({ trouble, ended }: PublishingState): ReadinessCheck {
  const reason = ended !== null
    ? `topics are not published any more: ${ended}`
    : trouble === null
    ? null
    : `topics are not published since ${new Date(trouble.since_ms).toISOString()}: ${trouble.reason}`;
  return { name: "publishing", ok: true, reason };
}

/** What is to know of a log that is filled in: requests may come here, and some figures are not known yet. */
export function filling_check(filling: ReturnType<HealthWatch["filling"]>): ReadinessCheck[] {
  if (filling === null) return [];
  const { percent, fault, fills = [] } = filling;
  const reason = `not known yet: ${fills.join(", ")}; filled in to ${percent} %`;
  return [{ name: "filling", ok: true, reason: fault === null ? reason : `${reason}: ${fault}` }];
}

const GAP_WATCH_MS = 500;

/** Looks twice a second whether there is a gap, and whether it was accepted, until the signal; less often while the database does not answer. Never rejects. */
export async function watch_gap(runtime: Runtime, resume: () => Promise<boolean>): Promise<void> {
  const { signal, logger } = runtime;
  const pace = new Paced(runtime, { gap_ms: GAP_WATCH_MS, first_ms: 8 * GAP_WATCH_MS, cap_ms: 60_000 });
  while (!signal.aborted) {
    pace.begin();
    try {
      await resume();
      pace.succeeded();
    } catch (error) {
      if (signal.aborted) return;
      const { attempt } = pace.failed(error);
      logger.log("warn", "cannot look whether the gap was accepted", { reason: error, attempt });
    }
    await pace.pause(signal).catch(() => {});
  }
}

/** Data that is older than this, while messages wait at the source, is behind. */
const BEHIND_MS = 60_000;

/** What others say of a domain that is not as it should be; null of one that is. */
function standing_of(health: Health | null, now_ms: number): Required<Health>["domains"][number]["state"] | null {
  if (health === null) return "not open";
  const { ingest, database, lag, recorded_ms } = health;
  if (!database.ok || ingest.state === "paused" || ingest.state === "stopped") return "stopped";
  return (lag ?? 0) > 0 && now_ms - (recorded_ms ?? 0) > BEHIND_MS ? "behind" : null;
}

/** A health with what it says of the other domains of the program: [name, health], null of one that is not open. */
export function with_others(
  own: Health,
  others: readonly (readonly [string, Health | null])[],
  now_ms: number,
): Health {
  const domains = others.flatMap(([name, health]) => {
    const state = standing_of(health, now_ms);
    return state === null ? [] : [{ name, state }];
  });
  return domains.length === 0 ? own : { ...own, domains };
}

/** Most alerts that a health names. */
const MOST_NAMED = 20;

/** A health with what it says of alerts that fire; nothing where none does. */
export function with_alerts(own: Health, { rules }: AlertsStanding): Health {
  const firing = rules.filter(({ phase }) => phase === "firing");
  if (firing.length === 0) return own;
  const named = firing.slice(0, MOST_NAMED).map(({ name, since_us }) => (
    { name, since_ms: since_us === null ? null : Math.floor(since_us / 1_000) }
  ));
  return { ...own, alerts: { firing: firing.length, named } };
}
