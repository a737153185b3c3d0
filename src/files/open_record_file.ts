import { csv_rows, csv_text } from "./csv_rows.ts";
import { type FileFormat, format_of_name, format_of_text, is_gzip, is_parquet } from "./file_format.ts";
import { ndjson_rows } from "./ndjson_rows.ts";
import { parquet_rows } from "./parquet_rows.ts";
import { FileError, type RecordFile } from "./record_file.ts";
import { text_pieces } from "./text_pieces.ts";

/**
 * Opens a file of records and tells its format: by its name, where that states one, otherwise by its first bytes. Gzip is told by its bytes.
 * @throws FileError when it cannot be read, or is not what its name states
 */
export async function open_record_file(path: string): Promise<RecordFile> {
  const quoted = JSON.stringify(path);
  const head = await first_bytes(path).catch((cause) => {
    throw new FileError(`open ${quoted}`, { cause });
  });
  const gzip = is_gzip(head);
  const stated = format_of_name(path);
  if (path.toLowerCase().endsWith(".gz") && !gzip) {
    throw new FileError(`open ${quoted}: expected gzip, got other bytes`);
  }
  if (stated === "parquet" && gzip) {
    throw new FileError(`open ${quoted}: Parquet is not read in reading order; unpack it first`);
  }
  if (stated === "parquet" && !is_parquet(head)) {
    throw new FileError(`open ${quoted}: expected Parquet, which begins with PAR1; got other bytes`);
  }
  const format = stated ?? (is_parquet(head) ? "parquet" : await format_inside(path, gzip));
  return {
    path,
    format,
    gzip,
    told_by: stated === null ? "content" : "name",
    rows: () =>
      format === "parquet"
        ? parquet_rows(path)
        : (format === "csv" ? csv_rows : ndjson_rows)(path, text_pieces(path, gzip)),
    text_of: (record) => format === "csv" ? csv_text(Object.values(record)) : JSON.stringify(record),
  };
}

async function first_bytes(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const head = new Uint8Array(4);
  return head.subarray(0, await file.read(head) ?? 0);
}

async function format_inside(path: string, gzip: boolean): Promise<FileFormat> {
  for await (const { text } of text_pieces(path, gzip)) {
    if (text.trim() !== "") return format_of_text(text);
  }
  return "csv";
}
