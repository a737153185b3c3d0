import { z } from "zod";
import { type Database, type Queryable, snapshot, text_array, type Value } from "../database/mod.ts";
import { batches_of_events, events_between, read_head } from "../event_log/mod.ts";
import { keys_of_sql } from "../feed/mod.ts";
import { type ExportPlace, PlaceUnusable } from "./place.ts";
import {
  type ColumnKind,
  type ExportColumn,
  type ExportRow,
  file_ending,
  type TableForm,
  write_table,
} from "./table.ts";
import type { Domain } from "../domains/mod.ts";
import { format_time, UNKNOWN } from "../kpi/mod.ts";

/**
 * What a log is exported as in tables: its events, in files of a stretch of positions that are never written twice; and what is made of them, as of
 * one moment, in one file.
 */

/** The columns of an exported event: those of the log's table, and the batch that it came in. An export of some types says no batches: it is no log. */
const EXPORTED_EVENT: readonly ExportColumn[] = [
  { name: "position", kind: "whole", nullable: false },
  { name: "batch", kind: "whole", nullable: false },
  { name: "stream_id", kind: "text", nullable: false },
  { name: "revision", kind: "whole", nullable: false },
  { name: "event_id", kind: "text", nullable: false },
  { name: "type", kind: "text", nullable: false },
  { name: "schema_version", kind: "whole", nullable: false },
  { name: "occurred_at", kind: "time", nullable: false },
  { name: "recorded_at", kind: "time", nullable: false },
  { name: "data", kind: "json", nullable: false },
  { name: "metadata", kind: "json", nullable: false },
];

/** Which events are exported, how and where to. */
interface EventsExport {
  readonly database: Queryable;
  readonly place: ExportPlace;
  readonly form: TableForm;
  readonly domain: string;
  readonly log_id: string;
  /** The first and the last position. */
  readonly from: number;
  readonly through: number;
  /** Their types; null: all. */
  readonly types: readonly string[] | null;
  /** Positions of a file: they begin at multiples of it, one more. */
  readonly positions_of_file: number;
  readonly signal: AbortSignal;
  /** Hears of positions that are through. */
  readonly progress: (positions: number) => void;
}

/** What came of an export: its files, and how many of them an earlier run had written. */
interface ExportedFiles {
  readonly files: number;
  readonly there_before: number;
  readonly events: number;
}

const manifest_schema = z.object({
  events_of: z.object({
    domain: z.string(),
    log_id: z.string(),
    form: z.object({ format: z.string(), gzip: z.boolean().optional(), packing: z.string().optional() }),
    from: z.number(),
    types: z.array(z.string()).nullable(),
    positions_of_file: z.number(),
  }),
  through: z.number(),
  files: z.array(
    z.object({ name: z.string(), from: z.number(), through: z.number(), events: z.number(), bytes: z.number() }),
  ),
});
type Manifest = z.infer<typeof manifest_schema>;
type WrittenFile = Manifest["files"][number];

/** A form as manifests have it: without zstd as programs that know none go on with it; those refuse what is packed so. */
const told_form = ({ format, packing }: TableForm): Manifest["events_of"]["form"] =>
  packing === "zstd" ? { format, packing } : { format, gzip: packing === "gzip" };

/** Says which files are whole, and what is in them. */
const MANIFEST = "events.manifest.json";

/**
 * Exports events into files of a bounded stretch of positions, each of which is there whole or not at all. What the manifest says is there is
 * not written again: killed at any moment, the next run goes on; later, it adds what came since.
 * @throws PlaceUnusable where another export is
 */
export async function export_events(source: EventsExport): Promise<ExportedFiles> {
  const { place, from, through, positions_of_file, signal, progress, domain, log_id, form, types } = source;
  const events_of = {
    domain,
    log_id,
    form: told_form(form),
    from,
    types: types === null ? null : [...types],
    positions_of_file,
  };
  const before = await read_manifest(place, { events_of, through });
  const known = new Map(before.map((file) => [file.name, file]));
  const files: WrittenFile[] = [];
  let there_before = 0;
  for (let first = from; first <= through;) {
    signal.throwIfAborted();
    const last = Math.min(through, Math.ceil(first / positions_of_file) * positions_of_file);
    const name = `events-${String(first).padStart(12, "0")}${file_ending(form)}`;
    const file = known.get(name);
    if (file?.through === last && await place.size(name) === file.bytes) {
      files.push(file);
      there_before++;
      progress(last - first + 1);
    } else {
      files.push(await write_file(source, name, first, last));
      // Files after it are of the same stretches as before, or there are none.
      const rest = before.filter((other) => other.from > last);
      await place.write(MANIFEST, manifest_text({ events_of, through, files: [...files, ...rest] }));
    }
    first = last + 1;
  }
  if (files.length === 0) await place.write(MANIFEST, manifest_text({ events_of, through, files }));
  return { files: files.length, there_before, events: files.reduce((sum, { events }) => sum + events, 0) };
}

