import { launch_chromium } from "../support/chromium.ts";
import { FeedModel, FrameReader } from "../support/feed_client.ts";
import { start_kafka, unique_name } from "../support/kafka.ts";
import { start_postgres } from "../support/postgres.ts";
import { is_ready, TachoProgram } from "../support/tacho_program.ts";
import { until } from "../support/until.ts";
import type { Acknowledged, SendingOrder } from "./latency_sender.ts";
import { percentile, postmaster_of, processor, used_between } from "./measures.ts";

/**
 * Measures how old a figure is when it is seen: whole trips are sent to a broker at a rate, `serve` reads them from one partition, and for each trip
 * the time is taken from the broker's acknowledgement
 *   frame   to the frame of the feed whose buckets count it, with one viewer
 *   pixel   to the page's card that counts it, painted, in Chromium, which is the one viewer then
 * Arguments: --rates=200,1000,5000 trips a second, --seconds=20 of each, --no-pixel. A rate is begun 3 s before it counts. What is not seen
 * 15 s after the last trip was sent counts as unseen. The last line is one line of JSON.
 */

const argument = (name: string, or: string): string =>
  Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? or;
const RATES = argument("rates", "200,1000,5000").split(",").map(Number);
const SECONDS = Number(argument("seconds", "20"));
const WITH_PIXEL = !Deno.args.includes("--no-pixel");
const WARM_S = 3;
const UNSEEN_MS = 15_000;
const RANGE = "?range=1h";

const now_ms = (): number => performance.timeOrigin + performance.now();

/** A count that a viewer had before their eyes, and since when. */
interface Seen {
  readonly count: number;
  readonly at_ms: number;
}

/** Somebody who watches: what they saw so far. */
interface Viewer extends AsyncDisposable {
  seen(): Promise<readonly Seen[]>;
}

/** A stream of the feed, without a page. */
async function watch_frames(url: string): Promise<Viewer> {
  const seen: Seen[] = [];
  const model = new FeedModel();
  const response = await fetch(`${url}api/v1/feed${RANGE}`);
  const reader = new FrameReader(response.body!);
  const following = (async () => {
    for (let frame = await reader.next(); frame !== null; frame = await reader.next()) {
      const at_ms = now_ms();
      model.apply(frame);
      if (frame.event === "hello" || frame.event === "kpi") {
        seen.push({ count: model.series().reduce((sum, [, { completed }]) => sum + (completed ?? 0), 0), at_ms });
      }
    }
  })();
  return {
    seen: () => Promise.resolve(seen),
    async [Symbol.asyncDispose]() {
      await reader.cancel();
      await following;
    },
  };
}

/** Notes each change of a card when it has been painted: a task that the next frame's callback leaves runs after its painting. */
const NOTE_PAINTED = `
  const card = document.querySelector("[data-card=completed]");
  const seen = window.seen = [];
  new MutationObserver(() => requestAnimationFrame(() => {
    const count = Number(card.dataset.value);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => seen.push({ count, at_ms: performance.timeOrigin + performance.now() });
    port2.postMessage(null);
  })).observe(card, { attributeFilter: ["data-value"] });`;

/** The page in a browser. */
async function watch_page(url: string): Promise<Viewer> {
  const browser = await launch_chromium({ viewport: { width: 1440, height: 900 }, locale: "en-US" });
  const page = browser.context.pages()[0] ?? await browser.context.newPage();
  await page.goto(`${url}${RANGE}`);
  await until("the page has figures", async () => await page.getAttribute("body", "data-position") !== null);
  await page.evaluate(NOTE_PAINTED);
  return { seen: () => page.evaluate("window.seen"), [Symbol.asyncDispose]: () => browser.close() };
}

const worker = new Worker(import.meta.resolve("./latency_sender.ts"), { type: "module" });
const send = (order: SendingOrder): Promise<Acknowledged[]> =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Acknowledged[]>) => resolve(data);
    worker.onerror = (event) => reject(new Error(`send trips: ${event.message}`));
    worker.postMessage(order);
  });

/** How long after its acknowledgement each trip was seen, ascending; those that were not are left out. */
function waits(acknowledged: readonly Acknowledged[], seen: readonly Seen[], before: number): number[] {
  const found: number[] = [];
  let count = before, at = 0;
  for (const sent of acknowledged) {
    for (let i = 0; i < sent.count; i++) {
      count++;
      while (at < seen.length && seen[at]!.count < count) at++;
      if (at < seen.length) found.push(seen[at]!.at_ms - sent.at_ms);
    }
  }
  return found.sort((a, b) => a - b);
}

await using kafka = await start_kafka();
await using postgres = await start_postgres();
const postmaster = postmaster_of(postgres.data);
const figures: Record<string, Record<string, unknown>> = {};
for (const per_s of RATES) {
  figures[per_s] = {};
  for (const kind of WITH_PIXEL ? ["frame", "pixel"] as const : ["frame"] as const) {
    const topic = unique_name("latency");
    const { url: database_url } = await postgres.create_database();
    await using program = await TachoProgram.serve("start", {
      env: {
        DATABASE_URL: database_url,
        KAFKA_BROKERS: kafka.brokers,
        TACHO_TOPICS: topic,
        TACHO_GROUP: topic,
        TACHO_PARTITIONS: "1",
      },
    });
    await until("the program reads", () => is_ready(program.url));
    await using viewer = await (kind === "frame" ? watch_frames : watch_page)(program.url);
    const order = { brokers: kafka.brokers, topic, per_s };
    const before = (await send({ ...order, seconds: WARM_S })).reduce((sum, { count }) => sum + count, 0);
    const from_ms = now_ms(), used_before = await processor(postmaster, program.pid);
    const acknowledged = await send({ ...order, seconds: SECONDS });
    const used = used_between(used_before, await processor(postmaster, program.pid));
    const to_ms = now_ms();
    const total = before + per_s * SECONDS;
    await until(
      "all is seen",
      async () => now_ms() > to_ms + UNSEEN_MS || (await viewer.seen()).at(-1)!.count >= total,
    );
    const seen = await viewer.seen();
    const waited = waits(acknowledged, seen, before);
    const cores = (seconds: number) => Number((seconds / ((to_ms - from_ms) / 1_000)).toFixed(2));
    const found = {
      p50_ms: Math.round(percentile(waited, 0.5)),
      p99_ms: Math.round(percentile(waited, 0.99)),
      most_ms: Math.round(percentile(waited, 1)),
      unseen: Number((1 - waited.length / (per_s * SECONDS)).toFixed(4)),
      frames_per_s: Number(
        (seen.filter(({ at_ms }) => at_ms >= from_ms && at_ms < to_ms).length / SECONDS).toFixed(1),
      ),
      program_cores: cores(used.program_main + used.program_other),
      postgres_cores: cores(used.postgres),
    };
    console.error(`${per_s}/s, ${kind}: ${JSON.stringify(found)}`);
    figures[per_s]![kind] = found;
    const complaints = program.stderr.split("\n").filter((line) => /\b(?:warn|error)\b/i.test(line));
    if (complaints.length > 0) console.error(complaints.slice(-10).join("\n"));
  }
}
worker.terminate();
console.log(JSON.stringify(figures));
