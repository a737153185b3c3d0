-- What boards that are computed from trips find them by: each time that dates a fact has an index of its own.

-- In place of summaries of blocks (migration 8): their cost is guessed by how the rows lie along a column's values, which a column that no
-- producer fills does not say, so that one null column had all trips read, whatever the range; and where trips are changed after their
-- first event, new rows fill the room of old ones, and blocks hold any times. An index of a column that is never filled is empty.
create index trips_requested_at_idx on trips (requested_at) where requested_at is not null;
create index trips_started_at_idx on trips (started_at) where started_at is not null;
create index trips_canceled_at_idx on trips (canceled_at) where canceled_at is not null;
drop index trips_dated_idx;
