import { type Domain, type FactForm, type Field, type Made, type MadeCondition } from "../../domains/mod.ts";
import {
  column_measures,
  type Dimension,
  is_dated,
  is_extreme,
  is_least,
  type Measure,
  UNKNOWN,
} from "../../kpi/mod.ts";
import { EVENT, readings_of } from "./reading.ts";
import {
  bucket_text,
  type Column,
  day_start_sql,
  EPOCH_US,
  moment_text,
  name_sql,
  NUL,
  ordered_sql,
  reads_of,
  text_sql,
  TIME_DIGITS,
  type View,
  view_with,
} from "./expressions.ts";

/** How events fold into states, and what states add to cells, in SQL: what the domain's fold and its contributions are. Pure. */

/** The columns of states as events fold into them, named as the state's fields: times as numbers, lists as texts that begin with their times. */
const of = (name: string) => `o.${name_sql(name)}`;

/**
 * The views from events to what is known of each, named `numbered` at last, and from there to states, named `states` at last. All of a stream's events come by one partition, and nothing is shuffled but by stream
 * before its fold: what is read again after a failure passes through the same states, so that each cell that one of them touched is touched again.
 */
export function folding(
  domain: Domain,
  readings: ReturnType<typeof readings_of>,
): { readonly numbered: readonly View[]; readonly states: readonly View[] } {
  const { fields } = domain.declared;
  const values = readings.all.map(({ column }) => column);
  const content = ["type", "at_us", ...values].map((name) => `COALESCE(CAST(${of(name)} AS STRING), '')`).join(
    ` || ${NUL} || `,
  );
  const all = [...EVENT, ...values];
  const names = all.map(name_sql).join(", ");
  const ordered = `PARTITION BY stream_id ORDER BY seen`;
  const summed = [...new Set(Object.values(domain.declared.derived).flatMap(({ made }) => summed_lists(made!)))];
  const sums = summed.map((list) => `  ${summed_sql(list, readings)} AS ${name_sql(sum_name(list))}`);
  const kept = ["stream_id", "revision", ...summed.map(sum_name)];
  const numbered: View[] = [
    ["events_read", "SELECT * FROM decoded WHERE fault IS NULL"],
    view_with("events_told", "events_read", [...all, "seen", "topic", "partition", "offset"], [
      ["content", `MD5(${content})`],
    ]),
    [
      "counted",
      `SELECT *, COUNT(DISTINCT event_id) OVER (${ordered} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS ids,
  COUNT(DISTINCT event_id || content) OVER (${ordered} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS contents
FROM events_told`,
    ],
    [
      "numbered",
      `SELECT *, LAG(ids, 1, CAST(0 AS BIGINT)) OVER (${ordered}) AS ids_before, LAG(contents, 1, CAST(0 AS BIGINT)) OVER (${ordered}) AS contents_before
FROM counted`,
    ],
  ];
  const states: View[] = [
    [
      "events",
      `SELECT ${names}, ${
        ordered_sql("at_us")
      } || event_id || ${NUL} AS at_and_id FROM numbered WHERE ids > ids_before`,
    ],
    [
      "folded",
      `SELECT stream_id, CAST(COUNT(*) AS INT) AS revision, MAX(at_and_id) AS last_event,
${
        [
          ...sums,
          ...Object.entries(fields).map(([name, field]) =>
            `  ${folded_sql(name, field, readings)} AS ${name_sql(name)}`
          ),
        ].join(",\n")
      }
FROM events GROUP BY stream_id`,
    ],
    view_with("states_told", "folded", kept, [
      ["last_us", `CAST(SUBSTRING(o.last_event, 1, ${TIME_DIGITS}) AS BIGINT)`],
      ["last_event_id", `SUBSTRING(o.last_event, ${TIME_DIGITS + 1}, CHAR_LENGTH(o.last_event) - ${TIME_DIGITS + 1})`],
      ...Object.entries(fields).map(([name, field]): Column => [name, unfolded_sql(name, field)]),
    ]),
    view_with("states", "states_told", ["stream_id", "revision", "last_us", "last_event_id", ...Object.keys(fields)], [
      ...Object.entries(domain.declared.derived).map(([name, { made }]): Column => [name, made_sql(made!)]),
    ]),
  ];
  return { numbered, states };
}

const of_type = (types: readonly string[]): string => `type IN (${types.map(text_sql).join(", ")})`;

