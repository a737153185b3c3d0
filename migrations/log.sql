-- The log of a domain that has a schema of its own, as migrations 1 to 18 leave that of trips: a test compares them. It stands for them there; later
-- migrations follow it in every schema. What the domain itself keeps (its state table and cells) comes with a migration of its own.

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% on % refused: %', tg_op, tg_table_name, tg_argv[0] using errcode = 'TA001';
end $$;
comment on function refuse_change() is 'Trigger: refuses a change of what is kept, with the reason that it is given.';

create function refuse_change_of_the_log() returns trigger language plpgsql as $$
begin
  raise exception '% on % refused: the event log is append-only', tg_op, tg_table_name using errcode = 'TA001';
end $$;
comment on function refuse_change_of_the_log() is 'Trigger: refuses to change or remove what is in the log.';

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
  h3_resolution smallint,
  schema_number integer not null default 9,
  written_for integer,
  tombstones bigint not null default 0,
  skipped bigint not null default 0,
  held bigint not null default 0,
  constraint log_head_pkey primary key (singleton),
  constraint log_head_is_one_row check (singleton),
  constraint log_head_link_is_sha256 check (octet_length(link) = 32),
  constraint log_head_h3_resolution_is_legal check (h3_resolution between 0 and 15),
  constraint log_head_written_for_is_said_anew check (written_for is null),
  constraint log_head_held_is_not_negative check (held >= 0)
);
comment on table log_head is 'One row. Its lock orders all appenders; its position is the last one given out. Appenders update it first.';
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
  watermark timestamptz,
  tombstones bigint not null default 0,
  skipped bigint not null default 0,
  constraint batches_pkey primary key (batch),
  constraint batches_kind_is_known check (kind in ('append', 'gap_accepted', 'retried', 'discarded', 'watermark_set_back')),
  constraint batches_account_for_all_read
    check (messages_read = admitted + duplicates + quarantined + tombstones + skipped),
  constraint batches_positions_match_admitted check (last_position - first_position + 1 = admitted)
);
comment on table batches is 'One row a transaction. link = SHA-256(previous link, header of this row, content_hash); content_hash = SHA-256 of its events in the text form of COPY.';
create index batches_last_position_idx on batches (last_position, batch);
create index batches_recorded_at_idx on batches (recorded_at);
create index batches_watermark_set_back_idx on batches (batch) where kind = 'watermark_set_back';

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

create function message_hash(key bytea, headers jsonb, value bytea) returns bytea language sql immutable as $$
  select sha256(sha256(convert_to(headers::text, 'UTF8'))
    || coalesce(sha256(key), decode(repeat('00', 32), 'hex')) || coalesce(sha256(value), decode(repeat('00', 32), 'hex')))
$$;
comment on function message_hash(bytea, jsonb, bytea) is 'What makes a message in quarantine the same message: SHA-256 of key, headers and value.';

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
  message_hash bytea not null generated always as (message_hash(message_key, headers, message_value)) stored,
  constraint quarantine_pkey primary key (quarantine_id),
  constraint quarantine_messages_are_unique unique (topic, partition, message_offset, message_hash),
  constraint quarantine_status_is_known check (status in ('held', 'admitted', 'duplicate', 'tombstone', 'skipped', 'discarded')),
  constraint quarantine_stage_is_known check (stage in ('decode', 'plan', 'append'))
);
comment on table quarantine is 'Messages set aside with their raw bytes and the reason. Nothing here is lost: a held message can be retried with its original coordinates.';
create index quarantine_held_idx on quarantine (quarantine_id) where status = 'held';

create function keep_held() returns trigger language plpgsql as $$
declare
  change bigint;
begin
  if tg_op = 'INSERT' then
    select count(*) into change from after_change where status = 'held';
  else
    select (select count(*) from after_change where status = 'held') - (select count(*) from before_change where status = 'held') into change;
  end if;
  if change <> 0 then
    execute format('update %I.log_head set held = held + $1', tg_table_schema) using change;
  end if;
  return null;
end $$;
comment on function keep_held() is 'Trigger: keeps log_head.held.';

create function refuse_other_writers() returns trigger language plpgsql as $$
begin
  if new.written_for is distinct from old.schema_number then
    -- TA002 blames no data: programs from before it take it for an outage, wait, and set nothing aside.
    raise exception 'this program writes for schema %, the database is at %: %', coalesce(new.written_for::text, '8 or less'),
      old.schema_number, case when new.written_for > old.schema_number then 'run `tacho migrate`' else 'start the newer program' end
      using errcode = 'TA002';
  end if;
  new.written_for := null;
  return new;
