import type { Query, SourceMessage } from "../support/oracle/mod.ts";
import type { Messages } from "./load.ts";
import { PAYMENTS } from "./payments.ts";
import { TRADES } from "./trades.ts";
import { TRIPS } from "./trips.ts";

/** What chaos knows of a domain: which messages to send it, and what its log must say of them. */
export interface ChaosDomain {
  readonly name: string;
  /** The PostgreSQL schema of its log; null: the one that the search path says. */
  readonly schema: string | null;
  /** The setting that names its topics. */
  readonly topics_variable: string;
  /** The group of the program's that reads them, of the one that is configured. */
  readonly group_of: (group: string) => string;
  /** Tables that a transaction of the program comes to, one after the other. */
  readonly tables: readonly string[];
  /** What a transaction of somebody else may hold. */
  readonly foreign: readonly Foreign[];
  readonly messages: (seed: number) => Messages;
  /** A sound event that is rolled back, and may be in no figure. */
  readonly rolled_back: (id: string, occurred_at: string) => Readonly<Record<string, unknown>>;
  readonly start_truth: () => Truth;
}

/** What a foreign transaction holds; what is not brief is held until the round's messages are read. */
export interface Foreign {
  readonly name: string;
  readonly statement: string;
  readonly brief: boolean;
}

/** Computes what the database must hold from the messages alone, and compares. Nothing it does shares code with the program. */
export interface Truth {
  /** Of a partition by ascending offset. */
  take(message: SourceMessage): void;
  /**
   * The database must be at rest. Gives what differs, in sentences, and what it counted.
   * @param ends the next offset of each partition: behind the last message there may be ends of transactions, and what they rolled back
   */
  compare(query: Query, ends: ReadonlyMap<number, number>): Promise<Compared>;
}

/** How a comparison came out. */
export interface Compared {
  readonly differences: readonly string[];
  readonly counts: Counts;
}

/** What the oracle counts, of all messages of a topic. */
export interface Counts {
  readonly messages: number;
  readonly events: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly streams: number;
  readonly cells: number;
}

/** The domains that chaos can disturb; the first one unless others are asked for. */
export const CHAOS_DOMAINS: readonly [ChaosDomain, ...ChaosDomain[]] = [TRIPS, PAYMENTS, TRADES];
