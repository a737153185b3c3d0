import type { StreamNames } from "./board.ts";
import type { Domain } from "./domain.ts";
import type { Fields } from "./fields.ts";

/** What a domain's figures are made by in a deployment. */
export interface DeploymentTerms {
  /** The one currency whose amounts are added up. */
  readonly currency: string;
  /** Resolution of the H3 cells of places, 0 to 15; without one places are not indexed and no cells are kept by them. */
  readonly h3_resolution?: number | null;
  /** The dimension that is told as the entity `h3`; null or absent: the first of those that may be. */
  readonly metrics_h3?: string | null;
}

/** How an event takes back what another one said: rows of a file that do so belong to rows among their equals. */
export interface Reversal {
  readonly type: string;
  /** The data that says what it takes back, negative. */
  readonly amount: string;
  /** The type of what is taken back, and the data that has its amount. */
  readonly of_type: string;
  readonly of_amount: string;
}

/** A message as a producer would send it, and when. */
export interface GeneratedMessage {
  /** When it is sent, microseconds on the generator's clock: a moment after its event time, or minutes when it is late. */
  readonly deliver_us: number;
  /** The id of its stream. Malformed messages have it too. */
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Messages without end, in order of delivery. */
export interface GeneratedMessages {
  /** Those that are due at or before a time, at most `limit` of them. */
  take_due(now_us: number, limit?: number): GeneratedMessage[];
}

/** What generated streams follow from: the same plan gives the same streams. */
export interface GeneratorPlan {
  readonly seed: number;
  /** Streams a second of event time, on the average of a week. */
  readonly rate: number;
  readonly currency: string;
  /** Where they begin, microseconds since the epoch. */
  readonly start_us: number;
}

/** What is laid over generated streams, or known of a run, without changing what follows from the plan. */
export interface GeneratorRun {
  /** The business time zone: its rush hours are the generated ones. */
  readonly time_zone: string;
  /** What stands before the number in the ids of streams. */
  readonly prefix: string;
  /** Streams of an earlier run that are to be finished first: their ids and states. */
  readonly open?: readonly { readonly stream_id: string; readonly state: unknown }[];
  /** Shares (0 to 1) of good messages that are sent minutes late, sent a second time, or follow a broken copy of themselves. */
  readonly late?: number;
  readonly duplicates?: number;
  readonly malformed?: number;
}

/** Something out of the ordinary that a plan has on purpose. */
export interface Planted {
  readonly kind: string;
  readonly from_us: number;
  readonly until_us: number;
  /** What it is about: a key by each dimension that it shows in. */
  readonly keys: Readonly<Record<string, string>>;
}

/** How a domain invents its events. */
export interface Generator {
  /** The letter that ids of generated streams begin with. */
  readonly letter: string;
  /** How many streams `dev` invents a second for each of TACHO_RATE. */
  readonly per_rate: number;
  /** The SQL condition by which a row of the state table is of a stream that goes on. */
  readonly open: string;
  /** What it can be asked for that others cannot: shares (0 to 1) by the names of options of `tacho produce`, and what help says of them; absent: nothing. */
  readonly own_shares?: readonly { readonly option: string; readonly says: string }[];
  /** A plan with the domain's own wishes, as the command line gives them; what is not asked for is not named. */
  readonly plan: (plan: GeneratorPlan, wishes: Readonly<Record<string, unknown>>) => GeneratorPlan;
  readonly messages: (plan: GeneratorPlan, run: GeneratorRun) => GeneratedMessages;
  /** What a plan has on purpose, wholly between its start and a time, in order: what looks for anomalies can be held to it. */
  readonly planted: (plan: GeneratorPlan, until_us: number) => readonly Planted[];
}

/** A domain before its deployment is known: what the program's verbs need of it, and how it is made for one. */
export interface DeclaredDomain extends StreamNames {
  readonly name: string;
  /** In the order in which a stream usually sees them. */
  readonly event_types: readonly string[];
  readonly fields: Fields;
  readonly make: (terms: DeploymentTerms) => Domain;
  /** The definitions of the mappings that come with it, in the order in which they are listed. */
  readonly mappings: readonly unknown[];
  /** The topics that it is fed by unless the configuration says others, and by which mapping their records are read; none: they are its events. */
  readonly topics: readonly { readonly topic: string; readonly mapping?: string }[];
  /** Names that lists of its records have in documents around them; absent: only the usual ones. */
  readonly record_lists?: readonly string[];
  /** The dimensions whose keys may be told as the entity `h3`; the first one are unless the configuration says another; absent: none may. */
  readonly h3_entities?: readonly string[];
  readonly reversal: Reversal | null;
  /** A measure that cells got later; absent: there is none. */
  readonly later_measure?: string;
  /** What is made of states since a later version, and what a fact adds of it, by its name; absent: nothing. */
  readonly later_value?: string;
  readonly generator: Generator | null;
}
