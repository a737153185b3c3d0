import { start_postgres } from "../support/postgres.ts";
import { is_ready, type ServingProgram, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import { fresh, load, run_pipeline } from "./in_process.ts";
import { percentile, resident } from "./measures.ts";

/**
 * Measures how fast cells that are not kept any more are removed, and what that costs who posts meanwhile: an event is posted every 200 ms, a
 * hundred of them before it and all the time of it. Server and program share the machine.
 *
 * Arguments: thousands of trips (100 unless given), one every four seconds of event time. The last line is one line of JSON.
 */

const [thousands = 100] = Deno.args.filter((arg) => /^\d+$/.test(arg)).map(Number);
const TOKEN = "0123456789abcdef";
const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
const POSTS_BEFORE = 100;
const PAUSE_MS = 200;
const say = (line: string): void => console.error(line);
const since_s = (began_ms: number): number => (performance.now() - began_ms) / 1_000;

await using server = await start_postgres({ settings: { max_wal_size: "8GB", checkpoint_timeout: "30min" } });
const { url } = await server.create_database();
const database = await fresh(url);
const all = load(thousands * 1_000, Date.UTC(2025, 2, 1, 6) * 1_000, { trips_per_second: 0.25 });
await run_pipeline(database, all);
await database.script("vacuum analyze");
const OLD = "grain in ('1m', '5m') and bucket < '2026-01-01Z'";
const fine = async (): Promise<number> => {
  const [row] = await database.query(
    `select (select count(*) from trip_cells where ${OLD}) + (select count(*) from trip_sketches where ${OLD}) as rows`,
  );
  return Number(row!.rows);
};
const rows = await fine();
say(`${all.count} events are in the log, ${rows} cells and sketches of minutes and five minutes`);

let posted = 0;
/** Posts an event; gives how long until it is answered, seconds. */
async function post(to: ServingProgram): Promise<number> {
  const event = {
    ...{ event_id: "c", trip_id: `P-${posted++}`, type: "trip.completed", fare: "5", city: "Boston" },
    occurred_at: new Date().toISOString(),
  };
  const sent_ms = performance.now();
  const answer = await fetch(`${to.url}api/v1/events`, { method: "POST", headers, body: JSON.stringify([event]) });
  if (!answer.ok) throw new Error(`post an event: ${answer.status} ${await answer.text()}`);
  await answer.body?.cancel();
  return since_s(sent_ms);
}
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

const env = { DATABASE_URL: url, TACHO_TIME_ZONE: "America/New_York", TACHO_TOKEN: TOKEN };
const before_s: number[] = [], during_s: number[] = [];
{
  await using program = await TachoProgram.serve("start", { env });
  await until("it is ready", () => is_ready(program.url));
  while (before_s.length < POSTS_BEFORE) {
    before_s.push(await post(program));
    await pause();
  }
}
await using program = await TachoProgram.serve("start", { env: { ...env, TACHO_KEEP_CELLS: "1m:1d,5m:1d" } });
await until("it is ready", () => is_ready(program.url));
const began_ms = performance.now();
let most_mib = 0, removed = 0;
for (let i = 0;; i++) {
  during_s.push(await post(program));
  const said = await (await fetch(`${program.url}metrics`, { headers })).text();
  removed = Number(/^tacho_cells_removed_total (\d+)$/m.exec(said)?.[1] ?? 0);
  if (removed >= rows && /^tacho_cells_removing 0$/m.test(said)) break;
  most_mib = Math.max(most_mib, (await resident(program.pid)).now);
  if (i % 25 === 0) say(`${since_s(began_ms).toFixed(0)} s: ${removed} removed`);
  await pause();
}
const removed_s = since_s(began_ms), left = await fine();
if (left > 0) throw new Error(`remove cells: expected none left, got ${left}`);
await database.close();
const told = (times_s: readonly number[]) => {
  const sorted_s = times_s.toSorted((a, b) => a - b);
  const ms = (share: number) => Math.round(percentile(sorted_s, share) * 1_000);
  return { posts: times_s.length, p50: ms(0.5), p95: ms(0.95), most: ms(1) };
};
console.log(JSON.stringify({
  events: all.count,
  removed,
  removed_s: Number(removed_s.toFixed(1)),
  removed_per_s: Math.round(removed / removed_s),
  posted_ms: { before: told(before_s), during: told(during_s) },
  most_resident_mib: most_mib,
}));
