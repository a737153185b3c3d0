import {
  binary_array,
  type BinaryType,
  type BinaryValue,
  CopyRows,
  plain_array,
  type Queryable,
  type Snapshot,
  type Statement,
  text_array,
  type Transaction,
  unnested,
  type Value,
} from "../database/mod.ts";
import type { Domain, StateColumn, StateRow, StateValue } from "../domains/mod.ts";
import { format_time, type Integer } from "../kpi/mod.ts";
import { Overtaken } from "./head.ts";

/** What is known of a stream: its folded state and what recognises its events. */
export interface StreamState {
  readonly state: unknown;
  readonly revision: number;
  /** Time and id of its last event in order of (time, event id). */
  readonly last_us: number;
  readonly last_event_id: string;
  /** Positions of its events in order of arrival; NaN while the batch that holds the event is being appended. */
  readonly positions: readonly number[];
  /** Hashes of its event ids, beside `positions`. */
  readonly hashes: readonly number[];
}

/** A stream as its row has it; `values` are those of its columns as they stand in the table, derived ones included. */
export interface StreamRow {
  readonly stream_id: string;
  readonly stream: StreamState;
  readonly values: StateRow;
}

/** A stream's row as one text, in which equal rows are equal and different ones differ; its positions aside. */
export interface StreamText {
  readonly stream_id: string;
  readonly positions: readonly number[];
  readonly text: string;
}

/** What a batch makes of one stream. */
export interface StreamChange {
  readonly stream_id: string;
  /** 0 for a stream that begins in this batch. */
  readonly expected_revision: number;
  readonly state: unknown;
  readonly revision: number;
  readonly last_us: number;
  readonly last_event_id: string;
  /** The new events: their places among the batch's admitted events, from 1, and hashes. */
  readonly ordinals: readonly number[];
  readonly hashes: readonly number[];
}

/** What a batch made of its streams, written out, all but the positions of their events. */
export interface EncodedStreams {
  readonly begun: CopyRows;
  readonly changed: {
    readonly ordinals: readonly (readonly number[])[];
    readonly before: readonly Value[];
    readonly after: readonly Value[];
  };
}

/** The type of a column, of an array that of its items. */
const item_type = (type: StateColumn["type"]): BinaryType => type.replace("[]", "") as BinaryType;
const is_array = (type: StateColumn["type"]): boolean => type.endsWith("[]");

/** The literal of an array: of times or of numbers, which need no quotes. */
const array_of = (type: StateColumn["type"], values: readonly (number | bigint)[]): string =>
  plain_array(type === "timestamptz[]" ? values.map((value) => format_time(value as number)) : values);

/**
 * States as columns: for each an array of its values. A column that is unknown in all of them is given as no array at all, which
 * makes it null: producers often leave half of all columns unknown, and without 17 of 37 an update of states took PostgreSQL a tenth less.
 */
export function column_arrays(columns: readonly StateColumn[], states: readonly unknown[]): Value[] {
  return columns.map(({ get, type }) => {
    const column = states.map((state) => get(state));
    if (column.every((value) => value === null)) return null;
    if (!is_array(type)) return binary_array(type as BinaryType, column as BinaryValue[]);
    const literals = column.map((value) => value === null ? null : array_of(type, value as readonly Integer[]));
    return binary_array("text", literals);
  });
}

/** The type that a column's array is unnested as: an array of arrays would be one list of all that is in them. */
export const unnested_type = (type: StateColumn["type"]): string => is_array(type) ? "text" : type;
/** The column as it is, of a relation that arrays were unnested into. */
export const unnested_column = (relation: string, { name, type }: StateColumn): string =>
  `${relation}.${name}${is_array(type) ? `::${type}` : ""}`;

/** A value as PostgreSQL writes it into the text of a row; one that it writes otherwise, such as 1e-07, makes texts of equal rows differ. */
function row_field(type: StateColumn["type"], value: StateValue): string {
  if (value === null) return "";
  if (type === "text") return row_text(value as string);
  if (type === "timestamptz") return row_time(value as number);
  if (typeof value !== "object") return `${value}`;
  return row_text(plain_array(type === "timestamptz[]" ? value.map((time) => row_time(time as number)) : value));
}

function row_time(us: number): string {
  const time = format_time(us);
  let end = 26;
  while (time.charCodeAt(end - 1) === 48) end--;
  return `"${time.slice(0, 10)} ${time.slice(11, end === 20 ? 19 : end)}+00"`;
}

