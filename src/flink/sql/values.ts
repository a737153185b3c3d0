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
import { text_sql, time_sql } from "./text.ts";

/** How values of JSON are read as what fields are, in SQL: as their types read them. Pure. */

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
