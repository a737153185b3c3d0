import { number_or_null, type Queryable, text_array, type Transaction, us_of } from "../database/mod.ts";
import { format_time, type Micros, time_or_null } from "../kpi/mod.ts";
import {
  type AlertState,
  type Change,
  type Course,
  is_told,
  type Phase,
  type Why,
  type WindowValue,
} from "./machine.ts";

/** What the database holds of alerts: rules, states, changes, and what is to be delivered. */

/** A rule as it is kept: what it says is read where the domain is known. */
export interface KeptRule {
  readonly name: string;
  readonly definition: unknown;
  readonly origin: "file" | "page";
  readonly version: number;
  /** Beside what the definition says, microseconds. */
  readonly silence_until_us: number | null;
  readonly changed_by: string;
  readonly changed_us: number;
}

/** A rule's course as it is kept; `revision` is what the next step replaces. */
export interface KeptState {
  readonly rule: string;
  readonly version: number;
  readonly revision: number;
  readonly course: Course;
  readonly figure: number | null;
  readonly then: number | null;
}

/** The rules of a log, by name. */
export async function read_rules(reading: Queryable): Promise<KeptRule[]> {
  const rows = await reading.query({
    name: "read_alert_rules",
    text: `select name, definition, origin, version, ${us_of("silence_until")}, changed_by, ${us_of("changed_at")}
      from alert_rules order by name`,
  });
  return rows.map((row) => ({
    name: String(row.name),
    definition: row.definition,
    origin: row.origin as KeptRule["origin"],
    version: Number(row.version),
    silence_until_us: number_or_null(row.silence_until_us),
    changed_by: String(row.changed_by),
    changed_us: Number(row.changed_at_us),
  }));
}

/** How the rules of a log stand, by name. */
export async function read_states(reading: Queryable): Promise<KeptState[]> {
  const rows = await reading.query({
    name: "read_alert_states",
    text: `select rule, version, revision, phase, ${us_of("since")}, told, ${us_of("looked_through")}, anchor_phase, ${
      us_of("anchor_since")
    }, anchor_told, ${us_of("anchor")}, figure, then_figure from alert_states order by rule`,
  });
  const state = (phase: unknown, since: unknown, told: unknown): AlertState => (
    { phase: phase as Phase, since_us: number_or_null(since), told: told === true }
  );
  return rows.map((row) => ({
    rule: String(row.rule),
    version: Number(row.version),
    revision: Number(row.revision),
    course: {
      anchor: state(row.anchor_phase, row.anchor_since_us, row.anchor_told),
      anchor_us: Number(row.anchor_us),
      state: state(row.phase, row.since_us, row.told),
      through_us: Number(row.looked_through_us),
    },
    figure: number_or_null(row.figure),
    then: number_or_null(row.then_figure),
  }));
}

/** A step of a rule: what it was at, what it is now, and the changes between. */
export interface Step {
  readonly rule: string;
  readonly definition: unknown;
  readonly version: number;
  /** That of the state that it goes on from; null: there was none. */
  readonly revision: number | null;
  /** Null: the rule is gone, and its state with it. */
  readonly course: Course | null;
  readonly seen: WindowValue | null;
  readonly changes: readonly Change[];
}

/**
 * Writes a step, unless another program was faster; what receivers are to be told of it with it.
 * @param receivers the names of those that are told of this rule
 * @returns whether it was written
 */
export async function write_step(tx: Transaction, step: Step, receivers: readonly string[]): Promise<boolean> {
  if (!await replace_state(tx, step)) return false;
  for (const change of step.changes) {
    const { from, to, why, since_us, window } = change;
    const [row] = await tx.query({
      name: "note_alert_change",
      text:
        `insert into alert_changes (rule, definition, from_phase, to_phase, why, since, window_from, window_to, figure, then_figure, change)
        values ($1, $2::jsonb, $3, $4, $5, $6::timestamptz, $7::timestamptz, $8::timestamptz, $9, $10, $11) returning change_id`,
    }, [
      ...[step.rule, JSON.stringify(step.definition), from, to, why],
      ...[time_or_null(since_us), time_or_null(window?.from_us ?? null), time_or_null(window?.to_us ?? null)],
      ...[window?.figure ?? null, window?.then ?? null, window === null || window.then === null ? null : window.value],
    ]);
    if (!is_told(change) || receivers.length === 0) continue;
    await tx.execute({
      name: "note_alert_deliveries",
      text: "insert into alert_deliveries (receiver, change_id, rule) select unnest($1::text[]), $2::bigint, $3",
    }, [text_array(receivers), String(row!.change_id), step.rule]);
  }
  return true;
}

