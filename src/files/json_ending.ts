/** Characters of JSON, by their codes. */
export const QUOTE = 34, OPEN_OBJECT = 123, CLOSE_OBJECT = 125, OPEN_ARRAY = 91;
const BACKSLASH = 92, LINE_FEED = 10, CLOSE_ARRAY = 93, COLON = 58;

/** Whether a character opens an array or object. */
export const opens = (unit: number): boolean => unit === OPEN_OBJECT || unit === OPEN_ARRAY;
/** Whether a character closes one. */
export const closes = (unit: number): boolean => unit === CLOSE_OBJECT || unit === CLOSE_ARRAY;
/** The character that closes what this one opens. */
export const closing = (opening: number): number => opening === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;

/** Where the next line ends; the length of the text where it does not end there. */
export function break_in(text: string, from: number): number {
  const at = text.indexOf("\n", from);
  return at < 0 ? text.length : at;
}

/** Behind the text that begins with the quote at a place, or where its line ends. A regular expression would run out of its stack in a long one. */
export function end_of_text(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at + 1;
    if (unit === LINE_FEED) return at;
    if (unit === BACKSLASH && text.charCodeAt(at + 1) !== LINE_FEED) at++;
  }
  return text.length;
}

/** Finds where something ends, over as many texts as it takes. */
export interface Ending {
  /** Looks on from a place; the place behind it, null when it does not end in this text. */
  find(text: string, from: number, last: boolean): number | null;
}

/** The end of a line. */
export const LINE_END: Ending = {
  find(text, from, last) {
    const at = break_in(text, from);
    return at < text.length || last ? at : null;
  },
};

/** Brackets that are told apart, one within the other: what is deeper is no record, and must not take all memory. */
export const DEEPEST = 10_000;

/** The end of a value. What breaks the rules of JSON ends where what follows can be no part of it. */
export class ValueEnd implements Ending {
  /** The brackets that are open, and how many more are beyond the deepest that are told apart. */
  readonly #open: number[] = [];
  #deeper = 0;
  /** How many of them are braces. */
  #objects = 0;
  #in_text = false;
  #escaped = false;
  /** What stood last, white space aside. */
  #before = 0;
  /** Where it begins in its line, if it is a line of its own and lines are records. */
  readonly #column: number | null;

  constructor(text: string, at: number, lines: boolean) {
    this.#column = lines ? column_of(text, at) : null;
  }

  find(text: string, from: number): number | null {
    const open = this.#open;
    let at = from, before = this.#before;
    for (; at < text.length; at++) {
      if (this.#in_text) {
        at = this.#text_end(text, at);
        if (this.#in_text) break;
        if (open.length === 0) return at + 1;
        continue;
      }
      const unit = text.charCodeAt(at);
      if (unit <= 32) continue;
      if (unit === QUOTE) this.#in_text = true;
      else if (opens(unit)) {
        const begins_next = unit === OPEN_OBJECT && open.length > 0 &&
          ((open.at(-1) === OPEN_OBJECT && before !== COLON) ||
            (this.#column !== null && column_of(text, at) === this.#column));
        if (begins_next) return at;
        if (open.length === DEEPEST) this.#deeper++;
        else {
          open.push(unit);
          if (unit === OPEN_OBJECT) this.#objects++;
        }
      } else if (closes(unit) && this.#deeper > 0) this.#deeper--;
      else if (closes(unit)) {
        // One that closes nothing is passed over: what it is in is broken, and ends where its own bracket is.
        // Counted, since brackets of one kind in thousands would be looked through for each of the other.
        const is_open = unit === CLOSE_OBJECT ? this.#objects > 0 : open.length > this.#objects;
        if (is_open) {
          let opening: number;
          do {
            opening = open.pop()!;
            if (opening === OPEN_OBJECT) this.#objects--;
          } while (closing(opening) !== unit);
          if (open.length === 0) return at + 1;
        }
      }
      before = unit;
    }
    this.#before = before;
    return null;
  }

  /** Where the text ends that a place is in. No text of JSON goes over the end of a line: there its quote is lacking. */
  #text_end(text: string, from: number): number {
    let escaped = this.#escaped;
    for (let at = from; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (escaped) escaped = false;
      else if (unit === BACKSLASH) escaped = true;
      else if (unit === QUOTE || unit === LINE_FEED) {
        this.#in_text = this.#escaped = false;
        return at;
      }
    }
    this.#escaped = escaped;
    return text.length;
  }
}

/** How far from the beginning of its line something stands, if there is nothing but white space before it; else null. */
function column_of(text: string, at: number): number | null {
  let from = at;
  while (from > 0 && (text[from - 1] === " " || text[from - 1] === "\t")) from--;
  return from === 0 || text[from - 1] === "\n" ? at - from : null;
}

/**
 * Where a broken record ends sooner than its brackets and quotes together say: where the brackets alone do, if an element can end there, or
 * where another object begins in the same column as it. Null where neither is so.
 */
export function sooner_end(text: string, from: number): number | null {
  let open = 0;
  const column = column_of(text, from);
  const bracket = /[[{}\]]/g;
  bracket.lastIndex = from;
  for (let found = bracket.exec(text); found !== null; found = bracket.exec(text)) {
    const at = found.index;
    const unit = text.charCodeAt(at);
    if (unit === OPEN_OBJECT && at > from && column !== null && column_of(text, at) === column) return at;
    open += opens(unit) ? 1 : -1;
    if (open > 0) continue;
    const ends = /^\s*[,\]]/.test(text.slice(at + 1, at + 1_000));
    if (ends) return at + 1 < text.length ? at + 1 : null;
  }
  return null;
}
