import {
  AMOUNT,
  AMOUNTS,
  COUNT,
  CURRENCY,
  type FieldType,
  KILOMETRES,
  LATITUDE,
  LONGITUDE,
  MINUTES,
  QUANTITY,
  TEXT,
  TIME,
  TIMES,
} from "../../domains/mod.ts";

/**
 * The expressions of Flink SQL: names, texts, views that work something out once, times as numbers, and values of JSON as what fields are. Pure.
 */

/** A name, whatever words SQL keeps for itself. */
export const name_sql = (name: string): string => `\`${name.replaceAll("`", "``")}\``;
/** A text. */
export const text_sql = (text: string): string => `'${text.replaceAll("'", "''")}'`;
/** What parts texts in one: no event has it, since PostgreSQL has not. */
export const NUL = "U&'\\0000'";

/** A column: its name, and the SQL of what it is. */
export type Column = readonly [name: string, sql: string];

/** A view: its name, and what it selects. */
export type View = readonly [name: string, select: string];

/**
 * A view with further columns, each worked out once a row. Left alone, a projection is merged into those that read it, which then work its
 * expressions out as often as they name them; one that might come out otherwise each time is not. The condition always holds.
 * @param kept the columns of the other, named `o`, that it has, too
 */
export const view_with = (view: string, of: string, kept: readonly string[], columns: readonly Column[]): View => [
  view,
  `SELECT ${kept.map((name) => `o.${name_sql(name)}`).join(", ")},
${columns.map(([name, sql]) => `  CASE WHEN RAND() < 2E0 THEN ${sql} END AS ${name_sql(name)}`).join(",\n")}
FROM ${name_sql(of)} AS o`,
];

/**
 * The statement that makes the last of some views, of which each reads from those before it; they are in it alone. Flink works out what a view is
 * anew in each statement that names it: the fewer there are, the sooner a job begins.
 */
export function view_sql(views: readonly View[]): string {
  const [name, select] = views.at(-1)!;
  const before = views.slice(0, -1).map(([name, select]) => `${name_sql(name)} AS (\n${select}\n)`);
  return `CREATE TEMPORARY VIEW ${name_sql(name)} AS\n${
    before.length === 0 ? "" : `WITH ${before.join(",\n")}\n`
  }${select}`;
}

/** The options of a table. */
export const options_sql = (options: Readonly<Record<string, string>>): string =>
  `WITH (\n${Object.entries(options).map(([key, value]) => `  ${text_sql(key)} = ${text_sql(value)}`).join(",\n")}\n)`;

/** Event time here: microseconds since the day before 1900, so that no time of an event is negative. */
export const EPOCH_US = 2_209_075_200_000_000;
const FIRST_DAY = "1899-12-31";
/** Digits of the greatest of them. */
export const TIME_DIGITS = 17;

/** A time as text that is ordered as times are. */
export const ordered_sql = (us: string): string => `LPAD(CAST(${us} AS STRING), ${TIME_DIGITS}, '0')`;

/** Microseconds of the RFC 3339 time that a text is; null where it is none. */
export function time_sql(text: string): string {
  const part = (from: number, length: number) => `TRY_CAST(SUBSTRING(${text}, ${from}, ${length}) AS BIGINT)`;
  const day = `TRY_CAST(SUBSTRING(${text}, 1, 10) AS DATE)`;
  const from_end = (back: number, length: number) => `SUBSTRING(${text}, CHAR_LENGTH(${text}) - ${back}, ${length})`;
  const zone =
    `CASE WHEN UPPER(${from_end(0, 1)}) = 'Z' THEN 0 ELSE CASE WHEN ${from_end(5, 1)} = '-' THEN -1 ELSE 1 END * ` +
    `(TRY_CAST(${from_end(4, 2)} AS BIGINT) * 60 + TRY_CAST(${from_end(1, 2)} AS BIGINT)) END`;
  const fraction = `CASE WHEN SUBSTRING(${text}, 20, 1) = '.' ` +
    `THEN TRY_CAST(RPAD(REGEXP_EXTRACT(${text}, '[.]([0-9]{1,6})', 1), 6, '0') AS BIGINT) ELSE 0 END`;
  return `CASE WHEN REGEXP(${text}, '${WITH_ZONE}') AND CAST(${day} AS STRING) = SUBSTRING(${text}, 1, 10) ` +
    `AND SUBSTRING(${text}, 1, 4) BETWEEN '1900' AND '2254' THEN ` +
    `(CAST(TIMESTAMPDIFF(DAY, DATE '${FIRST_DAY}', ${day}) AS BIGINT) * 86400 + ${part(12, 2)} * 3600 + ${
      part(15, 2)
    } * 60 + ${part(18, 2)} - (${zone}) * 60) * 1000000 + ${fraction} END`;
}

