/**
 * The generator of trips: a small city, not noise.
 *
 * `make_city` builds zones, drivers and passengers once; `TripStream` lets them live and gives the messages their apps
 * would send, in order of delivery, without end. Both are pure, as `src/domains/generator` says.
 *
 * Drivers serve one trip at a time as long as there are enough: about 15,000 for each trip a second (a quarter of them is on shift).
 * Names of people and zones come from faker and stay in the city; events carry ids only, as the contract says.
 */
export { type City, type CityOptions, type Driver, make_city, type Passenger, type Place, type Zone } from "./city.ts";
export type { OpenTrip } from "./message.ts";
export {
  bench_stream,
  type BenchMessage,
  type BenchStreamOptions,
  city_for,
  TRIP_GENERATOR,
  TripStream,
  type TripStreamOptions,
} from "./generator.ts";
