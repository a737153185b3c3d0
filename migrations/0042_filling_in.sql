-- What earlier versions left out is made as a rebuild makes it, beside what is served, and switched in. Programs that filled tables in where they
-- are ask for the column by its old name: one that is still at it ends, and does nothing to tables that are exchanged meanwhile.

alter table schema_migrations rename column checkpoint to came_to;
update schema_migrations set came_to = null, filled = filled or not exists (select from log_head where batch > 0);
comment on column schema_migrations.filled is 'Whether what it asks for of rows that were there before is done. While it is not, columns that the migration made say nothing in the rows of cells.';
comment on column schema_migrations.came_to is 'How far sketches that are made anew have come; null: nobody makes them.';

-- As in migration 34.
create or replace function remove_unkept(of_table text, of_grain text, of_dimension text, since timestamptz, most integer, out removed integer, out up_to timestamptz)
language plpgsql security definer as $$
begin
  if (select rights from program_rights where object = of_table) is distinct from 'select, insert, update' then
    raise exception 'remove cells: % is no table of cells', of_table;
  end if;
  -- Sketches of coarser grains are being made of finer ones.
  if exists (select from schema_migrations where not filled or came_to is not null) then
    removed := 0;
    return;
  end if;
  execute format(
    'with gone as (
      delete from %1$I cells where ctid = any (array(
        select ctid from %1$I where grain = $1 and dimension = $2 and bucket >= $3
          and bucket < (select case $1 when %2$L then kept_1m_from when %3$L then kept_5m_from end from log_head)
        order by bucket limit $4))
      returning bucket
    ) select count(*)::integer, max(bucket) from gone', of_table, '1m', '5m')
    into removed, up_to using of_grain, of_dimension, since, most;
end $$;
do $$ begin
  execute format('alter function remove_unkept(text, text, text, timestamptz, integer) set search_path = %I, pg_temp', current_schema());
end $$;
