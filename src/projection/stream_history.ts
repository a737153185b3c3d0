import type { Domain, DomainEvent, StateRow } from "../domains/mod.ts";
import { comes_after, recorded_payload, type RecordedEvent } from "../event_log/mod.ts";
import { CellChanges, type ChangedCell, type Days } from "../kpi/mod.ts";

/** The history of one stream, worked out anew from its events: what the arrival of each changed. Pure. */

/** What the arrival of one event changed. States are given by their columns. */
export interface StreamStep {
  readonly position: number;
  /** The state that the events before it had made; null before the first. */
  readonly before: StateRow | null;
  readonly after: StateRow;
  /** The cells it touched, of the finest grain of each dimension. */
  readonly cells: readonly ChangedCell[];
}

export type StreamHistory =
  | { readonly ok: true; readonly steps: readonly StreamStep[] }
  /** Why it cannot be told: an event that was admitted once is refused today. */
  | { readonly ok: false; readonly fault: string };

/**
 * The history of a stream: as ingest did when they came, each event is folded among all that had arrived by then, in order of
 * (time, event id), and what it does to the cells is the difference of the contributions.
 * @param events all of one stream up to some position, in order of position
 */
export function stream_history<Payload, State>(
  domain: Domain<Payload, State>,
  days: Days,
  events: readonly RecordedEvent[],
): StreamHistory {
  const row_of = (state: State): StateRow =>
    Object.fromEntries(domain.columns.map(({ name, get }) => [name, get(state)]));
  const sorted: DomainEvent<Payload>[] = [], states: State[] = [], steps: StreamStep[] = [];
  for (const event of events) {
    const payload = recorded_payload(domain, event);
    if (!payload.ok) {
      return { ok: false, fault: `event ${event.position} is refused today: ${payload.fault.detail}` };
    }
    const known = states.at(-1) ?? null;
    const place = 1 +
      sorted.findLastIndex((other) =>
        comes_after(event.occurred_at_us, event.event_id, other.occurred_at_us, other.event_id)
      );
    sorted.splice(place, 0, { ...event, payload: payload.value, attributes: null });
    // What comes before its place is folded already.
    states.length = place;
    for (const each of sorted.slice(place)) states.push(domain.fold(states.at(-1) ?? domain.initial, each));
    const state = states.at(-1)!;
    const changes = new CellChanges(domain, days);
    changes.replace(known === null ? null : domain.contribution(known), domain.contribution(state), 1);
    steps.push({
      position: event.position,
      before: known === null ? null : row_of(known),
      after: row_of(state),
      cells: finest_cells(domain, changes),
    });
  }
  return { ok: true, steps };
}

function finest_cells({ dimensions }: Pick<Domain, "dimensions">, changes: CellChanges): ChangedCell[] {
  const finest = new Map(dimensions.map(({ name, grains }) => [name, grains[0]]));
  return [...changes.cells()].filter(({ dimension, grain }) => finest.get(dimension) === grain);
}
