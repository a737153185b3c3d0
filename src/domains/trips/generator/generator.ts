import type { Generator, GeneratorPlan, GeneratorRun } from "../../declared.ts";
import {
  amount_text,
  Arrivals,
  check_options,
  event_id,
  EventStream,
  planted_between,
  Random,
  STEPS_PER_STREAM,
  time_text,
  utc_offset_us,
} from "../../generator/mod.ts";
import { status_of, type Trip as TripState } from "../trip.ts";
import { Dispatcher, extra_demand, outage_end_us, planted_in } from "./dispatcher.ts";
import { type City, make_city, payment_methods, vehicle_types } from "./city.ts";
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

export interface BenchStreamOptions {
  /** How many trips; each makes two messages. */
  readonly trips: number;
  readonly seed: number;
  readonly start_us: number;
  /** Default 8 per second of event time. */
  readonly trips_per_second?: number;
  /** Sizes of the key space: default 10,000 drivers, 200,000 passengers, 260 zones. */
  readonly drivers?: number;
  readonly passengers?: number;
  readonly zones?: number;
  /** How many other trips start between a trip's start and its completion. Default 5,000. */
  readonly apart?: number;
}

/** A message of the bench, key and value as bytes, and when it would be sent (microseconds). */
export interface BenchMessage {
  readonly deliver_us: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const cities = ["chicago", "denver", "austin"] as const;

/**
 * The load of `deno task bench`: a key space as large as a real fleet's, every trip started and, `apart` trips later,
 * completed; CloudEvents as bytes. No demand curve and no habits, so that making it costs the measurement little.
 */
export function* bench_stream(options: BenchStreamOptions): IteratorObject<BenchMessage, void, void> {
  const { trips, seed, start_us } = options;
  const { trips_per_second = 8, drivers = 10_000, passengers = 200_000, zones = 260, apart = 5_000 } = options;
  const random = new Random(seed, 61);
  const key = random.whole(0, 0x1_0000_0000);
  const encoder = new TextEncoder();
  const zone = () => random.whole(1, zones + 1);

  const envelope = (trip: number, step: number, type: string, at_us: number, data: string): BenchMessage => {
    const trip_id = `T-${trip + 1}`;
    const value =
      `{"specversion":"1.0","id":"${event_id(key, trip * STEPS_PER_STREAM + step)}","source":"/fleet/${
        cities[trip % 3]
      }",` +
      `"type":"${type}","subject":"${trip_id}","time":"${
        time_text(at_us)
      }","datacontenttype":"application/json","data":${data}}`;
    return { deliver_us: at_us, key: encoder.encode(trip_id), value: encoder.encode(value) };
  };
  const started = (trip: number, at_us: number): BenchMessage => {
    const data =
      `{"driver_id":"D${random.whole(1, drivers + 1)}","passenger_id":"P${random.whole(1, passengers + 1)}",` +
      `"vehicle_type":"${random.pick(vehicle_types)}","city":"${cities[trip % 3]}","pickup_zone":"${zone()}",` +
      `"dropoff_zone":"${zone()}","estimated_fare":"${amount_text(random.whole(500, 6_000))}"}`;
    return envelope(trip, 0, "trip.started", at_us, data);
  };
  const completed = (trip: number, at_us: number): BenchMessage => {
    const distance_m = random.whole(60, 2_400) * 10;
    const fare = 300 + Math.round(distance_m * 0.16);
    const data =
      `{"fare":"${amount_text(fare)}","tip":"${amount_text(random.chance(0.5) ? Math.round(fare * 0.15) : 0)}",` +
      `"currency":"USD","distance_km":${distance_m / 1_000},"duration_min":${random.whole(40, 500) / 10},` +
      `"payment_method":"${random.pick(payment_methods)}","dropoff_zone":"${zone()}","passenger_count":${
        random.whole(1, 5)
      }}`;
    return envelope(trip, 1, "trip.completed", at_us, data);
  };

  for (let turn = 0; turn < trips + apart; turn++) {
    const at_us = start_us + Math.floor((turn * 1_000) / trips_per_second) * 1_000;
    if (turn < trips) yield started(turn, at_us);
    if (turn >= apart) yield completed(turn - apart, at_us);
  }
}
