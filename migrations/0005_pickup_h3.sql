-- H3 cells of pickups: their resolution, fixed with time zone and currency, and the cell of each trip.

-- A database that was begun before this has trips that no cell counts; it stays without.
alter table log_head
  add column h3_resolution smallint,
  add constraint log_head_h3_resolution_is_legal check (h3_resolution between 0 and 15);
comment on column log_head.h3_resolution is 'Resolution of trips.pickup_h3: set at the first start with time_zone, fixed from then on. Null: pickups are not indexed.';

alter table trips add column pickup_h3 text collate "C";
comment on column trips.pickup_h3 is 'H3 cell of pickup_lat and pickup_lon at log_head.h3_resolution; null while either is unknown.';
