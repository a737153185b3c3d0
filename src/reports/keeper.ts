import { type AlertsStanding, deliver, type poster } from "../alerts/mod.ts";
import type { Database } from "../database/mod.ts";
import type { DomainBoard } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";
import { Paced, type Runtime, told_once, WakeUp } from "../runtime/mod.ts";
import { type Business, due_around } from "./due.ts";
import { draw_picture, type PicturedBoard } from "./picture.ts";
import { path_of, type Report } from "./report.ts";
import {
  begin_report,
  claim_reports,
  type MadeReport,
  note_report,
  put_report,
  read_last_due,
  read_report_counts,
  remove_old_reports,
} from "./store.ts";

/** Makes reports when they come due, and has them delivered. */

/** What reports are made of. */
export interface ReportSource extends Business {
  readonly board: DomainBoard;
  /** What the API of the domain answers to a path. */
  readonly answer: (path: string) => Promise<Response>;
}

/** The longest body of a report. */
const MOST_BYTES = 8 << 20;

/** Makes a report as of a time at which it was due. Throws what the API says where it refuses or has not all figures, and for a body that is too long. */
export async function make_report(
  { board, days, time_zone, answer }: ReportSource,
  report: Report,
  due_us: number,
): Promise<MadeReport> {
  const response = await answer(path_of(report, due_us, days));
  // Bytes as they are: read as text, the mark at the start of a table is lost.
  const bytes = await response.bytes(), text = () => new TextDecoder().decode(bytes);
  if (!response.ok) throw new Error(`make the report: expected 200, got ${response.status}: ${reason_of(text())}`);
  const { kind } = report.sent, picture = kind === "picture";
  const body = picture
    ? new TextEncoder().encode(
      draw_picture(board, JSON.parse(text()) as PicturedBoard, { title: report.name, due_us, time_zone }),
    )
    : bytes;
  if (body.length > MOST_BYTES) {
    throw new Error(
      `make the report: expected at most ${MOST_BYTES} bytes, got ${body.length}; ask for less`,
    );
  }
  const at = format_time(due_us).slice(0, 16).replaceAll(":", "");
  return {
    report: report.name,
    due_us,
    content_type: picture ? "image/svg+xml" : "text/csv; charset=utf-8",
    file_name: `${report.name}-${at}Z.${picture ? "svg" : "csv"}`,
    body,
  };
}

/** What a problem says, in a line. */
function reason_of(text: string): string {
  try {
    const { detail, errors = [] } = JSON.parse(text) as { detail: string; errors?: { path: string; detail: string }[] };
    return [detail, ...errors.map((each) => `${each.path}: ${each.detail}`)].join("; ").slice(0, 500);
  } catch {
    return text.slice(0, 200); // It is no problem as the API has it.
  }
}

/** The reports of a log, and who gets each. */
interface KeptReports extends ReportSource {
  readonly database: Database;
  readonly log_id: string;
  readonly reports: readonly (Report & { readonly post: ReturnType<typeof poster> })[];
  /** When it is, microseconds; the database's clock unless given, the same for all programs. */
  readonly now_us?: () => number;
}

/** How reports stand, as they were read last: deliveries by report, and why one could not be made. */
export type ReportsStanding = Pick<AlertsStanding, "deliveries" | "troubles">;

const LOOK_MS = 2_000;
const AGAIN_MS = 30_000;
const REMOVE_MS = 3_600_000;

/**
 * Makes each report once it has come due, the last time that it did alone, and delivers it once or more, by one id. Of several programs one's is
 * sent: who comes second finds it there. A report that cannot be made holds up no other and is tried again until it is due the next time.
 */
export class ReportKeeper {
  readonly #runtime: Runtime;
  readonly #source: KeptReports;
  readonly #made = new WakeUp();
  /** When reports are due around now, so that nothing is computed while that stands. */
  readonly #due = new Map<string, { readonly last_us: number; readonly next_us: number }>();
  readonly #again_ms = new Map<string, number>();
  #standing: ReportsStanding = { deliveries: [], troubles: new Map() };
  #removed_ms = -Infinity;

