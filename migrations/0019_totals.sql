-- Totals of drivers and passengers get a table of their own: rows and keys that are as narrow as what is asked of them. Those that are kept as
-- cells move there, piece by piece when all migrations are applied.

create table trip_totals (
  dimension text collate "C" not null,
  key text collate "C" not null,
  completed bigint not null,
  fare_count bigint not null,
  fare_sum_micros numeric(38, 0) not null,
  distance_sum_m numeric(38, 0) not null,
  distance_count bigint not null,
  duration_sum_ms numeric(38, 0) not null,
  duration_count bigint not null,
  last_position bigint not null,
  constraint trip_totals_pkey primary key (dimension, key),
  constraint trip_totals_are_not_negative check (least(completed, fare_count, distance_count, duration_count) >= 0
    and least(fare_sum_micros, distance_sum_m, duration_sum_ms) >= 0)
) with (fillfactor = 70);
comment on table trip_totals is 'Totals of all of time: (dimension, key) and what its completed trips add up to. Dimensions driver and passenger; all else of them is in trip_facts. A driver or passenger whose trips were all taken back stays, with zeros.';
comment on column trip_totals.dimension is 'What the keys are of: driver or passenger.';
comment on column trip_totals.key is 'The key in the dimension; unknown: nobody named one.';
comment on column trip_totals.completed is 'Completions; fares, distances and durations count with them.';
comment on column trip_totals.fare_count is 'Completions whose fare is known: what average fares divide by.';
comment on column trip_totals.fare_sum_micros is 'Sum of fares, micros of the currency.';
comment on column trip_totals.distance_sum_m is 'Sum of the known distances, metres.';
comment on column trip_totals.distance_count is 'Completions whose distance is known: what average distances divide by.';
comment on column trip_totals.duration_sum_ms is 'Sum of the known durations, milliseconds.';
comment on column trip_totals.duration_count is 'Completions whose duration is known: what average durations divide by.';
comment on column trip_totals.last_position is 'Position of the event that changed it last; 0 where that is not known: it has not changed since drivers and passengers kept all measures.';

comment on table trip_cells is 'KPI cells: (grain, bucket, dimension, key) and what the trips in it add up to. Buckets are in event time; the bucket of grain all is the epoch; dimension none has the key all. Drivers and passengers are in trip_totals. Sums are numeric since ten trips at the legal limit of 1e12 overflow a bigint of micros.';
comment on column trip_cells.last_position is 'Position of the event that changed the cell last.';

-- As in migration 10, with the totals.
create or replace function grant_to_program(role_name name) returns void language plpgsql as $$
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  execute format(
    'revoke all on events, batches, trips, trip_cells, trip_totals, trip_sketches, source_cursors, quarantine, log_head, schema_migrations from %I',
    role_name);
  execute format('grant select, insert on events, batches, quarantine to %I', role_name);
  execute format(
    'grant update (status, settled_at, attempts, stage, reason, path, detail, code_version) on quarantine to %I', role_name);
  execute format('grant select, insert, update on trips, trip_cells, trip_totals, trip_sketches, source_cursors to %I', role_name);
  execute format('grant select, update on log_head to %I', role_name);
  execute format('grant select on schema_migrations to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
end $$;
-- Roles that write cells go on with the totals.
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'trip_cells'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    execute format('grant select, insert, update on trip_totals to %I', role_name);
  end loop;
end $$;
