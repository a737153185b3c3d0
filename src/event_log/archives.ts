import { ADVISORY_LOCKS, CopyLines, type Database, type Queryable, type Transaction } from "../database/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { EVENT_COLUMNS, type RecordedEvent, write_event_line } from "./chain.ts";
import { Overtaken } from "./head.ts";

/**
 * Archives: the beginning of the log, whole batches of whole partitions, written to files and taken out of the table of events. The batches themselves
 * stay, so that the chain goes on unbroken and what an archive holds can be held against it at any time. What needs the events says that they
 * are archived, and where.
 */

/** A stretch of the log that is, or is to be, archived. */
export interface Stretch {
  readonly first_position: number;
  readonly last_position: number;
  readonly first_batch: number;
  readonly last_batch: number;
  /** Link of its last batch. */
  readonly link: Uint8Array;
  /** The partition that its last event is in. */
  readonly partition: string;
}

/** One that was taken out of the table. */
export interface Archive extends Stretch {
  /** Where its files were written to. */
  readonly place: string;
  readonly archived_at: string;
  /** Whether its events are in the database still, beside the log. */
  readonly detached: boolean;
}

/** Events that are asked for are archived. */
export class EventsArchived extends Error {
  override readonly name = "EventsArchived";
}

/** No event is in this database: its log is what topics keep. */
export class LogElsewhere extends EventsArchived {}

/** Whether a Flink job writes the tables of this database, and no event is in it. */
async function is_written_by_flink(queryable: Queryable): Promise<boolean> {
  const [head] = await queryable.query({ name: "read_writer", text: "select written_by from log_head" });
  return head?.written_by === "flink";
}

/** What to say to whoever needs the log of a database that has none. */
export const log_elsewhere = (): LogElsewhere =>
  new LogElsewhere(
    "no event is in this database: a Flink job writes its tables, and the log is what the topics keep that it reads",
  );

/** Throws LogElsewhere where no event is in the database, also of what would be nothing. */
export async function require_log(queryable: Queryable): Promise<void> {
  if (await is_written_by_flink(queryable)) throw log_elsewhere();
}

/** The position of the last event that is archived; 0 where none is. */
export async function read_archived(queryable: Queryable): Promise<number> {
  const [head] = await queryable.query({ name: "read_archived", text: "select archived from log_head" });
  return Number(head?.archived ?? 0);
}

/** All archives, in the order of the log. */
export async function read_archives(queryable: Queryable): Promise<Archive[]> {
  const rows = await queryable.query(
    `select first_position, last_position, first_batch, last_batch, link, place, partition_name::text as partition,
      to_char(archived_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as archived_at,
      to_regclass(quote_ident(partition_name || '_archived')) is not null as detached
      from archives order by last_position`,
  );
  return rows.map((row) => ({
    first_position: Number(row.first_position),
    last_position: Number(row.last_position),
    first_batch: Number(row.first_batch),
    last_batch: Number(row.last_batch),
    link: row.link as Uint8Array,
    place: String(row.place),
    partition: String(row.partition),
    archived_at: String(row.archived_at),
    detached: row.detached === true,
  }));
}

/** What to say to whoever needs an event that is archived. */
export async function events_archived(queryable: Queryable, position: number): Promise<EventsArchived> {
  if (await is_written_by_flink(queryable)) return log_elsewhere();
  const archives = await read_archives(queryable), own = archives.find((each) => each.last_position >= position);
  const where = own === undefined ? "" : `, those from ${own.first_position} to ${own.last_position} in ${own.place}`;
  return new EventsArchived(
    `events up to position ${
      archives.at(-1)?.last_position ?? position
    } are archived${where}; \`tacho archive attach\` brings the newest archive back`,
  );
}

/** What to say to whoever needs all events after a position; null where they are in the table. */
export const archived_after = async (queryable: Queryable, after: number): Promise<EventsArchived | null> =>
  after < await read_archived(queryable) ? await events_archived(queryable, after + 1) : null;

/** Throws EventsArchived unless all events after a position are in the table. */
export async function require_kept(queryable: Queryable, after: number): Promise<void> {
  const archived = await archived_after(queryable, after);
  if (archived !== null) throw archived;
}

/** Another program archives or brings back at the same time. */
class ArchivingElsewhere extends Error {
  override readonly name = "ArchivingElsewhere";
}

const ARCHIVING = {
  lock: ADVISORY_LOCKS.archive,
  told: "archive: another program archives this log now; wait until it is through",
};

