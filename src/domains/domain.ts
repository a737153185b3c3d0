import type { CellShape, Contribution, Integer } from "../kpi/mod.ts";
import type { BoardDeclaration, DomainBoard, DomainTables } from "./board.ts";

/**
 * What a domain gives to the engine. The engine (log, ingest, projection, kpi, feed) knows no trips: everything it
 * needs to fold streams of events into states and states into KPI cells stands in one value of this type.
 *
 * Units that cross this door: event time is microseconds since the Unix epoch, a `number` (exact until the year 2255).
 * Figures that add up are integers: a `number` while it is a safe integer, a `bigint` past that.
 */

/** A validated domain event, before it has a position in the log. `payload` is what the fold reads; `data` is the canonical JSON that the log keeps (unknown fields included). */
export interface DomainEvent {
  readonly stream_id: string;
  /** Unique within its stream. For CloudEvents: source and id together, separated by one space. */
  readonly event_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly occurred_at_us: number;
  readonly payload: unknown;
  readonly data: string;
  /** Envelope attributes worth keeping (CloudEvents extensions, correlation, causation); never folded. */
  readonly attributes: Readonly<Record<string, unknown>> | null;
}

/** What folding takes of an event. */
export type FoldedEvent<Payload = unknown> =
  & Pick<DomainEvent, "stream_id" | "event_id" | "type" | "occurred_at_us">
  & { readonly payload: Payload };

/** What is wrong with a value: a stable code, the path to the value in fault, and a sentence: expected, received. */
export interface Fault {
  readonly reason: string;
  readonly path: string | null;
  readonly detail: string;
}

export type Validation<T = unknown> = { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly fault: Fault;
};

/** How one field of a state is kept in the domain's state table. */
export interface StateColumn<State = unknown> {
  readonly name: string;
  readonly type: "text" | "integer" | "bigint" | "double precision" | "timestamptz";
  /** The column's value: text, number or bigint; event time in microseconds for timestamptz; null where unknown. */
  readonly get: (state: State) => string | Integer | null;
}

/** Values of a state row, by column name, as `StateColumn.get` gives them. */
export type StateRow = Readonly<Record<string, string | Integer | null>>;

/** A field of the data of an event type: its name there, and how it is read. */
export interface EventField {
  readonly name: string;
  /** Its name in the payload. */
  readonly target: string;
  /** Whether an event without it, or with a blank one, is refused. */
  readonly required: boolean;
  /** What the payload has of a value that is not blank; null: it is refused. */
  readonly read: (value: string | number) => unknown;
}

/** What a stream of a domain is called: in the words of faults (`trip`), and its id in events and as a column (`trip_id`). */
export interface StreamNames {
  readonly noun: string;
  readonly stream_column: string;
}

/** A domain as it is written: what its events name is a `Payload`, what they fold to a `State`. */
export interface DomainDefinition<Payload, State> extends StreamNames, CellShape {
  readonly name: string;
  readonly tables: DomainTables;
  /** The event types, in the order a stream usually sees them. */
  readonly event_types: readonly string[];
  /** Newest schema version of each type; what a producer that names none is taken to send. */
  readonly schema_version: (type: string) => number;
  /** Validates the data of one event type and version. */
  readonly parse: (type: string, version: number, data: Readonly<Record<string, unknown>>) => Validation<Payload>;
  /**
   * The fields of an event type and version, for reading plain data without `parse`: data is admitted if each of its fields can be read, and the payload is what they
   * are read into, blank ones left out, in this order. Null where there are no such events, or where only `parse` can tell.
   */
  readonly fields: (type: string, version: number) => readonly EventField[] | null;
  readonly initial: State;
  /** Folds the next event, in order of (time, event id), into the state. Pure. */
  readonly fold: (state: State, event: FoldedEvent<Payload>) => State;
  readonly columns: readonly StateColumn<State>[];
  readonly from_row: (row: StateRow) => State;
  readonly contribution: (state: State) => Contribution;
  /** Where extremes come from: the state column that dates them and the SQL condition that a state counts. */
  readonly extremes: { readonly at_column: string; readonly condition: string } | null;
  /** What the page and the API show of it. */
  readonly board: BoardDeclaration;
}

/** A domain as the engine knows it: payloads and states are values that it keeps and hands back, never looks into. */
export interface Domain extends DomainDefinition<unknown, unknown> {
  readonly board: DomainBoard;
}

/** Makes a domain of its definition. The types are lost here alone: whatever the engine hands to a domain came from it. */
export function define_domain<Payload, State>(definition: DomainDefinition<Payload, State>): Domain {
  const { tables, stream_column, dimensions, measures, sketches } = definition;
  const board = { ...definition.board, tables, stream_column, dimensions, measures, sketches };
  return { ...definition as unknown as DomainDefinition<unknown, unknown>, board };
}