/** Text in a row: quoted where it is empty, and where it holds what ends a field or white space. */
const row_text = (text: string): string =>
  text === "" || /["\\(), \t\n\v\f\r]/.test(text) ? `"${text.replaceAll(/["\\]/g, "$&$&")}"` : text;

/** Goes along the text of a row, field by field: to compare costs a third of writing such a text. */
class RowText {
  readonly #text: string;
  #at = 1;
  constructor(text: string) {
    this.#text = text;
  }

  /** Whether this is the next field. */
  has(field: string): boolean {
    const { length } = field;
    if (length > 0 && !this.#text.startsWith(field, this.#at)) return false;
    this.#at += length + 1;
    // What ends a field: the comma, and of the last one the bracket.
    const end = this.#text.charCodeAt(this.#at - 1);
    return end === 44 || (end === 41 && this.ended);
  }

  /** Whether that was the last one. */
  get ended(): boolean {
    return this.#at === this.#text.length;
  }
}

const select_list = <S>(columns: readonly StateColumn<S>[]): string =>
  columns.map(({ name, type }) =>
    type === "timestamptz"
      ? `(extract(epoch from ${name}) * 1000000)::bigint as ${name}`
      : type === "timestamptz[]"
      ? `case when ${name} is not null then
          array(select (extract(epoch from at) * 1000000)::bigint::text from unnest(${name}) at) end as ${name}`
      : type === "bigint[]"
      ? `${name}::text[] as ${name}`
      : name
  ).join(", ");

const safe_integer = (text: string): number | bigint => {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
};

type StateTable = Pick<Domain, "tables" | "stream_column" | "columns" | "from_row">;

/** The state table of a domain: SQL generated once from the domain's list of columns. */
export class StreamStates {
  readonly #domain: StateTable;
  readonly #select: Statement;
  readonly #texts: Statement;
  readonly #update: Statement;
  readonly #columns: readonly string[];
  readonly #select_all: string;

  constructor(domain: StateTable) {
    this.#domain = domain;
    const { tables: { states }, stream_column, columns } = domain;
    this.#columns = [
      stream_column,
      "revision",
      ...columns.map(({ name }) => name),
      "last_occurred_at",
      "last_event_id",
      "positions",
      "event_hashes",
    ];
    this.#select_all = `select ${stream_column} as stream_id, revision, ${select_list(columns)},
        (extract(epoch from last_occurred_at) * 1000000)::bigint as last_us, last_event_id,
        positions::text[] as positions, event_hashes::text[] as hashes
        from ${states}`;
    // One look into the index for each, whatever the planner thinks of the table: a plan made while that was empty would read all of it.
    const by_id = (select: string) =>
      `select found.* from unnest($1::text[]) as wanted(id)
        cross join lateral (${select} where ${stream_column} = wanted.id limit 1) found`;
    this.#select = { name: `load_${states}`, text: by_id(this.#select_all) };
    const kept = ["revision", ...columns.map(({ name }) => name), "last_occurred_at", "last_event_id", "event_hashes"];
    this.#texts = {
      name: `texts_of_${states}`,
      text: by_id(
        `select ${stream_column} as stream_id, array_to_json(positions)::text as positions, row(${
          kept.join(", ")
        })::text as text from ${states}`,
      ),
    };
    const types = [
      "text",
      "integer",
      ...columns.map(({ type }) => unnested_type(type)),
      "timestamptz",
      "text",
      "text",
      "text",
      "integer",
    ];
    const names = [...this.#columns, "expected_revision"];
    const read_as = new Map<string, string>(columns.map((column) => [column.name, unnested_column("u", column)]));
    const sets = this.#columns.slice(1, -2).map((name) => `${name} = ${read_as.get(name) ?? `u.${name}`}`);
    this.#update = {
      name: `update_${states}`,
      text: `update ${states} s set ${sets.join(", ")},
        positions = s.positions || u.positions::bigint[], event_hashes = s.event_hashes || u.event_hashes::bigint[]
        from ${unnested(names, types)} u
        where s.${stream_column} = u.${stream_column} and s.revision = u.expected_revision`,
    };
  }

  /** Loads streams by id; one that does not exist is absent from the map. */
  async load(database: Queryable, ids: readonly string[]): Promise<Map<string, StreamState>> {
    return new Map((await this.rows(database, ids)).map(({ stream_id, stream }) => [stream_id, stream]));
  }

  /** The rows of streams by id; of one that does not exist there is none. */
  async rows(database: Queryable, ids: readonly string[]): Promise<StreamRow[]> {
    return (await database.query(this.#select, [text_array(ids)])).map((row) => this.#read(row));
  }

  /** The rows of streams by id, unread, for `is_text_of`; of one that does not exist there is none. */
  async texts(database: Queryable, ids: readonly string[]): Promise<StreamText[]> {
    const rows = await database.query<Record<keyof StreamText, string>>(this.#texts, [text_array(ids)]);
    return rows.map(({ stream_id, positions, text }) => ({ stream_id, positions: JSON.parse(positions), text }));
  }

  /** Whether this is the text of the row that a stream would have. */
  is_text_of(
    { state, revision, last_us, last_event_id, hashes }: Omit<StreamState, "positions">,
    text: string,
  ): boolean {
    const row = new RowText(text);
    if (!row.has(String(revision))) return false;
    for (const { get, type } of this.#domain.columns) if (!row.has(row_field(type, get(state)))) return false;
    const array = plain_array(hashes);
    return row.has(row_field("timestamptz", last_us)) && row.has(row_text(last_event_id)) &&
      row.has(hashes.length === 1 ? array : `"${array}"`) && row.ended;
  }

  /** The streams whose first event lies at or before a position, in pages. */
  async *begun_by(reading: Snapshot, position: number, rows: number): AsyncGenerator<StreamRow[]> {
    for await (const page of reading.pages(`${this.#select_all} where positions[1] <= $1`, [position], rows)) {
      yield page.map((row) => this.#read(row));
    }
  }

  /** The streams of which one of some columns is from one time on and before another, each once, in pages. */
  async *dated(
    reading: Snapshot,
    columns: readonly string[],
    { from, before }: { readonly from: string; readonly before: string },
    rows: number,
  ): AsyncGenerator<StreamRow[]> {
    const within = columns.map((column) => `${column} >= $1::timestamptz and ${column} < $2::timestamptz`);
    const select = `${this.#select_all} where ${within.join(" or ")}`;
    for await (const page of reading.pages(select, [from, before], rows)) yield page.map((row) => this.#read(row));
  }

  #read(row: Record<string, unknown>): StreamRow {
    const values: Record<string, StateRow[string]> = {};
    for (const { name, type } of this.#domain.columns) {
      const value = row[name] as string | number | readonly string[] | null;
      values[name] = typeof value === "string"
        ? type === "text" ? value : safe_integer(value)
        : typeof value === "object" && value !== null
        ? value.map(safe_integer)
        : value;
    }
    const stream: StreamState = {
      state: this.#domain.from_row(values),
      revision: row.revision as number,
      last_us: Number(row.last_us),
      last_event_id: row.last_event_id as string,
      positions: (row.positions as string[]).map(Number),
      hashes: (row.hashes as string[]).map(Number),
    };
    return { stream_id: row.stream_id as string, stream, values };
  }

  /** Writes out what a batch made of its streams, all but the positions: so that the transaction need not wait for it. */
  encode(changes: readonly StreamChange[]): EncodedStreams {
    const begun = changes.filter((change) => change.expected_revision === 0);
    const changed = changes.filter((change) => change.expected_revision !== 0);
    const rows = new CopyRows();
    for (const change of begun) this.#write_row(rows, change);
    return {
      begun: rows,
      changed: {
        ordinals: changed.map(({ ordinals }) => ordinals),
        before: this.#encode_changed(changed),
        after: [
          binary_array("text", changed.map((change) => plain_array(change.hashes))),
          binary_array("integer", changed.map((change) => change.expected_revision)),
        ],
      },
    };
  }

  /** Writes a stream that begins as a row of COPY. */
  #write_row(
    rows: CopyRows,
    { stream_id, revision, state, last_us, last_event_id, ordinals, hashes }: StreamChange,
  ): void {
    rows.row(this.#columns.length).text(stream_id).value("integer", revision);
    for (const { get, type } of this.#domain.columns) {
      const value = get(state);
      if (typeof value === "object" && value !== null) rows.array(item_type(type), value);
      else rows.value(type as BinaryType, value);
    }
    rows.value("timestamptz", last_us).text(last_event_id).positions(ordinals).array("bigint", hashes);
  }

  #encode_changed(changes: readonly StreamChange[]): Value[] {
    return [
      binary_array("text", changes.map((change) => change.stream_id)),
      binary_array("integer", changes.map((change) => change.revision)),
      ...column_arrays(this.#domain.columns, changes.map(({ state }) => state)),
      binary_array("timestamptz", changes.map((change) => change.last_us)),
      binary_array("text", changes.map((change) => change.last_event_id)),
    ];
  }

  /**
   * Writes encoded streams.
   * @param before_first the position before the batch's first event
   */
  async write(tx: Transaction, { begun, changed }: EncodedStreams, before_first: number): Promise<void> {
    const positions = (ordinals: readonly number[]) => plain_array(ordinals.map((ordinal) => before_first + ordinal));
    if (begun.count > 0) {
      await tx.copy(this.#domain.tables.states, this.#columns, begun.pieces(before_first), "binary");
    }
    const expected = changed.ordinals.length;
    if (expected === 0) return;
    const values = [...changed.before, binary_array("text", changed.ordinals.map(positions)), ...changed.after];
    const updated = await tx.execute(this.#update, values);
    if (updated !== expected) {
      throw new Overtaken(
        `write ${this.#domain.tables.states}: expected to update ${expected} streams at the revisions read, found ${updated}`,
      );
    }
  }
}
