import { column_measures, date_column, is_dated, type Measure } from "../../kpi/mod.ts";
import type { Domain } from "../../domains/mod.ts";
import { adding, cells_of, currency_of, field_of, folding, state_column, totals_of, valued_lists } from "./folding.ts";
import { decoding, PLACE, readings_of } from "./reading.ts";
import {
  dated_by,
  dated_value,
  moment_text,
  name_sql,
  options_sql,
  reads_of,
  text_sql,
  view_sql,
} from "./expressions.ts";

/** How brokers are spoken to: over TLS, and with which login; null: none. */
interface KafkaSecurity {
  readonly tls: boolean;
  readonly sasl: {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    readonly username: string;
    readonly password: string;
  } | null;
}

/** Where a job reads and writes, and what it refuses. */
export interface FlinkPlaces {
  /** Brokers of Kafka as a job reaches them: `host:port`, comma-separated. */
  readonly brokers: string;
  /** How it is let in there. */
  readonly security?: KafkaSecurity;
  readonly topics: readonly string[];
  readonly group: string;
  /** The topic that messages are set aside in; it has to be there. */
  readonly quarantine_topic: string;
  readonly database: { readonly host: string; readonly name: string; readonly user: string; readonly password: string };
  /** The PostgreSQL schema of the domain's tables; null: the one that the search path says. */
  readonly schema: string | null;
  /** The business time zone. */
  readonly time_zone: string;
  /** Event times later than this after now are refused, milliseconds. */
  readonly future_limit_ms: number;
  readonly max_message_bytes: number;
}

/**
 * The statements of Flink SQL (2.3) that do with a domain's topics what tacho does: its messages become events, events states, states cells in
 * the same tables. Pure; throws an Error that names what of a declaration cannot be said in SQL.
 */
export function flink_sql(domain: Domain, places: FlinkPlaces): readonly string[] {
  const uncompiled = uncompiled_of(domain);
  if (uncompiled.length > 0) {
    throw new Error(
      `compile ${domain.name} to Flink SQL: expected what a declaration says in full, got ${uncompiled.join("; ")}`,
    );
  }
  const readings = readings_of(domain), { numbered, states } = folding(domain, readings);
  return [
    ...settings(domain, places),
    ...sources(places),
    view_sql(decoding(domain, readings, places)),
    view_sql(numbered),
    view_sql(states),
    view_sql([adding(domain)]),
    view_sql(cells_of(domain, places.time_zone)),
    ...domain.tables.totals === null ? [] : [view_sql([totals_of(domain)])],
    ...sinks(domain, places),
  ];
}

/** What a declaration says that only code can do, in words; none: it can be compiled. */
export function uncompiled_of(domain: Domain): readonly string[] {
  const { declared, event_types, fields } = domain;
  const faults: string[] = [];
  if (!declared.folds_by_fields) {
    faults.push("a fold by code of its own, as cells of places are");
  }
  for (const type of event_types) {
    if (fields(type, 2) !== null || fields(type, 1) === null) {
      faults.push(`events ${type} of an earlier version, which code brings up`);
    }
  }
  for (const [field, { type, in: named_in }] of Object.entries(declared.fields)) {
    if (named_in !== undefined && reads_of(type) === null) {
      faults.push(`field ${field}, of a type that code reads: ${type.what}`);
    }
  }
  for (const [field, { made }] of Object.entries(declared.derived)) {
    if (made === undefined) faults.push(`what is derived as ${field}, by code`);
  }
  for (const fact of declared.facts) {
    const lists = valued_lists(domain, fact);
    if (lists.length > 1) faults.push(`a fact that adds the values of several lists: ${lists.join(", ")}`);
  }
  return faults;
}