const manifest_text = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`;

/** The files that are there of the same export. Throws PlaceUnusable where there is another one. */
async function read_manifest(
  place: ExportPlace,
  { events_of, through }: Pick<Manifest, "events_of" | "through">,
): Promise<readonly WrittenFile[]> {
  const text = await place.read(MANIFEST);
  if (text === null) return [];
  const another = (what: string) =>
    new PlaceUnusable(
      `export to ${place.shown}: ${MANIFEST} there is ${what}; choose another place, or remove that one`,
    );
  let manifest: Manifest;
  try {
    manifest = manifest_schema.parse(JSON.parse(text));
  } catch (cause) {
    throw Object.assign(another("none that this program wrote"), { cause });
  }
  const names = Object.keys(events_of) as (keyof typeof events_of)[];
  for (const name of names) {
    const [there, wanted] = [JSON.stringify(manifest.events_of[name]), JSON.stringify(events_of[name])];
    if (there !== wanted) throw another(`that of another export: its ${name} is ${there}, that of this one ${wanted}`);
  }
  if (manifest.through > through) {
    throw another(`that of an export up to position ${manifest.through}, this one ends at ${through}`);
  }
  return manifest.files;
}

async function write_file(source: EventsExport, name: string, first: number, last: number): Promise<WrittenFile> {
  const { place, form, domain, log_id, types } = source;
  const columns = EXPORTED_EVENT.filter(({ name }) => types === null || name !== "batch");
  const about = { domain, log_id, from: first, through: last };
  const { rows, bytes } = await write_table(place, form, { name, columns, about }, rows_of(source, first, last));
  return { name, from: first, through: last, events: rows, bytes };
}

async function* rows_of(
  { database, types, signal, progress }: EventsExport,
  first: number,
  last: number,
): AsyncGenerator<ExportRow[]> {
  const batch_of = batches_of_events(database);
  for await (const page of events_between(database, first - 1, last)) {
    signal.throwIfAborted();
    const rows: ExportRow[] = [];
    for (const event of page) {
      if (types !== null && !types.includes(event.type)) continue;
      rows.push([
        event.position,
        ...types === null ? [await batch_of(event.position)] : [],
        event.stream_id,
        event.revision,
        event.event_id,
        event.type,
        event.schema_version,
        event.occurred_at_us,
        event.recorded_at_us,
        event.data,
        event.metadata,
      ]);
    }
    yield rows;
    progress(page.length);
  }
}

/** What is made of the log, by the name of its table in a domain's declaration. */
export type MadeOfTheLog = "states" | "cells" | "totals";

/** Which rows of a table are exported, how and where to. */
export interface SnapshotExport {
  readonly database: Database;
  readonly place: ExportPlace;
  readonly form: TableForm;
  readonly domain: Domain;
  readonly log_id: string;
  readonly what: MadeOfTheLog;
  /** Values of dimensions that rows have, of one dimension any of its own; of cells and totals at most one, as each is of one dimension. */
  readonly filters: readonly { readonly dimension: string; readonly key: string }[];
  /** Of cells: their grain, and the first and the last beginning of their buckets, microseconds; null: any. */
  readonly grain: string | null;
  readonly from_us: number | null;
  readonly to_us: number | null;
  readonly signal: AbortSignal;
  /** Hears of rows that are through. */
  readonly progress: (rows: number) => void;
}

/** What came of it. */
interface ExportedTable {
  readonly name: string;
  readonly rows: number;
  /** Up to which position of the log it is known. */
  readonly position: number;
}

/** Rows that are asked for at a time. */
const PAGE = 5_000;

/** What an exported state does without: by these columns ingest knows its events again. */
const INTERNAL = new Set(["positions", "event_hashes"]);

/**
 * Exports a table of what is made of the log, as of one moment of it, into one file that is there whole or not at all. Its columns are the table's;
 * those of amounts lose the end of their names, `_micros`, and are decimals.
 */
export function export_table(source: SnapshotExport): Promise<ExportedTable> {
  const { database, place, form, domain, log_id, what, signal, progress } = source;
  const table = domain.tables[what];
  if (table === null) throw new Error(`export ${what}: the domain ${domain.name} has none`);
  return snapshot(database, async (reading) => {
    const { position, figures_id } = await read_head(reading);
    const columns = (await reading.query<TableColumn>(COLUMNS, [table])).filter(({ name }) => !INTERNAL.has(name));
    const exported = columns.map(exported_column);
    const { where, values } = chosen(source);
    const list = columns.map((column, i) => `${selected(column, exported[i]!.kind)} as "${i}"`).join(", ");
    const currency = columns.some(({ name }) => name === "currency") ? ["currency"] : [];
    const order = what === "states"
      ? [domain.stream_column]
      : what === "cells"
      ? ["grain", "dimension", "bucket", ...currency, "key"]
      : ["dimension", ...currency, "key"];
    const select = `select ${list} from ${table} t where ${where} order by ${order.join(", ")}`;
    const pages = async function* () {
      for await (const page of reading.pages(select, values, PAGE)) {
        signal.throwIfAborted();
        yield page.map((row) => exported.map((_, i) => row[i] as ExportRow[number]));
        progress(page.length);
      }
    };
    const name = `${table}${file_ending(form)}`;
    const about = { domain: domain.name, log_id, figures_id, table, position };
    const { rows } = await write_table(place, form, { name, columns: exported, about }, pages());
    return { name, rows, position };
  }, [table]);
}

/** A column as PostgreSQL has it. */
type TableColumn = { readonly name: string; readonly type: string; readonly nullable: boolean };

const COLUMNS = `select attname::text as name, format_type(atttypid, null) as type, not attnotnull as nullable
  from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`;

const MICROS = /_micros$/;
const TIME = "timestamp with time zone";

function exported_column({ name, type, nullable }: TableColumn): ExportColumn {
  const kind = kind_of(name, type);
  return {
    name: kind === "amount" ? name.replace(MICROS, "") : kind === "amounts" ? name.replace(MICROS, "s") : name,
    kind,
    nullable,
  };
}

function kind_of(name: string, type: string): ColumnKind {
  const is_amount = MICROS.test(name);
  switch (type) {
    case "text":
      return "text";
    case "smallint":
    case "integer":
    case "bigint":
      return is_amount ? "amount" : "whole";
    case "numeric":
      return is_amount ? "amount" : "sum";
    case "double precision":
      return "number";
    case TIME:
      return "time";
    case `${TIME}[]`:
      return "times";
    case "bigint[]":
      if (is_amount) return "amounts";
  }
  throw new Error(`export column ${name}: expected a type that states and cells have, got ${type}`);
}

/** A column as SQL that gives what `ExportRow` has: whole numbers as their digits, times as microseconds. */
function selected({ name }: TableColumn, kind: ColumnKind): string {
  const micros = (time: string) => `(extract(epoch from ${time}) * 1000000)::bigint::text`;
  switch (kind) {
    case "time":
      return micros(`t.${name}`);
    case "times":
      return `case when t.${name} is not null then array(select ${micros("at")} from unnest(t.${name}) at) end`;
    case "amounts":
      return `t.${name}::text[]`;
    case "whole":
    case "sum":
    case "amount":
      return `t.${name}::text`;
  }
  return `t.${name}`;
}

/** The rows that are asked for, as SQL. Names of dimensions are those of the domain. */
function chosen({ what, domain, filters, grain, from_us, to_us }: SnapshotExport) {
  const values: Value[] = [];
  const given = (value: Value) => `$${values.push(value)}`;
  const parts = ["true"];
  for (const [dimension, own] of Map.groupBy(filters, ({ dimension }) => dimension)) {
    const named = own.map(({ key }) => key), of = given(text_array(named));
    const keys = `any(${keys_of_sql(domain.board, dimension, `${of}::text[]`)})`;
    if (what !== "states") parts.push(`dimension = ${given(dimension)} and key = ${keys}`);
    else {
      const { column } = domain.dimensions.find(({ name }) => name === dimension)!;
      parts.push(named.includes(UNKNOWN) ? `(t.${column} is null or t.${column} = ${keys})` : `t.${column} = ${keys}`);
    }
  }
  if (grain !== null) parts.push(`grain = ${given(grain)}`);
  if (from_us !== null) parts.push(`bucket >= ${given(format_time(from_us))}::timestamptz`);
  if (to_us !== null) parts.push(`bucket <= ${given(format_time(to_us))}::timestamptz`);
  return { where: parts.join(" and "), values };
}