/** Where events name a field: their types, as a condition, and the column that has it; null: none does. */
function naming(name: string, { events }: ReturnType<typeof readings_of>) {
  const types = events.filter(({ fields }) => fields.some(({ field }) => field.target === name));
  const reading = types[0]?.fields.find(({ field }) => field.target === name)?.reading;
  return reading === undefined
    ? null
    : { when: of_type(types.map(({ type }) => type)), value: name_sql(reading.column) };
}

/** The sum of what events name of a list. */
function summed_sql(list: string, readings: ReturnType<typeof readings_of>): string {
  const { when, value } = naming(list, readings)!;
  return `SUM(CAST(${value} AS DECIMAL(38, 0))) FILTER (WHERE ${when})`;
}

/** A field of the state, of all events: the latest that names it, with its time and id before it where it is not the time itself. */
function folded_sql(
  name: string,
  { type, time_of, id_of }: Field,
  readings: ReturnType<typeof readings_of>,
): string {
  const latest = (when: string, value: string) => `MAX(CASE WHEN ${when} THEN ${value} END)`;
  if (type.many === true && time_of !== undefined) return list_sql(of_type([time_of]), moment_text("at_us"));
  if (time_of !== undefined) return latest(of_type([time_of]), "at_us");
  if (id_of !== undefined) return latest(of_type([id_of]), "at_and_id");
  const named = naming(name, readings);
  if (named === null) return `CAST(NULL AS STRING)`;
  const { when, value } = named, text = `CAST(${value} AS STRING)`;
  return type.many === true ? list_sql(when, text) : latest(`${value} IS NOT NULL AND ${when}`, `at_and_id || ${text}`);
}

/** A list: the value of each event, behind its time and id, in their order. */
const list_sql = (when: string, value: string): string =>
  `ARRAY_SORT(ARRAY_AGG(at_and_id || ${value}) FILTER (WHERE ${when}))`;

/** The sum of a list, whose values are also added up by themselves. */
const sum_name = (list: string): string => `sum_${list}`;
/** The lists whose sums something asks for. */
function summed_lists(made: Made): string[] {
  if (!("cases" in made)) return [];
  return made.cases.flatMap(([when]) => when.flatMap((each) => "sum_of" in each ? [each.sum_of] : []));
}

/** A field of the state out of what the fold has of it. */
function unfolded_sql(name: string, { type, time_of, id_of }: Field): string {
  if (type.many === true || time_of !== undefined) return of(name);
  if (id_of !== undefined) {
    return `SUBSTRING(${of(name)}, ${TIME_DIGITS + 1}, CHAR_LENGTH(${of(name)}) - ${TIME_DIGITS + 1})`;
  }
  return `CAST(SUBSTRING(${of(name)}, POSITION(${NUL} IN ${of(name)}) + 1) AS ${reads_of(type)!.sql})`;
}

/** What is made of a state, as it is declared. */
function made_sql(made: Made): string {
  if ("text" in made) return text_sql(made.text);
  if ("field" in made) return of(made.field);
  if ("first_known" in made) return `COALESCE(${made.first_known.map(of).join(", ")})`;
  if ("ms_from" in made) {
    const between = `${of(made.to)} - ${of(made.ms_from)}`;
    return `CASE WHEN ${between} >= 0 THEN (${between} + 500) / 1000 END`;
  }
  const cases = made.cases.map(([when, then]) =>
    `WHEN ${when.map(condition_sql).join(" AND ")} THEN ${made_sql(then)}`
  );
  return `CASE ${cases.join(" ")}${made.otherwise === undefined ? "" : ` ELSE ${made_sql(made.otherwise)}`} END`;
}

function condition_sql(when: MadeCondition): string {
  if ("sum_of" in when) return `COALESCE(${of(sum_name(when.sum_of))}, 0) >= ${made_sql(when.reaches)}`;
  const value = of(when.field);
  return "is" in when ? `${value} = ${text_sql(when.is)}` : `${value} IS ${"known" in when ? "NOT NULL" : "NULL"}`;
}

/** The SQL type of what adds up, or is told apart. */
const measure_type = ({ kind }: Measure): string =>
  kind === "count" ? "BIGINT" : is_dated(kind) ? "STRING" : kind === "sum" ? "DECIMAL(38, 0)" : "BIGINT";
const cast = (value: string, measure: Measure): string => `CAST(${value} AS ${measure_type(measure)})`;

