-- What the role that the program logs in as may do, a row a table or function. A migration that adds a table says so in one line:
-- select program_may('table_name', 'select, insert');

create table program_rights (
  object text collate "C" not null,
  rights text collate "C" not null,
  constraint program_rights_pkey primary key (object),
  -- Both become statements of the owner: they hold nothing else than names and rights.
  constraint program_rights_object_is_one check (object ~ '^[a-z_][a-z0-9_]*(\([a-z\[\], ]*\))?$'),
  constraint program_rights_are_some check (
    rights ~ '^(select|insert|delete|update( \([a-z0-9_]+(, [a-z0-9_]+)*\))?|execute)(, (select|insert|delete|update( \([a-z0-9_]+(, [a-z0-9_]+)*\))?))*$'
    and (rights = 'execute') = (object like '%(%'))
);
comment on table program_rights is 'What the role that the program logs in as may do: all its rights in this schema, and no others; migrations write it by program_may.';
comment on column program_rights.object is 'A table, or a function with the types of its arguments, of this schema.';
comment on column program_rights.rights is 'The rights on it, as grant takes them; of a table in read_models beside it the same.';
-- Rights on new tables may be given by default.
do $$
declare
  role_name name;
begin
  for role_name in
    select distinct r.rolname from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
    where c.oid = 'program_rights'::regclass and a.grantee <> c.relowner and a.privilege_type <> 'SELECT'
  loop
    execute format('revoke insert, update, delete, truncate, references, trigger on program_rights from %I', role_name);
  end loop;
  revoke insert, update, delete, truncate, references, trigger on program_rights from public;
end $$;

create function grant_object(role_name name, granted program_rights) returns void language plpgsql as $$
declare
  kept record;
begin
  for kept in
    select case when granted.object like '%(%' then 'function' else 'table' end as kind, granted.object as name
    union all
    select 'table', format('%s_%s', granted.object, name) from read_models
    where to_regclass(format('%I.%I', current_schema(), format('%s_%s', granted.object, name))) is not null
  loop
    execute format('revoke all on %s %I.%s from %I', kept.kind, current_schema(), kept.name, role_name);
    execute format('grant %s on %s %I.%s to %I', granted.rights, kept.kind, current_schema(), kept.name, role_name);
  end loop;
end $$;
revoke execute on function grant_object(name, program_rights) from public;
comment on function grant_object(name, program_rights) is 'Grants a role these rights on one object, and takes away whatever else it was granted on it.';

create or replace function grant_to_program(role_name name) returns void language plpgsql as $$
begin
  execute format('grant usage on schema %I to %I', current_schema(), role_name);
  perform grant_object(role_name, granted) from program_rights granted;
end $$;

create function program_may(of_object text, may text) returns void language plpgsql as $$
declare
  granted program_rights;
  named text := format('%I.%s', current_schema(), of_object);
begin
  if (case when of_object like '%(%' then to_regprocedure(named)::oid else to_regclass(named)::oid end) is null then
    raise exception 'program_may: there is no table or function % in schema %', of_object, current_schema();
  end if;
  insert into program_rights values (of_object, may)
    on conflict on constraint program_rights_pkey do update set rights = excluded.rights returning * into granted;
  perform grant_object(r.rolname, granted) from pg_roles r where r.oid in (
    select a.grantee from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.oid = to_regclass(format('%I.events', current_schema())) and a.privilege_type = 'INSERT' and a.grantee <> c.relowner);
end $$;
revoke execute on function program_may(text, text) from public;
comment on function program_may(text, text) is 'Called by migrations, once for each table that they add: writes down what the program may do with it, and grants that to each role that appends.';

-- Roles have these already, and whatever else their owner gave them.
insert into program_rights values
  ('archives', 'select'),
  ('batches', 'select, insert'),
  ('checkpoint_deliveries', 'select, insert, update'),
  ('ensure_events_partition(bigint)', 'execute'),
  ('erase_messages(bigint[], text, timestamptz)', 'execute'),
  ('events', 'select, insert'),
  ('log_checkpoints', 'select, insert'),
  ('log_head', 'select, update'),
  ('persons', 'select, insert, delete'),
  ('published_windows', 'select, insert, update'),
  ('publishing', 'select, insert, update'),
  ('quarantine', 'select, insert, update (status, settled_at, attempts, stage, reason, path, detail, code_version)'),
  ('read_models', 'select'),
  ('schema_migrations', 'select'),
  ('source_cursors', 'select, insert, update');
-- What the domain keeps. The schema of trips may hold tables of others; in that of another domain all other tables are its own.
insert into program_rights select relname, 'select, insert, update' from pg_class
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
  and relname !~ '^events_p\d+_' and relname <> 'program_rights' and relname not in (select object from program_rights)
  and not exists (select from read_models where relname like '%\_' || name)
  and (to_regclass(format('%I.trips', current_schema())) is null or relname in ('trips', 'trip_cells', 'trip_totals', 'trip_sketches'));
-- In schemas of other domains roles could write what only says how far a rebuild is.
select program_may('read_models', 'select');