const WITHOUT_ZONE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?";
const WITH_ZONE = `${WITHOUT_ZONE}([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\\z`;
/** Whether a text is a time but for its zone. */
export const lacks_zone_sql = (text: string): string => `REGEXP(${text}, '${WITHOUT_ZONE}\\z')`;

/** The text of seconds as PostgreSQL reads it, in UTC: a timestamp would reach it in the time zone of Flink's processes. */
const second_text = (seconds: string): string =>
  `CAST(TIMESTAMPADD(SECOND, CAST(MOD(${seconds}, 86400) AS INT), ` +
  `TIMESTAMPADD(DAY, CAST(${seconds} / 86400 AS INT), TIMESTAMP '${FIRST_DAY} 00:00:00')) AS STRING)`;
/** The same of microseconds. */
export const moment_text = (us: string): string =>
  `${second_text(`(${us} / 1000000)`)} || '.' || LPAD(CAST(MOD(${us}, 1000000) AS STRING), 6, '0') || '+00'`;
/** The text of a bucket that starts at so many microseconds. */
export const bucket_text = (us: string): string => `${second_text(`(${us} / 1000000)`)} || '+00'`;

/**
 * The start of the day of the business time zone, which is the session's, that holds a time: both microseconds. Where clocks are put back over
 * midnight and show the day before once more, a day that has begun goes on.
 */
export function day_start_sql(us: string, time_zone: string): string {
  if (time_zone === "UTC") return `${us} / 86400000000 * 86400000000`;
  const epoch_s = EPOCH_US / 1e6;
  const at = `TO_TIMESTAMP_LTZ(${us} / 1000000 - ${epoch_s}, 0)`, date = `CAST(${at} AS DATE)`;
  const next = `CAST(${date} + INTERVAL '1' DAY AS DATE)`;
  // The seconds since then, which fit into the integer that they are counted in: EXTRACT would give what clocks showed.
  const since = (day: string) => `TIMESTAMPDIFF(SECOND, CAST(CAST(${day} AS TIMESTAMP(0)) AS TIMESTAMP_LTZ(0)), ${at})`;
  return `(${us} / 1000000 - CASE WHEN ${since(next)} >= 0 THEN ${since(next)} ELSE ${since(date)} END) * 1000000`;
}

/** The value behind the time and id that it is told apart by, and both of these as cells keep them. */
export const dated_value = (column: string): string =>
  `CAST(SUBSTRING(${column}, POSITION(${NUL} IN ${column}) + 1) AS BIGINT)`;
export function dated_by(column: string): string {
  const us = `CAST(SUBSTRING(${column}, 1, ${TIME_DIGITS}) AS BIGINT)`;
  const id = `SUBSTRING(${column}, ${TIME_DIGITS + 1}, POSITION(${NUL} IN ${column}) - ${TIME_DIGITS + 1})`;
  return `REPLACE(${
    second_text(`(${us} / 1000000)`)
  }, ' ', 'T') || '.' || LPAD(CAST(MOD(${us}, 1000000) AS STRING), 6, '0') || 'Z ' || ${id}`;
}

/** How values of JSON are read as what fields are: as their types read them. */

/** What a text has that is no white space. */
const NOT_BLANK = "[^\\s\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]";
export const filled = (text: string) => `REGEXP(${text}, '${NOT_BLANK}')`;
/** How long a text is in UTF-16 units, which limits are in. */
export const at_most = (text: string, most: number) =>
  `CHAR_LENGTH(REGEXP_REPLACE(${text}, '[\\x{10000}-\\x{10ffff}]', '__')) <= ${most}`;

/** The JSON of an object's member; null where it has none, or null. */
export const json_of_member = (object: string, member: string) =>
  `NULLIF(JSON_STRING(o.${object}[${text_sql(member)}]), 'null')`;

const double = (json: string) => `TRY_CAST(${json} AS DOUBLE)`;

/** The text of an id: one that is not blank, or the digits of a whole number, however it is written. */
export const id_text = (json: string, text: string) =>
  `CASE WHEN ${text} IS NOT NULL THEN ${text} WHEN REGEXP(${json}, '^-?[0-9]+\\z') THEN ${json} ` +
  `WHEN REGEXP(${json}, '^-?[0-9]') AND ${double(json)} = FLOOR(${double(json)}) AND ABS(${
    double(json)
  }) < 9.007199254740992E15 ` +
  `THEN CAST(CAST(${double(json)} AS BIGINT) AS STRING) END`;

