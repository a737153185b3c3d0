import { moment_at_time, read_head } from "../../event_log/mod.ts";
import { export_events, export_table, type MadeOfTheLog, type TableForm, type TableFormat } from "../../export/mod.ts";
import { system_clock } from "../../runtime/mod.ts";
import { open_to_read, type Opened } from "../open.ts";
import { type Shell, UsageError } from "../shell.ts";
import { ProgressLine } from "../terminal.ts";
import { place_of } from "./follow.ts";

/** A position of the log, or a time, microseconds. */
export type LogPoint = { readonly position: number } | { readonly at_us: number };

/** Options of `tacho export parquet`, `ndjson` and `csv`, as the command line gives them. */
export interface TableExportOptions {
  readonly what: "events" | MadeOfTheLog;
  readonly out: string;
  readonly gzip: boolean;
  /** The first and the last event, or bucket of cells; all that there are unless given. */
  readonly from?: LogPoint;
  readonly to?: LogPoint;
  /** Types of events; all unless given. */
  readonly type: readonly string[];
  /** Values of dimensions, as `name=value`; any unless given. */
  readonly filter: readonly string[];
  /** Of cells; all unless given. */
  readonly grain?: string;
}

/**
 * `tacho export parquet`, `ndjson` and `csv`: the events up to the head as it is at the start, in files of a million positions; or the states,
 * cells or totals of one moment, in a file. Of events the next run goes on where one was stopped or killed, and adds what came since; of
 * the others it writes the file anew.
 */
export async function table_export_verb(shell: Shell, format: TableFormat, options: TableExportOptions): Promise<void> {
  const form = { format, gzip: options.gzip };
  const opened = await open_to_read(shell);
  try {
    console.log(
      options.what === "events"
        ? await events(shell, opened, form, options)
        : await made_of_the_log(shell, opened, form, { ...options, what: options.what }),
    );
  } finally {
    await opened.database.close();
  }
}

/** Wants options not to be given that another table has. Throws UsageError. */
function refuse(what: string, given: Readonly<Record<string, boolean>>): void {
  const [name] = Object.entries(given).find(([, is_given]) => is_given) ?? [];
  if (name !== undefined) throw new UsageError(`export: ${what} have no ${name}; leave it out`);
}

/** Positions of a file of events: at 400 bytes each, some 400 MB of text. */
const POSITIONS_OF_FILE = 1_000_000;

async function events(shell: Shell, opened: Opened, form: TableForm, options: TableExportOptions): Promise<string> {
  const { signal, domain, config } = shell, { type, filter, grain } = options;
  refuse("events", { "--filter": filter.length > 0, "--grain": grain !== undefined });
  const unknown = type.find((each) => !domain.event_types.includes(each));
  if (unknown !== undefined) {
    throw new UsageError(`export: expected --type ${domain.event_types.join(", ")}, got ${JSON.stringify(unknown)}`);
  }
  const place = place_of(options.out, config), { database, log_id } = opened;
  const { from, through } = await stretch_of(opened, options);
  const line = new ProgressLine(`export events of ${domain.name}`, through - from + 1, system_clock.now_ms);
  try {
    const { files, there_before, events } = await export_events({
      database,
      place,
      form,
      domain: domain.name,
      log_id,
      from,
      through,
      types: type.length === 0 ? null : [...new Set(type)].sort(),
      positions_of_file: POSITIONS_OF_FILE,
      signal,
      progress: (positions) => line.add(positions),
    });
    return `${events} events, positions ${from} to ${through}, in ${files} files, ${there_before} of them there before, in ${place.shown}`;
  } finally {
    line.end();
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

async function made_of_the_log(
  { signal, config }: Shell,
  { database, domain, log_id }: Opened,
  form: TableForm,
  options: TableExportOptions & { readonly what: MadeOfTheLog },
): Promise<string> {
  const { what, from, to, type, filter, grain } = options, { tables, dimensions, name: domain_name } = domain;
  if (tables[what] === null) throw new UsageError(`export: ${domain_name} keep no ${what}`);
  refuse(what, {
    "--type": type.length > 0,
    "--grain": what !== "cells" && grain !== undefined,
    "--from and --to": what !== "cells" && (from ?? to) !== undefined,
  });
  if (what !== "states" && filter.length > 1) {
    throw new UsageError(
      `export: expected one --filter at most, as each row of ${what} is of one dimension, got ${filter.length}`,
    );
  }
  const names = dimensions.filter(({ column }) => column !== null).map(({ name }) => name);
  const filters = filter.map((text) => {
    const at = text.indexOf("="), dimension = text.slice(0, at), key = text.slice(at + 1);
    if (at > 0 && names.includes(dimension)) return { dimension, key };
    throw new UsageError(
      `export: expected --filter dimension=value with one of ${names.join(", ")}, got ${JSON.stringify(text)}`,
    );
  });
  const time = (name: string, point: LogPoint | undefined) => {
    if (point === undefined) return null;
    if ("at_us" in point) return point.at_us;
    throw new UsageError(`export: of cells ${name} is a time, such as 2026-03-01T00:00:00Z, got ${point.position}`);
  };
  const place = place_of(options.out, config),
    line = new ProgressLine(`export ${what} of ${domain_name}`, null, system_clock.now_ms);
  try {
    const { name, rows, position } = await export_table({
      ...{ database, place, form, domain, log_id, what, filters, grain: grain ?? null, signal },
      from_us: time("--from", from),
      to_us: time("--to", to),
      progress: (rows) => line.add(rows),
    });
    return `${rows} rows as of position ${position}, in ${place.shown}/${name}`;
  } finally {
    line.end();
  }
}
