import assert from "node:assert/strict";
import type { Database } from "../../src/database/mod.ts";
import type { DeclaredDomain } from "../../src/domains/mod.ts";
import { invented, log_template, make_log } from "./generated_log.ts";
import { GuardedFolder } from "./guarded_folder.ts";
import { shared_postgres } from "./postgres.ts";
import { type Ended, run_tacho, task_command } from "./tacho_program.ts";

/** Positions of a partition: a log of some minutes has several. */
export const PARTITION = 400;

/** A log of small partitions, and the program on it. */
export interface ArchivedLog {
  readonly database: Database;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs a verb; `archive` may write everywhere. */
  run(...args: readonly string[]): Promise<Ended>;
  /** As `run`, and it must succeed. @returns what it said on stdout */
  done(...args: readonly string[]): Promise<string>;
}

/** What follows `deno` for a verb that may write everywhere. */
export const command_of = ([verb, ...args]: readonly string[], domain: string): string[] => {
  const words = task_command("archive").slice(0, -1);
  return [...words, "--domain", domain, verb!, ...args];
};

/** Lends such a log, and a folder for its archives. @param more what the program's environment has besides the database */
export async function with_log_to_archive(
  declared: DeclaredDomain,
  work: (log: ArchivedLog) => Promise<void>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const made = new GuardedFolder("archive");
  await using _ = { [Symbol.asyncDispose]: () => made.dispose() };
  const { url } = await (await shared_postgres()).create_database(log_template(declared));
  const database = await make_log(url, declared, invented(declared, 0.7), 60, PARTITION);
  const env = { DATABASE_URL: url, ...more };
  const run = (...args: readonly string[]) => run_tacho([], { env, command: command_of(args, declared.name) });
  try {
    await work({
      database,
      env,
      folder: made.path,
      run,
      async done(...args) {
        const { code, stdout, stderr } = await run(...args);
        assert.equal(code, 0, stderr);
        return stdout;
      },
    });
  } finally {
    await database.close();
  }
}

/** Archives all that is full; what follows is where to. */
export const MAKE = ["archive", "make", "--older-than", "1d", "--out"];
/** What is in a folder, by name. */
export const names_in = (folder: string): string[] => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
/** What is made of the events, without them. */
export const made_of = ({ events: _, ...rest }: Record<string, unknown>) => rest;
