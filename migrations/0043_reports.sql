-- Reports: pictures and tables of boards that are sent to a server at set times, each with what became of it.

create table report_deliveries (
  report text collate "C" not null,
  due_at timestamptz not null,
  content_type text collate "C",
  file_name text collate "C",
  body bytea,
  made_at timestamptz not null default clock_timestamp(),
  attempts integer not null default 0,
  next_try_at timestamptz not null default now(),
  claimed_by uuid,
  claimed_until timestamptz not null default '-infinity',
  settled_at timestamptz,
  outcome text collate "C",
  trouble text,
  constraint report_deliveries_pkey primary key (report, due_at),
  constraint report_deliveries_outcome_is_known check (outcome in ('begun', 'delivered', 'replaced', 'given up')),
  constraint report_deliveries_settled_has_an_outcome check ((settled_at is null) = (outcome is null)),
  constraint report_deliveries_waiting_has_a_body check (settled_at is not null or (content_type is not null and file_name is not null and body is not null)),
  constraint report_deliveries_settled_has_no_body check (settled_at is null or body is null)
);
comment on table report_deliveries is 'Reports of boards that came due, and whether they were delivered; of one report one waits at most.';
comment on column report_deliveries.report is 'The name of the report, as the file of TACHO_REPORTS has it.';
comment on column report_deliveries.due_at is 'When it was due: by this and the name receivers know it, after the id of the log.';
comment on column report_deliveries.content_type is 'What the body is; null: there never was one.';
comment on column report_deliveries.file_name is 'What the body is called as a file.';
comment on column report_deliveries.body is 'What is sent, the same each time; null once it is settled.';
comment on column report_deliveries.made_at is 'When it was made: its figures are those of then.';
comment on column report_deliveries.attempts is 'How often it was tried.';
comment on column report_deliveries.next_try_at is 'It is not tried before.';
comment on column report_deliveries.claimed_by is 'The program that tries it.';
comment on column report_deliveries.claimed_until is 'Until when no other program does.';
comment on column report_deliveries.settled_at is 'When nothing more was to be done for it; null: it waits.';
comment on column report_deliveries.outcome is 'begun: it was due before the report was first seen, and is not sent. delivered: the receiver has it. replaced: a later one came due first. given up: the receiver did not take it for three days.';
comment on column report_deliveries.trouble is 'Why the last try failed.';
create index report_deliveries_told on report_deliveries (report, due_at) where settled_at is null or outcome = 'given up';

select program_may('report_deliveries', 'select, insert, update, delete');
