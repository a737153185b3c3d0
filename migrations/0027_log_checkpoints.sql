-- Signed checkpoints of the hash chain, and how far they were sent outside: who owns the database could write the whole log anew, with links that fit,
-- but not what others hold, signed.

create table log_checkpoints (
  batch bigint not null,
  statement text not null,
  signature bytea not null,
  constraint log_checkpoints_pkey primary key (batch),
  constraint log_checkpoints_batch_is_positive check (batch > 0),
  constraint log_checkpoints_signature_is_ed25519 check (octet_length(signature) = 64)
);
comment on table log_checkpoints is 'Signed checkpoints of the hash chain: that the log had this link after this batch, at this time. What is written outside is the same; docs/proof.md has the format.';
comment on column log_checkpoints.batch is 'The batch whose link is signed.';
comment on column log_checkpoints.statement is 'What is signed, to the byte: canonical JSON with log_id, domain, batch, position, link, signed_at and the id of the key.';
comment on column log_checkpoints.signature is 'Ed25519 signature of the statement''s UTF-8.';
create trigger log_checkpoints_are_append_only before update or delete or truncate on log_checkpoints
  for each statement execute function refuse_change_of_the_log();

create table checkpoint_deliveries (
  destination text collate "C" not null,
  delivered_batch bigint not null,
  changed_at timestamptz not null default now(),
  constraint checkpoint_deliveries_pkey primary key (destination)
);
comment on table checkpoint_deliveries is 'How far checkpoints were sent outside: what comes after delivered_batch is still to be sent there.';
comment on column checkpoint_deliveries.destination is 'Where to: place or webhook, and a hash of its name, which may hold a secret.';
comment on column checkpoint_deliveries.delivered_batch is 'The batch of the last checkpoint that arrived there.';
comment on column checkpoint_deliveries.changed_at is 'When that was.';

-- As in migration 26, or in the log of another domain as that was made, and checkpoints are added and not changed.
create or replace function grant_to_program(role_name name) returns void language plpgsql as $$
declare
  of_trips boolean := to_regclass(format('%I.trips', current_schema())) is not null;
  kept record;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for kept in
    select oid::regclass as name, relname from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
      -- The schema of trips may hold tables of others.
      and (not of_trips or relname in ('events', 'batches', 'quarantine', 'log_checkpoints', 'log_head', 'schema_migrations', 'read_models',
        'trips', 'trip_cells', 'trip_totals', 'trip_sketches', 'source_cursors', 'checkpoint_deliveries'))
  loop
    execute format('revoke all on %s from %I', kept.name, role_name);
    if kept.relname in ('events', 'batches', 'quarantine', 'log_checkpoints') then
      execute format('grant select, insert on %s to %I', kept.name, role_name);
    elsif kept.relname = 'log_head' then
      execute format('grant select, update on %s to %I', kept.name, role_name);
    elsif kept.relname = 'schema_migrations' or (of_trips and kept.relname = 'read_models') then
      execute format('grant select on %s to %I', kept.name, role_name);
    else
      execute format('grant select, insert, update on %s to %I', kept.name, role_name);
    end if;
  end loop;
  execute format(
    'grant update (status, settled_at, attempts, stage, reason, path, detail, code_version) on quarantine to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
end $$;
-- Roles that append go on with checkpoints.
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'events'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    execute format('grant select, insert on log_checkpoints to %I', role_name);
    execute format('grant select, insert, update on checkpoint_deliveries to %I', role_name);
  end loop;
end $$;
