import { data_folder, real_data_folder } from "./available.ts";
import { kafka_jars_folder } from "./kafka_jars.ts";
import { find_chromium } from "./program.ts";

/** One `deno test` of the run: its files, and what they may touch. */
export interface Stage {
  readonly name: string;
  readonly files: readonly string[];
  readonly flags: readonly string[];
  /** Whether it mostly waits: such stages run one after the other too, but beside all the others. */
  readonly waits: boolean;
  /** It is killed and counts as failed after this time. */
  readonly limit_ms: number;
}

/** Files that stand still for most of their time, on servers of their own: outages of a minute, silences of half a minute. */
const WAITING = ["tests/e2e/outage_test.ts", "tests/e2e/silences/"];

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
 * The stages of a run. Unit tests run side by side and start no program. Every other file is a stage of its own, one after the other: they share two
 * servers and time what they do, and one that crashes or hangs takes no other file's results along. Those that wait do so beside the others.
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
  const serial_flags = [
    preload,
    `--allow-read=${
      [...read, kafka_jars_folder(), ...path, "/usr/lib/postgresql", "/usr/sbin", "/etc/os-release"].join(",")
    }`,
    ...own,
    // Drivers and Playwright look for dozens of variables; what could mislead a test is taken out of the environment instead.
    "--allow-env",
    "--allow-sys=osRelease,hostname,cpus,homedir,statfs",
    `--allow-run=${programs.join(",")}`,
  ];
  const unit = files.filter((file) => file.startsWith("tests/unit/"));
  const serial = files.filter((file) => !file.startsWith("tests/unit/"));
  return [
    ...(unit.length === 0
      ? []
      : [{ name: "unit", files: unit, flags: unit_flags, waits: false, limit_ms: 10 * 60_000 }]),
    ...serial.map((file) => {
      const waits = WAITING.some((part) => file.startsWith(part));
      return { name: file, files: [file], flags: serial_flags, waits, limit_ms: 6 * 60_000 };
    }),
  ];
}

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
