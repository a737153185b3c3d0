import { Buffer } from "node:buffer";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import snappy from "snappyjs";
import { pack_lz4, unpack_lz4 } from "./lz4.ts";

/** Compresses and decompresses the records of one Kafka record batch. */
export interface Codec {
  compress(records: Uint8Array): Promise<Buffer>;
  /** Rejects when the bytes are not of this codec, or would grow beyond `MAX_DECOMPRESSED`. */
  decompress(compressed: Uint8Array): Promise<Buffer>;
}

/** No record batch may grow beyond this, in bytes: a guard against a small batch that unpacks into all memory. */
export const MAX_DECOMPRESSED = 256 << 20;

/** snappyjs brings no types. */
const compress_snappy: (from: Uint8Array) => Uint8Array = snappy.compress;
const uncompress_snappy: (from: Uint8Array, most: number) => Uint8Array = snappy.uncompress;

const as_buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Java producers put snappy into a frame of their own: this head, two versions, then blocks behind their lengths. */
const SNAPPY_JAVA_HEAD = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00, 0, 0, 0, 1, 0, 0, 0, 1]);
const SNAPPY_BLOCK = 32 << 10;

/** Snappy: reads the Java frame and bare blocks (librdkafka, Go), writes the Java frame, which every reader knows. */
export const snappy_codec: Codec = {
  compress(records) {
    const parts: Uint8Array[] = [SNAPPY_JAVA_HEAD];
    for (let at = 0; at < records.length; at += SNAPPY_BLOCK) {
      const block = compress_snappy(records.subarray(at, at + SNAPPY_BLOCK));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(block.length);
      parts.push(length, block);
    }
    return Promise.resolve(Buffer.concat(parts));
  },
  decompress(compressed) {
    return Promise.resolve().then(() => {
      const bytes = as_buffer(compressed);
      if (!bytes.subarray(0, 8).equals(SNAPPY_JAVA_HEAD.subarray(0, 8))) {
        return as_buffer(uncompress_snappy(bytes, MAX_DECOMPRESSED));
      }
      const blocks: Uint8Array[] = [];
      let total = 0;
      for (let at = SNAPPY_JAVA_HEAD.length; at < bytes.length;) {
        const length = bytes.readUInt32BE(at);
        if (at + 4 + length > bytes.length) throw new Error(`cannot unpack snappy: cut off at byte ${bytes.length}`);
        const block = uncompress_snappy(bytes.subarray(at + 4, at + 4 + length), MAX_DECOMPRESSED - total);
        blocks.push(block);
        total += block.length;
        at += 4 + length;
      }
      return Buffer.concat(blocks);
    });
  },
};

/** LZ4, in the frame that Kafka uses since message format 2. */
export const lz4_codec: Codec = {
  compress: (records) => Promise.resolve(pack_lz4(records)),
  decompress: (compressed) => Promise.resolve().then(() => unpack_lz4(compressed, MAX_DECOMPRESSED)),
};

const pack_zstd = promisify(zstdCompress);
const unpack_zstd: (from: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer> = promisify(
  zstdDecompress,
);

/** Zstandard, by `node:zlib`, off the main thread. A frame that is cut off gives what it has: the record decoder finds the end missing. */
export const zstd_codec: Codec = {
  compress: (records) => pack_zstd(records, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }),
  decompress: (compressed) => unpack_zstd(compressed, { maxOutputLength: MAX_DECOMPRESSED }),
};
