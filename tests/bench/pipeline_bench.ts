import { trips_domain } from "../../src/domains/trips/mod.ts";
import { bench_stream } from "../../src/domains/trips/generator/mod.ts";
import { type Database, migrate, open_database } from "../../src/database/mod.ts";
import {
  append,
  DEFAULT_H3_RESOLUTION,
  EVENT_COLUMNS,
  settle_deployment,
  StreamStates,
} from "../../src/event_log/mod.ts";
import {
  Cursors,
  Ingest,
  type MessageSource,
  Pipeline,
  type PlannedBatch,
  type SourceBatch,
  type SourceMessage,
} from "../../src/ingest/mod.ts";
import { days_in } from "../../src/kpi/mod.ts";
import { verify } from "../../src/projection/mod.ts";
import { with_scratch } from "../../src/sort/mod.ts";
import { start_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";

/**
 * Measures the hot path on one PostgreSQL server, fsync on, alternating in every round:
 *   copy      COPY of the event rows, already text, into a table partitioned and keyed like `events`
 *   append    the log alone: head, events, batches with the chain, from planned batches whose event lines are written out
 *   pipeline  everything: decode, validate, plan, log, trips, all cells, cursors, chain
 * Beside the clock it reads processor time, which a busy machine changes less: of the program's main thread, of its other threads (collector
 * of garbage, compiler, runtime) and of the PostgreSQL server with all its processes.
 * With --cells it prints the cells that were made, with --verify how fast `tacho verify` reads such a log.
 * The last line is one line of JSON; ratios and processor times are medians over the rounds.
 */

const TRIPS = Number(Deno.args.find((arg) => /^\d+$/.test(arg)) ?? 100_000);
const ROUNDS = 5;
const BATCH = 20_000;
const START_US = Date.UTC(2026, 2, 1, 6) * 1000;
const NOW_MS = START_US / 1000 + 86_400_000;

const say = (line: string): void => console.error(line);
const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
};

/** Processor time, seconds. */
type Processor = Record<"program_main" | "program_other" | "postgres", number>;

const TICKS_PER_S = Number(await shell("read the clock's ticks", "getconf CLK_TCK"));
/** Lines of /proc's `stat`: our main thread, our process, the server's first process, and those that it has. */
const STATS = `cat /proc/$1/task/$1/stat /proc/$1/stat /proc/$2/stat
for child in $(cat /proc/$2/task/*/children); do cat /proc/$child/stat 2>/dev/null || :; done`;

/** Processor time until now. What a server's process that ended had used is in the account of the first one. */
async function processor(postmaster: string): Promise<Processor> {
  const text = await shell("read processor time", STATS, String(Deno.pid), postmaster);
  const [main = 0, program = 0, ...server] = text.split("\n").map((line, i) => {
    // Fields 14 and 15 (user and system), and 16 and 17 of its children that have ended.
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ").slice(11, i === 2 ? 15 : 13);
    return fields.reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_S;
  });
  return { program_main: main, program_other: program - main, postgres: server.reduce((sum, s) => sum + s, 0) };
}

/** What work takes: seconds by the clock, and of processors. */
async function cost(postmaster: string, work: () => Promise<unknown>): Promise<Processor & { clock: number }> {
  const before = await processor(postmaster);
  const clock = await seconds(work);
  const after = await processor(postmaster);
  return {
    clock,
    program_main: after.program_main - before.program_main,
    program_other: after.program_other - before.program_other,
    postgres: after.postgres - before.postgres,
  };
}
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/**
 * The messages of the load, all bytes in one buffer: what a process holds that has them on the wire, so that the collector of garbage
 * does not walk over a load that no real process would keep as objects.
 */
