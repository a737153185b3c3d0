import type { ReplayEvent } from "./replay_event.ts";

/** A run: events in order, in a file, one a line as a JSON array. */

const BLOCK = 128 << 10;
const encoder = new TextEncoder();

type Line = [
  at_us: number,
  file: number,
  line: number,
  nth: number,
  key: string,
  value: string,
  fault: string | null,
];

/**
 * Writes a run.
 * @returns its size in bytes
 */
export async function write_run(
  path: string,
  events: AsyncIterable<readonly ReplayEvent[]> | Iterable<readonly ReplayEvent[]>,
): Promise<number> {
  using file = await Deno.open(path, { write: true, createNew: true });
  let size = 0;
  for await (const some of events) {
    let text = "";
    for (const { at_us, file, line, nth, key, value, fault } of some) {
      text += JSON.stringify([at_us, file, line, nth, key, value, fault] satisfies Line) + "\n";
    }
    const bytes = encoder.encode(text);
    size += bytes.length;
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  }
  return size;
}

/** The events of a run, block by block. */
export async function* read_run(path: string): AsyncGenerator<ReplayEvent[]> {
  using file = await Deno.open(path);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const block = new Uint8Array(BLOCK);
  let rest = "";
  for (;;) {
    const count = await file.read(block);
    if (count === null) break;
    const lines = (rest + decoder.decode(block.subarray(0, count), { stream: true })).split("\n");
    rest = lines.pop()!;
    if (lines.length > 0) yield lines.map(event_of);
  }
  if (rest !== "") throw new Error(`read run ${JSON.stringify(path)}: it ends in the middle of a line`);
}

function event_of(text: string): ReplayEvent {
  const [at_us, file, line, nth, key, value, fault] = JSON.parse(text) as Line;
  return { at_us, file, line, nth, key, value, fault };
}
