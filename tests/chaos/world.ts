import { is_outage, open_database, type OpenedDatabase } from "../../src/database/mod.ts";
import { open_kafka_admin } from "../../src/ingest/kafka/mod.ts";
import { type KafkaServer, start_kafka } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { type PostgresServer, start_postgres } from "../support/postgres.ts";
import { reading_members } from "../support/read_topic.ts";
import { run_verb, TachoProgram } from "../support/tacho_program.ts";
import { add_partitions, topic_ends } from "../support/topic_writer.ts";
import { until } from "../support/until.ts";
import type { ChaosDomain } from "./domains.ts";
import { LoadStream, TIME_ZONE } from "./load.ts";

/** Whatever the machine is busy with: longer than this nothing may take to recover. */
export const RECOVERY_LIMIT_MS = 120_000;
export const SESSION_MS = 3_000;
const GROUP = "chaos";
const PARTITIONS = 4;

/** How far the program is: messages it read, and the next offset of each partition. */
export interface Progress {
  readonly read: number;
  readonly cursors: ReadonlyMap<number, number>;
}

/** A domain in the world: its topic, its log, and what it is sent. */
export interface Side {
  readonly domain: ChaosDomain;
  readonly topic: string;
  /** The consumer group of its topic. */
  readonly group: string;
  /** As superuser, in the schema of its log. */
  readonly database: OpenedDatabase;
  readonly stream: LoadStream;
  partitions: number;
  /** Messages that were sent, each once. */
  sent: number;
}

/** One deployment on servers of its own, with the programs that run on it. It lives through all rounds. */
export class World implements AsyncDisposable {
  readonly programs: TachoProgram[] = [];
  /** What ends the foreign transactions that are open. */
  readonly held = new Set<() => Promise<void>>();
  /** Programs that ended although nobody asked them to, with what they last said. They are started again. */
  readonly exits: string[] = [];

  private constructor(
    readonly kafka: KafkaServer,
    readonly postgres: PostgresServer,
    readonly env: Readonly<Record<string, string>>,
    /** As superuser: whatever else is connected to this database is the program. */
    readonly database: OpenedDatabase,
    readonly sides: readonly Side[],
  ) {}

  /** Starts the servers and migrates; no program runs yet. */
  static async open(domains: readonly ChaosDomain[], seed: number): Promise<World> {
    const servers: AsyncDisposable[] = [];
    const kept = <T extends AsyncDisposable>(server: T): T => {
      servers.push(server);
      return server;
    };
    try {
      const [kafka, postgres] = await Promise.all([
        // The generator's clock is not today's.
        start_kafka({ properties: { "log.retention.ms": "-1" } }).then(kept),
        start_postgres().then(kept),
      ]);
      const { url, superuser_url } = await postgres.create_database();
      const topic_of = ({ name }: ChaosDomain) => `chaos_${name}`;
      const env = {
        DATABASE_URL: url,
        KAFKA_BROKERS: kafka.brokers,
        TACHO_DOMAINS: domains.map(({ name }) => name).join(","),
        ...Object.fromEntries(domains.map((domain) => [domain.topics_variable, topic_of(domain)])),
        TACHO_GROUP: GROUP,
        TACHO_PARTITIONS: String(PARTITIONS),
        TACHO_TIME_ZONE: TIME_ZONE,
        TACHO_BATCH_MESSAGES: "20",
        TACHO_SESSION_SECONDS: String(SESSION_MS / 1_000),
      };
      const admin = await open_kafka_admin(options_of(kafka.brokers, GROUP));
      try {
        for (const domain of domains) {
          await admin.ensure_topic(topic_of(domain), { partitions: PARTITIONS, replication: 1 });
        }
      } finally {
        await admin.close();
      }
      for (const { name } of domains) await run_verb(["migrate", "--domain", name], { env });
      // The servers are killed under these connections on purpose; the next statement says so.
      const database = await open_database({ url: superuser_url, data_dir: null, connections: 4 }, () => {});
      const sides = domains.map((domain): Side => ({
        domain,
        topic: topic_of(domain),
        group: domain.group_of(GROUP),
        database: database.beside({ connections: 4, schema: domain.schema }),
        stream: new LoadStream(seed, domain.messages(seed)),
        partitions: PARTITIONS,
        sent: 0,
      }));
      return new World(kafka, postgres, env, database, sides);
    } catch (error) {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
      throw error;
    }
  }