/**
 * Does what only one program at a time may do to a log, to its archives unless given. The embedded database has one program.
 * @param what its lock, and what to say where another one is at it
 * Throws ArchivingElsewhere where another one is at it.
 */
export function while_alone<T>(
  database: Database,
  work: () => Promise<T>,
  what: { readonly lock: number; readonly told: string } = ARCHIVING,
): Promise<T> {
  if (database.kind === "embedded") return work();
  return database.transaction(async (tx) => {
    await tx.query(
      `select set_config(name, '0', true) from pg_settings where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')`,
    );
    const [lock] = await tx.query(
      `select pg_try_advisory_xact_lock(${what.lock}, hashtext(current_schema())) as taken`,
    );
    if (lock?.taken === true) return await work();
    throw new ArchivingElsewhere(what.told);
  });
}

interface Partition {
  readonly name: string;
  /** The first position it may hold, and the first it may not. */
  readonly from: number;
  readonly to: number;
}

/** The partitions that are attached, in the order of the log. */
async function partitions(queryable: Queryable): Promise<Partition[]> {
  const rows = await queryable.query<{ name: string; bound: string }>(
    `select c.relname::text as name, pg_get_expr(c.relpartbound, c.oid) as bound
      from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'events'::regclass`,
  );
  return rows.map(({ name, bound }) => {
    const [, from, to] = /FROM \('(\d+)'\) TO \('(\d+)'\)/.exec(bound) ?? [];
    if (to === undefined) throw new Error(`read the partition ${name}: expected bounds of positions, got ${bound}`);
    return { name, from: Number(from), to: Number(to) };
  }).sort((a, b) => a.from - b.from);
}

/**
 * The next stretch to archive: up to the last whole batch of the next partition that is full, all of whose batches were recorded before a time;
 * null where there is none.
 */
export async function next_stretch(queryable: Queryable, before_us: number): Promise<Stretch | null> {
  const [head] = await queryable.query("select position, archived from log_head");
  const position = Number(head?.position), archived = Number(head?.archived);
  const attached = await partitions(queryable);
  for (const { to } of attached) {
    if (to - 1 > position) return null;
    const [row] = await queryable.query<Record<string, unknown>>(
      `select last.batch, last.last_position, last.link, (select min(batch) from batches where batch > (
          select coalesce(max(last_batch), 0) from archives)) as first_batch,
        (select max(recorded_at) from batches b where b.batch > (select coalesce(max(last_batch), 0) from archives)
          and b.batch <= last.batch) < $3::timestamptz as old
        from (select batch, last_position, link from batches where last_position < $1 and last_position > $2
          order by last_position desc, batch desc limit 1) last`,
      [to, archived, format_time(before_us)],
    );
    // A batch may be longer than a partition.
    if (row === undefined) continue;
    if (row.old !== true) return null;
    const last_position = Number(row.last_position);
    return {
      first_position: archived + 1,
      last_position,
      first_batch: Number(row.first_batch),
      last_batch: Number(row.batch),
      link: row.link as Uint8Array,
      partition: attached.find((each) => each.from <= last_position && last_position < each.to)!.name,
    };
  }
  return null;
}

/** Whoever reads the events is waited for so long, while nobody can append; then it is tried again later. */
const LOCK_TIMEOUT_MS = 2_000;

