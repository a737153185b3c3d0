/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/**
 * Many synthetic viewers of one feed, in a worker of its own: raw connections whose bytes are counted and thrown away. What a
 * page would do with a frame is not measured here.
 */

/** What the worker is asked for. */
export type ViewerOrder =
  | { readonly kind: "open"; readonly count: number; readonly stalled: boolean }
  | { readonly kind: "reconnect"; readonly count: number }
  | { readonly kind: "look" }
  | { readonly kind: "close" };

/** What it answers: how many are greeted, frames and bytes since the last look, the longest that any prompt viewer waited for a frame, how long the order took. */
export interface ViewersSeen {
  readonly open: number;
  readonly refused: number;
  readonly frames: number;
  readonly bytes: number;
  readonly longest_gap_ms: number;
  readonly took_ms: number;
  /** How long after the order each of its viewers had its first frame, sorted. */
  readonly first_frame_ms: readonly number[];
}

/** Where the feed is. */
export interface ViewerTarget {
  readonly port: number;
  readonly path: string;
}

/** Connections that are opened side by side: a listening socket holds so many that wait. */
const SIDE_BY_SIDE = 200;
/** A frame begins with this, in every frame once. */
const EVENT = new TextEncoder().encode("event: ");
/** One viewer of so many reads at once and tells how long frames are away; the others read once a second, so that they leave the core to the server. */
const PROMPT = 20;
const REST_MS = 1_000;
/** Several frames. */
const BUFFER_BYTES = 24_576;

interface Viewer {
  readonly prompt: boolean;
  connection: Deno.TcpConn | null;
  last_frame_ms: number;
  last_id: string | null;
}

const viewers: Viewer[] = [];
let refused = 0, frames = 0, bytes = 0, longest_gap_ms = 0;

function frames_in(chunk: Uint8Array): number {
  let count = 0;
  for (let at = chunk.indexOf(EVENT[0]!); at >= 0; at = chunk.indexOf(EVENT[0]!, at + 1)) {
    let same = 1;
    while (same < EVENT.length && chunk[at + same] === EVENT[same]) same++;
    // "event: " never begins inside JSON text, where a quote comes before the colon.
    if (same === EVENT.length) count++;
  }
  return count;
}

/** Opens a viewer's connection; resolves with its first frame, then goes on reading by itself unless it is to stall. */
async function greet(viewer: Viewer, target: ViewerTarget, stalled: boolean): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: target.port });
  const resume = viewer.last_id === null ? "" : `Last-Event-ID: ${viewer.last_id}\r\n`;
  const head = `GET ${target.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
    `Accept: text/event-stream\r\n${resume}\r\n`;
  await connection.write(new TextEncoder().encode(head));
  const buffer = new Uint8Array(BUFFER_BYTES);
  const read = await connection.read(buffer);
  const text = new TextDecoder().decode(buffer.subarray(0, read ?? 0));
  if (!text.startsWith("HTTP/1.1 200")) {
    refused++;
    connection.close();
    throw new Error(`open a viewer: expected HTTP/1.1 200, got ${JSON.stringify(text.slice(0, 200))}`);
  }
  viewer.connection = connection;
  viewer.last_frame_ms = performance.now();
  if (stalled) return;
  let first = frames_in(buffer.subarray(0, read ?? 0));
  viewer.last_id = /^id: (\S+)$/m.exec(text)?.[1] ?? viewer.last_id;
  while (first === 0) {
    const more = await connection.read(buffer);
    if (more === null) throw new Error("open a viewer: the stream ended before its first frame");
    first = frames_in(buffer.subarray(0, more));
  }
  viewer.last_frame_ms = performance.now();
  void follow(viewer, connection, buffer);
}

async function follow(viewer: Viewer, connection: Deno.TcpConn, buffer: Uint8Array): Promise<void> {
  for (;;) {
    let read: number | null = null;
    try {
      read = await connection.read(buffer);
    } catch (error) {
      // A connection that was cut on purpose reads no more.
      if (viewer.connection === connection) throw error;
    }
    if (read === null) {
      if (viewer.connection === connection) viewer.connection = null;
      return;
    }
    bytes += read;
    const chunk = buffer.subarray(0, read);
    const count = frames_in(chunk);
    frames += count;
    if (!viewer.prompt) {
      await new Promise((resume) => setTimeout(resume, REST_MS));
      continue;
    }
    if (count === 0) continue;
    const now_ms = performance.now();
    longest_gap_ms = Math.max(longest_gap_ms, now_ms - viewer.last_frame_ms);
    viewer.last_frame_ms = now_ms;
  }
}

async function greet_all(wanted: readonly Viewer[], target: ViewerTarget, stalled: boolean): Promise<number[]> {
  const started_ms = performance.now();
  const took: number[] = [];
  const waiting = [...wanted];
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
    for (let viewer = waiting.pop(); viewer !== undefined; viewer = waiting.pop()) {
      await greet(viewer, target, stalled);
      took.push(performance.now() - started_ms);
    }
  }));
  return took.sort((a, b) => a - b);
}

function cut(viewer: Viewer): void {
  const { connection } = viewer;
  viewer.connection = null;
  connection?.close();
}

async function obey(order: ViewerOrder, target: ViewerTarget): Promise<ViewersSeen> {
  const started_ms = performance.now();
  let first_frame_ms: number[] = [];
  if (order.kind === "open") {
    const fresh = Array.from({ length: order.count }, (_, i): Viewer => ({
      prompt: i % PROMPT === 0,
      connection: null,
      last_frame_ms: 0,
      last_id: null,
    }));
    first_frame_ms = await greet_all(fresh, target, order.stalled);
    viewers.push(...fresh);
  } else if (order.kind === "reconnect") {
    const again = viewers.slice(0, order.count);
    for (const viewer of again) cut(viewer);
    first_frame_ms = await greet_all(again, target, false);
  } else if (order.kind === "close") {
    for (const viewer of viewers) cut(viewer);
  }
  const seen = {
    open: viewers.filter(({ connection }) => connection !== null).length,
    refused,
    frames,
    bytes,
    longest_gap_ms,
    took_ms: performance.now() - started_ms,
    first_frame_ms,
  };
  [frames, bytes, longest_gap_ms] = [0, 0, 0];
  return seen;
}

let target: ViewerTarget | null = null;
self.addEventListener("message", async ({ data }: MessageEvent<{ target?: ViewerTarget; order: ViewerOrder }>) => {
  target = data.target ?? target;
  if (target === null) throw new Error("obey an order: the first one has to name the feed");
  self.postMessage(await obey(data.order, target));
});
