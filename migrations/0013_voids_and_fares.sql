-- Completions without a fare, and trips that are taken back.

-- Every completion had a fare before this: in cells that are there already there are as many fares as completions, which is filled in piece by
-- piece when all migrations are applied.
alter table trip_cells
  add column fare_count bigint not null default 0,
  add column voided bigint not null default 0,
  add column voids_waiting bigint not null default 0;
comment on column trip_cells.fare_count is 'Completions whose fare is known: what the average fare divides by. The others are in completed alone.';
comment on column trip_cells.voided is 'Trips taken back, in the bucket of the void: they count in nothing else.';
comment on column trip_cells.voids_waiting is 'Of the trips taken back those whose completion has not come.';

alter table trips
  add column voided_at timestamptz,
  add column void_reason text collate "C";
comment on column trips.fare_micros is 'The fare that counts: of a completed trip its latest adjustment, else its completion''s; null where there is none.';

-- Not validated: rows from before keep what these say, since they kept less; a look at each of them would hold up all others.
alter table trips
  drop constraint trips_status_is_known,
  add constraint trips_status_is_known check (status in ('requested', 'in_progress', 'completed', 'canceled', 'voided')) not valid;
alter table trip_cells
  drop constraint trip_cells_counts_are_not_negative,
  add constraint trip_cells_counts_are_not_negative check (least(trips, requested, started, completed, canceled, conflicts, fare_count,
    distance_count, duration_count, voided, voids_waiting) >= 0) not valid;

-- What boards that are computed from trips find voids by; of none yet.
create index trips_voided_at_idx on trips (voided_at) where voided_at is not null;
