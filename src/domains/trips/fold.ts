import { latLngToCell } from "h3-js";
import type { FoldedEvent } from "../domain.ts";
import type { Trip, TripPayload } from "./trip.ts";

type Fold = (trip: Trip, event: FoldedEvent<TripPayload>) => Trip;

/**
 * How the next event, in order of (time, event id), is folded into a trip: what the event names wins over what was named
 * before; the event's time dates its part of the trip's life.
 * @param h3_resolution of the pickup's cell, 0 to 15; null: pickups are not indexed
 */
export function trip_fold(h3_resolution: number | null): Fold {
  if (h3_resolution === null) return fold;
  return (trip, event) => {
    const next = fold(trip, event);
    const { pickup_lat, pickup_lon } = next;
    // Indexing costs microseconds: once for each place, not for each event.
    if (pickup_lat === trip.pickup_lat && pickup_lon === trip.pickup_lon) return next;
    const known = pickup_lat !== null && pickup_lon !== null;
    return { ...next, pickup_h3: known ? latLngToCell(pickup_lat, pickup_lon, h3_resolution) : null };
  };
}

const fold: Fold = (trip, event) => {
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
    case "trip.voided":
      return { ...trip, ...event.payload, voided_us: at };
    default:
      throw new Error(
        `fold trip ${JSON.stringify(event.stream_id)}: no rule for event type ${JSON.stringify(event.type)}`,
      );
  }
};