/** Compare-and-set of a rule's state. */
async function replace_state(tx: Transaction, { rule, version, revision, course, seen }: Step): Promise<boolean> {
  if (course === null) {
    const text = "delete from alert_states where rule = $1 and revision = $2";
    return await tx.execute({ name: "end_alert_state", text }, [rule, revision]) > 0;
  }
  const { state, anchor } = course;
  const values = [
    ...[rule, version, state.phase, time_or_null(state.since_us), state.told, format_time(course.through_us)],
    ...[anchor.phase, time_or_null(anchor.since_us), anchor.told, format_time(course.anchor_us)],
    ...[seen?.figure ?? null, seen?.then ?? null],
  ];
  if (revision === null) {
    const text =
      `insert into alert_states (rule, version, phase, since, told, looked_through, anchor_phase, anchor_since, anchor_told,
        anchor, figure, then_figure, revision)
      values ($1, $2, $3, $4::timestamptz, $5, $6::timestamptz, $7, $8::timestamptz, $9, $10::timestamptz, $11, $12, 1)
      on conflict on constraint alert_states_pkey do nothing`;
    return await tx.execute({ name: "begin_alert_state", text }, values) > 0;
  }
  const text =
    `update alert_states set version = $2, phase = $3, since = $4::timestamptz, told = $5, looked_through = $6::timestamptz,
      anchor_phase = $7, anchor_since = $8::timestamptz, anchor_told = $9, anchor = $10::timestamptz, figure = $11, then_figure = $12,
      revision = revision + 1
    where rule = $1 and revision = $13`;
  return await tx.execute({ name: "step_alert_state", text }, [...values, revision]) > 0;
}

/** A change as it is kept. */
export interface KeptChange extends Omit<Change, "window"> {
  readonly id: number;
  readonly rule: string;
  readonly definition: unknown;
  readonly window: Micros | null;
  readonly figure: number | null;
  readonly then: number | null;
  /** How far it rose or fell. */
  readonly change: number | null;
  readonly noticed_us: number;
}

const CHANGE_COLUMNS = `c.change_id, c.rule, c.definition, c.from_phase, c.to_phase, c.why, ${us_of("c.since")}, ${
  us_of("c.window_from")
}, ${us_of("c.window_to")}, c.figure, c.then_figure, c.change, ${us_of("c.changed_at")}`;

function change_of(row: Record<string, unknown>): KeptChange {
  const [from_us, to_us] = [number_or_null(row.window_from_us), number_or_null(row.window_to_us)];
  return {
    id: Number(row.change_id),
    rule: String(row.rule),
    definition: row.definition,
    from: row.from_phase as Phase,
    to: row.to_phase as Phase,
    why: row.why as Why,
    since_us: number_or_null(row.since_us),
    window: from_us === null || to_us === null ? null : { from_us, to_us },
    figure: number_or_null(row.figure),
    then: number_or_null(row.then_figure),
    change: number_or_null(row.change),
    noticed_us: Number(row.changed_at_us),
  };
}

/** The newest changes, the newest first. */
export async function read_changes(reading: Queryable, limit: number): Promise<KeptChange[]> {
  const rows = await reading.query({
    name: "read_alert_changes",
    text: `select ${CHANGE_COLUMNS} from alert_changes c order by c.change_id desc limit $1`,
  }, [limit]);
  return rows.map(change_of);
}

/** Changes of a rule are kept for so long after they were noticed, unless they wait to be delivered. */
const KEPT = "90 days";
/** Removed at a time. */
const MOST_REMOVED = 5_000;