end $$;
comment on function refuse_other_writers() is 'Trigger: refuses batches of programs that write for another schema.';

create trigger events_are_append_only before update or delete on events
  for each row execute function refuse_change_of_the_log();
create trigger events_refuse_truncate before truncate on events
  for each statement execute function refuse_change_of_the_log();
create trigger batches_are_append_only before update or delete or truncate on batches
  for each statement execute function refuse_change_of_the_log();
create trigger log_head_stays before delete or truncate on log_head
  for each statement execute function refuse_change_of_the_log();
create trigger log_head_refuses_other_writers before update of batch on log_head
  for each row execute function refuse_other_writers();
create trigger log_head_keeps_its_log before update of singleton, log_id on log_head
  for each statement execute function refuse_change('a log stays the log that it is');
create trigger log_head_keeps_its_deployment before update of time_zone, currency, h3_resolution on log_head
  for each row when (old.time_zone is not null or old.currency is not null)
  execute function refuse_change('time zone, currency and H3 resolution are fixed by the first start');
create trigger source_cursors_keep_partitions before update of topic, partition on source_cursors
  for each statement execute function refuse_change('the cursor of a partition stays its');
create trigger source_cursors_stay before delete or truncate on source_cursors
  for each statement execute function refuse_change('a cursor moves and is not removed');
create trigger quarantine_keeps_messages before update of quarantine_id, topic, partition, message_offset, message_key, headers,
    message_value, message_timestamp, quarantined_at on quarantine
  for each statement execute function refuse_change('a message in quarantine is settled, not changed');
create trigger quarantine_stays before delete or truncate on quarantine
  for each statement execute function refuse_change('a message in quarantine is settled, not removed');
create trigger quarantine_counts_set_aside after insert on quarantine
  referencing new table as after_change for each statement execute function keep_held();
create trigger quarantine_counts_settled after update on quarantine
  referencing old table as before_change new table as after_change for each statement execute function keep_held();

create function ensure_events_partition(ordinal bigint) returns boolean language plpgsql security definer as $$
declare
  size constant bigint := 10000000;
  name text := format('events_p%s', lpad(ordinal::text, 6, '0'));
begin
  if to_regclass(format('%I.%I', current_schema(), name)) is not null then return false; end if;
  execute format('create table if not exists %I partition of events for values from (%s) to (%s)', name, ordinal * size, (ordinal + 1) * size);
  execute format('create trigger events_refuse_truncate before truncate on %I for each statement execute function refuse_change_of_the_log()', name);
  return true;
end $$;
do $$ begin
  execute format('alter function ensure_events_partition(bigint) set search_path = %I, pg_temp', current_schema());
end $$;
revoke execute on function ensure_events_partition(bigint) from public;
comment on function ensure_events_partition(bigint) is 'Makes the partition of events that holds positions [ordinal * 10 million, (ordinal + 1) * 10 million) when it is absent.';
select ensure_events_partition(0), ensure_events_partition(1);

-- Bins of sketches, as the program has them.
do $$
declare
  above numeric := 1;
  below numeric := 1;
  least_values text := '1';
begin
  while div(above, below) < 9223372036854775807 loop
    least_values := least_values || ',' || (div(above, below) + 1);
    above := above * 51;
    below := below * 49;
  end loop;
  execute format(
    'create function sketch_bin(value bigint) returns smallint language sql immutable strict parallel safe as '
    || '$body$ select width_bucket(value, %L::bigint[])::smallint $body$', '{' || least_values || '}');
end $$;
create function sketch_value(bin integer) returns numeric language sql immutable strict parallel safe as $$
  select case bin when 0 then 0 else div(980000 * 51::numeric ^ (bin - 1), 49::numeric ^ (bin - 1)) * 0.000001 end
$$;
create function quantile(bins smallint[], counts integer[], q numeric) returns numeric language sql immutable strict parallel safe as $$
  select sketch_value(bin) from (
    select bin, sum(count) over (order by bin) as up_to, sum(count) over () as total from unnest(bins, counts) b (bin, count)
  ) ranked where up_to >= greatest(ceil(q * total), 1) order by bin limit 1
