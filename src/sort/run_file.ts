/** A run: items in order, in a file, one a line. */

const BLOCK = 128 << 10;
const encoder = new TextEncoder();

/**
 * Writes a run.
 * @returns its size in bytes
 */
export async function write_run<T>(
  path: string,
  items: AsyncIterable<readonly T[]> | Iterable<readonly T[]>,
  encode: (item: T) => string,
  signal?: AbortSignal,
): Promise<number> {
  using file = await Deno.open(path, { write: true, createNew: true });
  let size = 0;
  for await (const some of items) {
    signal?.throwIfAborted();
    let text = "";
    for (const item of some) text += encode(item) + "\n";
    const bytes = encoder.encode(text);
    size += bytes.length;
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  }
  return size;
}

/** The items of a run, block by block. */
export async function* read_run<T>(path: string, decode: (line: string) => T): AsyncGenerator<T[]> {
  using file = await Deno.open(path);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const block = new Uint8Array(BLOCK);
  let rest = "";
  for (;;) {
    const count = await file.read(block);
    if (count === null) break;
    const lines = (rest + decoder.decode(block.subarray(0, count), { stream: true })).split("\n");
    rest = lines.pop()!;
    if (lines.length > 0) yield lines.map(decode);
  }
  if (rest !== "") throw new Error(`read run ${JSON.stringify(path)}: it ends in the middle of a line`);
}