function load() {
  const ends: number[] = [];
  let bytes = new Uint8Array(1 << 20), used = 0;
  const stream = bench_stream({
    trips: TRIPS,
    drivers: 10_000,
    passengers: 200_000,
    zones: 260,
    apart: 5_000,
    seed: 1,
    start_us: START_US,
    trips_per_second: 20,
  });
  for (const { value } of stream) {
    if (used + value.length > bytes.length) {
      const larger = new Uint8Array(bytes.length * 2);
      larger.set(bytes);
      bytes = larger;
    }
    bytes.set(value, used);
    ends.push(used += value.length);
  }
  const at = (offset: number): SourceMessage => ({
    offset,
    key: null,
    value: bytes.subarray(offset === 0 ? 0 : ends[offset - 1], ends[offset]),
    headers: NO_HEADERS,
    timestamp_ms: NOW_MS,
  });
  return {
    count: ends.length,
    bytes: used,
    /** The batch that begins at an offset. */
    batch(from: number, most: number): SourceBatch {
      const to = Math.min(from + most, ends.length);
      const messages = Array.from({ length: to - from }, (_, i) => at(from + i));
      return { topic: "trips", partition: 0, from_offset: from, next_offset: to, messages };
    },
  };
}
type Load = ReturnType<typeof load>;

/** A source that has everything already, in batches. */
function ready_source(all: Load, done: () => void): MessageSource {
  let at = 0, durable = 0;
  return {
    cluster_id: "bench",
    open: () => Promise.resolve(),
    take(limit, signal) {
      if (at >= all.count) {
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve([]), { once: true }));
      }
      const batch = all.batch(at, limit.messages);
      at = batch.next_offset;
      return Promise.resolve([batch]);
    },
    committed(cursors) {
      durable = cursors[0]!.next_offset;
      if (durable >= all.count) done();
    },
    rewind: () => at = durable,
    state: () => ({ state: "running", since_ms: 0, reason: null }),
    remarks: () => [],
    lag: () => all.count - durable,
    close: () => Promise.resolve(),
  };
}

const NO_HEADERS = {};
const NO_STREAMS = { begun: [], changed: { ordinals: [], before: [], after: [] } };
const domain = trips_domain({ currency: "USD", h3_resolution: DEFAULT_H3_RESOLUTION });
const days = days_in("America/New_York");
const pipeline_on = (database: Database) =>
  new Pipeline({
    database,
    domain,
    days,
    limits: { future_limit_ms: 3_600_000, max_message_bytes: 1_048_576 },
    code_version: "bench",
    cache_streams: 60_000,
    now_ms: () => NOW_MS,
  });

async function fresh(url: string): Promise<Database> {
  const database = await open_database({ url, data_dir: null, connections: 4 });
  await migrate(database);
  await settle_deployment(database, { time_zone: "America/New_York", currency: "USD" });
  return database;
}

async function run_pipeline(database: Database, all: Load): Promise<void> {
  const stop = new AbortController();
  const ingest = new Ingest({
    database,
    pipeline: pipeline_on(database),
    cursors: new Cursors(),
    source: ready_source(all, () => stop.abort()),
    logger: { log: (level, text, fields) => level === "debug" || say(`${level} ${text} ${JSON.stringify(fields)}`) },
    batch_limit: { messages: BATCH, bytes: 8 << 20 },
    quarantine_per_minute: 1,
    now_ms: () => performance.now(),
    random: () => 0.5,
    committed: () => {},
  });
  await ingest.run(stop.signal);
  if (ingest.counts.admitted !== all.count) {
    throw new Error(`pipeline: admitted ${ingest.counts.admitted} of ${all.count}`);
  }
}

/** What COPY and the log alone are given: batches planned beforehand, against a database that stays empty. */
async function planned_batches(database: Database, all: Load): Promise<PlannedBatch<unknown>["batch"][]> {
  const planner = pipeline_on(database);
  const batches: PlannedBatch<unknown>["batch"][] = [];
  for (let at = 0; at < all.count; at += BATCH) {
    const batch = all.batch(at, BATCH);
    const cursor = { topic: "trips", partition: 0, from: at === 0 ? null : at, to: batch.next_offset };
    batches.push({ ...(await planner.plan([batch], [cursor], "bench")).batch, streams: NO_STREAMS });
  }
  return batches;
}

