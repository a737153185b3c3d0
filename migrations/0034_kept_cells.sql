-- Cells of minutes and five minutes need not be kept for ever: from when on they are is said here, and what lies before is removed, in pieces.

alter table log_head
  add column kept_1m_from timestamptz,
  add column kept_5m_from timestamptz,
  add constraint log_head_keeps_coarser_cells_longer check (kept_5m_from is null or (kept_1m_from >= kept_5m_from) is true);
comment on column log_head.kept_1m_from is 'From when on cells and sketches of minutes are kept, by the time that their buckets begin; null: all are. What lies before is not written, not read, and removed.';
comment on column log_head.kept_5m_from is 'From when on cells and sketches of five minutes, and published windows, are kept; null: all are.';
alter table read_models
  add column kept_1m_from timestamptz,
  add column kept_5m_from timestamptz,
  add constraint read_models_keep_coarser_cells_longer check (kept_5m_from is null or (kept_1m_from >= kept_5m_from) is true);
comment on column read_models.kept_1m_from is 'From when on it has cells and sketches of minutes; null: it has all.';
comment on column read_models.kept_5m_from is 'From when on it has cells and sketches of five minutes; null: it has all.';

-- What is not kept is not there: nobody can say that it is kept after all, but who switches in a read model that has it.
create trigger log_head_does_not_keep_what_is_gone before update of kept_1m_from, kept_5m_from on log_head
  for each row when (old.read_model = new.read_model
    and (coalesce(new.kept_1m_from, '-infinity') < coalesce(old.kept_1m_from, '-infinity')
      or coalesce(new.kept_5m_from, '-infinity') < coalesce(old.kept_5m_from, '-infinity')))
  execute function refuse_change('what is not kept any more may be gone: only a rebuild brings it back');

-- By who owns the tables: who writes has no right to remove cells, and can remove those alone that are not kept.
create function remove_unkept(of_table text, of_grain text, of_dimension text, since timestamptz, most integer, out removed integer, out up_to timestamptz)
language plpgsql security definer as $$
begin
  if (select rights from program_rights where object = of_table) is distinct from 'select, insert, update' then
    raise exception 'remove cells: % is no table of cells', of_table;
  end if;
  -- Sketches of coarser grains are being made of finer ones.
  if exists (select from schema_migrations where not filled or checkpoint is not null) then
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
revoke execute on function remove_unkept(text, text, text, timestamptz, integer) from public;
comment on function remove_unkept(text, text, text, timestamptz, integer) is 'Removes so many cells or sketches of a grain and dimension, from a time on, that are not kept any more: how many it were, and where the last of them began.';

create function remove_unkept_windows(since timestamptz, most integer, out removed integer, out up_to timestamptz)
language sql security definer as $$
  with gone as (
    delete from published_windows where ctid = any (array(
      select w.ctid from published_windows w, log_head head
      where w.bucket >= since and w.bucket < head.kept_5m_from
        -- What was taken in and is not sent is still to be read.
        and exists (select from publishing where sent = derived for update)
      order by w.bucket limit most))
    returning bucket
  ) select count(*)::integer, max(bucket) from gone
$$;
revoke execute on function remove_unkept_windows(timestamptz, integer) from public;
comment on function remove_unkept_windows(timestamptz, integer) is 'Removes so many published windows, from a time on, that are not kept any more.';
do $$ begin
  execute format('alter function remove_unkept(text, text, text, timestamptz, integer) set search_path = %I, pg_temp', current_schema());
  execute format('alter function remove_unkept_windows(timestamptz, integer) set search_path = %I, pg_temp', current_schema());
end $$;
select program_may('remove_unkept(text, text, text, timestamptz, integer)', 'execute');
select program_may('remove_unkept_windows(timestamptz, integer)', 'execute');
