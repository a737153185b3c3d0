import { ParquetTable } from "./parquet_table.ts";
import type { ExportPlace } from "./place.ts";
import type { ExportColumn, ExportRow, TableForm, TableWriter } from "./table.ts";
import { TextTable } from "./text_table.ts";

/** What the name of a file of that kind ends in. */
export const file_ending = ({ format, gzip }: TableForm): string => `.${format}${gzip ? ".gz" : ""}`;

/** What a file of a table is called, what it holds and what it says of itself, where its format has room for that. */
export interface TableFile {
  readonly name: string;
  readonly columns: readonly ExportColumn[];
  readonly about: Readonly<Record<string, unknown>>;
}

/**
 * Writes a table into a file that is there whole or not at all.
 * @param rows its rows, some at a time
 * @returns how many rows and bytes it has
 */
export async function write_table(
  place: ExportPlace,
  { format, gzip }: TableForm,
  { name, columns, about }: TableFile,
  rows: AsyncIterable<readonly ExportRow[]>,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const file = await place.begin(name), counted = { rows: 0, bytes: 0 };
  const write = async (bytes: Uint8Array<ArrayBuffer>) => {
    await file.write(bytes);
    counted.bytes += bytes.length;
  };
  try {
    const writer: TableWriter = format === "parquet"
      ? new ParquetTable(columns, about, write)
      : new TextTable(columns, format, gzip, write);
    for await (const some of rows) {
      await writer.put(some);
      counted.rows += some.length;
    }
    await writer.end();
    await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
  return counted;
}
