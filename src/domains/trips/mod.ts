/** Trips of a ride service: what they are (`trip.ts`), what they add to the figures, what the board shows of them, who else's records they are read from. */
export { TRIPS, trips_domain } from "./domain.ts";
export type { Trip, TripPayload, TripStatus } from "./trip.ts";
