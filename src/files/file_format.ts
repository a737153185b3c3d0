/** What a file's records are written in. */
export type FileFormat = "csv" | "ndjson" | "parquet";

const EXTENSIONS: Readonly<Record<string, FileFormat>> = {
  csv: "csv",
  tsv: "csv",
  ndjson: "ndjson",
  jsonl: "ndjson",
  json: "ndjson",
  parquet: "parquet",
  pq: "parquet",
};

const starts_with = (head: Uint8Array, magic: readonly number[]): boolean => magic.every((byte, i) => head[i] === byte);

/** Whether the first bytes of a file are those of gzip. */
export const is_gzip = (head: Uint8Array): boolean => starts_with(head, [0x1f, 0x8b]);

/** Whether the first bytes of a file are those of Parquet: `PAR1`. */
export const is_parquet = (head: Uint8Array): boolean => starts_with(head, [0x50, 0x41, 0x52, 0x31]);

/** The format that a file's name states, `.gz` aside; null when it states none. */
export function format_of_name(path: string): FileFormat | null {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase().replace(/\.gz$/, "");
  return EXTENSIONS[name.slice(name.lastIndexOf(".") + 1)] ?? null;
}

/** The format that the first text of a file shows: JSON, or else columns. */
export const format_of_text = (text: string): FileFormat => /^\s*[[{]/.test(text) ? "ndjson" : "csv";
