create table parcels (
  parcel_id text collate "C" not null,
  revision integer not null,
  accepted_at timestamptz,
  delivered_at timestamptz,
  lost_at timestamptz,
  carrier text collate "C",
  depot text collate "C",
  sender text collate "C",
  receiver text collate "C",
  service text collate "C",
  grams bigint,
  postage_micros bigint,
  state text collate "C" not null,
  last_occurred_at timestamptz not null,
  last_event_id text collate "C" not null,
  positions bigint[] not null,
  event_hashes bigint[] not null,
  constraint parcels_pkey primary key (parcel_id)
);

create table parcel_cells (
  grain text collate "C" not null,
  bucket timestamptz not null,
  dimension text collate "C" not null,
  key text collate "C" not null,
  parcels bigint not null default 0,
  delivered bigint not null default 0,
  lost bigint not null default 0,
  grams numeric(38, 0) not null default 0,
  postage_micros numeric(38, 0) not null default 0,
  last_position bigint not null,
  first_position bigint,
  constraint parcel_cells_pkey primary key (grain, dimension, bucket, key)
);