/** Removes changes that are too old; what no program could deliver for a week is given up. */
export async function remove_old_changes(database: Queryable): Promise<void> {
  await database.execute({
    name: "give_up_alert_deliveries",
    text: `update alert_deliveries d set settled_at = clock_timestamp(), outcome = 'given up' from alert_changes c
      where c.change_id = d.change_id and d.settled_at is null and d.claimed_until < now() and c.changed_at < now() - interval '7 days'`,
  });
  await database.execute({
    name: "remove_old_alert_changes",
    text: `delete from alert_changes where change_id in (
      select change_id from alert_changes c where changed_at < now() - interval '${KEPT}'
        and not exists (select from alert_deliveries d where d.change_id = c.change_id and d.settled_at is null)
      order by change_id limit ${MOST_REMOVED})`,
  });
}

/** A rule of a file. */
interface WrittenRule {
  readonly name: string;
  readonly definition: unknown;
}

/** Makes the rules of a file those of the log: others of a file are removed, one of the page that has a name of these gives way. */
export async function write_file_rules(tx: Transaction, rules: readonly WrittenRule[]): Promise<void> {
  // One program at a time: of two that start the later one's file counts.
  await tx.execute("lock table alert_rules in share row exclusive mode");
  await tx.execute(
    `delete from alert_rules where origin = 'file' and name <> all($1::text[])`,
    [text_array(rules.map(({ name }) => name))],
  );
  for (const { name, definition } of rules) {
    await tx.execute(
      `insert into alert_rules as kept (name, definition, origin, version, changed_by) values ($1, $2::jsonb, 'file', ${NEXT}, 'TACHO_ALERTS')
       on conflict on constraint alert_rules_pkey do update
       set definition = excluded.definition, origin = 'file', version = excluded.version, changed_by = excluded.changed_by, changed_at = now()
       where kept.definition <> excluded.definition or kept.origin <> 'file'`,
      [name, JSON.stringify(definition)],
    );
  }
}

/** Another version than any before: rules are few, and changed by hand. */
const NEXT = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";

/** What came of a change of the rules. */
export type RuleOutcome = "done" | "of a file" | "absent" | "too many" | "exists";

/** Writes a rule of the page. @param most rules of a log @param fresh whether one of its name is left as it is */
export async function put_rule(
  tx: Transaction,
  { name, definition }: WrittenRule,
  { by, most, fresh }: { readonly by: string; readonly most: number; readonly fresh: boolean },
): Promise<RuleOutcome> {
  await tx.execute("lock table alert_rules in share row exclusive mode");
  const [found] = await tx.query<{ origin: string | null; others: string }>(
    `select (select origin from alert_rules where name = $1) as origin, (select count(*) from alert_rules where name <> $1) as others`,
    [name],
  );
  if (found?.origin === "file") return "of a file";
  if (fresh && found?.origin === "page") return "exists";
  if (Number(found?.others) >= most) return "too many";
  await tx.execute(
    `insert into alert_rules as kept (name, definition, origin, version, changed_by) values ($1, $2::jsonb, 'page', ${NEXT}, $3)
     on conflict on constraint alert_rules_pkey do update
     set version = case when kept.definition = excluded.definition then kept.version else excluded.version end,
       definition = excluded.definition, changed_by = excluded.changed_by, changed_at = now()`,
    [name, JSON.stringify(definition), by],
  );
  return "done";
}

/** Removes a rule of the page. */
export async function remove_rule(tx: Transaction, name: string): Promise<RuleOutcome> {
  const [row] = await tx.query<{ origin: string }>("select origin from alert_rules where name = $1 for update", [name]);
  if (row === undefined) return "absent";
  if (row.origin === "file") return "of a file";
  await tx.execute("delete from alert_rules where name = $1", [name]);
  return "done";
}

/** Silences any rule, or ends that. @param until_us null: it ends */
export async function silence_rule(
  tx: Transaction,
  name: string,
  until_us: number | null,
  by: string,
): Promise<RuleOutcome> {
  const changed = await tx.execute(
    "update alert_rules set silence_until = $2::timestamptz, changed_by = $3, changed_at = now() where name = $1",
    [name, time_or_null(until_us), by],
  );
  return changed > 0 ? "done" : "absent";
}

