import { parseArgs } from "node:util";
import { type FuzzReport, run_fuzz } from "./fuzz_run.ts";

/**
 * `deno task fuzz -- --messages N --seed S`: fuzzed messages through Kafka, the program and PostgreSQL, all real and of its own; see
 * `run_fuzz`. Prints a table, and on stdout one line of JSON. Exit code 0 when all is as it must be, 1 when not, 2 for wrong usage.
 */

const USAGE = "Usage: deno task fuzz -- [--messages N] [--seed S]";

/**
 * A run of any length stays below this: what the program holds is bounded by its buffer, batches and cache (60,000 trips of about 1 KiB), beside
 * what V8 has not collected yet. A leak of 1 KiB a message breaks it within a million messages.
 */
const MOST_MIB = 1_536;

function whole_number(name: string, text: string, least: number, most: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  console.error(`fuzz: expected --${name} from ${least} to ${most}, got ${JSON.stringify(text)}. ${USAGE}`);
  Deno.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      args: Deno.args.filter((arg) => arg !== "--"),
      options: { messages: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } },
    });
    return {
      messages: whole_number("messages", values.messages, 1, 100_000_000),
      seed: whole_number("seed", values.seed, 0, 0x7fff_ffff),
    };
  } catch (error) {
    console.error(`fuzz: ${error instanceof Error ? error.message : String(error)}. ${USAGE}`);
    Deno.exit(2);
  }
}

function table({ messages, seed, memory, paused, reasons, verified, seconds, ...counts }: FuzzReport): string {
  const share = (count: number) => `${count} (${(count / messages * 100).toFixed(1)} %)`;
  const rows: [string, string][] = [
    ["seed", String(seed)],
    ["messages read", `${messages} in ${seconds} s (${Math.round(messages / seconds)}/s)`],
    ["admitted", share(counts.admitted)],
    ["duplicates", share(counts.duplicates)],
    ["quarantined", share(counts.quarantined)],
    ["batches, trips, cells", `${counts.batches}, ${counts.trips}, ${counts.cells}`],
    ["memory, first quarter", `${memory.first_quarter_mib} MiB (median)`],
    ["memory, last quarter", `${memory.last_quarter_mib} MiB (median of ${memory.samples} samples in all)`],
    ["memory, peak", `${memory.peak_mib} MiB of ${MOST_MIB} allowed`],
    ["paused", `at ${paused} of ${memory.samples} looks`],
    ["verify", verified],
    ["oracle", "events, trips, cells, quarantine and cursors agree"],
    ...Object.entries(reasons).map(([why, count]): [string, string] => [`quarantined: ${why}`, String(count)]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

const { messages, seed } = options();
console.error(`fuzz: ${messages} messages, seed ${seed}`);
try {
  const report = await run_fuzz({ messages, seed, batch_messages: 20_000, most_mib: MOST_MIB });
  console.error(table(report));
  console.log(JSON.stringify(report));
} catch (error) {
  console.error(error);
  console.error(`fuzz: failed; the same again: deno task fuzz -- --messages ${messages} --seed ${seed}`);
  Deno.exit(1);
}
// The servers that were started for the run end with the process.
Deno.exit(0);
