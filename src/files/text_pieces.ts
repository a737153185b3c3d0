import { Buffer } from "node:buffer";
import { FileError, type Packing } from "./record_file.ts";
import { unpacked } from "./unpacked.ts";

/** Some text of a file, and how much of the file is read with it: 0 to 1. */
export interface TextPiece {
  readonly text: string;
  readonly share: number;
}

const BLOCK = 256 << 10;

/**
 * The text of a file, piece by piece, without its byte order mark.
 * @param packing what it is unpacked of, piece by piece too
 * @param encoding as the web platform names them; without one it is told by the byte order mark or the zeros of UTF-16 and UTF-32, else UTF-8
 * @throws FileError when the file cannot be read, is cut off, or holds bytes that its encoding has not
 */
export async function* text_pieces(
  path: string,
  packing: Packing | null,
  encoding?: string,
): AsyncGenerator<TextPiece> {
  const quoted = JSON.stringify(path);
  const file = await Deno.open(path).catch((cause) => {
    throw new FileError(`open ${quoted}`, { cause });
  });
  try {
    const { size } = await file.stat();
    let read = 0;
    const blocks = async function* () {
      for (;;) {
        const block = new Uint8Array(BLOCK);
        const count = await file.read(block);
        if (count === null) return;
        read += count;
        yield Buffer.from(block.buffer, 0, count);
      }
    };
    let head: Uint8Array = new Uint8Array();
    let decoder: Decoder | null = null;
    const bytes: AsyncIterable<Uint8Array> = packing === null ? blocks() : unpacked(blocks(), packing);
    for await (const block of bytes) {
      const next = decoder === null ? new Uint8Array(Buffer.concat([head, block])) : block;
      if (decoder === null && next.length < TELLING) {
        head = next;
        continue;
      }
      decoder ??= decoder_of(next, encoding);
      yield { text: decoder(next, false), share: size === 0 ? 1 : read / size };
    }
    const rest = decoder === null ? decoder_of(head, encoding)(head, true) : decoder(new Uint8Array(), true);
    if (rest !== "") yield { text: rest, share: 1 };
  } catch (cause) {
    throw cause instanceof FileError
      ? cause
      : new FileError(`read ${quoted}${packing === null ? "" : ` (${packing})`}`, { cause });
  } finally {
    file.close();
  }
}

/** Makes text of the next bytes; `last`: none follow. */
type Decoder = (bytes: Uint8Array, last: boolean) => string;

/** The first bytes that an encoding is told by. */
const TELLING = 4;

type Unicode = "utf-8" | "utf-16le" | "utf-16be" | "utf-32le" | "utf-32be";

/**
 * The encoding that the first bytes of a text show: by a byte order mark, or by where its first characters have zeros, which are letters,
 * brackets or digits in every format of records. Null when they show none.
 */
function encoding_of([a, b, c, d]: Uint8Array): { readonly name: Unicode; readonly mark: number } | null {
  if (a === 0xef && b === 0xbb && c === 0xbf) return { name: "utf-8", mark: 3 };
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return { name: "utf-32le", mark: 4 };
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return { name: "utf-32be", mark: 4 };
  if (a === 0xff && b === 0xfe) return { name: "utf-16le", mark: 2 };
  if (a === 0xfe && b === 0xff) return { name: "utf-16be", mark: 2 };
  if (a && b === 0 && c === 0 && d === 0) return { name: "utf-32le", mark: 0 };
  if (a === 0 && b === 0 && c === 0 && d) return { name: "utf-32be", mark: 0 };
  if (a && b === 0 && c && d === 0) return { name: "utf-16le", mark: 0 };
  if (a === 0 && b && c === 0 && d) return { name: "utf-16be", mark: 0 };
  return null;
}

/** The decoder for a file that begins with these bytes. A byte order mark goes before what is given. */
function decoder_of(head: Uint8Array, given: string | undefined): Decoder {
  const told = encoding_of(head);
  const name = told !== null && (told.mark > 0 || given === undefined) ? told.name : given?.toLowerCase() ?? "utf-8";
  const decoder = decoder_named(name);
  let mark = told?.name === name ? told.mark : 0;
  return (bytes, last) => {
    const from = mark;
    mark = 0;
    return decoder(bytes.subarray(from), last);
  };
}

function decoder_named(name: string): Decoder {
  switch (name) {
    case "utf-8":
    case "utf8":
      return utf8_decoder();
    case "utf-16":
    case "utf-16le":
    case "utf-16be":
      return wide_decoder(2, name === "utf-16be");
    case "utf-32le":
    case "utf-32be":
      return wide_decoder(4, name === "utf-32be");
  }
  const decoder = new TextDecoder(name, { fatal: true, ignoreBOM: true });
  let at = 0;
  return (bytes, last) => {
    try {
      const text = decoder.decode(bytes, { stream: !last });
      at += bytes.length;
      return text;
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
      throw new Error(`expected text in ${name}, got bytes that are none between ${at} and ${at + bytes.length}`);
    }
  };
}

/**
 * UTF-16 and UTF-32. Halves of characters, and numbers that are none, become lone surrogates, as those of UTF-16 are: a row that has one is
 * told apart from a row of text, and the others still come.
 */
function wide_decoder(width: 2 | 4, big_endian: boolean): Decoder {
  let rest = new Uint8Array();
  return (block, last) => {
    const bytes = rest.length === 0 ? block : new Uint8Array(Buffer.concat([rest, block]));
    const end = bytes.length - bytes.length % width;
    rest = bytes.slice(end);
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    let text = "";
    for (let from = 0; from < end; from += UNITS) {
      const units: number[] = [];
      for (let at = from; at < Math.min(from + UNITS, end); at += width) {
        const unit = width === 2 ? view.getUint16(at, !big_endian) : view.getUint32(at, !big_endian);
        if (unit > 0x10ffff) units.push(0xd800);
        else if (unit < 0x10000) units.push(unit);
        else units.push(0xd7c0 + (unit >> 10), 0xdc00 + (unit & 0x3ff));
      }
      text += String.fromCharCode(...units);
    }
    return last && rest.length > 0 ? `${text}\ud800` : text;
  };
}

