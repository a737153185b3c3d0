/**
 * One pass over the bytes of a JSON object that is plain: which names it has, and where their values are.
 *
 * Plain is: at most 4 KiB and 64 members; no value with members of its own but `data`; text without escapes; numbers whose digits stand as
 * JavaScript writes them, but for zeros at their end.
 */

/** Larger messages are not plain. */
export const MOST_BYTES = 4_096;
export const MOST_MEMBERS = 64;
/** Beyond so many orders of names, all are forgotten: names that are never the same cost their own messages time, and no memory. */
const MOST_PATHS = 4_096;
const MOST_BRANCHES = 64;

const QUOTE = 34, COMMA = 44, MINUS = 45, POINT = 46, ZERO = 48, COLON = 58, OPEN = 123, CLOSE = 125;

/** What a byte is within a text: 0 one that stands for itself, 1 a part of a character beyond ASCII, 2 the end, or what is not plain. */
const IN_TEXT = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte < 32 || byte === QUOTE || byte === 92 ? 2 : byte < 128 ? 0 : 1,
);

/** What a member's value is. */
export const TEXT = 0, WIDE_TEXT = 1, NUMBER = 2, NULL = 3, BOOLEAN = 4;

/** A point in the order of a message's names: behind a name, or behind a brace of its data. */
export class Path<Shape> {
  readonly next: Path<Shape>[] = [];
  /** Behind the brace that opens here, and behind that which closes here. */
  opened: Path<Shape> | null = null;
  closed: Path<Shape> | null = null;
  /** What follows from the names, of a message that ends here; undefined until that is asked. */
  shape: Shape | undefined = undefined;
  constructor(readonly before: Path<Shape> | null, readonly name: Uint8Array) {}
}

const encoder = new TextEncoder();
const NO_NAME = new Uint8Array();
const DATA = encoder.encode("data");
const WORDS = { null: encoder.encode("null"), true: encoder.encode("true"), false: encoder.encode("false") };
const decoder = new TextDecoder();

/** Where the next byte that is no white space stands. */
function behind_space(bytes: Uint8Array, at: number): number {
  while (bytes[at] === 32 || bytes[at] === 10 || bytes[at] === 13 || bytes[at] === 9) at++;
  return at;
}

