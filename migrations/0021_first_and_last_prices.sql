-- The first and the last price of each cell, by time and id of the execution. Trades that are there already are folded anew for that id, and cells
-- filled in, piece by piece when all migrations are applied.

alter table trades add column executed_event_id text collate "C";
comment on column trades.executed_event_id is 'Id of the event that told the execution; null where none was told. It dates the trade among those of the same time.';

alter table trade_cells
  add column price_first_micros bigint,
  add column price_first_micros_by text collate "C",
  add column price_last_micros bigint,
  add column price_last_micros_by text collate "C",
  add constraint trade_cells_firsts_and_lasts_are_dated check (
    (price_first_micros is null) = (price_first_micros_by is null) and (price_last_micros is null) = (price_last_micros_by is null));
comment on column trade_cells.price_first_micros is 'Price of the earliest execution by (time, event id), micros; null where there is none. Of several of one time and id the least.';
comment on column trade_cells.price_first_micros_by is 'Time and event id of that execution, as text that sorts by them: cells are merged by it.';
comment on column trade_cells.price_last_micros is 'Price of the latest execution by (time, event id), micros; null where there is none. Of several of one time and id the greatest.';
comment on column trade_cells.price_last_micros_by is 'Time and event id of that execution, as text that sorts by them: cells are merged by it.';
