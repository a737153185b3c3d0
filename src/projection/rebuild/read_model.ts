import { type Database, type Queryable, type Transaction } from "../../database/mod.ts";
import { type Domain, model_tables } from "../../domains/mod.ts";
import {
  type EncodedStreams,
  find_by_index,
  foldable_between,
  hash_event_id,
  KEPT_FROM,
  kept_of,
  kept_values,
  Overtaken,
  read_deployment,
  read_head,
  same_settings,
  type Settings,
  type StreamChange,
  StreamStates,
} from "../../event_log/mod.ts";
import { ALL_KEPT, CellChanges, type Days, type Kept, kept_on_days } from "../../kpi/mod.ts";
import { type EncodedReadModels, ReadModels } from "../read_models.ts";
import { type FoldedStep, LogFold, RefusedEvent } from "./log_fold.ts";
import { beside, exchange_tables, make_beside } from "./tables.ts";

/**
 * A read model beside the live one. It is `catching_up` while it is made from the log, `paused` where it could not go on, and what was live is
 * `replaced` once another one was switched in:
 *
 *     begin ─► catching_up ◄─► paused
 *                  │ switch: at the head, under its lock, the two exchange their names
 *                  ▼
 *                live ◄─ switch ─► replaced
 *
 * Its position moves in the transaction that writes its cells: killed at any moment, the next run goes on from there. Nothing is written to
 * both: who appends knows the live one alone, the other one follows, and at the head it is exchanged while nobody appends.
 */
export interface ReadModel {
  readonly name: string;
  readonly state: "catching_up" | "paused" | "replaced";
  /** The position of the log that it has come to. */
  readonly position: number;
  readonly fault: string | null;
  /** What it has of fine grains: what was kept when it was begun, unless it was to have all. */
  readonly kept: Kept;
  /** Null: an earlier version has begun it, without states. */
  readonly settings: Settings | null;
}

/** What read models of a domain are made of. */
export interface RebuildSource {
  readonly database: Database;
  readonly domain: Domain;
  readonly days: Days;
  readonly signal: AbortSignal;
  /** By which settings domain and days are; absent: by the log's. */
  readonly settings?: Settings;
  /** Dimensions whose keys follow from the H3 resolution, with the column that they are read from; absent: there are none. */
  readonly places?: readonly { readonly name: string; readonly column: string | null }[];
}

/** A domain whose states and cells lie in the tables of another read model. */
function domain_of({ domain }: RebuildSource, name: string): Domain {
  const { states, cells, totals, sketches } = domain.tables;
  const other = (table: string | null) => table === null ? null : beside(table, name);
  return {
    ...domain,
    tables: {
      states: beside(states, name),
      cells: beside(cells, name),
      totals: other(totals),
      sketches: other(sketches),
    },
  };
}

/** All read models beside the live one, by name. */
export async function read_models(queryable: Queryable): Promise<ReadModel[]> {
  const rows = await queryable.query(
    `select name, state, position, fault, time_zone, h3_resolution, ${KEPT_FROM} from read_models order by name`,
  );
  return rows.map(({ name, state, position, fault, time_zone, h3_resolution, ...row }) => ({
    name: String(name),
    state: state as ReadModel["state"],
    position: Number(position),
    fault: fault as string | null,
    kept: kept_of(row),
    settings: time_zone === null ? null : { time_zone, h3_resolution } as Settings,
  }));
}

/** A read model that is made now, and how much of the log it has come to, in whole percent. */
export interface Rebuilding {
  readonly name: string;
  readonly percent: number;
  /** Why it is paused; null while it goes on. */
  readonly fault: string | null;
}

/**
 * What is being rebuilt; null where nothing is, or has not gone on for a minute, and for a role that may not know.
 * @param name of the one that is asked for, however long ago it went on; absent: the one that went on last
 */
export async function read_rebuilding(queryable: Queryable, name?: string): Promise<Rebuilding | null> {
  const [may] = await queryable.query("select has_table_privilege('read_models', 'select') as read");
  if (may?.read !== true) return null;
  const [row] = await queryable.query({
    name: "read_rebuilding",
    text:
      `select name, fault, case when head.position = 0 then 100 else 100 * model.position / head.position end as percent
      from read_models model, log_head head
      where case when $1::text is null then state = 'paused' or state = 'catching_up' and changed_at > now() - interval '1 minute' else name = $1 end
      order by changed_at desc limit 1`,
  }, [name ?? null]);
  if (row === undefined) return null;
  return { name: String(row.name), percent: Number(row.percent), fault: row.fault as string | null };
}

/** The read model of that name; null where there is none. */
export const find_read_model = async (queryable: Queryable, name: string): Promise<ReadModel | null> =>
  (await read_models(queryable)).find((model) => model.name === name) ?? null;

/**
 * Begins a read model: its tables are as the live ones, empty, and whoever may use those may use them.
 * @param all_cells whether it is to have the cells of fine grains that are not kept any more, too
 */
