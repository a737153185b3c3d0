-- What readers of the board keep for all: views of it, and notes at moments of event time.

create table saved_views (
  name text collate "C" not null,
  query text not null,
  saved_by text not null,
  saved_at timestamptz not null default now(),
  constraint saved_views_pkey primary key (name),
  constraint saved_views_are_short check (length(name) between 1 and 80 and length(query) <= 4000 and length(saved_by) between 1 and 100)
);
comment on table saved_views is 'Views of the board that readers saved for all.';
comment on column saved_views.name is 'By what the view is known.';
comment on column saved_views.query is 'What the address of the board has behind its question mark.';
comment on column saved_views.saved_by is 'Who saved it last, as they said.';
comment on column saved_views.saved_at is 'When that was.';

create table saved_notes (
  note_id bigint generated always as identity,
  noted_at timestamptz not null,
  note text not null,
  saved_by text not null,
  saved_at timestamptz not null default now(),
  constraint saved_notes_pkey primary key (note_id),
  constraint saved_notes_are_short check (length(note) between 1 and 120 and length(saved_by) between 1 and 100)
);
comment on table saved_notes is 'Notes at moments, which every board of this log shows in its charts.';
comment on column saved_notes.note_id is 'By what the note is known.';
comment on column saved_notes.noted_at is 'The moment that it is about, event time.';
comment on column saved_notes.note is 'What it says.';
comment on column saved_notes.saved_by is 'Who wrote it, as they said.';
comment on column saved_notes.saved_at is 'When that was.';
create index saved_notes_by_time on saved_notes (noted_at);

select program_may('saved_views', 'select, insert, update, delete');
select program_may('saved_notes', 'select, insert, delete');