/** What a fact adds to a measure; nothing to one that it does not name. */
function addition_sql({ adds, at, by }: FactForm, measure: Measure, of_item?: string): string {
  const addition = adds[measure.name];
  const nothing = cast(is_extreme(measure.kind) ? "NULL" : "0", measure);
  if (addition === undefined) return nothing;
  if (addition.adds === "one") return cast("1", measure);
  const value = of_item ?? of(addition.field);
  switch (addition.adds) {
    case "known":
      return `CASE WHEN ${value} IS NULL THEN ${nothing} ELSE ${cast("1", measure)} END`;
    case "unknown":
      return `CASE WHEN ${value} IS NULL THEN ${cast("1", measure)} ELSE ${nothing} END`;
    case "value":
      // Values are not negative: as texts of one length they are ordered as they are.
      return is_dated(measure.kind)
        ? `${ordered_sql(of(at[0]!))} || COALESCE(${of(by!)}, '') || ${NUL} || LPAD(CAST(${value} AS STRING), 19, '0')`
        : is_extreme(measure.kind)
        ? value
        : `COALESCE(${cast(value, measure)}, ${nothing})`;
    case "product":
      return `COALESCE(${cast(value, measure)} * CAST(${of(addition.by)} AS DECIMAL(10, 0)), ${nothing})`;
  }
}

/** The earliest of a fact's times that is known, where a state has the fact; null elsewhere. */
function fact_time({ at, when }: FactForm): string {
  const times = at.map(of);
  // LEAST is null where one of its values is: what is unknown gives way to another.
  const earliest = times.length === 1
    ? times[0]!
    : `NULLIF(LEAST(${times.map((time) => `COALESCE(${time}, ${NEVER})`).join(", ")}), ${NEVER})`;
  return when === undefined ? earliest : `CASE WHEN ${condition_sql(when)} THEN ${earliest} END`;
}
const NEVER = "CAST(9000000000000000000 AS BIGINT)";

/** The view of what states add, `added`: a row for each fact, with its measures. */
export function adding(domain: Domain): View {
  const { facts } = domain.declared, measures = column_measures(domain.measures);
  const keys = [
    ...new Set([
      ...domain.dimensions.flatMap(({ column }) => column === null ? [] : [field_of(domain, column)]),
      ...currency_of(domain),
    ]),
  ];
  const is_list = (field: string) => domain.declared.fields[field]?.type.many === true;
  const once = facts.filter(({ at }) => !at.some(is_list));
  const rows = once.map((fact) =>
    `ROW(${[fact_time(fact), ...measures.map((measure) => addition_sql(fact, measure))].join(", ")})`
  );
  const own_keys = keys.map((key) => `${of(key)} AS ${name_sql(`k_${key}`)}`).join(", ");
  const repeated = facts.filter(({ at }) => at.some(is_list)).map((fact) => {
    const list = of(valued_lists(domain, fact)[0] ?? fact.at[0]!);
    const item = `CAST(SUBSTRING(i.item, POSITION(${NUL} IN i.item) + 1) AS BIGINT)`;
    const when = fact.when === undefined ? "TRUE" : condition_sql(fact.when);
    const added = measures.map((measure) => `${addition_sql(fact, measure, item)} AS ${name_sql(`m_${measure.name}`)}`);
    return `SELECT ${own_keys}, CAST(SUBSTRING(i.item, 1, ${TIME_DIGITS}) AS BIGINT) AS at_us, ${added.join(", ")}
FROM states AS o CROSS JOIN UNNEST(${list}) AS i (item) WHERE ${when}`;
  });
  return [
    "added",
    `${
      [
        `SELECT ${own_keys}, f.*
FROM states AS o
CROSS JOIN UNNEST(ARRAY[
  ${rows.join(",\n  ")}
]) AS f (at_us, ${measures.map(({ name }) => name_sql(`m_${name}`)).join(", ")})
WHERE f.at_us IS NOT NULL`,
        ...repeated,
      ].join("\nUNION ALL\n")
    }`,
  ];
}

/** The lists whose values a fact adds that a state may have several times. */
export const valued_lists = ({ declared: { fields } }: Domain, { adds }: FactForm): readonly string[] => [
  ...new Set(
    Object.values(adds).flatMap((addition) =>
      addition.adds !== "one" && fields[addition.field]?.type.many === true ? [addition.field] : []
    ),
  ),
];

/** The field that a column is of. */
export function field_of({ declared: { columns } }: Domain, column: string): string {
  return columns[column] ?? column;
}

/** The field, and the column, by which cells are kept beside their keys. */
export const currency_of = ({ by_currency }: Pick<Domain, "by_currency">): readonly string[] =>
  by_currency === undefined ? [] : ["currency"];

/** The key of a dimension. */
const key_sql = (domain: Domain, { column }: Dimension): string =>
  column === null ? text_sql("all") : `COALESCE(${of(`k_${field_of(domain, column)}`)}, '${UNKNOWN}')`;

