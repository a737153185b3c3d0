-- Records that a mapping skips on purpose are counted as what they are, neither as events nor as faults.

alter table batches add column skipped bigint not null default 0;
alter table batches drop constraint batches_account_for_all_read;
alter table batches
  add constraint batches_account_for_all_read
  check (messages_read = admitted + duplicates + quarantined + tombstones + skipped);
comment on column batches.skipped is 'Messages whose mapping skips their records. Part of the hash chain where there are any.';

alter table log_head add column skipped bigint not null default 0;
comment on column log_head.quarantined is 'Messages read that were set aside and not settled since by a retry: messages_read = position + duplicates + quarantined + tombstones + skipped.';

-- One that was set aside before its mapping skipped it is settled by a retry.
alter table quarantine drop constraint quarantine_status_is_known;
alter table quarantine
  add constraint quarantine_status_is_known
  check (status in ('held', 'admitted', 'duplicate', 'tombstone', 'skipped', 'discarded'));
