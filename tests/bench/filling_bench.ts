import { open_database, read_unfilled } from "../../src/database/mod.ts";
import { start_postgres } from "../support/postgres.ts";
import { is_ready, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import { fresh, load, run_pipeline } from "./in_process.ts";
import { percentile, resident } from "./measures.ts";

/**
 * Measures how soon a log of an earlier version is served by this one, and how fast what it lacks is filled in meanwhile: from the start of
 * `tacho serve` to the first answer of its probe, and to the switch. An event is posted every second: how long until it is answered.
 * Server and program share the machine.
 *
 * Arguments: thousands of events (1000 unless given). The last line is one line of JSON.
 */

const [thousands = 1_000] = Deno.args.filter((arg) => /^\d+$/.test(arg)).map(Number);
const TOKEN = "0123456789abcdef";
const say = (line: string): void => console.error(line);
const since_s = (began_ms: number): number => (performance.now() - began_ms) / 1_000;

await using server = await start_postgres({ settings: { max_wal_size: "8GB", checkpoint_timeout: "30min" } });
const { url } = await server.create_database();
const database = await fresh(url) as Awaited<ReturnType<typeof open_database>>;
const all = load(thousands * 500, Date.UTC(2025, 2, 1, 6) * 1_000);
await run_pipeline(database, all);
await database.script("vacuum analyze");
await database.script("update schema_migrations set filled = false where name = 'waiting'");
say(`${all.count} events are in the log`);

const began_ms = performance.now();
await using program = await TachoProgram.serve("start", {
  env: { DATABASE_URL: url, TACHO_TIME_ZONE: "America/New_York", TACHO_TOKEN: TOKEN },
});
await until("it is ready", () => is_ready(program.url));
const ready_s = since_s(began_ms);
const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
const answer = await fetch(`${program.url}api/v1/board?range=24h`, { headers });
say(`ready after ${ready_s.toFixed(1)} s, its board answers ${answer.status} after ${since_s(began_ms).toFixed(1)} s`);
await answer.body?.cancel();
const posted_s: number[] = [];
let most_mib = 0;
for (let i = 0; (await read_unfilled(database)).names.length > 0; i++) {
  const now = new Date().toISOString();
  const event = {
    event_id: "c",
    trip_id: `P-${i}`,
    type: "trip.completed",
    occurred_at: now,
    fare: "5",
    city: "Boston",
  };
  const sent_ms = performance.now();
  const posted = await fetch(`${program.url}api/v1/events`, { method: "POST", headers, body: JSON.stringify([event]) });
  if (!posted.ok) throw new Error(`post an event: ${posted.status} ${await posted.text()}`);
  await posted.body?.cancel();
  posted_s.push(since_s(sent_ms));
  most_mib = Math.max(most_mib, (await resident(program.pid)).now);
  if (i % 10 === 0) {
    const { rebuilding } = await (await fetch(`${program.url}api/v1/health`, { headers })).json();
    say(`${since_s(began_ms).toFixed(0)} s: ${rebuilding?.percent ?? 100} %`);
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}
const filled_s = since_s(began_ms);
await database.close();
const sorted_s = posted_s.toSorted((a, b) => a - b);
const ms = (share: number) => Math.round(percentile(sorted_s, share) * 1_000);
console.log(JSON.stringify({
  events: all.count,
  ready_s: Number(ready_s.toFixed(1)),
  filled_s: Number(filled_s.toFixed(1)),
  filled_events_per_s: Math.round(all.count / (filled_s - ready_s)),
  posted_ms: { p50: ms(0.5), p95: ms(0.95), most: ms(1) },
  most_resident_mib: most_mib,
}));
