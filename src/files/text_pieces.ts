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
 * The text of a file, piece by piece, without its byte order mark. Bytes that are no UTF-8 become U+FFFD, which the readers look for.
 * Node's gunzip, as the one of the web platform stops at the end of the first of several members.
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
    const decoder = new TextDecoder();
    const bytes: AsyncIterable<Uint8Array> = gzip ? unpacked(blocks()) : blocks();
    for await (const block of bytes) {
      yield { text: decoder.decode(block, { stream: true }), share: size === 0 ? 1 : read / size };
    }
    const rest = decoder.decode();
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
