import type { Row, Snapshot } from "../database/mod.ts";
import type { Domain } from "../domains/mod.ts";
import { Faults } from "../event_log/mod.ts";
import {
  ALL_KEPT,
  cell_name,
  type CellChange,
  CellChanges,
  column_measures,
  type Days,
  filled_bins,
  type Grain,
  type Integer,
  is_dated,
  is_extreme,
  is_kept,
  keeps,
  type Kept,
  type Measure,
  sketches_among,
} from "../kpi/mod.ts";
import { ExternalSort, type Folder, type SortBound, type Sorted } from "../sort/mod.ts";
import { dates_of, is_nothing, merged, NONE, said_by_date, said_sql, shown, time_of } from "./said_values.ts";
import type { Steps, Sums } from "./verify_streams.ts";

/**
 * Cells and sketches against what the streams add to them, in bounded memory: what the tables hold and what the streams add, piece by piece,
 * goes into one external sort, out of which all that is said of a cell comes together.
 */

/** One thing that is said of a cell or sketch. */
interface Said {
  /** Its place in the list of levels. */
  readonly level: number;
  readonly bucket_us: number;
  /** As contributions have it. */
  readonly key: string;
  /** Whether the table says it; if not, a piece of the streams does. */
  readonly found: boolean;
  /**
   * Of a cell its measures, before them the position that changed it last where that is compared, as PostgreSQL writes a row: `(7,1,,0)`, nothing
   * for null (see `said_values.ts`); what a piece says of one is written so when it is asked for. Of a sketch its bins and their counts.
   */
  readonly values: string | CellChange;
}

/** Cells or totals of one dimension and grain, or sketches of one name among them. */
interface Level {
  readonly table: string;
  readonly dimension: string;
  readonly grain: Grain;
  readonly sketch: string | null;
  /** What a cell that nothing adds to says of each measure. */
  readonly zeros: readonly string[];
  /** Whether all know which position changed them last: totals that have not changed since they were cells of all measures do not. */
  readonly dated: boolean;
}

const name_of = ({ table, dimension, grain, sketch }: Level, { bucket_us, key }: Said, shape: Shape): string =>
  `${table} ${grain} ${time_of(bucket_us)} ${cell_name(shape, dimension, key)}${sketch === null ? "" : ` ${sketch}`}`;

const less = <T>(a: T, b: T): number => a < b ? -1 : a > b ? 1 : 0;

const by_cell = (a: Said, b: Said): number => a.level - b.level || less(a.bucket_us, b.bucket_us) || less(a.key, b.key);

/** How what is said is sorted. @param text_of writes what a piece says of a cell */
const sorting = (text_of: (said: Said) => string): Sorted<Said> => ({
  compare: by_cell,
  encode: (said) =>
    `${said.level}\t${said.bucket_us}\t${said.found ? 1 : 0}\t${text_of(said)}\t${JSON.stringify(said.key)}`,
  decode: (line) => {
    const [level, bucket_us, found, values] = line.split("\t", 4) as [string, string, string, string];
    const at = level.length + bucket_us.length + found.length + values.length + 4;
    return {
      level: Number(level),
      bucket_us: Number(bucket_us),
      key: JSON.parse(line.slice(at)) as string,
      found: found === "1",
      values,
    };
  },
  characters: ({ key, values }) =>
    40 + key.length + (typeof values === "string" ? values.length : 200 + dates_of(values)),
});

/** A cell or sketch as its table has it; `said` is a `Said.values`. */
interface TableRow extends Row {
  /** As `level_name` makes it. */
  readonly level: string;
  readonly bucket_us: string;
  readonly key: string;
  readonly said: string;
}

/** How much is held of what the streams add, before it goes into the sort: about 60 MB. What several pieces say of a cell is read and added up. */
const PIECE = 200_000;
/** What fits into it is never written out, and compared as numbers: about 100 MB. */
const SORT: SortBound = { items: 400_000, characters: 64 << 20, runs: 64 };
const PAGE_CELLS = 5_000;
const PAGE_SKETCHES = 2_000;

/** The bounds of a check: of a piece of what the streams add, in cells and bins, and of the sort. */
export interface ReadModelBound {
  readonly piece: number;
  readonly sort?: SortBound;
}

