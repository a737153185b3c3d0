import { FILLING, may_pass, type Queryable, read_unfilled, violated_constraint } from "../database/mod.ts";
import { type DeclaredDomain, type Domain, lacking, type Lacks, lacks_of, told_unknown } from "../domains/mod.ts";
import { Overtaken, read_deployment, read_head, same_settings } from "../event_log/mod.ts";
import type { Days } from "../kpi/mod.ts";
import {
  begin_read_model,
  drop_read_model,
  find_read_model,
  read_models,
  Rebuild,
  type RebuildBound,
  type RebuildSource,
} from "../projection/mod.ts";
import { Paced, type Runtime, told_trouble, wait } from "../runtime/mod.ts";
import { when_free } from "./shell.ts";

/**
 * What a log of an earlier version lacks is filled in as a rebuild makes it: all states and figures are made anew from the log, in tables beside
 * those that are served, and switched in. So nothing waits for it, nothing is counted twice, and whatever kills it, the next one goes on.
 */

/** What a log lacked when it was opened. */
export interface Lacking {
  readonly lacks: Lacks;
  /** How often another read model was switched in by then: the next one lacks nothing. */
  readonly read_model: number;
  /** What is not known meanwhile, in words. */
  readonly told: readonly string[];
}

/** What a log lacks; null: nothing. @param domain as it is deployed */
export async function lacking_of(
  database: Queryable,
  declared: DeclaredDomain,
  domain: Domain,
): Promise<Lacking | null> {
  const { names, read_model } = await read_unfilled(database);
  if (names.length === 0) return null;
  const lacks = lacks_of(declared, domain, names), told = told_unknown(lacking(domain.board, lacks));
  return { lacks, read_model, told: told.length > 0 ? told : names.map((name) => name.replaceAll("_", " ")) };
}

/** The log lacks nothing any more: what is served of it is to be opened anew, and tells all. */
export class FilledIn extends Error {
  override readonly name = "FilledIn";
}

/** What a log is filled in by. */
export interface FillingSource {
  readonly database: RebuildSource["database"];
  readonly domain: Domain;
  readonly days: Days;
}

/** How it is filled in. */
export interface FillingManner {
  /** Beside what is served: in small pieces between which others have a turn, and what keeps it up is said and waited for; otherwise that is thrown. */
  readonly beside: boolean;
  /** Hears that this process begins or goes on, with so many events left; gives what hears how many of them are done. */
  readonly begun?: (events: number) => (events: number) => void;
  /** Hears what keeps it up, null when nothing does any more. */
  readonly trouble?: (reason: string | null) => void;
  /** How much is written at once, unless as usual. */
  readonly bound?: RebuildBound;
}

/** Beside what is served: some hundred milliseconds of work at a time, and little memory. */
const BESIDE: RebuildBound = { events: 2_000, changes: 20_000, kept_events: 50_000 };
/** So near to the head it is not worth another round: events that the switch makes while nobody appends. */
const NEAR = 10_000;
/** Who finds another process at it looks so often how far that is, and takes over where it has not got on for so long. */
const LOOK_MS = 500;
const STILL_MS = 5_000;

/**
 * Fills a log in, and returns as soon as it lacks nothing, whoever filled it in. Several processes may call it: pieces are one's, by where the read
 * model stands, and who comes second waits for as long as the other gets on. A role that does not own the tables waits for who does.
 * Throws what keeps it up for good, unless it is beside; the signal's reason.
 */
export async function fill_in(runtime: Runtime, given: FillingSource, manner: FillingManner): Promise<void> {
  const { signal, logger } = runtime, { database } = given, { trouble = () => {} } = manner;
  const source = { ...given, signal };
  const pace = new Paced(runtime, { first_ms: 1_000, cap_ms: 10_000 });
  const said = (reason: string, error: unknown) => {
    trouble(reason);
    const told = pace.failed(error);
    if (told.attempt === 1) logger.log("warn", "the log is not filled in", { ...told_trouble(told), reason });
    return pace.pause(signal);
  };
  for (;;) {
    signal.throwIfAborted();
    try {
      if ((await read_unfilled(database)).names.length === 0) return trouble(null);
      if (!await owns_tables(database)) {
        await said(OWNER, new Error(OWNER));
        continue;
      }
      await make_and_switch(runtime, source, manner);
      pace.succeeded();
    } catch (error) {
      signal.throwIfAborted();
      if (is_overtaken(error)) await others_turn(source);
      else if (manner.beside || may_pass(error)) {
        await said(Error.isError(error) ? error.message : String(error), error);
      } else throw error;
    }
  }
}

const OWNER = "the owner of the tables has to fill it in: `tacho migrate`";

/** Another process was faster: it has begun the read model, moved it on, or switched it in. */
const is_overtaken = (error: unknown): boolean =>
  error instanceof Overtaken || violated_constraint(error) === "read_models_pkey";

async function owns_tables(database: Queryable): Promise<boolean> {
  const [may] = await database.query<{ write: boolean }>(
    "select has_table_privilege('schema_migrations', 'update') as write",
  );
  return may?.write === true;
}

/** Makes the read model up to the head, from where it stands, and switches it in. Throws Overtaken where another process does. */
async function make_and_switch(
  runtime: Runtime,
  source: RebuildSource,
  { beside, begun, trouble, bound }: FillingManner,
) {
  const { database } = source;
  await begin(source);
  const left = async () => {
    const { position } = await read_head(database);
    return position - ((await find_read_model(database, FILLING))?.position ?? 0);
  };
  const rebuild = new Rebuild(source, FILLING, bound ?? (beside ? BESIDE : undefined));
  const done = begun?.(await left()) ?? (() => {});
  const progress = (events: number) => {
    trouble?.(null);
    done(events);
  };
  do await rebuild.catch_up(progress); while (await left() > NEAR);
  await rebuild.look_at_tables();
  await when_free(
    runtime,
    ["others read the tables; what was filled in is switched in later", { read_model: FILLING }],
    () => rebuild.switch_in(),
    () => rebuild.catch_up(progress),
  );
}

/** Begins the read model unless it was begun. One that another version began, or that other settings made, is dropped. */
async function begin(source: RebuildSource): Promise<void> {
  const { database } = source, live = await read_deployment(database);
  let found = false;
  for (const { name, state, settings } of await read_models(database)) {
    if (!/^fill\d+$/.test(name)) continue;
    const is_own = name === FILLING && state !== "replaced" && live !== null && settings !== null &&
      same_settings(settings, live);
    if (is_own) found = true;
    else await drop_read_model(source, name);
  }
  if (!found) await begin_read_model(source, FILLING);
}

/** Waits while another process gets on. */
async function others_turn({ database, signal }: RebuildSource): Promise<void> {
  const look = async () => {
    const model = await find_read_model(database, FILLING);
    return `${model?.state} ${model?.position}`;
  };
  let seen = await look();
  for (let still_ms = 0; still_ms < STILL_MS; still_ms += LOOK_MS) {
    await wait(LOOK_MS, signal);
    if ((await read_unfilled(database)).names.length === 0) return;
    const now = await look();
    if (now !== seen) still_ms = 0;
    seen = now;
  }
}
