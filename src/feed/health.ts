/** The state of the program as the page shows it: part of hello, kpi and hb frames. */
export interface Health {
  readonly ingest: {
    readonly state: "starting" | "running" | "paused" | "stopped";
    readonly reason: string | null;
    readonly since_ms: number;
    /** What an operator can do, where it is known. */
    readonly advice?: string;
    /** What messages come from; none: files and HTTP alone feed the log; elsewhere: another program does, this one only reads. */
    readonly source: "generator" | "kafka" | "none" | "elsewhere";
  };
  readonly database: DatabaseHealth;
  /** When the newest batch was recorded; null when none was. */
  readonly recorded_ms: number | null;
  /** Messages that wait at the source; null while unknown. */
  readonly lag: number | null;
  /** Null while unknown. */
  readonly events_per_s: number | null;
  readonly late: number;
  readonly duplicates: number;
  /** Messages held in quarantine now. */
  readonly quarantined: number;
  readonly position: number;
}

/** Whether the database answers, since when, and why not. */
export interface DatabaseHealth {
  readonly ok: boolean;
  readonly since_ms: number;
  readonly reason: string | null;
  /** It is there, and owes an answer since then; absent when it answers as it should. */
  readonly slow_since_ms?: number;
  /** It answers and takes nothing in: since when and why; absent when it can be written to. */
  readonly read_only?: { readonly since_ms: number; readonly reason: string };
}

/** What makes two healths tell a viewer the same: a change of it is sent at once. */
export function health_state(health: Health): string {
  const { ingest, database } = health;
  return JSON.stringify([
    ingest.state,
    ingest.reason,
    ingest.source,
    database.ok,
    database.slow_since_ms !== undefined,
  ]);
}
