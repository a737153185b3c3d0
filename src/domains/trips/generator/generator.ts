import type { Generator, GeneratorPlan, GeneratorRun } from "../../declared.ts";
import { planted_between, utc_offset_us } from "../../generator/mod.ts";
import { status_of, type Trip } from "../trip.ts";
import { planted_in } from "./anomalies.ts";
import { type City, make_city } from "./city.ts";
import type { OpenTrip } from "./message.ts";
import { TripStream, type TripStreamOptions } from "./trip_stream.ts";

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

function open_trip(trip_id: string, trip: Trip): OpenTrip {
  const { requested_us, started_us, city, vehicle_type, driver_id, passenger_id, pickup_zone } = trip;
  const status = status_of(trip) === "requested" ? "requested" : "in_progress";
  return { trip_id, status, requested_us, started_us, city, vehicle_type, driver_id, passenger_id, pickup_zone };
}

/** How trips are invented. */
export const TRIP_GENERATOR: Generator = {
  letter: "T",
  per_rate: 1,
  open: "status in ('requested', 'in_progress')",
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
      open: open.map(({ stream_id, state }) => open_trip(stream_id, state as Trip)),
    });
  },
  planted(plan: PlannedCity, until_us) {
    if (plan.anomalies !== true) return [];
    const city = city_for(plan, { time_zone: "UTC" });
    return planted_between(plan.start_us, until_us, (at_us) => planted_in(city, plan.seed, at_us));
  },
};
