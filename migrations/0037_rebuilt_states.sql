-- A rebuild makes states, too, and may make all by another business time zone or H3 resolution than the live one: it says by which.

alter table read_models
  add column time_zone text,
  add column h3_resolution smallint,
  add constraint read_models_h3_resolution_is_legal check (h3_resolution between 0 and 15);
comment on column read_models.time_zone is 'Business time zone of its day cells; null: it was begun by a version that made no states, and can only be dropped.';
comment on column read_models.h3_resolution is 'Resolution of the H3 cells that it counts places by; null: by none.';

alter table log_head
  add column resettled integer not null default 0,
  add constraint log_head_resettled_is_not_negative check (resettled >= 0);
comment on column log_head.resettled is 'How often a rebuild that was switched in changed the time zone or the H3 resolution: programs that were started before end.';

-- They change where another read model is switched in, which counts read_model up; the currency never does.
drop trigger log_head_keeps_its_deployment on log_head;
create trigger log_head_keeps_its_deployment before update of time_zone, currency, h3_resolution on log_head
  for each row when ((old.time_zone is not null or old.currency is not null)
    and (old.read_model = new.read_model or old.currency is distinct from new.currency))
  execute function refuse_change('time zone, currency and H3 resolution are fixed by the first start');
comment on column log_head.time_zone is 'Business time zone of the day cells, and the currency of all sums: set at the first start; the zone changes with a rebuild that is switched in.';
comment on column log_head.h3_resolution is 'Resolution of the H3 cells that places are counted by: set at the first start, changes with a rebuild that is switched in; null: there are none.';
comment on column log_head.read_model is 'How often another read model was switched in: figures from before and after such a switch are not mixed, and what was planned before is not appended.';
comment on table read_models is 'Read models beside the live one: their tables, states and all, are named as the live ones with _ and this name after it.';
