/**
 * Files of records: CSV and JSON (both also as gzip) and Parquet, read row by row in bounded memory. Each row comes with
 * its line; one that cannot be read comes with its fault and its text, and the rows after it still come.
 */
export { type FileOptions, open_record_file } from "./open_record_file.ts";
export { bytes_of_text } from "./text_pieces.ts";
export { FileError, type FileRow, type RecordFile, type RowBatch } from "./record_file.ts";
