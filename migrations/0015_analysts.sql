-- What analysts read: trips and figures in the currency, kilometres, minutes and local time, what every column means, and a role for it.

-- Fare, tip, distance and duration are those that count in the figures: of completed trips.
-- Local time is that of the business time zone in log_head. Columns may be added to these views at their end by `create or replace view`;
-- views that others build on them stand in the way of any other change, which then fails and says so.
create view trips_view as
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
  revision as events, positions[cardinality(positions)] as last_position
from trips;

-- What each trip adds to the figures, a row for each time that dates a part of it. The measures of several rows may be added up, whatever
-- they are grouped and filtered by: a trip is in `trips` once, in the earliest row. Filters on `at` use the indexes of the table.
create view trip_facts as
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
  case when completed = 1 and duration_ms is not null then 1 else 0 end as duration_count
from facts;

-- Figures by time and by all dimensions of few keys at once: whatever a query filters and groups by, adding up is right, since every trip
-- counts in one row of each time. There are no averages to be averaged: their numerators and denominators add up.
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
      'create view %I as select %s as starts_at, %s as local_time, (%3$s)::date as day,
         status, city, vehicle_type, payment_method, pickup_zone, dropoff_zone,
         trips, requested, started, completed, canceled, voided, voids_waiting, conflicts,
         revenue, fare_count, min_fare, max_fare, tips, distance_km, distance_count, duration_min, duration_count
       from (
         select %s as starts, status, city, vehicle_type, payment_method, pickup_zone, dropoff_zone,
           sum(trips) as trips, sum(requested) as requested, sum(started) as started, sum(completed) as completed,
           sum(canceled) as canceled, sum(voided) as voided, sum(voids_waiting) as voids_waiting, sum(conflicts) as conflicts,
           coalesce(sum(revenue), 0) as revenue, sum(fare_count) as fare_count, min(revenue) as min_fare, max(revenue) as max_fare,
           coalesce(sum(tips), 0) as tips, coalesce(sum(distance_km), 0) as distance_km, sum(distance_count) as distance_count,
           coalesce(sum(duration_min), 0) as duration_min, sum(duration_count) as duration_count
         from trip_facts group by 1, 2, 3, 4, 5, 6, 7
       ) summed', grain.view, grain.starts_at, grain.local_time, grain.bucket);
  end loop;
end $$;

-- What stands for a bin of a sketch: at most 2 % from every value in it. As the program has it, cut off after six decimals.
create function sketch_value(bin integer) returns numeric language sql immutable strict parallel safe as $$
  select case bin when 0 then 0 else div(980000 * 51::numeric ^ (bin - 1), 49::numeric ^ (bin - 1)) * 0.000001 end
$$;
create function quantile(bins smallint[], counts integer[], q numeric) returns numeric language sql immutable strict parallel safe as $$
  select sketch_value(bin) from (
    select bin, sum(count) over (order by bin) as up_to, sum(count) over () as total from unnest(bins, counts) b (bin, count)
  ) ranked where up_to >= greatest(ceil(q * total), 1) order by bin limit 1
$$;

-- The figures of the board, from the cells: of one dimension and one grain, so that what a query adds up counts once.
create function kept_dimension(dimension text, grain text) returns text language plpgsql immutable as $$
begin
  if dimension in ('driver', 'passenger') then
    raise exception 'figures by % are kept for all of time only', dimension
      using errcode = '22023', hint = 'add up trip_facts, which has every dimension';
  elsif dimension is null or dimension not in ('none', 'status', 'payment_method', 'vehicle_type', 'city', 'pickup_zone', 'dropoff_zone', 'pickup_h3') then
    raise exception 'no dimension %', quote_nullable(dimension)
      using errcode = '22023', hint = 'none, status, payment_method, vehicle_type, city, pickup_zone, dropoff_zone or pickup_h3';
  elsif grain is null or grain not in ('1m', '5m', '1h', '1d') or grain = '1m' and dimension in ('pickup_zone', 'dropoff_zone', 'pickup_h3') then
    raise exception 'figures by % are not kept by %', dimension, quote_nullable(grain)
      using errcode = '22023', hint = '5m, 1h or 1d; 1m but of zones and H3 cells';
  end if;
  return dimension;
