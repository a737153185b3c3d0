import { Kafka, logLevel } from "kafkajs";
import { open_database } from "../../src/database/mod.ts";
import { GuardedFolder } from "../support/guarded_folder.ts";
import { start_kafka, unique_name } from "../support/kafka.ts";
import { start_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { TachoProgram } from "../support/tacho_program.ts";
import { postmaster_of, processor, used_between } from "./measures.ts";

/**
 * Measures `tacho replay` of one large CSV file of trip ends, as fast as it takes them, to a private broker or, with `log`, into the log on a
 * private server: rows a second of the whole run and of its two halves (reading and sorting, sending), rows a second of processor time, the
 * peak of the program's memory and of the runs on disk. Rows lie up to six hours of event time away from their place. The first argument is
 * the number of rows; the last line is one line of JSON.
 */

const ROWS = Number(Deno.args[0] ?? 10_000_000);
const TO = Deno.args[1] === "log" ? "log" : "kafka";
const ROWS_A_DAY = 1_000_000;
const HEADER =
  "dropoff_datetime,rate_code,passenger_count,trip_distance,fare_amount,tip_amount,payment_type,trip_type,trip_id";

/** Writes the file; gives its size in bytes. */
async function write_rows(path: string): Promise<number> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const encoder = new TextEncoder();
  let state = 1;
  const chance = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  let text = `${HEADER}\n`, size = 0;
  const write = async () => {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    size += bytes.length;
    text = "";
  };
  for (let i = 0; i < ROWS; i++) {
    const time_ms = Date.UTC(2024, 0, 2) + (i / ROWS_A_DAY) * 86_400_000 + (chance() - 0.5) * 43_200_000;
    const time = new Date(time_ms).toISOString().slice(0, 19).replace("T", " ");
    const fare = (5 + chance() * 60).toFixed(2), tip = (chance() * 5).toFixed(2), miles = (chance() * 10).toFixed(2);
    text += `${time},${1 + i % 5}.0,${i % 7}.0,${miles},${fare},${tip},${1 + i % 5}.0,2.0,T${i.toString(36)}\n`;
    if (text.length > 1 << 20) await write();
  }
  await write();
  return size;
}

async function messages_on(brokers: string, topic: string): Promise<number> {
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect());
  return ends.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
}

/** The program's peak of memory so far, in MiB. */
const peak_mib = async (pid: number): Promise<number> =>
  Number(await shell("read peak memory", "awk '/VmHWM/ { print $2 }' /proc/$1/status", String(pid))) / 1024;

const folder = new GuardedFolder("replay_bench");
await using _ = { [Symbol.asyncDispose]: () => folder.dispose() };
const file = `${folder.path}/ends.csv`;
console.error(`writing ${ROWS} rows`);
const file_bytes = await write_rows(file);

/** A place to send to: what tells the program of it, how much arrived there, and the server beside it whose processor time counts. */
interface Place extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly arrived: () => Promise<number>;
  readonly postmaster: number | null;
}

async function topic_on_kafka(): Promise<Place> {
  const kafka = await start_kafka();
  const topic = unique_name("replay");
  return {
    env: { KAFKA_BROKERS: kafka.brokers, TACHO_TOPICS: topic },
    arrived: () => messages_on(kafka.brokers, topic),
    postmaster: null,
    [Symbol.asyncDispose]: () => kafka[Symbol.asyncDispose](),
  };
}

async function log_on_postgres(): Promise<Place> {
  const server = await start_postgres();
  const { url } = await server.create_database();
  return {
    env: { DATABASE_URL: url },
    async arrived() {
      const database = await open_database({ url, data_dir: null, connections: 1 });
      const [head] = await database.query<{ position: string }>("select position from log_head");
      await database.close();
      return Number(head?.position);
    },
    postmaster: postmaster_of(server.data),
    [Symbol.asyncDispose]: () => server.dispose(),
  };
}

await using place = await (TO === "log" ? log_on_postgres() : topic_on_kafka());
/** Of the program, and of the server. */
const used = async (pid: number) => await processor(place.postmaster ?? Deno.pid, pid);
const started_ms = performance.now();
await using program = TachoProgram.spawn("tacho", { args: ["replay", file, "--to", TO], env: place.env });
const began = await used(program.pid);
let now = began;
let memory_mib = 0, sorted_ms = Number.NaN, told = 0;
while (program.running) {
  await Promise.race([program.ended, new Promise((resume) => setTimeout(resume, 1_000))]);
  if (program.running) memory_mib = Math.max(memory_mib, await peak_mib(program.pid).catch(() => 0));
  now = await used(program.pid).catch(() => now);
  const said = program.stderr;
  if (Number.isNaN(sorted_ms) && said.includes("sorted on disk")) sorted_ms = performance.now();
  if (said.length > told) console.error(said.slice(told).trimEnd());
  told = said.length;
}
const seconds = (performance.now() - started_ms) / 1000;
const runs_bytes = Number(/sorted on disk runs=\d+ bytes=(\d+)/.exec(program.stderr)?.[1] ?? 0);
const sort_s = (sorted_ms - started_ms) / 1000;
const { program_main, program_other, postgres } = used_between(began, now);
const exit_code = await program.ended;
console.log(JSON.stringify({
  rows: ROWS,
  file_mib: Math.round(file_bytes / 2 ** 20),
  to: TO,
  exit_code,
  arrived: await place.arrived(),
  rows_per_s: Math.round(ROWS / seconds),
  rows_per_processor_s: Math.round(ROWS / (program_main + program_other)),
  processor_s: { program_main, program_other, postgres: place.postmaster === null ? null : postgres },
  sorted_per_s: Math.round(ROWS / sort_s),
  sent_per_s: Math.round(ROWS / (seconds - sort_s)),
  peak_memory_mib: Math.round(memory_mib),
  runs_mib: Math.round(runs_bytes / 2 ** 20),
}));
