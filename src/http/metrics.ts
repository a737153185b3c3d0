import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type AlertsStanding, PHASES } from "../alerts/mod.ts";
import type { Watermarks } from "./api/mod.ts";

/** What Prometheus reads, in its text format. */

/** The figures of a domain at the moment of a scrape. Counts never go down. */
export interface MetricsReading extends Watermarks {
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
  /** Posted messages that were set aside and were in quarantine already. */
  readonly repeated: number;
  /** Gaps that were noticed and are not accepted. */
  readonly open_gaps: number;
  /** Tables of lookups that were read anew, and those that stay as they were since their files cannot be read. */
  readonly table_reloads: number;
  readonly stale_tables: number;
  /** Of a program that publishes topics, or would if no other one did. */
  readonly publishing?: {
    /** Events that are in the log and not yet in the topics; null while unknown. */
    readonly lag: number | null;
    /** Messages that were acknowledged, whoever sent them, and whether this program sends them. */
    readonly messages: number;
    readonly holds: boolean;
  };
  /** Of a program that looks at rules of alerts, or tells how they stand. */
  readonly alerts?: AlertsStanding;
  /** Of a program that sends reports; `receiver` is the name of one. */
  readonly reports?: Pick<AlertsStanding, "deliveries" | "troubles">;
  /** Of a program that removes cells of fine grains that are old. */
  readonly removal?: {
    /** From when on cells of a grain are kept, microseconds. */
    readonly kept: Readonly<Record<string, number>>;
    /** Rows that it has removed, and whether it is at it. */
    readonly removed: number;
    readonly running: boolean;
  };
  /** Of a log that lacked something when it was opened: how much of it is filled in, in percent; null: it lacks nothing. */
  readonly filling?: { readonly percent: number } | null;
  readonly subscribers: number;
  readonly feed_frames: number;
  readonly feed_encodes: number;
  readonly feed_skipped: number;
}

type Gauged =
  | "lag"
  | "position"
  | "subscribers"
  | "held_partitions"
  | "foreign_partitions"
  | "open_gaps"
  | "stale_tables"
  | "publishing"
  | "alerts"
  | "reports"
  | "removal"
  | "filling";
type Count = Exclude<keyof MetricsReading, Gauged | keyof Watermarks>;

