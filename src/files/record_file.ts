import type { Fault } from "../domains/mod.ts";
import type { SourceRecord } from "../mapping/mod.ts";

/** What a file's records are written in. */
export type FileFormat = "csv" | "json" | "parquet";

/** What the text of a file may be packed by. */
export type Packing = "gzip" | "zstd";
/** What the names of such files end in. */
export const PACKED: Readonly<Record<Packing, string>> = { gzip: ".gz", zstd: ".zst" };

/** A row of a file: a record, or what keeps it from being one, with its text as it stands. */
export type FileRow =
  /** `line` counts from 1: the line the row begins on, a header included; in Parquet, which has no lines, the row. */
  | { readonly line: number; readonly record: SourceRecord }
  | { readonly line: number; readonly record: null; readonly fault: Fault; readonly text: string };

/**
 * A row that is no record: why, in a stable code and a sentence.
 * @param path the column that it is told of, where it is one
 */
export const faulty_row = (
  line: number,
  text: string,
  reason: string,
  detail: string,
  path: string | null = null,
): FileRow => ({ line, record: null, fault: { reason, path, detail }, text });

/** The longest row, in characters. What is longer is most likely none; it must not take all memory. */
export const LONGEST_ROW = 8 << 20;

/** Of a line that is too long, the characters that are kept. */
const HEAD = 1_000;

/** A line without end: its beginning and its length are kept, the rest is passed over as it comes. */
export class OverlongLine {
  #head = "";
  #length = 0;

  /** Whether one has begun and not ended. */
  get begun(): boolean {
    return this.#length > 0;
  }

  /** Takes in some of its text. */
  take(text: string, from: number, to: number): void {
    // A copy: a part of a text would keep all of it in memory.
    if (this.#length === 0) this.#head = text.slice(from, Math.min(to, from + HEAD)).split("").join("");
    this.#length += to - from;
  }

  /** The row that stands for it, once it has ended. */
  row(line: number): FileRow {
    const detail =
      `expected a line of at most ${LONGEST_ROW} characters, got ${this.#length}; its text here is the first of them`;
    const row = faulty_row(line, this.#head, "too_large", detail);
    this.#head = "";
    this.#length = 0;
    return row;
  }
}

/** Some rows, and how much of the file is read with them: 0 to 1. */
export interface RowBatch {
  readonly rows: readonly FileRow[];
  readonly share: number;
}

/** A file of records. */
export interface RecordFile {
  readonly path: string;
  readonly format: FileFormat;
  readonly packing: Packing | null;
  /** What told its format. */
  readonly told_by: "name" | "content";
  /** Where in each of its JSON documents the records are, as a path; null where the documents, or the elements of an array, are. */
  readonly records: string | null;
  /** Further places in its first JSON document that have lists of objects. */
  readonly other_lists: readonly string[];
  /** All its rows in their order, from the beginning each time; memory does not grow with the file. Throws FileError. */
  rows(): AsyncGenerator<RowBatch>;
  /** A record of this file as text, as it stands there. */
  text_of(record: SourceRecord): string;
}

/** A file that cannot be read on: which, where, and why. */
export class FileError extends Error {
  override readonly name = "FileError";
}
