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

const ARRAY_SPECIAL = /["\\]/;
const ARRAY_SPECIALS = /["\\]/g;

// Both build with join: one flat string, where adding piece by piece leaves a rope of as many pieces for the collector and the driver.

/** An array literal of text values; null stays null. */
export function text_array(values: readonly (string | null)[]): string {
  const quoted = values.map((value) =>
    value === null ? "NULL" : `"${ARRAY_SPECIAL.test(value) ? value.replace(ARRAY_SPECIALS, "\\$&") : value}"`
  );
  return `{${quoted.join(",")}}`;
}

/** An array literal of numbers, bigints or words that need no quotes; null stays null. */
export function plain_array(values: readonly (string | number | bigint | null)[]): string {
  return `{${(values.includes(null) ? values.map((value) => value ?? "NULL") : values).join(",")}}`;
}

/** An array literal of byte strings, in bytea's hex form; null stays null. */
export function bytes_array(values: readonly (Uint8Array | null)[]): string {
  return `{${values.map((value) => value === null ? "NULL" : `"\\\\x${value.toHex()}"`).join(",")}}`;
}
