import { moment_at_time, read_head } from "../../event_log/mod.ts";
import { export_events, type TableFormat } from "../../export/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { open_to_read, type Opened } from "../open.ts";
import { type Shell, UsageError } from "../shell.ts";
import { ProgressLine } from "../terminal.ts";
import { place_of } from "./follow.ts";

/** A position of the log, or a time, microseconds. */
export type LogPoint = { readonly position: number } | { readonly at_us: number };

/** Options of `tacho export parquet`, `ndjson` and `csv`, as the command line gives them. */
export interface TableExportOptions {
  readonly out: string;
  readonly gzip: boolean;
  /** The first and the last event; all that there are unless given. */
  readonly from?: LogPoint;
  readonly to?: LogPoint;
  /** Types of events; all unless given. */
  readonly type: readonly string[];
}

/** Positions of a file of events: at 400 bytes each, some 400 MB of text. */
const POSITIONS_OF_FILE = 1_000_000;

/**
 * `tacho export parquet`, `ndjson` and `csv`: the events up to the head as it is at the start, in files of a million positions. What is recorded does
 * not change: stopped or killed, the next run goes on, and later adds what came since.
 */
export async function table_export_verb(shell: Shell, format: TableFormat, options: TableExportOptions): Promise<void> {
  const { signal, domain, config } = shell, { gzip, type } = options;
  const unknown = type.find((each) => !domain.event_types.includes(each));
  if (unknown !== undefined) {
    throw new UsageError(`export: expected --type ${domain.event_types.join(", ")}, got ${JSON.stringify(unknown)}`);
  }
  const place = place_of(options.out, config);
  const opened = await open_to_read(shell), { database, log_id } = opened;
  try {
    const { from, through } = await stretch_of(opened, options);
    const line = new ProgressLine(`export events of ${domain.name}`, through - from + 1, system_clock.now_ms);
    try {
      const { files, there_before, events } = await export_events({
        database,
        place,
        form: { format, gzip },
        domain: domain.name,
        log_id,
        from,
        through,
        types: type.length === 0 ? null : [...new Set(type)].sort(),
        positions_of_file: POSITIONS_OF_FILE,
        signal,
        progress: (positions) => line.add(positions),
      });
      console.log(
        `${events} events, positions ${from} to ${through}, in ${files} files, ${there_before} of them there before, in ${place.shown}`,
      );
    } finally {
      line.end();
    }
  } finally {
    await database.close();
  }
}

/** The positions that are asked for: a time means when events were recorded. Throws UsageError where the log has none of them. */
async function stretch_of(
  { database }: Pick<Opened, "database">,
  { from, to }: Pick<TableExportOptions, "from" | "to">,
): Promise<{ readonly from: number; readonly through: number }> {
  const { position: head } = await read_head(database);
  const last = async (at_us: number) => (await moment_at_time(database, at_us)).position;
  const first = from === undefined ? 1 : "position" in from ? from.position : await last(from.at_us - 1) + 1;
  const through = to === undefined ? head : "position" in to ? to.position : await last(to.at_us);
  if (through > head) throw new UsageError(`export: expected --to up to ${head}, the log's head, got ${through}`);
  if (first > through && (first > 1 || through > 0)) {
    throw new UsageError(`export: expected events from --from to --to, got positions ${first} to ${through}`);
  }
  return { from: first, through };
}