/** What it has to know of a domain. */
type Shape = Pick<Domain, "tables" | "dimensions" | "measures" | "by_currency">;

/** Gathers what tables and streams say of the cells and sketches of a domain, and compares it. */
export class ReadModelCheck implements Sums {
  readonly #domain: Shape;
  readonly #days: Days;
  readonly #positions: boolean;
  readonly #faults: Faults;
  readonly #signal: AbortSignal;
  readonly #piece: number;
  readonly #sort: ExternalSort<Said>;
  readonly #levels: readonly Level[];
  readonly #level_of: ReadonlyMap<string, number>;
  /** What a cell says: all measures but sketches, which say it themselves. */
  readonly #columns: readonly Measure[];
  /** Whether a cell is compared as text: dates are no numbers. */
  readonly #as_text: boolean;
  #changes: CellChanges;
  #kept: Kept = ALL_KEPT;
  #most_cells = 0;

  /**
   * @param positions whether the streams tell which positions changed the cells: those that are folded do
   * @param folder for what exceeds memory
   */
  constructor(
    domain: Shape,
    days: Days,
    how: Readonly<{ positions: boolean; faults: Faults; signal: AbortSignal; folder: Folder }>,
    { piece, sort = SORT }: ReadModelBound = { piece: PIECE },
  ) {
    this.#domain = domain;
    this.#days = days;
    this.#positions = how.positions;
    this.#faults = how.faults;
    this.#signal = how.signal;
    this.#piece = piece;
    this.#sort = new ExternalSort(how.folder, sorting((said) => this.#text_of(said)), sort, how.signal);
    this.#levels = levels_of(domain);
    this.#columns = column_measures(domain.measures);
    this.#as_text = this.#columns.some(({ kind }) => is_dated(kind));
    this.#level_of = new Map(
      this.#levels.map(({ dimension, grain, sketch }, i) => [level_name(dimension, grain, sketch), i]),
    );
    this.#changes = new CellChanges(domain, days);
  }

  /** Cells and bins of a piece, and bytes on disk, at most. */
  get most(): { readonly cells: number; readonly disk_bytes: number } {
    return { cells: this.#most_cells, disk_bytes: this.#sort.disk.most };
  }

  /** Takes in what the tables hold of what is kept, before anything is added. */
  async take_tables(reading: Snapshot, kept: Kept, progress: (rows: number) => void): Promise<void> {
    this.#kept = kept;
    const { tables: { cells, totals, sketches }, dimensions, by_currency } = this.#domain;
    const key = by_currency === undefined ? "key" : "currency || key as key";
    const values = [...this.#positions ? ["last_position"] : [], ...this.#columns.map(said_sql)];
    const take = (table: string, level: string, bucket_us: string, said: string, page_rows: number) =>
      this.#take_table(
        reading,
        table,
        `select concat_ws(' ', ${level}) as level, ${bucket_us} as bucket_us, ${key}, ${said} as said from ${table}`,
        page_rows,
        progress,
      );
    await take(cells, "grain, dimension, ''", BUCKET_US, `row(${values})::text`, PAGE_CELLS);
    if (totals !== null) {
      const kept = new Set(["last_position", ...dimensions.flatMap((dimension) => dimension.totals ?? [])]);
      const padded = values.map((name) => kept.has(name) ? name : "null");
      await take(totals, "'all', dimension, ''", "0", `row(${padded})::text`, PAGE_CELLS);
    }
    if (sketches !== null) {
      const bins = "case when cardinality(bins) = 0 then '' else bins::text || ' ' || counts::text end";
      await take(sketches, "grain, dimension, sketch", BUCKET_US, bins, PAGE_SKETCHES);
    }
  }

  async #take_table(
    reading: Snapshot,
    table: string,
    select: string,
    page_rows: number,
    progress: (rows: number) => void,
  ): Promise<void> {
    const unkept = new Set<string>();
    for await (const page of reading.pages<TableRow>(select, [], page_rows)) {
      this.#signal.throwIfAborted();
      const said: Said[] = [];
      for (const { level: name, bucket_us, key, said: values } of page) {
        const level = this.#level_of.get(name), known = level === undefined ? null : this.#levels[level]!;
        if (known?.table !== table) {
          unkept.add(`${table} ${name.split(" ", 2).join(" ")}: no such ${this.#kind_of(table)} are kept`);
        } else if (is_kept(this.#kept, known.grain, Number(bucket_us))) {
          said.push({ level: level!, bucket_us: Number(bucket_us), key, found: true, values });
        }
      }
      await this.#sort.put(said);
      progress(page.length);
      if (unkept.size > Faults.MOST) break;
    }
    for (const fault of unkept) this.#faults.add(fault);
  }

  #kind_of(table: string): string {
    const { cells, totals } = this.#domain.tables;
    return table === cells ? "cells" : table === totals ? "totals" : "sketches";
  }

  add(steps: Steps): boolean {
    this.#changes.add_stream(steps);
    return this.#changes.size >= this.#piece;
  }

  async settle(): Promise<void> {
    const changes = this.#changes;
    this.#most_cells = Math.max(this.#most_cells, changes.size);
    this.#changes = new CellChanges(this.#domain, this.#days);
    const sketches = sketches_among(this.#domain.measures);
    for (const { dimension, grain, buckets } of changes.levels()) {
      const level = this.#level_of.get(level_name(dimension, grain, null))!;
      for (const [bucket_us, keys] of buckets) {
        if (!is_kept(this.#kept, grain, bucket_us)) continue;
        const said: Said[] = [];
        for (const [key, values] of keys) {
          said.push({ level, bucket_us, key, found: false, values });
          for (const [k, bins] of values.sketches?.entries() ?? []) {
            if (bins === null) continue;
            const level = this.#level_of.get(level_name(dimension, grain, sketches[k]!.name))!;
            said.push({ level, bucket_us, key, found: false, values: sketch_text(bins) });
          }
        }
        await this.#sort.put(said);
      }
      this.#signal.throwIfAborted();
    }
  }

  /**
   * Compares: every cell and sketch is what the streams add to it, none is missing. One of nothing is as good as none.
   * @param begin hears how many things are said; what it gives hears how many were compared
   * @returns the number of cells that the streams make
   */
  async compare(begin: (said: number) => (done: number) => void): Promise<number> {
    await this.settle();
    const progress = begin(this.#sort.count);
    let cells = 0, of: Said | null = null, found: string | null = null, pieces: Said[] = [];
    const conclude = () => {
      if (of === null) return;
      const level = this.#levels[of.level]!;
      if (level.sketch === null && pieces.length > 0) cells++;
      if (pieces.length === 1 && found !== null && this.#is(found, pieces[0]!)) return;
      const texts = pieces.map((piece) => this.#text_of(piece));
      const fault = level.sketch === null ? this.#cell_fault(level, found, texts) : sketch_fault(found, texts);
      if (fault !== null) this.#faults.add(`${name_of(level, of, this.#domain)}: ${fault}`);
    };
    for await (const page of this.#sort.sorted()) {
      this.#signal.throwIfAborted();
      for (const each of page) {
        if (of === null || by_cell(of, each) !== 0) {
          conclude();
          of = each;
          found = null;
          pieces = [];
        }
        if (each.found) found = this.#text_of(each);
        else pieces.push(each);
      }
      progress(page.length);
      if (this.#faults.enough) return cells;
    }
    conclude();
    return cells;
  }

  /** What is said, as a row has it. */
  #text_of({ level, values }: Said): string {
    if (typeof values === "string") return values;
    let text = this.#positions ? `(${values.last_ordinal},` : "(";
    for (let m = 0; m < this.#columns.length; m++) {
      if (m > 0) text += ",";
      text += said_by_date(values, m) ?? this.#value_of(level, values, m) ?? NONE;
    }
    return text + ")";
  }

  #value_of(level: number, change: CellChange, m: number): Integer | null {
    // Zero is written as the database does, whatever its sign.
    return this.#levels[level]!.zeros[m] === NONE ? change.added?.[m] ?? null : change.sum(m) || 0;
  }

  /** Whether a piece says what the table does. What it says as numbers is not written out for that: this is done for every cell. */
  #is(found: string, said_by: Said): boolean {
    const { level, values: piece } = said_by;
    if (typeof piece === "string" || this.#as_text) return found === this.#text_of(said_by);
    const { length } = this.#columns;
    let at = 1;
    for (let m = this.#positions ? -1 : 0; m < length; m++) {
      const value = m < 0 ? piece.last_ordinal : this.#value_of(level, piece, m);
      if (typeof value === "bigint") return found === this.#text_of(said_by);
      let said = 0;
      const from = at;
      for (let unit; (unit = found.charCodeAt(at)) >= 48 && unit <= 57; at++) said = said * 10 + unit - 48;
      if ((at === from ? null : said) !== value) return false;
      // What ends a field: the comma, and of the last one the bracket.
      if (found.charCodeAt(at++) !== (m === length - 1 ? 41 : 44)) return false;
    }
    return at === found.length;
  }

  /** Where a cell differs from what the streams add to it; null when it does not. */
  #cell_fault({ zeros, dated }: Level, found: string | null, pieces: readonly string[]): string | null {
    const columns: readonly Column[] = [
      ...this.#columns,
      ...this.#positions ? [{ name: "last_position", kind: "max" } as const] : [],
    ];
    const read = (values: string): string[] => {
      const fields = values.slice(1, -1).split(",");
      return this.#positions ? [...fields.slice(1), fields[0]!] : fields;
    };
    const expected = pieces.map(read).reduce<readonly string[] | null>(
      (sums, piece) => sums === null ? piece : columns.map(({ kind }, m) => merged(kind, sums[m]!, piece[m]!)),
      null,
    );
    if (found === null) {
      const empty = expected === null || this.#columns.every((_, m) => is_nothing(expected[m]!));
      return empty ? null : "it is missing, the streams make it";
    }
    const differences = read(found).flatMap((value, m) => {
      const { name } = columns[m]!;
      const said = expected?.[m] ?? zeros[m] ?? NONE;
      if (said === value || (m === zeros.length && !dated && value === NOT_KNOWN)) return [];
      return [`${name} is ${shown(value)}, the streams say ${shown(said)}`];
    });
    return differences.length === 0 ? null : differences.join("; ");
  }
}

const BUCKET_US = "extract(epoch from bucket) * 1000000";
/** The position that changed a cell last, where that is not known. */
const NOT_KNOWN = "0";
type Column = Pick<Measure, "name" | "kind">;

const level_name = (dimension: string, grain: string, sketch: string | null): string =>
  `${grain} ${dimension} ${sketch ?? ""}`;

function levels_of({ tables, dimensions, measures }: Shape): Level[] {
  return dimensions.flatMap((declared) => {
    const { name: dimension, grains, sketches: sketched = [] } = declared;
    const zeros = column_measures(measures).map((measure) =>
      keeps(declared, measure) && !is_extreme(measure.kind) ? "0" : NONE
    );
    const is_total = declared.totals !== undefined;
    const level = { dimension, zeros, dated: !is_total };
    const table = is_total ? tables.totals ?? tables.cells : tables.cells;
    return [
      ...grains.map((grain) => ({ ...level, table, grain, sketch: null })),
      ...tables.sketches === null
        ? []
        : sketched.flatMap((grain) =>
          sketches_among(measures).map(({ name }) => ({ ...level, table: tables.sketches!, grain, sketch: name }))
        ),
    ];
  });
}

/** Bins and counts as the table has them, in text: equal texts are equal sketches; nothing for one of no values. */
function sketch_text(bins: ReadonlyMap<number, number>): string {
  const filled = filled_bins(bins);
  return filled.length === 0 ? "" : `{${filled.map(([bin]) => bin)}} {${filled.map(([, count]) => count)}}`;
}

/** Where a sketch differs from what the streams add to it; null when it does not. */
function sketch_fault(found: string | null, pieces: readonly string[]): string | null {
  const expected = pieces.length === 1 ? pieces[0]! : sketch_text(sum_of(pieces));
  if (expected === (found ?? "")) return null;
  if (found === null) return "it is missing, the streams make it";
  return `it holds ${found || "nothing"}, the streams say ${expected || "nothing"}`;
}

function sum_of(pieces: readonly string[]): Map<number, number> {
  const sum = new Map<number, number>();
  for (const piece of pieces.filter((each) => each !== "")) {
    const [bins = [], counts = []] = piece.split(" ").map((list) => list.slice(1, -1).split(",").map(Number));
    for (const [i, bin] of bins.entries()) sum.set(bin, (sum.get(bin) ?? 0) + counts[i]!);
  }
  return sum;
}
