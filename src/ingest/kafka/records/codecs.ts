import { Buffer } from "node:buffer";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import snappy from "snappyjs";
import { pack_lz4 } from "./lz4.ts";
import { SNAPPY_JAVA_HEAD } from "./snappy.ts";

/** Packs the records of one Kafka record batch; `unpack` reads it. */
export type Pack = (records: Uint8Array) => Promise<Buffer>;

/** snappyjs brings no types. */
const compress_snappy: (from: Uint8Array) => Uint8Array = snappy.compress;

const SNAPPY_BLOCK = 32 << 10;

/** Snappy in the Java frame, which every reader knows. */
export const pack_snappy: Pack = (records) => {
  const parts: Uint8Array[] = [SNAPPY_JAVA_HEAD];
  for (let at = 0; at < records.length; at += SNAPPY_BLOCK) {
    const block = compress_snappy(records.subarray(at, at + SNAPPY_BLOCK));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Promise.resolve(Buffer.concat(parts));
};

/** LZ4, in the frame that Kafka uses since message format 2. */
export const pack_lz4_frame: Pack = (records) => Promise.resolve(pack_lz4(records));

const zstd: (from: Uint8Array, options: { params: Record<number, number> }) => Promise<Buffer> = promisify(
  zstdCompress,
);

/** Zstandard, by `node:zlib`, off the main thread. */
export const pack_zstd: Pack = (records) => zstd(records, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
