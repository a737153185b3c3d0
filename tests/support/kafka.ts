import { free_port } from "./free_port.ts";
import { KAFKA_JARS } from "./kafka_jars.ts";
import { ensure_jars } from "./maven_jars.ts";
import { ServerProcess } from "./server_process.ts";
import { shell } from "./shell.ts";
import { PATIENCE, until } from "./until.ts";

/**
 * A real Apache Kafka broker (KRaft, one node, no authentication) for tests. `shared_kafka` is the one of the whole run, never to be killed; tests keep apart by
 * topics and groups of their own names. `start_kafka` gives a private one that a test may kill.
 */

/** What every test may know of a broker. */
export interface Kafka {
  /** `127.0.0.1:port`, as `KAFKA_BROKERS` wants it. */
  readonly brokers: string;
}

/** A private broker: its owner may take it down. Its port stays the same. `await using` disposes of it. */
export interface KafkaServer extends Kafka, AsyncDisposable {
  kill_nine(): Promise<void>;
  /** A planned stop (controlled shutdown); the data stays. */
  stop(): Promise<void>;
  /** Starts it on the same data, after a stop, a kill or while it runs; resolves when it serves (about 5 s after a kill). */
  restart(): Promise<void>;
  /** Kills it, throws its data away and starts another cluster in its place, at the same address. */
  replace(): Promise<void>;
  /** Kills it and removes its data. */
  dispose(): Promise<void>;
  read_log(): string;
}

/** The environment variable by which the runner tells test processes of the shared broker. */
export const KAFKA_VARIABLE = "TACHO_TEST_KAFKA_BROKERS";

/** A topic or group name that nobody else uses. */
export function unique_name(prefix: string): string {
  return `${prefix}_${crypto.randomUUID().slice(0, 8)}`;
}

/** A further way in, beside the one that `brokers` names. */
export interface Listener {
  readonly name: string;
  readonly protocol: "PLAINTEXT" | "SASL_PLAINTEXT";
  readonly port: number;
  /** The port that clients are told to come to: that of a proxy, or the same. */
  readonly advertised_port: number;
}

/**
 * Starts a private broker on free ports of 127.0.0.1. Topics are not made automatically.
 * @param options.properties further lines of server.properties, by name
 */
export async function start_kafka(
  options: { readonly properties?: Readonly<Record<string, string>>; readonly listeners?: readonly Listener[] } = {},
): Promise<KafkaServer> {
  const jars = await ensure_jars(KAFKA_JARS);
  const server = new ServerProcess("kafka");
  const port = free_port();
  const properties = {
    ...broker_properties(port, free_port(), `${server.folder}/data`, options.listeners ?? []),
    ...options.properties,
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  Deno.writeTextFileSync(`${server.folder}/server.properties`, lines.join(""));
  // Compiled once and lightly, and one collector: a broker that lives for a minute starts in half the time (3.3 instead of 6.7 s of processor time).
  const java = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", `${jars}/*`];
  const format = async (): Promise<void> => {
    const tool = [...java, "kafka.tools.StorageTool", "format", "-t", cluster_id(), "-c", "server.properties"];
    await shell("format Kafka's storage", 'cd "$1" && rm -rf data && shift && "$@"', server.folder, ...tool);
  };

  const start = async (): Promise<void> => {
    const seen = server.read_log().length;
    server.spawn([...java, "kafka.Kafka", "server.properties"]);
    // The line comes after the broker is unfenced: from then on it answers for its topics.
    const started = () => server.read_log().slice(seen).includes("Kafka Server started");
    await until("Kafka serves", () => !server.running || started(), 90_000);
    if (!server.running) throw new Error(`start Kafka: it ended at once\n${server.read_log().slice(-4_000)}`);
  };
  const stop = () => server.end("SIGTERM", PATIENCE * 30_000);
  await format();
  await start();
  return {
    brokers: `127.0.0.1:${port}`,
    kill_nine: () => server.kill_nine(),
    stop,
    restart: async () => {
      await stop();
      await start();
    },
    replace: async () => {
      await server.kill_nine();
      await format();
      await start();
    },
    dispose: () => server.dispose(),
    read_log: () => server.read_log(),
    [Symbol.asyncDispose]: () => server.dispose(),
  };
}

let own: Promise<Kafka> | null = null;

/** The broker that the whole run shares; a test file that is run by hand starts one of its own at first use, which ends with the process. */
export function shared_kafka(): Promise<Kafka> {
  own ??= (async () => {
    const brokers = Deno.env.get(KAFKA_VARIABLE);
    return brokers === undefined ? await start_kafka() : { brokers };
  })();
  return own;
}

function broker_properties(
  port: number,
  controller_port: number,
  data: string,
  further: readonly Listener[],
): Record<string, string> {
  const all: Listener[] = [{ name: "PLAINTEXT", protocol: "PLAINTEXT", port, advertised_port: port }, ...further];
  const listed = (text: (listener: Listener) => string) => all.map(text).join(",");
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controller_port}`,
    "listeners": `${listed((at) => `${at.name}://127.0.0.1:${at.port}`)},CONTROLLER://127.0.0.1:${controller_port}`,
    "advertised.listeners": listed((at) => `${at.name}://127.0.0.1:${at.advertised_port}`),
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": `CONTROLLER:PLAINTEXT,${listed((at) => `${at.name}:${at.protocol}`)}`,
    "log.dirs": data,
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    // After kill -9 the broker comes back in 4.5 s with this session, in 12 s with the default of 9 s.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "num.partitions": "4",
    // Brokers look every five minutes, and delete what is old by the time its producer says: tests send events of other years.
    "log.retention.ms": "-1",
    "auto.create.topics.enable": "false",
  };
}

/** A cluster id as Kafka writes it: 16 random bytes, base64url without padding. Ids that begin with a dash would read as an option. */
function cluster_id(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16)).map((byte, index) => index === 0 ? byte & 0x3f : byte);
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
