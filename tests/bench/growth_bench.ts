import { type Database, open_database } from "../../src/database/mod.ts";
import { start_postgres } from "../support/postgres.ts";
import { domain, fresh, load, run_pipeline } from "./in_process.ts";
import { postmaster_of, processor, used_between } from "./measures.ts";

/**
 * Measures whether an event costs more as the log grows: 60,000 further events go through the pipeline on databases of 1, 5 and 20 million events, and
 * how many bytes of database and of write-ahead log an event takes.
 *
 * The bases are made in SQL, since to append them would take an hour: 100,000 events go through the pipeline, and their rows in events, trips,
 * cells and sketches are copied, day after day of event time, under trips of their own. What is counted for all time is added up.
 * So widths of rows, keys (10,000 drivers, 200,000 passengers, 260 zones) and cells a day are those of a grown database. Other than there:
 * indexes are built at the end and so are fuller, all is vacuumed, `batches` has no rows of the copies, and the chain is not theirs.
 *
 * Arguments: the sizes of the bases in thousands of events. The last line is one line of JSON.
 */

const given = Deno.args.filter((arg) => /^\d+$/.test(arg)).map(Number);
const SIZES = (given.length > 0 ? given : [1_000, 5_000, 20_000]).map((thousands) => thousands * 1_000);
const SEED_EVENTS = 100_000;
const FURTHER_EVENTS = 60_000;
/** Of event time: 1.2 trips in each cell of a zone and five minutes, the most frequent kind. */
const TRIPS_PER_SECOND = 1;
/** What is copied lies in one day of the bench's time zone. */
const START_US = Date.UTC(2025, 2, 1, 6) * 1_000;
/** After the last day of the largest base. */
const FURTHER_US = START_US + 300 * 86_400_000_000;
const { states, cells, totals, sketches } = domain.tables;

const say = (line: string): void => console.error(line);

/** A column as the database has it. */
interface Column extends Record<string, unknown> {
  readonly name: string;
  readonly type: string;
}

const columns_of = (database: Database, table: string): Promise<Column[]> =>
  database.query(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [table],
  );

/** Where the n-th copy of a passenger is among all of them. */
const passenger = (column: string): string => `'P' || (substr(${column}, 2)::bigint - 1 + n * 37813) % 200000 + 1`;
const LATER = "n * interval '24 hours'";
const POSITIONS = `n * ${SEED_EVENTS}`;

/** A column of the n-th copy of a row, in SQL. */
function copied({ name, type }: Column): string {
  if (/^(?:position|first_position|last_position)$/.test(name)) return `${name} + ${POSITIONS}`;
  if (name === "positions") return `array(select position + ${POSITIONS} from unnest(positions) position)`;
  if (name === "stream_id" || name === domain.stream_column) return `${name} || '-' || n`;
  if (name === "passenger_id") return passenger(name);
  return type.startsWith("timestamp") ? `${name} + ${LATER}` : name;
}

/** How copies of a measure that fall into one cell add up, in SQL. */
function together({ name, type }: Column): string {
  if (name === "last_position") return `max(${name} + ${POSITIONS})`;
  if (name === "first_position") return `min(${name} + ${POSITIONS})`;
  const kind = domain.measures.find((measure) => measure.name === name)?.kind;
  return kind === "min" || kind === "max" ? `${kind}(${name})` : `sum(${name})::${type}`;
}

/** In which bucket the copies of a day's cell are. */
const DAY = `date_trunc('day', timestamptz '${
  new Date(START_US / 1_000).toISOString()
}' + ${LATER}, 'America/New_York')`;

/** The statements that put so many copies beside what a database has. */
async function copies(database: Database, count: number): Promise<string[]> {
  const each = `cross join generate_series(1, ${count}) n`;
  const listed = async (table: string) => await columns_of(database, table);
  const insert = (table: string, columns: readonly Column[], source: string) =>
    `insert into ${table} (${columns.map(({ name }) => name).join(", ")}) ${source}`;
  const plain = (columns: readonly Column[], table: string, where = "") =>
    insert(table, columns, `select ${columns.map(copied).join(", ")} from ${table}_seed ${each} ${where}`);
  const [event, state, cell, total, sketch] = [
    await listed("events"),
    await listed(states),
    await listed(cells),
    await listed(totals!),
    await listed(sketches!),
  ];
  const named = new Set(["grain", "bucket", "dimension", "key"]);
  const key = `case dimension when 'passenger' then ${passenger("key")} else key end`;
  const summed = (grain: string, bucket: string) =>
    insert(
      cells,
      cell,
      `select ${
        cell.map((column) =>
          column.name === "bucket" ? `${bucket} as bucket` : named.has(column.name) ? column.name : together(column)
        ).join(", ")
      } from ${cells}_seed cross join generate_series(0, ${count}) n where grain = '${grain}' group by grain, dimension, ${bucket}, key`,
    );
  return [
    plain(event, "events"),
    plain(state, states),
    plain(cell, cells, "where grain not in ('1d', 'all')"),
    `delete from ${cells} where grain in ('1d', 'all')`,
    summed("1d", DAY),
    summed("all", "bucket"),
    `delete from ${totals}`,
    insert(
      totals!,
      total,
      `select ${
        total.map((column) =>
          column.name === "dimension" ? "dimension" : column.name === "key" ? `${key} as key` : together(column)
        ).join(", ")
      } from ${totals}_seed cross join generate_series(0, ${count}) n group by dimension, ${key}`,
    ),
    plain(sketch, sketches!, "where grain <> '1d'"),
    `delete from ${sketches} where grain = '1d'`,
    `insert into ${sketches} (grain, bucket, dimension, key, sketch, bins, counts)
     select '1d', bucket, dimension, key, sketch, array_agg(bin order by bin), array_agg(count order by bin) from (
       select ${DAY} as bucket, dimension, key, sketch, bin, sum(count)::integer as count
       from ${sketches}_seed cross join generate_series(0, ${count}) n cross join lateral unnest(bins, counts) as b(bin, count)
       where grain = '1d' group by 1, 2, 3, 4, 5) merged group by bucket, dimension, key, sketch`,
  ];
}

