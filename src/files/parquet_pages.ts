import type { AsyncBuffer, FileMetaData, RowGroup } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";

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
