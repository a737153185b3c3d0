-- Alerts: the rules, how each stands, its changes of state, and who was told of them.

create table alert_rules (
  name text collate "C" not null,
  definition jsonb not null,
  origin text collate "C" not null,
  version bigint not null,
  silence_until timestamptz,
  changed_by text not null,
  changed_at timestamptz not null default now(),
  constraint alert_rules_pkey primary key (name),
  constraint alert_rules_origin_is_known check (origin in ('file', 'page')),
  constraint alert_rules_are_short check (pg_column_size(definition) < 65536 and length(changed_by) between 1 and 100)
);
comment on table alert_rules is 'The rules of alerts: what every program that serves this log looks at.';
comment on column alert_rules.name is 'By what the rule is known.';
comment on column alert_rules.definition is 'The rule as it was written, see docs/alerts.md.';
comment on column alert_rules.origin is 'file: of TACHO_ALERTS, written anew at each start of a program that has one. page: made on the page or by the API.';
comment on column alert_rules.version is 'Differs for another definition: what is known of the one before counts no more.';
comment on column alert_rules.silence_until is 'Windows that end by then fire in silence; whatever the definition says beside it.';
comment on column alert_rules.changed_by is 'Who changed it last, as they said; of a file: TACHO_ALERTS.';
comment on column alert_rules.changed_at is 'When that was.';

create table alert_states (
  rule text collate "C" not null,
  version bigint not null,
  revision bigint not null,
  phase text collate "C" not null,
  since timestamptz,
  told boolean not null,
  looked_through timestamptz not null,
  anchor_phase text collate "C" not null,
  anchor_since timestamptz,
  anchor_told boolean not null,
  anchor timestamptz not null,
  figure double precision,
  then_figure double precision,
  constraint alert_states_pkey primary key (rule),
  constraint alert_states_phase_is_known check (phase in ('ok', 'pending', 'firing', 'silenced', 'resolved')),
  constraint alert_states_anchor_phase_is_known check (anchor_phase in ('ok', 'pending', 'firing', 'silenced', 'resolved'))
);
comment on table alert_states is 'How the rules of alerts stand; one of several programs writes each step, by compare-and-set of revision.';
comment on column alert_states.rule is 'The name of the rule.';
comment on column alert_states.version is 'That of the rule that was looked at.';
comment on column alert_states.revision is 'Steps that were written.';
comment on column alert_states.phase is 'ok, pending, firing, silenced or resolved.';
comment on column alert_states.since is 'When the first of the windows begins that were beyond the threshold without a break; null: the last was not.';
comment on column alert_states.told is 'Whether it was told to fire, and not yet to be over.';
comment on column alert_states.looked_through is 'The end of the last window that was looked at.';
comment on column alert_states.anchor_phase is 'The phase after the last window that is closed.';
comment on column alert_states.anchor_since is 'As since, after that window.';
comment on column alert_states.anchor_told is 'As told, after that window.';
comment on column alert_states.anchor is 'The end of that window: later ones are looked at again for late events.';
comment on column alert_states.figure is 'The figure of the last window; null: not known.';
comment on column alert_states.then_figure is 'And of a week before, where the rule holds it against that.';

create table alert_changes (
  change_id bigint generated always as identity,
  rule text collate "C" not null,
  definition jsonb not null,
  from_phase text collate "C" not null,
  to_phase text collate "C" not null,
  why text collate "C" not null,
  since timestamptz,
  window_from timestamptz,
  window_to timestamptz,
  figure double precision,
  then_figure double precision,
  change double precision,
  changed_at timestamptz not null default clock_timestamp(),
  constraint alert_changes_pkey primary key (change_id),
  constraint alert_changes_why_is_known check (why in ('window', 'corrected', 'changed', 'removed'))
);
comment on table alert_changes is 'Changes of state of rules of alerts.';
comment on column alert_changes.change_id is 'By what receivers know it, after the id of the log; of one rule in the order in which they were.';
comment on column alert_changes.rule is 'The name of the rule.';
comment on column alert_changes.definition is 'The rule as it was then.';
comment on column alert_changes.from_phase is 'How it stood before.';
comment on column alert_changes.to_phase is 'And after.';
comment on column alert_changes.why is 'window: by the next window. corrected: by late events in earlier ones. changed, removed: the rule is another one, or gone.';
comment on column alert_changes.since is 'Since when windows were beyond the threshold.';
comment on column alert_changes.window_from is 'Where the window that it came with begins, event time.';
comment on column alert_changes.window_to is 'Where it ends.';
comment on column alert_changes.figure is 'The figure of that window; null: not known.';
comment on column alert_changes.then_figure is 'And of a week before, where the rule holds it against that.';
comment on column alert_changes.change is 'How far it rose or fell since, in percent or points; null: the rule is against a constant, or it is not known.';
comment on column alert_changes.changed_at is 'When it was noticed.';
create index alert_changes_of_rules on alert_changes (rule, change_id);

create table alert_deliveries (
  receiver text collate "C" not null,
  change_id bigint not null,
  rule text collate "C" not null,
  attempts integer not null default 0,
  next_try_at timestamptz not null default now(),
  claimed_by uuid,
  claimed_until timestamptz not null default '-infinity',
  settled_at timestamptz,
  outcome text collate "C",
  trouble text,
  constraint alert_deliveries_pkey primary key (receiver, change_id),
  constraint alert_deliveries_are_of_changes foreign key (change_id) references alert_changes on delete cascade,
  constraint alert_deliveries_outcome_is_known check (outcome in ('delivered', 'given up')),
  constraint alert_deliveries_settled_has_an_outcome check ((settled_at is null) = (outcome is null))
);
comment on table alert_deliveries is 'Which receiver is to be told of which change of alerts, and was.';
comment on column alert_deliveries.receiver is 'The name of the receiver, as the file of TACHO_ALERTS has it.';
comment on column alert_deliveries.change_id is 'The change.';
comment on column alert_deliveries.rule is 'The rule that it is of: of one rule a receiver is told in order.';
comment on column alert_deliveries.attempts is 'How often it was tried.';
comment on column alert_deliveries.next_try_at is 'It is not tried before.';
comment on column alert_deliveries.claimed_by is 'The program that tries it.';
comment on column alert_deliveries.claimed_until is 'Until when no other program does.';
comment on column alert_deliveries.settled_at is 'When it was delivered, or given up; null: it waits.';
comment on column alert_deliveries.outcome is 'delivered: the receiver has it. given up: it did not take it for three days.';
comment on column alert_deliveries.trouble is 'Why the last try failed.';
create index alert_deliveries_waiting on alert_deliveries (receiver, rule, change_id) where settled_at is null;

select program_may('alert_rules', 'select, insert, update, delete');
select program_may('alert_states', 'select, insert, update, delete');
select program_may('alert_changes', 'select, insert, delete');
select program_may('alert_deliveries', 'select, insert, update, delete');