/** What holds for the session and the job. Days begin by the session's time zone. */
function settings({ name }: Domain, { time_zone }: FlinkPlaces): string[] {
  const values = {
    "pipeline.name": `tacho ${name}`,
    "table.local-time-zone": time_zone,
    "execution.runtime-mode": "streaming",
    // What was added and taken away since the last checkpoint has to be written again after a failure, not folded into nothing.
    "table.exec.mini-batch.enabled": "false",
    // The keys of what is written are those of the tables.
    "table.exec.sink.require-on-conflict": "false",
    "table.exec.sink.upsert-materialize": "NONE",
    // Rows go from step to step as they are: nothing here keeps one that it was handed, and JDBC's sink copies what it buffers.
    "pipeline.object-reuse": "true",
    // What several statements read is worked out once.
    "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
  };
  return Object.entries(values).map(([key, value]) => `SET ${text_sql(key)} = ${text_sql(value)}`);
}

/** The options of Kafka's client in Flink's connector for SQL, whose jar has its classes under a name of their own. */
function kafka_options({ brokers, security }: FlinkPlaces): Readonly<Record<string, string>> {
  const { tls = false, sasl = null } = security ?? {};
  const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, (mark) => `\\${mark}`)}"`;
  const module = sasl?.mechanism === "plain" ? "plain.Plain" : "scram.Scram";
  return {
    "properties.bootstrap.servers": brokers,
    ...tls || sasl !== null
      ? { "properties.security.protocol": `${sasl === null ? "" : "SASL_"}${tls ? "SSL" : "PLAINTEXT"}` }
      : {},
    ...sasl === null ? {} : {
      "properties.sasl.mechanism": sasl.mechanism.toUpperCase(),
      "properties.sasl.jaas.config":
        `org.apache.flink.kafka.shaded.org.apache.kafka.common.security.${module}LoginModule required ` +
        `username=${quoted(sasl.username)} password=${quoted(sasl.password)};`,
    },
  };
}

function sources(places: FlinkPlaces): string[] {
  const { topics, group } = places;
  return [
    `CREATE TEMPORARY TABLE messages (
  \`value\` BYTES,
  \`message_key\` STRING,
  \`topic\` STRING METADATA VIRTUAL,
  \`partition\` INT METADATA VIRTUAL,
  \`offset\` BIGINT METADATA VIRTUAL,
  \`headers\` MAP<STRING, BYTES> METADATA VIRTUAL,
  \`seen\` AS PROCTIME()
) ${
      options_sql({
        connector: "kafka",
        topic: topics.join(";"),
        ...kafka_options(places),
        "properties.group.id": group,
        // Only what is committed: messages of transactions that were aborted are none.
        "properties.isolation.level": "read_committed",
        "scan.startup.mode": "earliest-offset",
        "key.format": "raw",
        "key.fields": "message_key",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
      })
    }`,
  ];
}

const SQL_TYPES: Readonly<Record<string, string>> = { bigint: "BIGINT", integer: "INT", "double precision": "DOUBLE" };

/** What a TaskManager that died had sent is not to be written after what goes on from its checkpoint: PostgreSQL gives it up within a second. */
const ENDS_WITH_CLIENT = "-c%20client_connection_check_interval%3D1000";

