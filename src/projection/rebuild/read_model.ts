import { type Database, type Queryable, type Transaction } from "../../database/mod.ts";
import { type Domain, model_tables } from "../../domains/mod.ts";
import {
  find_by_index,
  foldable_between,
  KEPT_FROM,
  kept_of,
  kept_values,
  Overtaken,
  read_head,
} from "../../event_log/mod.ts";
import { CellChanges, type Days, type Kept } from "../../kpi/mod.ts";
import { type EncodedReadModels, ReadModels } from "../read_models.ts";
import { LogFold, RefusedEvent } from "./log_fold.ts";

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
}

/** What read models of a domain are made of. */
export interface RebuildSource {
  readonly database: Database;
  readonly domain: Domain;
  readonly days: Days;
  readonly signal: AbortSignal;
}

/** The table of another read model than the live one. */
export const beside = (table: string, name: string): string => `${table}_${name}`;

/** A domain whose cells lie in the tables of another read model. */
function domain_of({ domain }: RebuildSource, name: string): Domain {
  const { states, cells, totals, sketches } = domain.tables;
  const other = (table: string | null) => table === null ? null : beside(table, name);
  return {
    ...domain,
    tables: { states, cells: beside(cells, name), totals: other(totals), sketches: other(sketches) },
  };
}

/** All read models beside the live one, by name. */
export async function read_models(queryable: Queryable): Promise<ReadModel[]> {
  const rows = await queryable.query(
    `select name, state, position, fault, ${KEPT_FROM} from read_models order by name`,
  );
  return rows.map(({ name, state, position, fault, ...row }) => ({
    name: String(name),
    state: state as ReadModel["state"],
    position: Number(position),
    fault: fault as string | null,
    kept: kept_of(row),
  }));
}

/** A read model that is made now, and how much of the log it has come to, in whole percent. */
export interface Rebuilding {
  readonly name: string;
  readonly percent: number;
  /** Why it is paused; null while it goes on. */
  readonly fault: string | null;
}

/** What is being rebuilt; null where nothing is, or has not gone on for a minute, and for a role that may not know. */
export async function read_rebuilding(queryable: Queryable): Promise<Rebuilding | null> {
  const [may] = await queryable.query("select has_table_privilege('read_models', 'select') as read");
  if (may?.read !== true) return null;
  const [row] = await queryable.query({
    name: "read_rebuilding",
    text:
      `select name, fault, case when head.position = 0 then 100 else 100 * model.position / head.position end as percent
      from read_models model, log_head head where state = 'paused' or state = 'catching_up' and changed_at > now() - interval '1 minute'
      order by changed_at desc limit 1`,
  });
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
export function begin_read_model({ database, domain }: RebuildSource, name: string, all_cells = false): Promise<void> {
  return database.transaction(async (tx) => {
    await tx.execute(
      `insert into read_models (name, kept_1m_from, kept_5m_from)
        select $1, case when not $2 then kept_1m_from end, case when not $2 then kept_5m_from end from log_head`,
      [name, all_cells],
    );
    for (const table of model_tables(domain)) {
      await tx.execute(`create table ${beside(table, name)} (like ${table} including all)`);
      // What that leaves out: how the table is stored, what it says of itself, and who may use it.
      await tx.execute(
        `do $$ declare granted record; begin
          execute coalesce((select format('alter table ${
          beside(table, name)
        } set (%s)', array_to_string(reloptions, ', '))
            from pg_class where oid = '${table}'::regclass and reloptions is not null), 'select');
          execute format('comment on table ${beside(table, name)} is %L', obj_description('${table}'::regclass));
          for granted in select a.privilege_type, r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a
            join pg_roles r on r.oid = a.grantee where c.oid = '${table}'::regclass and a.grantee <> c.relowner
          loop execute format('grant %s on ${
          beside(table, name)
        } to %I', granted.privilege_type, granted.rolname); end loop;
        end $$`,
      );
    }
  });
}

/** Removes a read model that is not live. */
export function drop_read_model({ database, domain }: RebuildSource, name: string): Promise<void> {
  return database.transaction(async (tx) => {
    if (await tx.execute("delete from read_models where name = $1", [name]) !== 1) throw gone(name);
    for (const table of model_tables(domain)) await tx.execute(`drop table ${beside(table, name)}`);
  });
}

const gone = (name: string): Overtaken => new Overtaken(`rebuild ${name}: another process has removed or moved it`);

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
  readonly encoded: EncodedReadModels;
}

/** Writes a piece and moves the read model on. Throws Overtaken where it does not stand where the piece begins. */
async function write_piece(
  tx: Transaction,
  name: string,
  models: ReadModels,
  { from, to, encoded }: Piece,
): Promise<void> {
  await tx.execute("set local statement_timeout = 0");
  const moved = await tx.execute(
    `update read_models set position = $3, changed_at = now(), fault = null, state = case state when 'paused' then 'catching_up' else state end
      where name = $1 and position = $2`,
    [name, from, to],
  );
  if (moved !== 1) throw gone(name);
  await find_by_index(tx);
  await models.write(tx, encoded, from);
}

