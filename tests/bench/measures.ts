/** What the benches measure with: processor time out of /proc, percentiles. */

import { shell } from "../support/shell.ts";

/** Resident memory of a process now, and its peak, MiB. */
export async function resident(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const found = await shell("read memory", "awk '/VmHWM|VmRSS/ { print $2 }' /proc/$1/status", String(pid));
  const [peak = 0, now = 0] = found.split("\n").map((kib) => Math.round(Number(kib) / 1_024));
  return { now, peak };
}

/** Processor time, seconds. */
export type Processor = Record<"program_main" | "program_other" | "postgres", number>;

const TICKS_PER_S = Number(await shell("read the clock's ticks", "getconf CLK_TCK"));
/** Lines of /proc's `stat`: the server's first process and those that it has, then of each program its main thread and all of it. */
const STATS = `postmaster=$1; shift; cat /proc/$postmaster/stat
for child in $(cat /proc/$postmaster/task/*/children); do cat /proc/$child/stat 2>/dev/null || :; done
for program in "$@"; do echo program; cat /proc/$program/task/$program/stat /proc/$program/stat; done`;

/**
 * Processor time until now: of programs' main threads, of their other threads (collector of garbage, compiler, runtime) and of a PostgreSQL server
 * with all its processes. What a server's process that ended had used is in the account of the first one.
 * @param programs numbers of running processes
 */
export async function processor(postmaster: number, ...programs: number[]): Promise<Processor> {
  const text = await shell("read processor time", STATS, String(postmaster), ...programs.map(String));
  const [server = [], ...each] = text.split("program\n").map((part, p) =>
    part.trim().split("\n").map((line, i) => {
      // Fields 14 and 15 (user and system), and 16 and 17 of its children that have ended.
      const fields = line.slice(line.lastIndexOf(")") + 2).split(" ").slice(11, p === 0 && i === 0 ? 15 : 13);
      return fields.reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_S;
    })
  );
  const sum = (values: readonly number[]) => values.reduce((sum, s) => sum + s, 0);
  const main = sum(each.map(([main = 0]) => main)), all = sum(each.map(([, all = 0]) => all));
  return { program_main: main, program_other: all - main, postgres: sum(server) };
}

/** What was used between two looks. */
export const used_between = (before: Processor, after: Processor): Processor => ({
  program_main: after.program_main - before.program_main,
  program_other: after.program_other - before.program_other,
  postgres: after.postgres - before.postgres,
});

/** The number of a server's first process, out of the folder of its data. */
export const postmaster_of = (data: string): number =>
  Number(Deno.readTextFileSync(`${data}/postmaster.pid`).split("\n")[0]);

/**
 * The smallest value that at least this share of them does not pass; NaN of none.
 * @param sorted ascending
 * @param share in (0, 1]
 */
export const percentile = (sorted: ArrayLike<number>, share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;

/** The one in the middle. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** A server beside the program, in a process of its own: what Deno does without us. It prints its port on a line. */
export interface BareServer {
  readonly port: number;
  readonly pid: number;
  end(): Promise<void>;
}

/** Starts a bare server from its source; resolves when it listens. */
export async function start_bare_server(source: string): Promise<BareServer> {
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec "$0" run --quiet --no-config --allow-net=127.0.0.1 -', Deno.execPath()],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(source));
  await input.close();
  const output = child.stdout.getReader();
  const { value } = await output.read();
  const port = Number(new TextDecoder().decode(value).trim());
  if (!(port > 0)) throw new Error(`start a bare server: expected its port, got ${JSON.stringify(value)}`);
  const end = async () => {
    await output.cancel();
    child.kill("SIGKILL");
    await child.status;
  };
  return { port, pid: child.pid, end };
}
