-- Tables that a Flink job writes: the log of such a database is what its topics keep. Whoever reads follows positions here as everywhere: they are
-- handed out to rows as the job's transactions commit, one transaction after the other, and the head has come to the last one.

alter table log_head
  add column written_by text,
  add constraint log_head_writer_is_known check (written_by in ('flink'));
comment on column log_head.written_by is 'flink: a Flink job writes states and cells, and no event is in this database; null: tacho does, from the log. Said once, by give_to_flink, before the first event.';
comment on column log_head.archived is 'Position of the last event that is archived: events up to it are in files, not in the table; see archives. Where a Flink job writes, that of the head: no event is in the table.';

create table flink_progress (
  topic text collate "C" not null,
  "partition" integer not null,
  next_offset bigint not null,
  read_at timestamptz not null default now(),
  constraint flink_progress_pkey primary key (topic, "partition"),
  constraint flink_progress_offset_is_not_negative check (next_offset >= 0)
);
comment on table flink_progress is 'How far the Flink job has read, a row a partition; empty: it does not say. It writes this beside the cells, not in the same transactions.';
comment on column flink_progress.topic is 'The topic.';
comment on column flink_progress."partition" is 'Its partition.';
comment on column flink_progress.next_offset is 'The offset after the newest message that it has read.';
comment on column flink_progress.read_at is 'When that last went on, by the clock of the database.';

create table flink_jobs (
  job_id text collate "C" not null,
  name text collate "C" not null,
  sql_hash text collate "C" not null,
  submitted_at timestamptz not null default now(),
  stopped_at timestamptz,
  savepoint text,
  constraint flink_jobs_pkey primary key (job_id),
  constraint flink_jobs_hash_is_sha256 check (sql_hash ~ '^[0-9a-f]{64}$')
);
comment on table flink_jobs is 'The Flink jobs that tacho flink submit has begun for this database.';
comment on column flink_jobs.job_id is 'As Flink names it.';
comment on column flink_jobs.name is 'As it was submitted: pipeline.name.';
comment on column flink_jobs.sql_hash is 'SHA-256 of its statements: another one is of another catalog, whose state a savepoint of this job does not fit.';
comment on column flink_jobs.submitted_at is 'When it was.';
comment on column flink_jobs.stopped_at is 'When tacho flink stop had stopped it; null: it was not.';
comment on column flink_jobs.savepoint is 'Its newest savepoint that tacho has asked for; null: none.';

create sequence flink_positions;

-- The first statement of a transaction takes the head's lock: writers commit one after the other, so that positions are seen in their order.
create function flink_turn() returns trigger language plpgsql security definer as $$
begin
  if coalesce(current_setting('tacho.flink_turn', true), '') = '' then
    update log_head set recorded_at = clock_timestamp();
    perform set_config('tacho.flink_turn', 'taken', true);
  end if;
  return null;
end $$;
comment on function flink_turn() is 'Trigger: takes the turn of a transaction that a Flink job writes in.';

create function flink_turn_ends() returns trigger language plpgsql security definer as $$
declare
  reached constant bigint := (select last_value from flink_positions);
  newest constant bigint := nullif(current_setting('tacho.flink_newest', true), '');
begin
  update log_head set position = reached, archived = reached,
    watermark = greatest(watermark, timestamptz 'epoch' + newest * interval '1 microsecond');
  return null;
end $$;
comment on function flink_turn_ends() is 'Trigger, as a transaction commits that a Flink job wrote in: the head has come to its last position.';
create function flink_cell() returns trigger language plpgsql security definer as $$
begin
  new.last_position := nextval('flink_positions');
  return new;
end $$;
comment on function flink_cell() is 'Trigger: a cell that a Flink job writes gets its position.';

create function flink_state() returns trigger language plpgsql security definer as $$
declare
  own constant bigint := nextval('flink_positions');
  newest constant bigint := (extract(epoch from new.last_occurred_at) * 1000000)::bigint;
begin
  -- How many events a state is of is said where the job says it; which positions they have nobody knows.
  new.revision := least(greatest(coalesce(new.revision, 1), 1), 1000);
  new.positions := array_fill(own, array[new.revision]);
  new.event_hashes := array_fill(0::bigint, array[new.revision]);
  -- An event of a clock that is wrong does not make all else look old.
  if newest > coalesce(nullif(current_setting('tacho.flink_newest', true), '')::bigint, -9e15) and new.last_occurred_at < now() + interval '1 hour' then
    perform set_config('tacho.flink_newest', newest::text, true);
  end if;
  return new;
end $$;
comment on function flink_state() is 'Trigger: a state that a Flink job writes gets its position, and event time goes on with it.';

create function flink_read() returns trigger language plpgsql as $$
begin
  new.read_at := case when tg_op = 'UPDATE' and new.next_offset = old.next_offset then old.read_at else clock_timestamp() end;
  return new;
end $$;
comment on function flink_read() is 'Trigger: says when a partition went on.';
create trigger flink_progress_is_dated before insert or update on flink_progress for each row execute function flink_read();

create function give_to_flink(states name, cells name[]) returns void language plpgsql as $$
declare
  head log_head;
  cell name;
  emptied text;
  same text;
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
    select string_agg(format('%I = %s', attname, case when attnotnull and not atthasdef then '0' else 'default' end), ', ') into emptied
      from pg_attribute where attrelid = cell::regclass and attnum > 0 and not attisdropped and attname not in ('first_position', 'last_position')
        and not exists (select from pg_index where indrelid = attrelid and indisprimary and attnum = any(indkey));
    select string_agg(format('own.%1$I = old.%1$I', attname), ' and ') into same
      from pg_attribute where attrelid = cell::regclass
        and exists (select from pg_index where indrelid = attrelid and indisprimary and attnum = any(indkey));
    execute format(
      'create function %1$I() returns trigger language plpgsql security definer set search_path = %2$I, pg_temp as $body$
      begin
        update %3$I own set %4$s where %5$s;
        return null;
      end $body$', 'flink_empties_' || cell, current_schema(), cell, emptied, same);
    execute format('create trigger flink_empties before delete on %1$I for each row execute function %2$I()', cell, 'flink_empties_' || cell);
  end loop;
end $$;
revoke execute on function give_to_flink(name, name[]) from public;
comment on function give_to_flink(name, name[]) is 'Makes a database that was never written one that a Flink job writes: its table of states, and its tables of cells and totals.';

create function grant_to_flink(role_name name) returns void language plpgsql as $$
declare
  named name;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for named in
    select 'flink_progress' union all
    select c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where t.tgname = 'flink_takes_its_turn' and c.relnamespace = current_schema()::regnamespace
  loop
    execute format('grant select, insert, update, delete on %I to %I', named, role_name);
  end loop;
end $$;
revoke execute on function grant_to_flink(name) from public;
comment on function grant_to_flink(name) is 'Grants a role what a Flink job needs: the tables that it writes, and nothing else.';

do $$
declare
  named text;
begin
  foreach named in array array['flink_turn()', 'flink_turn_ends()', 'flink_cell()', 'flink_state()'] loop
    execute format('alter function %s set search_path = %I, pg_temp', named, current_schema());
  end loop;
end $$;
select program_may('flink_progress', 'select');
select program_may('flink_jobs', 'select, insert, update');
