import { zstdCompressSync } from "node:zlib";
import type { SchemaElement } from "hyparquet";
import { ByteWriter } from "hyparquet-writer/src/bytewriter.js";
import { ParquetWriter } from "hyparquet-writer/src/parquet-writer.js";
import type { ColumnKind, ExportColumn, ExportRow, ExportValue, TableWriter } from "./table.ts";

/** Rows of a group: so many are held at once, or fewer where they are long. */
const GROUP_ROWS = 50_000;
const GROUP_CHARACTERS = 32 << 20;

type Element = Omit<SchemaElement, "name" | "repetition_type">;

/** Digits of a decimal: as many as PostgreSQL's sums have, and most readers take. */
const DIGITS = 38;
const decimal = (scale: number): Element => ({
  type: "FIXED_LEN_BYTE_ARRAY",
  type_length: 16,
  converted_type: "DECIMAL",
  precision: DIGITS,
  scale,
});
const TEXT: Element = { type: "BYTE_ARRAY", converted_type: "UTF8" };
const TIME: Element = { type: "INT64", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" } };
const ELEMENTS: Readonly<Record<ColumnKind, Element>> = {
  text: TEXT,
  json: TEXT,
  whole: { type: "INT64" },
  sum: decimal(0),
  number: { type: "DOUBLE" },
  amount: decimal(6),
  time: TIME,
  amounts: decimal(6),
  times: TIME,
};

const is_list = (kind: ColumnKind): boolean => kind === "times" || kind === "amounts";

/** The schema of a column; of a list, three levels of it, as the format wants. */
function elements_of({ name, kind, nullable }: ExportColumn): SchemaElement[] {
  const repetition_type = nullable ? "OPTIONAL" : "REQUIRED";
  if (!is_list(kind)) return [{ name, repetition_type, ...ELEMENTS[kind] }];
  return [
    { name, repetition_type, converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "REQUIRED", ...ELEMENTS[kind] },
  ];
}

/** A value as the library takes it: decimals as whole numbers of their last digit. */
const value_of = (kind: ColumnKind, value: ExportValue): unknown =>
  value === null
    ? null
    : kind === "text" || kind === "json" || kind === "number"
    ? value
    : Array.isArray(value)
    ? value.map(BigInt)
    : BigInt(value as number);

/** Writes a table as Parquet: a group of rows after another, packed by zstd; what is held is one group, and where each lies. */
export class ParquetTable implements TableWriter {
  readonly #writer = new ByteWriter(1 << 20);
  readonly #parquet: ParquetWriter;
  #rows: ExportRow[] = [];
  #characters = 0;

  /** @param about what the file says of itself */
  constructor(
    readonly columns: readonly ExportColumn[],
    about: Readonly<Record<string, unknown>>,
    readonly write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
    readonly group_rows = GROUP_ROWS,
  ) {
    this.#parquet = new ParquetWriter({
      writer: this.#writer,
      schema: [{ name: "root", num_children: columns.length }, ...columns.flatMap(elements_of)],
      codec: "ZSTD",
      compressors: { ZSTD: (bytes) => Uint8Array.from(zstdCompressSync(bytes)) },
      kvMetadata: [{ key: "tacho", value: JSON.stringify(about) }],
      createdBy: "tacho",
    });
  }

  async put(rows: readonly ExportRow[]): Promise<void> {
    for (const row of rows) {
      this.#rows.push(row);
      for (const value of row) if (typeof value === "string") this.#characters += value.length;
      if (this.#rows.length === this.group_rows || this.#characters >= GROUP_CHARACTERS) await this.#flush();
    }
  }

  async end(): Promise<void> {
    if (this.#rows.length > 0) await this.#flush();
    await this.#parquet.finish();
    await this.#out();
  }

  async #flush(): Promise<void> {
    const rows = this.#rows;
    const columnData = this.columns.map(({ name, kind }, i) => ({
      name,
      data: rows.map((row) => value_of(kind, row[i]!)),
      offsetIndex: false,
    }));
    await this.#parquet.write({ columnData, rowGroupSize: rows.length });
    this.#rows = [];
    this.#characters = 0;
    await this.#out();
  }

  async #out(): Promise<void> {
    const bytes = this.#writer.getBytes().slice();
    this.#writer.index = 0;
    await this.write(bytes);
  }
}
