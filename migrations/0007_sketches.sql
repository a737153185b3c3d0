-- Sketches of fares and durations, from which percentiles are told. Those of the trips that are there already are filled in piece by piece
-- when all migrations are applied and no earlier program writes any more; this file did it in one statement once.

create table trip_sketches (
  grain text collate "C" not null,
  bucket timestamptz not null,
  dimension text collate "C" not null,
  key text collate "C" not null,
  sketch text collate "C" not null,
  bins smallint[] not null,
  counts integer[] not null,
  constraint trip_sketches_pkey primary key (grain, dimension, bucket, key, sketch),
  constraint trip_sketches_grain_is_known check (grain in ('1m', '5m', '1h', '1d')),
  constraint trip_sketches_sketch_is_known check (sketch in ('fare_micros', 'duration_ms')),
  constraint trip_sketches_bins_have_counts check (cardinality(bins) = cardinality(counts)),
  constraint trip_sketches_counts_are_positive check (0 < all (counts))
) with (fillfactor = 70);
comment on table trip_sketches is 'How the fares (micros) and durations (milliseconds) of the trips completed in a bucket are distributed: bins, ascending, and how many values each holds. Bin 0 holds zero, bin b the integers in (g^(b-2), g^(b-1)], g = 51/49; 0.98 * g^(b-1) is within 2 % of each. unnest(bins, counts) makes rows.';

-- The bin of a value, by its place among the least integers of the bins.
do $$
declare
  above numeric := 1;
  below numeric := 1;
  least_values text := '1';
begin
  while div(above, below) < 9223372036854775807 loop
    least_values := least_values || ',' || (div(above, below) + 1);
    above := above * 51;
    below := below * 49;
  end loop;
  execute format(
    'create function sketch_bin(value bigint) returns smallint language sql immutable strict parallel safe as '
    || '$body$ select width_bucket(value, %L::bigint[])::smallint $body$', '{' || least_values || '}');
end $$;
comment on function sketch_bin(bigint) is 'The bin of trip_sketches that a value of 0 or more is in.';

-- As in migration 3, with the sketches.
create or replace function grant_to_program(role_name name) returns void language plpgsql as $$
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  execute format(
    'revoke all on events, batches, trips, trip_cells, trip_sketches, source_cursors, quarantine, log_head, schema_migrations from %I',
    role_name);
  execute format('grant select, insert on events, batches to %I', role_name);
  execute format('grant select, insert, update on trips, trip_cells, trip_sketches, source_cursors, quarantine to %I', role_name);
  execute format('grant select, update on log_head to %I', role_name);
  execute format('grant select on schema_migrations to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
end $$;
-- Roles that were granted the cells before go on with the sketches.
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'trip_cells'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    execute format('grant select, insert, update on trip_sketches to %I', role_name);
  end loop;
end $$;