end $$;
create function kpis_by(dimension text default 'none', grain text default '1d') returns table (
  starts_at timestamptz, local_time timestamp, day date, key text,
  trips bigint, requested bigint, started bigint, completed bigint, canceled bigint, voided bigint, voids_waiting bigint, conflicts bigint,
  revenue numeric, fare_count bigint, average_fare numeric, min_fare numeric, max_fare numeric, tips numeric,
  distance_km numeric, distance_count bigint, average_distance_km numeric,
  duration_min numeric, duration_count bigint, average_duration_min numeric,
  fare_p50 numeric, fare_p95 numeric, duration_p50_min numeric, duration_p95_min numeric
) language sql stable parallel safe as $$
  select c.bucket, c.bucket at time zone (select time_zone from log_head), (c.bucket at time zone (select time_zone from log_head))::date, c.key,
    c.trips, c.requested, c.started, c.completed, c.canceled, c.voided, c.voids_waiting, c.conflicts,
    c.fare_sum_micros * 0.000001, c.fare_count,
    div(2 * c.fare_sum_micros + c.fare_count, 2 * nullif(c.fare_count, 0)) * 0.000001,
    c.fare_min_micros * 0.000001, c.fare_max_micros * 0.000001, c.tip_sum_micros * 0.000001,
    c.distance_sum_m * 0.001, c.distance_count,
    div(2000 * c.distance_sum_m + c.distance_count, 2 * nullif(c.distance_count, 0)) * 0.000001,
    c.duration_sum_ms / 60000.0, c.duration_count,
    div(200 * c.duration_sum_ms + 6 * c.duration_count, 12 * nullif(c.duration_count, 0)) * 0.000001,
    case when f.bins is not null then round(greatest(least(quantile(f.bins, f.counts, 0.5), c.fare_max_micros), c.fare_min_micros)) * 0.000001 end,
    case when f.bins is not null then round(greatest(least(quantile(f.bins, f.counts, 0.95), c.fare_max_micros), c.fare_min_micros)) * 0.000001 end,
    round(quantile(d.bins, d.counts, 0.5) / 60000, 6), round(quantile(d.bins, d.counts, 0.95) / 60000, 6)
  from trip_cells c
  left join trip_sketches f on (f.grain, f.dimension, f.bucket, f.key, f.sketch) = (c.grain, c.dimension, c.bucket, c.key, 'fare_micros')
  left join trip_sketches d on (d.grain, d.dimension, d.bucket, d.key, d.sketch) = (c.grain, c.dimension, c.bucket, c.key, 'duration_ms')
  -- Cells that were taken back to nothing stay.
  where c.grain = $2 and c.dimension = kept_dimension($1, $2)
    and greatest(c.trips, c.requested, c.started, c.completed, c.canceled, c.voided) > 0
$$;

-- Who may read: every table and view of this log, those that later versions add, and nothing else.
create function grant_to_reader(role_name name) returns void language plpgsql as $$
declare
  readable record;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for readable in
    select oid::regclass as name from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
      and relowner = (select relowner from pg_class where oid = 'events'::regclass)
  loop
    execute format('grant select on %s to %I', readable.name, role_name);
  end loop;
  execute format('alter default privileges for role %I in schema %I grant select on tables to %I',
    (select pg_get_userbyid(relowner) from pg_class where oid = 'events'::regclass), current_schema(), role_name);
end $$;
revoke execute on function grant_to_reader(name) from public;

