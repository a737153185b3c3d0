import { open_kafka_publisher } from "../../ingest/kafka/mod.ts";
import { publication_of, type PublishedTopic, Publisher, topics_of } from "../../publish/mod.ts";
import { ConfigError, WakeUp } from "../../runtime/mod.ts";
import { DOMAINS, topic_prefix_of } from "../domains.ts";
import { kafka_connection, open_log, type Opened } from "../open.ts";
import { type Shell, UsageError } from "../shell.ts";

/**
 * The topics that the configuration has a domain published in; none where it says nothing. Throws ConfigError where it names a topic that no
 * domain has, or no brokers.
 */
export function published_topics({ config: { publish, kafka_brokers }, domain }: Shell): readonly string[] {
  if (publish === null) return [];
  if (kafka_brokers === null) throw new ConfigError(["TACHO_PUBLISH: needs KAFKA_BROKERS as well"]);
  // Of any deployment: which of them there are in this one is seen when its log is open.
  const names_of = (declared: Shell["domain"]) =>
    topics_of(declared.make({ currency: "USD", h3_resolution: 0 }), topic_prefix_of(declared)).map(({ name }) => name);
  const all = DOMAINS.flatMap(names_of);
  const unknown = publish === "all" ? undefined : publish.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new ConfigError([
      `TACHO_PUBLISH: expected all, or some of ${all.join(", ")}, got ${JSON.stringify(unknown)}`,
    ]);
  }
  return names_of(domain).filter((name) => publish === "all" || publish.includes(name));
}

/**
 * What publishes an opened log; null where the configuration asks for nothing of it.
 * @param appended rings when this program has appended something
 */
export function make_publisher(
  shell: Shell,
  opened: Opened,
  appended: WakeUp,
): Pick<Publisher, "run" | "state"> | null {
  const wanted = published_topics(shell), { config } = shell, { domain, days, log_id, database } = opened;
  const topics = topics_of(domain, topic_prefix_of(domain)).filter(({ name }) => wanted.includes(name));
  if (topics.length === 0) return null;
  const names = topics.map(({ name }: PublishedTopic) => name);
  const { partitions, replication } = config;
  const own = database.beside({ connections: 2 });
  const publisher = new Publisher(shell, {
    database: own,
    domain,
    days,
    log_id,
    publication: publication_of(domain, topics),
    open_writer: () =>
      open_kafka_publisher(kafka_connection(shell), `tacho-publish-${log_id}`, names, {
        partitions,
        replication,
        compacted: true,
      }),
    appended,
    holder: crypto.randomUUID(),
    lease_s: config.session_seconds,
  });
  return {
    run: () => publisher.run().finally(() => own.close()),
    state: () => publisher.state(),
  };
}

/** `tacho publish`: publishes the domain's log in the topics of TACHO_PUBLISH until a signal, beside whatever writes the log. */
export async function publish_verb(shell: Shell): Promise<void> {
  if (published_topics(shell).length === 0) {
    throw new UsageError(`publish: TACHO_PUBLISH names no topic of ${shell.domain.name}`);
  }
  const opened = await open_log(shell);
  try {
    const publisher = make_publisher(shell, opened, new WakeUp());
    if (publisher === null) throw new UsageError(`publish: this log of ${shell.domain.name} has none of these topics`);
    shell.logger.log("info", "publishing", { topics: published_topics(shell).join(",") });
    await publisher.run();
    const { ended } = publisher.state();
    if (ended !== null) throw new Error(`publish ${shell.domain.name}: ${ended}`);
  } finally {
    await opened.database.close();
  }
}
