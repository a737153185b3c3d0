import { z } from "@hono/zod-openapi";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type AlertsStanding, PHASES } from "../alerts/mod.ts";
import type { Clock } from "../runtime/mod.ts";
import type { Watermarks } from "./api/mod.ts";
import { problem, respond } from "./answers.ts";
import { is_authorized } from "./auth.ts";
import { add_endpoint, type App } from "./endpoint.ts";
import type { NamedBase } from "../domains/mod.ts";

/** One thing that must hold before requests should come here. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  /** Why it does not hold; where it does, what to know all the same, or null. */
  readonly reason: string | null;
}

export interface ReadinessSource {
  /** The domain's name. */
  readonly name: string;
  /** Asks what must hold: database, ingest. */
  readonly readiness: () => Promise<readonly ReadinessCheck[]> | readonly ReadinessCheck[];
}

interface OperationSource {
  readonly domains: readonly ReadinessSource[];
  readonly metrics: Metrics;
  readonly token: string | null;
  readonly clock: Clock;
}

const STATUS = z.object({
  status: z.literal("ok"),
  /** Of several domains: by name whether each is ready. */
  domains: z.record(z.string(), z.enum(["ok", "not ready"])).optional(),
  remarks: z.array(z.string()).optional(),
}).openapi("Status");
type Told = Pick<z.output<typeof STATUS>, "domains" | "remarks">;
const ok = ({ domains, remarks = [] }: Told = {}): Response => {
  const body = {
    status: "ok",
    ...domains === undefined ? {} : { domains },
    ...remarks.length === 0 ? {} : { remarks },
  };
  return respond(JSON.stringify(body), { "content-type": "application/json", "cache-control": "no-store" });
};

/** Adds the probes and `/metrics` to the app. */
export function add_operation_routes(app: App, source: OperationSource): void {
  const answer = { type: "application/json", schema: STATUS };
  add_endpoint(app, {
    path: "/livez",
    summary: "The process answers; touches nothing else",
    query: {},
    params: {},
    answer,
    respond: () => ok(),
  });
  for (const path of ["/readyz", "/health"]) add_readiness_route(app, path, source.domains, source);
  add_endpoint(app, {
    path: "/metrics",
    summary: "Metrics in Prometheus text format",
    query: {},
    params: {},
    answer: { type: "text/plain", schema: z.string() },
    respond: async () =>
      respond(await source.metrics.text(), {
        "content-type": source.metrics.content_type,
        "cache-control": "no-store",
      }),
  });
}

/**
 * Adds a probe of domains: ready when all of them are.
 * @param app whose document says it
 */
export function add_readiness_route(
  app: App,
  path: string,
  domains: readonly ReadinessSource[],
  source: Pick<OperationSource, "token" | "clock">,
): void {
  const ready = async (request: Request): Promise<Response> => {
    const checks = await checks_of(domains);
    const failed = checks.filter((check) => !check.ok);
    const broken = new Set(failed.map(({ domain }) => domain));
    const each = domains.length === 1 ? {} : {
      domains: Object.fromEntries(domains.map(({ name }) => [name, broken.has(name) ? "not ready" : "ok"] as const)),
    };
    if (failed.length === 0) {
      const remarks = checks.flatMap(({ of, reason }) => reason === null ? [] : [of + told(reason, request, source)]);
      return ok({ ...each, remarks });
    }
    return problem({
      status: 503,
      title: "Not ready",
      detail: `not ready: ${failed.map(({ of, name }) => of + name).join(", ")}`,
      errors: failed.map(({ of, name, reason }) => ({
        path: of + name,
        detail: told(reason ?? "no reason given", request, source),
      })),
      headers: { "retry-after": "5" },
      members: each,
    });
  };
  add_endpoint(app, {
    path,
    summary: "Database and ingest work",
    query: {},
    params: {},
    answer: { type: "application/json", schema: STATUS },
    others: { 503: "Something does not; `errors` says what" },
    respond: (_, request) => ready(request),
  });
}

/** The checks of all domains; `of` says whose each is, where there are several. */
async function checks_of(
  domains: readonly ReadinessSource[],
): Promise<(ReadinessCheck & { readonly domain: string; readonly of: string })[]> {
  const of = (name: string): string => domains.length === 1 ? "" : `${name}: `;
  const checks = await Promise.all(
    domains.map(async ({ name, readiness }) =>
      (await readiness()).map((check) => ({ ...check, domain: name, of: of(name) }))
    ),
  );
  return checks.flat();
}

/** A reason for who asks: all of it for who holds the token; of one's own machine without the addresses; since when for strangers. */
export function told(
  reason: string,
  request: Request,
  { token, clock }: Pick<OperationSource, "token" | "clock">,
): string {
  if (token === null) return without_addresses(reason);
  if (is_authorized(request, token, clock.now_ms())) return reason;
  return /^.{0,100}? since \S+Z/.exec(reason)?.[0] ?? "the reason is told to who sends the token";
}

/** What follows the words by which drivers say where they could not connect; hosts with a port; bare addresses. */
const ADDRESSES =
  /(?<=\b(?:ENOTFOUND|EAI_AGAIN|ENOENT|EACCES|E[A-Z]*CONN[A-Z]+|E[A-Z]+UNREACH|ETIMEDOUT) )\S+|\[[0-9a-f:.]+\](?::\d+)?|\b(?=[\w.-]*[a-z])[\w-]+(?:\.[\w-]+)*:\d{3,5}\b|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,8}(?![\w:])/gi;

/** Public for its test. */
export const without_addresses = (text: string): string => text.replaceAll(ADDRESSES, "an address");

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
  /** Of a program that removes cells of fine grains that are old. */
  readonly removal?: {
    /** From when on cells of a grain are kept, microseconds. */
    readonly kept: Readonly<Record<string, number>>;
    /** Rows that it has removed, and whether it is at it. */
    readonly removed: number;
    readonly running: boolean;
  };
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
  | "removal";
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
      for (const each of [watermarks, alerts, undelivered, given_up]) each.reset();
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

/** How often the browser looks again, seconds. */
const LOOK_S = 5;

const as_html = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/**
 * The page of a domain whose log is not open: says why, leads to the other domains, and gives way to the board by itself.
 * @param all every domain of the program
 */
export async function page_before(
  { name, readiness }: ReadinessSource,
  request: Request,
  all: readonly NamedBase[],
  shared: { readonly token: string | null; readonly clock: Clock },
): Promise<Response> {
  const why = (await readiness()).flatMap(({ reason }) => reason === null ? [] : [told(reason, request, shared)]);
  const links = all.filter((each) => each.name !== name).map((each) =>
    `<a class="link" href="${each.base}/">${each.name}</a>`
  );
  const html = `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="icon" href="data:,">
    <title>${name}: not open</title>
    <link rel="stylesheet" href="/static/style.css">
    <link rel="stylesheet" href="/static/login/login.css">
  </head>
  <body>
    <main class="login panel">
      <h1>tacho ${name}</h1>
      The log is not open. This is tried again, and the board comes by itself.
      <p role="status">${why.map(as_html).join("<br>")}</p>
      ${links.join(" ")}
    </main>
  </body>
</html>
`;
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    refresh: `${LOOK_S}`,
    "retry-after": `${LOOK_S}`,
  };
  return respond(html, headers, 503);
}
