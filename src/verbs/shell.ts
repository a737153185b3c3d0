import {
  type Config,
  ConfigError,
  environment,
  type Logger,
  read_config,
  stderr_logger,
  system_clock,
} from "../runtime/mod.ts";
import { DatabaseUnreachable, DataDirectoryInUse, is_other_schema, MigrationError, sqlstate } from "../database/mod.ts";
import { DeploymentMismatch } from "../event_log/mod.ts";
import { FileError } from "../files/mod.ts";
import { ReplayRunning } from "../replay/mod.ts";
import denojson from "../../deno.json" with { type: "json" };

/** The program's version. */
export const VERSION: string = denojson.version;

/** Wrong usage of a verb: the program exits with code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What every verb is given. */
export interface Shell {
  readonly config: Config;
  readonly logger: Logger;
  /** Aborted by SIGINT and SIGTERM: finish what is under way, then end. A second signal ends the process at once. */
  readonly signal: AbortSignal;
}

/** SQLSTATEs of a database that will not let us in however often we ask: wrong password, no such database or role. */
const REFUSED = /^(?:28|3D)/;
/** What the driver says when a login without a password, or TLS, cannot work out. */
const NO_HANDSHAKE = /\bSASL\b|\bSSL\b|certificate/i;

/**
 * Runs a verb: reads the configuration, listens for signals, ends with exit code 0 (done), 1 (failed) or 2 (wrong usage or configuration).
 * @param env_file a file whose settings are taken where the environment has none
 */
export async function run_verb(verb: (shell: Shell) => Promise<void>, env_file: string | null = null): Promise<never> {
  const stop = new AbortController();
  const on_signal = () => {
    if (stop.signal.aborted) Deno.exit(130);
    stop.abort(new Error("stopped by a signal"));
  };
  Deno.addSignalListener("SIGINT", on_signal);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", on_signal);
  try {
    const config = read_config(environment(env_file));
    const logger = stderr_logger(config.log_level, system_clock.now_ms);
    await verb({ config, logger, signal: stop.signal });
    Deno.exit(0);
  } catch (error) {
    if (stop.signal.aborted && error === stop.signal.reason) Deno.exit(0);
    console.error(`tacho: ${told(error)}${hint(error)}`);
    Deno.exit(is_wrong_usage(error) ? 2 : 1);
  }
}

const is_wrong_usage = (error: unknown): boolean =>
  error instanceof ConfigError || error instanceof UsageError || error instanceof DeploymentMismatch ||
  error instanceof MigrationError || error instanceof FileError || error instanceof ReplayRunning ||
  error instanceof DataDirectoryInUse || error instanceof Deno.errors.NotCapable ||
  is_other_schema(error) || is_refused(error);

/** Whether the database refuses us for good: waiting for it would not help. */
export const is_refused = (error: unknown): boolean =>
  error instanceof DatabaseUnreachable ? NO_HANDSHAKE.test(error.message) : REFUSED.test(sqlstate(error) ?? "");

/** What to do where Deno's own words ("run again with the --allow-write flag") lead nowhere: a task's flags are not the caller's. */
const hint = (error: unknown): string =>
  error instanceof Deno.errors.NotCapable
    ? "\n  the tasks of deno.json let the program write in .tacho/ only; for another TACHO_DATA_DIR run main.ts with your own --allow-read and --allow-write"
    : "";

/** An error and its causes, one after the other. */
function told(error: unknown): string {
  const parts: string[] = [];
  for (
    let each: unknown = error;
    each !== undefined && parts.length < 5;
    each = each instanceof Error ? each.cause : undefined
  ) {
    parts.push(each instanceof Error ? each.message || each.name : String(each));
  }
  return parts.join("\n  because: ");
}
