import type { BoardDeclaration, StreamNames } from "../board.ts";
import type { DeclaredDomain, DeploymentTerms } from "../declared.ts";
import { define_domain, type Domain } from "../domain.ts";
import { TRIP_BOARD, trip_entities } from "./board.ts";
import { DERIVED, EVENT_TYPES, TRIP_DIMENSIONS, TRIP_FACTS, TRIP_FIELDS, trip_fold, TRIP_MEASURES } from "./trip.ts";
import { TRIP_GENERATOR } from "./generator/mod.ts";
import ride_sharing from "./mappings/ride_sharing.json" with { type: "json" };
import trip_start from "./mappings/trip_start.json" with { type: "json" };
import trip_end from "./mappings/trip_end.json" with { type: "json" };
import mobility_hub from "./mappings/mobility_hub.json" with { type: "json" };
import taxis from "./mappings/taxis.json" with { type: "json" };
import nyc_yellow from "./mappings/nyc_yellow.json" with { type: "json" };
import nyc_green from "./mappings/nyc_green.json" with { type: "json" };
import nyc_fhv from "./mappings/nyc_fhv.json" with { type: "json" };
import nyc_hvfhv from "./mappings/nyc_hvfhv.json" with { type: "json" };
import chicago_taxi from "./mappings/chicago_taxi.json" with { type: "json" };
import bike_share from "./mappings/bike_share.json" with { type: "json" };
import mds_trips from "./mappings/mds_trips.json" with { type: "json" };

/** Trips of a ride service: what they are (`trip.ts`), what they add to the figures, what the board shows of them, who else's records they are read from. */
export type { Trip, TripPayload } from "./trip.ts";

/** What a trip is called, by people and in events. */
const NAMES: StreamNames = { noun: "trip", stream_column: "trip_id" };

/** Where pickups are not indexed. */
const WITHOUT_CELLS: BoardDeclaration = {
  ...TRIP_BOARD,
  map: { ...TRIP_BOARD.map!, places: TRIP_BOARD.map!.places.filter(({ kind }) => kind !== "h3") },
};
/** What the ids of the entity `h3` may be: cells, or where events have no coordinates zones. */
const H3_ENTITIES = ["pickup_h3", "pickup_zone", "dropoff_zone"] as const;

/**
 * The trips domain of a deployment. Events in any order of arrival fold to the same trip; a trip's contribution says what it adds to
 * the cells. Everything here is pure.
 */
export function trips_domain(
  { currency, h3_resolution = null, metrics_h3 = null }: DeploymentTerms,
): Domain {
  const by_h3 = h3_resolution !== null;
  return define_domain({
    name: "trips",
    ...NAMES,
    tables: { states: "trips", cells: "trip_cells", totals: "trip_totals", sketches: "trip_sketches" },
    event_types: EVENT_TYPES,
    fields: TRIP_FIELDS,
    fixed: { currency },
    derived: DERIVED,
    ...by_h3 ? { fold: trip_fold(h3_resolution) } : {},
    dimensions: by_h3 ? TRIP_DIMENSIONS : TRIP_DIMENSIONS.slice(0, -1),
    measures: TRIP_MEASURES,
    facts: TRIP_FACTS,
    board: { ...by_h3 ? TRIP_BOARD : WITHOUT_CELLS, entities: trip_entities(metrics_h3 ?? H3_ENTITIES[0]) },
  });
}

/**
 * The definitions of the mappings that come with the program, for records of trips as they are found in the world, in the order in which they are
 * listed. Data only: `src/mapping` makes mappings of them.
 *
 * Decision: for records without ids the trip's id is the hash of fields that a refund shares with what it takes back, amounts not among them;
 * rows of a file that are equal in these are numbered. Price: a form that publishes other fields of the same rides (coordinates, then zones)
 * gives them other ids.
 */
const TRIP_MAPPINGS: readonly unknown[] = [
  ride_sharing,
  trip_start,
  trip_end,
  mobility_hub,
  taxis,
  nyc_yellow,
  nyc_green,
  nyc_fhv,
  nyc_hvfhv,
  chicago_taxi,
  bike_share,
  mds_trips,
];

/** Trips, as the program's verbs know them. */
export const TRIPS: DeclaredDomain = {
  name: "trips",
  ...NAMES,
  event_types: EVENT_TYPES,
  fields: TRIP_FIELDS,
  make: trips_domain,
  mappings: TRIP_MAPPINGS,
  topics: [{ topic: "trips" }],
  record_lists: ["trips", "rides"],
  h3_entities: H3_ENTITIES,
  reversal: { type: "trip.voided", amount: "amount", of_type: "trip.completed", of_amount: "fare" },
  later_measure: "fare_count",
  later_value: "waiting_ms",
  generator: TRIP_GENERATOR,
};
