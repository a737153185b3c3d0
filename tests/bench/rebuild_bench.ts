import { open_database } from "../../src/database/mod.ts";
import {
  begin_read_model,
  compare_read_models,
  drop_read_model,
  Rebuild,
  type RebuildSource,
} from "../../src/projection/mod.ts";
import { start_postgres } from "../support/postgres.ts";
import { shell } from "../support/shell.ts";
import { days, domain, fresh, load, run_pipeline } from "./in_process.ts";
import { median, postmaster_of, processor, used_between } from "./measures.ts";

/**
 * Measures how fast a read model is made anew from the log, beside `COPY (select …) TO` of the same events, which only reads them out;
 * alternating, median of the rounds. And how much memory it takes, from the first event to the last.
 *
 * Arguments: thousands of events (300 unless given). The last line is one line of JSON.
 */

const [thousands = 300] = Deno.args.filter((arg) => /^\d+$/.test(arg)).map(Number);
const ROUNDS = 3;
const say = (line: string): void => console.error(line);

await using server = await start_postgres({ settings: { max_wal_size: "8GB", checkpoint_timeout: "30min" } });
const postmaster = postmaster_of(server.data);
const { url } = await server.create_database();
const database = await fresh(url) as Awaited<ReturnType<typeof open_database>>;
const all = load(thousands * 500, Date.UTC(2025, 2, 1, 6) * 1_000);
await run_pipeline(database, all);
await database.script("vacuum analyze");
say(`${all.count} events are in the log`);

const source: RebuildSource = { database, domain, days, signal: new AbortController().signal };
const copy_s: number[] = [], rebuild_s: number[] = [], cpu: { program: number; postgres: number }[] = [];
let most_mib = 0;
for (let round = 0; round < ROUNDS; round++) {
  const copied_ms = performance.now();
  await shell(
    "read the events out",
    `psql -XqAtc "copy (select * from events order by position) to stdout" "$1" >/dev/null`,
    url,
  );
  copy_s.push((performance.now() - copied_ms) / 1_000);
  await begin_read_model(source, "v2");
  const before = await processor(postmaster, Deno.pid), began_ms = performance.now();
  await new Rebuild(source, "v2").catch_up(() => {
    most_mib = Math.max(most_mib, Deno.memoryUsage().rss / 2 ** 20);
  });
  rebuild_s.push((performance.now() - began_ms) / 1_000);
  const used = used_between(before, await processor(postmaster, Deno.pid));
  const us = (seconds: number) => Number((seconds * 1e6 / all.count).toFixed(1));
  cpu.push({ program: us(used.program_main + used.program_other), postgres: us(used.postgres) });
  const { different, examples } = await compare_read_models(source, "v2");
  if (different > 0) throw new Error(`rebuild: ${different} rows differ, such as ${examples[0]}`);
  await drop_read_model(source, "v2");
  say(`round ${round + 1}: copy ${copy_s.at(-1)!.toFixed(2)} s, rebuild ${rebuild_s.at(-1)!.toFixed(2)} s`);
}
await database.close();
const rate = (seconds: readonly number[]) => Math.round(all.count / median(seconds));
console.log(JSON.stringify({
  events: all.count,
  copy_to_events_per_s: rate(copy_s),
  rebuild_events_per_s: rate(rebuild_s),
  rebuild_per_copy: Number((median(copy_s) / median(rebuild_s)).toFixed(3)),
  cpu_us_per_event: cpu.at(-1),
  most_resident_mib: Math.round(most_mib),
}));
