-- Whole partitions of the log that were written to files with their batches and taken out of the table: how far that goes, and where they are.

alter table log_head add column archived bigint not null default 0;
alter table log_head add constraint log_head_archived_is_in_the_log check (archived between 0 and position);
comment on column log_head.archived is 'Position of the last event that is archived: events up to it are in files, not in the table; see archives.';

create table archives (
  last_position bigint not null,
  first_position bigint not null,
  first_batch bigint not null,
  last_batch bigint not null,
  link bytea not null,
  place text not null,
  partition_name name not null,
  archived_at timestamptz not null default now(),
  constraint archives_pkey primary key (last_position),
  constraint archives_have_events check (first_position between 1 and last_position)
);
comment on table archives is 'Archived stretches of the log, each of whole batches; together they are its beginning, without a gap. Their batches stay in batches, so that the chain of links goes on unbroken.';
comment on column archives.last_position is 'Position of its last event.';
comment on column archives.first_position is 'Position of its first event.';
comment on column archives.first_batch is 'Its first batch.';
comment on column archives.last_batch is 'Its last batch.';
comment on column archives.link is 'Link of its last batch in the hash chain.';
comment on column archives.place is 'The folder that it was written to.';
comment on column archives.partition_name is 'The partition of events that its last event was in. Taken out it has _archived after its name, until it is dropped; the first events of a batch that goes on in the next partition stay in a partition of this name.';
comment on column archives.archived_at is 'When it was taken out of the table.';

-- As in migration 27, and what of the log is archived is read.
create or replace function grant_to_program(role_name name) returns void language plpgsql as $$
declare
  of_trips boolean := to_regclass(format('%I.trips', current_schema())) is not null;
  kept record;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for kept in
    select oid::regclass as name, relname from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
      -- What was taken out of the log is nobody's to write.
      and relname !~ '^events_p\d+_'
      -- The schema of trips may hold tables of others.
      and (not of_trips or relname in ('events', 'batches', 'quarantine', 'log_checkpoints', 'log_head', 'schema_migrations', 'read_models', 'archives',
        'trips', 'trip_cells', 'trip_totals', 'trip_sketches', 'source_cursors', 'checkpoint_deliveries'))
  loop
    execute format('revoke all on %s from %I', kept.name, role_name);
    if kept.relname in ('events', 'batches', 'quarantine', 'log_checkpoints') then
      execute format('grant select, insert on %s to %I', kept.name, role_name);
    elsif kept.relname = 'log_head' then
      execute format('grant select, update on %s to %I', kept.name, role_name);
    elsif kept.relname in ('schema_migrations', 'archives') or (of_trips and kept.relname = 'read_models') then
      execute format('grant select on %s to %I', kept.name, role_name);
    else
      execute format('grant select, insert, update on %s to %I', kept.name, role_name);
    end if;
  end loop;
  execute format(
    'grant update (status, settled_at, attempts, stage, reason, path, detail, code_version) on quarantine to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
end $$;
-- Who writes or reads the log knows what of it is archived.
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'events'::regclass and a.privilege_type = 'SELECT' and a.grantee <> c.relowner
  loop
    execute format('grant select on archives to %I', role_name);
  end loop;
end $$;
