import {
  COPY_NULL,
  copy_text,
  plain_array,
  type Queryable,
  type Statement,
  text_array,
  type Transaction,
} from "../database/mod.ts";
import type { Domain, StateColumn, StateRow } from "../domains/mod.ts";
import { format_time } from "../kpi/mod.ts";

/** What is known of a stream: its folded state and what recognises its events. */
export interface StreamState<State> {
  readonly state: State;
  readonly revision: number;
  /** Time and id of its last event in order of (time, event id). */
  readonly last_us: number;
  readonly last_event_id: string;
  /** Positions of its events in order of arrival; NaN while the batch that holds the event is being appended. */
  readonly positions: readonly number[];
  /** Hashes of its event ids, beside `positions`. */
  readonly hashes: readonly number[];
}

/** What a batch makes of one stream. */
export interface StreamChange<State> {
  readonly stream_id: string;
  /** 0 for a stream that begins in this batch. */
  readonly expected_revision: number;
  readonly state: State;
  readonly revision: number;
  readonly last_us: number;
  readonly last_event_id: string;
  /** The new events: their places among the batch's admitted events, from 1, and hashes. */
  readonly ordinals: readonly number[];
  readonly hashes: readonly number[];
}

/** A stream was changed by another process since it was read: roll back, drop what is cached, reload. */
export class StreamChangedElsewhere extends Error {
  override readonly name = "StreamChangedElsewhere";
}

const text_of = (type: StateColumn<unknown>["type"], value: string | number | bigint): string =>
  type === "timestamptz" ? format_time(value as number) : String(value);

const select_list = <S>(columns: readonly StateColumn<S>[]): string =>
  columns.map(({ name, type }) =>
    type === "timestamptz" ? `(extract(epoch from ${name}) * 1000000)::bigint as ${name}` : name
  ).join(", ");

const safe_integer = (text: string): number | bigint => {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
};

type StateTable<State> = Pick<Domain<never, State>, "tables" | "stream_column" | "columns" | "from_row">;

/** The state table of a domain: SQL generated once from the domain's list of columns. */
export class StreamStates<State> {
  readonly #domain: StateTable<State>;
  readonly #select: Statement;
  readonly #update: Statement;
  readonly #columns: readonly string[];

  constructor(domain: StateTable<State>) {
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
    this.#select = {
      name: `load_${states}`,
      text: `select ${stream_column} as stream_id, revision, ${select_list(columns)},
        (extract(epoch from last_occurred_at) * 1000000)::bigint as last_us, last_event_id,
        positions::text[] as positions, event_hashes::text[] as hashes
        from ${states} where ${stream_column} = any($1::text[])`,
    };
    const types = [
      "text",
      "integer",
      ...columns.map(({ type }) => type),
      "timestamptz",
      "text",
      "text",
      "text",
      "integer",
    ];
    const names = [...this.#columns, "expected_revision"];
    const sets = this.#columns.slice(1, -2).map((name) => `${name} = u.${name}`);
    this.#update = {
      name: `update_${states}`,
      text: `update ${states} s set ${sets.join(", ")},
        positions = s.positions || u.positions::bigint[], event_hashes = s.event_hashes || u.event_hashes::bigint[]
        from unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(", ")}) as u(${names.join(", ")})
        where s.${stream_column} = u.${stream_column} and s.revision = u.expected_revision`,
    };
  }

  /** Loads streams by id; one that does not exist is absent from the map. */
  async load(database: Queryable, ids: readonly string[]): Promise<Map<string, StreamState<State>>> {
    const rows = await database.query(this.#select, [text_array(ids)]);
    return new Map(rows.map((row) => [row.stream_id as string, this.#read(row)]));
  }

  #read(row: Record<string, unknown>): StreamState<State> {
    const values: Record<string, StateRow[string]> = {};
    for (const { name, type } of this.#domain.columns) {
      const value = row[name] as string | number | null;
      values[name] = typeof value === "string" && type !== "text" ? safe_integer(value) : value;
    }
    return {
      state: this.#domain.from_row(values),
      revision: row.revision as number,
      last_us: Number(row.last_us),
      last_event_id: row.last_event_id as string,
      positions: (row.positions as string[]).map(Number),
      hashes: (row.hashes as string[]).map(Number),
    };
  }

  /**
   * Writes what a batch made of its streams.
   * @param before_first the position before the batch's first event
   */
  async write(tx: Transaction, changes: readonly StreamChange<State>[], before_first: number): Promise<void> {
    const begun = changes.filter((change) => change.expected_revision === 0);
    const changed = changes.filter((change) => change.expected_revision !== 0);
    if (begun.length > 0) await this.#insert(tx, begun, before_first);
    if (changed.length > 0) await this.#change(tx, changed, before_first);
  }

  async #insert(tx: Transaction, changes: readonly StreamChange<State>[], before_first: number): Promise<void> {
    const columns = this.#domain.columns;
    const lines: string[] = [];
    for (const { stream_id, revision, state, last_us, last_event_id, ordinals, hashes } of changes) {
      let line = copy_text(stream_id) + "\t" + revision;
      for (const { get, type } of columns) {
        const value = get(state);
        line += "\t" +
          (value === null ? COPY_NULL : type === "text" ? copy_text(value as string) : text_of(type, value));
      }
      line += "\t" + format_time(last_us) + "\t" + copy_text(last_event_id) + "\t" +
        plain_array(ordinals.map((ordinal) => before_first + ordinal)) + "\t" + plain_array(hashes) + "\n";
      lines.push(line);
    }
    await tx.copy(this.#domain.tables.states, this.#columns, lines.join(""));
  }

  async #change(tx: Transaction, changes: readonly StreamChange<State>[], before_first: number): Promise<void> {
    const values = [
      text_array(changes.map((change) => change.stream_id)),
      plain_array(changes.map((change) => change.revision)),
      ...this.#domain.columns.map(({ get, type }) => {
        const column = changes.map(({ state }) => get(state));
        return type === "text"
          ? text_array(column as (string | null)[])
          : plain_array(column.map((value) => value === null ? null : text_of(type, value)));
      }),
      plain_array(changes.map((change) => format_time(change.last_us))),
      text_array(changes.map((change) => change.last_event_id)),
      text_array(changes.map((change) => plain_array(change.ordinals.map((ordinal) => before_first + ordinal)))),
      text_array(changes.map((change) => plain_array(change.hashes))),
      plain_array(changes.map((change) => change.expected_revision)),
    ];
    const updated = await tx.execute(this.#update, values);
    if (updated !== changes.length) {
      throw new StreamChangedElsewhere(
        `write ${this.#domain.tables.states}: expected to update ${changes.length} streams at the revisions read, found ${updated}`,
      );
    }
  }
}
