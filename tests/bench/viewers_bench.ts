import { createHash } from "node:crypto";
import { start_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import { start_bare_server } from "./measures.ts";
import type { ViewerOrder, ViewersSeen, ViewerTarget } from "./viewers.ts";

/**
 * Measures the feed of one real process, PostgreSQL beside it, trips generated all the time:
 *   quiet      one viewer: what the process costs without an audience
 *   crowd      many viewers of one board: share of a core, frames, memory for each viewer, the longest wait for a frame
 *   stalled    some of them read nothing: the same for the others
 *   reconnect  many are cut and come back at once: how long until each has its figures, what the database is asked meanwhile
 *   bare       a server that writes as many bytes to as many viewers and does nothing else: the floor
 * Every share of a core stands beside a calibration loop that ran right before it (SHA-256 of 1 KB, one core), so that runs on
 * different machines compare: `hashes_per_frame` is the time of one delivered frame in such hashes. Argument: the number of
 * viewers. The last line is one line of JSON.
 */

const VIEWERS = Number(Deno.args[0] ?? 10_000);
const STALLED = Math.ceil(VIEWERS / 100);
const RECONNECTING = Math.ceil(VIEWERS / 10);
const PHASE_MS = 30_000;
const PATH = "/api/v1/feed?range=1h";
/** Of this machine's clock ticks, which /proc counts in. */
const TICKS_PER_S = Number(await shell("ask for clock ticks", "getconf CLK_TCK"));

const say = (line: string): void => console.error(line);

/** A thousand SHA-256 hashes of 1 KB that a core does in a second, right now. */
function calibrate(): number {
  const block = new Uint8Array(1_024);
  const from_ms = performance.now();
  let hashes = 0;
  while (performance.now() - from_ms < 1_000) {
    for (let i = 0; i < 100; i++) createHash("sha256").update(block).digest();
    hashes += 100;
  }
  return hashes / (performance.now() - from_ms);
}

/** What a process has used so far: processor time in seconds, memory now in MiB. */
async function used(pid: number): Promise<{ readonly cpu_s: number; readonly memory_mib: number }> {
  const [stat, memory] = await Promise.all([
    shell("read processor time", 'sed "s/.*) //" /proc/$1/stat', String(pid)),
    shell("read memory", "awk '/VmRSS/ { print $2 }' /proc/$1/status", String(pid)),
  ]);
  const fields = stat.trim().split(" ");
  return { cpu_s: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S, memory_mib: Number(memory) / 1_024 };
}

/** The viewers' worker: one order at a time. */
class Viewers {
  readonly #worker = new Worker(import.meta.resolve("./viewers.ts"), { type: "module" });
  #target: ViewerTarget | undefined;

  constructor(target: ViewerTarget) {
    this.#target = target;
  }

  ask(order: ViewerOrder): Promise<ViewersSeen> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<ViewersSeen>) => resolve(data);
      this.#worker.onerror = (event) => reject(new Error(`ask viewers to ${order.kind}: ${event.message}`));
      this.#worker.postMessage({ order, target: this.#target });
      this.#target = undefined;
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}

await using postgres = await start_postgres();
const { url: database_url } = await postgres.create_database();
await using program = await TachoProgram.serve("dev", {
  args: ["--generate"],
  env: {
    DATABASE_URL: database_url,
    TACHO_RATE: "40",
    TACHO_FEED_PER_ADDRESS: String(VIEWERS + STALLED + 1),
    TACHO_LOG_LEVEL: "warn",
  },
});
const viewers = new Viewers({ port: Number(new URL(program.url).port), path: PATH });
await until(
  "the feed has figures",
  async () => (await viewers.ask({ kind: "open", count: 1, stalled: false })).open > 0,
);

/** One phase: how a process and its viewers did over it. */
async function phase(name: string, pid = program.pid, watching = viewers) {
  const hashes_per_ms = calibrate();
  await watching.ask({ kind: "look" });
  const before = await used(pid);
  const from_ms = performance.now();
  await new Promise((resume) => setTimeout(resume, PHASE_MS));
  const after = await used(pid);
  const seconds = (performance.now() - from_ms) / 1_000;
  const seen = await watching.ask({ kind: "look" });
  const cpu_share = (after.cpu_s - before.cpu_s) / seconds;
  const figures = {
    viewers: seen.open,
    cpu_share: Number(cpu_share.toFixed(3)),
    frames_per_s: Math.round(seen.frames / seconds),
    mib_per_s: Number((seen.bytes / seconds / 2 ** 20).toFixed(1)),
    longest_gap_ms: Math.round(seen.longest_gap_ms),
    memory_mib: Math.round(after.memory_mib),
    thousand_hashes_per_s: Math.round(hashes_per_ms),
  };
  say(`${name}: ${JSON.stringify(figures)}`);
  return { ...figures, hashes_per_ms, frames: seen.frames / seconds, cpu: cpu_share };
}

