/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
import { Random } from "../../src/domains/generator/mod.ts";
import { type KafkaProducer, open_kafka_producer, type OutgoingMessage } from "../../src/ingest/kafka/mod.ts";
import { options_of } from "../support/kafka_topic.ts";

/**
 * Sends whole trips at a rate, in a worker of its own, and notes when brokers acknowledged them. A message is a trip that is completed as it is sent: one
 * event, one trip, by 10,000 drivers and 200,000 passengers.
 */

/** What the worker is asked for. */
export interface SendingOrder {
  readonly brokers: string;
  readonly topic: string;
  readonly per_s: number;
  readonly seconds: number;
}

/** What was acknowledged together: how many, and when, milliseconds since the epoch. */
export interface Acknowledged {
  readonly count: number;
  readonly at_ms: number;
}

/** Between two requests, milliseconds: they come as often as a producer with a short `linger.ms` sends them. */
const LINGER_MS = 10;
const VEHICLES = ["economy", "comfort", "van"], PAYMENTS = ["card", "cash", "wallet"];
const CITIES = ["chicago", "denver", "austin"];

const random = new Random(1, 77);
const encoder = new TextEncoder();
let sent = 0, producer: KafkaProducer | null = null;
const run = crypto.randomUUID().slice(0, 8);
const now_ms = (): number => performance.timeOrigin + performance.now();

function whole_trip(): OutgoingMessage {
  const id = `${run}-${++sent}`;
  const km = random.whole(60, 2_400) / 100;
  const event = `{"event_id":"e-${id}","type":"trip.completed","trip_id":"${id}","occurred_at":"${
    new Date(now_ms()).toISOString()
  }","driver_id":"D${random.whole(1, 10_001)}","passenger_id":"P${random.whole(1, 200_001)}","vehicle_type":"${
    random.pick(VEHICLES)
  }","city":"${random.pick(CITIES)}","pickup_zone":"${random.whole(1, 261)}","dropoff_zone":"${
    random.whole(1, 261)
  }","fare":"${(3 + km * 1.6).toFixed(2)}","tip":"1.50","currency":"USD","distance_km":${km},"duration_min":${
    random.whole(40, 500) / 10
  },"payment_method":"${random.pick(PAYMENTS)}","passenger_count":${random.whole(1, 5)}}`;
  return { key: encoder.encode(id), value: encoder.encode(event) };
}

/** One request after the other, so that the order of the topic is that of the trips; what became due meanwhile goes with the next. */
async function send({ brokers, topic, per_s, seconds }: SendingOrder): Promise<Acknowledged[]> {
  producer ??= await open_kafka_producer(options_of(brokers, topic));
  const acknowledged: Acknowledged[] = [];
  const from_ms = now_ms(), total = per_s * seconds;
  for (let done = 0; done < total;) {
    const due = Math.min(total, Math.floor((now_ms() - from_ms) * per_s / 1_000)) - done;
    if (due > 0) {
      await producer.send(topic, Array.from({ length: due }, whole_trip));
      done += due;
      acknowledged.push({ count: due, at_ms: now_ms() });
    }
    const next_ms = (Math.floor((now_ms() - from_ms) / LINGER_MS) + 1) * LINGER_MS + from_ms;
    await new Promise((resume) => setTimeout(resume, Math.max(0, next_ms - now_ms())));
  }
  return acknowledged;
}

self.addEventListener("message", async ({ data }: MessageEvent<SendingOrder>) => self.postMessage(await send(data)));
