/**
 * The definitions of the mappings that come with the program, for records of trips as they are found in the world. Data only: `src/mapping`
 * makes mappings of them.
 *
 * Decision: for records without ids the trip's id is the hash of fields that a refund shares with what it takes back, amounts not among them;
 * rows of a file that are equal in these are numbered. Price: a form that publishes other fields of the same rides (coordinates, then zones)
 * gives them other ids.
 */
import ride_sharing from "./ride_sharing.json" with { type: "json" };
import trip_start from "./trip_start.json" with { type: "json" };
import trip_end from "./trip_end.json" with { type: "json" };
import mobility_hub from "./mobility_hub.json" with { type: "json" };
import taxis from "./taxis.json" with { type: "json" };
import nyc_yellow from "./nyc_yellow.json" with { type: "json" };
import nyc_green from "./nyc_green.json" with { type: "json" };
import nyc_fhv from "./nyc_fhv.json" with { type: "json" };
import nyc_hvfhv from "./nyc_hvfhv.json" with { type: "json" };
import chicago_taxi from "./chicago_taxi.json" with { type: "json" };
import bike_share from "./bike_share.json" with { type: "json" };
import mds_trips from "./mds_trips.json" with { type: "json" };

/** In the order in which they are listed. */
export const TRIP_MAPPINGS: readonly unknown[] = [
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