/** A table of PostgreSQL. Texts are sent without a type: PostgreSQL reads times, which have a zone there, and numbers out of them. */
function jdbc_table(
  { database: { host, name, user, password }, schema }: FlinkPlaces,
  table: string,
  columns: readonly (readonly [name: string, type: string])[],
  key: readonly string[],
): string {
  const own = schema === null ? "" : `&currentSchema=${schema}`;
  return `CREATE TEMPORARY TABLE ${name_sql(`${table}_table`)} (
${columns.map(([column, type]) => `  ${name_sql(column)} ${type}`).join(",\n")},
  PRIMARY KEY (${key.map(name_sql).join(", ")}) NOT ENFORCED
) ${
    options_sql({
      connector: "jdbc",
      url: `jdbc:postgresql://${host}/${name}?stringtype=unspecified${own}&options=${ENDS_WITH_CLIENT}`,
      "table-name": table,
      username: user,
      password,
      "sink.buffer-flush.max-rows": "20000",
      "sink.buffer-flush.interval": "1s",
      "sink.max-retries": "10",
    })
  }`;
}

/** The columns of a measure in its table, with their types and SQL. */
function measure_columns(measure: Measure): readonly (readonly [name: string, type: string, sql: string])[] {
  const { name, kind } = measure, value = name_sql(name);
  if (!is_dated(kind)) return [[name, kind === "sum" ? "DECIMAL(38, 0)" : "BIGINT", value]];
  return [[name, "BIGINT", dated_value(value)], [date_column(measure), "STRING", dated_by(value)]];
}

/** The tables that are written, and the one statement that writes them all. */
function sinks(domain: Domain, places: FlinkPlaces): string[] {
  const { tables, stream_column, columns } = domain;
  const states = [
    [stream_column, "STRING", "o.stream_id"],
    ["revision", "INT", "o.revision"],
    ...columns.map(({ name, type }) => [name, SQL_TYPES[type] ?? "STRING", state_column(field_of(domain, name), type)]),
    ["last_occurred_at", "STRING", moment_text("o.last_us")],
    ["last_event_id", "STRING", "o.last_event_id"],
  ] as const;
  const currency = currency_of(domain), key = ["grain", "dimension", "bucket", ...currency, "key"];
  const measures = column_measures(domain.measures);
  const written = (view: string, table: string, own: readonly string[], of: readonly Measure[]) => {
    const all = [
      ...own.map((name) => [name, "STRING", name_sql(name)] as const),
      ...of.flatMap(measure_columns),
    ];
    return { view, table, all, key: own };
  };
  const totals = domain.dimensions.find(({ totals }) => totals !== undefined)?.totals ?? [];
  const sinks = [
    { view: "states", table: tables.states, all: states, key: [stream_column] },
    written("cells", tables.cells, key, measures),
    ...tables.totals === null ? [] : [written(
      "totals",
      tables.totals,
      ["dimension", ...currency, "key"],
      measures.filter(({ name }) => totals.includes(name)),
    )],
  ];
  const quarantine = `CREATE TEMPORARY TABLE quarantine (
  reason STRING, path STRING, \`topic\` STRING, \`partition\` INT, \`offset\` BIGINT, message_key STRING, message_value BYTES
) ${
    options_sql({
      connector: "kafka",
      topic: places.quarantine_topic,
      ...kafka_options(places),
      format: "json",
      "sink.delivery-guarantee": "at-least-once",
    })
  }`;
  const progress = jdbc_table(places, "flink_progress", [["topic", "STRING"], ["partition", "INT"], [
    "next_offset",
    "BIGINT",
  ]], [
    "topic",
    "partition",
  ]);
  const place = PLACE.slice(0, 3).map(name_sql).join(", ");
  const inserts = [
    `INSERT INTO flink_progress_table SELECT \`topic\`, \`partition\`, MAX(\`offset\`) + 1 FROM messages GROUP BY \`topic\`, \`partition\``,
    ...sinks.map(({ view, table, all }) =>
      `INSERT INTO ${name_sql(`${table}_table`)} SELECT ${all.map(([, , sql]) => sql).join(", ")} FROM ${
        name_sql(view)
      } AS o`
    ),
    `INSERT INTO quarantine SELECT SPLIT_INDEX(fault, ' ', 0), SPLIT_INDEX(fault, ' ', 1), ${place}, message_key, \`value\` ` +
    `FROM decoded WHERE fault IS NOT NULL`,
    `INSERT INTO quarantine SELECT 'identity_conflict', 'id', ${place}, CAST(NULL AS STRING), CAST(NULL AS BYTES) FROM numbered ` +
    `WHERE ids = ids_before AND contents > contents_before`,
  ];
  return [
    ...sinks.map(({ table, all, key }) =>
      jdbc_table(places, table, all.map(([name, type]) => [name!, type!] as const), key)
    ),
    progress,
    quarantine,
    `EXECUTE STATEMENT SET BEGIN\n${inserts.join(";\n")};\nEND`,
  ];
}
