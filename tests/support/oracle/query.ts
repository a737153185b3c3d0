/** Runs one SQL statement and gives its rows. */
export type Query = (sql: string) => Promise<Record<string, unknown>[]>;

/** Rows of one page: few enough for memory, many enough that round trips do not count. */
export const PAGE_ROWS = 20_000;

/** A column as text, null when it is null. Throws when the driver gives neither a text nor a number. */
export function text_or_null(row: Record<string, unknown>, column: string): string | null {
  const value = row[column];
  if (value === null) return null;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  throw new Error(`reading of column "${column}" failed: it came as ${typeof value}`);
}

/** A column that is never null, as text. */
export function text_in(row: Record<string, unknown>, column: string): string {
  const text = text_or_null(row, column);
  if (text === null) throw new Error(`reading of column "${column}" failed: it is null`);
  return text;
}

/** A whole number that is never null. */
export function bigint_in(row: Record<string, unknown>, column: string): bigint {
  return BigInt(text_in(row, column));
}

/** A text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** An SQL expression: a timestamptz column as text of microseconds since the epoch. */
export function micros_of(column: string): string {
  return `(extract(epoch from ${column}) * 1000000)::bigint::text`;
}
