import { amount_text, event_id, Random, STEPS_PER_STREAM, time_text } from "../../src/domains/generator/mod.ts";
import { payment_methods, vehicle_types } from "../../src/domains/trips/generator/city.ts";

interface BenchStreamOptions {
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
interface BenchMessage {
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
