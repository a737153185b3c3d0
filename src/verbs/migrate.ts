import { fill, is_held_by_others, migrate, migrations_of } from "../database/mod.ts";
import { read_head } from "../event_log/mod.ts";
import {
  begin_read_model,
  compare_read_models,
  type Difference,
  drop_read_model,
  find_read_model,
  type ReadModel,
  Rebuild,
  type RebuildSource,
} from "../projection/mod.ts";
import { system_clock, wait } from "../runtime/mod.ts";
import { open_log, open_with, with_migrating, with_patience } from "./open.ts";
import { ProgressLine, type Shell, UsageError } from "./shell.ts";

/** `tacho migrate`: applies the migrations that are missing, and fills in what they ask for. Stopped, the next one goes on where it was. */
export async function migrate_verb(shell: Shell): Promise<void> {
  const { logger } = shell;
  const database = await open_with(shell, async (database) => {
    const applied = await with_patience(
      shell,
      () => with_migrating(shell, (migrating) => migrate(database, migrations_of(shell.domain.name), migrating)),
    );
    if (applied.length === 0) logger.log("info", "nothing to migrate: the database is up to date");
    return database;
  });
  await database.close();
}

/**
 * `tacho rebuild sketches`: makes the sketches anew from the streams, piece by piece, also while others append. Stopped or killed, the next one
 * goes on where it was. It deletes rows, for which the program's role has no right: it runs as the owner of the tables.
 */
export async function rebuild_sketches_verb(shell: Shell): Promise<void> {
  const { database } = await open_log(shell);
  try {
    await with_patience(shell, () => with_migrating(shell, (migrating) => fill(database, "sketches", migrating)));
    console.log("rebuilt the sketches");
  } finally {
    await database.close();
  }
}

/** Options of `tacho rebuild`, as the command line gives them; at most one of the last three. */
export interface RebuildOptions {
  readonly as: string;
  readonly switch: boolean;
  readonly rollback: boolean;
  readonly drop: boolean;
  readonly allCells: boolean;
}

/** So near to the head it is not worth another round: events that the last step makes while nobody appends. */
const NEAR = 20_000;
/** Who holds the tables for longer than a switch waits is given so long. */
const AGAIN_MS = 1_000;

/**
 * `tacho rebuild`: makes a read model from the log beside the live one while others append, and says how they differ; stopped or killed, the
 * next one goes on where it was. `--switch` exchanges the two, `--rollback` exchanges them back, `--drop` removes the one that is not live. It makes and
 * renames tables: it runs as their owner.
 */
export async function rebuild_verb(shell: Shell, options: RebuildOptions): Promise<void> {
  const { as: name, switch: switches, rollback, drop, allCells: all_cells } = options;
  if ([switches, rollback, drop].filter((wanted) => wanted).length > 1) {
    throw new UsageError("rebuild: expected at most one of --switch, --rollback and --drop");
  }
  const { database, domain, days } = await open_log(shell);
  const source: RebuildSource = { database, domain, days, signal: shell.signal };
  try {
    const found = await find_read_model(database, name);
    if (drop) {
      await drop_read_model(source, expected(name, found));
      console.log(`dropped ${name}`);
      return;
    }
    const replaced = found?.state === "replaced";
    if (rollback !== replaced && (rollback || found !== null)) {
      throw new UsageError(
        rollback
          ? `rebuild: nothing to roll back: ${found === null ? `there is no ${name}` : `${name} was never live`}`
          : `rebuild: ${name} holds what was live before; --rollback switches it back in, --drop removes it`,
      );
    }
    if (all_cells && found !== null) {
      throw new UsageError(
        `rebuild: --all-cells is said when it is begun, and ${name} is: \`--drop\` it, or go on without`,
      );
    }
    if (found === null) await begin_read_model(source, name, all_cells);
    const rebuild = new Rebuild(source, name);
    await follow(shell, rebuild, source, found?.position ?? 0, name);
    if (!switches && !rollback) {
      console.log(told(name, await compare_read_models(source, name)));
      return;
    }
    const position = await switched(shell, rebuild, name);
    console.log(
      rollback
        ? `switched back: what was live before is live again, from position ${position} on; ${name} holds what it replaced`
        : `switched ${name} in at position ${position}; ${name} holds what was live before: --rollback switches it back in, --drop removes it`,
    );
  } finally {
    await database.close();
  }
}

function expected(name: string, found: ReadModel | null): string {
  if (found === null) throw new UsageError(`rebuild: there is no ${name}`);
  return name;
}

/** Follows the log until little is left to its head. */
async function follow(
  shell: Shell,
  rebuild: Rebuild,
  { database }: RebuildSource,
  from: number,
  name: string,
): Promise<void> {
  const line = new ProgressLine(`rebuild ${name}`, (await read_head(database)).position - from, system_clock.now_ms);
  try {
    for (;;) {
      const position = await with_patience(shell, () => rebuild.catch_up((events) => line.add(events)));
      if ((await read_head(database)).position - position < NEAR) return;
    }
  } finally {
    line.end();
  }
}

/** Switches as soon as nobody holds the tables for long. */
async function switched(shell: Shell, rebuild: Rebuild, name: string): Promise<number> {
  for (let said = false;; said = true) {
    try {
      return await with_patience(shell, () => rebuild.switch_in());
    } catch (error) {
      if (!is_held_by_others(error)) throw error;
      if (!said) shell.logger.log("info", "others read the tables; switching is tried again", { read_model: name });
      await wait(AGAIN_MS, shell.signal);
      await rebuild.catch_up(() => {});
    }
  }
}

/** How a read model differs from the live one, in words. */
function told(name: string, { position, compared, changed_since, different, since, examples }: Difference): string {
  const rest = changed_since === 0 ? "" : `; ${changed_since} changed since and are not compared`;
  if (different === 0) {
    return `${name} is at position ${position}: all ${compared} rows are those of the live one${rest}`;
  }
  const first = since === null ? "" : `, since position ${since} at the earliest`;
  const more = different > examples.length ? [`and ${different - examples.length} more`] : [];
  return [
    `${name} is at position ${position}: ${different} of ${compared} rows are not those of the live one${first}${rest}`,
    ...[...examples, ...more].map((example) => `  ${example}`),
  ].join("\n");
}
