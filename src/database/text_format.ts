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

/** SQL: a column of times as microseconds since the Unix epoch, called as the column is with `_us` behind it. */
export const us_of = (column: string): string =>
  `(extract(epoch from ${column}) * 1000000)::bigint as ${column.slice(column.indexOf(".") + 1)}_us`;

/**
 * SQL: a relation of parameters, from the first one on, that are arrays, side by side: a row has an item of each, null of a shorter or a null one.
 * Listed in a select they are walked all at once. As a function in `from`, PostgreSQL writes every array into a store of its own before the first
 * row is made of them: to change 50,000 streams by 43 arrays then takes it a fifth more.
 */
export const unnested = (names: readonly string[], types: readonly string[]): string =>
  `(select ${names.map((name, i) => `unnest($${i + 1}::${types[i]}[]) as ${name}`).join(", ")})`;

const utf8 = new TextEncoder();
const TAB = 9, LINE_BREAK = 10, CARRIAGE_RETURN = 13, BACKSLASH = 92;

/**
 * Lines of COPY text, written field by field as UTF-8 bytes: no text is made of a line, and the collector of garbage does not walk over
 * bytes. Each line ends with its only line break.
 */
export class CopyLines {
  #bytes = new Uint8Array(1 << 14);
  #used = 0;
  #count = 0;

  /** A field that is text, whatever it holds. */
  text(value: string): this {
    this.#make_room(value.length);
    const bytes = this.#bytes;
    let at = this.#used;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 127 || unit === BACKSLASH || unit === TAB || unit === LINE_BREAK || unit === CARRIAGE_RETURN) {
        return this.#encoded(copy_text(value));
      }
      bytes[at++] = unit;
    }
    return this.#end_field(at);
  }

  /** A field of ASCII that needs no escapes: a number, a time, a word. */
  plain(value: string): this {
    this.#make_room(value.length);
    let at = this.#used;
    for (let i = 0; i < value.length; i++) this.#bytes[at++] = value.charCodeAt(i);
    return this.#end_field(at);
  }

  /** Ends the line, of at least one field. */
  end_line(): void {
    this.#bytes[this.#used - 1] = LINE_BREAK;
    this.#count++;
  }

  /** Forgets all lines. Bytes that were given before are written over. */
  clear(): void {
    this.#used = this.#count = 0;
  }

  get count(): number {
    return this.#count;
  }

  /** All lines so far. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#used);
  }

  #encoded(text: string): this {
    this.#make_room(text.length * 3);
    return this.#end_field(this.#used + utf8.encodeInto(text, this.#bytes.subarray(this.#used)).written);
  }

  #end_field(at: number): this {
    this.#bytes[at] = TAB;
    this.#used = at + 1;
    return this;
  }

  /** Makes room for a field of so many bytes and what ends it. */
  #make_room(bytes: number): void {
    const needed = this.#used + bytes + 1;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }
}
