-- Persons can be forgotten: where that is on, states and events hold an alias of each, and one table says whose it is. What is held in quarantine
-- about one that is forgotten is erased.

create table persons (
  dimension text collate "C" not null,
  person_id text collate "C" not null,
  alias text collate "C" not null,
  constraint persons_pkey primary key (dimension, person_id),
  constraint persons_aliases_are_unique unique (alias),
  constraint persons_alias_is_one check (alias ~ '^~[A-Za-z0-9_-]{22}$')
);
comment on table persons is 'Whose alias is whose: the only place that holds the ids of persons, where TACHO_FORGETTABLE is on. tacho forget deletes the row of one; its alias stays in the log, and says nothing any more.';
comment on column persons.dimension is 'What the person is: driver, passenger, payer.';
comment on column persons.person_id is 'The id by which producers name it.';
comment on column persons.alias is 'What the log, states and cells have in its place: drawn at random, beginning with the time at which it was drawn.';
-- What ANALYZE samples would outlive the row.
alter table persons alter column person_id set statistics 0;


alter table log_head
  add column forgotten bigint,
  add column forgettable_from bigint,
  add constraint log_head_forgets_from_somewhere check ((forgotten is null) = (forgettable_from is null)),
  add constraint log_head_forgotten_is_not_negative check (forgotten >= 0);
comment on column log_head.forgotten is 'How often persons were forgotten: what was planned by the aliases of before is planned anew. Null: ids are kept as they come.';
comment on column log_head.forgettable_from is 'The first position whose event has aliases for persons; null: none has.';

create function count_forgotten() returns trigger language plpgsql as $$
begin
  execute format('update %I.log_head set forgotten = forgotten + 1', tg_table_schema);
  return null;
end $$;
comment on function count_forgotten() is 'Trigger: keeps log_head.forgotten, whoever deletes a person.';
create trigger persons_are_forgotten after delete on persons for each statement execute function count_forgotten();
create trigger persons_keep_their_aliases before update or truncate on persons
  for each statement execute function refuse_change('a person keeps its alias until it is forgotten');
create trigger log_head_goes_on_forgetting before update of forgotten, forgettable_from on log_head
  for each row when (old.forgotten is not null and (new.forgotten is null or new.forgotten < old.forgotten
    or new.forgettable_from is distinct from old.forgettable_from))
  execute function refuse_change('a log with aliases goes on with them');

alter table batches drop constraint batches_kind_is_known;
alter table batches add constraint batches_kind_is_known
  check (kind in ('append', 'gap_accepted', 'retried', 'discarded', 'watermark_set_back', 'forgotten'));
comment on column batches.kind is 'append: messages read from a source. retried: messages that were held in quarantine, read before. gap_accepted, discarded, watermark_set_back, forgotten: an operator''s decision, in note.';

-- An erased message keeps its hash, by which it is known when it comes again: the hash is written when it is set aside, not made of what is there.
drop trigger quarantine_keeps_messages on quarantine;
alter table quarantine alter column message_hash drop expression;
alter table quarantine
  add column erased_bytes bigint,
  add constraint quarantine_erased_is_empty check (
    erased_bytes is null or (message_key is null and message_value is null and headers = '{}' and path is null and status <> 'held'));
comment on column quarantine.erased_bytes is 'How many bytes key, headers and value had before they were erased, as they named a person that was forgotten; null: they are as they came.';
-- The same types as before: what was sampled of their values goes, and nothing is sampled any more.
alter table quarantine
  alter column message_key type bytea, alter column headers type jsonb, alter column message_value type bytea, alter column path type text,
  alter column detail type text,
  alter column message_key set statistics 0, alter column headers set statistics 0, alter column message_value set statistics 0,
  alter column path set statistics 0, alter column detail set statistics 0;

create function hash_message() returns trigger language plpgsql as $$
begin
  if new.erased_bytes is null then
    new.message_hash := message_hash(new.message_key, new.headers, new.message_value);
  end if;
  return new;
end $$;
comment on function hash_message() is 'Trigger: writes the hash of a message that is set aside.';
create function keep_message() returns trigger language plpgsql as $$
begin
  if old.erased_bytes is null and new.erased_bytes is not null
    and new.erased_bytes = coalesce(octet_length(old.message_key), 0) + octet_length(old.headers::text) + coalesce(octet_length(old.message_value), 0)
    and (new.quarantine_id, new.topic, new.partition, new.message_offset, new.message_timestamp, new.quarantined_at, new.posted, new.message_hash)
      is not distinct from
      (old.quarantine_id, old.topic, old.partition, old.message_offset, old.message_timestamp, old.quarantined_at, old.posted, old.message_hash)
  then return new; end if;
  raise exception '% on % refused: a message in quarantine is settled or erased, not changed', tg_op, tg_table_name using errcode = 'TA001';
