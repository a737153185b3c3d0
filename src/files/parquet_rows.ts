import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { check_pages } from "./parquet_pages.ts";
import { PARSERS, reader_of, type ValueReader } from "./parquet_values.ts";
import { faulty_row, FileError, type FileRow, type RowBatch } from "./record_file.ts";
import { no_text } from "./text_pieces.ts";

/**
 * Rows decoded at once. Row groups may have millions of rows; the library passes over the pages of a group that lie before a slice
 * without unpacking them, so that slices cost little.
 */
const SLICE = 1 << 16;
const BATCH = 2_000;

/** The rows of a Parquet file, group by group and slice by slice; all codecs but LZO. */
export async function* parquet_rows(path: string): AsyncGenerator<RowBatch> {
  const quoted = JSON.stringify(path);
  const file = await Deno.open(path).catch((cause) => {
    throw new FileError(`open ${quoted}`, { cause });
  });
  const { source, stop } = await readable(file);
  try {
    const [metadata, readers] = await parquetMetadataAsync(source, { geoparquet: false })
      .then((metadata) => [metadata, exact_readers(metadata)] as const)
      .catch((cause) => {
        throw new FileError(`read the footer of ${quoted} (Parquet)`, { cause });
      });
    const total = Number(metadata.num_rows);
    let group_start = 0;
    for (const [index, group] of metadata.row_groups.entries()) {
      const group_end = group_start + Number(group.num_rows);
      await check_pages(source, metadata, group).catch((cause) => {
        throw new FileError(`read row group ${index + 1} of ${quoted} (Parquet)`, { cause });
      });
      for (let start = group_start; start < group_end; start += SLICE) {
        const end = Math.min(start + SLICE, group_end);
        const columns = await read_slice(source, metadata, start, end).catch((cause) => {
          throw new FileError(`read rows ${start + 1} to ${end} of ${quoted} (Parquet)`, { cause });
        });
        for (let from = start; from < end; from += BATCH) {
          const to = Math.min(from + BATCH, end);
          yield { rows: rows_between(columns, readers, start, from, to), share: to / total };
        }
      }
      group_start = group_end;
    }
  } finally {
    await stop();
    file.close();
  }
}

/** A file as the library reads it; after `stop` nothing that it still waits for comes: where one column fails, nobody hears the others fail. */
async function readable(
  file: Deno.FsFile,
): Promise<{ readonly source: AsyncBuffer; readonly stop: () => Promise<unknown> }> {
  const { size } = await file.stat();
  // One handle has one position: reads wait for each other.
  let turn: Promise<unknown> = Promise.resolve();
  const read = async (start: number, end: number): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(end - start);
    await file.seek(start, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) {
      const count = await file.read(bytes.subarray(at));
      if (count === null) throw new Error(`expected ${size} bytes, the file ends at ${start + at}`);
      at += count;
    }
    return bytes.buffer;
  };
  let stopped = false;
  const unless_stopped = <Outcome>(outcome: Promise<Outcome>) =>
    new Promise<Outcome>((resolve, reject) => {
      outcome.then((value) => stopped || resolve(value), (error) => stopped || reject(error));
    });
  const slice = (start: number, end = size): Promise<ArrayBuffer> => {
    const mine = turn.then(() => read(start, end));
    turn = mine.catch(() => {});
    return unless_stopped(mine);
  };
  const stop = () => {
    stopped = true;
    return turn;
  };
  return { source: { byteLength: size, slice }, stop };
}

/**
 * How the values of each column are read, in the order of the columns. Takes the library's own conversions out of the schema where ours are
 * exact.
 */
function exact_readers(metadata: FileMetaData): ReadonlyMap<string, ValueReader> {
  return new Map(parquetSchema(metadata).children.map((column) => [column.element.name, reader_of(column)]));
}

async function read_slice(
  file: AsyncBuffer,
  metadata: FileMetaData,
  start: number,
  end: number,
): Promise<ReadonlyMap<string, unknown[]>> {
  const columns = new Map<string, unknown[]>();
  await parquetRead({
    file,
    metadata,
    rowStart: start,
    rowEnd: end,
    compressors,
    utf8: false,
    geoparquet: false,
    useOffsetIndex: true,
    parsers: PARSERS,
    onChunk({ columnName, columnData, rowStart, rowEnd }) {
      let column = columns.get(columnName);
      if (column === undefined) columns.set(columnName, column = new Array(end - start));
      for (let row = Math.max(rowStart, start); row < Math.min(rowEnd, end); row++) {
        column[row - start] = columnData[row - rowStart];
      }
    },
  });
  return columns;
}

function rows_between(
  columns: ReadonlyMap<string, unknown[]>,
  readers: ReadonlyMap<string, ValueReader>,
  start: number,
  from: number,
  to: number,
): FileRow[] {
  const rows: FileRow[] = [];
  const read = [...readers].map(([name, reader]) => ({ name, reader, values: columns.get(name) ?? [] }));
  for (let row = from; row < to; row++) {
    const record: Record<string, unknown> = {};
    let unreadable: string | null = null;
    for (const { name, values, reader } of read) {
      const value = record[name] = reader(values[row - start]);
      if (typeof value === "string" && !value.isWellFormed()) unreadable ??= value;
    }
    rows.push(
      unreadable === null
        ? { line: row + 1, record }
        : faulty_row(row + 1, JSON.stringify(record), "invalid_utf8", no_text(unreadable)),
    );
  }
  return rows;
}
