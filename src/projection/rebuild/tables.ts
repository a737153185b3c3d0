import type { Queryable, Transaction } from "../../database/mod.ts";

/** Tables of other read models than the live one: how they are called, made and exchanged. */

/** The table of another read model than the live one. */
export const beside = (table: string, name: string): string => `${table}_${name}`;

/** A column of a table, and whether it is of its primary key. */
export interface TableColumn {
  readonly name: string;
  readonly is_key: boolean;
}

/** The columns of a table, in their order. */
export const table_columns = (reading: Queryable, table: string): Promise<TableColumn[]> =>
  reading.query<{ name: string; is_key: boolean }>(
    `select a.attname::text as name, coalesce(a.attnum = any (i.indkey), false) as is_key from pg_attribute a
      left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
      where a.attrelid = '${table}'::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
  );

/** Makes the table of another read model: as the live one, empty, and whoever may use that may use it. */
export async function make_beside(tx: Transaction, table: string, name: string): Promise<void> {
  const made = beside(table, name);
  await tx.execute(`create table ${made} (like ${table} including all)`);
  // What that leaves out: how the table is stored, what it says of itself, and who may use it.
  await tx.execute(
    `do $$ declare granted record; begin
      execute coalesce((select format('alter table ${made} set (%s)', array_to_string(reloptions, ', '))
        from pg_class where oid = '${table}'::regclass and reloptions is not null), 'select');
      execute format('comment on table ${made} is %L', obj_description('${table}'::regclass));
      for granted in select a.privilege_type, r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a
        join pg_roles r on r.oid = a.grantee where c.oid = '${table}'::regclass and a.grantee <> c.relowner
      loop execute format('grant %s on ${made} to %I', granted.privilege_type, granted.rolname); end loop;
    end $$`,
  );
}

/** The views that read from tables, as they are written; what Flink jobs write through stays on what it is. */
async function views_on(tx: Transaction, tables: readonly string[]): Promise<{ view: string; text: string }[]> {
  return await tx.query(
    `select view::text, pg_get_viewdef(view) as text from (
      select distinct r.ev_class::regclass as view from pg_depend d join pg_rewrite r on r.oid = d.objid
      where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
        and d.refobjid in (${tables.map((table) => `'${table}'::regclass`).join(", ")})
        and r.ev_class in (select oid from pg_class c where relkind = 'v' and not exists (
          select from flink_doors where to_regnamespace(format('%s_flink_%s', current_schema(), number)) = c.relnamespace))
    ) views order by view::oid`,
  );
}

/**
 * Exchanges tables with those of another read model: they exchange their names, and views follow. Whoever reads one of them is waited for, as
 * long as the transaction waits for locks.
 */
export async function exchange_tables(tx: Transaction, tables: readonly string[], name: string): Promise<void> {
  const all = tables.flatMap((table) => [table, beside(table, name)]);
  await tx.execute(`lock table ${all.join(", ")} in access exclusive mode`);
  const views = await views_on(tx, tables);
  for (const table of tables) await exchange(tx, table, beside(table, name));
  // Views go by what a table is, not by what it is called: they are made anew over the one that is live now.
  for (const { view, text } of views) await tx.execute(`create or replace view ${view} as ${text}`);
}

/** Exchanges the names of two tables, and those of their indexes: which are the same follows from what they are on. */
async function exchange(tx: Transaction, a: string, b: string): Promise<void> {
  const indexes = (table: string) =>
    `select (select relname::text from pg_class where oid = indexrelid) as name, regexp_replace(pg_get_indexdef(indexrelid), ' INDEX \\S+ ON \\S+ ', ' ') as definition
      from pg_index where indrelid = '${table}'::regclass`;
  const pairs = await tx.query<{ a: string; b: string }>(
    `select distinct on (a.name) a.name as a, b.name as b from (${indexes(a)}) a join (${
      indexes(b)
    }) b using (definition) order by a.name`,
  );
  const renamed = async (kind: "table" | "index", one: string, other: string) => {
    await tx.execute(`alter ${kind} ${one} rename to ${a}_exchanged`);
    await tx.execute(`alter ${kind} ${other} rename to ${one}`);
    await tx.execute(`alter ${kind} ${a}_exchanged rename to ${other}`);
  };
  for (const pair of pairs) await renamed("index", pair.a, pair.b);
  await renamed("table", a, b);
}
