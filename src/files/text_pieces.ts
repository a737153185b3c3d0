import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { FileError } from "./record_file.ts";

/** Some text of a file, and how much of the file is read with it: 0 to 1. */
export interface TextPiece {
  readonly text: string;
  readonly share: number;
}

const BLOCK = 256 << 10;

/**
 * The text of a file, piece by piece, without its byte order mark: UTF-8, or UTF-16 where that mark says so. What is packed is unpacked
 * piece by piece, so that it takes no more memory than what is not. Node's gunzip, as the one of the web platform stops at the end of the
 * first of several members.
 * @throws FileError when the file cannot be read or is cut off
 */
export async function* text_pieces(path: string, gzip: boolean): AsyncGenerator<TextPiece> {
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
    let decoder: Decoder | null = null;
    const bytes: AsyncIterable<Uint8Array> = gzip ? unpacked(blocks()) : blocks();
    for await (const block of bytes) {
      decoder ??= decoder_of(block);
      yield { text: decoder(block, false), share: size === 0 ? 1 : read / size };
    }
    const rest = decoder?.(new Uint8Array(), true) ?? "";
    if (rest !== "") yield { text: rest, share: 1 };
  } catch (cause) {
    throw cause instanceof FileError ? cause : new FileError(`read ${quoted}${gzip ? " (gzip)" : ""}`, { cause });
  } finally {
    file.close();
  }
}

async function* unpacked(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(blocks);
  const gunzip = createGunzip({ chunkSize: BLOCK });
  source.on("error", (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  try {
    yield* gunzip;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/** Makes text of the next bytes; `last`: none follow. */
type Decoder = (bytes: Uint8Array, last: boolean) => string;

/** The decoder for a file that begins with these bytes. */
function decoder_of(head: Uint8Array): Decoder {
  const label = head[0] === 0xff && head[1] === 0xfe
    ? "utf-16le"
    : head[0] === 0xfe && head[1] === 0xff
    ? "utf-16be"
    : null;
  if (label === null) {
    const utf8 = utf8_decoder();
    let first = true;
    return (bytes, last) => {
      const text = utf8(bytes, last);
      if (!first || text === "") return text;
      first = false;
      return text.startsWith("\ufeff") ? text.slice(1) : text;
    };
  }
  const utf16 = new TextDecoder(label, { fatal: true });
  return (bytes, last) => utf16.decode(bytes, { stream: !last });
}

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

/** What is wrong with text that was read from other bytes than UTF-8. */
export function no_utf8(text: string): string {
  const byte = /[\udc80-\udcff]/.exec(text.replaceAll(/[\ud800-\udbff][\udc00-\udfff]/g, ""))?.[0].charCodeAt(0) ??
    0xdc00;
  const latin = new TextDecoder("windows-1252").decode(Uint8Array.of(byte - 0xdc00));
  return `expected UTF-8 text, got the byte 0x${(byte - 0xdc00).toString(16)} (in Windows-1252 ${
    JSON.stringify(latin)
  })`;
}
