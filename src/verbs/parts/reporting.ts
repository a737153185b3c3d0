import { poster } from "../../alerts/mod.ts";
import type { Database } from "../../database/mod.ts";
import type { DomainBoard } from "../../domains/mod.ts";
import { past_states } from "../../feed/mod.ts";
import { board_answers } from "../../http/mod.ts";
import { format_time } from "../../kpi/mod.ts";
import {
  due_around,
  make_report,
  read_reports_file,
  read_reports_of,
  type Report,
  ReportKeeper,
  type ReportsFile,
  type ReportSource,
  type ReportsStanding,
} from "../../reports/mod.ts";
import { first_h3_resolution } from "../../event_log/mod.ts";
import { type Config, lasting, printable, system_clock, write_stderr } from "../../runtime/mod.ts";
import { read_text, refused_file, secret_of } from "../alerting.ts";
import { DOMAINS } from "../domains.ts";
import { open_to_read, type Opened } from "../open.ts";
import { type Shell, UsageError, VERSION, write_out } from "../shell.ts";

/** Reports: those of the configuration, what would be sent of them, and what sends them while a domain is served. */

/** Reads the file of the configuration; null: none is named. Throws UsageError where anything but its reports is wrong with it. */
export const reporting_of = ({ reports }: Pick<Config, "reports">): Promise<ReportsFile | null> =>
  reports === null ? Promise.resolve(null) : read_reports(reports);

async function read_reports(path: string): Promise<ReportsFile> {
  const read = read_reports_file(await read_text("reports", path), DOMAINS.map(({ name }) => name));
  if (!read.ok) throw refused_file("reports", path, read.faults);
  return read.file;
}

/** The reports of a domain in a file. Throws UsageError where they are not as its declaration allows. */
function reports_in(board: DomainBoard, domain: string, file: ReportsFile, path: string): readonly Report[] {
  const read = read_reports_of(board, domain, file);
  if (!read.ok) throw refused_file("reports", path, read.faults);
  return read.reports;
}

/** What reports of a domain are made of. @param database of which no connection is waited for by anything else */
function source_of({ domain, days, deployment }: Opened, database: Database): ReportSource {
  const { board } = domain, { time_zone, currency } = deployment;
  const read = { database, board, days, time_zone, currency, build: VERSION, clock: system_clock };
  return { board, days, time_zone, answer: board_answers({ ...read, past: past_states(domain) }) };
}

/** The reports of a domain that is served. */
interface DomainReports {
  /** Makes and sends them until the signal. Never rejects: pages and ingest go on without it, and that it ended is said. */
  run(): Promise<void>;
  standing(): ReportsStanding;
}

/**
 * What makes and sends the reports of a domain; null: it has none, or this program only reads. Throws UsageError for reports that this log's domain
 * cannot have, and ConfigError where a secret cannot be read.
 */
export async function domain_reports(
  shell: Shell,
  opened: Opened,
  file: ReportsFile | null,
  database: Database,
  read_only: boolean,
): Promise<DomainReports | null> {
  if (file === null) return null;
  const { config } = shell, { domain, log_id } = opened;
  const given = reports_in(domain.board, domain.name, file, config.reports ?? "");
  if (read_only || given.length === 0) return null;
  const reports = await Promise.all(given.map(async (report, i) => {
    const { webhook, secret_file } = report;
    const secret = secret_file === null
      ? config.alert_secret
      : await secret_of(`TACHO_REPORTS: reports.${domain.name}[${i}]`, secret_file);
    return { ...report, post: poster(webhook, secret, { now_ms: system_clock.now_ms }) };
  }));
  const keeper = new ReportKeeper(shell, { ...source_of(opened, database), database, log_id, reports });
  return {
    run: () => lasting(shell, "reports are not sent any more", keeper.run()),
    standing: () => keeper.standing(),
  };
}

/**
 * `tacho reports check`: reads a file of reports and says all that is wrong with it, for every domain that it names. With `--print` it makes a report of
 * the shell's domain as of when it was due last, and prints what would be sent; nothing is written or sent. Throws UsageError for a faulty file, and
 * where there is no such report.
 */
export async function reports_check_verb(
  shell: Shell,
  path: string,
  { print }: { readonly print?: string },
): Promise<void> {
  const file = await read_reports(path), { config: { currency }, domain: { name: of } } = shell;
  // Of a deployment as the configuration has it: what a log was begun with is seen when it is opened.
  const h3_resolution = first_h3_resolution(shell.shared.h3_resolution);
  for (const declared of DOMAINS) {
    const reports = reports_in(declared.make({ currency, h3_resolution }).board, declared.name, file, path);
    if (reports.length > 0) say(`${declared.name}: ${names_of(reports)}`);
  }
  if (print === undefined) return;
  const opened = await open_to_read(shell, { complete: true });
  try {
    const source = source_of(opened, opened.database), reports = reports_in(source.board, of, file, path);
    const report = reports.find(({ name }) => name === print);
    if (report === undefined) {
      const names = names_of(reports) || "no reports";
      throw new UsageError(`reports check: expected one of ${of} (${names}), got ${JSON.stringify(print)}`);
    }
    const { last_us, next_us } = due_around(report.schedule, shell.clock.now_ms() * 1_000, source);
    const { file_name, body } = await make_report(source, report, last_us);
    say(`${print}: ${file_name}, due ${format_time(last_us)}, next ${format_time(next_us)}`);
    await write_out(body);
  } finally {
    await opened.database.close();
  }
}

const names_of = (reports: readonly Report[]): string => reports.map(({ name }) => name).join(", ");
const say = (line: string): void => write_stderr(`${printable(line)}\n`);
