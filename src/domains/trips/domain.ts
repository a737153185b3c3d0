import type { StreamNames } from "../board.ts";
import type { DeclaredDomain, DeploymentTerms } from "../declared.ts";
import { define_domain, type Domain } from "../domain.ts";
import { TRIP_BOARD, trip_entities } from "./board.ts";
import { TRIP_DIMENSIONS, TRIP_FACTS, TRIP_MEASURES } from "./catalog.ts";
import { TRIP_GENERATOR } from "./generator/mod.ts";
import { TRIP_MAPPINGS } from "./mappings/mod.ts";
import { DERIVED, EVENT_TYPES, TRIP_FIELDS, trip_fold } from "./trip.ts";

/** What a trip is called, by people and in events. */
const NAMES: StreamNames = { noun: "trip", stream_column: "trip_id" };

/**
 * The trips domain of a deployment. Events in any order of arrival fold to the same trip; a trip's contribution says what it adds to
 * the cells. Everything here is pure.
 */
export function trips_domain(
  { currency, h3_resolution = null, metrics_h3 = "pickup_h3" }: DeploymentTerms,
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
    fold: trip_fold(h3_resolution),
    dimensions: by_h3 ? TRIP_DIMENSIONS : TRIP_DIMENSIONS.slice(0, -1),
    measures: TRIP_MEASURES,
    facts: TRIP_FACTS,
    board: { ...TRIP_BOARD, entities: trip_entities(metrics_h3) },
  });
}

/** Trips, as the program's verbs know them. */
export const TRIPS: DeclaredDomain = {
  name: "trips",
  ...NAMES,
  event_types: EVENT_TYPES,
  fields: TRIP_FIELDS,
  make: trips_domain,
  mappings: TRIP_MAPPINGS,
  topics: [{ topic: "trips" }],
  reversal: { type: "trip.voided", amount: "amount", of_type: "trip.completed", of_amount: "fare" },
  later_measure: ["fare_count", "completed"],
  generator: TRIP_GENERATOR,
};