-- What everything is.
comment on view trips_view is 'One row a trip, as in trips, in the currency, kilometres, minutes and local time. What nobody named is null.';
comment on view trip_facts is 'What trips add to the figures: a row for each time at which a trip was requested, started, completed, canceled or voided. All measures may be added up under any filter and grouping. What nobody named has the key unknown.';
comment on view kpis_5m is 'Figures by five minutes and by status, city, vehicle type, payment method and zones at once, computed from trips: add up what you filter. Averages are sums divided by their counts: sum(revenue) / sum(fare_count).';
comment on view kpis_hourly is 'As kpis_5m, by hours of local time.';
comment on view kpis_daily is 'As kpis_5m, by days of the business time zone.';
comment on table schema_migrations is 'The migrations applied to this database.';
comment on function sketch_value(integer) is 'What stands for a bin of trip_sketches: at most 2 % from every value in it, in the unit of the sketch.';
comment on function quantile(smallint[], integer[], numeric) is 'The quantile q (0 to 1) of a sketch, by nearest rank, at most 2 % off, in the unit of the sketch; null of no values. Bins may come in any order and several times, as array_agg over unnest(bins, counts) of several sketches gives them.';
comment on function kpis_by(text, text) is 'The board''s own figures, with averages and percentiles, a row for each bucket and key of one dimension (none, status, payment_method, vehicle_type, city, pickup_zone, dropoff_zone, pickup_h3) by one grain (1m, 5m, 1h, 1d), read from the cells: select day, key as city, revenue from kpis_by(''city'', ''1d''). Without arguments: of everything, by days. Hours are those of UTC.';
comment on function kept_dimension(text, text) is 'The dimension, where kpis_by has it by that grain; else an error that says what there is.';
comment on function grant_to_reader(name) is 'Run by the owner of the tables, once for each role that reads: select grant_to_reader(''analyst''). Lets it read all tables and views, also those that later versions add, and write nothing.';
comment on function ensure_events_partition(bigint) is 'Makes the partition of events that holds positions [ordinal * 10 million, (ordinal + 1) * 10 million) when it is absent.';
comment on function message_hash(bytea, jsonb, bytea) is 'What makes a message in quarantine the same message: SHA-256 of key, headers and value.';
comment on function refuse_change() is 'Trigger: refuses a change of what is kept, with the reason that it is given.';
comment on function refuse_change_of_the_log() is 'Trigger: refuses to change or remove what is in the log.';
comment on function refuse_other_writers() is 'Trigger: refuses batches of programs that write for another schema.';
do $$
declare
  said record;
