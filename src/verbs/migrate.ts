import {
  type Database,
  make_sketches,
  migrate,
  migrations_of,
  type OpenedDatabase,
  sqlstate,
  text_array,
} from "../database/mod.ts";
import { places_shown } from "../domains/mod.ts";
import {
  type Deployment,
  log_elsewhere,
  read_deployment,
  read_head,
  require_settled,
  same_settings,
  type Settings,
  settle_deployment,
  told_settings,
  wanted_settings,
} from "../event_log/mod.ts";
import { days_in } from "../kpi/mod.ts";
import {
  begin_read_model,
  compare_read_models,
  type Difference,
  drop_read_model,
  find_read_model,
  open_live_door,
  type ReadModel,
  Rebuild,
  type RebuildSource,
  sketches_anew,
} from "../projection/mod.ts";
import { ConfigError, system_clock } from "../runtime/mod.ts";
import { fill_in_first, migrating_of, open_log, open_with, with_patience, with_progress } from "./open.ts";
import { ProgressLine, type Shell, UsageError, when_free } from "./shell.ts";

/**
 * `tacho migrate`: applies the migrations that are missing, and fills in what they ask for. Stopped or killed, the next one goes on where it was. With
 * TACHO_READ_MODEL=flink it prepares a database that was never written for a Flink job, for good; one that was is refused.
 */
export async function migrate_verb(shell: Shell): Promise<void> {
  const { logger, config } = shell;
  if (config.read_model === "flink" && config.database_url === null) {
    throw new ConfigError(["DATABASE_URL: expected a server's database, which Flink can reach, got none"]);
  }
  const database = await open_with(shell, async (database) => {
    const applied = await with_patience(
      shell,
      () => migrate(database, migrations_of(shell.domain.name), migrating_of(shell)),
    );
    if (config.read_model === "flink") await with_patience(shell, () => prepare_for_flink(shell, database));
    const filled = await fill_in_first(shell, database);
    if (applied.length === 0 && !filled) logger.log("info", "nothing to migrate: the database is up to date");
    return database;
  });
  await database.close();
}

/** Settles what the cells are made by, and gives the tables to a Flink job, unless they are its already. */
async function prepare_for_flink({ config, domain: declared, logger }: Shell, database: Database): Promise<void> {
  // A job makes no H3 cells, whatever the configuration says of them.
  const h3_resolution = await read_deployment(database) === null ? "off" : null;
  const deployment = await settle_deployment(database, { ...config, h3_resolution });
  const domain = declared.make(deployment), { tables } = domain;
  if (!deployment.by_flink) {
    const cells = [tables.cells, ...tables.totals === null ? [] : [tables.totals]];
    try {
      await database.query("select give_to_flink($1, $2::text[]::name[])", [tables.states, text_array(cells)]);
    } catch (error) {
      throw sqlstate(error) === "TA001" ? new UsageError(`migrate: ${(error as Error).message}`) : error;
    }
    logger.log("info", "a Flink job writes this database from now on", {
      tables: [tables.states, ...cells].join(", "),
    });
  }
  await open_live_door({ database, domain });
}

/**
 * `tacho rebuild sketches`: makes the sketches anew from the streams, piece by piece, also while others append. Stopped or killed, the next one
 * goes on where it was. It deletes rows, for which the program's role has no right: it runs as the owner of the tables.
 */
export async function rebuild_sketches_verb(shell: Shell): Promise<void> {
  const { database, domain, days } = await open_log(shell, { complete: true }), { name } = shell.domain;
  try {
    await with_patience(
      shell,
      () =>
        with_progress(
          `make sketches anew, ${name}`,
          (working) => make_sketches(database, sketches_anew({ domain, days }), { ...migrating_of(shell), working }),
        ),
    );
    console.log("rebuilt the sketches");
  } finally {
    await database.close();
  }
}

/** Options of `tacho rebuild`, as the command line gives them; at most one of the last three. */
interface RebuildOptions {
  readonly as: string;
  readonly switch: boolean;
  readonly rollback: boolean;
  readonly drop: boolean;
  readonly allCells: boolean;
}

/** So near to the head it is not worth another round: events that the last step makes while nobody appends. */
const NEAR = 20_000;

/**
 * `tacho rebuild`: makes a read model from the log beside the live one while others append, and says how they differ; stopped or killed, the
 * next one goes on where it was. `--switch` exchanges the two, `--rollback` exchanges them back, `--drop` removes the one that is not live. Time zone and
 * H3 resolution may be others than the log's: what is made has them, and so has the log once it is switched in. It makes and renames tables: it
 * runs as their owner.
 */
