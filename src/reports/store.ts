import { type Queryable, text_array, type Transaction, us_of } from "../database/mod.ts";
import type { AlertsStanding, Failed } from "../alerts/mod.ts";
import { format_time } from "../kpi/mod.ts";

/** What the database holds of reports: those that came due, what is sent, and what became of it. */

/** What is sent of a report that came due. */
export interface MadeReport {
  readonly report: string;
  readonly due_us: number;
  readonly content_type: string;
  readonly file_name: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** When reports came due last that are known of, microseconds, by name; and the database's clock. */
export async function read_last_due(
  reading: Queryable,
  names: readonly string[],
): Promise<{ readonly now_us: number; readonly last: ReadonlyMap<string, number> }> {
  const rows = await reading.query({
    name: "read_reports_due",
    text: `select named.report, (extract(epoch from clock_timestamp()) * 1000000)::bigint as now_us,
        (select (extract(epoch from max(d.due_at)) * 1000000)::bigint from report_deliveries d where d.report = named.report) as due_us
      from unnest($1::text[]) as named(report)`,
  }, [text_array(names)]);
  const known = rows.filter(({ due_us }) => due_us !== null);
  return {
    now_us: Number(rows[0]?.now_us),
    last: new Map(known.map(({ report, due_us }) => [String(report), Number(due_us)])),
  };
}

/** Notes that a report was seen first after it had come due: that is not sent. */
export async function begin_report(database: Queryable, report: string, due_us: number): Promise<void> {
  await database.execute({
    name: "begin_report",
    text:
      `insert into report_deliveries (report, due_at, settled_at, outcome) values ($1, $2::timestamptz, clock_timestamp(), 'begun')
      on conflict on constraint report_deliveries_pkey do nothing`,
  }, [report, format_time(due_us)]);
}

/**
 * Writes what is to be sent, unless another program was faster. Of the same report what came due earlier and waits is not sent any more.
 * @returns whether it was written
 */
export async function put_report(tx: Transaction, made: MadeReport): Promise<boolean> {
  const { report, due_us, content_type, file_name, body } = made, due = format_time(due_us);
  const written = await tx.execute({
    name: "put_report",
    text:
      `insert into report_deliveries (report, due_at, content_type, file_name, body) values ($1, $2::timestamptz, $3, $4, $5)
      on conflict on constraint report_deliveries_pkey do nothing`,
  }, [report, due, content_type, file_name, body]);
  if (written === 0) return false;
  await tx.execute({
    name: "replace_reports",
    text: `update report_deliveries set settled_at = clock_timestamp(), outcome = 'replaced', body = null
      where report = $1 and due_at < $2::timestamptz and settled_at is null`,
  }, [report, due]);
  return true;
}

/** A report that a program has claimed. */
interface ClaimedReport extends MadeReport {
  readonly attempts: number;
}

/** Claims reports that are to be sent: no other program has them until the claim ends. @param claim_s for how long */
export async function claim_reports(
  database: Queryable,
  names: readonly string[],
  { most, holder, claim_s }: { readonly most: number; readonly holder: string; readonly claim_s: number },
): Promise<ClaimedReport[]> {
  const rows = await database.query({
    name: "claim_reports",
    text: `with due as (
        select d.report, d.due_at from report_deliveries d
        where d.report = any($1::text[]) and d.settled_at is null and d.next_try_at <= clock_timestamp() and d.claimed_until < clock_timestamp()
        order by d.due_at, d.report limit $2 for update skip locked
      )
      update report_deliveries d set claimed_by = $3::uuid, claimed_until = clock_timestamp() + $4 * interval '1 second', attempts = attempts + 1
      from due where d.report = due.report and d.due_at = due.due_at
      returning d.report, ${us_of("d.due_at")}, d.content_type, d.file_name, d.body, d.attempts`,
  }, [text_array(names), most, holder, claim_s]);
  return rows.map((row) => ({
    report: String(row.report),
    due_us: Number(row.due_at_us),
    content_type: String(row.content_type),
    file_name: String(row.file_name),
    body: row.body as Uint8Array<ArrayBuffer>,
    attempts: Number(row.attempts),
  }));
}

/** Notes what came of sending a report: that it arrived, or why it did not and when it is tried again; given up three days after it was made. */
export async function note_report(
  database: Queryable,
  { report, due_us }: Pick<MadeReport, "report" | "due_us">,
  holder: string,
  failed: Failed | null,
): Promise<void> {
  if (failed === null) {
    await database.execute({
      name: "note_report_delivered",
      text:
        `update report_deliveries set settled_at = clock_timestamp(), outcome = 'delivered', body = null, trouble = null
        where report = $1 and due_at = $2::timestamptz and settled_at is null`,
    }, [report, format_time(due_us)]);
    return;
  }
  await database.execute({
    name: "note_report_not_delivered",
    text:
      `with tried as (select made_at < now() - interval '3 days' as over from report_deliveries where report = $1 and due_at = $2::timestamptz)
      update report_deliveries d set trouble = $4, next_try_at = clock_timestamp() + $5 * interval '1 millisecond', claimed_until = '-infinity',
        settled_at = case when over then clock_timestamp() end, outcome = case when over then 'given up' end, body = case when not over then body end
      from tried where d.report = $1 and d.due_at = $2::timestamptz and d.claimed_by = $3::uuid and d.settled_at is null`,
  }, [report, format_time(due_us), holder, failed.trouble.slice(0, 500), failed.again_ms]);
}

/** What became of reports is kept for so long. */
const KEPT = "90 days";
/** Removed at a time. */
const MOST_REMOVED = 5_000;

/** Removes what is too old; what no program could send for a week is given up. */
export async function remove_old_reports(database: Queryable): Promise<void> {
  await database.execute({
    name: "give_up_reports",
    text: `update report_deliveries set settled_at = clock_timestamp(), outcome = 'given up', body = null
      where settled_at is null and claimed_until < now() and made_at < now() - interval '7 days'`,
  });
  await database.execute({
    name: "remove_old_reports",
    text: `delete from report_deliveries where (report, due_at) in (
      select report, due_at from report_deliveries d where settled_at is not null and made_at < now() - interval '${KEPT}'
        and exists (select from report_deliveries later where later.report = d.report and later.due_at > d.due_at)
      limit ${MOST_REMOVED})`,
  });
}

/** How deliveries stand of reports, by name. */
export async function read_report_counts(
  reading: Queryable,
  names: readonly string[],
): Promise<AlertsStanding["deliveries"]> {
  const rows = await reading.query({
    name: "read_report_counts",
    text: `select named.report, count(*) filter (where d.due_at is not null and d.settled_at is null) as waiting,
        count(*) filter (where d.outcome = 'given up') as given_up, max(d.trouble) filter (where d.settled_at is null) as trouble
      from unnest($1::text[]) as named(report)
      left join report_deliveries d on d.report = named.report and (d.settled_at is null or d.outcome = 'given up')
      group by named.report order by named.report`,
  }, [text_array(names)]);
  return rows.map((row) => ({
    receiver: String(row.report),
    waiting: Number(row.waiting),
    given_up: Number(row.given_up),
    trouble: row.trouble === null ? null : String(row.trouble),
  }));
}
