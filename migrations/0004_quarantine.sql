-- What makes a message in quarantine the same message, and the batches that settle what is held there.

-- SHA-256 of a message's key, headers and value; a null part counts as 32 zero bytes. Immutable: a database's encoding never changes.
create function message_hash(key bytea, headers jsonb, value bytea) returns bytea language sql immutable as $$
  select sha256(sha256(convert_to(headers::text, 'UTF8'))
    || coalesce(sha256(key), decode(repeat('00', 32), 'hex')) || coalesce(sha256(value), decode(repeat('00', 32), 'hex')))
$$;

-- Coordinates alone do not name a message: in a topic that was made anew, or in another cluster, another one has them.
alter table quarantine
  add column message_hash bytea not null generated always as (message_hash(message_key, headers, message_value)) stored;
alter table quarantine drop constraint quarantine_coordinates_are_unique;
alter table quarantine
  add constraint quarantine_messages_are_unique unique (topic, partition, message_offset, message_hash);
comment on column quarantine.headers is 'Name to value in base64. In names a NUL is written \0 and a backslash \\: jsonb holds no NUL.';

-- Settled messages stay; what is held is counted every second.
create index quarantine_held_idx on quarantine (quarantine_id) where status = 'held';

alter table batches drop constraint batches_kind_is_known;
alter table batches
  add constraint batches_kind_is_known check (kind in ('append', 'gap_accepted', 'retried', 'discarded'));
comment on column batches.kind is 'append: messages read from a source. retried: messages that were held in quarantine, read before. gap_accepted, discarded: an operator''s decision, in note.';
comment on column log_head.quarantined is 'Messages read that were set aside and not settled since by a retry: messages_read = position + duplicates + quarantined.';
