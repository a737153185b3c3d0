-- Who writes says how far a rebuild is. In other schemas whoever is granted what the program needs reads every table.

-- As in migration 19, and read models beside the live one are read.
create or replace function grant_to_program(role_name name) returns void language plpgsql as $$
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  execute format(
    'revoke all on events, batches, trips, trip_cells, trip_totals, trip_sketches, source_cursors, quarantine, log_head, schema_migrations, read_models from %I',
    role_name);
  execute format('grant select, insert on events, batches, quarantine to %I', role_name);
  execute format(
    'grant update (status, settled_at, attempts, stage, reason, path, detail, code_version) on quarantine to %I', role_name);
  execute format('grant select, insert, update on trips, trip_cells, trip_totals, trip_sketches, source_cursors to %I', role_name);
  execute format('grant select, update on log_head to %I', role_name);
  execute format('grant select on schema_migrations, read_models to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
end $$;
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'trip_cells'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    execute format('grant select on read_models to %I', role_name);
  end loop;
end $$;
