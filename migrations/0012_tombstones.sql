-- Messages without a value, by which compacted topics say that a key is gone, are counted as what they are.

alter table batches add column tombstones bigint not null default 0;
alter table batches drop constraint batches_account_for_all_read;
alter table batches
  add constraint batches_account_for_all_read check (messages_read = admitted + duplicates + quarantined + tombstones);
comment on column batches.tombstones is 'Messages without a value. Part of the hash chain where there are any.';

alter table log_head add column tombstones bigint not null default 0;
comment on column log_head.quarantined is 'Messages read that were set aside and not settled since by a retry: messages_read = position + duplicates + quarantined + tombstones.';

-- Those that were set aside before are settled by a retry.
alter table quarantine drop constraint quarantine_status_is_known;
alter table quarantine
  add constraint quarantine_status_is_known check (status in ('held', 'admitted', 'duplicate', 'tombstone', 'discarded'));