/** A delivery that a program has claimed. */
interface ClaimedChange {
  readonly receiver: string;
  readonly attempts: number;
  readonly change: KeptChange;
}

/**
 * Claims deliveries that are due: of each rule the first that waits, of one receiver. No other program has them until the claim ends.
 * @param claim_s for how long
 */
export async function claim_deliveries(
  database: Queryable,
  receiver: string,
  { most, holder, claim_s }: { readonly most: number; readonly holder: string; readonly claim_s: number },
): Promise<ClaimedChange[]> {
  const rows = await database.query({
    name: "claim_alert_deliveries",
    text: `with due as (
        select d.receiver, d.change_id from alert_deliveries d
        where d.receiver = $1 and d.settled_at is null and d.next_try_at <= clock_timestamp() and d.claimed_until < clock_timestamp()
          and not exists (select from alert_deliveries earlier where earlier.receiver = d.receiver and earlier.rule = d.rule
            and earlier.settled_at is null and earlier.change_id < d.change_id)
        order by d.change_id limit $2 for update skip locked
      ), claimed as (
        update alert_deliveries d set claimed_by = $3::uuid, claimed_until = clock_timestamp() + $4 * interval '1 second', attempts = attempts + 1
        from due where d.receiver = due.receiver and d.change_id = due.change_id returning d.change_id, d.attempts
      )
      select claimed.attempts, ${CHANGE_COLUMNS} from claimed join alert_changes c using (change_id) order by change_id`,
  }, [receiver, most, holder, claim_s]);
  return rows.map((row) => ({ receiver, attempts: Number(row.attempts), change: change_of(row) }));
}

/** Notes what came of a delivery: that it arrived, or why it did not and when it is tried again; given up three days after the change. */
export async function note_delivery(
  database: Queryable,
  { receiver, change }: ClaimedChange,
  holder: string,
  failed: { readonly trouble: string; readonly again_ms: number } | null,
): Promise<void> {
  if (failed === null) {
    await database.execute({
      name: "note_alert_delivered",
      text: `update alert_deliveries set settled_at = clock_timestamp(), outcome = 'delivered', trouble = null
        where receiver = $1 and change_id = $2 and settled_at is null`,
    }, [receiver, change.id]);
    return;
  }
  await database.execute({
    name: "note_alert_not_delivered",
    text:
      `update alert_deliveries d set trouble = $4, next_try_at = clock_timestamp() + $5 * interval '1 millisecond', claimed_until = '-infinity',
        settled_at = case when c.changed_at < now() - interval '3 days' then clock_timestamp() end,
        outcome = case when c.changed_at < now() - interval '3 days' then 'given up' end
      from alert_changes c
      where c.change_id = d.change_id and d.receiver = $1 and d.change_id = $2 and d.claimed_by = $3::uuid and d.settled_at is null`,
  }, [receiver, change.id, holder, failed.trouble.slice(0, 500), failed.again_ms]);
}

/** How deliveries stand, by receiver. */
export interface DeliveryCounts {
  readonly receiver: string;
  readonly waiting: number;
  readonly given_up: number;
  /** Why the oldest that waits was not taken. */
  readonly trouble: string | null;
}

/** How deliveries stand. */
export async function read_deliveries(reading: Queryable): Promise<DeliveryCounts[]> {
  const rows = await reading.query({
    name: "read_alert_deliveries",
    text:
      `select receiver, count(*) filter (where settled_at is null) as waiting, count(*) filter (where outcome = 'given up') as given_up,
        (array_agg(trouble order by change_id) filter (where settled_at is null and trouble is not null))[1] as trouble
      from alert_deliveries group by receiver order by receiver`,
  });
  return rows.map((row) => ({
    receiver: String(row.receiver),
    waiting: Number(row.waiting),
    given_up: Number(row.given_up),
    trouble: row.trouble === null ? null : String(row.trouble),
  }));
}
