/**
 * PostgreSQL's text forms, pure: COPY lines and array literals.
 * (COPY: PostgreSQL documentation, "COPY", text format; arrays: "Array Input and Output Syntax".)
 */

const COPY_SPECIAL = /[\\\t\n\r]/;
const COPY_SPECIALS = /[\\\t\n\r]/g;
const COPY_ESCAPES: Record<string, string> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** A text value as a field of a COPY line. */
export function copy_text(value: string): string {
  return COPY_SPECIAL.test(value) ? value.replace(COPY_SPECIALS, (special) => COPY_ESCAPES[special]!) : value;
}

/** The field of a COPY line that is null. */
export const COPY_NULL = "\\N";

const ARRAY_SPECIALS = /["\\]/g;

/** An array literal of text values; null stays null. */
export function text_array(values: Iterable<string | null>): string {
  let literal = "{";
  for (const value of values) {
    if (literal.length > 1) literal += ",";
    literal += value === null ? "NULL" : `"${value.replace(ARRAY_SPECIALS, "\\$&")}"`;
  }
  return literal + "}";
}

/** An array literal of numbers, bigints or words that need no quotes; null stays null. */
export function plain_array(values: readonly (string | number | bigint | null)[]): string {
  let literal = "{";
  for (let i = 0; i < values.length; i++) {
    if (i > 0) literal += ",";
    literal += values[i] ?? "NULL";
  }
  return literal + "}";
}
