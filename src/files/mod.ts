/**
 * Files of records: CSV and JSON (both also packed by gzip or zstd) and Parquet, read row by row in bounded memory. Each row
 * comes with its line; one that cannot be read comes with its fault and its text, and the rows after it still come.
 */
export { bytes_of_text } from "./text_pieces.ts";
export { unpack_zstd } from "./unpacked.ts";
export { FileError, type FileRow, PACKED, type Packing, type RecordFile } from "./record_file.ts";
import { csv_rows, csv_text } from "./csv_rows.ts";
import { find_records, json_rows } from "./json_rows.ts";
import { parquet_rows } from "./parquet_rows.ts";
import { FileError, type FileFormat, PACKED, type Packing, type RecordFile } from "./record_file.ts";
import { bytes_of_text, encoding_named, other_encoding, text_pieces, type TextPiece } from "./text_pieces.ts";
import { packing_of } from "./unpacked.ts";

/** How to read a file, where it does not say so itself. */
export interface FileOptions {
  /** Where the records are in each JSON document: names from the top down, with points between, such as `data.items`. */
  readonly records?: string | undefined;
  /** The encoding of its text, as the web platform names them, such as `windows-1252`; a byte order mark goes before it. */
  readonly encoding?: string | undefined;
  /** Names that lists of records have in documents around them, besides the usual ones. */
  readonly lists?: readonly string[] | undefined;
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

/** Other things than records that files turn out to be, by their first bytes, packed or not, and what to do. */
const FOREIGN: readonly (readonly [string, string])[] = [
  ["504b0304", "a ZIP archive or spreadsheet; unpack it, or save its sheet as CSV"],
  ["d0cf11e0", "an old spreadsheet; save its sheet as CSV"],
  ["425a68", "what bzip2 packed; unpack it with bunzip2"],
  ["fd377a58", "what xz packed; unpack it with unxz"],
  ["377abcaf", "a 7z archive; unpack it"],
  ["4f626a01", "Avro; write it as JSON or Parquet"],
  ["4152524f5731", "Arrow; write it as Parquet"],
  ["53514c6974652066", "a SQLite database; write its table as CSV"],
  ["526172211a07", "a RAR archive; unpack it"],
  ["04224d18", "what lz4 packed; unpack it with unlz4"],
  ["25504446", "a PDF"],
];
const PARQUET = "50415231";

/** The format and the packing that a file's name states; null where it states none. */
function stated_by(path: string): { readonly format: FileFormat | null; readonly packing: Packing | null } {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const packing = (["gzip", "zstd"] as const).find((each) => name.endsWith(PACKED[each])) ?? null;
  const plain = packing === null ? name : name.slice(0, -PACKED[packing].length);
  return { format: EXTENSIONS[plain.slice(plain.lastIndexOf(".") + 1)] ?? null, packing };
}

/** What stands before each document of a JSON text sequence. */
const SEQUENCE_MARK = "\x1e";

/** Of the first text of a file, in characters, what its format and the place of its records are told by. */
const TELLING = 1 << 20;

/**
 * Opens a file of records and tells its format: by its name, where that states one, otherwise by its first bytes. How it is packed is told by its bytes.
 * @throws FileError when it cannot be read, or is not what its name states
 */
export async function open_record_file(
  path: string,
  { records, encoding, lists }: FileOptions = {},
): Promise<RecordFile> {
  const quoted = JSON.stringify(path);
  const head = await first_bytes(path).catch((cause) => {
    throw cause instanceof FileError ? cause : new FileError(`open ${quoted}`, { cause });
  });
  const got = (expected: string, what: string) => new FileError(`open ${quoted}: expected ${expected}, got ${what}`);
  const packing = packing_of(head);
  const is_parquet = head.startsWith(PARQUET);
  const { format: stated, packing: stated_packing } = stated_by(path);
  if (stated_packing !== null && packing !== stated_packing) throw got(stated_packing, packing ?? "other bytes");
  if (stated === "parquet" && packing !== null) {
    throw new FileError(`open ${quoted}: Parquet is not read in reading order; unpack it first`);
  }
  if (stated === "parquet" && !is_parquet) throw got("Parquet, which begins with PAR1", "other bytes");
  if (stated !== null && stated !== "parquet" && is_parquet) throw got(`${stated}, as its name says`, "Parquet");
  const other_thing = foreign(head);
  if (other_thing !== undefined) throw got("CSV, JSON or Parquet", other_thing);
  const read_as = encoding === undefined ? undefined : encoding_named(encoding);
  if (read_as === null) {
    throw got("an encoding such as utf-8, utf-16le, windows-1252 or shift_jis", JSON.stringify(encoding));
  }
  const pieces = () => text_pieces(path, packing, read_as);
  const text = is_parquet ? "" : await first_text(pieces());
  const no_records = foreign_text(text);
  if (no_records !== undefined) throw got("CSV, JSON or Parquet", no_records);
  const other = other_encoding(text);
  if (other !== null) throw new FileError(`read ${quoted}: ${other}`);
  const format = stated ??
    (is_parquet ? "parquet" : /^\s*(?:[[{]|"\{\\)/.test(text.replaceAll(SEQUENCE_MARK, "")) ? "json" : "csv");
  const beginning = JSON.stringify(text.trimStart().slice(0, 40));
  if (format === "csv" && /^\s*(?:\[\s*[[{\]]|\{\s*")/.test(text)) {
    throw got("CSV, as its name says", `JSON, which begins with ${beginning}`);
  }
  if (format === "json" && text.trim() !== "" && !/^\W*[[{]/m.test(text)) {
    throw got("JSON, as its name says, which begins with { or [", beginning);
  }
  const opened = { path, format, packing, told_by: stated === null ? "content" : "name" } as const;
  if (format === "parquet") {
    return { ...opened, records: null, other_lists: [], rows: () => parquet_rows(path), text_of: JSON.stringify };
  }
  if (format === "csv") {
    const rows = () => csv_rows(path, pieces());
    return { ...opened, records: null, other_lists: [], rows, text_of: (record) => csv_text(Object.values(record)) };
  }
  const found = find_records(text, lists);
  const at = records === undefined ? found.path : records.split(".");
  return {
    ...opened,
    records: at.length === 0 ? null : at.join("."),
    other_lists: found.others,
    rows: () => json_rows(pieces(), at),
    text_of: JSON.stringify,
  };
}

/** The first bytes of a file, hexadecimal. Throws where it is none, or FileError for what cannot be read twice. */
async function first_bytes(path: string): Promise<string> {
  const no_file = (what: string) => new FileError(`open ${JSON.stringify(path)}: expected a file, got ${what}`);
  const PIPE = "a pipe or device; files are read twice: write it to one";
  if (path === "-") throw no_file("-, for standard input; files are read twice: write it to one");
  using file = await Deno.open(path).catch((error) => {
    throw error instanceof Deno.errors.NotCapable && /^\/(dev|proc)\//.test(path) ? no_file(PIPE) : error;
  });
  const { isFile, isDirectory } = await file.stat();
  if (isDirectory) throw no_file("a folder; name the files in it");
  if (!isFile) throw no_file(PIPE);
  const head = new Uint8Array(8);
  return head.subarray(0, await file.read(head) ?? 0).toHex();
}

/** What begins with these bytes, hexadecimal, and is no records. */
const foreign = (begin: string): string | undefined => FOREIGN.find(([magic]) => begin.startsWith(magic))?.[1];

/** What a text is that is no text of records, and what to do; undefined for one that may be. */
function foreign_text(text: string): string | undefined {
  const begin = bytes_of_text(text.slice(0, 8)).toHex(), other_thing = foreign(begin);
  if (other_thing !== undefined) return other_thing;
  if (packing_of(begin) !== null) return "what is packed twice; unpack it once";
  if (begin.startsWith(PARQUET)) return "Parquet in a packed file; unpack it first";
  if (/^\s*</.test(text)) return "HTML or XML; was an error downloaded?";
  // The names of archives end in zeros, and so do the first lines of nearly all that is no text.
  if (text.slice(257, 262) === "ustar") return "a tar archive; unpack it";
  // A letter of UTF-16 without a mark has one as well.
  return text.length > 4 && /^[^\n\r]*\0/.test(text)
    ? "zeros in the first line: no text, or one that --encoding has to name"
    : undefined;
}

async function first_text(pieces: AsyncIterable<TextPiece>): Promise<string> {
  let head = "";
  for await (const { text } of pieces) {
    head += text;
    if (head.length >= TELLING) break;
  }
  return head.slice(0, TELLING);
}
