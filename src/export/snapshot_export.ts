import { type Database, snapshot, type Value } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import { read_head } from "../event_log/mod.ts";
import { format_time, UNKNOWN } from "../kpi/mod.ts";
import type { ExportPlace } from "./place.ts";
import {
  type ColumnKind,
  type ExportColumn,
  type ExportRow,
  file_ending,
  type TableForm,
  write_table,
} from "./table.ts";

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
  /** Values of dimensions that rows have; of cells and totals at most one, as each is of one dimension. */
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
export interface ExportedTable {
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
  for (const { dimension, key } of filters) {
    if (what !== "states") parts.push(`dimension = ${given(dimension)} and key = ${given(key)}`);
    else {
      const { column } = domain.dimensions.find(({ name }) => name === dimension)!;
      parts.push(key === UNKNOWN ? `t.${column} is null` : `t.${column} = ${given(key)}`);
    }
  }
  if (grain !== null) parts.push(`grain = ${given(grain)}`);
  if (from_us !== null) parts.push(`bucket >= ${given(format_time(from_us))}::timestamptz`);
  if (to_us !== null) parts.push(`bucket <= ${given(format_time(to_us))}::timestamptz`);
  return { where: parts.join(" and "), values };
}