const is_number = (json: string) => `REGEXP(${json}, '^-?[0-9]')`;
/** The nearest whole number, of two the greater. */
const rounded = (number: string) =>
  `CAST(CASE WHEN ${number} - FLOOR(${number}) >= 0.5E0 THEN FLOOR(${number}) + 1 ELSE FLOOR(${number}) END AS BIGINT)`;

type Read = (json: string, text: string) => string;

const in_units = (most: string, units: string): Read => (json) =>
  `CASE WHEN ${is_number(json)} AND ${double(json)} BETWEEN 0 AND ${most} THEN ${
    rounded(`(${double(json)} * ${units})`)
  } END`;
const whole = (least: string, most: string, as: string): Read => (json) =>
  `CASE WHEN ${is_number(json)} AND ${double(json)} BETWEEN ${least} AND ${most} AND ${double(json)} = FLOOR(${
    double(json)
  }) THEN CAST(${double(json)} AS ${as}) END`;
const degrees = (most: number): Read => (json) =>
  `CASE WHEN ${is_number(json)} AND ${double(json)} BETWEEN -${most} AND ${most} THEN ${double(json)} END`;

const read_text: Read = (json, text) => {
  const value = id_text(json, text);
  return `CASE WHEN (${text} IS NULL OR ${filled(text)}) AND ${at_most(`(${value})`, 200)} THEN ${value} END`;
};

/** An amount counts by its digits; a number with others than an amount has by the double nearest to it. */
const read_amount: Read = (json, text) => {
  const digits = `CASE WHEN ${text} IS NOT NULL THEN ${text} ELSE ${json} END`;
  const exact = `TRY_CAST(${digits} AS DECIMAL(19, 6))`;
  const nearest = rounded(`(${double(json)} * 1000000)`);
  return `CASE WHEN REGEXP(${digits}, '^[0-9]{1,13}([.][0-9]{1,6})?\\z') THEN ` +
    `CASE WHEN ${exact} <= 1000000000000 THEN CAST(${exact} * 1000000 AS BIGINT) END ` +
    `WHEN ${text} IS NULL AND ${is_number(json)} AND ${double(json)} BETWEEN 0 AND 9.0E9 ` +
    `AND CAST(${nearest} AS DOUBLE) / 1000000 = ${double(json)} THEN ${nearest} END`;
};

const read_time: Read = (_json, text) => time_sql(text);

/** How a value of each type is read, and the SQL type that it is then. */
const READS = new Map<FieldType, { readonly read: Read; readonly sql: string }>([
  [TEXT, { read: read_text, sql: "STRING" }],
  [CURRENCY, {
    read: (_, text) => `CASE WHEN REGEXP(${text}, '^[A-Za-z]{3}\\z') THEN UPPER(${text}) END`,
    sql: "STRING",
  }],
  [AMOUNT, { read: read_amount, sql: "BIGINT" }],
  [AMOUNTS, { read: read_amount, sql: "BIGINT" }],
  [KILOMETRES, { read: in_units("1.0E9", "1.0E3"), sql: "BIGINT" }],
  [MINUTES, { read: in_units("1.0E9", "6.0E4"), sql: "BIGINT" }],
  [COUNT, { read: whole("0", "1000000", "INT"), sql: "INT" }],
  [QUANTITY, { read: whole("1", "1000000000", "BIGINT"), sql: "BIGINT" }],
  [LATITUDE, { read: degrees(90), sql: "DOUBLE" }],
  [LONGITUDE, { read: degrees(180), sql: "DOUBLE" }],
  [TIME, { read: read_time, sql: "BIGINT" }],
  [TIMES, { read: read_time, sql: "BIGINT" }],
]);

/** How a type is read; null for one that only code reads. */
export function reads_of(type: FieldType): { readonly read: Read; readonly sql: string } | null {
  const { values, words } = type;
  if (values !== undefined) {
    return {
      read: (_, text) => `CASE WHEN ${text} IN (${values.map(text_sql).join(", ")}) THEN ${text} END`,
      sql: "STRING",
    };
  }
  if (words !== undefined) {
    const read: Read = (json, text) => {
      const own = `CASE WHEN ${json} IN ('true', 'false') THEN ${json} ELSE ${read_text(json, text)} END`;
      const known = Object.entries(words).map(([said, value]) => `WHEN ${text_sql(said)} THEN ${text_sql(value)}`);
      return `CASE LOWER(REGEXP_REPLACE(${own}, '^\\s+|\\s+\\z', '')) ${known.join(" ")} ELSE ${own} END`;
    };
    return { read, sql: "STRING" };
  }
  return READS.get(type) ?? null;
}
