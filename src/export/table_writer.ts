import { ParquetTable } from "./parquet_table.ts";
import type { PlacedFile } from "./place.ts";
import type { ExportColumn, TableForm, TableWriter } from "./table.ts";
import { TextTable } from "./text_table.ts";

/** What the name of a file of that kind ends in. */
export const file_ending = ({ format, gzip }: TableForm): string => `.${format}${gzip ? ".gz" : ""}`;

/**
 * Writes a table into a file.
 * @param about what the file says of itself, where its format has room for that
 * @param written hears of the bytes
 */
export function table_writer(
  columns: readonly ExportColumn[],
  { format, gzip }: TableForm,
  about: Readonly<Record<string, unknown>>,
  file: PlacedFile,
  written: (bytes: number) => void,
): TableWriter {
  const write = async (bytes: Uint8Array<ArrayBuffer>) => {
    await file.write(bytes);
    written(bytes.length);
  };
  if (format === "parquet") return new ParquetTable(columns, about, write);
  return new TextTable(columns, format, gzip, write);
}
