import { bench_stream } from "../support/bench_stream.ts";
import { open_kafka_admin, open_kafka_producer } from "../../src/ingest/kafka/mod.ts";
import { needs } from "../support/available.ts";
import { start_kafka } from "../support/kafka.ts";
import { options_of } from "../support/kafka_topic.ts";
import { start_postgres } from "../support/postgres.ts";
import { find_program } from "../support/program.ts";
import { shell } from "../support/shell.ts";
import { get_json, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import { median, postmaster_of, processor, start_bare_server, used_between } from "./measures.ts";

/**
 * Measures the API of one real process (`deno task start`, PostgreSQL and a broker beside it) while it reads its topic at a given
 * rate, each beside a bare `Deno.serve` that answers a constant of the same size, alternating:
 *   one     /metrics/driver/{id}, the same driver all the time
 *   any     /metrics/driver/{id} of any of 5,000 drivers
 *   list    /metrics/driver, all 5,000 keys
 * wrk asks over 16 connections. Processor time a request is that of the program, and of PostgreSQL with all its processes, less what reading the
 * topic costs them in the same time. Arguments: rounds (3), events a second (5,000; 0: nothing is read meanwhile). The last line is
 * one line of JSON, medians over the rounds.
 */

const ROUNDS = Number(Deno.args[0] ?? 3);
const EVENTS_PER_S = Number(Deno.args[1] ?? 5_000);
const DRIVERS = 5_000;
const SEED_TRIPS = 30_000;
const SECONDS = 3;
const CONNECTIONS = 16;

const say = (line: string): void => console.error(line);

const wrk = find_program(["wrk"]);
const absent = [wrk === null ? "no wrk on PATH" : null, needs("postgres"), needs("kafka")].filter((it) => it !== null);
if (wrk === null || absent.length > 0) {
  say(`nothing is measured: ${absent.join("; ")}`);
  Deno.exit(1);
}

/** A bare server that answers a constant. */
const constant_server = (body: string) =>
  start_bare_server(`const body = ${JSON.stringify(body)};
    const headers = { "content-type": "application/json" };
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(port) }, () => new Response(body, { headers }));`);

/** Requests a second of an address, and those that were not answered with 200. */
async function load(url: string, script: string | null): Promise<number> {
  const args = [`-t1`, `-c${CONNECTIONS}`, `-d${SECONDS}s`, ...script === null ? [] : ["-s", script], url];
  const text = await shell("ask with wrk", '"$@"', wrk!, ...args);
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`ask ${url}: ${text}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
}

await using postgres = await start_postgres();
const { url: database_url } = await postgres.create_database();
const postmaster = postmaster_of(postgres.data);
await using kafka = await start_kafka();
const topic = options_of(kafka.brokers, "trips", { partitions: 4 });
const admin = await open_kafka_admin(topic);
await admin.ensure_topic("trips", topic).finally(() => admin.close());
const producer = await open_kafka_producer(topic);
const start_us = Date.UTC(2026, 2, 1) * 1_000;
const messages = bench_stream({ trips: 2_000_000, seed: 1, start_us, drivers: DRIVERS, apart: 500 });

/** Sends so many of the messages that come next. */
async function send(count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 500) {
    // `take` would end the stream.
    const request = Array.from({ length: Math.min(500, count - sent) }, () => messages.next().value!);
    await producer.send("trips", request);
  }
}

say(`filling the log with ${2 * SEED_TRIPS} events`);
await send(2 * SEED_TRIPS);
await using program = await TachoProgram.serve("start", {
  env: { DATABASE_URL: database_url, KAFKA_BROKERS: kafka.brokers },
});
const position = async (): Promise<number> =>
  Number(/^tacho_log_position (\d+)/m.exec(await (await fetch(`${program.url}metrics`)).text())?.[1]);
await until("all of it is in the log", async () => await position() >= 2 * SEED_TRIPS, 120_000);

const paths = { one: "metrics/driver/D7", any: "metrics/driver/D7", list: "metrics/driver" } as const;
const answer = await (await fetch(`${program.url}${paths.one}`)).text();
const { keys } = await get_json(`${program.url}${paths.list}`) as { keys: string[] };
say(`${keys.length} drivers`);
const paths_of_all = keys.map((key) => `"/metrics/driver/${key.slice("driver:".length)}"`);
const any_driver = await Deno.makeTempFile({ suffix: ".lua" });
await Deno.writeTextFile(
  any_driver,
  `local paths = { ${paths_of_all.join(", ")} }
  request = function() return wrk.format(nil, paths[math.random(#paths)]) end`,
);
const bare = await constant_server(answer);

const reading = { running: EVENTS_PER_S > 0, sent: 0 };
/** Sends events at the rate, ten times a second, until it is told to end. */
async function feed(): Promise<void> {
  for (const from_ms = performance.now(); reading.running;) {
    const due = Math.floor((performance.now() - from_ms) / 1_000 * EVENTS_PER_S) - reading.sent;
    await send(due);
    reading.sent += due;
    await new Promise((resume) => setTimeout(resume, 100));
  }
}
const feeding = feed();

/** Runs work; gives what it gave, and the processor time that program and PostgreSQL used by the second meanwhile. */
async function used<T>(work: () => Promise<T>) {
  const from_ms = performance.now();
  const before = await processor(postmaster, program.pid);
  const result = await work();
  const seconds = (performance.now() - from_ms) / 1_000;
  const spent = used_between(before, await processor(postmaster, program.pid));
  return {
    result,
    program: (spent.program_main + spent.program_other) / seconds,
    postgres: spent.postgres / seconds,
  };
}

const kinds = ["one", "any", "list"] as const;
const rounds: { readonly bare: number; readonly asked: Readonly<Record<typeof kinds[number], Asked>> }[] = [];
interface Asked {
  readonly per_s: number;
  readonly program_us: number;
  readonly postgres_us: number;
}
for (let round = 0; round <= ROUNDS; round++) {
  const alone = await used(() => new Promise((resume) => setTimeout(resume, 2_000)));
  const of_bare = await load(`http://127.0.0.1:${bare.port}/`, null);
  const asked = {} as Record<typeof kinds[number], Asked>;
  const [at, from_ms] = [await position(), performance.now()];
  for (const kind of kinds) {
    const { result: per_s, program: program_share, postgres: postgres_share } = await used(() =>
      load(`${program.url}${paths[kind]}`, kind === "any" ? any_driver : null)
    );
    asked[kind] = {
      per_s,
      program_us: (program_share - alone.program) / per_s * 1e6,
      postgres_us: (postgres_share - alone.postgres) / per_s * 1e6,
    };
  }
  const events_per_s = (await position() - at) / ((performance.now() - from_ms) / 1_000);
  const told = kinds.map((kind) => {
    const { per_s, program_us, postgres_us } = asked[kind];
    return `${kind} ${Math.round(per_s)}/s (${(per_s / of_bare).toFixed(3)} of bare; ${program_us.toFixed(0)} + ${
      postgres_us.toFixed(0)
    } µs)`;
  });
  say(
    `round ${round}: bare ${Math.round(of_bare)}/s; ${told.join(", ")}; reading ${
      Math.round(events_per_s)
    } events/s, which alone uses ${alone.program.toFixed(2)} + ${alone.postgres.toFixed(2)} of a core${
      round === 0 ? " (warm-up, not counted)" : ""
    }`,
  );
  if (round > 0) rounds.push({ bare: of_bare, asked });
}
reading.running = false;
await feeding;
await bare.end();
await producer.close();
await Deno.remove(any_driver);

const middle = (of: (round: typeof rounds[number]) => number, digits: number): number =>
  Number(median(rounds.map(of)).toFixed(digits));
console.log(JSON.stringify({
  bare_per_s: middle(({ bare }) => bare, 0),
  ...Object.fromEntries(kinds.flatMap((kind) => [
    [`${kind}_per_s`, middle(({ asked }) => asked[kind].per_s, 0)],
    [`${kind}_per_bare`, middle(({ asked, bare }) => asked[kind].per_s / bare, 3)],
    [`${kind}_program_us`, middle(({ asked }) => asked[kind].program_us, 1)],
    [`${kind}_postgres_us`, middle(({ asked }) => asked[kind].postgres_us, 1)],
  ])),
}));
