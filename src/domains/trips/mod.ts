import type { Domain } from "../domain.ts";
import { TRIP_DIMENSIONS, TRIP_MEASURES } from "./catalog.ts";
import { TRIP_COLUMNS, trip_from_row } from "./columns.ts";
import { contribution } from "./contribution.ts";
import { fold } from "./fold.ts";
import { parse_trip_data } from "./parse.ts";
import { EVENT_TYPES, type Trip, type TripPayload, UNKNOWN_TRIP } from "./trip.ts";

/**
 * The trips domain. Events in any order of arrival fold to the same trip; a trip's contribution says what it adds to
 * the cells. Everything here is pure.
 */
export type TripDomain = Domain<TripPayload, Trip>;

/**
 * The trips domain of a deployment.
 * @param options currency: the one currency whose amounts are added up
 */
export function trips_domain(options: { readonly currency: string }): TripDomain {
  return {
    name: "trips",
    tables: { states: "trips", cells: "trip_cells" },
    stream_column: "trip_id",
    event_types: EVENT_TYPES,
    schema_version: () => 1,
    parse: parse_trip_data(options.currency),
    initial: UNKNOWN_TRIP,
    fold,
    columns: TRIP_COLUMNS,
    from_row: trip_from_row,
    dimensions: TRIP_DIMENSIONS,
    measures: TRIP_MEASURES,
    contribution,
    extremes: { at_column: "completed_at", condition: "status = 'completed'" },
  };
}

export { format_amount, parse_amount } from "./amount.ts";
export { trips_board } from "./board.ts";
export type { Trip, TripPayload, TripStatus } from "./trip.ts";
