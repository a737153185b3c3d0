-- What tells a correction of a figure: watermarks that can be set back on record, and since when a cell has anything.

alter table batches drop constraint batches_kind_is_known;
alter table batches
  add constraint batches_kind_is_known check (kind in ('append', 'gap_accepted', 'retried', 'discarded', 'watermark_set_back'));
comment on column batches.kind is 'append: messages read from a source. retried: messages that were held in quarantine, read before. gap_accepted, discarded, watermark_set_back: an operator''s decision, in note.';
comment on column batches.watermark is 'Greatest event time admitted up to and with this batch; null in batches recorded before this column. From the batch that a later watermark_set_back names (note.since_batch) up to it, what stands here is not believed.';
comment on column log_head.watermark is 'Greatest event time admitted so far, of the events that are believed: tacho watermark sets it back. A window is closed once it is 5 minutes past its end.';
-- Few rows: whoever believes a watermark asks for them.
create index batches_watermark_set_back_idx on batches (batch) where kind = 'watermark_set_back';

alter table trip_cells add column first_position bigint;
comment on column trip_cells.first_position is 'A position of the batch that filled the cell first: from then on it could be seen. Null in cells from before this column.';
