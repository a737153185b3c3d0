import { define_domain, type Domain, type StreamNames } from "../domain.ts";
import { TRIP_BOARD } from "./board.ts";
import { TRIP_DIMENSIONS, TRIP_MEASURES, TRIP_SKETCHES } from "./catalog.ts";
import { TRIP_COLUMNS, trip_from_row } from "./columns.ts";
import { trip_contribution } from "./contribution.ts";
import { trip_fold } from "./fold.ts";
import { parse_trip_data } from "./parse.ts";
import { trip_fields } from "./schemas.ts";
import { EVENT_TYPES, type Trip, type TripPayload, UNKNOWN_TRIP } from "./trip.ts";

/** What a trip is called, by people and in events. */
export const TRIP_NAMES: StreamNames = { noun: "trip", stream_column: "trip_id" };

/**
 * The trips domain of a deployment. Events in any order of arrival fold to the same trip; a trip's contribution says what it adds to
 * the cells. Everything here is pure.
 * @param options currency: the one currency whose amounts are added up; h3_resolution: that of the pickups' cells, 0 to 15,
 *   without one pickups are not indexed and no cells are kept by them
 */
export function trips_domain(
  { currency, h3_resolution = null }: { readonly currency: string; readonly h3_resolution?: number | null },
): Domain {
  const by_h3 = h3_resolution !== null;
  return define_domain<TripPayload, Trip>({
    name: "trips",
    ...TRIP_NAMES,
    tables: { states: "trips", cells: "trip_cells", sketches: "trip_sketches" },
    event_types: EVENT_TYPES,
    schema_version: () => 1,
    parse: parse_trip_data(currency),
    fields: trip_fields(currency),
    initial: UNKNOWN_TRIP,
    fold: trip_fold(h3_resolution),
    columns: TRIP_COLUMNS,
    from_row: trip_from_row,
    dimensions: by_h3 ? TRIP_DIMENSIONS : TRIP_DIMENSIONS.slice(0, -1),
    measures: TRIP_MEASURES,
    sketches: TRIP_SKETCHES,
    contribution: trip_contribution(by_h3),
    extremes: { at_column: "completed_at", condition: "status = 'completed'" },
    board: TRIP_BOARD,
  });
}

export { format_amount, parse_amount } from "./amount.ts";
export { event_fields } from "./schemas.ts";
export type { Trip, TripPayload, TripStatus } from "./trip.ts";
