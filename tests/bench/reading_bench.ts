import { open_database } from "../../src/database/mod.ts";
import { make_http_side } from "../support/http_side.ts";
import { find_postgres } from "../support/program.ts";
import { free_port } from "../support/free_port.ts";
import { unprivileged } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { percentile, postmaster_of, processor } from "./measures.ts";
import { LAST_MS, load_trips } from "./reading_load.ts";

/**
 * Measures what it takes to read figures of a large log, by the API's own addresses: median and 95th percentile of milliseconds of every
 * question, and milliseconds of processor time that server and program take for one, which a busy machine changes less. The database is loaded once and kept (in the folder that is named, else in one under the temporary folder that says its size);
 * the next run reads it as it is. Arguments: how many trips (5,200,000), `--folder PATH`, `--only TEXT` for questions whose name contains
 * it, `--rounds N` (7), `--load-s N`: only loads, and begins no further step after so many seconds. The last line is one line of JSON.
 */

const option = (name: string): string | undefined => {
  const at = Deno.args.indexOf(name);
  return at === -1 ? undefined : Deno.args[at + 1];
};
const TRIPS = Number(Deno.args.find((arg, i) => /^\d+$/.test(arg) && !Deno.args[i - 1]?.startsWith("--")) ?? 5_200_000);
const FOLDER = option("--folder") ?? `/tmp/tacho_bench_reading_${TRIPS}`;
const ROUNDS = Number(option("--rounds") ?? 7);
const ONLY = option("--only") ?? "";
const LOAD_ONLY_S = option("--load-s") === undefined ? null : Number(option("--load-s"));
const say = (line: string): void => console.error(line);

/** A server on the folder's data, made at first; its data stays. */
async function start_server(): Promise<{ url: string; stop: () => Promise<unknown> }> {
  const binaries = find_postgres();
  if (binaries === null) throw new Error("start PostgreSQL: no initdb on PATH or in /usr/lib/postgresql/*/bin");
  const data = `${FOLDER}/data`;
  await Deno.mkdir(FOLDER, { recursive: true });
  const there = await Deno.stat(`${FOLDER}/user`).then(() => true, () => false);
  if (!there) {
    const words = await unprivileged(FOLDER);
    await Deno.writeTextFile(`${FOLDER}/user`, words.join(" "));
    await Deno.chmod(FOLDER, 0o755);
    const init = `cd / && ${words.join(" ")} "$1/initdb" -D "$2" -U postgres -A trust -E UTF8 --locale=C --no-sync`;
    await shell("initialise PostgreSQL", init, binaries, data);
  }
  const as_user = await Deno.readTextFile(`${FOLDER}/user`);
  const port = free_port();
  const options =
    `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories= -c fsync=off -c max_wal_size=8GB`;
  const start = `cd / && ${as_user} "$1/pg_ctl" -D "$2" -w -t 120 -l "$2/server.log" -o "$3" start >&2`;
  await shell("start PostgreSQL", start, binaries, data, options);
  const stop = () => shell("stop PostgreSQL", `cd / && ${as_user} "$1/pg_ctl" -D "$2" -m fast -w stop`, binaries, data);
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop };
}

const RANGES = { "15m": 900, "1h": 3_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 };
const FILTERS = {
  "no filter": "",
  "one condition": "&city=Boston",
  "two conditions": "&city=Boston&payment_method=cash",
  "one driver": "&driver=D00500",
  "one zone": "&pickup_zone=Z50",
  "all but one city": "&not_city=Boston",
};