/** Whether these bytes stand there. */
export function begins_with(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

const is_data = (name: Uint8Array): boolean => name.length === DATA.length && begins_with(name, 0, DATA);

/**
 * Scans messages. Producers write the same names in the same order again and again: each such order is a path that is learned once and found by
 * comparing the bytes of one name after the other, and what else follows from it can be kept there.
 */
export class PlainScan<Shape> {
  #root = new Path<Shape>(null, NO_NAME);
  #paths = 0;
  /** The message, and a zero behind it that ends whatever is read there. */
  readonly bytes = new Uint8Array(MOST_BYTES + 1);
  // Of each value, in the order of the message: where it begins, where its canonical form ends, and what it is.
  readonly from = new Int32Array(MOST_MEMBERS);
  readonly to = new Int32Array(MOST_MEMBERS);
  readonly kind = new Uint8Array(MOST_MEMBERS);
  readonly number = new Float64Array(MOST_MEMBERS);

  /** Follows the names of a message and notes where their values are; null where it is not plain. */
  read(value: Uint8Array): Path<Shape> | null {
    const { length } = value;
    if (length > MOST_BYTES) return null;
    const { bytes } = this;
    bytes.set(value);
    bytes[length] = 0;
    let at = behind_space(bytes, 0);
    if (bytes[at] !== OPEN) return null;
    at = behind_space(bytes, at + 1);
    let path = this.#root, slot = 0, in_data = false;
    for (;;) {
      if (bytes[at] !== QUOTE) return null;
      const next = this.#step(path, at + 1);
      if (next === null) return null;
      path = next;
      at = behind_space(bytes, at + path.name.length + 2);
      if (bytes[at] !== COLON) return null;
      at = behind_space(bytes, at + 1);
      if (bytes[at] === OPEN) {
        if (in_data || !is_data(path.name)) return null;
        path = path.opened ??= new Path(path, NO_NAME);
        in_data = true;
        at = behind_space(bytes, at + 1);
        if (bytes[at] !== CLOSE) continue;
      } else {
        if (slot === MOST_MEMBERS) return null;
        at = this.#read_value(at, slot++);
        if (at < 0) return null;
        at = behind_space(bytes, at);
      }
      if (in_data && bytes[at] === CLOSE) {
        path = path.closed ??= new Path(path, NO_NAME);
        in_data = false;
        at = behind_space(bytes, at + 1);
      }
      if (bytes[at] !== COMMA) {
        return bytes[at] === CLOSE && !in_data && behind_space(bytes, at + 1) === length ? path : null;
      }
      at = behind_space(bytes, at + 1);
    }
  }

  /** The point behind the name that begins here; null where it is not plain. */
  #step(path: Path<Shape>, at: number): Path<Shape> | null {
    for (const next of path.next) {
      if (begins_with(this.bytes, at, next.name) && this.bytes[at + next.name.length] === QUOTE) return next;
    }
    let end = at;
    while (IN_TEXT[this.bytes[end]!]! < 2) end++;
    if (this.bytes[end] !== QUOTE) return null;
    if (this.#paths === MOST_PATHS || path.next.length === MOST_BRANCHES) {
      this.#root = new Path(null, NO_NAME);
      this.#paths = 0;
      return null;
    }
    const next = new Path(path, this.bytes.slice(at, end));
    path.next.push(next);
    this.#paths++;
    return next;
  }

  /** Notes the value that begins here; returns where it ends, or -1 where it is not plain. */
  #read_value(at: number, slot: number): number {
    const { bytes } = this;
    this.from[slot] = at;
    if (bytes[at] === QUOTE) {
      let wide = 0, kind = 0;
      do {
        wide |= kind;
        kind = IN_TEXT[bytes[++at]!]!;
      } while (kind < 2);
      if (bytes[at] !== QUOTE) return -1;
      this.kind[slot] = wide === 0 ? TEXT : WIDE_TEXT;
      return this.to[slot] = at + 1;
    }
    const word = begins_with(bytes, at, WORDS.null)
      ? WORDS.null
      : begins_with(bytes, at, WORDS.true)
      ? WORDS.true
      : begins_with(bytes, at, WORDS.false)
      ? WORDS.false
      : null;
    if (word === null) return this.#read_number(at, slot);
    this.kind[slot] = word === WORDS.null ? NULL : BOOLEAN;
    return this.to[slot] = at + word.length;
  }

  /** As `#read_value`, of a number. One of at most 15 digits is its digits over a power of ten, both exact, so that one division rounds as parsing does. */
  #read_number(at: number, slot: number): number {
    const { bytes } = this;
    const from = at;
    if (bytes[at] === MINUS) at++;
    const first = at;
    let digits = 0, digit = 0;
    if (bytes[at] === ZERO) at++;
    else for (; (digit = bytes[at]! - ZERO) >= 0 && digit <= 9; at++) digits = digits * 10 + digit;
    if (at === first) return -1;
    let to = at, decimals = 0;
    if (bytes[at] === POINT) {
      const point = at++;
      let all = digits;
      for (; (digit = bytes[at]! - ZERO) >= 0 && digit <= 9; at++) {
        all = all * 10 + digit;
        if (digit === 0) continue;
        digits = all;
        decimals = at - point;
        to = at + 1;
      }
      if (at === point + 1) return -1;
    }
    let value: number;
    if (to - first - (decimals > 0 ? 1 : 0) <= 15) {
      value = decimals === 0 ? digits : digits / 10 ** decimals;
      // JavaScript writes smaller ones with an exponent, and no -0.
      if (decimals > 6 && value < 1e-6) return -1;
      if (first > from) {
        if (value === 0) return -1;
        value = -value;
      }
    } else {
      const text = decoder.decode(bytes.subarray(from, to));
      value = Number(text);
      if (decimals === 0 || String(value) !== text) return -1;
    }
    this.kind[slot] = NUMBER;
    this.number[slot] = value;
    this.to[slot] = to;
    return at;
  }
}