begin
  for said in select unnest(relations) as relation, name, meaning from (values
    -- Trips.
    ('{trips,trips_view,trip_facts}'::text[], 'trip_id', 'The trip, as its producer names it.'),
    ('{trips,trips_view}', 'status', 'completed if there is a completion, else canceled, else in_progress once it started, else requested; voided whatever else there is, if it was taken back.'),
    ('{trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'status', 'The status that the trip has now: not a state it was in at that time.'),
    ('{trips,trips_view}', 'requested_at', 'Time of the request; null where none was told.'),
    ('{trips,trips_view}', 'started_at', 'Time of the start; null where none was told.'),
    ('{trips,trips_view}', 'completed_at', 'Time of the completion; null where none was told.'),
    ('{trips,trips_view}', 'canceled_at', 'Time of the cancellation; null where none was told. A trip that was completed, too, counts as completed.'),
    ('{trips,trips_view}', 'voided_at', 'Time at which the trip was taken back; null where it was not.'),
    ('{trips_view}', 'requested_local', 'requested_at on the clocks of the business time zone.'),
    ('{trips_view}', 'started_local', 'started_at on the clocks of the business time zone.'),
    ('{trips_view}', 'completed_local', 'completed_at on the clocks of the business time zone.'),
    ('{trips_view}', 'canceled_local', 'canceled_at on the clocks of the business time zone.'),
    ('{trips_view}', 'voided_local', 'voided_at on the clocks of the business time zone.'),
    ('{trips_view}', 'completed_day', 'Local date of the completion: the day that its fare counts in.'),
    ('{trips,trips_view,trip_facts}', 'driver_id', 'The driver.'),
    ('{trips,trips_view,trip_facts}', 'passenger_id', 'The passenger.'),
    ('{trips,trips_view,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'vehicle_type', 'Kind of vehicle.'),
    ('{trips,trips_view,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'city', 'City of the trip.'),
    ('{trips,trips_view,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'payment_method', 'How the trip was paid for.'),
    ('{trips,trips_view,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'pickup_zone', 'Zone where the trip began.'),
    ('{trips,trips_view,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'dropoff_zone', 'Zone where the trip ended, or is to end.'),
    ('{trip_facts,trips_view}', 'pickup_h3', 'H3 cell of the pickup.'),
    ('{trips,trips_view}', 'pickup_lat', 'Latitude of the pickup, degrees.'),
    ('{trips,trips_view}', 'pickup_lon', 'Longitude of the pickup, degrees.'),
    ('{trips,trips_view}', 'dropoff_lat', 'Latitude of the drop-off, degrees.'),
    ('{trips,trips_view}', 'dropoff_lon', 'Longitude of the drop-off, degrees.'),
    ('{trips,trips_view}', 'vendor_id', 'Who provided the record, as taxi files name them.'),
    ('{trips}', 'estimated_fare_micros', 'Fare that was estimated at the start, micros of the currency.'),
    ('{trips_view}', 'estimated_fare', 'Fare that was estimated at the start.'),
    ('{trips,trips_view}', 'estimated_dropoff_at', 'Drop-off time that was estimated at the start.'),
    ('{trips}', 'completion_fare_micros', 'Fare that the completion named, micros of the currency.'),
    ('{trips_view}', 'completion_fare', 'Fare that the completion named.'),
    ('{trips}', 'adjusted_fare_micros', 'Fare of the latest adjustment, micros of the currency; it waits for the completion.'),
    ('{trips_view}', 'adjusted_fare', 'Fare of the latest adjustment; it waits for the completion.'),
    ('{trips}', 'fare_micros', 'The fare that counts, micros of the currency: of a completed trip its latest adjustment, else its completion''s; null where there is none.'),
    ('{trips_view}', 'fare', 'The fare that counts: of a completed trip its latest adjustment, else its completion''s; null where there is none.'),
    ('{trips}', 'tip_micros', 'Tip, micros of the currency.'),
    ('{trips_view}', 'tip', 'Tip of a completed trip.'),
    ('{trips}', 'currency', 'Currency that an event named: always that of the deployment.'),
    ('{trips_view}', 'currency', 'Currency of all amounts.'),
    ('{trips}', 'distance_m', 'Distance, metres.'),
    ('{trips_view}', 'distance_km', 'Distance of a completed trip, kilometres; null where it is not known.'),
    ('{trips}', 'given_duration_ms', 'Duration that an event named, milliseconds.'),
    ('{trips}', 'duration_ms', 'Duration, milliseconds: as given, else completion minus start when both are known and not negative.'),
    ('{trips_view}', 'duration_min', 'Duration of a completed trip, minutes: as given, else completion minus start when both are known and not negative.'),
    ('{trips,trips_view}', 'passenger_count', 'How many rode.'),
    ('{trips,trips_view}', 'rate_code', 'Rate code, as taxi files have it.'),
    ('{trips,trips_view}', 'trip_type', 'Trip type, as taxi files have it.'),
    ('{trips,trips_view}', 'cancel_reason', 'Why it was canceled.'),
    ('{trips,trips_view}', 'canceled_by', 'Who canceled it: driver, passenger or system.'),
    ('{trips,trips_view}', 'adjustment_reason', 'Why its fare was adjusted.'),
    ('{trips,trips_view}', 'void_reason', 'Why it was taken back.'),
    ('{trips}', 'revision', 'How many events of it are in the log.'),
    ('{trips_view}', 'events', 'How many events of it are in the log.'),
    ('{trips_view}', 'last_position', 'Position in the log of the event of it that arrived last.'),
    ('{trips}', 'last_occurred_at', 'Time of its newest event in order of (time, event id).'),
    ('{trips}', 'last_event_id', 'Id of that event.'),
    ('{trips}', 'event_hashes', 'A hash of 53 bits of each event id, beside positions: recognises duplicates without reading the log.'),
    -- Figures.
    ('{trip_facts}', 'at', 'When it happened: the time that the figures of the row count at.'),
    ('{kpis_5m,kpis_hourly,kpis_daily}', 'starts_at', 'When the bucket begins.'),
    ('{kpis_5m,kpis_hourly,kpis_daily}', 'local_time', 'When it begins on the clocks of the business time zone; where they go back two buckets have the same.'),
    ('{kpis_5m,kpis_hourly,kpis_daily}', 'day', 'Local date on which it begins.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'trips', 'Trips by the earliest time that is known of them.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'requested', 'Requests, by their time.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'started', 'Starts, by their time.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'completed', 'Completions, by their time; fares, tips, distances and durations count with them.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'canceled', 'Cancellations of trips that were not completed, by their time.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'voided', 'Trips taken back, by the time of that: they count in nothing else.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'voids_waiting', 'Of the trips taken back those whose completion has not come.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'conflicts', 'Completions of trips that were canceled, too.'),
    ('{trip_cells}', 'fare_sum_micros', 'Sum of fares, micros of the currency.'),
    ('{trip_facts}', 'revenue', 'Fare of the completed trip; null where none is known.'),
    ('{kpis_5m,kpis_hourly,kpis_daily}', 'revenue', 'Sum of fares.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'fare_count', 'Completions whose fare is known: what average fares divide by.'),
    ('{trip_cells}', 'fare_min_micros', 'Least fare, micros; null where there is none, or the dimension keeps none.'),
    ('{trip_cells}', 'fare_max_micros', 'Greatest fare, micros; null where there is none, or the dimension keeps none.'),
    ('{kpis_5m,kpis_hourly,kpis_daily}', 'min_fare', 'Least fare; take the least of several rows.'),
    ('{kpis_5m,kpis_hourly,kpis_daily}', 'max_fare', 'Greatest fare; take the greatest of several rows.'),
    ('{trip_cells}', 'tip_sum_micros', 'Sum of tips, micros of the currency.'),
    ('{trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'tips', 'Tips of completed trips.'),
    ('{trip_cells}', 'distance_sum_m', 'Sum of the known distances, metres.'),
    ('{trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'distance_km', 'Known distances of completed trips, kilometres.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'distance_count', 'Completions whose distance is known: what average distances divide by.'),
    ('{trip_cells}', 'duration_sum_ms', 'Sum of the known durations, milliseconds.'),
    ('{trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'duration_min', 'Known durations of completed trips, minutes.'),
    ('{trip_cells,trip_facts,kpis_5m,kpis_hourly,kpis_daily}', 'duration_count', 'Completions whose duration is known: what average durations divide by.'),
    ('{trip_cells,trip_sketches}', 'grain', 'Width of the bucket: 1m, 5m, 1h, 1d (a business day), and in trip_cells all (of time). A query has to name one, or it counts trips several times.'),
    ('{trip_cells,trip_sketches}', 'bucket', 'When the bucket begins, in event time; of grain all the epoch.'),
    ('{trip_cells,trip_sketches}', 'dimension', 'What the keys are of; none: everything, under the key all. A query has to name one, or it counts trips several times.'),
    ('{trip_cells,trip_sketches}', 'key', 'The key in the dimension; unknown: nobody named one.'),
    ('{trip_cells}', 'last_position', 'Position of the event that changed the cell last.'),
    ('{trip_sketches}', 'sketch', 'What is distributed: fare_micros or duration_ms.'),
    ('{trip_sketches}', 'bins', 'Bins that hold a value, ascending.'),
    ('{trip_sketches}', 'counts', 'How many values each of the bins holds.'),
    -- The log.
    ('{events}', 'position', 'Place in the log, from 1, without gaps, in order of commit.'),
    ('{events}', 'stream_id', 'What the event is about: the trip.'),
    ('{events}', 'revision', 'Its place among the events of its stream, in order of arrival, from 1.'),
    ('{events}', 'event_id', 'Its producer''s id, unique in the stream; of CloudEvents source and id, separated by a space.'),
    ('{events}', 'type', 'What happened: trip.requested, trip.started and so on.'),
    ('{events}', 'schema_version', 'Version of the schema that data was validated by.'),
    ('{events}', 'occurred_at', 'When it happened, as its producer says.'),
    ('{events}', 'recorded_at', 'When it was recorded: the same for all events of a batch.'),
    ('{events}', 'data', 'What its producer said, unknown fields included.'),
    ('{events}', 'metadata', 'Where it came from: topic, partition and offset, and what else its envelope said.'),
    ('{batches}', 'batch', 'Its number, from 1, without gaps.'),
    ('{batches}', 'first_position', 'Position of its first event; where it has none, the one after its last.'),
    ('{batches}', 'last_position', 'Position of its last event.'),
    ('{batches,log_head}', 'messages_read', 'Messages read from sources.'),
    ('{batches}', 'admitted', 'Events appended.'),
    ('{batches,log_head}', 'duplicates', 'Messages whose events were in the log before.'),
    ('{batches}', 'quarantined', 'Messages set aside.'),
    ('{batches,log_head}', 'late', 'Messages whose window was closed before they came.'),
    ('{batches}', 'cursors', 'What the cursors did: topic, partition, from and to.'),
    ('{batches}', 'note', 'What else there is to say: an operator''s decision, the rows of the quarantine that it wrote.'),
    ('{batches}', 'recorded_at', 'When it was recorded.'),
    ('{batches}', 'content_hash', 'SHA-256 of its events.'),
    ('{batches}', 'link', 'Its link in the hash chain.'),
    ('{log_head}', 'singleton', 'Always true: there is one row.'),
    ('{log_head}', 'log_id', 'What tells this log from any other.'),
    ('{log_head}', 'position', 'Position of the last event.'),
    ('{log_head}', 'batch', 'Number of the last batch.'),
    ('{log_head}', 'link', 'Link of the last batch in the hash chain.'),
    ('{log_head}', 'recorded_at', 'When the last batch was recorded.'),
    ('{log_head}', 'currency', 'The currency of all amounts: set at the first start, fixed from then on.'),
    ('{log_head}', 'tombstones', 'Messages without a value.'),
    ('{log_head}', 'skipped', 'Messages whose mapping skips their records.'),
    ('{source_cursors,quarantine}', 'topic', 'Topic of the message.'),
    ('{source_cursors,quarantine}', 'partition', 'Partition of the topic.'),
    ('{source_cursors}', 'next_offset', 'Offset of the first message that has not been read.'),
    ('{source_cursors}', 'cluster_id', 'Which Kafka cluster the topic is of.'),
    ('{source_cursors}', 'updated_at', 'When it moved last.'),
    ('{quarantine}', 'quarantine_id', 'Its number.'),
    ('{quarantine}', 'message_offset', 'Offset of the message in its partition.'),
    ('{quarantine}', 'message_key', 'Key of the message, as it came.'),
    ('{quarantine}', 'message_value', 'Value of the message, as it came.'),
    ('{quarantine}', 'message_timestamp', 'The message''s own time.'),
    ('{quarantine}', 'stage', 'Where it was set aside: decode, plan or append.'),
    ('{quarantine}', 'reason', 'What is wrong, as a word.'),
    ('{quarantine}', 'path', 'The field that is at fault, where there is one.'),
    ('{quarantine}', 'detail', 'What is wrong, as a sentence: what was expected, what came.'),
    ('{quarantine}', 'code_version', 'Version of the program that set it aside.'),
    ('{quarantine}', 'attempts', 'How often it was tried.'),
    ('{quarantine}', 'status', 'held, or what became of it: admitted, duplicate, tombstone, skipped, discarded.'),
    ('{quarantine}', 'quarantined_at', 'When it was set aside.'),
    ('{quarantine}', 'settled_at', 'When it was settled; null while it is held.'),
    ('{quarantine}', 'message_hash', 'What makes it the same message when it comes again: SHA-256 of key, headers and value.'),
    ('{schema_migrations}', 'version', 'Number of the migration.'),
    ('{schema_migrations}', 'name', 'Its name.'),
    ('{schema_migrations}', 'checksum', 'SHA-256 of its text.'),
    ('{schema_migrations}', 'applied_at', 'When it was applied.'),
    ('{schema_migrations}', 'filled', 'Whether the rows that were there before are worked on, too.'),
    ('{schema_migrations}', 'checkpoint', 'How far that is.')
  ) meanings (relations, name, meaning)
  loop
    execute format('comment on column %I.%I is %L', said.relation, said.name, said.meaning);
  end loop;
end $$;
