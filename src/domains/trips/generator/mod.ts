/**
 * The generator of trips: a small city, not noise.
 *
 * `make_city` builds zones, drivers and passengers once; `TripStream` lets them live and gives the messages their apps
 * would send, in order of delivery, without end. Both are pure, as `src/domains/generator` says.
 *
 * Drivers serve one trip at a time as long as there are enough: about 15,000 for each trip a second (a quarter of them is on shift).
 * Names of people and zones come from faker and stay in the city; events carry ids only, as the contract says.
 */
export { make_city } from "./city.ts";
export type { OpenTrip } from "./ride.ts";
import type { Generator, GeneratorPlan, GeneratorRun } from "../../declared.ts";
import { Arrivals, check_options, EventStream, planted_between, Random, utc_offset_us } from "../../generator/mod.ts";
import { status_of, type Trip as TripState } from "../trip.ts";
import { Dispatcher, extra_demand, outage_end_us, planted_in } from "./dispatcher.ts";
import { type City, make_city } from "./city.ts";
import { BREAKABLE, data_of, type OpenTrip, resume_trip, type Trip } from "./ride.ts";

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

/** A city with about as many drivers as the rate keeps busy, whose clocks stand as those of the time zone at noon of the first day. */
export function city_for(
  { seed, rate, start_us }: Pick<GeneratorPlan, "seed" | "rate" | "start_us">,
  { time_zone }: Pick<GeneratorRun, "time_zone">,
): City {
  const utc_offset_min = utc_offset_us(start_us, time_zone) / 60_000_000;
  return make_city({ seed, drivers: Math.min(20_000, Math.max(400, Math.ceil(rate * 15_000))), utc_offset_min });
}

/** A plan, as far as it decides what goes wrong. */
type PlannedCity = GeneratorPlan & Pick<TripStreamOptions, "anomalies">;

/** What `tacho produce` can be asked for of trips alone. */
interface Wishes extends Pick<TripStreamOptions, "variability" | "corrections" | "anomalies" | "voids"> {
  readonly withoutFare?: number;
}

function open_trip(trip_id: string, trip: TripState): OpenTrip {
  const { requested_us, started_us, city, vehicle_type, driver_id, passenger_id, pickup_zone } = trip;
  const status = status_of(trip) === "requested" ? "requested" : "in_progress";
  return { trip_id, status, requested_us, started_us, city, vehicle_type, driver_id, passenger_id, pickup_zone };
}

/** How trips are invented. */
export const TRIP_GENERATOR: Generator = {
  letter: "T",
  per_rate: 1,
  open: "status in ('requested', 'in_progress')",
  own_shares: [{ option: "without-fare", says: "share of completed trips that say no fare; none unless given" }],
  // The order of the names stays: the ids of trips follow from it.
  plan(
    { rate, seed, currency, start_us },
    { variability = 1, corrections = 0.012, anomalies = false, voids = 0, withoutFare = 0 }: Wishes,
  ) {
    const endings = { ...voids > 0 ? { voids } : {}, ...withoutFare > 0 ? { without_fare: withoutFare } : {} };
    return { rate, seed, variability, corrections, anomalies, currency, start_us, ...endings };
  },
  messages: (plan, run) => {
    const { prefix, open = [], time_zone: _, ...shares } = run;
    return new TripStream(city_for(plan, run), {
      ...plan,
      ...shares,
      trip_prefix: prefix,
      open: open.map(({ stream_id, state }) => open_trip(stream_id, state as TripState)),
    });
  },
  planted(plan: PlannedCity, until_us) {
    if (plan.anomalies !== true) return [];
    const city = city_for(plan, { time_zone: "UTC" });
    return planted_between(plan.start_us, until_us, (at_us) => planted_in(city, plan.seed, at_us));
  },
};
