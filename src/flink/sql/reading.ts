import { type Domain, type EventField, type FieldType, TEXT } from "../../domains/mod.ts";
import {
  at_most,
  type Column,
  EPOCH_US,
  filled,
  id_text,
  json_of_member,
  lacks_zone_sql,
  name_sql,
  reads_of,
  text_sql,
  time_sql,
  type View,
  view_with,
} from "./expressions.ts";

/** How messages become events, in SQL: what `ingest/decode` does with CloudEvents in structured mode and bare JSON. Pure. */

/** A distinct reading of the data's members: of a name, as a type. */
interface Reading {
  /** The member of the data. */
  readonly member: string;
  readonly type: FieldType;
  /** The column of its value, and those of its JSON and of its text where it is one. */
  readonly column: string;
  readonly json: string;
  readonly text: string;
}

/** What the events of a type are read by. */
interface EventReading {
  readonly type: string;
  readonly fields: readonly { readonly field: EventField; readonly reading: Reading }[];
}

/** The readings of a domain's events, each once. */
export function readings_of(
  domain: Domain,
): { readonly events: readonly EventReading[]; readonly all: readonly Reading[] } {
  const all: Reading[] = [];
  const events = domain.event_types.map((type): EventReading => ({
    type,
    fields: domain.fields(type, 1)!.map((field) => {
      let reading = all.find((each) => each.member === field.name && each.type === field.type);
      if (reading === undefined) {
        const number = all.filter(({ member }) => member === field.name).length;
        const column = `${field.name}${number === 0 ? "" : number + 1}`;
        reading = {
          member: field.name,
          type: field.type,
          column: `v_${column}`,
          json: `j_${column}`,
          text: `t_${column}`,
        };
        all.push(reading);
      }
      return { field, reading };
    }),
  }));
  return { events, all };
}

/** Columns that say where a message lies, and what it is. */
export const PLACE = ["topic", "partition", "offset", "message_key", "value"];
/** Columns of what every event has. */
export const EVENT = ["stream_id", "event_id", "type", "at_us"];

/** Two ways to read one text: what follows a whole document cannot go on both as a list and as an object. */
const doc_columns: readonly Column[] = [
  ["as_list", "TRY_PARSE_JSON('[' || o.`text` || ']', TRUE)"],
  ["as_member", `TRY_PARSE_JSON('{"v":' || o.\`text\` || '}', TRUE)`],
];

/** A number beyond 1e309, as one is written after what comes before a value. */
const OUT_OF_RANGE = "[:,\\[][ \\t\\r\\n]*-?[0-9.]+[eE][+]?0*(309|3[1-9][0-9]|[4-9][0-9]{2}|[1-9][0-9]{3})";

/** JSON has escapes of what PostgreSQL does not store: NUL, and halves of characters. */
const NOT_STORABLE =
  "(^|[^\\\\])(\\\\\\\\)*\\\\u(0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\\\u[dD][c-fC-F])|(?<!\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u)[dD][c-fC-F])";

/**
 * The views from messages to events, named `decoded` at last: each message with its event or, in `reason` and `path`, what is wrong with it.
 * @param limits what is refused beyond the domain's schemas
 */