/** Makes a database of the seed as large as that, in a shape in which it could have grown. */
async function grow(database: Database, events: number): Promise<void> {
  const count = events / SEED_EVENTS - 1;
  const tables = ["events", states, cells, totals!, sketches!];
  // Before anything else is in them: copies must not be copied.
  for (const table of tables) await database.script(`create unlogged table ${table}_seed as table ${table}`);
  for (let ordinal = 0; ordinal <= events / 10_000_000 + 1; ordinal++) {
    await database.query("select ensure_events_partition($1)", [ordinal]);
  }
  // Rows go in without indexes, which are made when all is there: those of constraints first, as they were.
  const indexes = await database.query<{ table: string; name: string; constraint: string | null; made: string }>(
    `select i.indrelid::regclass::text as table, i.indexrelid::regclass::text as name, c.conname as constraint,
       coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid)) as made
     from pg_index i left join pg_constraint c on c.conindid = i.indexrelid
     where i.indrelid = any($1::regclass[]) order by c.conname is null`,
    [`{${tables.slice(1).join(",")}}`],
  );
  const statements = [
    ...indexes.map(({ table, name, constraint }) =>
      constraint === null ? `drop index ${name}` : `alter table ${table} drop constraint ${constraint}`
    ),
    ...await copies(database, count),
    ...tables.map((table) => `drop table ${table}_seed`),
    ...indexes.map(({ table, constraint, made }) =>
      constraint === null ? made : `alter table ${table} add constraint ${constraint} ${made}`
    ),
    `update log_head set position = ${events}, watermark = watermark + ${count} * interval '24 hours'`,
  ];
  await database.script(
    "set statement_timeout = 0; set synchronous_commit = off; set maintenance_work_mem = '1GB'; set work_mem = '256MB'",
  );
  for (const statement of statements) await database.script(statement);
  await database.script("reset synchronous_commit");
  await database.script("vacuum analyze");
}

/** Bytes of each table and each index; partitions count as their table. */
async function bytes_by_relation(database: Database): Promise<Record<string, number>> {
  const rows = await database.query<{ name: string; bytes: string }>(
    `select regexp_replace(c.relname, '^(events)_p\\d+', '\\1') as name,
       sum(case c.relkind when 'i' then pg_relation_size(c.oid) else pg_table_size(c.oid) end)::bigint as bytes
     from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'i')
     group by 1 having sum(pg_relation_size(c.oid)) > 100000 order by 2 desc`,
  );
  return Object.fromEntries(rows.map(({ name, bytes }) => [name, Number(bytes)]));
}

await using server = await start_postgres({ settings: { max_wal_size: "8GB", checkpoint_timeout: "30min" } });
const postmaster = postmaster_of(server.data);
const seed = {
  name: "growth",
  prepare: async (url: string) => {
    const database = await fresh(url);
    await run_pipeline(
      database,
      load(SEED_EVENTS / 2, START_US, { prefix: "S-", topic: "seed", trips_per_second: TRIPS_PER_SECOND }),
    );
    await database.close();
  },
};
const further = load(FURTHER_EVENTS / 2, FURTHER_US, { trips_per_second: TRIPS_PER_SECOND });
const figures = [];
// The first one warms up: the seed alone.
for (const events of [SEED_EVENTS, ...SIZES]) {
  const { url, superuser_url } = await server.create_database(seed);
  const maker = await open_database({ url, data_dir: null, connections: 1 });
  const from_ms = performance.now();
  if (events > SEED_EVENTS) await grow(maker, events);
  const made_s = Math.round((performance.now() - from_ms) / 1_000);
  const bytes = await bytes_by_relation(maker);
  await maker.close();
  const superuser = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
  // From here on the first change of each page is logged whole.
  await superuser.script("checkpoint");
  const wal = async () =>
    Number((await superuser.query("select pg_current_wal_lsn() - '0/0'::pg_lsn as bytes"))[0]!.bytes);
  const database = await fresh(url);
  const [before, wal_before, began_ms] = [await processor(postmaster, Deno.pid), await wal(), performance.now()];
  await run_pipeline(database, further);
  const seconds = (performance.now() - began_ms) / 1_000;
  const [used, wal_bytes] = [used_between(before, await processor(postmaster, Deno.pid)), await wal() - wal_before];
  await database.close();
  const us = (seconds: number) => Number((seconds * 1e6 / further.count).toFixed(1));
  const found = {
    base_events: events,
    events_per_s: Math.round(further.count / seconds),
    us_per_event: us(seconds),
    cpu_us_per_event: {
      program: us(used.program_main + used.program_other),
      postgres: us(used.postgres),
    },
    wal_bytes_per_event: Math.round(wal_bytes / further.count),
    bytes_per_event: Number((Object.values(bytes).reduce((sum, each) => sum + each, 0) / events).toFixed(0)),
    bytes_per_event_by_relation: Object.fromEntries(
      Object.entries(bytes).map(([name, each]) => [name, Number((each / events).toFixed(1))]),
    ),
  };
  say(`${events === SEED_EVENTS ? "warm-up, not counted: " : `made in ${made_s} s: `}${JSON.stringify(found)}`);
  if (events > SEED_EVENTS) figures.push(found);
  await superuser.close();
}
console.log(JSON.stringify(figures));
