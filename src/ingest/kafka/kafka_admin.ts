import { type Admin, assigned_partitions, ConfigResourceTypes, KafkaClient } from "./kafka_client.ts";
import { Paced, system_clock } from "../../runtime/mod.ts";
import type { PartitionEnds } from "../message_source.ts";
import type { GroupMember } from "./partition_watch.ts";
import { failure_of } from "./kafka_trouble.ts";
import type { KafkaConnectionOptions, TopicShape } from "./kafka_options.ts";

const MOST_TRIES = 6;

/** What tacho asks of a cluster beside messages. */
export interface KafkaAdmin {
  /** The cluster's id. */
  cluster_id(): Promise<string>;
  /** Which of these topics do not exist. */
  absent(topics: readonly string[]): Promise<string[]>;
  /** Creates the topic where it is absent. True when this call created it; a topic that somebody else just made is fine. */
  ensure_topic(topic: string, shape: TopicShape): Promise<boolean>;
  /** How long the topic keeps a message, by the message's own time, milliseconds; null: for good, or we may not know. */
  keeps_ms(topic: string): Promise<number | null>;
  /** Both ends of every partition of these topics. */
  watermarks(topics: readonly string[]): Promise<PartitionEnds[]>;
  /** Who reads what in a consumer group. */
  members(group: string): Promise<GroupMember[]>;
  /** Says goodbye; the connections are cut after 2 s at the latest. */
  close(): Promise<void>;
}

/**
 * Connects an admin client of its own, for verbs that need no consumer.
 * @throws when the brokers cannot be reached or refuse, with the client's error as cause
 */
export async function open_kafka_admin(options: KafkaConnectionOptions): Promise<KafkaAdmin> {
  const client = new KafkaClient(options);
  const admin = client.admin();
  try {
    await admin.connect();
  } catch (error) {
    client.cut();
    const brokers = options.brokers.join(",");
    throw new Error(`cannot connect to Kafka at "${brokers}": ${failure_of(error).reason}`, { cause: error });
  }
  return kafka_admin(admin, async () => {
    const deadline = setTimeout(() => client.cut(), 2_000);
    await admin.disconnect().finally(() => clearTimeout(deadline));
    client.cut();
  });
}

/** Wraps a connected admin client. */
export function kafka_admin(admin: Admin, close: () => Promise<void>): KafkaAdmin {
  const absent = async (topics: readonly string[]) => {
    const known = new Set(await admin.listTopics());
    return topics.filter((topic) => !known.has(topic));
  };
  return {
    cluster_id: async () => (await admin.describeCluster()).clusterId,
    absent,
    async ensure_topic(topic, { partitions, replication, compacted = false }) {
      if ((await absent([topic])).length === 0) return false;
      const pace = new Paced({ clock: system_clock, random: Math.random });
      const make = async () => {
        // Answers false when another one was faster.
        const made = await admin.createTopics({
          topics: [{
            topic,
            numPartitions: partitions,
            replicationFactor: replication,
            ...compacted ? { configEntries: [{ name: "cleanup.policy", value: "compact" }] } : {},
          }],
          waitForLeaders: true,
          timeout: 8_000,
        });
        // The first try may have made it and failed afterwards: a broker that was just told of a topic may not know its partitions yet.
        return made || pace.trouble !== null;
      };
      return await pace.until_done(new AbortController().signal, make, {
        passes: (error, { attempt }) => !failure_of(error).final && attempt < MOST_TRIES,
      });
    },
    async keeps_ms(topic) {
      const asked = { type: ConfigResourceTypes.TOPIC, name: topic, configNames: ["retention.ms", "cleanup.policy"] };
      const { resources: [told] } = await admin.describeConfigs({ resources: [asked], includeSynonyms: false })
        .catch((error) => {
          // Who may write to a topic need not have the right to see its settings.
          if (failure_of(error).final) return { resources: [] };
          throw error;
        });
      const values = new Map(told?.configEntries.map(({ configName, configValue }) => [configName, configValue]));
      const keeps_ms = Number(values.get("retention.ms") ?? -1);
      return keeps_ms < 0 || values.get("cleanup.policy") === "compact" ? null : keeps_ms;
    },
    async watermarks(topics) {
      const found = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
      return found.flatMap((partitions, at) =>
        partitions.map(({ partition, low, high }) => ({
          topic: topics[at]!,
          partition,
          low: Number(low),
          high: Number(high),
        }))
      );
    },
    async members(group) {
      const { groups } = await admin.describeGroups([group]);
      return groups.flatMap(({ members }) =>
        members.map(({ clientId, clientHost, memberAssignment }) => ({
          client_id: clientId,
          host: clientHost.replace(/^\//, ""),
          partitions: assigned_partitions(memberAssignment),
        }))
      );
    },
    close,
  };
}
