-- What is known of the partitions that messages come from, and what makes a posted message in quarantine the same message.

alter table source_cursors add column gap jsonb;
comment on column source_cursors.gap is 'A gap that was noticed at this cursor and not accepted yet: its kind, the offsets it is of, and noticed_at. What is gone may not show any more after a restart; nothing is read across until it is accepted.';

alter table source_cursors add column watermark timestamptz;
comment on column source_cursors.watermark is 'The newest event time that was admitted from the partition; null: of none since this column is there.';

-- Kafka gives a message that is read again its coordinates; what is posted again comes at new ones.
alter table quarantine add column posted boolean not null default false;
comment on column quarantine.posted is 'Whether its content makes it the message that it is: one that is posted again (same topic, key, headers and value) counts as another attempt of this row.';
create unique index quarantine_posted_are_unique on quarantine (topic, message_hash) where posted;
drop trigger quarantine_keeps_messages on quarantine;
create trigger quarantine_keeps_messages before update of quarantine_id, topic, partition, message_offset, message_key, headers,
    message_value, message_timestamp, quarantined_at, posted on quarantine
  for each statement execute function refuse_change('a message in quarantine is settled, not changed');
