import { Arrivals, check_options, EventStream, Random } from "../../generator/mod.ts";
import { extra_demand, outage_end_us } from "./anomalies.ts";
import type { City } from "./city.ts";
import { Dispatcher } from "./dispatcher.ts";
import { BREAKABLE, data_of, type OpenTrip, type Trip } from "./message.ts";
import { resume_trip } from "./ride.ts";

export interface TripStreamOptions {
  readonly seed: number;
  /** Where the stream begins, microseconds since the epoch. */
  readonly start_us: number;
  /** Trips requested per second of event time, on the average of a week. Each makes about three messages. */
  readonly rate: number;
  /** 0: evenly spaced. 1 (default): the city's demand by hour and weekday, with gusts and random gaps. */
  readonly variability?: number;
  /** The number in the first trip's id. Default 1. A run that goes on where another ended starts past its last number. */
  readonly first_trip_number?: number;
  /** What stands before the number in trip ids. Default "T-". Runs that share a log without sharing numbers need one each. */
  readonly trip_prefix?: string;
  /** Trips still open from an earlier run: they are finished first. */
  readonly open?: readonly OpenTrip[];
  /** Shares (0 to 1, default 0) of good messages that are sent minutes late, sent a second time, or follow a broken copy of themselves. */
  readonly late?: number;
  readonly duplicates?: number;
  readonly malformed?: number;
  /** Share (0 to 1, default 0.012) of completed trips whose fare is corrected within six hours: tolls, waiting time, refunds. */
  readonly corrections?: number;
  /** Shares (0 to 1, default 0) of completed trips that are taken back within a day or two, and whose completion says no fare. */
  readonly voids?: number;
  readonly without_fare?: number;
  /** Spikes, outages, fraud-like trips and completions after cancellations. Default false. */
  readonly anomalies?: boolean;
  /** Currency of all amounts. Default "USD". */
  readonly currency?: string;
}

/** The messages of a city, without end, in order of delivery: the same city and options give the same bytes. */
export class TripStream extends EventStream<Trip> {
  /** Throws when an option is out of its range. */
  constructor(city: City, given: TripStreamOptions) {
    const options = with_defaults(given);
    const { seed, start_us, first_trip_number, currency, anomalies, open } = options;
    const { demand, utc_offset_us } = city;
    const extra = anomalies ? { extra: (at_us: number) => extra_demand(city, seed, at_us) } : {};
    const arrivals = new Arrivals({ ...options, demand, utc_offset_us, ...extra });
    const dispatcher = new Dispatcher(city, options);
    let number = first_trip_number, requested_us = arrivals.next();
    const invention = {
      next_us: () => requested_us,
      next() {
        const trip = dispatcher.plan(number++, requested_us);
        requested_us = arrivals.next();
        return trip;
      },
      data: (trip: Trip, step: number) => data_of(trip, step, currency),
      delivered_us(trip: Trip, due_us: number) {
        if (!anomalies) return due_us;
        const place = city.places.findIndex(({ source }) => source === trip.source);
        return outage_end_us(seed, place, due_us) ?? due_us;
      },
    };
    const random = new Random(seed, start_us, first_trip_number, 51);
    super(BREAKABLE, invention, random, options, open.map((each) => resume_trip(city, seed, start_us, each)));
  }
}

function with_defaults(options: TripStreamOptions): Required<TripStreamOptions> {
  const complete: Required<TripStreamOptions> = {
    variability: 1,
    first_trip_number: 1,
    trip_prefix: "T-",
    open: [],
    late: 0,
    duplicates: 0,
    malformed: 0,
    corrections: 0.012,
    voids: 0,
    without_fare: 0,
    anomalies: false,
    currency: "USD",
    ...options,
  };
  check_options(
    "trip",
    complete,
    ["seed", "start_us", "first_trip_number"],
    ["variability", "late", "duplicates", "malformed", "corrections", "voids", "without_fare"],
  );
  return complete;
}
