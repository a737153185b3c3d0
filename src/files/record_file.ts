import type { Fault } from "../domains/mod.ts";
import type { SourceRecord } from "../mapping/mod.ts";
import type { FileFormat } from "./file_format.ts";

/** A row of a file: a record, or what keeps it from being one, with its text as it stands. */
export type FileRow =
  /** `line` counts from 1: the line the row begins on, a header included; in Parquet, which has no lines, the row. */
  | { readonly line: number; readonly record: SourceRecord }
  | { readonly line: number; readonly record: null; readonly fault: Fault; readonly text: string };

/** A row that is no record: why, in a stable code and a sentence. */
export const faulty_row = (line: number, text: string, reason: string, detail: string): FileRow => ({
  line,
  record: null,
  fault: { reason, path: null, detail },
  text,
});

/** Some rows, and how much of the file is read with them: 0 to 1. */
export interface RowBatch {
  readonly rows: readonly FileRow[];
  readonly share: number;
}

/** A file of records. */
export interface RecordFile {
  readonly path: string;
  readonly format: FileFormat;
  readonly gzip: boolean;
  /** What told its format. */
  readonly told_by: "name" | "content";
  /** All its rows in their order, from the beginning each time; memory does not grow with the file. Throws FileError. */
  rows(): AsyncGenerator<RowBatch>;
  /** A record of this file as text, as it stands there. */
  text_of(record: SourceRecord): string;
}

/** A file that cannot be read on: which, where, and why. */
export class FileError extends Error {
  override readonly name = "FileError";
}
