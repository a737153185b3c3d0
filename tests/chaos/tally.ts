import type { Counts } from "./domains.ts";
import type { Kind } from "./schedule.ts";

/** A disturbance of the schedule, or a member that comes or goes because the next round has fewer or more. */
export type Cause = Kind | "member_joined" | "member_stopped" | "member_killed";

/** What was counted in all rounds. */
export class Tally {
  readonly #causes = new Map<Cause, { caused: number; seconds: number[] }>();
  rounds = 0;
  /** How long each round took, with its comparison. */
  readonly round_seconds: number[] = [];
  kills = 0;
  /** By domain: what its oracle counts, of its whole topic, and the batches of its log. */
  readonly of = new Map<string, Counts & { readonly batches: number }>();

  /** What all domains count, added up. */
  sum(what: keyof Counts | "batches"): number {
    return [...this.of.values()].reduce((sum, counts) => sum + counts[what], 0);
  }

  /** Counts a disturbance. */
  caused(cause: Cause): void {
    this.#of(cause).caused++;
    if (cause.endsWith("_killed")) this.kills++;
  }

  /** How often something was caused. */
  count(cause: Cause): number {
    return this.#causes.get(cause)?.caused ?? 0;
  }

  /** Counts a recovery. */
  recovered(cause: Cause, seconds: number): void {
    this.#of(cause).seconds.push(seconds);
  }

  #of(cause: Cause): { caused: number; seconds: number[] } {
    const known = this.#causes.get(cause) ?? { caused: 0, seconds: [] };
    this.#causes.set(cause, known);
    return known;
  }

  #all(): { caused: number; seconds: number[] } {
    const all = [...this.#causes.values()];
    return {
      caused: all.reduce((sum, { caused }) => sum + caused, 0),
      seconds: all.flatMap(({ seconds }) => seconds),
    };
  }

  /** The table, by cause: how often, how many recoveries, how long they took. */
  table(): string {
    const rows = [...this.#causes.entries()].toSorted(([a], [b]) => a < b ? -1 : 1);
    const line = (name: string, { caused, seconds }: { caused: number; seconds: number[] }) =>
      [name.padEnd(28), ...[caused, seconds.length].map((n) => String(n).padStart(7)), ...figures(seconds)].join(" ");
    return [
      `${"disturbance".padEnd(28)}  caused recover   p50 s   p99 s   max s`,
      ...rows.map(([name, counted]) => line(name.replaceAll("_", " "), counted)),
      line("all", this.#all()),
    ].join("\n");
  }

  /** One line of JSON for whoever keeps figures. */
  json(seed: number, seconds: number, agreed: boolean): string {
    const { caused, seconds: recoveries } = this.#all();
    const { rounds, kills } = this;
    const counted = ["messages", "events", "duplicates", "quarantined", "streams", "cells", "batches"] as const;
    return JSON.stringify({
      seed,
      rounds,
      agreed,
      disturbances: caused,
      kills,
      recoveries: recoveries.length,
      recovery_p50_s: rounded(percentile(recoveries, 0.5)),
      recovery_p99_s: rounded(percentile(recoveries, 0.99)),
      recovery_max_s: rounded(percentile(recoveries, 1)),
      ...Object.fromEntries(counted.map((what) => [what, this.sum(what)])),
      ...this.of.size > 1 ? { of: Object.fromEntries(this.of) } : {},
      round_p50_s: rounded(percentile(this.round_seconds, 0.5)),
      seconds: Math.round(seconds),
    });
  }
}

const rounded = (seconds: number | null): number | null => seconds === null ? null : Math.round(seconds * 100) / 100;

/** The smallest value that at least this share of the values does not exceed; null of none. */
function percentile(values: readonly number[], share: number): number | null {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? null;
}

const figures = (seconds: readonly number[]): string[] =>
  [0.5, 0.99, 1].map((share) => (percentile(seconds, share)?.toFixed(2) ?? "-").padStart(7));