$$;
comment on function sketch_bin(bigint) is 'The bin of a sketch that a value of 0 or more is in.';
comment on function sketch_value(integer) is 'What stands for a bin of a sketch: at most 2 % from every value in it, in the unit of the sketch.';
comment on function quantile(smallint[], integer[], numeric) is 'The quantile q (0 to 1) of a sketch, by nearest rank, at most 2 % off, in the unit of the sketch; null of no values. Bins may come in any order and several times, as array_agg over unnest(bins, counts) of several sketches gives them.';

-- Who writes: appends and reads, changes and removes no event. What is not of the log is the domain's: its read models.
create function grant_to_program(role_name name) returns void language plpgsql as $$
declare
  kept record;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for kept in
    select oid::regclass as name, relname from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
  loop
    execute format('revoke all on %s from %I', kept.name, role_name);
    if kept.relname in ('events', 'batches', 'quarantine') then
      execute format('grant select, insert on %s to %I', kept.name, role_name);
    elsif kept.relname = 'log_head' then
      execute format('grant select, update on %s to %I', kept.name, role_name);
    elsif kept.relname = 'schema_migrations' then
      execute format('grant select on %s to %I', kept.name, role_name);
    else
      execute format('grant select, insert, update on %s to %I', kept.name, role_name);
    end if;
  end loop;
  execute format(
    'grant update (status, settled_at, attempts, stage, reason, path, detail, code_version) on quarantine to %I', role_name);
  execute format('grant execute on function ensure_events_partition(bigint) to %I', role_name);
end $$;
revoke execute on function grant_to_program(name) from public;
comment on function grant_to_program(name) is 'Run by the owner of the tables, once for each role that the program logs in as: select grant_to_program(''tacho_program'').';

-- Who may read: every table and view of this log, those that later versions add, and nothing else.
create function grant_to_reader(role_name name) returns void language plpgsql as $$
declare
  readable record;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for readable in
    select oid::regclass as name from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
      and relowner = (select relowner from pg_class where oid = 'events'::regclass)
  loop
    execute format('grant select on %s to %I', readable.name, role_name);
  end loop;
  execute format('alter default privileges for role %I in schema %I grant select on tables to %I',
    (select pg_get_userbyid(relowner) from pg_class where oid = 'events'::regclass), current_schema(), role_name);
end $$;
revoke execute on function grant_to_reader(name) from public;
comment on function grant_to_reader(name) is 'Run by the owner of the tables, once for each role that reads: select grant_to_reader(''analyst''). Lets it read all tables and views, also those that later versions add, and write nothing.';

