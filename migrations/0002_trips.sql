-- The trips domain: one row a trip (write-side snapshot and the table people query) and its KPI cells.

create table trips (
  trip_id text collate "C" not null,
  revision integer not null,
  status text collate "C" not null,
  requested_at timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  canceled_at timestamptz,
  driver_id text collate "C",
  passenger_id text collate "C",
  vehicle_type text collate "C",
  city text collate "C",
  payment_method text collate "C",
  pickup_zone text collate "C",
  dropoff_zone text collate "C",
  pickup_lat double precision,
  pickup_lon double precision,
  dropoff_lat double precision,
  dropoff_lon double precision,
  vendor_id text collate "C",
  estimated_fare_micros bigint,
  estimated_dropoff_at timestamptz,
  completion_fare_micros bigint,
  adjusted_fare_micros bigint,
  fare_micros bigint,
  tip_micros bigint,
  currency text collate "C",
  distance_m bigint,
  given_duration_ms bigint,
  duration_ms bigint,
  passenger_count integer,
  rate_code text collate "C",
  trip_type text collate "C",
  cancel_reason text collate "C",
  canceled_by text collate "C",
  adjustment_reason text collate "C",
  last_occurred_at timestamptz not null,
  last_event_id text collate "C" not null,
  positions bigint[] not null,
  event_hashes bigint[] not null,
  constraint trips_pkey primary key (trip_id),
  constraint trips_status_is_known check (status in ('requested', 'in_progress', 'completed', 'canceled')),
  constraint trips_revision_counts_events check (revision = cardinality(positions) and revision = cardinality(event_hashes))
);
comment on table trips is 'One row a trip: the fold of its events in order of (time, event id). Amounts in micros of the currency, distance in metres, duration in milliseconds.';
comment on column trips.positions is 'Positions of this trip''s events in the log, in order of arrival.';
comment on column trips.event_hashes is 'A 64-bit hash of each event id, beside positions: recognises duplicates without reading the log.';
create index trips_completed_at_idx on trips (completed_at) where completed_at is not null;

create table trip_cells (
  grain text collate "C" not null,
  bucket timestamptz not null,
  dimension text collate "C" not null,
  key text collate "C" not null,
  trips bigint not null default 0,
  requested bigint not null default 0,
  started bigint not null default 0,
  completed bigint not null default 0,
  canceled bigint not null default 0,
  conflicts bigint not null default 0,
  fare_sum_micros numeric(38, 0) not null default 0,
  fare_min_micros bigint,
  fare_max_micros bigint,
  tip_sum_micros numeric(38, 0) not null default 0,
  distance_sum_m numeric(38, 0) not null default 0,
  distance_count bigint not null default 0,
  duration_sum_ms numeric(38, 0) not null default 0,
  duration_count bigint not null default 0,
  last_position bigint not null,
  constraint trip_cells_pkey primary key (grain, dimension, bucket, key),
  constraint trip_cells_grain_is_known check (grain in ('1m', '5m', '1h', '1d', 'all')),
  constraint trip_cells_counts_are_not_negative
    check (least(trips, requested, started, completed, canceled, conflicts, distance_count, duration_count) >= 0)
) with (fillfactor = 70);
comment on table trip_cells is 'KPI cells: (grain, bucket, dimension, key) and what the trips in it add up to. Buckets are in event time; the bucket of grain all is the epoch; dimension none has the key all. Sums are numeric since ten trips at the legal limit of 1e12 overflow a bigint of micros.';
