import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type RowGroup,
  type SchemaElement,
  type SchemaTree,
  type TimeUnit,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { parquetHeader } from "hyparquet/src/column.js";
import { isListLike, isMapLike } from "hyparquet/src/schema.js";
import { decimal_text, JsonFault, parse_json } from "../domains/mod.ts";
import { faulty_row, FileError, type FileRow, type RowBatch } from "./record_file.ts";
import { bytes_as_text, no_text } from "./text_pieces.ts";

/** What a page may unpack to, bytes: 256 times what writers aim at. Some writers make one page of a whole column chunk. */
const LARGEST_PAGE = 256 << 20;
/** The values of one page: run lengths make millions of a few bytes. */
const MOST_VALUES = 16 << 20;
/** The packed bytes of one row group, all columns together: they are in memory at once. */
const LARGEST_GROUP = 2 ** 31;
/** What a page's header takes; with long texts in its statistics it takes more. */
const HEADER = 4 << 10, LONGEST_HEADER = 1 << 20;

/**
 * Reads the headers of all pages of a row group, before anything is unpacked, and refuses what would take more memory than is stated or
 * holds other values than the footer says. Throws an error that says which column.
 */
export async function check_pages(file: AsyncBuffer, { schema }: FileMetaData, group: RowGroup): Promise<void> {
  const rows = Number(group.num_rows);
  // What has no rows is not read; writers put all sorts of things there.
  if (rows === 0) return;
  let packed = 0;
  for (const { meta_data: chunk } of group.columns) {
    if (chunk === undefined) throw new Error("expected the metadata of each column, got none");
    const name = chunk.path_in_schema.join(".");
    const expected = (what: string) => new Error(`column ${JSON.stringify(name)}: expected ${what}`);
    const size = Number(chunk.total_compressed_size);
    if ((packed += size) > LARGEST_GROUP) {
      throw expected(`row groups of at most ${LARGEST_GROUP} packed bytes, got at least ${packed}`);
    }
    // Zero means that there is none: some writers say it that way.
    const dictionary = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
    const from = Math.min(dictionary, Number(chunk.data_page_offset));
    const end = from + size;
    if (!(from >= 0 && size >= 0 && end <= file.byteLength)) throw expected("pages within the file");
    let values = 0;
    for (let at = from; at < end;) {
      const { header, length } = await header_at(file, at, end);
      const page = header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header;
      const { compressed_page_size: compressed, uncompressed_page_size: uncompressed } = header;
      const within = compressed >= 0 && uncompressed >= 0 && at + length + compressed <= end;
      if (page === undefined || !within) throw expected("pages that lie one behind the other");
      if (uncompressed > LARGEST_PAGE) {
        throw expected(`pages of at most ${LARGEST_PAGE} bytes, got one that unpacks to ${uncompressed}`);
      }
      if (!(page.num_values >= 0 && page.num_values <= MOST_VALUES)) {
        throw expected(`pages of at most ${MOST_VALUES} values, got one with ${page.num_values}`);
      }
      if (header.dictionary_page_header === undefined) values += page.num_values;
      at += length + compressed;
    }
    const is_flat = chunk.path_in_schema.length === 1 &&
      schema.find(({ name: own }) => own === name)?.repetition_type !== "REPEATED";
    if (is_flat && values !== rows) throw expected(`${rows} values, as the footer says, got ${values}`);
  }
}

/** What a Parquet file begins and ends with. */
const MAGIC = "PAR1";

/**
 * Refuses several files one behind another: of them the footer is that of the last, and the places that it names are those within that one,
 * so that other rows would be read. What lies before it is what no footer speaks of.
 */
async function check_alone(file: AsyncBuffer, { metadata_length, row_groups }: FileMetaData): Promise<void> {
  const places = row_groups.flatMap(({ columns }) => columns).flatMap(({ meta_data: chunk, ...column }) => [
    [column.column_index_offset, column.column_index_length],
    [column.offset_index_offset, column.offset_index_length],
    [chunk?.dictionary_page_offset || chunk?.data_page_offset, chunk?.total_compressed_size],
    [chunk?.bloom_filter_offset, chunk?.bloom_filter_length],
  ]);
  const ends = places.map(([from, length]) => Number(from ?? 0) + Number(length ?? 0));
  const end = ends.reduce((most, each) => Math.max(most, each), MAGIC.length);
  const before = file.byteLength - 2 * MAGIC.length - metadata_length - end;
  if (before < 2 * MAGIC.length) return;
  const seam = await file.slice(before - MAGIC.length, before + MAGIC.length);
  if (new TextDecoder("latin1").decode(seam) !== MAGIC + MAGIC) return;
  throw new Error(`expected one Parquet file, got several one behind another: the last begins at byte ${before}`);
}