  /** Starts a program; it joins the group by itself. */
  start_program(): TachoProgram {
    const program = TachoProgram.spawn("start", { env: this.env });
    this.programs.push(program);
    return program;
  }

  /** Takes a program out of the world. */
  async forget(program: TachoProgram): Promise<void> {
    this.programs.splice(this.programs.indexOf(program), 1);
    await program[Symbol.asyncDispose]();
  }

  /** Starts programs again that ended by themselves, as a supervisor would. */
  async supervise(): Promise<void> {
    for (const program of this.programs.filter(({ running }) => !running)) {
      this.exits.push(`exit code ${await program.ended}: ${program.stderr.slice(-600)}`);
      await this.forget(program);
      this.start_program();
    }
  }

  /** Throws while the database is away. */
  async progress({ database }: Side): Promise<Progress> {
    const rows = await database.query(
      `select h.messages_read::text as read, c.partition, c.next_offset::text as next_offset
        from log_head h left join source_cursors c on true`,
    );
    const known = rows.filter(({ partition }) => partition !== null);
    return {
      read: Number(rows[0]?.read),
      cursors: new Map(known.map(({ partition, next_offset }) => [Number(partition), Number(next_offset)])),
    };
  }

  /** Waits for what the programs have to bring about, which are started again where they ended. */
  brings<T>(what: string, look: () => Promise<T | null | false>): Promise<T> {
    return until(what, async () => {
      await this.supervise();
      return await look();
    }, RECOVERY_LIMIT_MS);
  }

  /** The last lines of every program and server. */
  last_words(): string {
    const of = (name: string, text: string) =>
      `--- ${name} last said\n${text.trimEnd().split("\n").slice(-25).join("\n")}`;
    return [
      ...this.programs.map((program, i) =>
        of(`program ${i + 1} (${program.running ? "running" : "ended"})`, program.output)
      ),
      of("PostgreSQL", this.postgres.read_log()),
    ].join("\n");
  }

  /** The ends of a domain's topic, once the broker answers. */
  ends({ topic }: Side): Promise<Map<number, number>> {
    return until(
      "the broker tells the topic's ends",
      () => topic_ends(this.kafka.brokers, topic),
      RECOVERY_LIMIT_MS,
    );
  }

  /** Adds a partition to each topic, and waits until the broker tells of it: a producer would leave out what is meant for it without a word. */
  async add_partition(): Promise<void> {
    const { brokers } = this.kafka;
    for (const side of this.sides) {
      await add_partitions(brokers, side.topic, side.partitions + 1);
      await until(
        "the broker tells of the new partition",
        async () => (await topic_ends(brokers, side.topic)).size > side.partitions,
      );
      side.partitions++;
    }
  }

  /** Waits until this many programs read the topic of each domain. */
  async members_read(members: number): Promise<void> {
    for (const { group } of this.sides) {
      await this.brings(
        `${members} members of ${group} read`,
        async () => await reading_members(this.kafka.brokers, group) === members,
      );
    }
  }

  /** Ends a foreign transaction, or all of them. One whose connection was killed has ended already. */
  async release(held: Iterable<() => Promise<void>> = [...this.held]): Promise<void> {
    for (const end of held) {
      this.held.delete(end);
      await end().catch((error) => {
        if (!is_outage(error)) throw error;
      });
    }
  }

  /** The servers go first: nothing that still waits for them holds up the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.programs.splice(0).map((program) => program[Symbol.asyncDispose]()));
    await Promise.all([this.kafka.dispose(), this.postgres.dispose()]);
    await this.release();
    for (const { database } of this.sides) await database.close();
    await this.database.close();
  }
}
