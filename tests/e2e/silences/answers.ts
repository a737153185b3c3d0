import { crc32c } from "../../../src/ingest/kafka/records/record_batch.ts";
import { API, type FaultProxy, type Frame } from "../../support/fault_proxy.ts";

/** Withholds answers of this kind on the connections there are now, on later ones they pass; resolves when one was withheld. */
export async function withhold_answers(proxy: FaultProxy, withheld: number): Promise<void> {
  const there_are = proxy.accepted;
  const first = Promise.withResolvers<void>();
  proxy.answer = ({ api, connection, bytes }) => {
    if (connection > there_are || api !== withheld) return bytes;
    first.resolve();
    return "withheld";
  };
  await first.promise;
}

/** An answer with another error code, which stands behind the throttle time in the versions spoken here. */
export function with_error(bytes: Uint8Array<ArrayBuffer>, code: number): Uint8Array<ArrayBuffer> {
  new DataView(bytes.buffer).setInt16(4 + 4 + 4, code);
  return bytes;
}

/** Where the first record batch begins in an answer to a fetch from one partition of one topic; null when there is none. */
export function first_batch({ api, bytes }: Frame): number | null {
  if (api !== API.Fetch) return null;
  const view = new DataView(bytes.buffer);
  // Length, correlation id, throttle time, error, session, count of topics, topic's name, count of partitions, partition's head.
  const name_at = 4 + 4 + 4 + 2 + 4 + 4;
  const records_at = name_at + 2 + view.getInt16(name_at) + 4 + 4 + 2 + 8 + 8 + 8 + 4 + 4;
  return records_at + 4 < bytes.length && view.getInt32(records_at) > 0 ? records_at + 4 : null;
}

/** Flips a bit of the last message's value, which stands before the count of its headers: kafkajs would not notice. */
export function damaged(frame: Frame): Uint8Array<ArrayBuffer> {
  if (first_batch(frame) !== null) frame.bytes[frame.bytes.length - 2]! ^= 1;
  return frame.bytes;
}

/**
 * Says of the batch at an offset, where it comes first, that it is packed with a codec that nobody knows, and gives it the checksum that goes
 * with that.
 */
export function packed_by_nobody(frame: Frame, offset: number): Uint8Array<ArrayBuffer> {
  const at = first_batch(frame);
  const view = new DataView(frame.bytes.buffer);
  if (at === null || Number(view.getBigInt64(at)) !== offset) return frame.bytes;
  view.setInt16(at + 21, 6);
  view.setUint32(at + 17, crc32c(frame.bytes.subarray(at + 21, at + 12 + view.getInt32(at + 8))));
  return frame.bytes;
}
