/**
 * Exports: what the log's figures say, written where others look for it.
 *
 * What holds: a document is there whole or not at all; one that says the same already is left as it is, with its time; one that a late event
 * changed is written anew. Killed at any moment, the next run finds what lacks by comparing, so that no progress has to be kept. Tables are
 * written row by row in bounded memory: events, which do not change, in files that are never written twice; what is made of them as of one moment.
 *
 * Decisions: S3 by aws4fetch (SigV4 over fetch, 6 KB): all that is asked of it is to get and to put objects, long ones in parts, and Amazon's
 * own client is some hundred packages. Parquet by hyparquet-writer, the other half of the library that reads it; zstd by Node's.
 */
export {
  type ArchivePage,
  copy_archive,
  read_archive_page,
  verified_events,
  verify_archive,
  write_archive,
} from "./archive_files.ts";
export {
  daily_json,
  daily_name,
  type DailyExport,
  dates_between,
  days_changed,
  read_daily_document,
  write_day,
  yesterday,
} from "./daily_export.ts";
export { export_events, export_table, type MadeOfTheLog, type SnapshotExport } from "./table_export.ts";
export { type ExportPlace, FolderPlace, PlaceUnusable } from "./place.ts";
export { S3Place } from "./s3_place.ts";
export type { TableForm, TableFormat } from "./table.ts";
