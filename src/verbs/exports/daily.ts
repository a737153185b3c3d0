import { type DailyExport, dates_between, days_changed, write_day, yesterday } from "../../export/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { open_to_read } from "../open.ts";
import { type Shell, UsageError } from "../shell.ts";
import { ProgressLine } from "../terminal.ts";
import { follow_days, place_of } from "./follow.ts";

/** Options of `tacho export daily`, as the command line gives them. */
interface DailyExportOptions {
  readonly out: string;
  /** The first and the last day; yesterday unless given. */
  readonly from?: string;
  readonly to?: string;
  readonly all: boolean;
  readonly follow: boolean;
}

/**
 * `tacho export daily`: writes a document a day; what says the same already is left as it is. Stopped or killed, the next run goes on: it only
 * writes what lacks.
 */
export async function daily_export_verb(shell: Shell, options: DailyExportOptions): Promise<void> {
  const { signal, domain, config } = shell, { from, to, all, follow } = options;
  if (all && (from ?? to) !== undefined) throw new UsageError("export daily: expected --all or a range, got both");
  if (follow && (from ?? to) !== undefined) {
    throw new UsageError("export daily: --follow keeps all whole days; leave --from and --to out");
  }
  if (from !== undefined && to !== undefined && from > to) {
    throw new UsageError(`export daily: expected --to on or after --from, got ${from} to ${to}`);
  }
  const place = place_of(options.out, config);
  const { database, domain: { board }, days } = await open_to_read(shell);
  try {
    if (board.daily === undefined) {
      throw new UsageError(`export daily: of ${domain.name} no daily figures are declared`);
    }
    const source: DailyExport = { database, board, days, place, now_ms: system_clock.now_ms };
    const counts = { written: 0, unchanged: 0 };
    if (follow) {
      const line = new ProgressLine("export days", null, system_clock.now_ms);
      try {
        return await follow_days(shell, source, (_, outcome) => {
          counts[outcome]++;
          line.add(1);
        });
      } finally {
        line.end();
      }
    }
    const last = yesterday(source, system_clock.now_ms());
    const dates = all
      ? (await days_changed(source, { position: 0, ended_ms: -Infinity })).dates
      : dates_between(from ?? to ?? last, to ?? last, source);
    const line = dates.length > 1 ? new ProgressLine("export days", dates.length, system_clock.now_ms) : null;
    try {
      for (const date of dates) {
        signal.throwIfAborted();
        counts[await write_day(source, date)]++;
        line?.add(1);
      }
    } finally {
      line?.end();
    }
    console.log(`${counts.written} days written, ${counts.unchanged} left as they were, in ${place.shown}`);
  } finally {
    await database.close();
  }
}
