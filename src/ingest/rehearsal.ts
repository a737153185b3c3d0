import type { DomainEvent } from "../domains/mod.ts";
import { hash_event_id } from "../event_log/mod.ts";

/**
 * The events that plans would admit which are not committed, so that a later plan's event is met as it would be if they were.
 * Keeps two numbers an event.
 */
export class Rehearsal {
  readonly #contents = new Map<number, number>();

  /** What would become of an event that its plan admits. */
  meet(event: DomainEvent): "new" | "again" | "conflict" {
    const { stream_id, event_id, type, schema_version, occurred_at_us, data } = event;
    const id = hash_event_id(JSON.stringify([stream_id, event_id]));
    const content = hash_event_id(JSON.stringify([type, schema_version, occurred_at_us, data]));
    const earlier = this.#contents.get(id);
    if (earlier === undefined) this.#contents.set(id, content);
    return earlier === undefined ? "new" : earlier === content ? "again" : "conflict";
  }
}
