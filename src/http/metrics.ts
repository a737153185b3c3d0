import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** What Prometheus reads, in its text format. */

/** The figures of a domain at the moment of a scrape. Counts never go down. */
export interface MetricsReading {
  readonly position: number;
  readonly read: number;
  readonly admitted: number;
  readonly duplicates: number;
  readonly quarantined: number;
  readonly tombstones: number;
  readonly skipped: number;
  readonly late: number;
  /** Messages that wait at the source; null while unknown. */
  readonly lag: number | null;
  /** Partitions that an open transaction holds, and those that others in the consumer group read. */
  readonly held_partitions: number;
  readonly foreign_partitions: number;
  /** Tables of lookups that were read anew, and those that stay as they were since their files cannot be read. */
  readonly table_reloads: number;
  readonly stale_tables: number;
  readonly subscribers: number;
  readonly feed_frames: number;
  readonly feed_encodes: number;
  readonly feed_skipped: number;
}

type Gauged = "lag" | "position" | "subscribers" | "held_partitions" | "foreign_partitions" | "stale_tables";
type Count = Exclude<keyof MetricsReading, Gauged>;

const COUNTERS: readonly (readonly [Count, string, string])[] = [
  ["read", "tacho_messages_read_total", "Messages read from the source"],
  ["admitted", "tacho_events_admitted_total", "Events admitted to the log"],
  ["duplicates", "tacho_messages_duplicate_total", "Messages recognised as duplicates"],
  ["quarantined", "tacho_messages_quarantined_total", "Messages set aside with their reason"],
  ["tombstones", "tacho_messages_tombstone_total", "Messages without a value, of compacted topics"],
  ["skipped", "tacho_messages_skipped_total", "Messages that their mapping skips on purpose"],
  ["late", "tacho_events_late_total", "Events that came after a later minute had been seen"],
  ["table_reloads", "tacho_table_reloads_total", "Tables of lookups read anew because their files changed"],
  ["feed_frames", "tacho_feed_frames_total", "Frames sent to subscribers"],
  ["feed_encodes", "tacho_feed_encodes_total", "Distinct frames encoded"],
  ["feed_skipped", "tacho_feed_skipped_total", "Times a subscriber that did not drain was left out"],
];

export interface Metrics {
  /** Notes how long a batch of a domain took from its planning to the commit, seconds. */
  observe_batch_s(domain: string, seconds: number): void;
  /** The text that a scrape gets, and its content type. */
  text(): Promise<string>;
  readonly content_type: string;
}

/**
 * The program's metrics; of several domains each line has the label `domain`.
 * @param domains by name, what gives the figures at each scrape
 */
export function make_metrics(domains: Readonly<Record<string, () => MetricsReading>>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const several = Object.keys(domains).length > 1;
  const labelNames = several ? ["domain"] : [];
  const labels = (domain: string): Record<string, string> => several ? { domain } : {};
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames, registers });
  const position = gauge("tacho_log_position", "Position of the newest event in the log");
  const lag = gauge("tacho_source_lag", "Messages that wait at the source; NaN while unknown");
  const held = gauge("tacho_source_held_partitions", "Partitions that an open transaction holds");
  const foreign = gauge("tacho_source_foreign_partitions", "Partitions that others in the consumer group read");
  const stale = gauge("tacho_stale_tables", "Tables of lookups that stay as they were: their files cannot be read");
  const subscribers = gauge("tacho_feed_subscribers", "Open feed streams");
  const counters = COUNTERS.map(([field, name, help]) => ({
    field,
    counter: new Counter({ name, help, labelNames, registers }),
  }));
  const batches = new Histogram({
    name: "tacho_batch_seconds",
    help: "Time from a batch's planning to its commit",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    labelNames,
    registers,
  });
  for (const domain of Object.keys(domains)) batches.zero(labels(domain));
  return {
    content_type: registry.contentType,
    observe_batch_s: (domain, seconds) => batches.observe(labels(domain), seconds),
    async text() {
      // The program counts; a counter here only shows what it was told.
      for (const { counter } of counters) counter.reset();
      for (const [domain, read] of Object.entries(domains)) {
        const reading = read(), of = labels(domain);
        position.set(of, reading.position);
        lag.set(of, reading.lag ?? Number.NaN);
        held.set(of, reading.held_partitions);
        foreign.set(of, reading.foreign_partitions);
        stale.set(of, reading.stale_tables);
        subscribers.set(of, reading.subscribers);
        for (const { field, counter } of counters) counter.inc(of, reading[field]);
      }
      return await registry.metrics();
    },
  };
}
