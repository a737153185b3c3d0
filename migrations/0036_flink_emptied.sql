-- What empties a cell that a Flink job takes away knows its columns as they are then, not as they were when the table was given to the job.

create function flink_empties() returns trigger language plpgsql security definer as $$
declare
  emptied text;
  same text;
begin
  select
    string_agg(format('%I = %s', attname, case when attnotnull and not atthasdef then '0' else 'default' end), ', ')
      filter (where not in_key and attname not in ('first_position', 'last_position')),
    string_agg(format('own.%1$I = ($1).%1$I', attname), ' and ') filter (where in_key)
    into emptied, same
    from pg_attribute
    cross join lateral (select exists (select from pg_index where indrelid = attrelid and indisprimary and attnum = any(indkey)) as in_key) k
    where attrelid = tg_relid and attnum > 0 and not attisdropped;
  execute format('update %s own set %s where %s', tg_relid::regclass, emptied, same) using old;
  return null;
end $$;
comment on function flink_empties() is 'Trigger: empties a cell in place of removing it.';
do $$ begin
  execute format('alter function flink_empties() set search_path = %I, pg_temp', current_schema());
end $$;

create or replace function give_to_flink(states name, cells name[]) returns void language plpgsql as $$
declare
  head log_head;
  cell name;
begin
  select * into head from log_head for update;
  if head.written_by is null and (head.batch > 0 or exists (select from events)) then
    raise exception 'this database has a log of its own, up to position %: a Flink job wants one that was never written', head.position
      using errcode = 'TA001';
  end if;
  if head.written_by = 'flink' then return; end if;
  update log_head set written_by = 'flink';
  create constraint trigger log_head_comes_to_what_flink_wrote after update of recorded_at on log_head
    deferrable initially deferred for each row execute function flink_turn_ends();
  create trigger log_head_stays_flinks before update of written_by on log_head
    for each row execute function refuse_change('who writes this database is said once');
  create trigger events_are_in_the_topics before insert on events
    for each statement execute function refuse_change('a Flink job writes this database, its log is what the topics keep');
  create trigger batches_are_in_the_topics before insert on batches
    for each statement execute function refuse_change('a Flink job writes this database, its log is what the topics keep');
  execute format('create trigger flink_takes_its_turn before insert or update or delete on %I for each statement execute function flink_turn()', states);
  execute format('create trigger flink_is_placed before insert or update on %I for each row execute function flink_state()', states);
  execute format('create index %1$I on %2$I ((positions[cardinality(positions)]))', states || '_newest_idx', states);
  foreach cell in array cells loop
    execute format('create trigger flink_takes_its_turn before insert or update or delete on %I for each statement execute function flink_turn()', cell);
    execute format('create trigger flink_is_placed before insert or update on %I for each row execute function flink_cell()', cell);
    -- Who has seen a cell has to see that nothing is in it any more: it is emptied where the job removes it, as cells of a log are.
    execute format('create trigger flink_empties before delete on %I for each row execute function flink_empties()', cell);
  end loop;
end $$;

-- Tables that are a job's already.
do $$
declare
  given record;
begin
  for given in
    select tgrelid::regclass as cell, p.oid::regprocedure as own from pg_trigger t
      join pg_class c on c.oid = tgrelid join pg_proc p on p.oid = tgfoid
      where tgname = 'flink_empties' and c.relnamespace = current_schema()::regnamespace
  loop
    execute format('drop trigger flink_empties on %s', given.cell);
    execute format('drop function %s', given.own);
    execute format('create trigger flink_empties before delete on %s for each row execute function flink_empties()', given.cell);
  end loop;
end $$;
