-- A Flink job writes through views in a schema of its own, a door: the tables behind it exchange their names with others while it goes on.

create table flink_doors (
  number integer generated always as identity,
  read_model text collate "C" not null default '',
  constraint flink_doors_pkey primary key (number),
  constraint flink_doors_lead_to_one unique (read_model) deferrable initially immediate
);
comment on table flink_doors is 'The schemas that Flink jobs write through: <schema of the domain>_flink_<number> has a view on each table that a job writes.';
comment on column flink_doors.number is 'Never given twice.';
comment on column flink_doors.read_model is 'What the tables behind it are called after, see read_models; empty: they are the live ones.';

alter table flink_jobs add column door integer;
comment on column flink_jobs.door is 'The door that it writes through; null: it writes the tables by their names.';

create function open_flink_door(of_model text, tables text[]) returns integer language plpgsql as $$
declare
  own constant name := current_schema();
  door integer := (select number from flink_doors where read_model = of_model);
  opened text;
  named text;
  writer name;
begin
  if door is null then insert into flink_doors (read_model) values (of_model) returning number into door; end if;
  opened := format('%s_flink_%s', own, door);
  execute format('create schema if not exists %I', opened);
  execute format('comment on schema %I is %L', opened, 'What a Flink job writes through: views on tables of ' || own || ', see flink_doors.');
  foreach named in array tables loop
    execute format('create or replace view %I.%I as select * from %I.%I', opened, named, own, concat_ws('_', named, nullif(of_model, '')));
  end loop;
  -- Whoever may remove rows of them is a job.
  for writer in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = format('%I.%I', own, tables[1])::regclass and a.privilege_type = 'DELETE' and a.grantee <> c.relowner
  loop
    perform grant_flink_door(opened, writer);
  end loop;
  return door;
end $$;
revoke execute on function open_flink_door(text, text[]) from public;
comment on function open_flink_door(text, text[]) is 'Opens a door to the tables of a read model, of which the first is that of states, or finds the one that there is.';

create function grant_flink_door(opened name, role_name name) returns void language plpgsql as $$
begin
  execute format('grant usage on schema %I to %I', opened, role_name);
  execute format('grant select, insert, update, delete on all tables in schema %I to %I', opened, role_name);
end $$;
revoke execute on function grant_flink_door(name, name) from public;
comment on function grant_flink_door(name, name) is 'Grants a role that it may write through a door.';

create or replace function grant_to_flink(role_name name) returns void language plpgsql as $$
declare
  named name;
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  for named in
    select 'flink_progress' union all
    select c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where t.tgname = 'flink_takes_its_turn' and c.relnamespace = current_schema()::regnamespace
  loop
    execute format('grant select, insert, update, delete on %I to %I', named, role_name);
  end loop;
  perform grant_flink_door(format('%s_flink_%s', current_schema(), number), role_name) from flink_doors;
end $$;

select program_may('flink_doors', 'select');
