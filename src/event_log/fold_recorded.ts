import { type Domain, type FoldedEvent, parse_json, type Validation } from "../domains/mod.ts";
import { follows } from "../kpi/mod.ts";
import type { RecordedEvent } from "./chain.ts";

/** How an event is known again, and what recorded ones fold to: the order they are folded in, and what a stored one says. Pure. */

/**
 * A 53-bit hash of an event id, kept as a bigint in the database and as a safe `number` here: two multiply-xorshift lanes
 * over UTF-16 code units. It only has to make accidental hits within one stream rare; a hit is always compared in full.
 */
export function hash_event_id(id: string): number {
  let low = 0x9e3779b9 | 0, high = 0x85ebca6b | 0;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x2c1b3c6d);
    high = Math.imul(high ^ unit, 0x297a2d39);
  }
  low = Math.imul(low ^ (low >>> 15) ^ high, 0x7feb352d);
  high = Math.imul(high ^ (high >>> 13) ^ low, 0x846ca68b);
  low ^= low >>> 16;
  high ^= high >>> 15;
  return (high & 0x1fffff) * 0x100000000 + (low >>> 0);
}

/** The payload of a recorded event, read as if it came today; the fault when the domain refuses by now what it once admitted. */
export function recorded_payload(
  domain: Pick<Domain, "parse">,
  event: Pick<RecordedEvent, "type" | "schema_version" | "data">,
): Validation {
  return domain.parse(event.type, event.schema_version, parse_json(event.data) as Record<string, unknown>);
}

/** What recorded events of one stream fold to, and the last of them in order of (time, event id); null of none. */
type RecordedFold =
  | { readonly ok: true; readonly state: unknown; readonly last: RecordedEvent | null }
  /** Which event the domain refuses by now, and why. */
  | { readonly ok: false; readonly fault: string };

/**
 * Folds recorded events of one stream, in order of (time, event id).
 * @param events in any order
 */
export function fold_recorded(
  domain: Pick<Domain, "parse" | "initial" | "fold">,
  events: readonly RecordedEvent[],
): RecordedFold {
  const sorted = events.toSorted((a, b) => follows(a, b) ? 1 : -1);
  let state = domain.initial;
  for (const event of sorted) {
    const payload = recorded_payload(domain, event);
    if (!payload.ok) return { ok: false, fault: `event ${event.position} is refused today: ${payload.fault.detail}` };
    state = domain.fold(state, { ...event, payload: payload.value });
  }
  return { ok: true, state, last: sorted.at(-1) ?? null };
}

/** An event of a stream as it came: with its position, and what the domain reads of it. */
export type ArrivedEvent = FoldedEvent & Pick<RecordedEvent, "position">;

/** A stream in the course of its events. */
interface FoldedArrivals {
  /** Its state after each of them, in order of arrival. */
  readonly states: readonly unknown[];
  /** The last of them in order of (time, event id). */
  readonly last: ArrivedEvent;
}

/**
 * Folds the events of one stream as ingest did when they came: each among all that had arrived by then, in order of (time, event id).
 * @param events at least one, in order of position
 */
export function fold_arrivals(
  domain: Pick<Domain, "initial" | "fold">,
  events: readonly ArrivedEvent[],
): FoldedArrivals {
  const sorted: ArrivedEvent[] = [], folded: unknown[] = [], states: unknown[] = [];
  for (const event of events) {
    let place = sorted.length;
    while (place > 0 && !follows(event, sorted[place - 1]!)) place--;
    if (place === sorted.length) sorted.push(event);
    else sorted.splice(place, 0, event);
    // What comes before its place is folded already.
    folded.length = place;
    for (; place < sorted.length; place++) {
      folded.push(domain.fold(folded.at(-1) ?? domain.initial, sorted[place]!));
    }
    states.push(folded.at(-1)!);
  }
  return { states, last: sorted.at(-1)! };
}
