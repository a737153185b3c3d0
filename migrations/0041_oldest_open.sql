-- Trips under way by when they were requested: which of them has waited for the longest is the first of the index, however many there are.

drop index trips_open_idx;
create index trips_open_idx on trips (status, requested_at) where status in ('requested', 'in_progress');
