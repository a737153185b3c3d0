/**
 * What a fetch brought, read from its bytes: which record batches are data, by checksum, codec and transactions; their records as messages, unpacked
 * piece by piece in bounded memory; and packing, for producers. Knows Kafka's formats and no client.
 */
export { type Pack, pack_lz4_frame, pack_snappy, pack_zstd } from "./codecs.ts";
export { type FetchedPartition, read_fetch_answer, slices } from "./fetch_answer.ts";
