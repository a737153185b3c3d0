import { FLINK_JARS } from "./flink_jars.ts";
import { KAFKA_JARS } from "./kafka_jars.ts";
import { jars_absence } from "./maven_jars.ts";
import { find_pyarrow } from "./pyarrow.ts";
import { find_s3_server } from "./s3_server.ts";
import { PATIENCE } from "./until.ts";
import {
  find_chromium,
  find_firefox,
  find_nginx,
  find_pgbouncer,
  find_postgres,
  find_program,
  is_file,
} from "./program.ts";

/** Something real that a test needs and a machine may lack. */
export type Need =
  | "postgres"
  | "kafka"
  | "flink"
  | "chromium"
  | "firefox"
  | "pgbouncer"
  | "nginx"
  | "kcat"
  | "openssl"
  | "s3"
  | "pyarrow"
  | "data"
  | "real_data";

/** Why the machine lacks it, in one line; null when it is there. */
export function needs(need: Need): string | null {
  switch (need) {
    case "postgres":
      return find_postgres() === null ? "no PostgreSQL server on PATH or in /usr/lib/postgresql/*/bin" : null;
    case "kafka":
      return jars_absence(KAFKA_JARS);
    case "flink":
      return jars_absence(FLINK_JARS);
    case "chromium":
      return find_chromium() === null ? "no chromium on PATH" : null;
    case "firefox":
      return find_firefox() === null ? "no firefox-esr or firefox on PATH" : null;
    case "pgbouncer":
      return find_pgbouncer() === null ? "no pgbouncer on PATH or in /usr/sbin" : null;
    case "nginx":
      return find_nginx() === null ? "no nginx on PATH or in /usr/sbin" : null;
    case "kcat":
      return find_program(["kcat"]) === null ? "no kcat on PATH" : null;
    case "openssl":
      return find_program(["openssl"]) === null ? "no openssl on PATH" : null;
    case "s3":
      return find_s3_server() === null ? "no moto_server on PATH" : null;
    case "pyarrow":
      return find_pyarrow() === null ? "no python3 on PATH that has pyarrow" : null;
    case "data": {
      const folder = data_folder();
      const absent = ["trip_start.csv", "trip_end.csv", "taxis.csv"].find((name) => !is_file(`${folder}/${name}`));
      return absent === undefined ? null : `no ${absent} in ${folder}`;
    }
    case "real_data": {
      const folder = real_data_folder();
      return is_file(`${folder}/README.md`) ? null : `no files of real trips in ${folder}`;
    }
  }
}

/** The folder of the real trip files: `TACHO_TEST_DATA`, or `shared/data` beside the repository. */
export function data_folder(): string {
  return Deno.env.get("TACHO_TEST_DATA") || new URL("../../../shared/data", import.meta.url).pathname;
}

/** The folder of real files with the figures that are right, a folder each: `TACHO_TEST_REAL_DATA`, or `shared/cases/real-data` beside the repository. */
export function real_data_folder(): string {
  return Deno.env.get("TACHO_TEST_REAL_DATA") || new URL("../../../shared/cases/real-data", import.meta.url).pathname;
}

/** A test and what it needs. */
export interface TachoTest {
  readonly name: string;
  readonly needs?: readonly Need[];
  /** Another reason, known when the file is loaded, why the test cannot run; null when it can. It skips even where all needs are required. */
  readonly unless?: string | null;
  /** It fails when it takes `PATIENCE` times as long, milliseconds; default 2 minutes. The tests after it still run. */
  readonly limit_ms?: number;
  readonly fn: (context: Deno.TestContext) => void | Promise<void>;
}

/** In which a test has to end that names no other limit, milliseconds. */
export const LIMIT_MS = PATIENCE * 120_000;

/** What stands between a skipped test's name and the reason; the runner splits there. */
export const SKIPPED = " · skipped: ";

/**
 * Registers a test that is skipped, with the reason in its name, where the machine lacks what it needs. With `TACHO_TEST_REQUIRE_ALL=1` it fails there instead: what CI must run cannot be skipped.
 */
export function tacho_test({ name, needs: needed = [], unless = null, limit_ms, fn }: TachoTest): void {
  const absences = needed.map(needs).filter((reason) => reason !== null);
  if (absences.length > 0 && Deno.env.get("TACHO_TEST_REQUIRE_ALL") === "1") {
    Deno.test(name, () => {
      throw new Error(`run "${name}": ${absences.join("; ")}, and TACHO_TEST_REQUIRE_ALL allows no skipping`);
    });
    return;
  }
  const reason = absences.length > 0 ? absences.join("; ") : unless;
  const most_ms = limit_ms === undefined ? LIMIT_MS : PATIENCE * limit_ms;
  if (reason === null) Deno.test({ name, fn: (context) => limited(most_ms, name, () => fn(context)) });
  else Deno.test({ name: `${name}${SKIPPED}${reason}`, ignore: true, fn });
}

/** Runs a test; it fails when it takes longer. */
export async function limited(limit_ms: number, name: string, test: () => void | Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`run "${name}": not done within ${limit_ms} ms`)), limit_ms);
  try {
    await Promise.race([test(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
