import { MOST_PIECE_BYTES, unpack, UnreadableRecords } from "./unpack.ts";

/** A message as Kafka kept it before 0.11, in format 0 or 1. */
export interface OldMessage {
  readonly offset: number;
  readonly magic: 0 | 1;
  readonly attributes: number;
  /** -1 in format 0, which has none. */
  readonly timestamp_ms: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Where the next one begins. */
  readonly end: number;
}

/**
 * Reads the message that begins at a byte.
 * @throws RangeError where it goes on behind the end
 */
export function read_old_message(bytes: Uint8Array, at: number): OldMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = at + 12 + view.getInt32(at + 8);
  const magic = view.getInt8(at + 16);
  if (magic !== 0 && magic !== 1) throw new UnreadableRecords(`a message of format ${magic}`);
  let place = at + (magic === 0 ? 18 : 26);
  const field = (): Uint8Array | null => {
    const length = view.getInt32(place);
    const from = place + 4;
    place = from + Math.max(0, length);
    if (place > end || end > bytes.length) throw new RangeError(`a message ends at byte ${end} of ${bytes.length}`);
    return length < 0 ? null : bytes.subarray(from, place);
  };
  const key = field();
  const value = field();
  return {
    offset: Number(view.getBigInt64(at)),
    magic,
    attributes: view.getInt8(at + 17),
    timestamp_ms: magic === 0 ? -1 : Number(view.getBigInt64(at + 18)),
    key,
    value,
    end,
  };
}

/**
 * Unpacks a message that holds several, or is one.
 * @param last_offset of the last of them; in format 1 packed ones count from the first
 * @throws UnreadableRecords
 */
export async function read_message_set(
  packed: Uint8Array,
  codec: number,
  format: 0 | 1,
  last_offset: number,
): Promise<OldMessage[]> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of unpack(codec, packed)) {
    size += piece.length;
    if (size > MOST_PIECE_BYTES) throw new UnreadableRecords(`more than ${MOST_PIECE_BYTES} bytes come of it`);
    pieces.push(piece);
  }
  const bytes = new Uint8Array(size);
  let filled = 0;
  for (const piece of pieces) {
    bytes.set(piece, filled);
    filled += piece.length;
  }
  const messages: OldMessage[] = [];
  try {
    for (let at = 0; at < size; at = messages.at(-1)!.end) messages.push(read_old_message(bytes, at));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UnreadableRecords("the messages are cut off", { cause: error });
  }
  const shift = format === 1 && messages.length > 0 ? last_offset - messages.at(-1)!.offset : 0;
  return messages.map((message) => ({ ...message, offset: message.offset + shift }));
}