  constructor(runtime: Runtime, source: KeptReports) {
    this.#runtime = runtime;
    this.#source = source;
  }

  standing(): ReportsStanding {
    return this.#standing;
  }

  /** Makes and delivers until the signal; a database that is away is waited for. Rejects with the signal's reason. */
  async run(): Promise<void> {
    await Promise.all([this.#make(), deliver(this.#runtime, this.#outbox())]);
  }

  async #make(): Promise<never> {
    const { signal, logger } = this.#runtime;
    const pace = new Paced(this.#runtime, { gap_ms: LOOK_MS, first_ms: LOOK_MS, cap_ms: 30_000 });
    for (;;) {
      await pace.until_done(signal, () => this.look(), {
        passes: () => true,
        ...told_once(logger, "reports cannot be made", "reports are made again"),
      });
    }
  }

  /** Looks once at all reports. */
  async look(): Promise<void> {
    const { database, reports, now_us } = this.#source, { clock, signal } = this.#runtime;
    const names = reports.map(({ name }) => name);
    const read = await read_last_due(database, names), at_us = now_us?.() ?? read.now_us;
    const troubles = new Map(this.#standing.troubles);
    for (const report of reports) {
      signal.throwIfAborted();
      const { name } = report, due_us = this.#last_due(report, at_us), known_us = read.last.get(name);
      if (due_us === -Infinity || (known_us !== undefined && known_us >= due_us)) troubles.delete(name);
      else if (known_us === undefined) await begin_report(database, name, due_us);
      else if (clock.now_ms() >= (this.#again_ms.get(name) ?? 0)) {
        const trouble = await this.#try(report, due_us);
        if (trouble === null) troubles.delete(name);
        else troubles.set(name, trouble);
      }
    }
    if (clock.now_ms() - this.#removed_ms > REMOVE_MS) {
      await remove_old_reports(database);
      this.#removed_ms = clock.now_ms();
    }
    this.#standing = { deliveries: await read_report_counts(database, names), troubles };
  }

  #last_due({ name, schedule }: Report, at_us: number): number {
    let due = this.#due.get(name);
    if (due === undefined || at_us >= due.next_us || at_us < due.last_us) {
      this.#due.set(name, due = due_around(schedule, at_us, this.#source));
    }
    return due.last_us;
  }

  /** Makes a report and writes what is to be sent; why it could not, or null. */
  async #try(report: Report, due_us: number): Promise<string | null> {
    const { database } = this.#source, { logger, clock, signal } = this.#runtime, { name } = report;
    try {
      const made = await make_report(this.#source, report, due_us);
      if (await database.transaction((tx) => put_report(tx, made))) {
        logger.log("info", "a report is due", { report: name, due: format_time(due_us), bytes: made.body.length });
        this.#made.ring();
      }
      this.#again_ms.delete(name);
      return null;
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#standing.troubles.get(name) !== reason) {
        logger.log("warn", "a report cannot be made; trying again", { report: name, due: format_time(due_us), reason });
      }
      this.#again_ms.set(name, clock.now_ms() + AGAIN_MS);
      return reason;
    }
  }

  #outbox(): Parameters<typeof deliver>[1] {
    const { database, reports, log_id } = this.#source, names = reports.map(({ name }) => name);
    const posts = new Map(reports.map(({ name, post }) => [name, post]));
    return {
      one: "a report",
      many: "reports",
      noted: this.#made,
      async claim(most, holder, claim_s) {
        const claimed = await claim_reports(database, names, { most, holder, claim_s });
        return claimed.map((each) => {
          const { report, due_us, content_type, file_name, body, attempts } = each, due = format_time(due_us);
          const id = `${log_id}.${report}.${due}`;
          const headers = {
            "content-type": content_type,
            "content-disposition": `attachment; filename="${file_name}"`,
            "tacho-report": report,
            "tacho-due": due,
          };
          return {
            id,
            about: { report },
            attempts,
            send: (signal) => posts.get(report)!({ id, body, headers }, signal),
            note: (failed) => note_report(database, each, holder, failed),
          };
        });
      },
    };
  }
}
