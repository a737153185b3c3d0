-- How far event time had come with each batch: tells a late correction of a figure from a change while its window was open.

alter table batches add column watermark timestamptz;
comment on column batches.watermark is 'Greatest event time admitted up to and with this batch; null in batches recorded before this column. Not part of the hash chain: it follows from the events.';

-- Finds the batch of a position: a batch that admits nothing ends where the one before it ends.
create index batches_last_position_idx on batches (last_position, batch);