/** What COPY of the rows takes, and seconds of the log alone. What they need is let go of before the pipeline runs. */
async function measure_log(postmaster: string, for_copy: Database, for_append: Database, all: Load) {
  const batches = await planned_batches(for_append, all);
  let position = 0;
  const text = batches.flatMap(({ lines }) => lines).map((line) => `${++position}\t${line}`).join("");
  await for_copy.script(
    `create table copied (like events including all) partition by range (position);
     create table copied_p0 partition of copied for values from (0) to (10000000)`,
  );
  const copy = await cost(postmaster, () => for_copy.transaction((tx) => tx.copy("copied", EVENT_COLUMNS, text)));
  const streams = new StreamStates(domain);
  const append_only = await seconds(async () => {
    for (const batch of batches) await append(for_append, streams, batch, () => Promise.resolve());
  });
  return { copy, append_only };
}

async function read_postmaster(superuser_url: string): Promise<string> {
  const database = await open_database({ url: superuser_url, data_dir: null, connections: 1 });
  const [row] = await database.query<{ file: string }>("select pg_read_file('postmaster.pid') as file");
  await database.close();
  return row!.file.split("\n")[0]!;
}

const all = load();
say(`${all.count} messages, ${Math.round(all.bytes / all.count)} bytes each`);
await using server = await start_postgres();
const postmaster = await read_postmaster(server.superuser_url);
const rounds: (Processor & { copy: number; append: number; pipeline: number; copied: number })[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const [for_copy, for_append, for_pipeline] = [
    await fresh((await server.create_database()).url),
    await fresh((await server.create_database()).url),
    await fresh((await server.create_database()).url),
  ];
  const { copy, append_only } = await measure_log(postmaster, for_copy, for_append, all);
  const pipeline = await cost(postmaster, () => run_pipeline(for_pipeline, all));
  if (round === 0 && Deno.args.includes("--cells")) {
    console.error(
      await for_pipeline.query(
        "select dimension, grain, count(*) as cells from trip_cells group by 1, 2 order by 1, 2",
      ),
    );
  }
  if (round === 0 && Deno.args.includes("--verify")) {
    const all_of_it = { from: 1, share: 1, seed: 0 };
    const signal = new AbortController().signal;
    const verified = await seconds(() =>
      with_scratch(
        "/tmp",
        "tacho_verify",
        (folder) => verify({ database: for_pipeline, domain, days, folder, signal, watch: () => () => {} }, all_of_it),
      )
    );
    say(`verify: ${Math.round(all.count / verified)} events/s`);
  }
  await Promise.all([for_copy, for_append, for_pipeline].map((database) => database.close()));
  const us = (processor_s: number) => processor_s * 1e6 / all.count;
  const figures = {
    copy: all.count / copy.clock,
    append: all.count / append_only,
    pipeline: all.count / pipeline.clock,
    copied: us(copy.program_main + copy.program_other + copy.postgres),
    program_main: us(pipeline.program_main),
    program_other: us(pipeline.program_other),
    postgres: us(pipeline.postgres),
  };
  const warm = round === 0 ? " (warm-up, not counted)" : "";
  say(
    `round ${round}: copy ${Math.round(figures.copy)}/s, append ${Math.round(figures.append)}/s, pipeline ${
      Math.round(figures.pipeline)
    }/s, ratio ${(figures.pipeline / figures.copy).toFixed(3)}; processor µs an event: program ${
      figures.program_main.toFixed(1)
    } + ${figures.program_other.toFixed(1)}, PostgreSQL ${figures.postgres.toFixed(1)}; a copied row ${
      figures.copied.toFixed(1)
    }${warm}`,
  );
  if (round > 0) rounds.push(figures);
}
const middle = (of: (figures: typeof rounds[number]) => number, digits: number): number =>
  Number(median(rounds.map(of)).toFixed(digits));
console.log(JSON.stringify({
  copy_rows_per_s: middle(({ copy }) => copy, 0),
  append_per_copy: middle(({ append, copy }) => append / copy, 3),
  pipeline_per_copy: middle(({ pipeline, copy }) => pipeline / copy, 3),
  pipeline_events_per_s: middle(({ pipeline }) => pipeline, 0),
  cpu_us_per_event: {
    program_main: middle(({ program_main }) => program_main, 1),
    program_other: middle(({ program_other }) => program_other, 1),
    postgres: middle(({ postgres }) => postgres, 1),
  },
  cpu_us_per_copy_row: middle(({ copied }) => copied, 1),
}));
