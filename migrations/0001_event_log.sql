-- The event log: one ordered, append-only sequence of trip events, and the bookkeeping of how each batch got in.

create table log_head (
  singleton boolean not null default true,
  log_id uuid not null default gen_random_uuid(),
  position bigint not null default 0,
  batch bigint not null default 0,
  link bytea not null default decode(repeat('00', 32), 'hex'),
  recorded_at timestamptz,
  watermark timestamptz,
  messages_read bigint not null default 0,
  duplicates bigint not null default 0,
  quarantined bigint not null default 0,
  late bigint not null default 0,
  time_zone text,
  currency text,
  constraint log_head_pkey primary key (singleton),
  constraint log_head_is_one_row check (singleton),
  constraint log_head_link_is_sha256 check (octet_length(link) = 32)
);
comment on table log_head is 'One row. Its lock orders all appenders; its position is the last one given out. Appenders update it first.';
comment on column log_head.watermark is 'Greatest event time admitted so far; what arrives with an earlier minute counts as late.';
comment on column log_head.time_zone is 'Business time zone of the day cells, and the currency of all sums: set at the first start, fixed from then on.';
insert into log_head default values;

create table events (
  position bigint not null,
  stream_id text collate "C" not null,
  revision integer not null,
  event_id text collate "C" not null,
  type text collate "C" not null,
  schema_version smallint not null,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  data jsonb not null,
  metadata jsonb not null,
  constraint events_pkey primary key (position),
  constraint events_position_is_positive check (position > 0),
  constraint events_revision_is_positive check (revision > 0)
) partition by range (position);
comment on table events is 'The event log. Positions are gapless and in commit order. No other index: append cost must not grow with the log.';

create table batches (
  batch bigint not null,
  kind text not null default 'append',
  first_position bigint not null,
  last_position bigint not null,
  messages_read bigint not null,
  admitted bigint not null,
  duplicates bigint not null,
  quarantined bigint not null,
  late bigint not null,
  cursors jsonb not null,
  note jsonb,
  recorded_at timestamptz not null,
  content_hash bytea not null,
  link bytea not null,
  constraint batches_pkey primary key (batch),
  constraint batches_kind_is_known check (kind in ('append', 'gap_accepted')),
  constraint batches_account_for_all_read check (messages_read = admitted + duplicates + quarantined),
  constraint batches_positions_match_admitted check (last_position - first_position + 1 = admitted)
);
comment on table batches is 'One row a transaction. link = SHA-256(previous link, header of this row, content_hash); content_hash = SHA-256 of its events in the text form of COPY.';

create table source_cursors (
  topic text collate "C" not null,
  partition integer not null,
  next_offset bigint not null,
  cluster_id text collate "C" not null,
  updated_at timestamptz not null default now(),
  constraint source_cursors_pkey primary key (topic, partition),
  constraint source_cursors_offset_is_not_negative check (next_offset >= 0)
);
comment on table source_cursors is 'Where each source partition goes on. Advanced by compare-and-set in the transaction that appends; this, not Kafka''s committed offset, decides.';

create table quarantine (
  quarantine_id bigint generated always as identity,
  topic text collate "C" not null,
  partition integer not null,
  message_offset bigint not null,
  message_key bytea,
  headers jsonb not null,
  message_value bytea,
  message_timestamp timestamptz,
  stage text not null,
  reason text not null,
  path text,
  detail text not null,
  code_version text not null,
  attempts integer not null default 1,
  status text not null default 'held',
  quarantined_at timestamptz not null,
  settled_at timestamptz,
  constraint quarantine_pkey primary key (quarantine_id),
  constraint quarantine_coordinates_are_unique unique (topic, partition, message_offset),
  constraint quarantine_status_is_known check (status in ('held', 'admitted', 'duplicate', 'discarded')),
  constraint quarantine_stage_is_known check (stage in ('decode', 'plan', 'append'))
);
comment on table quarantine is 'Messages set aside with their raw bytes and the reason. Nothing here is lost: a held message can be retried with its original coordinates.';

create function refuse_change_of_the_log() returns trigger language plpgsql as $$
begin
  raise exception '% on % refused: the event log is append-only', tg_op, tg_table_name using errcode = 'TA001';
end $$;

create trigger events_are_append_only before update or delete on events
  for each row execute function refuse_change_of_the_log();
create trigger events_refuse_truncate before truncate on events
  for each statement execute function refuse_change_of_the_log();
create trigger batches_are_append_only before update or delete or truncate on batches
  for each statement execute function refuse_change_of_the_log();
create trigger log_head_stays before delete or truncate on log_head
  for each statement execute function refuse_change_of_the_log();

-- Makes the partition that holds positions [ordinal * 10 million, (ordinal + 1) * 10 million) when it is absent.
create function ensure_events_partition(ordinal bigint) returns boolean language plpgsql as $$
declare
  size constant bigint := 10000000;
  name text := format('events_p%s', lpad(ordinal::text, 6, '0'));
begin
  if to_regclass(name) is not null then return false; end if;
  execute format('create table if not exists %I partition of events for values from (%s) to (%s)', name, ordinal * size, (ordinal + 1) * size);
  -- Row triggers are inherited by partitions; statement triggers are not.
  execute format('create trigger events_refuse_truncate before truncate on %I for each statement execute function refuse_change_of_the_log()', name);
  return true;
end $$;
select ensure_events_partition(0), ensure_events_partition(1);