/** Bytes that are made characters at once: arguments of a call have bounds. */
const UNITS = 4 << 10;

function utf8_decoder(): Decoder {
  let rest = new Uint8Array();
  return (block, last) => {
    const bytes = rest.length === 0 ? block : new Uint8Array(Buffer.concat([rest, block]));
    const end = last ? bytes.length : bytes.length - begun_at_end(bytes);
    rest = bytes.slice(end);
    return bytes_as_text(bytes.subarray(0, end));
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * UTF-8 as text that different bytes never share: a byte that is none becomes the lone surrogate U+DC80 to U+DCFF with its value, which no
 * UTF-8 has. So text is well-formed where the bytes were UTF-8, and U+FFFD in it is the character that somebody wrote.
 */
export function bytes_as_text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return escaped(bytes);
    throw error;
  }
}

/** How many bytes at the end begin a character that ends behind them. */
function begun_at_end(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

function escaped(bytes: Uint8Array): string {
  let text = "", from = 0;
  for (let at = 0; at < bytes.length;) {
    const length = character_length(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += utf8.decode(bytes.subarray(from, at)) + String.fromCharCode(0xdc00 + bytes[at]!);
    from = ++at;
  }
  return text + utf8.decode(bytes.subarray(from));
}

/** The bytes of the character at a place; 0 when they are no UTF-8 (table 3-7 of the Unicode standard). */
function character_length(bytes: Uint8Array, at: number): number {
  const [first, second, third, fourth] = [bytes[at]!, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0, bytes[at + 3] ?? 0];
  const follows = (byte: number) => byte >= 0x80 && byte <= 0xbf;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !follows(second)) return 0;
  if (first < 0xe0) return 2;
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f) || !follows(third)) return 0;
  if (first < 0xf0) return 3;
  return (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f) || !follows(fourth) ? 0 : 4;
}

/** The bytes that a text was read from: UTF-8, and the bytes that were none. */
export function bytes_of_text(text: string): Uint8Array {
  const encoder = new TextEncoder();
  if (text.isWellFormed()) return encoder.encode(text);
  const parts = text.split(/([\udc80-\udcff])(?<![\ud800-\udbff][\udc80-\udcff])/);
  return new Uint8Array(
    Buffer.concat(
      parts.map((part, i) => i % 2 === 1 ? Uint8Array.of(part.charCodeAt(0) - 0xdc00) : encoder.encode(part)),
    ),
  );
}

/** The name of an encoding by what people call it (`latin1` is windows-1252); null for none that is read. */
export function encoding_named(label: string): string | null {
  if (/^utf-32[lb]e$/i.test(label)) return label.toLowerCase();
  try {
    return new TextDecoder(label).encoding;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const NO_UTF8 = /(?<![\ud800-\udbff])[\udc80-\udcff]/g;

/** What is wrong with text that was read from other bytes than its encoding has. */
export function no_text(text: string): string {
  const [byte] = text.match(NO_UTF8) ?? [];
  if (byte === undefined) return "expected whole characters, got half of one";
  const code = byte.charCodeAt(0) - 0xdc00;
  const latin = new TextDecoder("windows-1252").decode(Uint8Array.of(code));
  return `expected UTF-8 text, got the byte 0x${code.toString(16)} (in Windows-1252 ${JSON.stringify(latin)})`;
}

/** The same of a file of text, with the option that reads it as what it most likely is. */
export function no_text_with_option(text: string): string {
  const why = no_text(text);
  return why.includes("Windows-1252") ? `${why}; --encoding windows-1252 reads it as that` : why;
}

/** More of the first lines than this share have bytes that are no UTF-8: the file is in another encoding. */
const MOST_BROKEN = 0.1;

/** What is wrong with the first text of a file that is no UTF-8 as a whole, and the option that reads it; null for one with a few odd bytes. */
export function other_encoding(text: string): string | null {
  if (text.isWellFormed()) return null;
  const lines = text.split("\n");
  const broken = lines.filter((line) => !line.isWellFormed());
  const odd = text.match(NO_UTF8)?.length ?? 0;
  const characters = text.match(/[^\p{ASCII}\p{Cs}]/gu)?.length ?? 0;
  if (broken.length <= lines.length * MOST_BROKEN || characters >= odd) return null;
  const at = lines.findIndex((line) => line.search(NO_UTF8) >= 0);
  const place = lines[at]!.search(NO_UTF8);
  // Looked for from the byte on: in front of it a line may be long.
  const before = /[^\s,;|"]*$/.exec(lines[at]!.slice(Math.max(0, place - 60), place))![0];
  const word = before + /^[^\s,;|"]*/.exec(lines[at]!.slice(place, place + 60))![0];
  const bytes = bytes_of_text(word.slice(0, 60));
  // Letters of the west stand alone among others; where they follow each other, the script has no others.
  const together = text.match(/[\udc80-\udcff\u0080-\u07ff]{2}/g)?.length ?? 0;
  const option = together * 2 > odd / 2
    ? "name its encoding, such as --encoding windows-1251, gb18030 or shift_jis"
    : `in Windows-1252 it says ${JSON.stringify(new TextDecoder("windows-1252").decode(bytes))}: ` +
      "--encoding windows-1252 reads it";
  return `line ${at + 1}: expected UTF-8 text, got the bytes ${Buffer.from(bytes).toString("hex")}; ${option}`;
}
