import { data_folder, real_data_folder } from "./available.ts";
import { FLINK_JARS } from "./flink_jars.ts";
import { KAFKA_JARS } from "./kafka_jars.ts";
import { jars_folder } from "./maven_jars.ts";
import { find_chromium } from "./program.ts";
import { PATIENCE } from "./until.ts";

/** One `deno test` of the run: its files, and what they may touch. */
export interface Stage {
  readonly name: string;
  readonly files: readonly string[];
  readonly flags: readonly string[];
  /** Whether nothing may run beside it. */
  readonly alone: boolean;
  /** It is killed and counts as failed after this time, patience included. */
  readonly limit_ms: number;
}

/** What takes longest, then where files wait most (outages of a minute, silences of half a minute), then where they compute most: run from both ends, they leave room for each other. */
const ORDER = [
  "tests/e2e/flink_test",
  "tests/e2e/outage_test",
  "tests/browser/page_test",
  "tests/e2e/silences/",
  "tests/e2e/",
  "tests/browser/",
  "tests/contract/",
  "tests/",
];
const rank = (file: string): number => ORDER.findIndex((start) => file.startsWith(start));

/** What takes longer than others, since all of it shares what is slow to start: minutes, the sum of its tests' limits. */
const LONG = new Map([["tests/e2e/flink_test.ts", 24]]);

/** What keeps a promise in seconds on a machine that has nothing else to do. */
const TIMED = ["tests/e2e/dev_test.ts", "tests/e2e/strangers_test.ts"];

/** A folder, and where it really is: Deno asks for the right to both. */
function with_real_path(folder: string): string[] {
  try {
    return [folder, Deno.realPathSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [folder];
    throw error;
  }
}

/**
 * The stages of a run. Unit tests run side by side and start no program. Every other file is a stage of its own: one that crashes or hangs takes no other
 * file's results along. A few run at a time; they share two servers, which none of them stops, and have databases, topics and groups of their own.
 * @param root the repository
 * @param files test files, relative to the root
 * @param folder the run's temporary folder
 * @param deno_folder where Deno keeps npm packages, some of which read files of their own at run time
 */
export function plan_stages(root: string, files: readonly string[], folder: string, deno_folder: string): Stage[] {
  const read = [root, folder, deno_folder, ...[data_folder(), real_data_folder()].flatMap(with_real_path)];
  const own = [`--allow-write=${folder},${root}/tests/output`, "--allow-net=127.0.0.1,localhost"];
  const path = (Deno.env.get("PATH") ?? "").split(":").filter((entry) => entry.startsWith("/"));
  const programs = ["sh", Deno.execPath(), find_chromium()].filter((program) => program !== null);
  const preload = `--preload=${root}/tests/support/preload.ts`;
  const unit_flags = [
    preload,
    "--parallel",
    `--allow-read=${read.join(",")}`,
    ...own,
    `--allow-env=${UNIT_VARIABLES.join(",")}`,
  ];
  const other_flags = [
    preload,
    `--allow-read=${
      [
        ...read,
        ...[KAFKA_JARS, FLINK_JARS].map(jars_folder),
        ...path,
        "/usr/lib/postgresql",
        "/usr/sbin",
        "/etc/os-release",
      ].join(",")
    }`,
    ...own,
    // Drivers and Playwright look for dozens of variables; what could mislead a test is taken out of the environment instead.
    "--allow-env",
    "--allow-sys=osRelease,hostname,cpus,homedir,statfs",
    `--allow-run=${programs.join(",")}`,
  ];
  const unit = files.filter((file) => file.startsWith("tests/unit/"));
  const others = files.filter((file) => !file.startsWith("tests/unit/")).sort((a, b) => rank(a) - rank(b));
  return [
    ...(unit.length === 0
      ? []
      : [{ name: "unit", files: unit, flags: unit_flags, alone: false, limit_ms: PATIENCE * 10 * 60_000 }]),
    ...others.map((file) => {
      const limit_ms = PATIENCE * (LONG.get(file) ?? 6) * 60_000;
      return { name: file, files: [file], flags: other_flags, alone: TIMED.includes(file), limit_ms };
    }),
  ];
}

/** The environment variable by which the runner tells test processes of the folder where the embedded database is that others are copied from. */
export const EMBEDDED_VARIABLE = "TACHO_TEST_EMBEDDED";

// What the libraries under the pure modules ask for when they are loaded.
const UNIT_VARIABLES = ["TACHO_*", "NODE_*", "PG*", "KAFKAJS_*", "FC_*", "HOME", "TMPDIR", "TZ"];

/** The environment that tests run in: nothing of the developer's own deployment, so that no test ever reaches a real database. */
export function test_environment(
  environment: Readonly<Record<string, string>>,
  additions: Readonly<Record<string, string>>,
): Record<string, string> {
  const foreign = (name: string) =>
    ["DATABASE_URL", "KAFKA_BROKERS", "HOST", "PORT"].includes(name) || /^PG[A-Z]+$/.test(name) ||
    (name.startsWith("TACHO_") && !name.startsWith("TACHO_TEST_"));
  return { ...Object.fromEntries(Object.entries(environment).filter(([name]) => !foreign(name))), ...additions };
}
