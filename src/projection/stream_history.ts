import type { Domain, StateRow } from "../domains/mod.ts";
import { type ArrivedEvent, fold_arrivals, recorded_payload, type RecordedEvent } from "../event_log/mod.ts";
import { CellChanges, type ChangedCell, type Days, parted } from "../kpi/mod.ts";

/** The history of one stream, worked out anew from its events: what the arrival of each changed. Pure. */

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