end $$;
comment on function keep_message() is 'Trigger: refuses a change of a message in quarantine, but that it is erased.';
-- By who owns the tables: who writes has no right to change what a message held.
create function erase_messages(ids bigint[], told text, at timestamptz) returns void language sql security definer as $$
  update quarantine set message_key = null, headers = '{}', message_value = null, path = null, detail = told,
    erased_bytes = coalesce(octet_length(message_key), 0) + octet_length(headers::text) + coalesce(octet_length(message_value), 0),
    status = case status when 'held' then 'discarded' else status end, settled_at = coalesce(settled_at, at)
  where quarantine_id = any(ids) and erased_bytes is null
$$;
revoke execute on function erase_messages(bigint[], text, timestamptz) from public;
comment on function erase_messages(bigint[], text, timestamptz) is 'Erases messages in quarantine: what they held goes, their hash, place and size stay, what is held is discarded. Called by tacho forget, which records it.';
do $$ begin
  execute format('alter function hash_message() set search_path = %I, pg_temp', current_schema());
  execute format('alter function erase_messages(bigint[], text, timestamptz) set search_path = %I, pg_temp', current_schema());
end $$;
create trigger quarantine_hashes_messages before insert on quarantine for each row execute function hash_message();
create trigger quarantine_keeps_messages before update of quarantine_id, topic, partition, message_offset, message_key, headers,
    message_value, message_timestamp, quarantined_at, posted, message_hash, erased_bytes on quarantine
  for each row execute function keep_message();

-- As in migration 30, and who writes may forget a person and erase what named it.
create or replace function grant_to_program(role_name name) returns void language plpgsql as $$
declare
  of_trips boolean := to_regclass(format('%I.trips', current_schema())) is not null;
  kept record;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for kept in
    select oid::regclass as name, case
        when relname in ('events', 'batches', 'quarantine', 'log_checkpoints') then 'select, insert'
        when relname = 'log_head' then 'select, update'
        when relname in ('schema_migrations', 'archives') or (of_trips and relname = 'read_models') then 'select'
        when relname = 'persons' then 'select, insert, delete'
        else 'select, insert, update' end as rights
    from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
      -- What was taken out of the log is nobody's to write.
      and relname !~ '^events_p\d+_'
      -- The schema of trips may hold tables of others.
      and (not of_trips or relname in ('events', 'batches', 'quarantine', 'log_checkpoints', 'log_head', 'schema_migrations', 'read_models', 'archives',
        'trips', 'trip_cells', 'trip_totals', 'trip_sketches', 'source_cursors', 'checkpoint_deliveries', 'publishing', 'published_windows', 'persons'))
  loop
    execute format('revoke all on %s from %I', kept.name, role_name);
    execute format('grant %s on %s to %I', kept.rights, kept.name, role_name);
  end loop;
  execute format(
    'grant update (status, settled_at, attempts, stage, reason, path, detail, code_version) on quarantine to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
  execute format('grant execute on function erase_messages(bigint[], text, timestamptz) to %I', role_name);
end $$;

-- Who reads does not read whose alias is whose.
create or replace function grant_to_reader(role_name name) returns void language plpgsql as $$
declare
  readable record;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for readable in
    select oid::regclass as name from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
      and relowner = (select relowner from pg_class where oid = 'events'::regclass) and relname <> 'persons'
  loop
    execute format('grant select on %s to %I', readable.name, role_name);
  end loop;
  execute format('alter default privileges for role %I in schema %I grant select on tables to %I',
    (select pg_get_userbyid(relowner) from pg_class where oid = 'events'::regclass), current_schema(), role_name);
end $$;
comment on function grant_to_reader(name) is 'Run by the owner of the tables, once for each role that reads: select grant_to_reader(''analyst''). Lets it read all tables and views, also those that later versions add, but not whose alias is whose, and write nothing.';
do $$
declare
  role_name name;
begin
  -- Rights on new tables may be given by default.
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'persons'::regclass and a.grantee <> c.relowner
  loop
    execute format('revoke all on persons from %I', role_name);
  end loop;
  revoke all on persons from public;
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'events'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    execute format('grant select, insert, delete on persons to %I', role_name);
    execute format('grant execute on function erase_messages(bigint[], text, timestamptz) to %I', role_name);
  end loop;
end $$;
