-- How long trips were waited for, from request to start, at the time of the start. Trips, cells and sketches that are there already are filled in,
-- piece by piece when all migrations are applied.

alter table trips add column waiting_ms bigint;
comment on column trips.waiting_ms is 'From request to start, milliseconds; null where one of them is not known, or the start is before the request.';

alter table trip_cells
  add column waiting_sum_ms numeric(38, 0) not null default 0,
  add column waiting_count bigint not null default 0,
  add constraint trip_cells_waiting_is_not_negative check (least(waiting_sum_ms, waiting_count) >= 0);
comment on column trip_cells.waiting_sum_ms is 'Sum of the known times from request to start, milliseconds, by the time of the start.';
comment on column trip_cells.waiting_count is 'Starts whose request is known, and not after them: what average waiting divides by.';

alter table trip_sketches
  drop constraint trip_sketches_sketch_is_known,
  add constraint trip_sketches_sketch_is_known check (sketch in ('fare_micros', 'duration_ms', 'waiting_ms'));
comment on table trip_sketches is 'How the fares (micros) and durations (milliseconds) of the trips completed in a bucket, and the waiting (milliseconds) of those started in it, are distributed: bins, ascending, and how many values each holds. Bin 0 holds zero, bin b the integers in (g^(b-2), g^(b-1)], g = 51/49; 0.98 * g^(b-1) is within 2 % of each. unnest(bins, counts) makes rows.';
comment on column trip_sketches.sketch is 'What is distributed: fare_micros, duration_ms or waiting_ms.';

-- Read models beside the live one were made without it: they can be made anew.
do $$
declare
  model record;
begin
  for model in select name from read_models loop
    execute format('drop table if exists %I, %I, %I, %I', 'trips_' || model.name, 'trip_cells_' || model.name, 'trip_totals_' || model.name,
      'trip_sketches_' || model.name);
  end loop;
  delete from read_models;
end $$;

-- As in migration 15, with the waiting at their ends.
create or replace view trips_view as
select trip_id, status,
  requested_at, started_at, completed_at, canceled_at, voided_at,
  requested_at at time zone (select time_zone from log_head) as requested_local,
  started_at at time zone (select time_zone from log_head) as started_local,
  completed_at at time zone (select time_zone from log_head) as completed_local,
  canceled_at at time zone (select time_zone from log_head) as canceled_local,
  voided_at at time zone (select time_zone from log_head) as voided_local,
  (completed_at at time zone (select time_zone from log_head))::date as completed_day,
  driver_id, passenger_id, vehicle_type, city, payment_method, pickup_zone, dropoff_zone,
  pickup_lat, pickup_lon, pickup_h3, dropoff_lat, dropoff_lon, vendor_id,
  fare_micros * 0.000001 as fare, case when status = 'completed' then tip_micros * 0.000001 end as tip, estimated_fare_micros * 0.000001 as estimated_fare,
  completion_fare_micros * 0.000001 as completion_fare, adjusted_fare_micros * 0.000001 as adjusted_fare,
  coalesce(currency, (select currency from log_head)) as currency,
  case when status = 'completed' then distance_m * 0.001 end as distance_km,
  case when status = 'completed' then duration_ms / 60000.0 end as duration_min, estimated_dropoff_at,
  passenger_count, rate_code, trip_type, cancel_reason, canceled_by, adjustment_reason, void_reason,
  revision as events, positions[cardinality(positions)] as last_position,
  case when status <> 'voided' then waiting_ms / 60000.0 end as waiting_min
from trips;
create or replace view trip_facts as
with dated as not materialized (
  select t.*, least(requested_at, started_at, completed_at, canceled_at) as first_at from trips t where status <> 'voided'
), facts as not materialized (
  select d.*, requested_at as at, (requested_at = first_at)::integer as trips, 1 as requested, 0 as started, 0 as completed, 0 as canceled,
    0 as voided, 0 as voids_waiting
  from dated d where requested_at is not null
  union all
  select d.*, started_at, (started_at = first_at and requested_at is distinct from first_at)::integer, 0, 1, 0, 0, 0, 0
  from dated d where started_at is not null
  union all
  select d.*, completed_at, (completed_at = first_at and requested_at is distinct from first_at and started_at is distinct from first_at)::integer,
    0, 0, 1, 0, 0, 0
  from dated d where completed_at is not null
  union all
  select * from (
    select d.*, canceled_at as at, (canceled_at = first_at and requested_at is distinct from first_at and started_at is distinct from first_at
      and completed_at is distinct from first_at)::integer as trips, 0, 0, 0, (status = 'canceled')::integer as canceled, 0, 0
    from dated d where canceled_at is not null
  ) canceled where canceled = 1 or trips = 1
  union all
  select t.*, null, voided_at, 0, 0, 0, 0, 0, 1, (completed_at is null)::integer
  from trips t where status = 'voided'
)
select at, trip_id, status, coalesce(city, 'unknown') as city, coalesce(vehicle_type, 'unknown') as vehicle_type,
  coalesce(payment_method, 'unknown') as payment_method, coalesce(pickup_zone, 'unknown') as pickup_zone,
  coalesce(dropoff_zone, 'unknown') as dropoff_zone, coalesce(pickup_h3, 'unknown') as pickup_h3,
  coalesce(driver_id, 'unknown') as driver_id, coalesce(passenger_id, 'unknown') as passenger_id,
  trips, requested, started, completed, canceled, voided, voids_waiting,
  case when completed = 1 and canceled_at is not null then 1 else 0 end as conflicts,
  case when completed = 1 then fare_micros * 0.000001 end as revenue,
  case when completed = 1 and fare_micros is not null then 1 else 0 end as fare_count,
  case when completed = 1 then tip_micros * 0.000001 end as tips,
  case when completed = 1 then distance_m * 0.001 end as distance_km,
  case when completed = 1 and distance_m is not null then 1 else 0 end as distance_count,
  case when completed = 1 then duration_ms / 60000.0 end as duration_min,
  case when completed = 1 and duration_ms is not null then 1 else 0 end as duration_count,
  case when started = 1 then waiting_ms / 60000.0 end as waiting_min,
  case when started = 1 and waiting_ms is not null then 1 else 0 end as waiting_count