export function begin_read_model(
  { database, domain, days, settings: wanted }: RebuildSource,
  name: string,
  all_cells = false,
): Promise<void> {
  return database.transaction(async (tx) => {
    const { kept } = await read_head(tx), live = await read_deployment(tx);
    const settings = wanted ?? live, other = live !== null && wanted !== undefined && !same_settings(live, wanted);
    await tx.execute(
      `insert into read_models (name, kept_1m_from, kept_5m_from, time_zone, h3_resolution)
        values ($1, $2::timestamptz, $3::timestamptz, $4, $5)`,
      [
        name,
        ...kept_values(all_cells ? ALL_KEPT : other ? kept_on_days(kept, days) : kept),
        ...[settings?.time_zone ?? null, settings?.h3_resolution ?? null],
      ],
    );
    for (const table of model_tables(domain)) await make_beside(tx, table, name);
  });
}

/** Removes a read model that is not live. */
export const drop_read_model = ({ database, domain }: RebuildSource, name: string): Promise<void> =>
  database.transaction((tx) => drop(tx, domain, name));

async function drop(tx: Transaction, domain: Domain, name: string): Promise<void> {
  if (await tx.execute("delete from read_models where name = $1", [name]) !== 1) throw gone(name);
  for (const table of model_tables(domain)) await tx.execute(`drop table if exists ${beside(table, name)}`);
}

export const gone = (name: string): Overtaken =>
  new Overtaken(`rebuild ${name}: another process has removed or moved it`);

/** What is written at once: so many events, or changes of so many cells and bins; about 100 MB, a second or two. */
const PIECE = { events: 100_000, changes: 150_000 };

/** How much is held: see `PIECE`, and events of streams that wait for further ones. */
export interface RebuildBound {
  readonly events: number;
  readonly changes: number;
  readonly kept_events?: number;
}

/** What a piece of the log changes. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly streams: EncodedStreams;
  readonly cells: EncodedReadModels;
}

/** What the events of a piece make of its streams. */
class ChangedStreams {
  readonly #before_first: number;
  readonly #streams = new Map<string, StreamChange & { readonly ordinals: number[]; readonly hashes: number[] }>();
  constructor(before_first: number) {
    this.#before_first = before_first;
  }

