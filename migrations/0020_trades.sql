-- Trades: one row a trade (write-side snapshot and the table people query) and their KPI cells.

create table trades (
  trade_id text collate "C" not null,
  revision integer not null,
  executed_at timestamptz,
  busted_at timestamptz,
  ticker text collate "C",
  side text collate "C",
  venue text collate "C",
  executed_price_micros bigint,
  corrected_price_micros bigint,
  executed_volume bigint,
  corrected_volume bigint,
  bust_reason text collate "C",
  status text collate "C" not null,
  price_micros bigint,
  volume bigint,
  last_occurred_at timestamptz not null,
  last_event_id text collate "C" not null,
  positions bigint[] not null,
  event_hashes bigint[] not null,
  constraint trades_pkey primary key (trade_id),
  constraint trades_status_is_known check (status in ('executed', 'busted', 'waiting')),
  constraint trades_revision_counts_events check (revision = cardinality(positions) and revision = cardinality(event_hashes))
);
create index trades_executed_at_idx on trades (executed_at) where executed_at is not null;
create index trades_busted_at_idx on trades (busted_at) where busted_at is not null;
comment on table trades is 'One row a trade: the fold of its events in order of (time, event id). Prices in micros of the currency.';
comment on column trades.trade_id is 'The trade, as its producer names it.';
comment on column trades.revision is 'How many events of it are in the log.';
comment on column trades.executed_at is 'Time of the execution; null where none was told.';
comment on column trades.busted_at is 'Time at which the trade was taken back; null where it was not.';
comment on column trades.ticker is 'What was traded.';
comment on column trades.side is 'buy or sell; null where nobody said.';
comment on column trades.venue is 'Where it was traded.';
comment on column trades.executed_price_micros is 'Price that the execution named, micros of the currency.';
comment on column trades.corrected_price_micros is 'Price of the latest correction, micros; it waits for the execution.';
comment on column trades.executed_volume is 'Volume that the execution named.';
comment on column trades.corrected_volume is 'Volume of the latest correction; it waits for the execution.';
comment on column trades.bust_reason is 'Why it was taken back.';
comment on column trades.status is 'busted if it was taken back, whatever else there is; else executed if there is an execution, else waiting.';
comment on column trades.price_micros is 'The price that counts, micros: of an executed trade its latest correction, else its execution''s; null where there is none.';
comment on column trades.volume is 'The volume that counts: of an executed trade its latest correction, else its execution''s; null where there is none.';
comment on column trades.last_occurred_at is 'Time of its newest event in order of (time, event id).';
comment on column trades.last_event_id is 'Id of that event.';
comment on column trades.positions is 'Positions of this trade''s events in the log, in order of arrival.';
comment on column trades.event_hashes is 'A hash of 53 bits of each event id, beside positions: recognises duplicates without reading the log.';

create table trade_cells (
  grain text collate "C" not null,
  bucket timestamptz not null,
  dimension text collate "C" not null,
  key text collate "C" not null,
  trades bigint not null default 0,
  volume numeric(38, 0) not null default 0,
  notional_micros numeric(38, 0) not null default 0,
  price_sum_micros numeric(38, 0) not null default 0,
  price_min_micros bigint,
  price_max_micros bigint,
  busted bigint not null default 0,
  last_position bigint not null,
  first_position bigint,
  constraint trade_cells_pkey primary key (grain, dimension, bucket, key),
  constraint trade_cells_grain_is_known check (grain in ('1m', '5m', '1h', '1d', 'all')),
  constraint trade_cells_counts_are_not_negative check (least(trades, volume, busted) >= 0)
) with (fillfactor = 70);
comment on table trade_cells is 'KPI cells: (grain, bucket, dimension, key) and what the trades in it add up to. Buckets are in event time; the bucket of grain all is the epoch; dimension none has the key all.';
comment on column trade_cells.grain is 'Width of the bucket: 1m, 5m, 1h, 1d (a business day) and all (of time). A query has to name one, or it counts trades several times.';
comment on column trade_cells.bucket is 'When the bucket begins, in event time; of grain all the epoch.';
comment on column trade_cells.dimension is 'What the keys are of: none, status, ticker, side, venue. A query has to name one, or it counts trades several times.';
comment on column trade_cells.key is 'The key in the dimension; unknown: nobody named one.';
comment on column trade_cells.trades is 'Executed trades, by the time of the execution.';
comment on column trade_cells.volume is 'Their volume.';
comment on column trade_cells.notional_micros is 'Price times volume, micros of the currency; over volume: the volume-weighted price.';
comment on column trade_cells.price_sum_micros is 'Sum of prices, micros; over trades: the average price.';
comment on column trade_cells.price_min_micros is 'Least price, micros; null where there is none.';
comment on column trade_cells.price_max_micros is 'Greatest price, micros; null where there is none.';
comment on column trade_cells.busted is 'Trades taken back, by the time of that: they count in nothing else.';
comment on column trade_cells.last_position is 'Position of the event that changed the cell last.';
comment on column trade_cells.first_position is 'A position of the batch that filled the cell first: from then on it could be seen.';
