-- Sketches of fares and durations, from which percentiles are told, and those of the trips that are there already.

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

insert into trip_sketches (grain, bucket, dimension, key, sketch, bins, counts)
with minutes as materialized (
  select date_bin('1 minute', t.completed_at, '1900-01-01 00:00:00+00') as minute, d.dimension, d.key, v.sketch,
    sketch_bin(v.value) as bin, count(*) as trips
  from trips t
  cross join lateral (values ('none', 'all'), ('status', t.status), ('payment_method', coalesce(t.payment_method, 'unknown')),
    ('vehicle_type', coalesce(t.vehicle_type, 'unknown')), ('city', coalesce(t.city, 'unknown'))) as d (dimension, key)
  cross join lateral (values ('fare_micros', t.fare_micros), ('duration_ms', t.duration_ms)) as v (sketch, value)
  where t.completed_at is not null and v.value is not null
  group by 1, 2, 3, 4, 5
), local_days as materialized (
  select m.minute, date_trunc('day', m.minute, (select time_zone from log_head)) as day
  from (select distinct minute from minutes) m
), days as materialized (
  -- The day that the cells have is that of the program, also where clocks go back over midnight.
  select d.minute, case when extract(epoch from d.day)::bigint % 3600 <> 0 then d.day else (
    select max(c.bucket) from trip_cells c where c.grain = '1d' and c.dimension = 'none' and c.bucket <= d.minute
  ) end as day
  from local_days d
), counted as (
  select g.grain, g.bucket, m.dimension, m.key, m.sketch, m.bin, sum(m.trips)::integer as trips
  from minutes m join days using (minute)
  cross join lateral (values ('1m', m.minute), ('5m', date_bin('5 minutes', m.minute, '1900-01-01 00:00:00+00')),
    ('1h', date_bin('1 hour', m.minute, '1900-01-01 00:00:00+00')), ('1d', days.day)) as g (grain, bucket)
  group by 1, 2, 3, 4, 5, 6
)
select grain, bucket, dimension, key, sketch, array_agg(bin order by bin), array_agg(trips order by bin)
from counted group by 1, 2, 3, 4, 5;

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