const COUNTERS: readonly (readonly [Count, string, string])[] = [
  ["read", "tacho_messages_read_total", "Messages read from the source"],
  ["admitted", "tacho_events_admitted_total", "Events admitted to the log"],
  ["duplicates", "tacho_messages_duplicate_total", "Messages recognised as duplicates"],
  ["quarantined", "tacho_messages_quarantined_total", "Messages set aside with their reason"],
  [
    "repeated",
    "tacho_messages_repeated_total",
    "Faulty messages posted again: those of the quarantined that it had already",
  ],
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
 * @param domains by name, what gives the figures at each scrape; null while there are none
 */
export function make_metrics(domains: Readonly<Record<string, () => MetricsReading | null>>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const several = Object.keys(domains).length > 1;
  const labelNames = several ? ["domain"] : [];
  const labels = (domain: string): Record<string, string> => several ? { domain } : {};
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames, registers });
  const open = gauge("tacho_log_open", "1 while the log is open; 0 while it is being opened, or cannot be");
  const position = gauge("tacho_log_position", "Position of the newest event in the log");
  const lag = gauge("tacho_source_lag", "Messages that wait at the source; NaN while unknown");
  const held = gauge("tacho_source_held_partitions", "Partitions that an open transaction holds");
  const foreign = gauge("tacho_source_foreign_partitions", "Partitions that others in the consumer group read");
  const gaps = gauge("tacho_source_gaps", "Partitions with a gap that was noticed and is not accepted");
  const watermark = gauge(
    "tacho_watermark_seconds",
    "Newest event time of the log, seconds since 1970; NaN without an event",
  );
  const watermarks = new Gauge({
    name: "tacho_partition_watermark_seconds",
    help:
      "Newest event time admitted from a partition, seconds since 1970; an event is late by tacho_watermark_seconds, whatever its partition",
    labelNames: [...labelNames, "topic", "partition"],
    registers,
  });
  const stale = gauge("tacho_stale_tables", "Tables of lookups that stay as they were: their files cannot be read");
  const publish_lag = gauge("tacho_publish_lag", "Events of the log that are not yet in the topics; NaN while unknown");
  const publish_holds = gauge("tacho_publish_holds", "1 while this program is the one that publishes the log");
  const published = new Counter({
    name: "tacho_published_messages_total",
    help: "Messages of the log's topics that the brokers acknowledged, whichever program sent them",
    labelNames,
    registers,
  });
  const alerts = new Gauge({
    name: "tacho_alerts",
    help: "Rules of alerts: 1 for the state that each is in, 0 for the others",
    labelNames: [...labelNames, "rule", "state"],
    registers,
  });
  const of_receivers = { labelNames: [...labelNames, "receiver"], registers };
  const undelivered = new Gauge({
    name: "tacho_alerts_undelivered",
    help: "Changes of alerts that a receiver has not taken yet",
    ...of_receivers,
  });
  const given_up = new Gauge({
    name: "tacho_alerts_given_up",
    help: "Changes of alerts of the last 90 days that a receiver did not take and is not told of any more",
    ...of_receivers,
  });
  const blind = gauge("tacho_alerts_in_trouble", "Rules of alerts that cannot be looked at");
  const of_reports = { labelNames: [...labelNames, "report"], registers };
  const unsent = new Gauge({
    name: "tacho_reports_undelivered",
    help: "1 for a report that was due and that its receiver has not taken yet",
    ...of_reports,
  });
  const unsent_for_good = new Gauge({
    name: "tacho_reports_given_up",
    help: "How often in the last 90 days its receiver did not take a report that is not sent any more",
    ...of_reports,
  });
  const unmade = gauge("tacho_reports_in_trouble", "Reports that are due and cannot be made");
  const kept_from = new Gauge({
    name: "tacho_cells_kept_from_seconds",
    help: "From when on cells of a grain are kept, by the event time of their buckets, seconds since 1970",
    labelNames: [...labelNames, "grain"],
    registers,
  });
  const removing = gauge("tacho_cells_removing", "1 while this program removes cells that are not kept any more");
  const removed = new Counter({
    name: "tacho_cells_removed_total",
    help: "Cells, sketches and published windows that this program has removed since they are not kept any more",
    labelNames,
    registers,
  });
  const filled = gauge(
    "tacho_filled_percent",
    "How much of the log is filled in with what earlier versions did not count; figures made of it are not known below 100",
  );
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
      for (const each of [watermarks, alerts, undelivered, given_up, unsent, unsent_for_good]) each.reset();
      published.reset();
      kept_from.reset();
      removed.reset();
      for (const [domain, read] of Object.entries(domains)) {
        const reading = read(), of = labels(domain);
        open.set(of, reading === null ? 0 : 1);
        if (reading === null) continue;
        position.set(of, reading.position);
        lag.set(of, reading.lag ?? Number.NaN);
        held.set(of, reading.held_partitions);
        foreign.set(of, reading.foreign_partitions);
        watermark.set(of, reading.watermark_us === null ? Number.NaN : reading.watermark_us / 1e6);
        for (const { topic, partition, watermark_us } of reading.partitions) {
          watermarks.set({ ...of, topic, partition }, watermark_us / 1e6);
        }
        gaps.set(of, reading.open_gaps);
        stale.set(of, reading.stale_tables);
        // Of all of the log it is filled in, and not switched in yet.
        filled.set(of, reading.filling == null ? 100 : Math.min(reading.filling.percent, 99));
        subscribers.set(of, reading.subscribers);
        if (reading.publishing !== undefined) {
          const { lag, messages, holds } = reading.publishing;
          publish_lag.set(of, lag ?? Number.NaN);
          publish_holds.set(of, holds ? 1 : 0);
          published.inc(of, messages);
        }
        if (reading.alerts !== undefined) {
          for (const { name: rule, phase } of reading.alerts.rules) {
            for (const state of PHASES) alerts.set({ ...of, rule, state }, state === phase ? 1 : 0);
          }
          for (const { receiver, waiting, given_up: lost } of reading.alerts.deliveries) {
            undelivered.set({ ...of, receiver }, waiting);
            given_up.set({ ...of, receiver }, lost);
          }
          blind.set(of, reading.alerts.troubles.size);
        }
        if (reading.reports !== undefined) {
          for (const { receiver: report, waiting, given_up: lost } of reading.reports.deliveries) {
            unsent.set({ ...of, report }, waiting);
            unsent_for_good.set({ ...of, report }, lost);
          }
          unmade.set(of, reading.reports.troubles.size);
        }
        if (reading.removal !== undefined) {
          const { kept, removed: rows, running } = reading.removal;
          for (const [grain, us] of Object.entries(kept)) kept_from.set({ ...of, grain }, us / 1e6);
          removing.set(of, running ? 1 : 0);
          removed.inc(of, rows);
        }
        for (const { field, counter } of counters) counter.inc(of, reading[field]);
      }
      return await registry.metrics();
    },
  };
}