async function header_at(file: AsyncBuffer, at: number, end: number) {
  let cause: unknown;
  for (const most of [HEADER, LONGEST_HEADER]) {
    const reader = { view: new DataView(await file.slice(at, Math.min(at + most, end))), offset: 0 };
    try {
      const header = parquetHeader(reader);
      return { header, length: reader.offset };
    } catch (error) {
      // Most likely it goes on behind what was read.
      cause = error;
    }
  }
  throw new Error(`expected the header of a page within ${LONGEST_HEADER} bytes at ${at}`, { cause });
}

/** Turns a column's raw values into what mappings read: text, numbers, booleans, null, and lists and objects of them. */
type ValueReader = (raw: unknown) => unknown;

/**
 * How the raw values of a column are read, inside lists, maps and structs too. Takes out of its schema what the library would convert by
 * itself: that makes decimals doubles (435 hundredths become 4.3500000000000005) and times `Date`s without microseconds and with the wrong
 * zone.
 */
function reader_of(column: SchemaTree): ValueReader {
  const { element, children } = column;
  if (element.logical_type?.type === "VARIANT") return plain_value;
  const read = children.length === 0 ? exact_leaf(element) : group_reader(column);
  return element.repetition_type === "REPEATED" ? each_of(read) : read;
}

/** Reads lists, maps and structs as the library puts them together. */
function group_reader(column: SchemaTree): ValueReader {
  const [inner] = column.children;
  if (isListLike(column)) {
    // Without a level between, the library hands over the repeated leaf as the list.
    return inner!.children.length === 1 ? each_of(reader_of(inner!.children[0]!)) : reader_of(inner!);
  }
  if (isMapLike(column)) {
    // Keys are names of fields: the library's texts.
    const read = reader_of(inner!.children.find(({ element }) => element.name === "value")!);
    return (raw) => fields_of(raw, () => read);
  }
  const readers = new Map(column.children.map((child) => [child.element.name, reader_of(child)]));
  return (raw) => fields_of(raw, (name) => readers.get(name) ?? plain_value);
}

const each_of = (read: ValueReader): ValueReader => (raw) => Array.isArray(raw) ? raw.map(read) : plain_value(raw);

const fields_of = (raw: unknown, reader: (name: string) => ValueReader): unknown =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw)
    ? Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, reader(name)(value)]))
    : plain_value(raw);

/** Reads the values of a column that holds no others. */
function exact_leaf(element: SchemaElement): ValueReader {
  const read = exact_reader({ ...element });
  if (read === null) return plain_value;
  delete element.converted_type;
  delete element.logical_type;
  return (value) => value === null || value === undefined ? null : read(value);
}

/** What a value of a unit is multiplied by, and how many of that make a microsecond. */
const PER_US: Readonly<Record<TimeUnit, readonly [bigint, bigint]>> = {
  MILLIS: [1000n, 1n],
  MICROS: [1n, 1n],
  NANOS: [1n, 1000n],
};

function exact_reader({ type, converted_type, logical_type, scale }: SchemaElement): ValueReader | null {
  const is = (name: string) => converted_type === name || logical_type?.type === name;
  if (is("DECIMAL")) return (raw) => decimal_text(whole_of(raw), scale ?? 0, scale ?? 0);
  if (logical_type?.type === "TIMESTAMP") {
    const per_us = PER_US[logical_type.unit];
    const zone = logical_type.isAdjustedToUTC ? "Z" : "";
    return (raw) => time_text(whole_of(raw) * per_us[0], per_us[1]) + zone;
  }
  if (converted_type === "TIMESTAMP_MILLIS") return (raw) => `${time_text(whole_of(raw) * 1000n, 1n)}Z`;
  if (converted_type === "TIMESTAMP_MICROS") return (raw) => `${time_text(whole_of(raw), 1n)}Z`;
  if (is("DATE")) return (raw) => time_text(whole_of(raw) * 86_400_000_000n, 1n).slice(0, 10);
  if (is("TIME") || is("TIME_MILLIS") || is("TIME_MICROS")) {
    const unit = logical_type?.type === "TIME" ? logical_type.unit : is("TIME_MILLIS") ? "MILLIS" : "MICROS";
    const [times, per_us] = PER_US[unit];
    return (raw) => time_text(whole_of(raw) * times, per_us).slice("1970-01-01T".length);
  }
  if (is("JSON")) return (raw) => json_value(bytes_as_text(raw as Uint8Array));
  if (is("ENUM")) return (raw) => bytes_as_text(raw as Uint8Array);
  if (is("BSON") || is("INTERVAL")) return plain_value;
  if (type === "FLOAT") return (raw) => shortest_float(raw as number);
  return type === "INT96" ? plain_value : null;
}

