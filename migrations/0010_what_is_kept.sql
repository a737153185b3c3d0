-- What is kept stays what it was, by force of the database and against the owner of the tables too: a message in quarantine can be settled,
-- not changed; cursors move, and none disappears; the head of the log stays that of this log, with the deployment that it was begun with.

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% on % refused: %', tg_op, tg_table_name, tg_argv[0] using errcode = 'TA001';
end $$;

-- What is wrong with a held message may be told anew by a retry, and what became of it: the columns that are not named here.
create trigger quarantine_keeps_messages before update of quarantine_id, topic, partition, message_offset, message_key, headers,
    message_value, message_timestamp, quarantined_at on quarantine
  for each statement execute function refuse_change('a message in quarantine is settled, not changed');
create trigger quarantine_stays before delete or truncate on quarantine
  for each statement execute function refuse_change('a message in quarantine is settled, not removed');

create trigger source_cursors_keep_partitions before update of topic, partition on source_cursors
  for each statement execute function refuse_change('the cursor of a partition stays its');
create trigger source_cursors_stay before delete or truncate on source_cursors
  for each statement execute function refuse_change('a cursor moves and is not removed');

create trigger log_head_keeps_its_log before update of singleton, log_id on log_head
  for each statement execute function refuse_change('a log stays the log that it is');
create trigger log_head_keeps_its_deployment before update of time_zone, currency, h3_resolution on log_head
  for each row when (old.time_zone is not null or old.currency is not null)
  execute function refuse_change('time zone, currency and H3 resolution are fixed by the first start');

-- As in migration 7, and of a message in quarantine the program may change only what settles it.
create or replace function grant_to_program(role_name name) returns void language plpgsql as $$
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  execute format(
    'revoke all on events, batches, trips, trip_cells, trip_sketches, source_cursors, quarantine, log_head, schema_migrations from %I',
    role_name);
  execute format('grant select, insert on events, batches, quarantine to %I', role_name);
  execute format(
    'grant update (status, settled_at, attempts, stage, reason, path, detail, code_version) on quarantine to %I', role_name);
  execute format('grant select, insert, update on trips, trip_cells, trip_sketches, source_cursors to %I', role_name);
  execute format('grant select, update on log_head to %I', role_name);
  execute format('grant select on schema_migrations to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
end $$;
-- Roles that were granted more before keep what settles a message.
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'quarantine'::regclass and a.privilege_type = 'UPDATE' and a.grantee <> c.relowner
  loop
    execute format('revoke update on quarantine from %I', role_name);
    execute format(
      'grant update (status, settled_at, attempts, stage, reason, path, detail, code_version) on quarantine to %I', role_name);
  end loop;
end $$;