/**
 * The floor: a server that does nothing but write a constant of so many bytes to as many viewers, four times a second, as streams of the same
 * kind; processor time of a frame, milliseconds.
 */
async function floor(frame_bytes: number) {
  const source = `const frame = new TextEncoder().encode("event: kpi\\ndata: " + "x".repeat(${
    frame_bytes - 19
  }) + "\\n\\n");
    const open = new Set();
    setInterval(() => { for (const controller of open) controller.enqueue(frame); }, 250);
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(port) }, () => {
      let mine;
      return new Response(new ReadableStream({ start: (it) => open.add(mine = it), cancel: () => open.delete(mine) }));
    });`;
  const server = await start_bare_server(source);
  const audience = new Viewers({ port: server.port, path: "/" });
  await audience.ask({ kind: "open", count: VIEWERS, stalled: false });
  const figures = await phase("bare server", server.pid, audience);
  await audience.ask({ kind: "close" });
  audience.end();
  await server.end();
  return { ...figures, frame_ms: figures.cpu / figures.frames * 1_000 };
}

/** Transactions of the database so far. */
const transactions = async (): Promise<number> =>
  Number(
    await shell(
      "count transactions",
      'psql -XAtc "select sum(xact_commit + xact_rollback) from pg_stat_database" "$1"',
      postgres.superuser_url,
    ),
  );

say(`${VIEWERS} viewers of ${program.url.slice(0, -1)}${PATH}`);
await phase("warming up, not counted");
const quiet = await phase("quiet");
const opened = await viewers.ask({ kind: "open", count: VIEWERS - 1, stalled: false });
say(`opened in ${Math.round(opened.took_ms)} ms, ${opened.refused} refused`);
const crowd = await phase("crowd");
await viewers.ask({ kind: "open", count: STALLED, stalled: true });
const stalled = await phase(`with ${STALLED} stalled`);
const asked = await transactions();
const again = await viewers.ask({ kind: "reconnect", count: RECONNECTING });
const asked_meanwhile = await transactions() - asked;
const at = (share: number): number =>
  Math.round(again.first_frame_ms[Math.ceil(share * again.first_frame_ms.length) - 1] ?? Number.NaN);
say(`${RECONNECTING} reconnected at once: half within ${at(0.5)} ms, all within ${at(1)} ms; ${again.refused} refused`);
const settled = await phase("after the reconnection");
await viewers.ask({ kind: "close" });
viewers.end();
const frame_bytes = Math.round(crowd.mib_per_s * 2 ** 20 / crowd.frames_per_s);
const bare = await floor(frame_bytes);

const frame_ms = (crowd.cpu - quiet.cpu) / (crowd.frames - quiet.frames) * 1_000;
console.log(JSON.stringify({
  viewers: VIEWERS,
  cpu_share: crowd.cpu_share,
  quiet_cpu_share: quiet.cpu_share,
  hashes_per_frame: Number((frame_ms * crowd.hashes_per_ms).toFixed(1)),
  frames_per_s: crowd.frames_per_s,
  frame_bytes,
  us_per_frame: Number((frame_ms * 1_000).toFixed(1)),
  bare_us_per_frame: Number((bare.frame_ms * 1_000).toFixed(1)),
  bare_frames_per_s: bare.frames_per_s,
  bare_longest_gap_ms: bare.longest_gap_ms,
  kib_per_viewer: Math.round((crowd.memory_mib - quiet.memory_mib) * 1_024 / VIEWERS),
  longest_gap_ms: crowd.longest_gap_ms,
  longest_gap_with_stalled_ms: stalled.longest_gap_ms,
  cpu_share_with_stalled: stalled.cpu_share,
  reconnected: RECONNECTING,
  reconnected_half_ms: at(0.5),
  reconnected_all_ms: at(1),
  transactions_meanwhile: asked_meanwhile,
  longest_gap_afterwards_ms: settled.longest_gap_ms,
}));