from facts;
do $$
declare
  grain record;
begin
  for grain in select * from (values
    ('kpis_5m', 'date_bin(''5 minutes'', at, timestamptz ''epoch'')',
      'starts', 'starts at time zone (select time_zone from log_head)'),
    -- Hours of local time, which in some zones begin at half past.
    ('kpis_hourly', 'date_trunc(''hour'', at, (select time_zone from log_head))',
      'starts', 'starts at time zone (select time_zone from log_head)'),
    -- A midnight that the clocks show twice: the day begins with the first.
    ('kpis_daily', '(at at time zone (select time_zone from log_head))::date::timestamp',
      'case when (starts at time zone (select time_zone from log_head) - interval ''1 hour'') at time zone (select time_zone from log_head) = starts '
      || 'then starts at time zone (select time_zone from log_head) - interval ''1 hour'' '
      || 'else starts at time zone (select time_zone from log_head) end', 'starts')) grains (view, bucket, starts_at, local_time)
  loop
    execute format(
      'create or replace view %I as select %s as starts_at, %s as local_time, (%3$s)::date as day,
         status, city, vehicle_type, payment_method, pickup_zone, dropoff_zone,
         trips, requested, started, completed, canceled, voided, voids_waiting, conflicts,
         revenue, fare_count, min_fare, max_fare, tips, distance_km, distance_count, duration_min, duration_count,
         waiting_min, waiting_count
       from (
         select %s as starts, status, city, vehicle_type, payment_method, pickup_zone, dropoff_zone,
           sum(trips) as trips, sum(requested) as requested, sum(started) as started, sum(completed) as completed,
           sum(canceled) as canceled, sum(voided) as voided, sum(voids_waiting) as voids_waiting, sum(conflicts) as conflicts,
           coalesce(sum(revenue), 0) as revenue, sum(fare_count) as fare_count, min(revenue) as min_fare, max(revenue) as max_fare,
           coalesce(sum(tips), 0) as tips, coalesce(sum(distance_km), 0) as distance_km, sum(distance_count) as distance_count,
           coalesce(sum(duration_min), 0) as duration_min, sum(duration_count) as duration_count,
           coalesce(sum(waiting_min), 0) as waiting_min, sum(waiting_count) as waiting_count
         from trip_facts group by 1, 2, 3, 4, 5, 6, 7
       ) summed', grain.view, grain.starts_at, grain.local_time, grain.bucket);
  end loop;
end $$;

-- Beside kpis_by, whose columns others may have built on.
create function waiting_by(dimension text default 'none', grain text default '1d') returns table (
  starts_at timestamptz, local_time timestamp, day date, key text, started bigint,
  waiting_min numeric, waiting_count bigint, average_waiting_min numeric, waiting_p50_min numeric, waiting_p95_min numeric
) language sql stable parallel safe as $$
  select c.bucket, c.bucket at time zone (select time_zone from log_head), (c.bucket at time zone (select time_zone from log_head))::date, c.key,
    c.started, c.waiting_sum_ms / 60000.0, c.waiting_count,
    div(200 * c.waiting_sum_ms + 6 * c.waiting_count, 12 * nullif(c.waiting_count, 0)) * 0.000001,
    round(quantile(w.bins, w.counts, 0.5) / 60000, 6), round(quantile(w.bins, w.counts, 0.95) / 60000, 6)
  from trip_cells c
  left join trip_sketches w on (w.grain, w.dimension, w.bucket, w.key, w.sketch) = (c.grain, c.dimension, c.bucket, c.key, 'waiting_ms')
  where c.grain = $2 and c.dimension = kept_dimension($1, $2) and c.started > 0
$$;
comment on function waiting_by(text, text) is 'How long trips were waited for, from request to start, a row for each bucket of the start and key of one dimension by one grain, as kpis_by takes them, read from the cells: select day, key as city, average_waiting_min from waiting_by(''city'', ''1d''). Zones and H3 cells keep no percentiles.';

comment on column trips_view.waiting_min is 'Minutes from request to start; null where one of them is not known, the start is before the request, or the trip was taken back.';
do $$
declare
  of_view text;
begin
  foreach of_view in array array['trip_facts', 'kpis_5m', 'kpis_hourly', 'kpis_daily'] loop
    execute format('comment on column %I.waiting_min is %L', of_view, 'Known minutes from request to start, of trips started.');
    execute format('comment on column %I.waiting_count is %L', of_view, 'Starts whose request is known, and not after them: what average waiting divides by.');
  end loop;
end $$;