/**
 * How the library hands over texts and times. The old 96-bit times, in nanoseconds, are times without zone, since the type says nothing of
 * one and writers differ; the mapping's zone tells. Texts that are no UTF-8 come as what the readers look for.
 */
const PARSERS = {
  timestampFromNanoseconds: (nanos: bigint) => time_text(nanos, 1000n),
  timestampFromMicroseconds: (micros: bigint) => `${time_text(micros, 1n)}Z`,
  timestampFromMilliseconds: (millis: bigint) => `${time_text(millis * 1000n, 1n)}Z`,
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && bytes_as_text(bytes),
};

/**
 * A value of any other column. Whole numbers beyond 2^53 are their digits; NaN and Infinity are null, as in JSON. Bytes that nothing says are text are hexadecimal: as text some
 * would be the same (UUIDs of 16 bytes, say), and a column that is read now as the one and now as the other would merge what differs.
 */
function plain_value(raw: unknown): unknown {
  if (raw === undefined) return null;
  if (typeof raw === "number") return Number.isFinite(raw) ? raw : null;
  if (typeof raw === "bigint") return Number.isSafeInteger(Number(raw)) ? Number(raw) : String(raw);
  if (raw instanceof Uint8Array) return raw.toHex();
  if (raw instanceof Date) return raw.toISOString();
  if (Array.isArray(raw)) return raw.map(plain_value);
  if (typeof raw === "object" && raw !== null) {
    return Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, plain_value(value)]));
  }
  return raw;
}

function json_value(text: string): unknown {
  try {
    return parse_json(text);
  } catch (error) {
    if (error instanceof JsonFault) return text;
    throw error;
  }
}

/** The number of the fewest digits that a 32-bit float stands for: 18.6, which a double of its bits would have as 18.600000381469727. Null for none. */
function shortest_float(value: number): number | null {
  if (!Number.isFinite(value)) return null;
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(9));
}

/** The whole number in a raw value: numbers, or big-endian two's complement in bytes. */
function whole_of(raw: unknown): bigint {
  if (typeof raw === "bigint") return raw;
  if (typeof raw === "number") return BigInt(raw);
  if (!(raw instanceof Uint8Array)) throw new Error(`expected a whole number, got ${String(raw)}`);
  let value = 0n;
  for (const byte of raw) value = value * 256n + BigInt(byte);
  return BigInt.asIntN(raw.length * 8, value);
}

/** A time in micros (or parts of them) since 1970 as `YYYY-MM-DDThh:mm:ss.ffffff`, without zone. */
function time_text(value: bigint, per_us: bigint): string {
  const us = (value - mod(value, per_us)) / per_us;
  const part = mod(us, 1_000_000n);
  const date = new Date(Number((us - part) / 1000n));
  if (Number.isNaN(date.getTime())) return `${value} of ${per_us} to a us`;
  return `${date.toISOString().slice(0, -5)}.${String(part).padStart(6, "0")}`;
}

const mod = (value: bigint, by: bigint): bigint => ((value % by) + by) % by;

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
      .then(async (metadata) => {
        await check_alone(source, metadata);
        return [metadata, exact_readers(metadata)] as const;
      })
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
    let unreadable: string | null = null, column: string | null = null;
    for (const { name, values, reader } of read) {
      const value = record[name] = reader(values[row - start]);
      if (unreadable !== null || typeof value !== "string" || value.isWellFormed()) continue;
      [unreadable, column] = [value, name];
    }
    rows.push(
      unreadable === null
        ? { line: row + 1, record }
        : faulty_row(row + 1, JSON.stringify(record), "invalid_utf8", no_text(unreadable), column),
    );
  }
  return rows;
}