/** Questions by name: the addresses that ask them. A board without a filter has the breakdown by driver, all have their comparisons. Ends lie some days back, so that no range is the newest one. */
function questions(end_ms: number, position: number): Map<string, string> {
  const asked = new Map<string, string>();
  const time = (ms: number) => new Date(ms).toISOString();
  for (const [range, seconds] of Object.entries(RANGES)) {
    const span = `from=${time(end_ms - seconds * 1000)}&to=${time(end_ms)}`;
    for (const [name, filter] of Object.entries(FILTERS)) {
      asked.set(`${range} board, ${name}`, `/api/v1/board?${span}${filter}`);
    }
    asked.set(`${range} unusual items`, `/api/v1/unusual/items?${span}`);
    asked.set(`${range} by zone`, `/api/v1/kpis/breakdown?dimension=pickup_zone&${span}`);
    asked.set(`${range} series of a driver`, `/api/v1/kpis/series?measure=revenue&grain=1h&driver=D00500&${span}`);
    const back = Math.round(position * (1 - 3_600 / 86_400 / 60));
    asked.set(`${range} board as of an hour ago`, `/api/v1/board?${span}&as_of_position=${back}`);
    asked.set(
      `${range} board as of an hour ago, two conditions`,
      `/api/v1/board?${span}${FILTERS["two conditions"]}&as_of_position=${back}`,
    );
    // The log has sixty days, evenly.
    const then_ms = LAST_MS - 30 * 86_400_000;
    const earlier = `from=${time(then_ms - seconds * 1000)}&to=${time(then_ms)}&as_of_position=${
      Math.round(position / 2)
    }`;
    for (const name of ["no filter", "one condition", "two conditions"] as const) {
      asked.set(`${range} board as of a month ago, ${name}`, `/api/v1/board?${earlier}${FILTERS[name]}`);
    }
  }
  const month = `from=${time(end_ms - RANGES["30d"] * 1000)}&to=${time(end_ms)}`;
  for (const dimension of ["driver", "passenger"]) {
    asked.set(`30d segments by ${dimension}`, `/api/v1/segments?dimension=${dimension}&segment=best&${month}`);
  }
  asked.set("latest trips", "/api/v1/trips?limit=50");
  asked.set("latest trips, two conditions", `/api/v1/trips?limit=50${FILTERS["two conditions"]}`);
  return asked;
}

async function run(server: { url: string }): Promise<void> {
  say(`database: ${FOLDER}`);
  const until_ms = LOAD_ONLY_S === null ? Infinity : Date.now() + 1000 * LOAD_ONLY_S;
  const full = await load_trips(server.url, TRIPS, until_ms, say);
  say(full ? "all is loaded" : "not all is loaded: run it again");
  if (!full || LOAD_ONLY_S !== null) return;
  const database = await open_database({ url: server.url, data_dir: null, connections: 4 });
  const { get } = await make_http_side(database, { clock: { now_ms: () => LAST_MS } });
  const [head] = await database.query("select position from log_head");
  const postmaster = postmaster_of(`${FOLDER}/data`);
  const used = async () => {
    const { program_main, program_other, postgres } = await processor(postmaster, Deno.pid);
    return program_main + program_other + postgres;
  };
  const answers: Record<string, { p50_ms: number; p95_ms: number; processor_ms: number; status: number }> = {};
  for (const [name, address] of questions(LAST_MS - 2 * 86_400_000, Number(head?.position))) {
    if (!name.includes(ONLY)) continue;
    const times: number[] = [];
    let status = 0, before = await used();
    // What takes long is asked less often: the first answer, with cold caches, is not counted where there are others.
    for (let round = 0, spent_ms = 0; round < ROUNDS && (round < 2 || spent_ms < 10_000); round++) {
      const from = performance.now();
      const answer = await get(address);
      await answer.text();
      status = answer.status;
      times.push(performance.now() - from);
      spent_ms += times.at(-1)!;
      if (round === 0 && ROUNDS > 1) before = await used();
    }
    const counted = times.length === 1 ? times : times.slice(1);
    const processor_ms = Math.round((await used() - before) * 1000 / counted.length);
    const sorted = counted.toSorted((a, b) => a - b);
    const at = (share: number) => Math.round(percentile(sorted, share));
    answers[name] = { p50_ms: at(0.5), p95_ms: at(0.95), processor_ms, status };
    say(
      `${name.padEnd(48)} p50 ${String(at(0.5)).padStart(6)} ms, p95 ${String(at(0.95)).padStart(6)} ms, processor ${
        String(processor_ms).padStart(6)
      } ms${status === 200 ? "" : `, answered ${status}`}`,
    );
  }
  await database.close();
  console.log(JSON.stringify(answers));
}

const server = await start_server();
try {
  await run(server);
} finally {
  await server.stop();
}
