-- Read models beside the live one: made from the log while that goes on, compared, then switched in.

create table read_models (
  name text collate "C" not null,
  state text not null default 'catching_up',
  position bigint not null default 0,
  fault text,
  begun_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  constraint read_models_pkey primary key (name),
  constraint read_models_name_is_plain check (name ~ '^[a-z][a-z0-9]{0,15}$'),
  constraint read_models_state_is_known check (state in ('catching_up', 'paused', 'replaced')),
  constraint read_models_position_is_not_negative check (position >= 0),
  constraint read_models_say_why_they_are_paused check ((state = 'paused') = (fault is not null))
);
comment on table read_models is 'Read models beside the live one: their tables are named as the live ones with _ and this name after it.';
comment on column read_models.name is 'Its name: v2 of trip_cells_v2.';
comment on column read_models.state is 'catching_up: it is made from the log; paused: it could not go on, see fault; replaced: it was live until another one was switched in.';
comment on column read_models.position is 'The position of the log that it has come to.';
comment on column read_models.fault is 'Why it is paused.';
comment on column read_models.begun_at is 'When it was begun.';
comment on column read_models.changed_at is 'When it went on last.';

alter table log_head add column read_model integer not null default 0;
comment on column log_head.read_model is 'How often another read model was switched in: figures from before and after such a switch are not mixed.';
