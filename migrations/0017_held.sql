-- How many messages are held in quarantine is kept, since every program asks for it every second.

alter table log_head
  add column held bigint not null default 0,
  add constraint log_head_held_is_not_negative check (held >= 0);
comment on column log_head.held is 'Messages that are held in quarantine now: rows of it whose status is held. Kept by the database, whoever writes them.';

-- Who writes to the quarantine has locked the head before.
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
create trigger quarantine_counts_set_aside after insert on quarantine
  referencing new table as after_change for each statement execute function keep_held();
create trigger quarantine_counts_settled after update on quarantine
  referencing old table as before_change new table as after_change for each statement execute function keep_held();
update log_head set held = (select count(*) from quarantine where status = 'held');