/** What facts add to a measure, merged: its column. */
function merged_sql({ name, kind }: Measure): string {
  const merge = !is_extreme(kind) ? "SUM" : is_least(kind) ? "MIN" : "MAX";
  return `${merge}(${name_sql(`m_${name}`)}) AS ${name_sql(name)}`;
}

/** The views of the cells, named `cells` at last: each fact in each grain of each dimension. */
export function cells_of(domain: Domain, time_zone: string): View[] {
  const measures = column_measures(domain.measures);
  const dimensions = domain.dimensions.filter(({ totals }) => totals === undefined);
  const grains = [...new Set(dimensions.flatMap(({ grains }) => grains))];
  const start = {
    "1m": "o.at_us / 60000000 * 60000000",
    "5m": "o.at_us / 300000000 * 300000000",
    "1h": "o.at_us / 3600000000 * 3600000000",
    "1d": day_start_sql("o.at_us", time_zone),
    all: `CAST(${EPOCH_US} AS BIGINT)`,
  };
  const absent = dimensions.flatMap((dimension) =>
    grains.filter((grain) => !dimension.grains.includes(grain)).map((grain) =>
      `(g.grain = '${grain}' AND d.dimension = '${dimension.name}')`
    )
  );
  const named = ["grain", "dimension", "bucket", ...currency_of(domain), "key"].map(name_sql).join(", ");
  const currency = currency_of(domain).map((name) => `o.${name_sql(`k_${name}`)} AS ${name_sql(name)}, `).join("");
  return [
    [
      "celled",
      `SELECT g.grain, g.bucket, d.dimension, ${currency}d.${name_sql("key")}, ${
        measures.map(({ name }) => of(`m_${name}`)).join(", ")
      }
FROM added AS o
CROSS JOIN UNNEST(ARRAY[
  ${grains.map((grain) => `ROW('${grain}', ${bucket_text(`(${start[grain]})`)})`).join(",\n  ")}
]) AS g (grain, bucket)
CROSS JOIN UNNEST(ARRAY[
  ${dimensions.map((dimension) => `ROW('${dimension.name}', ${key_sql(domain, dimension)})`).join(",\n  ")}
]) AS d (dimension, ${name_sql("key")})${absent.length === 0 ? "" : `\nWHERE NOT (${absent.join(" OR ")})`}`,
    ],
    [
      "cells",
      `SELECT ${named}, ${measures.map(merged_sql).join(", ")}
FROM celled GROUP BY ${named}`,
    ],
  ];
}

/** The view of the totals of dimensions with very many keys, `totals`. */
export function totals_of(domain: Domain): View {
  const totalled = domain.dimensions.filter(({ totals }) => totals !== undefined);
  const kept = totalled[0]!.totals!;
  const measures = column_measures(domain.measures).filter(({ name }) => kept.includes(name));
  const any = domain.declared.facts.flatMap(({ adds }) => Object.keys(adds)).some((name) => kept.includes(name));
  if (!any) throw new Error(`compile ${domain.name}: no fact adds to ${kept.join(", ")}`);
  const grouped = currency_of(domain).map((name) => `o.${name_sql(`k_${name}`)}, `).join("");
  const currency = currency_of(domain).map((name) => `o.${name_sql(`k_${name}`)} AS ${name_sql(name)}, `).join("");
  return [
    "totals",
    `SELECT d.dimension, ${currency}d.${name_sql("key")}, ${
      measures.map(({ name }) => `SUM(${of(`m_${name}`)}) AS ${name_sql(name)}`).join(", ")
    }
FROM added AS o
CROSS JOIN UNNEST(ARRAY[
  ${totalled.map((dimension) => `ROW('${dimension.name}', ${key_sql(domain, dimension)})`).join(",\n  ")}
]) AS d (dimension, ${name_sql("key")})
WHERE ${measures.map(({ name }) => `${of(`m_${name}`)} <> 0`).join(" OR ")}
GROUP BY d.dimension, ${grouped}d.${name_sql("key")}`,
  ];
}

/** A column of the state table as PostgreSQL reads it. */
export function state_column(name: string, type: string): string {
  if (type === "timestamptz") return moment_text(of(name));
  if (!type.endsWith("[]")) return of(name);
  // Each value's time and id give way to a comma: ids hold anything but NUL, values neither that nor what parts them.
  const parted = `REGEXP_REPLACE(ARRAY_JOIN(${
    of(name)
  }, U&'\\0001'), '(?:^|\\x01)[0-9]{${TIME_DIGITS}}[^\\x00]*\\x00', ',')`;
  return `'{' || SUBSTRING(${parted}, 2) || '}'`;
}
