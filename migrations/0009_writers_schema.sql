-- Who appends says which schema it writes for; whoever writes for another one is refused before it can do harm.

-- The number is that of the newest migration; applying one raises it. A new database's is raised in the same way.
alter table log_head
  add column schema_number integer not null default 9,
  add column written_for integer,
  add constraint log_head_written_for_is_said_anew check (written_for is null);
comment on column log_head.schema_number is 'The newest migration applied: the schema that appenders must write for.';
comment on column log_head.written_for is 'Set by every statement that begins a batch, to the schema that it writes for, and gone when it is done: null in every row. A program that does not name one does not know this schema.';

-- A constraint alone would not do: a program from before this column leaves it as it stands.
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
-- Every batch raises this column, whatever begins it.
create trigger log_head_refuses_other_writers before update of batch on log_head
  for each row execute function refuse_other_writers();
