import { open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { type Kafka, shared_kafka, unique_name } from "./kafka.ts";
import { options_of } from "./kafka_topic.ts";
import { type Expectation, oracle, type OracleOptions } from "./oracle/mod.ts";
import { type Postgres, shared_postgres } from "./postgres.ts";
import { read_topic } from "./read_topic.ts";

/** The environment of one deployment on real servers: a database, a topic and a group that nobody else uses. */
export type Deployment = Readonly<
  Record<"DATABASE_URL" | "KAFKA_BROKERS" | "TACHO_TOPICS" | "TACHO_GROUP" | "TACHO_TIME_ZONE", string>
>;

/**
 * Makes a deployment on the run's servers; its database is empty, its topic absent.
 * @param server another PostgreSQL than the shared one
 * @param broker another Kafka than the shared one
 */
export async function make_deployment(
  name: string,
  time_zone = "UTC",
  server?: Postgres,
  broker?: Kafka,
): Promise<Deployment> {
  const { url } = await (server ?? await shared_postgres()).create_database();
  return {
    DATABASE_URL: url,
    KAFKA_BROKERS: (broker ?? await shared_kafka()).brokers,
    TACHO_TOPICS: unique_name(name),
    TACHO_GROUP: unique_name(name),
    TACHO_TIME_ZONE: time_zone,
  };
}

/** What the database must hold once the topic is read to the end that it has now. */
export async function expectation_of(deployment: Deployment): Promise<Expectation> {
  return oracle(await read_topic(deployment.KAFKA_BROKERS, deployment.TACHO_TOPICS), oracle_options(deployment));
}

/** The oracle's settings for a deployment that leaves its own at their defaults. */
export function oracle_options(deployment: Deployment): OracleOptions {
  return {
    currency: "USD",
    time_zone: deployment.TACHO_TIME_ZONE,
    future_limit_ms: 3_600_000,
    read_ms: Date.now(),
    max_message_bytes: 1_048_576,
  };
}

/**
 * Sends completed trips of the last minutes to the topic, which is there, whose figures anyone can add up: fares 10.00, 10.50, 11.00, …,
 * 2.5 km each, one every half minute back from now.
 */
export async function send_known_trips(deployment: Deployment, count: number, prefix: string): Promise<void> {
  const encoder = new TextEncoder();
  const now_ms = Date.now();
  const messages = Array.from({ length: count }, (_, i) => {
    const id = `${prefix}-${i}`;
    const trip = {
      event_id: id,
      type: "trip.completed",
      trip_id: id,
      occurred_at: new Date(now_ms - (i + 1) * 30_000).toISOString(),
      fare: (10 + i / 2).toFixed(2),
      distance_km: 2.5,
      city: "Chicago",
      payment_method: "card",
    };
    return { key: encoder.encode(id), value: encoder.encode(JSON.stringify(trip)) };
  });
  const producer = await open_kafka_producer(options_of(deployment.KAFKA_BROKERS, deployment.TACHO_TOPICS));
  await producer.send(deployment.TACHO_TOPICS, messages).finally(() => producer.close());
}
