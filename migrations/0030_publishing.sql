-- What is made of the log for topics: how far that is, and the windows that are told there.

create table publishing (
  singleton boolean not null default true,
  topics text collate "C" not null default '',
  run integer not null default 0,
  derived bigint not null default 0,
  derived_watermark timestamptz,
  sent bigint not null default 0,
  sent_watermark timestamptz,
  messages bigint not null default 0,
  holder text collate "C",
  held_until timestamptz not null default '-infinity',
  constraint publishing_pkey primary key (singleton),
  constraint publishing_is_one_row check (singleton),
  constraint publishing_sends_what_is_derived check (sent >= 0 and sent <= derived)
);
insert into publishing default values;
comment on table publishing is 'How far the log is published in topics: one row.';
comment on column publishing.singleton is 'True: there is one row.';
comment on column publishing.topics is 'What is published: its topics and what their messages are made of. Where that changes it begins anew.';
comment on column publishing.run is 'How often it was begun: windows of earlier runs count no more.';
comment on column publishing.derived is 'The position that published_windows stands at.';
comment on column publishing.derived_watermark is 'The newest event time up to derived: windows that end 5 minutes before it, or earlier, are closed.';
comment on column publishing.sent is 'The position up to which everything was acknowledged by the brokers.';
comment on column publishing.sent_watermark is 'The newest event time up to sent.';
comment on column publishing.messages is 'Messages that were acknowledged.';
comment on column publishing.holder is 'The one of several programs that publishes.';
comment on column publishing.held_until is 'Until when it does unless it says so again.';

create table published_windows (
  bucket timestamptz not null,
  dimension text collate "C" not null,
  key text collate "C" not null,
  run integer not null,
  version bigint not null,
  sums numeric[] not null,
  constraint published_windows_pkey primary key (bucket, dimension, key)
);
comment on table published_windows is 'Windows of five minutes as topics tell them; made of the log up to publishing.derived.';
comment on column published_windows.bucket is 'Where the window begins.';
comment on column published_windows.dimension is 'By what it is one of several.';
comment on column published_windows.key is 'Which of these; where amounts are of several currencies, the code of one is before it.';
comment on column published_windows.run is 'As in publishing.';
comment on column published_windows.version is 'The position of the event that changed it last, or closed it.';
comment on column published_windows.sums is 'Sums of the measures that its figures are made of.';

-- As in migration 29, and what is published is written.
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
        'trips', 'trip_cells', 'trip_totals', 'trip_sketches', 'source_cursors', 'checkpoint_deliveries', 'publishing', 'published_windows'))
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
-- Roles that append publish, too.
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'source_cursors'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    execute format('grant select, insert, update on publishing, published_windows to %I', role_name);
  end loop;
end $$;