/** Keeps appenders out, and waits for readers. Throws Overtaken where the log is not archived up to there. */
async function hold_events(tx: Transaction, archived: number): Promise<void> {
  await tx.execute(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await tx.execute("set local statement_timeout = 0");
  // As appenders do, so that nobody waits for the other.
  const [head] = await tx.query("select archived from log_head for update");
  if (Number(head?.archived) !== archived) {
    throw new Overtaken(`archive: expected a log that is archived up to ${archived}, it is up to ${head?.archived}`);
  }
  await tx.execute("lock table events in access exclusive mode");
}

/** Row triggers are the parent's, and go with it; statement triggers are a table's own. */
const REFUSE_TRUNCATE =
  "create trigger events_refuse_truncate before truncate on % for each statement execute function refuse_change_of_the_log()";
const REFUSE_CHANGES =
  "create trigger events_are_append_only before update or delete on % for each row execute function refuse_change_of_the_log()";

/**
 * Takes a stretch out of the table of events, in one transaction. Its rows stay beside it, in a table that refuses changes as the log does. What of
 * a batch that goes on lies in the same partition stays in one of its name.
 */
export function take_out(database: Database, stretch: Stretch, place: string): Promise<void> {
  const { first_position, last_position, first_batch, last_batch, link, partition } = stretch;
  const taken = `${partition}_archived`;
  return database.transaction(async (tx) => {
    await hold_events(tx, first_position - 1);
    const own = (await partitions(tx)).filter(({ from }) => from <= last_position);
    const last = own.pop();
    if (last?.name !== partition) {
      throw new Overtaken(`archive: ${partition} is not where ${last_position} lies any more`);
    }
    await tx.execute(`alter table events detach partition ${partition}`);
    await tx.execute(`alter table ${partition} rename to ${taken}`);
    await tx.execute(REFUSE_CHANGES.replace("%", taken));
    for (const { name } of own) {
      await tx.execute(`insert into ${taken} select * from ${name}`);
      await tx.execute(`drop table ${name}`);
    }
    if (last_position + 1 < last.to) {
      await tx.execute(
        `create table ${partition} partition of events for values from (${last_position + 1}) to (${last.to})`,
      );
      await tx.execute(REFUSE_TRUNCATE.replace("%", partition));
      await tx.execute(`insert into ${partition} select * from ${taken} where position > ${last_position}`);
    }
    await tx.execute(
      `insert into archives (first_position, last_position, first_batch, last_batch, link, place, partition_name)
        values ($1, $2, $3, $4, $5, $6, $7)`,
      [first_position, last_position, first_batch, last_batch, link, place, partition],
    );
    await tx.execute("update log_head set archived = $1", [last_position]);
  });
}

/** Drops what was taken out: from then on only the files have it. */
export async function drop_taken(database: Database, { partition }: Pick<Stretch, "partition">): Promise<void> {
  await database.execute(`drop table if exists ${partition}_archived`);
}

/** Events that are written at a time. */
const PAGE_EVENTS = 5_000;

/**
 * Brings the newest archive back, row for row: into a table of its own, then, in one transaction, into the log. Ended before that, it begins anew.
 * @param events in the order of the log, page by page, none left out
 */
export async function bring_back(
  database: Database,
  { first_position, last_position, partition }: Stretch,
  events: AsyncIterable<readonly RecordedEvent[]>,
): Promise<void> {
  const table = `${partition}_attached`;
  await database.script(`drop table if exists ${table}; create table ${table} (like events including all)`);
  const lines = new CopyLines();
  const copy = async () => {
    await database.transaction((tx) => tx.copy(table, EVENT_COLUMNS, [lines.bytes]));
    lines.clear();
  };
  for await (const page of events) {
    for (const event of page) {
      lines.plain(`${event.position}`);
      write_event_line(lines, event, event.revision, event.metadata, format_time(event.recorded_at_us));
    }
    if (lines.count >= PAGE_EVENTS) await copy();
  }
  if (lines.count > 0) await copy();
  // Looked at now, so that nobody waits for that later.
  const rest = (await partitions(database)).find(({ from }) => from === last_position + 1);
  const merged = rest?.name === partition ? rest : null, to = merged?.to ?? last_position + 1;
  const bound = `${table}_bound`;
  await database.script(
    `alter table ${table} add constraint ${bound} check (position >= ${first_position} and position < ${to})`,
  );
  await database.transaction(async (tx) => {
    await hold_events(tx, last_position);
    if (merged !== null) {
      await tx.execute(`insert into ${table} select * from ${partition}`);
      await tx.execute(`drop table ${partition}`);
    }
    await tx.execute(`drop table if exists ${partition}_archived`);
    await tx.execute(`alter table ${table} rename to ${partition}`);
    await tx.execute(`alter table events attach partition ${partition} for values from (${first_position}) to (${to})`);
    await tx.execute(`alter table ${partition} drop constraint ${bound}`);
    await tx.execute(REFUSE_TRUNCATE.replace("%", partition));
    const [{ count } = { count: 0 }] = await tx.query<{ count: string }>(
      `select count(*) from ${partition} where position <= ${last_position}`,
    );
    if (Number(count) !== last_position - first_position + 1) {
      throw new Error(
        `attach ${partition}: expected events ${first_position} to ${last_position}, got ${count} of them`,
      );
    }
    await tx.execute("delete from archives where last_position = $1", [last_position]);
    await tx.execute("update log_head set archived = $1", [first_position - 1]);
  });
}
