import type { open_database } from "../../src/database/mod.ts";
import { open_kafka_publisher } from "../../src/ingest/kafka/mod.ts";
import { publication_of, Publisher, topics_of, type TopicWriter } from "../../src/publish/mod.ts";
import { WakeUp } from "../../src/runtime/mod.ts";
import { start_kafka } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { start_postgres } from "../support/postgres.ts";
import { until } from "../support/until.ts";
import { days, domain, fresh, load, run_pipeline } from "./in_process.ts";
import { postmaster_of, processor, used_between } from "./measures.ts";

/**
 * Measures what it costs to publish a log: events and messages a second to a real broker, processor time an event of program and PostgreSQL, and
 * the bytes of a window; the same without a broker, and of windows alone.
 *
 * Arguments: thousands of events (100 unless given). The last line is one line of JSON.
 */

const [thousands = 100] = Deno.args.filter((arg) => /^\d+$/.test(arg)).map(Number);
const ENTITIES = ["driver", "passenger", "vehicle_type", "h3"];
const say = (line: string): void => console.error(line);

await using server = await start_postgres({ settings: { max_wal_size: "8GB", checkpoint_timeout: "30min" } });
await using kafka = await start_kafka();
const postmaster = postmaster_of(server.data);
const { url } = await server.create_database();
const database = await fresh(url) as Awaited<ReturnType<typeof open_database>>;
const all = load(thousands * 500, Date.UTC(2025, 2, 1, 6) * 1_000);
await run_pipeline(database, all);
await database.script("vacuum analyze");
say(`${all.count} events are in the log`);

/** Publishes all of the log in topics of some layers. */
async function measure(layers: readonly string[], open_writer: (topics: readonly string[]) => Promise<TopicWriter>) {
  const topics = topics_of(domain, "").filter(({ layer, entity }) =>
    layers.includes(layer) && ENTITIES.includes(entity.name)
  );
  const end = new AbortController();
  const logger = {
    log: (level: string, message: string, fields?: unknown) =>
      level === "warn" && say(`${message} ${JSON.stringify(fields)}`),
  };
  const runtime = { clock: { now_ms: () => Date.now() }, random: Math.random, logger, signal: end.signal };
  let messages = 0;
  const publisher = new Publisher(runtime, {
    database,
    domain,
    days,
    log_id: "log",
    publication: publication_of(domain, topics),
    open_writer: async () => {
      const writer = await open_writer(topics.map(({ name }) => name));
      return {
        write: (piece) => (messages += piece.length, writer.write(piece)),
        close: () => writer.close(),
      };
    },
    appended: new WakeUp(),
    holder: crypto.randomUUID(),
    lease_s: 30,
  });
  const before = await processor(postmaster, Deno.pid), began_ms = performance.now();
  const running = publisher.run();
  await until("all is published", () => publisher.state().holds && publisher.state().lag === 0, 1_200_000);
  const seconds = (performance.now() - began_ms) / 1_000;
  const used = used_between(before, await processor(postmaster, Deno.pid));
  end.abort(new Error("done"));
  await running;
  const us = (s: number) => Number((s * 1e6 / all.count).toFixed(1));
  const cpu_us_per_event = { program: us(used.program_main + used.program_other), postgres: us(used.postgres) };
  const result = { events_per_s: Math.round(all.count / seconds), messages, cpu_us_per_event };
  say(`${layers.join(" and ")}: ${JSON.stringify(result)}`);
  return result;
}

const BOTH = ["enriched", "aggregated"];
const nowhere = () => Promise.resolve({ write: () => Promise.resolve(), close: () => Promise.resolve() });
const to_broker = (topics: readonly string[]) =>
  open_kafka_publisher(options_of(kafka.brokers, "none"), "bench", topics, {
    partitions: 4,
    replication: 1,
    compacted: true,
  });
const without_broker = await measure(BOTH, nowhere);
const windows_alone = await measure(["aggregated"], nowhere);
const both = await measure(BOTH, to_broker);
const [row] = await database.query<{ windows: string; bytes: string }>(
  "select count(*) as windows, pg_total_relation_size('published_windows') as bytes from published_windows",
);
await database.close();
const windows = Number(row!.windows);
console.log(JSON.stringify({
  events: all.count,
  to_broker: both,
  without_broker,
  windows_alone,
  windows,
  bytes_per_window: Math.round(Number(row!.bytes) / windows),
  bytes_per_event: Math.round(Number(row!.bytes) / all.count),
}));
Deno.exit(0);