/** Folds on where the last stretch of the same log ended, so that streams need not be read again. */
export class Rebuild {
  readonly #source: RebuildSource;
  readonly #name: string;
  readonly #domain: Domain;
  readonly #models: ReadModels;
  readonly #bound: RebuildBound;
  readonly #fold: LogFold;

  constructor(source: RebuildSource, name: string, bound: RebuildBound = PIECE) {
    this.#source = source;
    this.#name = name;
    this.#domain = domain_of(source, name);
    this.#models = new ReadModels(this.#domain, source.days);
    this.#bound = bound;
    this.#fold = new LogFold(this.#domain, bound.kept_events);
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
        writing = database.transaction((tx) => write_piece(tx, this.#name, this.#models, piece)).then(() => {
          progress(piece.to - piece.from);
          written = piece.to;
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

  /** Folds a stretch of the log in pieces, and gives each as soon as it is through. */
  async *#pieces(
    reading: Queryable,
    { position: from, kept }: Pick<ReadModel, "position" | "kept">,
    to: number,
  ): AsyncGenerator<Piece> {
    const { days, signal } = this.#source, models = this.#models, bound = this.#bound;
    let begun = from, at = from, changes = new CellChanges(this.#domain, days);
    for await (const page of foldable_between(reading, from, to)) {
      signal.throwIfAborted();
      await this.#fold.take(reading, page, changes, begun);
      at = page.at(-1)!.position;
      if (at - begun < bound.events && changes.size < bound.changes) continue;
      yield { from: begun, to: at, encoded: models.encode(changes, kept) };
      begun = at;
      changes = new CellChanges(this.#domain, days);
    }
    if (at > begun) yield { from: begun, to: at, encoded: models.encode(changes, kept) };
  }

  async #pause(fault: string): Promise<void> {
    await this.#source.database.execute(
      "update read_models set state = 'paused', fault = $2, changed_at = now() where name = $1",
      [this.#name, fault],
    );
  }

  /**
   * Exchanges it with the live one, in one transaction: nobody appends meanwhile, what it lacks of the log is made first, then the tables
   * exchange their names. Whoever reads sees all of one or all of the other. What was live is kept as the replaced one.
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
        await write_piece(tx, name, this.#models, piece);
      }
      const tables = model_tables(domain);
      await tx.execute(
        `lock table ${tables.flatMap((table) => [table, beside(table, name)]).join(", ")} in access exclusive mode`,
      );
      const views = await views_on(tx, tables);
      for (const table of tables) await exchange(tx, table, beside(table, name));
      // Views go by what a table is, not by what it is called: they are made anew over the one that is live now.
      for (const { view, text } of views) await tx.execute(`create or replace view ${view} as ${text}`);
      await tx.execute(
        `update read_models set state = 'replaced', fault = null, position = $2, changed_at = now(),
          kept_1m_from = head.kept_1m_from, kept_5m_from = head.kept_5m_from from log_head head where name = $1`,
        [name, position],
      );
      // What is kept is what it has: cells of fine grains that only it has are back, those that it lacks are gone.
      await tx.execute(
        `update log_head set read_model = read_model + 1, kept_1m_from = $1::timestamptz, kept_5m_from = $2::timestamptz`,
        kept_values(model.kept),
      );
      return position;
    });
  }
}

/** Whoever reads one of the tables is waited for so long, while nobody can append; then it is tried again later. */
const LOCK_TIMEOUT_MS = 3_000;

/** The views that read from tables, as they are written. */
async function views_on(tx: Transaction, tables: readonly string[]): Promise<{ view: string; text: string }[]> {
  return await tx.query(
    `select view::text, pg_get_viewdef(view) as text from (
      select distinct r.ev_class::regclass as view from pg_depend d join pg_rewrite r on r.oid = d.objid
      where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
        and d.refobjid in (${tables.map((table) => `'${table}'::regclass`).join(", ")})
        and r.ev_class in (select oid from pg_class where relkind = 'v')
    ) views order by view::oid`,
  );
}

/** Exchanges the names of two tables, and those of their primary keys. */
async function exchange(tx: Transaction, a: string, b: string): Promise<void> {
  const keys = await tx.query<{ a: string; b: string }>(
    `select (select conname from pg_constraint where conrelid = '${a}'::regclass and contype = 'p') as a,
      (select conname from pg_constraint where conrelid = '${b}'::regclass and contype = 'p') as b`,
  );
  await tx.execute(`alter table ${a} rename to ${a}_exchanged`);
  await tx.execute(`alter table ${b} rename to ${a}`);
  await tx.execute(`alter table ${a}_exchanged rename to ${b}`);
  for (const { a: key_a, b: key_b } of keys) {
    await tx.execute(`alter table ${b} rename constraint ${key_a} to ${key_a}_exchanged`);
    await tx.execute(`alter table ${a} rename constraint ${key_b} to ${key_a}`);
    await tx.execute(`alter table ${b} rename constraint ${key_a}_exchanged to ${key_b}`);
  }
}