export function decoding(
  domain: Domain,
  readings: ReturnType<typeof readings_of>,
  limits: { readonly future_limit_ms: number; readonly max_message_bytes: number },
): View[] {
  const { stream_column } = domain;
  const json = (member: string) => json_of_member("doc", member);
  const of_event = (cloud: string, bare: string) =>
    `CASE WHEN o.is_cloud_event THEN ${json(cloud)} ELSE ${json(bare)} END`;
  const envelope: Column[] = [
    ["id_json", of_event("id", "event_id")],
    ["source_json", `CASE WHEN o.is_cloud_event THEN ${json("source")} END`],
    ["type_json", json("type")],
    ["subject_json", of_event("subject", stream_column)],
    ["key_json", `CASE WHEN o.is_cloud_event THEN ${json("partitionkey")} END`],
    ["time_json", of_event("time", "occurred_at")],
    ["version_json", of_event("schemaversion", "schema_version")],
    ["content_json", `CASE WHEN o.is_cloud_event THEN ${json("datacontenttype")} END`],
    ["base64_json", `CASE WHEN o.is_cloud_event THEN ${json("data_base64")} END`],
    ["data_json", `CASE WHEN o.is_cloud_event THEN ${json("data")} ELSE '{' END`],
  ];
  const names = envelope.map(([name]) => name);
  const unquoted = (column: string) => `CASE WHEN o.${column} LIKE '"%' THEN JSON_UNQUOTE(o.${column}) END`;
  const texts = names.filter((name) => name !== "data_json");
  const kept = [...PLACE, "seen"], stated = ["stated"];
  const by_name = readings.all.filter((each, i) =>
    readings.all.findIndex(({ member }) => member === each.member) === i
  );
  const json_of = (reading: Reading) => by_name.find(({ member }) => member === reading.member)!;
  const member_columns = by_name.map((
    reading,
  ): Column => [reading.json, json_of_member("data", reading.member)]);
  const text_columns = by_name.map((reading): Column => [
    reading.text,
    `CASE WHEN o.${name_sql(reading.json)} LIKE '"%' THEN JSON_UNQUOTE(o.${name_sql(reading.json)}) END`,
  ]);
  const raw = [...by_name.map(({ json }) => json), ...by_name.map(({ text }) => text)];
  const value_columns = readings.all.map((reading): Column => {
    const { json, text } = json_of(reading);
    return [reading.column, reads_of(reading.type)!.read(`o.${name_sql(json)}`, `o.${name_sql(text)}`)];
  });
  const ids: Column[] = [
    [
      "stream_id",
      `CASE WHEN ${filled("o.subject_text")} OR (o.subject_text IS NULL AND o.subject_json IS NOT NULL) THEN ${
        id_text("o.subject_json", "o.subject_text")
      } WHEN o.is_cloud_event AND (${filled("o.key_text")} OR (o.key_text IS NULL AND o.key_json IS NOT NULL)) THEN ${
        id_text("o.key_json", "o.key_text")
      } WHEN o.is_cloud_event THEN o.message_key END`,
    ],
    ["own_id", id_text("o.id_json", "o.id_text")],
    ["at_us", time_sql("o.time_text")],
    [
      "is_source",
      `NOT o.is_cloud_event OR (${
        filled("o.source_text")
      } AND NOT REGEXP(o.source_text, '[\\s\\u0000-\\u001f\\u007f-\\u009f]'))`,
    ],
  ];
  const before_values = [
    ...kept,
    ...stated,
    "is_cloud_event",
    "type_text",
    "time_text",
    "version_json",
    "version_text",
    "content_text",
    "stream_id",
    "own_id",
    "at_us",
    "is_source",
    "source_text",
    "is_data",
  ];
  return [
    view_with("texts", "messages", [...PLACE, "seen", "headers"], [
      ["text", "TRIM(LEADING U&'\\FEFF' FROM DECODE(o.`value`, 'UTF-8'))"],
    ]),
    view_with("documents", "texts", [...kept, "headers", "text"], doc_columns),
    view_with("objects", "documents", [...kept, "headers"], [
      [
        "stated",
        `CASE ${
          [
            ["o.headers['tacho-fault'] IS NOT NULL", "faulty_at_source"],
            [`CHAR_LENGTH(DECODE(o.\`value\`, 'ISO-8859-1')) > ${limits.max_message_bytes}`, "too_large"],
            ["o.headers['ce_specversion'] IS NOT NULL AND o.headers['content-type'] IS NULL", "unsupported_content"],
            ["o.`value` = X'' OR NOT REGEXP(o.`text`, '[^ \\t\\r\\n]')", "empty_value"],
            ["ENCODE(DECODE(o.`value`, 'UTF-8'), 'UTF-8') <> o.`value`", "malformed_utf8"],
            ["o.as_list IS NULL OR o.as_member IS NULL", "malformed_json"],
            ["NOT REGEXP(o.`text`, '^[ \\t\\r\\n]*[{]')", "not_an_object"],
            [`REGEXP(o.\`text\`, '${OUT_OF_RANGE}')`, "number_out_of_range"],
            [`REGEXP(o.\`text\`, '${NOT_STORABLE}')`, "text_not_storable"],
          ].map(([when, reason]) => `WHEN ${when} THEN '${reason}'`).join("\n    ")
        } END`,
      ],
      [
        "doc",
        "CASE WHEN o.as_list IS NOT NULL AND o.as_member IS NOT NULL AND REGEXP(o.`text`, '^[ \\t\\r\\n]*[{]') THEN o.as_member['v'] END",
      ],
    ]),
    view_with("kinds", "objects", [...kept, ...stated, "doc"], [
      ["is_cloud_event", `${json("specversion")} IS NOT NULL`],
    ]),
    view_with("envelopes", "kinds", [...kept, "doc", "is_cloud_event"], [
      [
        "stated",
        `CASE WHEN o.stated IS NULL AND o.is_cloud_event AND ${
          json("specversion")
        } <> '"1.0"' THEN 'unknown_version specversion' ELSE o.stated END`,
      ],
      ...envelope,
    ]),
    view_with("unquoted", "envelopes", [...kept, ...stated, "doc", "is_cloud_event", ...names], [
      ...texts.map((name): Column => [
        name.replace("_json", "_text"),
        // What should be text and is something else is not blank.
        name === "content_json" || name === "base64_json" ? `COALESCE(${unquoted(name)}, o.${name})` : unquoted(name),
      ]),
      [
        "data",
        `CASE WHEN NOT o.is_cloud_event THEN o.doc WHEN o.data_json LIKE '{%' THEN o.doc['data'] ` +
        `WHEN o.data_json LIKE '"%' AND REGEXP(JSON_UNQUOTE(o.data_json), '^[ \\t\\r\\n]*[{]') ` +
        `THEN TRY_PARSE_JSON(JSON_UNQUOTE(o.data_json), TRUE) END`,
      ],
    ]),
    view_with("identified", "unquoted", [
      ...kept,
      ...stated,
      "doc",
      "is_cloud_event",
      "data",
      "type_text",
      "time_text",
      "version_json",
      "version_text",
      "content_text",
      "source_text",
    ], [
      ...ids,
      [
        "is_data",
        `(o.base64_text IS NULL OR NOT ${filled("o.base64_text")}) AND (o.data_json IS NULL OR o.data IS NOT NULL)`,
      ],
    ]),
    view_with("named", "identified", before_values, member_columns),
    view_with("told", "named", [...before_values, ...by_name.map(({ json }) => json)], text_columns),
    view_with("valued", "told", [...before_values, ...raw], value_columns),
    view_with("decoded", "valued", [...kept, "stream_id", "at_us", ...readings.all.map(({ column }) => column)], [
      ["event_id", "CASE WHEN o.is_cloud_event THEN o.source_text || ' ' || o.own_id ELSE o.own_id END"],
      ["type", "o.type_text"],
      ["fault", fault_sql(domain, readings, json_of, limits.future_limit_ms)],
    ]),
  ];
}

/** What is wrong with an event: its reason and, behind a space, the path to what is in fault. */
function fault_sql(
  domain: Domain,
  { events }: ReturnType<typeof readings_of>,
  json_of: (reading: Reading) => Reading,
  future_limit_ms: number,
): string {
  const { stream_column, declared: { fixed } } = domain;
  const event_id = "CASE WHEN o.is_cloud_event THEN o.source_text || ' ' || o.own_id ELSE o.own_id END";
  const faults: (readonly [when: string, fault: string])[] = [
    ["o.stated IS NOT NULL", "o.stated"],
    [`NOT COALESCE(o.is_source, FALSE)`, "'invalid_event_source source'"],
    [`o.own_id IS NULL OR NOT ${filled("o.own_id")}`, "'missing_event_id id'"],
    [`NOT (${at_most(`(${event_id})`, 500)})`, "'invalid_event_id id'"],
    [
      `${filled("o.content_text")} AND NOT REGEXP(LOWER(o.content_text), '^[^/;\\s]+/([^;\\s]*\\+)?json\\s*(;|\\z)')`,
      "'unsupported_content datacontenttype'",
    ],
    ["NOT o.is_data", "'not_an_object data'"],
    [`o.stream_id IS NULL OR NOT ${filled("o.stream_id")}`, `'missing_${stream_column} ${stream_column}'`],
    [`NOT (${at_most("o.stream_id", 200)})`, `'invalid_${stream_column} ${stream_column}'`],
    [`o.type_text IS NULL OR NOT ${filled("o.type_text")}`, "'missing_type type'"],
    ["o.time_text IS NULL", "'missing_time time'"],
    [`o.at_us IS NULL AND ${lacks_zone_sql("o.time_text")}`, "'time_without_zone time'"],
    ["o.at_us IS NULL", "'malformed_time time'"],
    [`o.at_us > UNIX_TIMESTAMP() * 1000000 + ${EPOCH_US + future_limit_ms * 1000}`, "'time_in_future time'"],
    [`o.type_text NOT IN (${events.map(({ type }) => text_sql(type)).join(", ")})`, "'unknown_type type'"],
    [
      `CASE WHEN o.version_text IS NULL THEN COALESCE(o.version_json, '1') NOT IN ('1', '1.0') ` +
      `ELSE ${filled("o.version_text")} AND o.version_text <> '1' END`,
      "'unknown_version schema_version'",
    ],
  ];
  const lists = [...fixed_faults(events, fixed), ...field_faults(events, json_of)];
  return `CASE\n    ${
    [...faults, ...lists].map(([when, fault]) => `WHEN ${when} THEN ${fault}`).join("\n    ")
  }\n  END`;
}

const of_types = (types: readonly string[]) => `o.type_text IN (${types.map(text_sql).join(", ")})`;

/** Faults of fields: a value that cannot be read, or is missing where it is required. */
function field_faults(events: readonly EventReading[], json_of: (reading: Reading) => Reading) {
  const seen = new Map<string, { readonly reading: Reading; readonly required: boolean; readonly types: string[] }>();
  for (const { type, fields } of events) {
    for (const { field: { required }, reading } of fields) {
      const key = `${reading.column} ${required}`;
      const one = seen.get(key) ?? { reading, required, types: [] };
      if (!one.types.includes(type)) one.types.push(type);
      seen.set(key, one);
    }
  }
  return [...seen.values()].map(({ reading, required, types }) => {
    const { json, text } = json_of(reading), of = (column: string) => `o.${name_sql(column)}`;
    const blank = `(${of(json)} IS NULL OR (${of(text)} IS NOT NULL AND NOT ${filled(of(text))}))`;
    const unread = `${of(reading.column)} IS NULL`;
    // A text is read, be it blank; all else is not.
    const wrong = !required ? `${unread} AND NOT ${blank}` : reading.type === TEXT ? `(${unread} OR ${blank})` : unread;
    return [`${wrong} AND ${of_types(types)}`, text_sql(`invalid_field ${reading.member}`)] as const;
  });
}

/** Faults of what has one value in a deployment. */
function fixed_faults(events: readonly EventReading[], fixed: Readonly<Record<string, string>>) {
  return Object.entries(fixed).flatMap(([target, value]) => {
    const types = events.filter(({ fields }) => fields.some(({ field }) => field.target === target));
    const reading = types[0]?.fields.find(({ field }) => field.target === target)?.reading;
    if (reading === undefined) return [];
    const wrong = `o.${name_sql(reading.column)} <> ${text_sql(value)} AND ${of_types(types.map(({ type }) => type))}`;
    return [[wrong, text_sql(`other_${target} ${target}`)] as const];
  });
}
