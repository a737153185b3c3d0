import { CopyLines, CopyRows, type Database } from "../../src/database/mod.ts";
import { append, EVENT_COLUMNS, events_between, StreamStates, write_event_line } from "../../src/event_log/mod.ts";
import { format_time } from "../../src/kpi/mod.ts";
import type { PlannedBatch } from "../../src/ingest/mod.ts";
import { verify } from "../../src/projection/mod.ts";
import { with_scratch } from "../../src/sort/mod.ts";
import { ALL_CELLS } from "../support/all_cells.ts";
import { start_postgres } from "../support/postgres.ts";
import { BATCH, days, domain, fresh, type Load, load, pipeline_on, run_pipeline } from "./in_process.ts";
import { median, postmaster_of, type Processor, processor, used_between } from "./measures.ts";

/**
 * Measures the hot path on one PostgreSQL server, fsync on, alternating in every round:
 *   copy      COPY of the event rows, already bytes, into a table partitioned and keyed like `events`
 *   append    the log alone: head, events, batches with the chain, from planned batches whose event rows are written out
 *   pipeline  everything: decode, validate, plan, log, trips, all cells, cursors, chain
 * Beside the clock it reads processor time, which a busy machine changes less: of the program's main thread, of its other threads (collector
 * of garbage, compiler, runtime) and of the PostgreSQL server with all its processes.
 * With --forgettable each round runs the pipeline a second time, into a log that has aliases for persons, and says what that costs beside the first.
 * With --cells it prints the cells that were made, with --verify how fast `tacho verify` reads such a log.
 * The last line is one line of JSON; ratios and processor times are medians over the rounds.
 */

const TRIPS = Number(Deno.args.find((arg) => /^\d+$/.test(arg)) ?? 100_000);
const ROUNDS = 5;
/** Bytes that COPY is given at a time. */
const PIECE = 1 << 18;
const START_US = Date.UTC(2026, 2, 1, 6) * 1000;

const FORGETTABLE = Deno.args.includes("--forgettable");
/** What the pipeline takes with aliases, of what it takes without, by round. */
const costs: Record<string, number[]> = {};

const say = (line: string): void => console.error(line);
const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
};

/** What work takes: seconds by the clock, and of processors. */
async function cost(postmaster: number, work: () => Promise<unknown>): Promise<Processor & { clock: number }> {
  const before = await processor(postmaster, Deno.pid);
  const clock = await seconds(work);
  return { clock, ...used_between(before, await processor(postmaster, Deno.pid)) };
}

const NO_STREAMS = {
  begun: new CopyRows(),
  changed: { ordinals: [], before: [], after: [] },
};

/** What COPY and the log alone are given: batches planned beforehand, against a database that stays empty. */
async function planned_batches(database: Database, all: Load): Promise<PlannedBatch["batch"][]> {
  const planner = pipeline_on(database);
  const batches: PlannedBatch["batch"][] = [];
  for (let at = 0; at < all.count; at += BATCH) {
    const batch = all.batch(at, BATCH);
    const cursor = { topic: "trips", partition: 0, from: at === 0 ? null : at, to: batch.next_offset };
    batches.push({ ...(await planner.plan([batch], [cursor], "bench")).batch, streams: NO_STREAMS });
  }
  return batches;
}

/** The event rows in COPY's text form, as the log gives them back, in pieces. */
async function rows_as_text(): Promise<Uint8Array<ArrayBuffer>[]> {
  const database = await fresh((await server.create_database()).url);
  const streams = new StreamStates(domain), pieces: Uint8Array<ArrayBuffer>[] = [], lines = new CopyLines();
  for (const batch of await planned_batches(database, all)) {
    await append(database, streams, batch, () => Promise.resolve());
  }
  for await (const page of events_between(database, 0, all.count)) {
    for (const event of page) {
      lines.plain(`${event.position}`);
      write_event_line(lines, event, event.revision, event.metadata, format_time(event.recorded_at_us));
    }
    for (let at = 0; at < lines.bytes.length; at += PIECE) pieces.push(lines.bytes.slice(at, at + PIECE));
    lines.clear();
  }
  await database.close();
  return pieces;
}

/** What COPY of the rows takes, and seconds of the log alone. What they need is let go of before the pipeline runs. */
async function measure_log(postmaster: number, for_copy: Database, for_append: Database, all: Load) {
  await for_copy.script(
    `create table copied (like events including all) partition by range (position);
     create table copied_p0 partition of copied for values from (0) to (10000000)`,
  );
  const copy = await cost(postmaster, () => for_copy.transaction((tx) => tx.copy("copied", EVENT_COLUMNS, text_rows)));
  const batches = await planned_batches(for_append, all), streams = new StreamStates(domain);
  const append_only = await seconds(async () => {
    for (const batch of batches) await append(for_append, streams, batch, () => Promise.resolve());
  });
  return { copy, append_only };
}

/** The pipeline into a log that has aliases for persons. */
async function run_aliased() {
  const database = await fresh((await server.create_database()).url, true);
  try {
    return await cost(postmaster, () => run_pipeline(database, all));
  } finally {
    await database.close();
  }
}

const all = load(TRIPS, START_US);
say(`${all.count} messages, ${Math.round(all.bytes / all.count)} bytes each`);
await using server = await start_postgres();
const postmaster = postmaster_of(server.data);
const text_rows = await rows_as_text();
const rounds: (Processor & { copy: number; append: number; pipeline: number; copied: number })[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const [for_copy, for_append, for_pipeline] = [
    await fresh((await server.create_database()).url),
    await fresh((await server.create_database()).url),
    await fresh((await server.create_database()).url),
  ];
  const { copy, append_only } = await measure_log(postmaster, for_copy, for_append, all);
  const pipeline = await cost(postmaster, () => run_pipeline(for_pipeline, all));
  const aliased = FORGETTABLE ? await run_aliased() : null;
  if (round === 0 && Deno.args.includes("--cells")) {
    console.error(
      await for_pipeline.query(
        `select dimension, grain, count(*) as cells from ${ALL_CELLS} c group by 1, 2 order by 1, 2`,
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
  if (aliased !== null) {
    const parts = (["clock", "program_main", "program_other", "postgres"] as const).map((part) => {
      if (round > 0) (costs[part] ??= []).push(aliased[part] / pipeline[part]);
      return `${part} ${us(aliased[part]).toFixed(1)} (${(aliased[part] / pipeline[part]).toFixed(3)})`;
    });
    const whole = (each: Processor) => each.program_main + each.program_other + each.postgres;
    if (round > 0) (costs.all ??= []).push(whole(aliased) / whole(pipeline));
    say(`  with aliases, µs an event and of what it is without: ${parts.join(", ")}`);
  }
  if (round > 0) rounds.push(figures);
}
for (const [part, ratios] of Object.entries(costs)) {
  say(`with aliases ${part}: ${median(ratios).toFixed(3)} of without`);
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