comment on table schema_migrations is 'The migrations applied to this log.';
comment on column events.position is 'Place in the log, from 1, without gaps, in order of commit.';
comment on column events.stream_id is 'What the event is about.';
comment on column events.revision is 'Its place among the events of its stream, in order of arrival, from 1.';
comment on column events.event_id is 'Its producer''s id, unique in the stream; of CloudEvents source and id, separated by a space.';
comment on column events.type is 'What happened.';
comment on column events.schema_version is 'Version of the schema that data was validated by.';
comment on column events.occurred_at is 'When it happened, as its producer says.';
comment on column events.recorded_at is 'When it was recorded: the same for all events of a batch.';
comment on column events.data is 'What its producer said, unknown fields included.';
comment on column events.metadata is 'Where it came from: topic, partition and offset, and what else its envelope said.';
comment on column batches.batch is 'Its number, from 1, without gaps.';
comment on column batches.kind is 'append: messages read from a source. retried: messages that were held in quarantine, read before. gap_accepted, discarded, watermark_set_back: an operator''s decision, in note.';
comment on column batches.first_position is 'Position of its first event; where it has none, the one after its last.';
comment on column batches.last_position is 'Position of its last event.';
comment on column batches.messages_read is 'Messages read from sources.';
comment on column batches.admitted is 'Events appended.';
comment on column batches.duplicates is 'Messages whose events were in the log before.';
comment on column batches.quarantined is 'Messages set aside.';
comment on column batches.late is 'Messages whose window was closed before they came.';
comment on column batches.cursors is 'What the cursors did: topic, partition, from and to.';
comment on column batches.note is 'What else there is to say: an operator''s decision, the rows of the quarantine that it wrote.';
comment on column batches.recorded_at is 'When it was recorded.';
comment on column batches.content_hash is 'SHA-256 of its events.';
comment on column batches.link is 'Its link in the hash chain.';
comment on column batches.watermark is 'Greatest event time admitted up to and with this batch. From the batch that a later watermark_set_back names (note.since_batch) up to it, what stands here is not believed.';
comment on column batches.tombstones is 'Messages without a value. Part of the hash chain where there are any.';
comment on column batches.skipped is 'Messages whose mapping skips their records. Part of the hash chain where there are any.';
comment on column log_head.singleton is 'Always true: there is one row.';
comment on column log_head.log_id is 'What tells this log from any other.';
comment on column log_head.position is 'Position of the last event.';
comment on column log_head.batch is 'Number of the last batch.';
comment on column log_head.link is 'Link of the last batch in the hash chain.';
comment on column log_head.recorded_at is 'When the last batch was recorded.';
comment on column log_head.watermark is 'Greatest event time admitted so far, of the events that are believed: tacho watermark sets it back. A window is closed once it is 5 minutes past its end.';
comment on column log_head.messages_read is 'Messages read from sources.';
comment on column log_head.duplicates is 'Messages whose events were in the log before.';
comment on column log_head.quarantined is 'Messages read that were set aside and not settled since by a retry: messages_read = position + duplicates + quarantined + tombstones + skipped.';
comment on column log_head.late is 'Messages whose window was closed before they came.';
comment on column log_head.time_zone is 'Business time zone of the day cells, and the currency of all sums: set at the first start, fixed from then on.';
comment on column log_head.currency is 'The currency of all amounts: set at the first start, fixed from then on.';
comment on column log_head.h3_resolution is 'Resolution of H3 cells, in domains that have them; null: there are none.';
comment on column log_head.schema_number is 'The newest migration applied: the schema that appenders must write for.';
comment on column log_head.written_for is 'Set by every statement that begins a batch, to the schema that it writes for, and gone when it is done: null in every row. A program that does not name one does not know this schema.';
comment on column log_head.tombstones is 'Messages without a value.';
comment on column log_head.skipped is 'Messages whose mapping skips their records.';
comment on column log_head.held is 'Messages that are held in quarantine now: rows of it whose status is held. Kept by the database, whoever writes them.';
comment on column source_cursors.topic is 'Topic of the message.';
comment on column source_cursors.partition is 'Partition of the topic.';
comment on column source_cursors.next_offset is 'Offset of the first message that has not been read.';
comment on column source_cursors.cluster_id is 'Which Kafka cluster the topic is of.';
comment on column source_cursors.updated_at is 'When it moved last.';
comment on column quarantine.quarantine_id is 'Its number.';
comment on column quarantine.topic is 'Topic of the message.';
comment on column quarantine.partition is 'Partition of the topic.';
comment on column quarantine.message_offset is 'Offset of the message in its partition.';
comment on column quarantine.message_key is 'Key of the message, as it came.';
comment on column quarantine.headers is 'Name to value in base64. In names a NUL is written \0 and a backslash \\: jsonb holds no NUL.';
comment on column quarantine.message_value is 'Value of the message, as it came.';
comment on column quarantine.message_timestamp is 'The message''s own time.';
comment on column quarantine.stage is 'Where it was set aside: decode, plan or append.';
comment on column quarantine.reason is 'What is wrong, as a word.';
comment on column quarantine.path is 'The field that is at fault, where there is one.';
comment on column quarantine.detail is 'What is wrong, as a sentence: what was expected, what came.';
comment on column quarantine.code_version is 'Version of the program that set it aside.';
comment on column quarantine.attempts is 'How often it was tried.';
comment on column quarantine.status is 'held, or what became of it: admitted, duplicate, tombstone, skipped, discarded.';
comment on column quarantine.quarantined_at is 'When it was set aside.';
comment on column quarantine.settled_at is 'When it was settled; null while it is held.';
comment on column quarantine.message_hash is 'What makes it the same message when it comes again: SHA-256 of key, headers and value.';
comment on column schema_migrations.version is 'Number of the migration.';
comment on column schema_migrations.name is 'Its name.';
comment on column schema_migrations.checksum is 'SHA-256 of its text.';
comment on column schema_migrations.applied_at is 'When it was applied.';
comment on column schema_migrations.filled is 'Whether the rows that were there before are worked on, too.';
comment on column schema_migrations.checkpoint is 'How far that is.';
