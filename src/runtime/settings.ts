import { z } from "zod";
import {
  database_url,
  flag,
  integer,
  is_time_zone,
  kept_days,
  mapping_list,
  server_url,
  start,
  topic_list,
} from "./setting_texts.ts";

/** Every setting: its variable, its default, what it means and how its text is read. The README's table is checked against it. */

/** One setting: its variable, what it means, its default as text (null: none) and how its text is read. */
export interface Setting<Schema extends z.ZodType, Fallback extends string | null> {
  readonly variable: string;
  readonly meaning: string;
  readonly fallback: Fallback;
  readonly schema: Schema;
}

const setting = <Schema extends z.ZodType, Fallback extends string | null>(
  variable: string,
  fallback: Fallback,
  meaning: string,
  schema: Schema,
): Setting<Schema, Fallback> => ({ variable, meaning, fallback, schema });

/** Every setting of the program. */
export const SETTINGS = {
  database_url: setting(
    "DATABASE_URL",
    null,
    "PostgreSQL 14 or newer, `postgres://user:password@host:5432/name`. Absent: PGlite in the data directory",
    database_url,
  ),
  kafka_brokers: setting(
    "KAFKA_BROKERS",
    null,
    "Kafka brokers, `host:port`, comma-separated. Absent: no topic is read; files and HTTP feed the log, in `dev` the generator",
    z.string().transform((text) => text.split(",").map((broker) => broker.trim())).pipe(
      z.array(z.string().regex(/^\[?[^\s,@]+\]?:\d+$/, "expected host:port")).min(1),
    ),
  ),
  host: setting(
    "HOST",
    "127.0.0.1",
    "Address the page is served on; another than loopback needs TACHO_TOKEN",
    z.string().min(1),
  ),
  port: setting("PORT", "8000", "Port of the page; 0 takes a free one", integer(0, 65535)),
  domains: setting(
    "TACHO_DOMAINS",
    "trips",
    "Domains that are served, comma-separated: `trips`, `payments`, `trades`; other verbs work on the first, or on that of `--domain`",
    z.string().transform((text) => text.split(",").map((name) => name.trim())).pipe(
      z.array(z.string().regex(/^[a-z]+$/, "expected names of domains")).min(1)
        .refine((names) => new Set(names).size === names.length, "names a domain twice"),
    ),
  ),
  topics: setting(
    "TACHO_TOPICS",
    "trips",
    "Topics with its events, comma-separated; of another domain `TACHO_TRADES_TOPICS`, its own unless set",
    topic_list,
  ),
  mappings: setting(
    "TACHO_MAPPINGS",
    null,
    "Topics whose messages are other records, `topic=name-or-file`, comma-separated; see `tacho mapping list`; of another domain `TACHO_TRADES_MAPPINGS`",
    mapping_list,
  ),
  lookups: setting(
    "TACHO_LOOKUPS",
    null,
    "Tables that these mappings look up in, `name=file` or `name=file:column`, comma-separated; read again when a file changes",
    z.string().transform((text) => text.split(",").map((table) => table.trim())).pipe(
      z.array(z.string().regex(/^[^=]+=./, "expected name=file or name=file:column")),
    ),
  ),
  read_model: setting(
    "TACHO_READ_MODEL",
    "log",
    "Who writes states and cells: `log`: tacho, from its log; `flink`: a Flink job, in a database that `tacho migrate` has prepared with this setting; see docs/scale.md",
    z.enum(["log", "flink"], { error: "expected log or flink" }),
  ),
  flink_gateway: setting(
    "TACHO_FLINK_GATEWAY",
    null,
    "Flink's SQL gateway, `http://host:port`, which `tacho flink submit` gives its statements",
    server_url("http://host:port"),
  ),
  flink_job_manager: setting(
    "TACHO_FLINK_JOBMANAGER",
    null,
    "Flink's JobManager, `http://host:port`: which `tacho flink` and `serve --read-model flink` ask how the job does",
    server_url("http://host:port"),
  ),
  start: setting(
    "TACHO_START",
    "earliest",
    "Where a topic begins that was never read: `earliest`, or `latest`: at its end, once, on record; of one domain `TACHO_TRADES_START`",
    start,
  ),
  group: setting("TACHO_GROUP", "tacho", "Kafka consumer group", z.string().min(1)),
  session_seconds: setting(
    "TACHO_SESSION_SECONDS",
    "10",
    "Another instance takes over after so long without a sign of life; brokers refuse less than 6 by default",
    integer(1, 300),
  ),
  partitions: setting("TACHO_PARTITIONS", "4", "Partitions of a topic that tacho creates", integer(1, 10_000)),
  replication: setting("TACHO_REPLICATION", "1", "Replication factor of a topic that tacho creates", integer(1, 15)),
  kafka_tls: setting("TACHO_KAFKA_TLS", "false", "Speak TLS to the brokers", flag),
  kafka_sasl: setting(
    "TACHO_KAFKA_SASL",
    null,
    "SASL mechanism",
    z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
  ),
  kafka_username: setting("TACHO_KAFKA_USERNAME", null, "SASL user name", z.string().min(1)),
  kafka_password: setting("TACHO_KAFKA_PASSWORD", null, "SASL password", z.string().min(1)),
  time_zone: setting(
    "TACHO_TIME_ZONE",
    "UTC",
    "Business time zone: where a day begins. Set for a database at its first start; `tacho rebuild` changes it",
    z.string().refine(is_time_zone, "expected an IANA time zone such as Europe/Berlin"),
  ),
  currency: setting(
    "TACHO_CURRENCY",
    "USD",
    "The currency of amounts. Where they are of one, events in another are quarantined; where they are of several, it is meant unless another is named. Fixed for a database at its first start",
    z.string().regex(/^[A-Z]{3}$/, "expected three capital letters"),
  ),
  h3_resolution: setting(
    "TACHO_H3_RESOLUTION",
    null,
    "Resolution of the H3 cells that places are counted by, 0 to 15, or `off`. Set for a database at its first start, to 8 if absent; `tacho rebuild` changes it",
    z.string().regex(/^(?:\d|1[0-5]|off)$/, "expected a whole number from 0 to 15, or off")
      .transform((text): number | "off" => text === "off" ? text : Number(text)),
  ),
  metrics_h3: setting(
    "TACHO_METRICS_H3",
    null,
    "The dimension whose keys the ids of `/metrics/h3` are, such as one of zones where events have no coordinates; H3 cells if absent",
    z.string().regex(/^[a-z][a-z0-9_]*$/, "expected the name of a dimension"),
  ),
  zones: setting(
    "TACHO_ZONES",
    null,
    "A GeoJSON file with the areas of zones, by which the map shows them; read at the start",
    z.string().min(1),
  ),
  zones_key: setting(
    "TACHO_ZONES_KEY",
    "key",
    "The property of areas, or the column of names, that has the id of a zone as events name it",
    z.string().min(1),
  ),
  zones_name: setting("TACHO_ZONES_NAME", "name", "The one that has its name", z.string().min(1)),
  zone_names: setting(
    "TACHO_ZONE_NAMES",
    null,
    "A CSV file with the names of zones, which the page tells them by; read at the start",
    z.string().min(1),
  ),
  outline: setting(
    "TACHO_OUTLINE",
    null,
    "A GeoJSON file of lines behind the map, such as of water or streets; read at the start",
    z.string().min(1),
  ),
  forgettable: setting(
    "TACHO_FORGETTABLE",
    null,
    "true: events are kept with aliases for the persons that they name, so that `tacho forget` can forget one. On for a database from then on, and for good",
    flag,
  ),
  token: setting(
    "TACHO_TOKEN",
    null,
    "Bearer token that the API and the page then ask for",
    z.string().min(16, "expected at least 16 characters"),
  ),
  allowed_hosts: setting(
    "TACHO_ALLOWED_HOSTS",
    null,
    "Names the page may be asked for by, comma-separated, besides localhost. Absent: any with TACHO_TOKEN, else localhost alone",
    z.string().transform((text) => text.split(",").map((host) => host.trim().toLowerCase())).pipe(
      z.array(z.string().regex(/^(?:\[[0-9a-f:.]+\]|[a-z0-9._~-]+)$/, "expected host names, without port")).min(1),
    ),
  ),
  embed_in: setting(
    "TACHO_EMBED_IN",
    null,
    "Origins whose pages may show parts of boards in frames, comma-separated, such as https://wiki.example.com; absent: none",
    z.string().transform((text) => text.split(",").map((origin) => origin.trim())).pipe(
      z.array(
        z.string().regex(
          /^https?:\/\/(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/,
          "expected origins such as https://wiki.example.com, in small letters and without a path",
        ),
      ).min(1),
    ),
  ),
  data_dir: setting(
    "TACHO_DATA_DIR",
    ".tacho",
    "Where the embedded database lives; replay and verify sort there",
    z.string().min(1),
  ),
  future_limit_minutes: setting(
    "TACHO_FUTURE_LIMIT_MINUTES",
    "60",
    "Event times later than this after the time of reading are quarantined",
    integer(0, 525_600),
  ),
  max_message_bytes: setting(
    "TACHO_MAX_MESSAGE_BYTES",
    "1048576",
    "Larger messages are quarantined",
    integer(1_000, 100_000_000),
  ),
  batch_messages: setting("TACHO_BATCH_MESSAGES", "20000", "Most messages of one transaction", integer(1, 200_000)),
  quarantine_per_minute: setting(
    "TACHO_QUARANTINE_PER_MINUTE",
    "10000",
    "More quarantined messages than this in a minute stop ingest loudly",
    integer(1, 100_000_000),
  ),
  feed_per_address: setting(
    "TACHO_FEED_PER_ADDRESS",
    "200",
    "Most open feeds of one address; behind a reverse proxy all viewers have the proxy's",
    integer(1, 1_000_000),
  ),
  keep_cells: setting(
    "TACHO_KEEP_CELLS",
    "off",
    "How long cells of minutes and five minutes are kept, `1m:90d,5m:365d`; older ones are removed by `serve`; of one domain `TACHO_TRADES_KEEP_CELLS`; see docs/keeping.md",
    kept_days,
  ),
  export_daily: setting(
    "TACHO_EXPORT_DAILY",
    null,
    "Where `serve` keeps the documents of whole days, as `tacho export daily --follow` does: a folder, or `s3://bucket/prefix`",
    z.string().min(1),
  ),
  signing_key: setting(
    "TACHO_SIGNING_KEY",
    null,
    "File with the Ed25519 key (PEM, PKCS#8) that checkpoints of the log are signed with; see docs/proof.md",
    z.string().min(1),
  ),
  checkpoints: setting(
    "TACHO_CHECKPOINTS",
    null,
    "Where signed checkpoints are written for others to hold: a folder, or `s3://bucket/prefix`",
    z.string().min(1),
  ),
  checkpoint_webhook: setting(
    "TACHO_CHECKPOINT_WEBHOOK",
    null,
    "URL that each signed checkpoint is sent to by POST",
    z.string().regex(/^https?:\/\/[^\s/?#@]+[^\s#@]*$/, "expected https://host/path"),
  ),
  checkpoint_batches: setting(
    "TACHO_CHECKPOINT_BATCHES",
    "10000",
    "A checkpoint is signed after so many batches",
    integer(1, 1_000_000_000),
  ),
  checkpoint_minutes: setting(
    "TACHO_CHECKPOINT_MINUTES",
    "10",
    "… and where there are new batches after so many minutes, and at the end of the program",
    integer(1, 525_600),
  ),
  publish: setting(
    "TACHO_PUBLISH",
    null,
    "Topics that `serve` and `tacho publish` keep up with the log: `all`, or names such as `enriched.driver,aggregated.driver`, comma-separated; see docs/publishing.md",
    z.union([z.literal("all"), topic_list]),
  ),
  alerts: setting(
    "TACHO_ALERTS",
    null,
    "File with rules of alerts and with who is told, JSON; see docs/alerts.md",
    z.string().min(1),
  ),
  alert_secret: setting(
    "TACHO_ALERT_SECRET",
    null,
    "What webhooks of alerts and reports are signed with, where the file names none of their own",
    z.string().min(16, "expected at least 16 characters"),
  ),
  reports: setting(
    "TACHO_REPORTS",
    null,
    "File with reports that are sent to webhooks at set times, JSON; see docs/reports.md",
    z.string().min(1),
  ),
  smtp_url: setting(
    "TACHO_SMTP_URL",
    null,
    "Where e-mail of alerts is handed in: `smtp://user:password@host:587`, or `smtps://` for TLS from the first byte",
    z.string().regex(/^smtps?:\/\/[^\s/?#]+\/?$/, "expected smtp://user:password@host:port"),
  ),
  s3_access_key_id: setting("AWS_ACCESS_KEY_ID", null, "Access key of S3, for exports and archives", z.string().min(1)),
  s3_secret_access_key: setting("AWS_SECRET_ACCESS_KEY", null, "Secret key of S3", z.string().min(1)),
  s3_session_token: setting("AWS_SESSION_TOKEN", null, "Session token of S3", z.string().min(1)),
  s3_region: setting("AWS_REGION", "us-east-1", "Region of S3", z.string().regex(/^[a-z0-9-]+$/, "expected a region")),
  s3_endpoint: setting(
    "AWS_ENDPOINT_URL",
    null,
    "Another S3 server than Amazon's, `https://host:port`",
    server_url("https://host:port"),
  ),
  rate: setting(
    "TACHO_RATE",
    "0.5",
    "Streams a second of the generator in `dev`, of each domain in proportion; 0: nothing is generated",
    z.coerce.number().nonnegative().max(100_000),
  ),
  seed: setting("TACHO_SEED", "1", "Seed of the generator in `dev`", integer(0, 4_294_967_295)),
  log_level: setting(
    "TACHO_LOG_LEVEL",
    "info",
    "debug, info, warn or error",
    z.enum(["debug", "info", "warn", "error"]),
  ),
} as const;

/** How the settings of one domain are read, by the end of their names. */
export const OF_DOMAIN = { TOPICS: topic_list, MAPPINGS: mapping_list, START: start, KEEP_CELLS: kept_days };