export async function rebuild_verb(shell: Shell, options: RebuildOptions): Promise<void> {
  const { as: name, switch: switches, rollback, drop, allCells: all_cells } = options;
  if ([switches, rollback, drop].filter((wanted) => wanted).length > 1) {
    throw new UsageError("rebuild: expected at most one of --switch, --rollback and --drop");
  }
  const { database, deployment } = await open_to_rebuild(shell);
  try {
    const found = await find_read_model(database, name);
    const settings = wanted_settings(shell.config, found?.settings ?? deployment);
    const source = source_of(shell, database, deployment, settings);
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
    require_same_settings(name, found, settings);
    if (found === null) {
      if (switches && !same_settings(settings, deployment)) {
        throw new UsageError(
          `rebuild --switch: the log is made by ${told_settings(deployment)}, the configuration says ${
            told_settings(settings)
          }; make it by these first, \`tacho rebuild --as ${name}\`, then switch`,
        );
      }
      await begin_read_model(source, name, all_cells);
    }
    const rebuild = new Rebuild(source, name);
    await follow(shell, rebuild, source, found?.position ?? 0, name);
    await with_patience(shell, () => rebuild.look_at_tables());
    if (!switches && !rollback) {
      console.log(told(name, settings, await compare_read_models(source, name)));
      return;
    }
    const position = await switched(shell, rebuild, name);
    if (await find_read_model(database, name) === null) {
      console.log(
        `switched ${name} in at position ${position}: what was live before lacked figures of this version, and is dropped`,
      );
      return;
    }
    const by = same_settings(settings, deployment) ? "" : `, by ${told_settings(settings)}`;
    console.log(
      rollback
        ? `switched back: what was live before is live again, from position ${position} on${by}; ${name} holds what it replaced`
        : `switched ${name} in at position ${position}${by}; ${name} holds what was live before: --rollback switches it back in, --drop removes it`,
    );
  } finally {
    await database.close();
  }
}

/** Opens the log whatever settings it has, and says by which it is made. */
function open_to_rebuild(
  shell: Shell,
): Promise<{ readonly database: OpenedDatabase; readonly deployment: Deployment }> {
  const { config } = shell;
  if (config.read_model === "flink") throw log_elsewhere();
  return open_with(shell, async (database) => {
    const deployment = await with_patience(shell, async () => {
      await migrate(database, migrations_of(shell.domain.name), migrating_of(shell));
      return await read_deployment(database) ?? await settle_deployment(database, { ...config, forgettable: null });
    });
    if (deployment.by_flink) throw log_elsewhere();
    require_settled(deployment, config, true);
    return { database, deployment };
  });
}

function source_of(
  { domain: declared, signal }: Shell,
  database: Database,
  { currency }: Deployment,
  settings: Settings,
): RebuildSource {
  const domain = declared.make({ currency, h3_resolution: settings.h3_resolution });
  // Whatever the resolution: of what it is 0 it has places, if any.
  const { board, dimensions } = declared.make({ currency, h3_resolution: 0 });
  const by_h3 = new Set(places_shown(board).filter(({ kind }) => kind === "h3").map(({ dimension }) => dimension));
  const places = dimensions.filter(({ name }) => by_h3.has(name));
  return { database, domain, days: days_in(settings.time_zone), settings, places, signal };
}

/** Refuses to go on with a read model that is made otherwise than the configuration says. */
function require_same_settings(name: string, found: ReadModel | null, wanted: Settings): void {
  if (found === null) return;
  if (found.settings === null) {
    throw new UsageError(`rebuild: an earlier version has begun ${name}, without states: --drop it, and begin anew`);
  }
  if (same_settings(found.settings, wanted)) return;
  throw new UsageError(
    `rebuild: ${name} is made by ${told_settings(found.settings)}, the configuration says ${
      told_settings(wanted)
    }: set them so, or --drop it`,
  );
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
const switched = (shell: Shell, rebuild: Rebuild, name: string): Promise<number> =>
  when_free(
    shell,
    ["others read the tables; switching is tried again", { read_model: name }],
    () => with_patience(shell, () => rebuild.switch_in()),
    () => rebuild.catch_up(() => {}),
  );

/** How a read model differs from the live one, in words. */
function told(
  name: string,
  settings: Settings,
  { position, compared, changed_since, different, since, examples, live }: Difference,
): string {
  const rest = changed_since === 0 ? "" : `; ${changed_since} changed since and are not compared`;
  const made = live === null
    ? ""
    : `, made by ${told_settings(settings)}, the live one by ${
      told_settings(live)
    }; what follows from that is not compared`;
  const is_at = `${name} is at position ${position}${made}`;
  if (different === 0) return `${is_at}: all ${compared} rows are those of the live one${rest}`;
  const first = since === null ? "" : `, since position ${since} at the earliest`;
  const more = different > examples.length ? [`and ${different - examples.length} more`] : [];
  return [
    `${is_at}: ${different} of ${compared} rows are not those of the live one${first}${rest}`,
    ...[...examples, ...more].map((example) => `  ${example}`),
  ].join("\n");
}
