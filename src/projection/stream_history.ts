import { type Domain, same_value, type StateRow, type Validation } from "../domains/mod.ts";
import {
  type ArrivedEvent,
  fold_arrivals,
  hash_event_id,
  recorded_payload,
  type RecordedEvent,
  type StreamRow,
} from "../event_log/mod.ts";
import { CellChanges, type ChangedCell, type Days, format_time, parted } from "../kpi/mod.ts";

/** One stream, worked out anew from its events: what the arrival of each changed, and what is wrong with its row. Pure. */

/** What the arrival of one event changed. States are given by their columns. */
export interface StreamStep {
  readonly position: number;
  /** The state that the events before it had made; null before the first. */
  readonly before: StateRow | null;
  readonly after: StateRow;
  /** The cells it touched, of the finest grain of each dimension; of a domain by currency with theirs. */
  readonly cells: readonly (ChangedCell & { readonly currency?: string })[];
}

export type StreamHistory =
  | { readonly ok: true; readonly steps: readonly StreamStep[] }
  /** Why it cannot be told: an event that was admitted once is refused today. */
  | { readonly ok: false; readonly fault: string };

/**
 * The history of a stream: each event is folded as it came, and what it does to the cells is the difference of the contributions.
 * @param events all of one stream up to some position, in order of position
 */
export function stream_history(
  domain: Domain,
  days: Days,
  events: readonly RecordedEvent[],
): StreamHistory {
  const row_of = (state: unknown): StateRow =>
    Object.fromEntries(domain.columns.map(({ name, get }) => [name, get(state)]));
  const arrived: ArrivedEvent[] = [];
  for (const event of events) {
    const payload = recorded_payload(domain, event);
    if (!payload.ok) {
      return { ok: false, fault: `event ${event.position} is refused today: ${payload.fault.detail}` };
    }
    arrived.push({ ...event, payload: payload.value });
  }
  const { states } = fold_arrivals(domain, arrived);
  const steps = states.map((state, i): StreamStep => {
    const known = i === 0 ? null : states[i - 1]!;
    const changes = new CellChanges(domain, days);
    changes.replace(known === null ? null : domain.contribution(known), domain.contribution(state), 1);
    return {
      position: arrived[i]!.position,
      before: known === null ? null : row_of(known),
      after: row_of(state),
      cells: finest_cells(domain, changes),
    };
  });
  return { ok: true, steps };
}

function finest_cells(
  { dimensions, by_currency }: Pick<Domain, "dimensions" | "by_currency">,
  changes: CellChanges,
): StreamStep["cells"] {
  const finest = new Map(dimensions.map(({ name, grains }) => [name, grains[0]]));
  const cells = [...changes.cells()].filter(({ dimension, grain }) => finest.get(dimension) === grain);
  return by_currency === undefined ? cells : cells.map((cell) => ({ ...cell, ...parted(cell.key) }));
}

/** An event that was read: what is looked at of it, what the domain makes of it, and how many characters it says that in. */
export interface Read
  extends Pick<RecordedEvent, "position" | "stream_id" | "revision" | "event_id" | "type" | "occurred_at_us"> {
  readonly payload: Validation;
  readonly characters: number;
}

/** Keeps of an event what is looked at. */
export function read_of(
  { position, stream_id, revision, event_id, type, occurred_at_us, data }: RecordedEvent,
  payload: Validation,
): Read {
  return { position, stream_id, revision, event_id, type, occurred_at_us, payload, characters: data.length };
}

/** What the events make of a stream, one after the other, and what is wrong with its row; no states where they make nothing. */
export function fold_events(
  domain: Domain,
  { stream_id, stream, values }: StreamRow,
  own: readonly (Read | undefined)[],
): { readonly states: readonly unknown[]; readonly fault: string | null } {
  const faulty = (fault: string) => ({ states: [], fault });
  const events: ArrivedEvent[] = [];
  for (const [i, event] of own.entries()) {
    const position = stream.positions[i];
    if (event === undefined) return faulty(`event ${position} is not in the log`);
    if (event.stream_id !== stream_id) return faulty(`event ${position} belongs to ${JSON.stringify(event.stream_id)}`);
    if (event.revision !== i + 1) return faulty(`event ${position} has revision ${event.revision}, expected ${i + 1}`);
    if (stream.hashes[i] !== hash_event_id(event.event_id)) {
      return faulty(`the hash of event ${position} is not that of its id`);
    }
    const { payload } = event;
    if (!payload.ok) return faulty(`event ${position} is refused today: ${payload.fault.detail}`);
    events.push({ ...event, payload: payload.value });
  }
  if (stream.revision !== events.length) return faulty(`revision ${stream.revision}, its events are ${events.length}`);
  if (stream.hashes.length !== events.length) {
    return faulty(`it has ${stream.hashes.length} hashes, its events are ${events.length}`);
  }
  const { states, last } = fold_arrivals(domain, events);
  const { occurred_at_us, event_id } = last;
  const misdated = stream.last_us === occurred_at_us && stream.last_event_id === event_id
    ? null
    : `its last event is ${JSON.stringify(stream.last_event_id)} at ${format_time(stream.last_us)}, ` +
      `its events say ${JSON.stringify(event_id)} at ${format_time(occurred_at_us)}`;
  return { states, fault: column_fault(domain, states.at(-1)!, values, "its events say") ?? misdated };
}

/** What is wrong with a row in itself; null when nothing is. */
export function row_fault(
  domain: Domain,
  { stream, values }: StreamRow,
): string | null {
  const { positions, hashes, revision } = stream;
  if (revision === 0 || positions.length !== revision || hashes.length !== revision) {
    return `revision ${revision}, it has ${positions.length} positions and ${hashes.length} hashes`;
  }
  return column_fault(domain, stream.state, values, "the rest of its row says");
}

function column_fault(
  domain: Domain,
  state: unknown,
  values: StateRow,
  says: string,
): string | null {
  for (const { name, get } of domain.columns) {
    const expected = get(state), found = values[name];
    if (!same_value(expected, found)) return `${name} is ${found}, ${says} ${expected}`;
  }
  return null;
}
