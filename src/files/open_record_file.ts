import { csv_rows, csv_text } from "./csv_rows.ts";
import { find_records, json_rows } from "./json_rows.ts";
import { parquet_rows } from "./parquet_rows.ts";
import { FileError, type FileFormat, type RecordFile } from "./record_file.ts";
import { text_pieces } from "./text_pieces.ts";

/** How to read a file, where it does not say so itself. */
export interface FileOptions {
  /** Where the records are in each JSON document: names from the top down, with points between, such as `data.trips`. */
  readonly records?: string | undefined;
}

const EXTENSIONS: Readonly<Record<string, FileFormat>> = {
  csv: "csv",
  tsv: "csv",
  ndjson: "json",
  jsonl: "json",
  json: "json",
  geojson: "json",
  parquet: "parquet",
  pq: "parquet",
};

const starts_with = (head: Uint8Array, magic: readonly number[]): boolean => magic.every((byte, i) => head[i] === byte);

/** The format that a file's name states, `.gz` aside; null when it states none. */
function format_of_name(path: string): FileFormat | null {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase().replace(/\.gz$/, "");
  return EXTENSIONS[name.slice(name.lastIndexOf(".") + 1)] ?? null;
}

/** What stands before each document of a JSON text sequence. */
const SEQUENCE_MARK = "\x1e";

/** Of the first text of a file, in characters, what its format and the place of its records are told by. */
const TELLING = 1 << 20;

/**
 * Opens a file of records and tells its format: by its name, where that states one, otherwise by its first bytes. Gzip is told by its bytes.
 * @throws FileError when it cannot be read, or is not what its name states
 */
export async function open_record_file(path: string, { records }: FileOptions = {}): Promise<RecordFile> {
  const quoted = JSON.stringify(path);
  const head = await first_bytes(path).catch((cause) => {
    throw new FileError(`open ${quoted}`, { cause });
  });
  const gzip = starts_with(head, [0x1f, 0x8b]);
  const is_parquet = starts_with(head, [0x50, 0x41, 0x52, 0x31]);
  const stated = format_of_name(path);
  if (path.toLowerCase().endsWith(".gz") && !gzip) {
    throw new FileError(`open ${quoted}: expected gzip, got other bytes`);
  }
  if (stated === "parquet" && gzip) {
    throw new FileError(`open ${quoted}: Parquet is not read in reading order; unpack it first`);
  }
  if (stated === "parquet" && !is_parquet) {
    throw new FileError(`open ${quoted}: expected Parquet, which begins with PAR1; got other bytes`);
  }
  const text = is_parquet ? "" : await first_text(path, gzip);
  const format = stated ??
    (is_parquet ? "parquet" : /^\s*[[{]/.test(text.replaceAll(SEQUENCE_MARK, "")) ? "json" : "csv");
  const opened = { path, format, gzip, told_by: stated === null ? "content" : "name" } as const;
  if (format === "parquet") {
    return { ...opened, records: null, other_lists: [], rows: () => parquet_rows(path), text_of: JSON.stringify };
  }
  if (format === "csv") {
    const rows = () => csv_rows(path, text_pieces(path, gzip));
    return { ...opened, records: null, other_lists: [], rows, text_of: (record) => csv_text(Object.values(record)) };
  }
  const found = find_records(text);
  const at = records === undefined ? found.path : records.split(".");
  return {
    ...opened,
    records: at.length === 0 ? null : at.join("."),
    other_lists: found.others,
    rows: () => json_rows(text_pieces(path, gzip), at),
    text_of: JSON.stringify,
  };
}

async function first_bytes(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const head = new Uint8Array(4);
  return head.subarray(0, await file.read(head) ?? 0);
}

async function first_text(path: string, gzip: boolean): Promise<string> {
  let head = "";
  for await (const { text } of text_pieces(path, gzip)) {
    head += text;
    if (head.length >= TELLING) break;
  }
  return head.slice(0, TELLING);
}
