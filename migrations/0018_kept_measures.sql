-- Cells of drivers and passengers keep what is asked of them: what was completed. Cells that are there already forget the rest, piece by piece
-- when all migrations are applied.

alter table trip_cells
  alter column trips drop not null,
  alter column requested drop not null,
  alter column started drop not null,
  alter column canceled drop not null,
  alter column conflicts drop not null,
  alter column tip_sum_micros drop not null,
  alter column voided drop not null,
  alter column voids_waiting drop not null;
comment on table trip_cells is 'KPI cells: (grain, bucket, dimension, key) and what the trips in it add up to. Buckets are in event time; the bucket of grain all is the epoch; dimension none has the key all. Dimensions driver and passenger have grain all alone, and of the measures those of completions but tips: completed, fares, distances and durations; the others are null in them, ask trip_facts. Sums are numeric since ten trips at the legal limit of 1e12 overflow a bigint of micros.';
comment on column trip_cells.last_position is 'Position of the event that changed the cell last; 0 where that is not known: in cells of drivers and passengers from before they kept fewer measures.';
