import type { DomainEvent } from "../domain.ts";
import type { Trip, TripPayload } from "./trip.ts";

/**
 * Folds the next event, in order of (time, event id), into a trip: what the event names wins over what was named
 * before; the event's time dates its part of the trip's life.
 */
export function fold(trip: Trip, event: DomainEvent<TripPayload>): Trip {
  const at = event.occurred_at_us;
  switch (event.type) {
    case "trip.requested":
      return { ...trip, ...event.payload, requested_us: at };
    case "trip.started":
      return { ...trip, ...event.payload, started_us: at };
    case "trip.completed":
      return { ...trip, ...event.payload, completed_us: at };
    case "trip.canceled":
      return { ...trip, ...event.payload, canceled_us: at };
    case "trip.fare_adjusted":
      return { ...trip, ...event.payload };
    default:
      throw new Error(
        `fold trip ${JSON.stringify(event.stream_id)}: no rule for event type ${JSON.stringify(event.type)}`,
      );
  }
}
