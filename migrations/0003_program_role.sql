-- What the program may do in a deployment where it does not own its tables: the owner migrates, the program appends and reads.

-- As in migration 1, and now it runs as its owner, so that a role without the right to create tables gets its partitions made ahead too.
-- Its names are looked up in this schema alone: a caller's temporary table must not pass for a partition.
create or replace function ensure_events_partition(ordinal bigint) returns boolean language plpgsql security definer as $$
declare
  size constant bigint := 10000000;
  name text := format('events_p%s', lpad(ordinal::text, 6, '0'));
begin
  if to_regclass(format('%I.%I', current_schema(), name)) is not null then return false; end if;
  execute format('create table if not exists %I partition of events for values from (%s) to (%s)', name, ordinal * size, (ordinal + 1) * size);
  execute format('create trigger events_refuse_truncate before truncate on %I for each statement execute function refuse_change_of_the_log()', name);
  return true;
end $$;
do $$ begin
  execute format('alter function ensure_events_partition(bigint) set search_path = %I, pg_temp', current_schema());
end $$;
revoke execute on function ensure_events_partition(bigint) from public;

-- Grants a role what the program needs and takes away whatever else it was granted here: no right to change or remove an event.
create function grant_to_program(role_name name) returns void language plpgsql as $$
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  execute format(
    'revoke all on events, batches, trips, trip_cells, source_cursors, quarantine, log_head, schema_migrations from %I', role_name);
  execute format('grant select, insert on events, batches to %I', role_name);
  execute format('grant select, insert, update on trips, trip_cells, source_cursors, quarantine to %I', role_name);
  execute format('grant select, update on log_head to %I', role_name);
  execute format('grant select on schema_migrations to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
end $$;
revoke execute on function grant_to_program(name) from public;
comment on function grant_to_program(name) is 'Run by the owner of the tables, once for each role that the program logs in as: select grant_to_program(''tacho_program'').';