  take({ event: { stream_id, revision, event_id, position }, state, last_us, last_event_id }: FoldedStep): void {
    const known = this.#streams.get(stream_id), ordinals = known?.ordinals ?? [], hashes = known?.hashes ?? [];
    ordinals.push(position - this.#before_first);
    hashes.push(hash_event_id(event_id));
    const { expected_revision } = known ?? { expected_revision: revision - 1 };
    const own = { stream_id, expected_revision, state, revision, last_us, last_event_id, ordinals, hashes };
    this.#streams.set(stream_id, own);
  }

  all(): readonly StreamChange[] {
    return [...this.#streams.values()];
  }
}

/** Folds on where the last stretch of the same log ended, so that streams need not be read again. */
export class Rebuild {
  readonly #source: RebuildSource;
  readonly #name: string;
  readonly #domain: Domain;
  readonly #states: StreamStates;
  readonly #models: ReadModels;
  readonly #bound: RebuildBound;
  #fold: LogFold;
  /** The position that it has taken all events up to; NaN: nobody knows. */
  #folded = NaN;
  /** What is written by then, so that it can be read. */
  #written = 0;

  constructor(source: RebuildSource, name: string, bound: RebuildBound = PIECE) {
    this.#source = source;
    this.#name = name;
    this.#domain = domain_of(source, name);
    this.#states = new StreamStates(this.#domain);
    this.#models = new ReadModels(this.#domain, source.days);
    this.#bound = bound;
    this.#fold = this.#nothing_folded();
  }

  #nothing_folded(): LogFold {
    return new LogFold(this.#domain, this.#bound.kept_events);
  }

  /**
   * Makes the read model from the log up to where that goes when it is called. While a piece is written the next one is folded. Throws
   * RefusedEvent where an event cannot be folded by now: the read model is paused there.
   * @param progress hears how many events were folded, and of how many
   */
  async catch_up(progress: (events: number) => void): Promise<number> {
    const { database } = this.#source;
    const { position: to } = await read_head(database);
    const model = await find_read_model(database, this.#name);
    if (model === null) throw gone(this.#name);
    let writing: Promise<void> = Promise.resolve(), written = model.position;
    try {
      for await (const piece of this.#pieces(database, model, to)) {
        await writing;
        writing = database.transaction((tx) => this.#write(tx, piece)).then(() => {
          progress(piece.to - piece.from);
          written = this.#written = piece.to;
        });
        // Met above or below.
        writing.catch(() => {});
      }
      await writing;
    } catch (error) {
      await writing;
      if (error instanceof RefusedEvent) await this.#pause(error.message);
      throw error;
    }
    return written;
  }

  /** Has the database look at what the tables hold: who reads them after a switch, or compares them, has plans that fit. */
  look_at_tables(): Promise<void> {
    const { database, domain } = this.#source;
    return database.transaction(async (tx) => {
      await tx.execute("set local statement_timeout = 0");
      for (const table of model_tables(domain)) await tx.execute(`analyze ${beside(table, this.#name)}`);
    });
  }

  /** Folds a stretch of the log in pieces, and gives each as soon as it is through. */
  async *#pieces(
    reading: Queryable,
    { position: from, kept }: Pick<ReadModel, "position" | "kept">,
    to: number,
  ): AsyncGenerator<Piece> {
    const { days, signal } = this.#source, models = this.#models, bound = this.#bound;
    let begun = from, at = from, changes = new CellChanges(this.#domain, days), streams = new ChangedStreams(from);
    const piece = (): Piece => (
      { from: begun, to: at, streams: this.#states.encode(streams.all()), cells: models.encode(changes, kept) }
    );
    // What was folded and not written was rolled back: it is folded again, from what is written.
    if (this.#folded !== from) this.#fold = this.#nothing_folded();
    this.#written = from;
    for await (const page of foldable_between(reading, from, to, bound.events)) {
      signal.throwIfAborted();
      this.#folded = NaN;
      const heard = (step: FoldedStep) => streams.take(step);
      await this.#fold.take(reading, page, changes, { before_first: begun, heard, written: this.#written });
      this.#folded = at = page.at(-1)!.position;
      if (at - begun < bound.events && changes.size < bound.changes) continue;
      yield piece();
      begun = at;
      changes = new CellChanges(this.#domain, days);
      streams = new ChangedStreams(at);
    }
    if (at > begun) yield piece();
  }

  /** Writes a piece and moves the read model on. Throws Overtaken where it does not stand where the piece begins. */
  async #write(tx: Transaction, { from, to, streams, cells }: Piece): Promise<void> {
    await tx.execute("set local statement_timeout = 0");
    const moved = await tx.execute(
      `update read_models set position = $3, changed_at = now(), fault = null, state = case state when 'paused' then 'catching_up' else state end
        where name = $1 and position = $2`,
      [this.#name, from, to],
    );
    if (moved !== 1) throw gone(this.#name);
    await find_by_index(tx);
    await this.#states.write(tx, streams, from);
    await this.#models.write(tx, cells, from);
  }

  async #pause(fault: string): Promise<void> {
    await this.#source.database.execute(
      "update read_models set state = 'paused', fault = $2, changed_at = now() where name = $1",
      [this.#name, fault],
    );
  }

  /**
   * Exchanges it with the live one, in one transaction: nobody appends meanwhile, what it lacks of the log is made first, then the tables
   * exchange their names. Whoever reads sees all of one or all of the other. What was live is kept as the replaced one. The settings that it was
   * made by are the log's from then on. A log that lacked what its migrations ask for lacks it no more: it is made of all of the log. What was live
   * is dropped then: to go back to it would tell wrong figures.
   * @returns the position at which it was switched in
   */
  switch_in(): Promise<number> {
    const { database, domain } = this.#source, name = this.#name;
    return database.transaction(async (tx) => {
      await tx.execute(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await tx.execute("set local statement_timeout = 0");
      const [head] = await tx.query<{ position: string }>("select position from log_head for update");
      const position = Number(head?.position);
      const model = await find_read_model(tx, name);
      if (model === null) throw gone(name);
      for await (const piece of this.#pieces(tx, model, position)) {
        await this.#write(tx, piece);
        this.#written = piece.to;
      }
      await exchange_tables(tx, model_tables(domain), name);
      await tx.execute(
        `update read_models set state = 'replaced', fault = null, position = $2, changed_at = now(),
          kept_1m_from = head.kept_1m_from, kept_5m_from = head.kept_5m_from,
          time_zone = head.time_zone, h3_resolution = head.h3_resolution from log_head head where name = $1`,
        [name, position],
      );
      // What is kept is what it has: cells of fine grains that only it has are back, those that it lacks are gone.
      const { kept, settings } = model;
      await tx.execute(
        `update log_head set read_model = read_model + 1, kept_1m_from = $1::timestamptz, kept_5m_from = $2::timestamptz,
          time_zone = coalesce($3::text, time_zone), h3_resolution = case when $3::text is null then h3_resolution else $4::smallint end,
          resettled = resettled + case when $3::text is null or (time_zone, h3_resolution) is not distinct from ($3::text, $4::smallint)
            then 0 else 1 end`,
        [...kept_values(kept), settings?.time_zone ?? null, settings?.h3_resolution ?? null],
      );
      const filled = await tx.execute("update schema_migrations set filled = true where not filled");
      if (filled > 0) await drop(tx, domain, name);
      return position;
    });
  }
}

/** Whoever reads one of the tables is waited for so long, while nobody can append; then it is tried again later. */
export const LOCK_TIMEOUT_MS = 3_000;
