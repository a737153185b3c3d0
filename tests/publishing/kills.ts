import assert from "node:assert/strict";
import { type Database, migrate, migrations_of, open_database } from "../../src/database/mod.ts";
import { type Domain } from "../../src/domains/mod.ts";
import { TRIPS } from "../../src/domains/trips/mod.ts";
import { settle_deployment } from "../../src/event_log/mod.ts";
import { invented, take_in } from "../support/generated_log.ts";
import { message } from "../support/trip_pipeline.ts";
import { type KafkaServer, start_kafka } from "../support/kafka.ts";
import { shared_postgres } from "../support/postgres.ts";
import { assert_trips_agree, TopicTables } from "../support/published_topics.ts";
import { stream_topic } from "../support/read_topic.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";

/** Kills the real program while it publishes, and the broker, again and again; then a consumer's tables against those of the log. */

const COLUMNS = { driver: "driver_id", vehicle_type: "vehicle_type", h3: "pickup_h3" };
const TOPICS = Object.keys(COLUMNS).flatMap((entity) => [`enriched.${entity}`, `aggregated.${entity}`]);
/** Events that are appended between two kills: more than a turn takes in. */
const EVENTS_A_KILL = 1_500;

/** What is done, and how it went. */
export interface KillRun {
  readonly seed: number;
  readonly kills: number;
  /** Every so many kills the broker is killed as well, and is away while more is appended. */
  readonly outage_every: number;
  readonly say: (line: string) => void;
}

/** What a consumer saw. */
export interface KillTally {
  readonly kills: number;
  readonly outages: number;
  /** Kills after which something was taken in and not noted as sent. */
  readonly in_the_middle: number;
  readonly events: number;
  readonly messages: number;
  readonly repeated: number;
  readonly closed: number;
  readonly corrected: number;
}

/** Numbers in [0, 1) from a seed. */
function chances(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

interface Progress {
  readonly derived: number;
  readonly sent: number;
  readonly position: number;
}

async function progress_of(database: Database): Promise<Progress> {
  const [row] = await database.query<{ derived: string; sent: string; position: string }>(
    "select derived, sent, position from publishing, log_head",
  );
  return { derived: Number(row!.derived), sent: Number(row!.sent), position: Number(row!.position) };
}

/** Appends events in pieces, each a topic of its own. */
function appender(database: Database, domain: Domain, values: readonly string[]) {
  let at = 0, piece = 0;
  return async (count: number): Promise<void> => {
    const topic = `trips-${piece++}`, part = values.slice(at, at += count);
    await take_in(database, domain, topic, part.map((value, i) => ({ ...message(i, value), topic })), 500);
  };
}

/** Throws where what a consumer has in the end is not what the tables of the log say. */
export async function publish_through_kills({ seed, kills, outage_every, say }: KillRun): Promise<KillTally> {
  const chance = chances(seed);
  await using kafka = await start_kafka();
  const { url: DATABASE_URL } = await (await shared_postgres()).create_database();
  const env = {
    DATABASE_URL,
    KAFKA_BROKERS: kafka.brokers,
    TACHO_PUBLISH: TOPICS.join(","),
    TACHO_PARTITIONS: "3",
    TACHO_SESSION_SECONDS: "1",
  };
  const database = await open_database({ url: DATABASE_URL, data_dir: null, connections: 4 });
  try {
    await migrate(database, migrations_of("trips"));
    const domain = TRIPS.make(await settle_deployment(database, { time_zone: "UTC", currency: "USD" }));
    const wanted = (kills + 1) * EVENTS_A_KILL;
    // An hour of a trip a second has more than 3,300 events. What is invented for the next day is of the future, and held.
    const values = invented(TRIPS, 20, Math.ceil(wanted / 20 / 330) / 10);
    assert.ok(values.length >= wanted, `${values.length} events for ${kills} kills`);
    const append = appender(database, domain, values);
    await append(EVENTS_A_KILL);
    let in_the_middle = 0, outages = 0;
    for (let kill = 1; kill <= kills; kill++) {
      const before = await progress_of(database);
      await using program = TachoProgram.spawn("tacho", { env, args: ["publish"] });
      const appending = append(EVENTS_A_KILL);
      if (kill % outage_every === 0) {
        outages++;
        await outage(kafka, program, database, before);
      }
      // Once it works, in its first turn or a later one: at any moment of it.
      const name = chance() < 0.5 ? "derived" : "sent";
      await program.brings(
        until("it takes something in", async () => (await progress_of(database))[name] > before[name], 60_000),
      );
      await new Promise((resume) => setTimeout(resume, chance() * 150));
      await program.kill_nine();
      await appending;
      const { derived, sent, position } = await progress_of(database);
      if (sent < derived) in_the_middle++;
      say(`kill ${kill}: sent ${sent}, taken in ${derived}, of ${position}`);
    }
    await using program = TachoProgram.spawn("tacho", { env, args: ["publish"] });
    await program.brings(until("all is sent", async () => {
      const { sent, position } = await progress_of(database);
      return sent === position;
    }, 300_000));
    assert.equal(await program.term(), 0);
    // What was committed last can be read a little later.
    const { tables, messages } = await until("a consumer's tables agree with the log", async () => {
      const tables = new TopicTables();
      let messages = 0;
      for (const topic of TOPICS) {
        await stream_topic(kafka.brokers, topic, ({ key, value }) => {
          messages++;
          tables.take({ topic, key: text_of(key)!, value: text_of(value) });
        });
      }
      await assert_trips_agree(database, domain, tables, COLUMNS);
      return { tables, messages };
    });
    const { position: events } = await progress_of(database);
    const { repeated, closed, corrected } = tables;
    return { kills, outages, in_the_middle, events, messages, repeated, closed, corrected };
  } finally {
    await database.close();
  }
}

const text_of = (bytes: Uint8Array | null): string | null => bytes === null ? null : new TextDecoder().decode(bytes);

/** The broker is killed while the program works, and away until the program has noticed. */
async function outage(
  kafka: KafkaServer,
  program: TachoProgram,
  database: Database,
  before: Progress,
): Promise<void> {
  await program.brings(
    until("it works", async () => (await progress_of(database)).derived > before.derived, 60_000),
  );
  await kafka.kill_nine();
  const at = await progress_of(database);
  // Whatever ingest appends, it is committed; what is published waits.
  await until("ingest goes on without brokers", async () => (await progress_of(database)).position >= at.position);
  await kafka.restart();
}
