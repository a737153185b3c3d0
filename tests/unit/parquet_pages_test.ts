import assert from "node:assert/strict";
import type { FileMetaData, RowGroup } from "hyparquet";
import { check_pages } from "../../src/files/parquet_rows.ts";

/** What Parquet pages may unpack to is judged by their headers, on the border of each bound; nothing here is unpacked. */

const varint = (value: number): number[] => {
  const bytes = [];
  let rest = value >= 0 ? 2 * value : -2 * value - 1;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push(rest % 128 + 128);
  return [...bytes, rest];
};
const field = (value: number) => [0x15, ...varint(value)];
/** A data page's header in Thrift's compact form, `filler` bytes of statistics in it, and the page's packed bytes. */
function page(unpacked: number, packed: number, values: number, filler = 0): number[] {
  const statistics = filler === 0 ? [] : [0x1c, 0x18, ...unsigned(filler), ...new Array(filler).fill(97), 0];
  const data = [...field(values), ...field(0), ...field(3), ...field(3), ...statistics, 0];
  return [
    ...field(0),
    ...field(unpacked),
    ...field(packed),
    0x2c,
    ...data,
    0,
    ...new Array(Math.max(packed, 0)).fill(0),
  ];
}
const unsigned = (value: number): number[] =>
  value > 127 ? [value % 128 + 128, ...unsigned(Math.floor(value / 128))] : [value];

async function check(bytes: readonly number[], rows: number, size = bytes.length): Promise<void> {
  const file = Uint8Array.from([0x50, 0x41, 0x52, 0x31, ...bytes]);
  const chunk = { path_in_schema: ["id"], total_compressed_size: BigInt(size), data_page_offset: 4n };
  const metadata = {
    schema: [{ name: "root", num_children: 1 }, { name: "id", type: "INT64", repetition_type: "OPTIONAL" }],
  };
  const group = { num_rows: BigInt(rows), columns: [{ meta_data: chunk }] };
  await check_pages(
    { byteLength: file.length, slice: (from, to) => Promise.resolve(file.buffer.slice(from, to)) },
    metadata as unknown as FileMetaData,
    group as unknown as RowGroup,
  );
}

Deno.test("Parquet pages: each bound is taken at its border and refused behind it", async () => {
  const largest = 256 << 20, most = 16 << 20;
  await check(page(largest, 3, 5), 5);
  await check(page(10, 3, most), most);
  await check([...page(10, 3, 2), ...page(10, 0, 3)], 5);
  await check(page(10, 3, 5, 10_000), 5);
  await check([], 0);
  await check([1, 2, 3], 0);
  const refused: readonly (readonly [readonly number[], RegExp])[] = [
    [
      page(largest + 1, 3, 5),
      /column "id": expected pages of at most 268435456 bytes, got one that unpacks to 268435457/,
    ],
    [page(2 ** 31 - 1, 3, 5), /got one that unpacks to 2147483647/],
    [page(-1, 3, 5), /lie one behind the other/],
    [page(10, -1, 5), /lie one behind the other/],
    [page(10, 3, most + 1), /expected pages of at most 16777216 values, got one with 16777217/],
    [page(10, 3, -5), /got one with -5/],
    [page(10, 3, 4), /expected 5 values, as the footer says, got 4/],
    [[...page(10, 3, 4), ...page(10, 3, 2)], /got 6/],
    [page(10, 3, 5).slice(0, -1), /lie one behind the other/],
    [page(10, 3, 5, 2_000_000), /expected the header of a page within 1048576 bytes at 4/],
  ];
  for (const [bytes, message] of refused) await assert.rejects(check(bytes, 5), message);
  await assert.rejects(check(page(10, 3, 5), 5, 2 ** 31 + 1), /row groups of at most 2147483648 packed bytes/);
  await assert.rejects(check(page(10, 3, 5), 5, 1_000), /pages within the file/);
});
